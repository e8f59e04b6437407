#!/usr/bin/env python3
"""Differential test of HTTP framing: nginx and haproxy as oracles.

About 600 connections, made from a grammar by a fixed seed (env SEED for others) and spoiled in one named way each, go to nginx, to haproxy and to Postern.
Both proxies pass what they accept to a small upstream of ours that answers with what it received, so an oracle's verdict is a list of
(method, target, body). The property: what Postern accepts, at least one oracle reads as the same messages; where one oracle refuses
or reads otherwise, the cause is in REASONS. Postern may refuse more; that is counted."""

import concurrent.futures
import json
import os
import random
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import http_rfc
from postern import BINARY, Postern, diag, done, free_port, is_, ok, request_bytes, skip, skip_all

SEED, CASES = int(os.environ.get("SEED", "9112")), 600
# Where an oracle does not read what Postern accepts: (oracle, how to know the case by the bytes and the messages, why ours is right).
REASONS = [
    ("nginx", lambda data, messages: re.search(rb"\n[^\r\n:]+:[^\r\n]*\t", data),
     "nginx does not take HTAB as white space around a value; RFC 9110 5.6.3 does"),
    ("nginx", lambda data, messages: re.search(rb"(?i)\nconnection: closed", data),
     "nginx finds `close` in `closed` and ends the connection; that is another option (RFC 9110 7.6.1)"),
    ("nginx", lambda data, messages: any(not re.fullmatch(rb"[A-Z_-]+", m) for m, _, _ in messages),
     "nginx takes only methods of A-Z, - and _; any token is one (RFC 9110 9.1), and ours answers 405"),
    ("nginx", lambda data, messages: re.search(rb"\nHost: \r\n", data),
     "nginx takes an empty Host for a missing one; RFC 9110 7.2 allows it, and the gate then finds it in no list"),
    ("nginx", lambda data, messages: re.search(rb"(?i)\nHost:[^\r\n]*\.\.", data),
     "nginx refuses a host with an empty label; RFC 3986 has no labels, and the gate then finds it in no list"),
    ("nginx", lambda data, messages: any(re.search(rb"%00|/\.\.", t) for _, t, _ in messages),
     "nginx decodes the path to map it and refuses NUL and what climbs above the root; ours is compared byte for byte"),
    ("haproxy", lambda data, messages: re.search(rb"(?:GET|HEAD|DELETE) [^ ]+ HTTP/1\.0\r\n", data),
     "haproxy refuses these methods with a body in HTTP/1.0; Content-Length frames it all the same (RFC 9112 6.2)"),
]

# ---------------------------------------------------------------- cases


def chunked(rng, body, size=lambda n: b"%x" % n):
    out, at = b"", 0
    while at < len(body):
        n = min(rng.randint(1, 9), len(body) - at)
        out += size(n) + b"\r\n" + body[at:at + n] + b"\r\n"
        at += n
    return out + b"0\r\n\r\n"


class Message:
    """A right request in parts; a mutation changes one of them."""

    def __init__(self, rng, n):
        self.rng = rng
        self.method = rng.choice([b"POST", b"POST", b"POST", b"GET", b"PUT", b"DELETE", b"PATCH"])
        self.target = rng.choice([b"/mcp", b"/", b"/a/b?c=d", b"/%7e;x=1?y"]) + (b"" if n is None else b"?" if rng.random() < 0.1 else b"")
        # Half of them pass the gate, so that Postern reads on behind their body and does not close on the head.
        passes = rng.random() < 0.5
        if passes:
            self.method, self.target = b"POST", b"/mcp"
        self.version = b"HTTP/1.1"
        self.eol = b"\r\n"
        self.gaps = [b" ", b" "]
        self.fields = [(b"Host", b"127.0.0.1")] + ([(b"Content-Type", b"application/json")] if passes else [])
        for _ in range(rng.randint(0, 3)):
            self.fields.insert(rng.randint(0, len(self.fields)), (rng.choice([b"X-A", b"Accept-Language", b"User-Agent", b"X-Long"]),
                                                                 rng.choice([b"*/*", b"a b", b"", b"x" * 60, b"a,b;q=1"])))
        self.content = bytes(rng.choice(b"abc0\r\n ") for _ in range(rng.randint(0, 24)))
        self.kind = rng.choice(["length", "chunked", "none"]) if self.method != b"GET" else "none"
        if passes and self.kind == "none":
            self.kind = "length"
        if self.kind == "length":
            self.fields.append((b"Content-Length", b"%d" % len(self.content)))
            self.body = self.content
        elif self.kind == "chunked":
            self.fields.append((b"Transfer-Encoding", b"chunked"))
            self.body = chunked(rng, self.content)
        else:
            self.body = b""
        self.lines = None

    def put(self, name, value):
        """Set the framing field anew."""
        self.fields = [f for f in self.fields if f[0] not in (b"Content-Length", b"Transfer-Encoding")] + [(name, value)]

    def bytes(self):
        head = self.method + self.gaps[0] + self.target + self.gaps[1] + self.version + self.eol
        lines = self.lines if self.lines is not None else [n + b": " + v for n, v in self.fields]
        return head + b"".join(line + self.eol for line in lines) + self.eol + self.body


def spoil_line(m, rng):
    m.gaps[rng.randint(0, 1)] = rng.choice([b"  ", b"\t", b"", b" \t", b"\x0b", b"\x0c", b"\r", b"\xa0", b" \x00"])


def spoil_eol(m, rng):
    data = [n + b": " + v for n, v in m.fields]
    at = rng.randrange(len(data))
    data[at] += rng.choice([b"\n", b"\r", b"\nX: y", b"\rX: y", b"\r\n X: y", b"\r\n\tfold", b"\x00", b"\r\r", b"\n\r"])
    m.lines = data


def spoil_lf(m, rng):
    m.eol = rng.choice([b"\n", b"\r", b"\n\r", b"\r\r\n"])


def spoil_colon(m, rng):
    data = [n + b": " + v for n, v in m.fields]
    at = rng.randrange(len(data))
    n, v = m.fields[at]
    data[at] = rng.choice([n + b" : " + v, n + b"\t:" + v, n + b":" + v, n + b":\t" + v + b"\t ", b" " + n + b": " + v, n + b" " + v, b": " + v,
                           n + b";: " + v, n + b":: " + v, n])
    m.lines = data


def spoil_bytes(m, rng):
    at = rng.randrange(len(m.fields) + 1)
    c = bytes([rng.choice([0, 1, 8, 11, 12, 14, 27, 31, 127, 128, 255, 9, 34, 40, 64, 123])])
    m.fields.insert(at, rng.choice([(b"X" + c + b"Y", b"a"), (b"X-Y", b"a" + c + b"b"), (b"X-Y", c), (b"X_Y.z!", b"a" + c)]))


def spoil_length(m, rng):
    n = b"%d" % len(m.content)
    m.body = m.content
    m.put(b"Content-Length", rng.choice([b"+" + n, b"-" + n, n + b", " + n, n + b" " + n, b"0x" + n, n + b".0", b"0" + n, b"00000" + n, b"", n + b";",
                                         b"9" * 19, b"9" * 25, b"18446744073709551616", n + b"a", b"\t" + n, n + b" ", b"\x0b" + n, b'"' + n + b'"',
                                         b"%d" % (len(m.content) + 1), b"%d" % max(0, len(m.content) - 1)]))


def spoil_two(m, rng):
    """Two framings."""
    n = b"%d" % rng.choice([len(m.content), 0, 5])
    m.body = chunked(rng, m.content)
    pair = rng.choice([[(b"Content-Length", n), (b"Content-Length", n)], [(b"Content-Length", n), (b"content-length", b"1" + n)],
                       [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", n)], [(b"Content-Length", n), (b"Transfer-Encoding", b"chunked")],
                       [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
                       [(b"Transfer-Encoding", b"identity"), (b"Content-Length", n)],
                       [(b"Transfer-Encoding", b"x"), (b"Transfer-Encoding", b"chunked")]])
    m.put(*pair[0])
    m.fields.append(pair[1])


def spoil_coding(m, rng):
    m.body = chunked(rng, m.content)
    m.put(rng.choice([b"Transfer-Encoding", b"transfer-encoding", b"TRANSFER-ENCODING", b"Transfer_Encoding", b"Transfer-Encoding "]),
          rng.choice([b"chunked", b"Chunked", b" chunked", b"chunked ", b"\tchunked", b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip",
                      b"chunked, chunked", b", chunked", b"chunked,", b"chunked;x", b"xchunked", b"chunke", b'"chunked"', b"\x0bchunked", b"chunked\x00",
                      b"", b"chu\xffnked"]))


def spoil_chunks(m, rng):
    sizes = [lambda n: b"%X" % n, lambda n: b"000%x" % n, lambda n: b"%x " % n, lambda n: b" %x" % n, lambda n: b"%x;a=b" % n, lambda n: b"%x;" % n,
             lambda n: b"0x%x" % n, lambda n: b"+%x" % n, lambda n: b"-%x" % n, lambda n: b"%x\t" % n, lambda n: b"%xg" % n, lambda n: b"%x" % (n + 1),
             lambda n: b"%x" % max(0, n - 1), lambda n: b"", lambda n: b"1" + b"0" * 16 + b"%x" % n, lambda n: b"00000000000000000%x" % n,
             lambda n: b"%x\x00" % n, lambda n: b"%x\r" % n, lambda n: b"ffffffff"]
    m.content = m.content or b"hello"
    m.put(b"Transfer-Encoding", b"chunked")
    if rng.random() < 0.7:
        m.body = chunked(rng, m.content, rng.choice(sizes))
    else:
        m.body = rng.choice([b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n",
                             b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\rhello\r0\r\r", b"5\r\nhello\r\n00\r\n\r\n",
                             b"5\r\nhello\r\n0;x\r\n\r\n", b"5\r\nhello\r\n\r\n0\r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n"])


def spoil_method(m, rng):
    m.method = rng.choice([b"get", b"Post", b"FOO", b"M-SEARCH", b"A_B", b"G!T", b"PO ST", b"P\x00ST", b"G(T", b"", b"X" * 40, b"\xc3\x84", b"~", b"POST:"])


def spoil_target(m, rng):
    m.target = rng.choice([b"*", b"mcp", b"http://127.0.0.1/mcp", b"//mcp", b"/..", b"/a/../b", b"/%00", b"/%", b"/%2", b"/%zz", b"/#x", b"/a b", b"/\x7f",
                           b"/\x80", b"/\xc3\xa4", b"/\x01", b"/<", b"/\"", b"/{}", b"/|", b"/\\", b"/^", b"?x", b"", b"/a?b?c", b"/a?b#c", b"/:@!$&'()*+,;=",
                           b"127.0.0.1:80", b"/" + b"a" * 500])


def spoil_version(m, rng):
    m.version = rng.choice([b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"HTTP/1.10", b"HTTP/1.1\x00", b"", b"HTTP",
                            b"HTTP/1,1", b"HTTPS/1.1", b"HTTP/9.9", b"HTTP/1.1\t"])


def spoil_10(m, rng):
    m.version = b"HTTP/1.0"
    if rng.random() < 0.5:
        m.fields = [f for f in m.fields if f[0] != b"Host"]
    if rng.random() < 0.5:
        m.fields.append((b"Connection", rng.choice([b"keep-alive", b"close", b"Keep-Alive, close"])))


def spoil_host(m, rng):
    values = rng.choice([[], [b""], [b"a", b"a"], [b"a b"], [b"a/b"], [b"a@b"], [b"a:b"], [b"a:99999"], [b":80"], [b"[::1]"], [b"[::1]:80"], [b"[::1"],
                         [b"a,b"], [b"a%41"], [b"\xc3\xa4"], [b"a\tb"], [b"a:1:2"], [b"A.B-c_d"], [b"a\x00"], [b"a#b"], [b"a?b"], [b"a:"]])
    m.fields = [(b"Host", v) for v in values] + [f for f in m.fields if f[0] != b"Host"]


def spoil_lead(m, rng):
    lead = rng.choice([b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r", b"\x00", b"\r\n\r\n\r\n", b"\t\r\n"])
    m.method = lead + m.method


def spoil_many(m, rng):
    m.fields += [(b"X-%d" % i, b"y") for i in range(rng.choice([40, 59, 62, 70]))]


def spoil_connection(m, rng):
    m.fields.append((b"Connection", rng.choice([b"close", b"keep-alive", b"Close", b"x, close", b"closed", b"keep-alive, close", b"", b",", b"Host"])))


def spoil_any(m, rng):
    """One byte anywhere in the head, changed, doubled or left out."""
    data = m.bytes()
    at = rng.randrange(len(data) - len(m.body))
    c = bytes([rng.choice([0, 9, 10, 11, 13, 32, 34, 44, 58, 59, 127, 128, 255, rng.randrange(256)])])
    data = data[:at] + rng.choice([c + data[at + 1:], c + data[at:], data[at + 1:]])
    m.bytes = lambda: data


WAYS = [("right", lambda m, rng: None), ("request line", spoil_line), ("line end in a field", spoil_eol), ("line ends", spoil_lf), ("colon", spoil_colon),
        ("header bytes", spoil_bytes), ("content-length", spoil_length), ("two framings", spoil_two), ("transfer-encoding", spoil_coding),
        ("chunks", spoil_chunks), ("method", spoil_method), ("target", spoil_target), ("version", spoil_version), ("http/1.0", spoil_10),
        ("host", spoil_host), ("before the line", spoil_lead), ("many fields", spoil_many), ("connection", spoil_connection), ("any byte", spoil_any)]

MARK = "behind-it"
# Behind each case a right request, so that a reader who is out of step shows it. Its `close` ends the connection.
LAST = request_bytes("server/discover", id_=MARK, headers=[("Connection", "close")])


def make_cases():
    rng = random.Random(SEED)
    cases = []
    while len(cases) < CASES:
        way, spoil = WAYS[len(cases) % len(WAYS)]
        before = Message(rng, None).bytes() if rng.random() < 0.3 else b""
        m = Message(rng, len(cases))
        spoil(m, rng)
        cases.append((way, before + m.bytes() + LAST))
    return cases


# ---------------------------------------------------------------- the upstream behind the oracles


class Echo(socketserver.StreamRequestHandler):
    """Answers each request with what it was: a JSON list of method, target and body in hex."""

    def handle(self):
        try:
            while self.one():
                pass
        except (OSError, ValueError):       # not a request as the proxies write them: no answer, so not an accepted message
            pass

    def one(self):
        line = self.rfile.readline()
        if not line.endswith(b"\r\n"):
            return False
        method, target, _ = line.rstrip(b"\r\n").split(b" ")
        fields = {}
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        body = b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif b"content-length" in fields:
            want = int(fields[b"content-length"])
            if want > 1 << 20:
                return False
            body = self.rfile.read(want)
            if len(body) < want:
                return False
        answer = json.dumps([method.decode("latin-1"), target.decode("latin-1"), body.hex()]).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        return fields.get(b"connection", b"").lower() != b"close"


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


NGINX = """daemon off; master_process off; pid %(dir)s/nginx.pid; error_log %(dir)s/error.log crit; worker_processes 1;
events { worker_connections 256; }
http { access_log off; client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u;
 scgi_temp_path %(dir)s/s; client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 2s; lingering_close off;
 upstream up { server 127.0.0.1:%(up)d; keepalive 8; }
 server { listen 127.0.0.1:%(port)d; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
"""
HAPROXY = """defaults
 mode http
 timeout connect 60s
 timeout server 60s
 timeout client 1s
 timeout http-request 1s
 timeout http-keep-alive 1s
listen in
 bind 127.0.0.1:%(port)d
 server up 127.0.0.1:%(up)d
"""


def start_oracle(name, directory, up):
    """A private instance on a free port; (process, port)."""
    port = free_port()
    place = os.path.join(directory, name)
    os.mkdir(place)
    config = os.path.join(place, "conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write((NGINX if name == "nginx" else HAPROXY) % {"dir": place, "port": port, "up": up})
    command = ["nginx", "-e", place + "/error.log", "-p", place, "-c", config] if name == "nginx" else ["haproxy", "-db", "-q", "-f", config]
    with open(place + "/output", "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.02)
    process.kill()
    with open(place + "/output", encoding="utf-8", errors="replace") as f:
        raise RuntimeError("%s did not start: %s" % (name, f.read()))


def oracle_reads(port, data):
    """The messages an oracle passed on, up to the first that it refused."""
    found = []
    for a in http_rfc.talk(port, data)[0]:
        if a.status != 200 or not a.complete:
            break
        method, target, body = a.json()
        found.append((method.encode("latin-1"), target.encode("latin-1"), bytes.fromhex(body)))
    return found


def show(data):
    return repr(data if len(data) < 700 else data[:700])


missing = [p for p in ("nginx", "haproxy") if shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None]
if missing:
    skip_all("not installed: " + " ".join(missing))
os.environ["PATH"] += ":/usr/sbin:/sbin"
cases = make_cases()
ours = http_rfc.ours([data for _, data in cases])
ok(not [1 for (_, d), (m, e, _) in zip(cases, ours) if (m, e) != http_rfc.verdict(d)], "our reader and the reference of RFC 9112 agree on all cases",
   lambda: "\n".join("%s %s\n ours %r\n RFC %r" % (w, show(d), (m, e), http_rfc.verdict(d))
                     for (w, d), (m, e, _) in zip(cases, ours) if (m, e) != http_rfc.verdict(d)))

reads = {}
with tempfile.TemporaryDirectory(prefix="postern-") as tmp, EchoServer(("127.0.0.1", 0), Echo) as echo:
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    started = []
    try:
        for name in ("nginx", "haproxy"):
            process, port = start_oracle(name, tmp, echo.server_address[1])
            started.append(process)
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                reads[name] = list(pool.map(lambda c, port=port: oracle_reads(port, c[1]), cases))
    finally:
        for process in started:
            process.terminate()
            process.wait()
        echo.shutdown()

alone, unexplained, stricter, accepted, used = [], [], 0, 0, set()
for i, ((way, data), (messages, end, _)) in enumerate(zip(cases, ours)):
    n = len(messages)
    agrees = {name: reads[name][i][:n] == messages for name in reads}
    accepted += end in ("end", "close")
    if not any(agrees.values()):
        alone.append("%s %s\n  ours %r\n  nginx %r\n  haproxy %r" % (way, show(data), messages, reads["nginx"][i], reads["haproxy"][i]))
    for name in reads:
        if agrees[name]:
            continue
        found = [k for k, (who, known, _) in enumerate(REASONS) if who == name and known(data[:-len(LAST)], messages)]
        used.update(found[:1])
        if not found:
            unexplained.append("%s, %s: %s\n  ours %r\n  it %r" % (way, name, show(data), messages, reads[name][i]))
    stricter += max(len(reads[name][i]) for name in reads) > n
ok(not alone, "what Postern accepts, an oracle reads as the same messages (%d of %d cases accepted whole)" % (accepted, CASES),
   lambda: "%d\n" % len(alone) + "\n".join(alone[:12]))
ok(not unexplained, "where one oracle differs, the reason is written down", lambda: "%d\n" % len(unexplained) + "\n".join(unexplained[:12]))
# Another version of an oracle may have dropped a habit: worth a note, not a failure.
for k, (name, _, reason) in enumerate(REASONS):
    if k not in used:
        diag("not needed with this %s: %s" % (name, reason))
ok(accepted > CASES // 10 and stricter < CASES * 6 // 10, "Postern is stricter than an oracle in %d of %d cases" % (stricter, CASES))
is_([data for (way, data), (_, end, _) in zip(cases, ours) if way == "right" and end != "close"], [], "nothing right is refused")

# ---------------------------------------------------------------- the whole program

if not os.path.exists(BINARY):
    skip("the same cases against Postern itself", "no build/postern")
    done()
with tempfile.TemporaryDirectory(prefix="postern-") as root:
    os.chmod(root, 0o755)
    with Postern({"names": "plain", "mcpServers": {"docs": {"builtin": "files", "root": root}},
                  "timeouts": {"head": "1s", "body": "1s", "idle": "2s"}}) as p:
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answered = list(pool.map(lambda c: http_rfc.talk(p.port, c[1]), cases))
wrong, reached = [], 0
for (way, data), (messages, end, status), (answers, fault) in zip(cases, ours, answered):
    marks = sum(MARK.encode() in a.body for a in answers)
    reached += marks
    in_step = end == "close" and messages[-1][2] == LAST.partition(b"\r\n\r\n")[2]
    why = None
    if fault:
        why = fault
    elif marks > (1 if in_step else 0):
        why = "a request was answered that is none"
    elif len(answers) > len(messages) + (end in ("error", "more")):
        why = "more answers than requests"
    elif len(answers) < len(messages) and not any(a.header("connection") == "close" for a in answers):
        why = "fewer answers than requests, with no word of closing"
    elif status and len(answers) == len(messages) + 1 and answers[-1].status != status:
        why = "refused with %d, not %d" % (answers[-1].status, status)
    elif end == "error" and not status and answers and not 400 <= answers[-1].status < 500:
        why = "a broken body is answered with %d" % answers[-1].status
    elif end == "error" and answers and answers[-1].header("connection") != "close":
        why = "an error without Connection: close"
    if why:
        wrong.append("%s: %s %s\n  read %r %s\n  answers %r" % (why, way, show(data), messages, end, answers))
ok(not wrong, "Postern itself answers what it reads, in order, and nothing behind an error", lambda: "%d\n" % len(wrong) + "\n".join(wrong[:8]))
ok(reached > CASES // 20, "and reads on behind %d of them" % reached)
done()
