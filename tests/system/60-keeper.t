#!/usr/bin/env python3
"""Private keys: who has them, what happens when the keeper dies, when files change, and when they are wrong."""
import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki, new_key, openssl
from postern import INSTRUMENTED, WAIT_S, Postern, below, done, http_get, is_, memory, ok, request_bytes, run, skip, until

IS_ROOT = os.geteuid() == 0
YEAR = 365 * 86400

tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
pki = Pki(os.path.join(tmp.name, "pki"))
docs = os.path.join(tmp.name, "docs")
os.mkdir(docs)
with open(os.path.join(docs, "a.txt"), "w") as f:
    f.write("hello\n")

PAIRS = {kind: pki.issue(kind, dns=[kind + ".example"], key=kind, end_s=YEAR) for kind in ("p256", "p384", "rsa2048", "rsa4096")}


def config(pairs=PAIRS.values(), **more):
    c = {"workers": 2, "listeners": [{"address": "127.0.0.1:0", "path": "/mcp", "hosts": ["%s.example" % k for k in PAIRS],
                                      "tls": {"certificates": [{"cert": p.cert, "key": p.key} for p in pairs]}}],
         "admin": {"address": "127.0.0.1:0"}, "names": "plain",
         "identity": {"anonymous": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*"}],
         "mcpServers": {"docs": {"builtin": "files", "root": docs}}}
    c.update(more)
    return c


def single(cert, key, **more):
    c = config(**more)
    c["listeners"] = [{"address": "127.0.0.1:0", "path": "/mcp", "hosts": ["gw.example", "p256.example"], "tls": {"cert": cert, "key": key}}]
    return c


CONTEXT = ssl.create_default_context(cafile=pki.ca)


def connect(p, name="p256.example"):
    return CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", p.port), timeout=WAIT_S), server_hostname=name)


def ask(s, host="p256.example"):
    """One request on an open TLS connection; the status."""
    s.sendall(request_bytes("tools/list", host=host))
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += s.recv(65536)
    return int(head.split()[1])


def one(p, name="p256.example"):
    """A handshake and a call: 200, or what went wrong."""
    try:
        with connect(p, name) as s:
            return ask(s, name)
    except OSError as e:
        return str(e)


def ready(p):
    return json.loads(http_get(p.admin_port, "/ready").body)


class Load:
    """Threads that make handshakes and calls until they are told to stop."""

    def __init__(self, p, threads=2):
        self.good, self.bad, self._p, self._stop = 0, [], p, False
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def _run(self):
        names = ["%s.example" % k for k in PAIRS]
        n = 0
        while not self._stop:
            r = one(self._p, names[n % len(names)])
            n += 1
            if r == 200:
                self.good += 1
            else:
                self.bad.append(r)

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        for t in self._threads:
            t.join()


# ---------------------------------------------------------------- where the keys are

def numbers_of(key):
    """The secret numbers of a key file, as bytes: what must be nowhere."""
    text = openssl("pkey", "-in", key, "-noout", "-text").decode()
    found = []
    for name in ("priv", "prime1", "prime2", "exponent1", "exponent2", "coefficient", "privateExponent"):
        m = re.search(r"^%s:\n((?: +[0-9a-f:]+\n)+)" % name, text, re.M)
        if m:
            found.append(bytes.fromhex(re.sub(r"[^0-9a-f]", "", m[1])).lstrip(b"\0"))
    return found


def needles(pair):
    """In every form in which a piece of it may lie about: raw both ways round, and as the file has it."""
    found = []
    for number in numbers_of(pair.key):
        middle = number[len(number) // 2 - 8:len(number) // 2 + 8]
        found += [middle, middle[::-1]]
    with open(pair.key) as f:
        lines = [line.strip().encode() for line in f if "-----" not in line]
    found += [line for line in lines if len(line) >= 40]
    found += [base64.b64decode(line)[8:32] for line in lines if len(line) == 64]
    return [n for n in found if n not in pair.der]    # a key file has the public key too


def scan(pid, wanted):
    """Which of the byte strings are in the memory of a process, and how much of it is more than zeros."""
    found, size = set(), 0
    for part in memory(pid):
        size += len(part)
        found |= {w for w in wanted if w in part}
    return found, size


def nowhere(p, what, keeper_too=True):
    """No secret of any pair in the memory, the environment or the command line of any process but the keeper."""
    secret = [n for pair in PAIRS.values() for n in needles(pair)]
    public = [pair.der[40:72] for pair in PAIRS.values()]
    for name, pid in sorted(dict(p.roles(), parent=p.pid).items()):
        found, size = scan(pid, secret + public)
        if name == "keeper" and not keeper_too:
            ok(found & set(secret), "%s: the scan sees keys where they lie in ordinary memory: in the keeper" % what)
            continue
        is_(len(found & set(secret)), 0, "%s: no byte of a key can be read from %s" % (what, name))
        ok(size > 100000, "%s: of which there was something to read" % what)
        if name.startswith("worker"):
            ok(found & set(public), "%s: the scan sees what is there: certificates in %s" % (what, name))
        for place in ("environ", "cmdline"):
            with open("/proc/%d/%s" % (pid, place), "rb") as f:
                text = f.read()
            ok(not any(n in text for n in secret), "%s: nor in its %s" % (what, place))
    ok(not any(n in p.stderr().encode() or n in "\n".join(p.stdout_lines).encode() for n in secret), "%s: nor in the log or the output" % what)


def serve():
    with Postern(config()) as p:
        ok(p.stdout_lines[0].startswith("listening https 127.0.0.1:"), "a listener with tls says https", p.stdout_lines[0])
        ok("keeper" in p.roles(), "there is a keeper")
        for kind in PAIRS:
            is_(one(p, kind + ".example"), 200, "%s: a handshake and a call" % kind)
        said = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % p.port, "-servername", "rsa4096.example", "-CAfile", pki.ca,
                               "-verify_return_error"], input=b"", capture_output=True, timeout=120).stdout.decode()
        ok("Verify return code: 0 (ok)" in said and "RSA" in said, "openssl s_client: an RSA signature of 4096 bits", said[-800:])
        r = subprocess.run(["curl", "-sS", "--cacert", pki.ca, "--resolve", "p384.example:%d:127.0.0.1" % p.port,
                            "https://p384.example:%d/mcp" % p.port], capture_output=True, timeout=120, text=True)
        is_((r.returncode, r.stderr), (0, ""), "curl: accepts the certificate on P-384")
        made = int(re.search(r'postern_signatures_total\{outcome="made"\} (\d+)', http_get(p.admin_port, "/metrics").body.decode())[1])
        is_(made, len(PAIRS) + 2, "each handshake was one signature")
        check = run("check", config=config())
        is_(check.returncode, 0, "check: right")
        if not IS_ROOT or INSTRUMENTED:
            skip("memory of the processes", "only root may look into it, and a sanitizer keeps copies")
            return
        with Load(p):
            for turn in ("under load", "under load, again"):
                nowhere(p, turn)
        nowhere(p, "at rest")
        hidden = "secret-memory" not in ready(p)["missing"]
        with open("/proc/%d/maps" % p.role("keeper")) as f:
            is_("secretmem" in f.read(), hidden, "the keeper's memory is secret memory, or it is said that there is none")
        secret = [n for pair in PAIRS.values() for n in needles(pair)]
        ok(not any(n in (check.stdout + check.stderr).encode() for n in secret), "check: nothing of a key in what it says")


# ---------------------------------------------------------------- without secret memory

FILTER = """
import ctypes, os, struct, sys
ops = [(0x20, 0, 0, 0), (0x15, 0, 1, 447), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7fff0000)]
code = b"".join(struct.pack("HBBI", *o) for o in ops)
mem = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", len(ops), ctypes.addressof(mem))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) != 0:
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_secret_memory():
    wrap = [sys.executable, "-c", FILTER]
    with Postern(config(), wrap=wrap) as p:
        is_(one(p), 200, "without secret memory: served all the same")
        ok("secret-memory" in ready(p)["missing"], "and it is said", ready(p))
        ok("postern_sandbox_missing{part=\"secret-memory\"} 1" in http_get(p.admin_port, "/metrics").body.decode(), "and counted")
        if IS_ROOT and not INSTRUMENTED:
            with Load(p):
                nowhere(p, "without secret memory", keeper_too=False)
    p = Postern(config(strict=True), wrap=wrap)
    p.spawn()
    is_(p.wait(), 3, "with \"strict\": true nothing is served without it")
    if INSTRUMENTED:
        skip("and it is said why", "a sanitizer build lacks everything, and its first role to say so ends the start")
    else:
        ok("the kernel has no secret memory" in p.stderr(), "and it is said why", p.stderr())


# ---------------------------------------------------------------- the keeper ends

def killed():
    # Handshakes have all the time in the world: one that ends was not waited for.
    with Postern(config(timeouts={"handshake": "10m"})) as p:
        held = [connect(p) for _ in range(4)]
        is_([ask(s) for s in held], [200] * 4, "four connections")
        with Load(p) as load:
            until(lambda: load.good >= 10)
            pid = p.role("keeper")
            os.kill(pid, signal.SIGKILL)
            is_([ask(s) for s in held], [200] * 4, "the keeper is killed: connections that are there go on")
            p.comes_again("keeper", pid)
            before = load.good
            ok(until(lambda: load.good >= before + 20), "and handshakes work again")
        ok("keeper (pid" in p.stderr() and "signal 9" in p.stderr(), "the log says that it ended")
        ok(not any("timed out" in str(b) for b in load.bad), "no handshake waited for it", load.bad)
        # Killed so often that it stays away for a while.
        for _ in range(5):
            n = p.stderr().count("keeper starts again in 5000 ms")
            while p.stderr().count("keeper starts again in 5000 ms") == n and (pid := p.role("keeper")):
                os.kill(pid, signal.SIGKILL)
                until(lambda: p.role("keeper") != pid)
                until(lambda: p.role("keeper") or p.stderr().count("keeper starts again in 5000 ms") > n)
            began = time.monotonic()
            said, state = one(p), ready(p)
            took = time.monotonic() - began
            if p.role("keeper") is None:
                break           # it was away all the while
        ok(said != 200 and took < 4, "without a keeper a handshake fails, and at once", "%s after %.1f s" % (said, took))
        ok(not state["ready"] and "not all roles are up" in state["reasons"], "and /ready says no", state)
        is_([ask(s) for s in held], [200] * 4, "what is there goes on")
        ok(until(lambda: ready(p)["ready"]) and until(lambda: one(p) == 200), "and then it is back")
        # One that hangs.
        pid = p.role("keeper")
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        failed = [one(p) for _ in range(4)]
        ok(200 not in failed and time.monotonic() - began < 30, "a keeper that hangs: handshakes fail within bounds", failed)
        is_([ask(s) for s in held], [200] * 4, "and what is there goes on")
        os.kill(pid, signal.SIGCONT)
        ok(until(lambda: one(p) == 200), "when it moves again there are handshakes again")
        for s in held:
            s.close()
        is_(p.stop(), 0, "a clean end")


# ---------------------------------------------------------------- reload

def serial(p, name):
    with connect(p, name) as s:
        return s.getpeercert()["serialNumber"]


def reload():
    old = pki.issue("old", dns=["gw.example"], end_s=YEAR)
    new = pki.issue("new", dns=["gw.example"], key="rsa2048", end_s=YEAR)
    cert, key = os.path.join(tmp.name, "gw.pem"), os.path.join(tmp.name, "gw.key")

    def install(pair):
        for source, to in ((pair.cert, cert), (pair.key, key)):
            with open(source, "rb") as f, open(to + ".new", "wb") as out:
                out.write(f.read())
            os.chmod(to + ".new", 0o600 if to == key else 0o644)
            if IS_ROOT:
                os.chown(to + ".new", 65532, 65532)
            os.replace(to + ".new", to)

    def name(): return "gw.example"
    install(old)
    with Postern(single(cert, key)) as p:
        def hup(words):
            before = p.stderr().count(words)
            p.signal(signal.SIGHUP)
            return until(lambda: p.stderr().count(words) > before)

        first = serial(p, name())
        slow = connect(p, name())
        whole = request_bytes("tools/list", host=name())
        slow.sendall(whole[:-20])
        good, bad, stop = [0], [], []

        def handshakes():
            while not stop:
                r = one(p, name())
                if r == 200:
                    good[0] += 1
                else:
                    bad.append(r)
        t = threading.Thread(target=handshakes, daemon=True)
        t.start()
        until(lambda: good[0] > 5)
        install(new)
        ok(hup("reloaded: generation 2"), "SIGHUP with a new certificate, on RSA instead of P-256")
        ok(until(lambda: serial(p, name()) != first), "new connections get the new one")
        slow.sendall(whole[-20:])
        is_(slow.recv(15), b"HTTP/1.1 200 OK", "a request that was under way is answered by the old generation")
        slow.close()
        at = good[0]
        until(lambda: good[0] > at + 5)
        stop.append(1)
        t.join()
        is_(bad, [], "no connection was lost meanwhile")
        ok(until(lambda: "generation 1 has ended" in p.stderr()), "the old generation ends, its keeper too")
        is_([name for name in below(p.pid).values() if name == "keeper"], ["keeper"], "one keeper is left")
        second = serial(p, name())

        # The restarted keeper reads what the generation began with, whatever lies there meanwhile.
        with open(key, "rb") as f:
            saved = f.read()
        os.unlink(key)
        pid = p.role("keeper")
        os.kill(pid, signal.SIGKILL)
        ok(until(lambda: p.role("keeper") not in (None, pid)) and until(lambda: one(p, name()) == 200),
           "a keeper that is started again has its keys, though the file is gone")
        ok(hup("reload refused"), "a reload without the key file is refused")
        ok("/listeners/0/tls/key: %s: cannot be opened: No such file or directory" % key in p.stderr(), "and the line says which", p.stderr())

        # A key that is not the certificate's.
        install(new)
        with open(old.key, "rb") as f, open(key, "wb") as out:
            out.write(f.read())
        ok(hup("reload refused"), "a reload with a key of another certificate is refused")
        ok("/listeners/0/tls/key: %s: the private key does not belong to the certificate in %s" % (key, cert) in p.stderr(), "and says so", p.stderr())
        is_((serial(p, name()), one(p, name())), (second, 200), "the old certificate is served on")
        if IS_ROOT:
            with open(key, "wb") as out:
                out.write(saved)
            os.chown(key, 0, 0)
            os.chmod(key, 0o600)
            ok(hup("reload refused"), "a key that only root may read: refused, since root is given up")
            ok("%s: cannot be opened: Permission denied" % key in p.stderr(), "and says why", p.stderr())
        else:
            skip("a key of root's", "needs root to make one")
        is_(one(p, name()), 200, "served on")
        ok(not any(line in p.stderr() for line in saved.decode().split("\n") if len(line) > 20), "nothing of a key in the log")


# ---------------------------------------------------------------- wrong files

def says(r, pointer, path, words):
    return re.search(r"%s:\d+:\d+: %s: %s: .*%s" % tuple(map(re.escape, (r.config_path, pointer, path, words))), r.stderr)


def wrong():
    good, other = PAIRS["p256"], PAIRS["p384"]

    def put(name, data):
        path = os.path.join(tmp.name, name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o600)
        if IS_ROOT:
            os.chown(path, 65532, 65532)
        return path

    def text(path):
        with open(path, "rb") as f:
            return f.read()

    encrypted = put("encrypted.key", openssl("pkcs8", "-topk8", "-in", good.key, "-passout", "pass:x"))
    old_encrypted = put("old.key", openssl("ec", "-in", good.key, "-aes128", "-passout", "pass:x"))
    keys = [
        ("another certificate's key", other.key, 3, 0, "the private key does not belong to the certificate in %s" % good.cert),
        ("no such key", os.path.join(tmp.name, "none.key"), 3, 3, "cannot be opened: No such file or directory"),
        ("a directory as the key", docs, 3, 3, "cannot be opened: it is no regular file"),
        ("an encrypted key", encrypted, 3, 0, "the private key is encrypted"),
        ("a key encrypted in the old form", old_encrypted, 3, 0, "the private key is encrypted"),
        ("a certificate as the key", put("cert.key", text(good.leaf)), 3, 0, "there is no private key in it"),
        ("an empty key", put("empty.key", b""), 3, 0, "there is no private key in it"),
        ("two keys", put("two.key", text(good.key) + text(other.key)), 3, 0, "more than one private key"),
        ("a key that is cut off", put("cut.key", text(good.key)[:150]), 3, 0, "does not end or is not base64"),
        ("a key on P-521", new_key(os.path.join(tmp.name, "p521.key"), "p521"), 3, 0, "a key of another kind"),
        ("a large file as the key", put("large.key", b"x" * 100000), 3, 0, "larger than a private key can be"),
    ]
    for what, key, status, checked, words in keys:
        c = single(good.cert, key)
        r = run("serve", config=c)
        is_((r.returncode, r.stdout), (status, ""), "%s: nothing is served" % what)
        ok(says(r, "/listeners/0/tls/key", key, words), "%s: the line says which" % what, r.stderr)
        is_(run("check", config=c).returncode, checked, "%s: check, which does not read keys" % what)
    certs = [
        ("no such certificate", os.path.join(tmp.name, "none.pem"), 3, "cannot be opened: No such file or directory"),
        ("a key as the certificate", good.key, 1, "private key"),
        ("garbage as the certificate", put("garbage.pem", b"hello\n"), 1, ""),
        ("a damaged certificate", put("damaged.pem", text(good.leaf)[:200] + b"\n-----END CERTIFICATE-----\n"), 1, ""),
    ]
    for what, cert, status, words in certs:
        os.chmod(cert, 0o644) if os.path.exists(cert) else None
        for command in ("serve", "check"):
            r = run(command, config=single(cert, good.key))
            is_((r.returncode, r.stdout), (status, ""), "%s, %s: refused" % (what, command))
            ok(says(r, "/listeners/0/tls/cert", cert, words), "%s, %s: the line says which" % (what, command), r.stderr)
    os.chmod(good.key, 0o600)

    r = run("check", config=single(good.cert, {"credential": "gw.key"}), env={"CREDENTIALS_DIRECTORY": ""})
    is_(r.returncode, 3, "a credential without $CREDENTIALS_DIRECTORY")
    ok("there is no $CREDENTIALS_DIRECTORY" in r.stderr, "is said", r.stderr)
    given = os.path.join(tmp.name, "credentials")
    os.mkdir(given)
    with open(os.path.join(given, "gw.key"), "wb") as f:
        f.write(text(good.key))
    os.chmod(os.path.join(given, "gw.key"), 0o600)
    if IS_ROOT:
        os.chown(os.path.join(given, "gw.key"), 65532, 65532)
    with Postern(single(good.cert, {"credential": "gw.key"}), env={"CREDENTIALS_DIRECTORY": given}) as p:
        is_(one(p), 200, "with it the key is found")


def warnings():
    late = pki.issue("late", dns=["gw.example"], start_s=-7200, end_s=-3600)
    soon = pki.issue("soon", dns=["*.gw.example"], end_s=5 * 86400 + 3600)
    early = pki.issue("early", dns=["gw.example"], start_s=86400, end_s=YEAR)
    client = pki.issue("client", dns=["gw.example"], eku="clientAuth", end_s=YEAR)
    for pair, words in ((late, "the certificate has expired on 20"), (soon, "in 5 days"), (early, "the certificate is not valid before 20"),
                        (client, "the certificate is not for servers (extendedKeyUsage without serverAuth)")):
        r = run("check", config=single(pair.cert, pair.key))
        ok(r.returncode == 0 and r.stderr.startswith("warning: ") and words in r.stderr and ": /listeners/0/tls/cert: " + pair.cert in r.stderr,
           "check warns: " + words, r.stderr)
        with Postern(single(pair.cert, pair.key)) as p:
            ok(words in p.stderr() and " warning parent: " in p.stderr(), "and so does the log; it is served all the same", p.stderr())
    c = single(soon.cert, soon.key)
    c["listeners"][0]["hosts"] = ["a.gw.example:8443", "127.0.0.2", "a.b.gw.example", "gw.example"]
    r = run("check", config=c)
    is_(sorted(re.findall(r"has the name (\S+), which is among", r.stderr)), ["a.b.gw.example", "gw.example"], "hosts that no certificate names")
    os.chmod(soon.key, 0o644)
    r = run("check", config=c)
    ok("/listeners/0/tls/key: %s: every user of this machine may read this secret" % soon.key in r.stderr and r.returncode == 0,
       "a key that everybody may read", r.stderr)
    c = single(PAIRS["p256"].cert, PAIRS["p256"].key)
    c["listeners"][0]["tls"]["profile"] = "cnsa"
    r = run("check", config=c)
    ok(r.returncode == 1 and "the profile \"cnsa\" asks for a certificate on P-384" in r.stderr, "P-256 is not for the profile cnsa", r.stderr)
    c = single(PAIRS["p384"].cert, PAIRS["p384"].key)
    c["listeners"][0]["tls"]["profile"] = "cnsa"
    is_(run("check", config=c).returncode, 0, "P-384 is")


serve()
without_secret_memory()
killed()
reload()
wrong()
warnings()
tmp.cleanup()
done()
