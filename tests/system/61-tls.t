#!/usr/bin/env python3
"""The TLS server seen by others: sslscan, testssl.sh, openssl, gnutls-cli, curl and Python. Only the suites named are negotiated, only TLS 1.2,
the right certificate for each name; sessions resume; certificates change at a reload and no call is lost."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki
from postern import Postern, call, diag, done, is_, ok, request_bytes, run, skip, until
from tls import OPEN, SUITES_ECDSA, SUITES_RSA, TlsConn, ask, client, s_client

tmp = tempfile.TemporaryDirectory(prefix="postern-tls-")
os.chmod(tmp.name, 0o755)
os.mkdir(os.path.join(tmp.name, "docs"))
with open(os.path.join(tmp.name, "docs", "a.txt"), "w") as f:
    f.write("text\n")
pki = Pki(os.path.join(tmp.name, "pki"))
door = pki.issue("door", dns=["gw.example", "localhost", "*.wild.example"])
second = pki.issue("second", dns=["second.example"], key="p384")
rsa = pki.issue("rsa", dns=["rsa.example"], key="rsa2048", usage="digitalSignature,keyEncipherment")
large = pki.issue("large", dns=["large.example"], key="rsa3072", usage="digitalSignature,keyEncipherment")
NAMES = {"gw.example": door, "localhost": door, "a.wild.example": door, "second.example": second, "rsa.example": rsa, "large.example": large}


def tls(*pairs, **more):
    return dict({"certificates": [{"cert": c.cert, "key": c.key} for c in pairs]}, **more)


def config(*pairs):
    hosts = sorted(NAMES)
    return dict(OPEN, workers=2, names="plain", admin={"address": "127.0.0.1:0"}, mcpServers={"docs": {"builtin": "files", "root": os.path.join(tmp.name, "docs")}},
                listeners=[{"address": "127.0.0.1:0", "hosts": hosts, "tls": tls(*(pairs or (door, second, rsa, large)))},
                           {"address": "127.0.0.1:0", "path": "/cnsa", "hosts": ["second.example", "large.example"], "tls": tls(second, large, profile="cnsa")},
                           {"address": "127.0.0.1:0", "path": "/plain"}])


LIST = request_bytes("tools/list", host="gw.example", headers=[("Connection", "close")])


def fetch(port, name, path="/mcp", **more):
    """Status of a tools/list, and the fingerprint shown."""
    with TlsConn(port, client(pki.ca, name, **more)) as c:
        return ask(c, "tools/list", host=name, path=path).status, c.fingerprint()


def scan(port, name):
    r = subprocess.run(["sslscan", "--no-colour", "--xml=-", "--sni-name=" + name, "127.0.0.1:%d" % port], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=600)
    return ElementTree.fromstring(r.stdout).find("ssltest")


def sslscan():
    for port, name, suites, what in ((p.port, "gw.example", SUITES_ECDSA, "with P-256"), (p.port, "second.example", SUITES_ECDSA, "with P-384"),
                                     (p.port, "rsa.example", SUITES_RSA, "with RSA"),
                                     (p.ports[1], "second.example", {"ECDHE-ECDSA-AES256-GCM-SHA384"}, "profile cnsa, P-384"),
                                     (p.ports[1], "large.example", {"ECDHE-RSA-AES256-GCM-SHA384"}, "profile cnsa, RSA")):
        t = scan(port, name)
        on = {(e.get("type"), e.get("version")) for e in t.findall("protocol") if e.get("enabled") == "1"}
        is_(on, {("tls", "1.2")}, "sslscan, %s: TLS 1.2 and nothing else" % what)
        found = {e.get("cipher") for e in t.findall("cipher")}
        # A client that can do only the other kind of key may be given another certificate: those suites are ours too.
        ok(suites <= found <= suites | {s.replace("RSA", "ECDSA") if "-RSA-" in s else s.replace("ECDSA", "RSA") for s in suites},
           "sslscan, %s: the suites named and no other" % what, found)
        again = t.find("renegotiation")
        is_(again.get("supported"), "0", "sslscan, %s: no renegotiation for clients" % what)
        is_([e.get("vulnerable") for e in t.findall("heartbleed")], ["0"], "sslscan, %s: no heartbleed" % what)
        is_([e.get("supported") for e in t.findall("compression")], ["0"] * len(t.findall("compression")), "sslscan, %s: no compression" % what)


# What testssl.sh must have looked at; anything else it finds must be OK or INFO too.
VULNERABILITIES = ["heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS", "BREACH", "POODLE_SSL",
                   "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"]
# What it says of the host it runs on, or of the machine's own openssl.
NOT_OURS = {"engine_problem", "scanTime"}


def testssl():
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        return skip("testssl.sh", "it is not installed (make test does it)")
    runs = []
    for name in ("gw.example", "rsa.example"):
        out = os.path.join(tmp.name, name + ".json")
        runs.append((name, out, subprocess.Popen(
            [program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", out, "-p", "-f", "-U",
             "https://%s:%d/mcp" % (name, p.port)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp.name)))
    for name, out, run_ in runs:
        text = run_.communicate(timeout=1500)[0]
        try:
            found = json.load(open(out))
        except (OSError, ValueError) as e:
            ok(False, "testssl.sh, %s" % name, "%s\n%s" % (e, text.decode("utf-8", "replace")[-2000:]))
            continue
        ids = {f["id"] for f in found}
        is_([v for v in VULNERABILITIES if v not in ids], [], "testssl.sh, %s: it looked at every vulnerability it knows" % name)
        bad = ["%s %s: %s" % (f["severity"], f["id"], f["finding"]) for f in found if f["severity"] not in ("OK", "INFO") and f["id"] not in NOT_OURS]
        is_(bad, [], "testssl.sh, %s: no finding" % name)
        ok(any(f["id"] == "TLS1_2" and f["finding"].startswith("offered") for f in found), "testssl.sh, %s: it spoke TLS 1.2" % name)


def versions():
    # A client of TLS 1.3 alone names 1.2 where 1.2 looks, and no suite of it.
    for flag, words in (("-tls1", "alert protocol version"), ("-tls1_1", "alert protocol version"), ("-tls1_3", "alert handshake failure")):
        r = s_client(p.port, flag, "-cipher", "ALL:@SECLEVEL=0", "-servername", "gw.example", send=b"Q\n")
        text = r.stdout.decode("utf-8", "replace")
        ok(r.returncode != 0 and words in text, "openssl %s is refused with the alert for it" % flag, text[-1600:])
    for suite in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA", "NULL-SHA256", "AECDH-AES128-SHA"):
        r = s_client(p.port, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0", "-servername", "gw.example", send=b"Q\n")
        text = r.stdout.decode("utf-8", "replace")
        ok(r.returncode != 0 and "alert handshake failure" in text, "a client that only knows %s is refused with the alert for it" % suite, text[-600:])
    for port, curve, good in ((p.port, "P-256", True), (p.port, "P-384", True), (p.port, "P-521", False), (p.port, "X25519", False), (p.port, "X448", False),
                              (p.ports[1], "P-384", True), (p.ports[1], "P-256", False)):
        r = s_client(port, "-tls1_2", "-curves", curve, "-servername", "second.example", "-CAfile", pki.ca, send=b"Q\n")
        text = r.stdout.decode("utf-8", "replace")
        ok("Verify return code: 0 (ok)" in text and "Cipher is ECDHE" in text if good else "alert handshake failure" in text,
           "%s, a client that only knows %s is %s" % ("cnsa" if port != p.port else "default", curve, "served" if good else "refused"), text[-800:])
    is_(fetch(p.port, "gw.example")[0], 200, "after that, as ever")


def names():
    for name, pair in NAMES.items():
        is_(fetch(p.port, name), (200, pair.fingerprint), "SNI %s: its certificate" % name)
    for suites, key in (("ECDHE-ECDSA-CHACHA20-POLY1305", "gw.example"), ("ECDHE-RSA-AES256-GCM-SHA384", "rsa.example"),
                        ("ECDHE-RSA-CHACHA20-POLY1305", "large.example"), ("ECDHE-ECDSA-AES256-GCM-SHA384", "second.example")):
        is_(fetch(p.port, key, suites=suites), (200, NAMES[key].fingerprint), "%s for %s" % (suites, key))
    for name in ("elsewhere.example", "a.b.wild.example", "wild.example", "xgw.example"):
        ctx = client(pki.ca, name, check=False)
        with TlsConn(p.port, ctx) as c:
            is_(c.fingerprint(), door.fingerprint, "SNI %s, which no certificate has: the first" % name)
    with TlsConn(p.port, client(pki.ca, None, check=False)) as c:
        is_(c.fingerprint(), door.fingerprint, "no SNI: the first")
    with TlsConn(p.port, client(pki.ca, "SECOND.example", check=False)) as c:
        is_(c.fingerprint(), second.fingerprint, "names have no case")
    is_(fetch(p.ports[1], "second.example", path="/cnsa")[0], 200, "profile cnsa serves")


def clients():
    r = s_client(p.port, "-servername", "gw.example", "-verify_hostname", "gw.example", "-verify_return_error", "-CAfile", pki.ca, "-quiet", "-ign_eof",
                 send=LIST)
    ok(b"HTTP/1.1 200" in r.stdout and b'"tools"' in r.stdout, "openssl s_client asks and is answered", r.stdout[-800:])
    r = subprocess.run(["gnutls-cli", "--port", str(p.port), "--x509cafile", pki.ca, "--sni-hostname", "gw.example", "--verify-hostname", "gw.example",
                        "--no-ocsp", "127.0.0.1"], input=LIST, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    ok(b"certificate is trusted" in r.stdout and b"HTTP/1.1 200" in r.stdout, "gnutls-cli asks and is answered", r.stdout[-1500:])
    r = subprocess.run(["gnutls-cli", "--port", str(p.port), "--x509cafile", pki.ca, "--sni-hostname", "rsa.example", "--verify-hostname", "rsa.example",
                        "--no-ocsp", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA", "127.0.0.1"], input=LIST, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=120)
    ok(re.search(rb"Description: \(TLS1\.2.*ECDHE.*\(RSA-", r.stdout) and b"HTTP/1.1 200" in r.stdout, "gnutls-cli with RSA only", r.stdout[:1500])
    body = LIST.partition(b"\r\n\r\n")[2]
    r = subprocess.run(["curl", "-sS", "--cacert", pki.ca, "--resolve", "gw.example:%d:127.0.0.1" % p.port, "https://gw.example:%d/mcp" % p.port,
                        "-w", "\\n%{http_code} %{ssl_verify_result}", "-H", "Content-Type: application/json", "-H", "Accept: application/json, text/event-stream",
                        "-H", "MCP-Protocol-Version: 2026-07-28", "-H", "Mcp-Method: tools/list", "--data-binary", "@-"], input=body, capture_output=True,
                       timeout=120)
    ok(r.returncode == 0 and r.stdout.endswith(b"\n200 0"), "curl asks and is answered", r)
    r = subprocess.run(["curl", "-sS", "--cacert", pki.ca, "--resolve", "other.example:%d:127.0.0.1" % p.port, "https://other.example:%d/mcp" % p.port],
                       capture_output=True, timeout=120)
    is_(r.returncode, 60, "curl refuses us under another name")
    # An answer that needs many records.
    with open(os.path.join(tmp.name, "docs", "big.txt"), "w") as f:
        f.write("0123456789abcdef" * 30000)
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
        a = ask(c, "tools/call", {"name": "read_file", "arguments": {"path": "big.txt", "length": 400000}})
        ok(a.status == 200 and len(a.body) > 50000, "a long answer comes whole", lambda: (a.status, len(a.body)))
        a = ask(c, "tools/call", {"name": "read_file", "arguments": {"path": "a.txt", "pad": "x" * 200000}}, id_=9)
        ok(a.status == 200 and a.message()["id"] == 9, "a long request is read whole", a)
    os.unlink(os.path.join(tmp.name, "docs", "big.txt"))
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
        for byte in request_bytes("tools/list", id_=5):
            c.send(bytes([byte]))          # a record each
        is_(c.read_answer().message()["id"], 5, "a request in records of one byte")
        many = b"".join(request_bytes("tools/list", id_=i) for i in range(40))
        c.send(many)
        is_([c.read_answer().message()["id"] for _ in range(40)], list(range(40)), "40 pipelined requests are answered in order")
    a = call(p.ports[2], "tools/list", path="/plain")
    is_(a.status, 200, "the listener without TLS, beside them")


def sessions():
    ctx = client(pki.ca, "gw.example")
    ctx.options |= ssl.OP_NO_TICKET
    # Each worker keeps its own; a connection falls to one of the two, so several are tried.
    resumed, session = 0, None
    for tried in range(200):
        if resumed >= 3:
            break
        with TlsConn(p.port, ctx, session=session) as c:
            a = ask(c, "tools/list")
            resumed += bool(c.sock.session_reused) and a.status == 200
            session = session or c.sock.session
    ok(resumed >= 3, "a session is resumed (%d of %d: the worker that has it)" % (resumed, tried))
    r = s_client(p.port, "-tls1_2", "-servername", "gw.example", send=b"Q\n")
    text = r.stdout.decode("utf-8", "replace")
    ok("Session-ID:" in text and "TLS session ticket:" not in text, "no session ticket is given, though asked for", text[-1500:])
    ok("Secure Renegotiation IS supported" in text and "Compression: NONE" in text, "secure renegotiation is signalled, compression is not", text[-1500:])


def endings():
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
        c.send(request_bytes("tools/list", headers=[("Connection", "close")]))
        a = c.read_answer()
        try:
            is_((a.status, c.sock.recv(1)), (200, b""), "the server ends with close_notify")
        except ssl.SSLError as e:
            ok(False, "the server ends with close_notify", e)
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
        is_(ask(c, "tools/list").status, 200, "a client")
        c.sock.settimeout(60)
        try:
            c.sock.unwrap()
            ok(True, "its close_notify is answered with one")
        except (OSError, ssl.SSLError) as e:
            ok(False, "its close_notify is answered with one", e)


def reload():
    fresh = pki.issue("fresh", dns=["gw.example", "localhost"])
    stop, results, seen = threading.Event(), [], set()

    def calls():
        while not stop.is_set():
            try:
                with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
                    seen.add(c.fingerprint())
                    for i in range(3):
                        a = ask(c, "tools/list", id_=i)
                        if a.status is None and i > 0:
                            break              # ended between two requests, as a server may
                        results.append(a.status == 200 and a.message()["id"] == i)
                        if a.header("connection") == "close":
                            break
            except (OSError, ssl.SSLError, ValueError) as e:
                results.append(False)
                diag("%s: %s" % (type(e).__name__, e))

    threads = [threading.Thread(target=calls, daemon=True) for _ in range(3)]
    for t in threads:
        t.start()
    until(lambda: len(results) > 20)
    for n in range(6):
        ok(p.reload(json.dumps(config(*((fresh, rsa) if n % 2 == 0 else (door, rsa))))), "reload %d with another certificate" % (n + 1), p.stderr()[-1500:])
        is_(fetch(p.port, "gw.example"), (200, (fresh if n % 2 == 0 else door).fingerprint), "  which is shown from then on")
    stop.set()
    for t in threads:
        t.join()
    ok(len(results) > 50 and all(results), "no call was lost meanwhile (%d)" % len(results), "%d were" % results.count(False))
    is_(seen, {door.fingerprint, fresh.fingerprint}, "and both certificates were seen")
    # The file changes, its name does not; and a wrong one changes nothing.
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:
        is_(ask(c, "tools/list").status, 200, "a connection stays open")
        again = pki.issue("door", dns=["gw.example"])
        ok(p.reload(), "a file with a new certificate under the old name is taken")
        is_(fetch(p.port, "gw.example"), (200, again.fingerprint), "  and shown")
        a = ask(c, "tools/list", id_=2)
        ok(a.status == 200 or a.status is None and not a.raw, "what was open is answered or properly closed", a)
    shutil.copy(rsa.key, door.key)
    ok(not p.reload(), "a key that does not fit its certificate is refused", p.stderr()[-1500:])
    is_(fetch(p.port, "gw.example"), (200, again.fingerprint), "  and nothing changes")


def check():
    """What is wrong with files is said before anything starts, and no text of a key is shown."""
    key = open(rsa.key).read()
    old = pki.issue("old", dns=["gw.example"], start_s=-7200, end_s=-60)
    weak = pki.issue("weak", dns=["gw.example"], key="rsa1024")
    odd = pki.issue("odd", dns=["gw.example"], key="ed25519")
    # Keys are read by the keeper alone: `check` does not, a start does.
    for command, what, pair, words in (
            ("serve", "a key of another certificate", {"cert": second.cert, "key": rsa.key}, "does not belong to the certificate"),
            ("serve", "a certificate where a key belongs", {"cert": rsa.cert, "key": rsa.cert}, "no private key"),
            ("check", "no such file", {"cert": second.cert + "x", "key": second.key}, "No such file"),
            ("check", "a key where a certificate belongs", {"cert": rsa.key, "key": rsa.key}, "private key"),
            ("check", "RSA of 1024 bits", {"cert": weak.cert, "key": weak.key}, "2048"), ("check", "Ed25519", {"cert": odd.cert, "key": odd.key}, "P-384")):
        r = run(command, config=dict(config(), listeners=[{"address": "127.0.0.1:0", "tls": pair}]))
        ok(r.returncode in (1, 3) and words in r.stderr and "/listeners/0/tls/" in r.stderr, "%s: %s is refused, and where it stands is said" % (command, what),
           (r.returncode, r.stdout, r.stderr))
        lines = key.split("\n")[1:-2]
        ok(not any(line in r.stderr + r.stdout for line in lines), "  without showing it")
    r = run("check", config=dict(config(), listeners=[{"address": "127.0.0.1:0", "tls": {"cert": old.cert, "key": old.key}}]))
    ok("expired" in r.stderr + r.stdout, "check: a certificate that has expired is told", (r.returncode, r.stdout, r.stderr))


with Postern(config()) as p:
    for part in (sslscan, testssl, versions, names, clients, sessions, endings, check, reload):
        part()
is_(p.status, 0, "and it stops in order")
tmp.cleanup()
done()
