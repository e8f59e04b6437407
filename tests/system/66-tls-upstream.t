#!/usr/bin/env python3
"""TLS out: an upstream is who the configuration pins, or it gets no request. nginx, gnutls-serv, openssl s_server and Python behind Postern."""

import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki
from postern import Postern, call, done, free_port, is_, ok, run, until
from tls import OPEN, Upstream, server

V = ssl.TLSVersion
NAME = "time.internal"
tmp = tempfile.TemporaryDirectory(prefix="postern-out-")
os.chmod(tmp.name, 0o755)
pki = Pki(os.path.join(tmp.name, "pki"))
other = Pki(os.path.join(tmp.name, "other"), "other")
twin = Pki(os.path.join(tmp.name, "twin"), "ca")
cnsa = Pki(os.path.join(tmp.name, "cnsa"), "cnsa", key="p384")
strong = cnsa.issue("strong", dns=[NAME], key="p384")
mine = pki.issue("gate", uri=["spiffe://gate"], eku="clientAuth")
CERTS = {kind: pki.issue("up-" + kind, dns=[NAME], key=kind, usage="digitalSignature,keyEncipherment" if "rsa" in kind else None)
         for kind in ("p256", "p384", "rsa2048", "rsa3072")}
good = CERTS["p256"]
programs = []


def start(port, *command):
    with open(os.path.join(tmp.name, "out-%d" % port), "wb") as out:
        programs.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT))

    def listens():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    if not until(listens):
        ok(False, "%s starts" % command[0], open(out.name, "rb").read()[-800:])
    return port


def upstream(port, **tls):
    tls.setdefault("ca", pki.ca)
    wait = tls.pop("wait", "60s")
    return {"url": "https://%s:%d/mcp" % (tls.pop("host", NAME), port), "address": "127.0.0.1:%d" % port, "connect_timeout": wait, "idle_timeout": wait,
            "call_timeout": wait, "tls": tls}


def nginx(plain_port):
    """nginx with TLS 1.2 in front of a plain upstream."""
    port, d = free_port(), tempfile.mkdtemp(dir=tmp.name)
    with open(os.path.join(d, "nginx.conf"), "w") as f:
        f.write("""
daemon off; worker_processes 1; pid %(d)s/pid; error_log stderr error;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path %(d)s/a; proxy_temp_path %(d)s/b; fastcgi_temp_path %(d)s/c; uwsgi_temp_path %(d)s/d; scgi_temp_path %(d)s/e;
  server {
    listen 127.0.0.1:%(port)d ssl; ssl_certificate %(cert)s; ssl_certificate_key %(key)s; ssl_protocols TLSv1.2 TLSv1.3; keepalive_timeout 600s;
    ssl_client_certificate %(ca)s; ssl_verify_client on; ssl_verify_depth 3; ssl_session_cache shared:a:1m;
    location / { proxy_pass http://127.0.0.1:%(up)d; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Cn $ssl_client_s_dn; }
  }
}
""" % {"d": d, "port": port, "cert": good.cert, "key": good.key, "ca": pki.ca, "up": plain_port})
    return start(port, "nginx", "-p", d, "-c", os.path.join(d, "nginx.conf"))


def half():
    """Accepts, and says nothing; or says the beginning of something."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    held = []

    def accept():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def garbage():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            try:
                s = listener.accept()[0]
                s.recv(4096)
                s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\nLEAKME")
                s.close()
            except OSError:
                return
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


plain = Upstream()
ups = {kind: Upstream(server(c.cert, c.key)) for kind, c in CERTS.items()}
wants = Upstream(server(good.cert, good.key, ca=pki.ca))
new = Upstream(server(good.cert, good.key, high=V.TLSv1_3))
wild = pki.issue("up-wild", dns=["*.internal"])
both = pki.issue("up-both", dns=[NAME], eku="serverAuth,clientAuth")
named = pki.issue("up-named", dns=["other.internal", NAME])
SERVED = {
    "P-256": upstream(ups["p256"].port), "P-384": upstream(ups["p384"].port), "RSA 2048": upstream(ups["rsa2048"].port), "RSA 3072": upstream(ups["rsa3072"].port),
    "TLS 1.2 and 1.3": upstream(new.port), "by a name of its own": upstream(ups["p256"].port, host="somewhere.example", name=NAME),
    "a wildcard": upstream(Upstream(server(wild.cert, wild.key)).port), "the second of its names": upstream(Upstream(server(named.cert, named.key)).port),
    "both purposes": upstream(Upstream(server(both.cert, both.key)).port),
    "a client certificate": upstream(wants.port, cert=mine.cert, key=mine.key), "nginx, which wants a client certificate": upstream(nginx(plain.port), cert=mine.cert, key=mine.key),
    "profile cnsa": upstream(Upstream(server(strong.cert, strong.key)).port, ca=cnsa.ca, profile="cnsa"),
}


def bad(label, by=pki, **more):
    more.setdefault("dns", [NAME])
    c = by.issue("bad-" + label, **more)
    u = Upstream(server(c.cert, c.key))
    watched.append(u)
    return upstream(u.port)


watched = []
outsider = other.issue("outsider", uri=["spiffe://gate"], eku="clientAuth")
old_version = Upstream(server(good.cert, good.key, low=V.TLSv1, high=V.TLSv1_1))
only_new = Upstream(server(good.cert, good.key, low=V.TLSv1_3, high=V.TLSv1_3))
watched += [old_version, only_new]
wrong_ca, wrong_name, p256_for_cnsa = Upstream(server(good.cert, good.key)), Upstream(server(good.cert, good.key)), Upstream(server(good.cert, good.key))
watched += [wrong_ca, wrong_name, p256_for_cnsa]
REFUSED = {
    "of another authority": bad("foreign", other), "of an authority with our authority's name": bad("twin", twin), "another CA than the one pinned": upstream(wrong_ca.port, ca=other.ca),
    "for another name": upstream(wrong_name.port, host="evil.internal"), "a wildcard that is not enough": bad("wild2", dns=["*.time.internal"]),
    "a wildcard for everything": bad("wild3", dns=["*"]), "with its name in the subject only": bad("subject", dns=[], subject=NAME), "the same beside a URI": bad("subject2", dns=[], uri=["https://" + NAME], subject=NAME),
    "expired": bad("expired", start_s=-7200, end_s=-60), "not yet valid": bad("early", start_s=3600, end_s=7200),
    "for clients only": bad("client", eku="clientAuth"), "RSA of 1024 bits": bad("weak", key="rsa1024"),
    "TLS 1.1 at most": upstream(old_version.port), "TLS 1.3 only": upstream(only_new.port), "P-256 under profile cnsa": upstream(p256_for_cnsa.port, profile="cnsa"),
    "silent": upstream(half(), wait="1s"), "no TLS": upstream(garbage()), "plain HTTP": upstream(plain.port), "not there": upstream(free_port()),
}
WANTS_CERT = {"wants a certificate, has none": upstream(wants.port), "wants another's certificate": upstream(wants.port, cert=outsider.cert, key=outsider.key)}


def config(servers, **more):
    return dict(OPEN, workers=1, mcpServers={"s%d" % n: s for n, s in enumerate(servers)}, **more)


def text(a):
    m = a.message() if a.status else None
    return (m or {}).get("result", {}).get("content", [{}])[0].get("text")


def said(p, n):
    return "\n".join(line for line in p.stderr().splitlines() if 'upstream "s%d"' % n in line)


with Postern(config(SERVED.values())) as p:
    for n, what in enumerate(SERVED):
        for _again in range(3):
            a = call(p, "tools/call", {"name": "s%d__echo" % n})
        ok(a.status == 200 and text(a) == "good:echo", "%s: served" % what, lambda: "%r\n%s" % (a, said(p, n)))
    is_(ups["p256"].handshakes <= 3, True, "connections are kept: nine calls did not take nine handshakes")
    first = ups["p256"].seen[-1][1]
    is_(first.get("host", "").partition(":")[0] in (NAME, "somewhere.example"), True, "Host is that of the url")
    cn = plain.seen[-1][1].get("x-cn", "")
    ok("gate" in cn, "nginx saw our client certificate", cn)
is_(p.status, 0, "it stops in order")

# After the connections have ended, the next ones resume.
fresh = Upstream(server(good.cert, good.key), close=True)
fresh.ctx.options |= ssl.OP_NO_TICKET
with Postern(config([upstream(fresh.port)])) as p:
    for n in range(6):
        a = call(p, "tools/call", {"name": "s0__echo"})
        if text(a) != "good:echo":
            ok(False, "call %d" % n, a)
        until(lambda: not fresh.open)
    ok(fresh.handshakes >= 4 and fresh.resumed >= fresh.handshakes - 2, "new connections to an upstream resume (%d of %d)" % (fresh.resumed, fresh.handshakes), fresh.errors)

with Postern(config(REFUSED.values())) as p:
    for n, what in enumerate(REFUSED):
        a = call(p, "tools/call", {"name": "s%d__echo" % n})
        ok(a.status in (502, 503, 504) and a.message()["error"]["code"] == -32603 and b"LEAKME" not in a.raw, "%s: no request goes there (%s)" % (what, a.status), a)
        words = (a.message() or {}).get("error", {}).get("message", "")
        ok("s%d" % n in words and "internal" not in words.replace("s%d" % n, ""), "  the client learns which upstream and no more", words)
        ok(said(p, n), "  and the log says so", lambda: p.stderr()[-600:])
    is_([u.seen for u in watched], [[] for _ in watched], "none of them has seen a byte of a request")
    a = call(p, "tools/list")
    ok(a.status in (200, 502, 503, 504), "a list goes on", a)
    for words, n in (("certificate", list(REFUSED).index("expired")), ("certificate", list(REFUSED).index("for another name")), ("TLS", list(REFUSED).index("TLS 1.3 only"))):
        ok(words.lower() in said(p, n).lower(), "%s: the log names the reason (%s)" % (list(REFUSED)[n], words), said(p, n))
is_(p.status, 0, "it stops in order")

before = len(wants.seen)
with Postern(config(WANTS_CERT.values())) as p:
    for n, what in enumerate(WANTS_CERT):
        a = call(p, "tools/call", {"name": "s%d__echo" % n})
        ok(a.status in (502, 503) and a.message()["error"]["code"] == -32603, "%s: refused by the upstream" % what, a)
is_(len(wants.seen), before, "and it has seen no request")

# Other implementations' handshakes. What they answer is no MCP; that it was read at all says that TLS went well.
s_port = free_port()
start(s_port, "openssl", "s_server", "-accept", "127.0.0.1:%d" % s_port, "-cert", good.leaf, "-key", good.key, "-cert_chain", pki.middle.cert, "-tls1_2", "-rev", "-quiet")
g_port = free_port()
start(g_port, "gnutls-serv", "--http", "--port", str(g_port), "--x509certfile", good.cert, "--x509keyfile", good.key, "--disable-client-cert", "--quiet")
gr_port = free_port()
start(gr_port, "gnutls-serv", "--http", "--port", str(gr_port), "--x509certfile", CERTS["rsa2048"].cert, "--x509keyfile", CERTS["rsa2048"].key, "--disable-client-cert",
      "--quiet", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-AES-128-GCM:-AES-256-GCM")
with Postern(config([upstream(s_port), upstream(g_port), upstream(gr_port)])) as p:
    for n, what in enumerate(("openssl s_server", "gnutls-serv", "gnutls-serv with RSA and ChaCha20")):
        a = call(p, "tools/call", {"name": "s%d__echo" % n})
        ok(a.status == 502 and "cannot be reached" not in a.message()["error"]["message"], "%s: the handshake goes well, the answer is no MCP" % what,
           lambda: "%r\n%s" % (a, said(p, n)))
        ok("certificate" not in said(p, n) and "TLS" not in said(p, n), "  and the log blames nothing else", said(p, n))

# A new certificate of ours, taken at a reload.
with Postern(config([SERVED["nginx, which wants a client certificate"]])) as p:
    is_(text(call(p, "tools/call", {"name": "s0__echo"})), "good:echo", "before a reload")
    renewed = pki.issue("renewed", uri=["spiffe://gate"], eku="clientAuth")
    port = int(SERVED["nginx, which wants a client certificate"]["address"].rpartition(":")[2])
    ok(p.reload(json.dumps(dict(config([upstream(port, cert=renewed.cert, key=renewed.key)]), listeners=[{"address": "127.0.0.1:0", "path": "/mcp"}], admin={"address": "127.0.0.1:0"}))), "a reload with another client certificate", p.stderr()[-800:])
    is_(text(call(p, "tools/call", {"name": "s0__echo"})), "good:echo", "  and calls go on")
    ok("renewed" in plain.seen[-1][1].get("x-cn", ""), "  with it", plain.seen[-1][1].get("x-cn"))

# What is wrong with the configuration. Keys are read by the keeper alone: `check` does not, a start does.
for command, what, wrong, words in (
        ("check", "https without a pinned CA", {"url": "https://a.example/mcp", "address": "127.0.0.1:1"}, "tls"),
        ("check", "tls with http", {"url": "http://127.0.0.1:1/mcp", "tls": {"ca": pki.ca}}, "tls"),
        ("check", "a CA file with a key in it", upstream(1, ca=good.key), "private key"), ("check", "a CA file that is not there", upstream(1, ca=pki.ca + "x"), "No such file"),
        ("check", "a certificate without its key", upstream(1, cert=mine.cert), "key"),
        ("serve", "a key of another certificate", upstream(1, cert=mine.cert, key=good.key), "does not belong to the certificate")):
    r = run(command, config=dict(config([wrong]), listeners=[{"address": "127.0.0.1:0"}]))
    ok(r.returncode in (1, 3) and words in r.stdout + r.stderr, "%s: %s is refused" % (command, what), (r.returncode, r.stdout, r.stderr))
for child in programs:
    child.terminate()
    child.wait()
tmp.cleanup()
done()
