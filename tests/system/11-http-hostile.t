#!/usr/bin/env python3
"""Hostile and odd clients against the running program: each gets one exact answer, and good clients beside them lose nothing."""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from http_rfc import talk
from postern import Conn, Postern, call, diag, done, is_, ok, raw, request_bytes, skip

root = tempfile.TemporaryDirectory(prefix="postern-")
os.chmod(root.name, 0o755)
with open(os.path.join(root.name, "a.txt"), "w", encoding="utf-8") as f:
    f.write("text\n")
BODY_LIMIT = 256 * 1024
CONFIG = {"names": "plain", "mcpServers": {"docs": {"builtin": "files", "root": root.name}},
          "timeouts": {"head": "10m", "body": "10m", "idle": "10m"}}
IMPATIENT = dict(CONFIG, timeouts={"head": "1s", "body": "1s", "idle": "3s"})
LIST = request_bytes("tools/list")
HEAD, _, LIST_BODY = LIST.partition(b"\r\n\r\n")


def with_field(line, drop=None):
    """tools/list with one more header line, and perhaps without another."""
    lines = [l for l in HEAD.split(b"\r\n") if drop is None or not l.lower().startswith(drop.lower() + b":")]
    return b"\r\n".join(lines + ([line] if line else [])) + b"\r\n\r\n" + LIST_BODY


def refused(data, status, name, closes=True):
    """One answer of that status, nothing more, and the end of the connection."""
    answers, fault = talk(p.port, data)
    good = fault is None and [a.status for a in answers] == [status] and (not closes or answers[0].header("connection") == "close")
    ok(good, name, lambda: "%s %r" % (fault, answers))
    return answers[0] if good else None


def fine(data, name):
    a = raw(p.port, data)
    ok(a.status == 200 and a.complete, name, lambda: repr(a))
    return a


def heads():
    long = b"X-Long: " + b"x" * 20000
    refused(with_field(long), 431, "a head of 20,000 bytes is 431")
    refused(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 100000, 431, "a head that never ends is 431")
    refused(b"A" * 100000, 431, "a line that never ends is 431")
    refused(with_field(b"\r\n".join(b"X-%d: y" % i for i in range(65))), 431, "more than 64 fields are 431")
    fine(with_field(b"X-Long: " + b"x" * 8000), "a head of 8,000 bytes is fine")
    refused(HEAD.replace(b"\r\n", b"\n") + b"\n\n" + LIST_BODY, 400, "bare LF is 400 at once")
    refused(with_field(b"X : y"), 400, "a space before the colon is 400")
    refused(with_field(b"X: a\r\n b"), 400, "a folded field is 400")
    refused(with_field(b"X: a\x00b"), 400, "NUL in a field is 400")
    refused(with_field(b"Transfer-Encoding: chunked"), 400, "both framings are 400")
    refused(with_field(b"Content-Length: %d" % len(LIST_BODY)), 400, "two lengths are 400, even equal ones")
    refused(with_field(b"Transfer-Encoding: gzip, chunked", b"content-length"), 501, "another transfer coding is 501")
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2 without asking is 505")
    refused(LIST.replace(b"HTTP/1.1", b"HTTP/1.2", 1), 505, "HTTP/1.2 is 505")
    refused(with_field(None, b"host"), 400, "no Host is 400")
    refused(with_field(b"Host: 127.0.0.1"), 400, "two Hosts are 400")
    refused(LIST.replace(b"/mcp", b"http://127.0.0.1/mcp", 1), 400, "an absolute target is 400")
    refused(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "CONNECT is 400")


def gate():
    for method in (b"GET", b"DELETE", b"PUT", b"PATCH", b"TRACE", b"get", b"FOO"):
        a = refused(method + b" /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405, "%s is 405" % method.decode())
        ok(a and "POST" in [m.strip() for m in a.header("allow", "").split(",")], "  and Allow names POST", lambda: repr(a))
    with Conn(p.port) as c:
        c.send(b"HEAD /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        a = c.read_head()
        c.is_closed()
        ok(a.status == 405 and bytes(c.buf) == b"", "HEAD is 405 without a body (RFC 9110 9.3.2)", lambda: "%r %r" % (a, bytes(c.buf)))
    for path in (b"/", b"/mcp/", b"/MCP", b"/mcp%20", b"/%6dcp", b"//mcp", b"/x/../mcp", b"/health", b"/metrics", b"/mcp;x"):
        refused(LIST.replace(b"/mcp", path, 1), 404, "path %s is 404" % path.decode())
    fine(LIST.replace(b"/mcp", b"/mcp?x=y", 1), "a query is not part of the path")
    for host in (b"evil.example", b"127.0.0.1.evil.example", b"evil.example:%d" % p.port, b"", b"127.0.0.2", b"[::2]"):
        refused(with_field(b"Host: " + host, b"host"), 421, "Host %r is 421" % host.decode())
    for host in (b"localhost", b"LOCALHOST:%d" % p.port, b"127.0.0.1:%d" % p.port):
        fine(with_field(b"Host: " + host, b"host"), "Host %s is served" % host.decode().replace(str(p.port), "PORT"))
    for origin in (b"http://evil.example", b"null", b"http://127.0.0.1.evil.example", b"https://localhost.evil.example", b"", b"*", b"http://"):
        a = refused(with_field(b"Origin: " + origin), 403, "Origin %r is 403" % origin.decode())
        ok(a and a.header("access-control-allow-origin") is None, "  and is not told that it may read", lambda: repr(a))
    own = "http://localhost:%d" % p.port
    a = fine(with_field(b"Origin: " + own.encode()), "our own Origin is served")
    is_(a.header("access-control-allow-origin"), own, "  and may read")
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"application/json; charset=latin-1", b"application/jsonx", b"", b"multipart/form-data"):
        refused(with_field(b"Content-Type: " + kind, b"content-type"), 415, "Content-Type %r is 415" % kind.decode())
    refused(with_field(None, b"content-type"), 415, "no Content-Type is 415")
    refused(with_field(b"Content-Type: application/json"), 415, "two Content-Types are 415")
    refused(with_field(b"Content-Encoding: gzip"), 415, "Content-Encoding is 415")
    fine(with_field(b"Content-Type: Application/JSON ; charset=\"UTF-8\"", b"content-type"), "the right type in other letters is fine")
    for accept in (b"text/html", b"application/json", b"text/event-stream", b"application/json;q=0, text/event-stream", b"*/json", b""):
        refused(with_field(b"Accept: " + accept, b"accept"), 406, "Accept %r is 406" % accept.decode())
    for accept in (b"*/*", b"text/*, application/*;q=0.1", b"text/event-stream;q=0.5,application/json;q=0.001"):
        fine(with_field(b"Accept: " + accept, b"accept"), "Accept %s is fine" % accept.decode())
    refused(with_field(b"Expect: something"), 417, "an unknown expectation is 417")
    refused(with_field(None, b"content-length").partition(b"\r\n\r\n")[0] + b"\r\n\r\n", 411, "a POST without a body is 411")


def bodies():
    chunked = with_field(b"Transfer-Encoding: chunked", b"content-length").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    whole = chunked + b"".join(b"%x\r\n%c\r\n" % (1, c) for c in LIST_BODY) + b"0\r\n\r\n"
    with Conn(p.port) as c:
        for byte in whole:
            c.send(bytes([byte]))
        a = c.read_answer()
        ok(a.status == 200 and len(a.message()["result"]["tools"]) > 0, "chunks of one byte in segments of one byte", lambda: repr(a))
        c.send(LIST)
        is_(c.read_answer().status, 200, "  and the connection goes on")
    for text, name in ((b"5;a=b\r\nhello\r\n0\r\n\r\n", "a chunk extension"), (b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", "a trailer"), (b"5\nhello\n0\n\n", "bare LF in chunks"),
                       (b"xyz\r\n", "a chunk size that is none"), (b"000000001\r\n", "a chunk size of nine digits"), (b"5\r\nhelloworld\r\n", "a chunk that is longer than it says")):
        refused(chunked + text + LIST, 400, name + " is 400")
    big = b" " * (BODY_LIMIT + 1)
    refused(with_field(b"Content-Length: %d" % len(big), b"content-length").partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + big[:1000], 413, "a length over the limit is 413")
    refused(with_field(b"Content-Length: 9999999999999999999", b"content-length"), 413, "the longest length is 413")
    refused(chunked + (b"1000\r\n" + b" " * 4096 + b"\r\n") * (BODY_LIMIT // 4096 + 1), 413, "chunks over the limit are 413")
    refused(chunked + b"ffffffff\r\n", 413, "one chunk over the limit is 413 before it comes")
    a = raw(p.port, request_bytes("tools/list", body=LIST_BODY + b" " * (BODY_LIMIT - len(LIST_BODY))))
    is_(a.status, 200, "a body at the limit is read")
    with Conn(p.port) as c:
        c.send(HEAD + b"\r\n\r\n" + LIST_BODY[:20])
        c.sock.shutdown(socket.SHUT_WR)
        ok(c.is_closed() and not c.buf, "a body that is cut off gets no answer", lambda: repr(bytes(c.buf)))
    with Conn(p.port) as c:
        c.send(with_field(b"Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        a = c.read_head()
        is_(a.status, 100, "Expect: 100-continue is answered before the body")
        c.send(LIST_BODY)
        is_(c.read_answer().status, 200, "  and then the request")
    with Conn(p.port) as c:
        c.send(LIST)
        c.sock.shutdown(socket.SHUT_WR)
        is_(c.read_answer().status, 200, "closing only the sending side does not lose the answer")


def connections():
    with Conn(p.port) as c:
        answers = []
        for i in range(5):
            c.send(request_bytes("tools/list", id_=i))
            answers.append(c.read_answer())
        ok([a.status for a in answers] == [200] * 5 and [a.message()["id"] for a in answers] == list(range(5)), "keep-alive")
    ids = list(range(40))
    methods = ["tools/list", "server/discover", "resources/list"]
    pipeline = b"".join(request_bytes(methods[i % 3], id_=i, headers=[("Connection", "close")] if i == ids[-1] else []) for i in ids)
    answers, fault = talk(p.port, pipeline)
    ok(fault is None and [a.message()["id"] for a in answers] == ids, "40 pipelined requests are answered in order", lambda: "%s %r" % (fault, answers))
    rng = random.Random(7)
    with Conn(p.port) as c:
        at = 0
        while at < len(pipeline):
            n = rng.randint(1, 200)
            c.send(pipeline[at:at + n])
            at += n
        got = [c.read_answer() for _ in ids]
        ok([a.message()["id"] for a in got] == ids, "and so they are in pieces cut anywhere")
    bad = request_bytes("tools/list", id_=1) + b"GARBAGE\r\n\r\n" + request_bytes("tools/list", id_=2)
    answers, fault = talk(p.port, bad)
    ok(fault is None and [a.status for a in answers] == [200, 400], "a bad head in a pipeline ends it there", lambda: "%s %r" % (fault, answers))
    bad = request_bytes("tools/list", id_=1, body=b"{") + request_bytes("tools/list", id_=2, headers=[("Connection", "close")])
    answers, fault = talk(p.port, bad)
    ok([a.status for a in answers] == [400, 200] and answers[1].message()["id"] == 2, "bad JSON in a good frame does not", lambda: "%s %r" % (fault, answers))
    answers, fault = talk(p.port, LIST.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    ok(fault is None and [a.status for a in answers] == [200], "HTTP/1.0 is served and closed", lambda: "%s %r" % (fault, answers))
    ok(answers and answers[0].count("transfer-encoding") == 0, "  and never sees chunks")
    answers, fault = talk(p.port, with_field(b"Connection: close") + LIST)
    ok(fault is None and len(answers) == 1, "nothing behind Connection: close is answered", lambda: "%s %r" % (fault, answers))
    fine(b"\r\n" + LIST, "one empty line before a request is forgiven")
    refused(b"\r\n\r\n" + LIST, 400, "two are not")


def slow():
    with Conn(p.port) as c:
        c.send(HEAD + b"\r\n\r\n" + LIST_BODY[:20])
        a = c.read_answer()
        ok(a.status == 408 and a.header("connection") == "close" and c.is_closed(), "a body that stops coming is 408 and the end", lambda: repr(a))
    with Conn(p.port) as c:
        c.send(HEAD[:40])
        a = c.read_answer()
        ok(a.status == 408 and a.header("connection") == "close" and c.is_closed(), "a head that stops coming is 408 and the end", lambda: repr(a))
    with Conn(p.port) as c:
        c.sock.settimeout(0.05)
        sent = 0
        # Each byte resets an idle clock; the head clock must not care. Bounded: 20 seconds' worth of bytes.
        while not c.buf and sent < 400 and c.try_send(b"X"):
            sent += 1
            try:
                c.fill()
            except TimeoutError:
                pass
        c.sock.settimeout(60)
        ok(bytes(c.buf).startswith(b"HTTP/1.1 408 ") and sent < 400, "and so is one that comes byte by byte", lambda: "%d %r" % (sent, bytes(c.buf)))
    with Conn(p.port) as c:
        ok(c.is_closed() and not c.buf, "a connection that says nothing is closed without a word")
    with Conn(p.port) as c:
        c.send(LIST)
        c.read_answer()
        ok(c.is_closed() and not c.buf, "and so is one at rest")


def good_client(stop, results):
    """Calls in a row on one connection and on fresh ones, until told to stop."""
    n = 0
    while not stop.is_set():
        try:
            with Conn(p.port) as c:
                for _ in range(10):
                    c.send(request_bytes("tools/call", {"name": "read_file", "arguments": {"path": "a.txt"}}, id_=n))
                    a = c.read_answer()
                    results.append(a.status == 200 and a.message()["id"] == n and "result" in a.message())
                    n += 1
        except (OSError, ValueError, KeyError, TypeError) as e:
            results.append(False)
            diag("%s: %s" % (type(e).__name__, e))


def slowhttptest():
    for flag, name in (("-H", "slow heads"), ("-B", "slow bodies"), ("-R", "ranges"), ("-X", "slow reading")):
        if shutil.which("slowhttptest") is None:
            skip("good clients beside " + name, "slowhttptest is not installed")
            continue
        stop, results = threading.Event(), []
        clients = [threading.Thread(target=good_client, args=(stop, results)) for _ in range(3)]
        for t in clients:
            t.start()
        run = subprocess.run(["slowhttptest", flag, "-c", "300", "-r", "300", "-i", "1", "-l", "4", "-x", "24", "-p", "10",
                              "-f", "application/json", "-u", "http://127.0.0.1:%d/mcp" % p.port],
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=300, cwd=root.name)
        stop.set()
        for t in clients:
            t.join()
        ok(len(results) > 30 and all(results), "beside %s every good call is answered (%d)" % (name, len(results)),
           lambda: "%d of %d lost\n%s" % (results.count(False), len(results), run.stdout.decode("latin-1")[-600:]))


with Postern(CONFIG) as p:
    before = call(p, "tools/list")
    ok(before.status == 200, "a good request", lambda: repr(before))
    for part in (heads, gate, bodies, connections):
        part()
    after = call(p, "tools/list")
    ok(after.status == 200 and after.body == before.body, "after all that the answer is the same", lambda: repr(after))
is_(p.status, 0, "and it stops in order")
with Postern(IMPATIENT) as p:
    for part in (slow, slowhttptest):
        part()
    after = call(p, "tools/list")
    ok(after.status == 200 and after.body == before.body, "after strangers that were slow it is the same, too", lambda: repr(after))
is_(p.status, 0, "and it stops in order")
done()
