#!/usr/bin/env python3
"""A hostile upstream: an HTTP server on 127.0.0.1 that answers tools/call in one of many wrong ways.

    hostile.py [--port N] [--mode MODE]     prints `listening PORT`, serves until it is ended
    Hostile().start()                       the same in a thread, with what it saw to look at

Which way: the tool's name is a mode (`tools/call` of `die-mid-head`), else the last part of the path, else --mode,
else `good`. Other methods are always answered well. Whatever a wrong answer carries holds the word LEAKME, which must
never reach a client. What happened is appended to `seen` as (event, mode) pairs.
"""

import argparse
import gzip
import json
import socket
import sys
import threading
import time

SECRET = "LEAKME"
META = {"io.modelcontextprotocol/serverInfo": {"name": "hostile", "version": "1"}}
LISTS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
         "resources/templates/list": "resourceTemplates"}


def head(status="200 OK", kind="application/json", length=None, more=()):
    lines = ["HTTP/1.1 " + status]
    if kind:
        lines.append("Content-Type: " + kind)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    lines += list(more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(body, status="200 OK", kind="application/json", more=()):
    if isinstance(body, str):
        body = body.encode("utf-8")
    return head(status, kind, len(body), more) + body


def result(id_, text, **more):
    value = {"resultType": "complete", "content": [{"type": "text", "text": text}], "_meta": META}
    value.update(more)
    return {"jsonrpc": "2.0", "id": id_, "result": value}


def dumps(message):
    return json.dumps(message, separators=(",", ":"))


def event(message):
    text = message if isinstance(message, str) else dumps(message)
    return ("data: " + text + "\n\n").encode("utf-8")


SSE = head(kind="text/event-stream", more=("Connection: close",))


def progress(request, n):
    token = request["params"].get("_meta", {}).get("progressToken", "no token was sent")
    return event({"jsonrpc": "2.0", "method": "notifications/progress",
                  "params": {"progressToken": token, "progress": n, "message": "step %d" % n}})


class Gone(Exception):
    """The mode ends the connection."""


# Each mode is a function (link, request) that sends what it wants and returns to keep the connection, or raises Gone.
MODES = {}


def mode(name):
    def keep(function):
        MODES[name] = function
        return function
    return keep


def bytes_mode(name, make, close=True):
    """A mode that sends fixed bytes made from the request, then closes (or keeps the connection open)."""
    def run(link, request):
        link.send(make(request))
        if close:
            raise Gone
    MODES[name] = run


def good_body(request, text="good"):
    return dumps(result(request["id"], text)).encode("utf-8")


bytes_mode("good", lambda r: whole(good_body(r)), close=False)
bytes_mode("good-close", lambda r: whole(good_body(r), more=("Connection: close",)))
bytes_mode("good-then-gone", lambda r: whole(good_body(r)))
bytes_mode("good-sse", lambda r: SSE + progress(r, 1) + event(result(r["id"], "good")))
bytes_mode("good-chunked", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"".join(
    b"%x\r\n%s\r\n" % (len(p), p) for p in [good_body(r)[i:i + 7] for i in range(0, len(good_body(r)), 7)]) + b"0\r\n\r\n", close=False)


@mode("good-dribble")
def _(link, request):
    for byte in whole(good_body(request)):
        link.send(bytes([byte]))


@mode("good-slow")
def _(link, request):
    link.wait(1.0)
    link.send(whole(good_body(request)))


# -- the connection dies
bytes_mode("die-before-head", lambda r: b"")
bytes_mode("die-mid-head", lambda r: b"HTTP/1.1 200 OK\r\nContent-Type: applica")
bytes_mode("die-mid-body", lambda r: head(length=len(good_body(r))) + good_body(r)[:20])
bytes_mode("die-mid-chunk", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"ff\r\n" + good_body(r)[:20])
bytes_mode("die-before-last-chunk", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"%x\r\n%s\r\n" % (len(good_body(r)), good_body(r)))
bytes_mode("sse-die", lambda r: SSE + progress(r, 1))
bytes_mode("sse-die-mid-event", lambda r: SSE + progress(r, 1) + event(result(r["id"], SECRET))[:40])


@mode("reset")
def _(link, request):
    link.reset()
    raise Gone


# -- it stalls
@mode("stall-before-head")
def _(link, request):
    link.stall()


@mode("stall-mid-head")
def _(link, request):
    link.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    link.stall()


@mode("stall-mid-body")
def _(link, request):
    link.send(head(length=len(good_body(request))) + good_body(request)[:20])
    link.stall()


@mode("sse-stall")
def _(link, request):
    link.send(SSE + progress(request, 1))
    link.stall()


@mode("sse-endless")
def _(link, request):
    link.send(SSE)
    n = 0
    while True:
        n += 1
        link.send(progress(request, n))
        link.wait(0.02)


@mode("sse-endless-comments")
def _(link, request):
    link.send(SSE)
    while True:
        link.send(b": " + SECRET.encode() + b"\n\n")
        link.wait(0.02)


@mode("endless-body")
def _(link, request):
    link.send(head(more=("Transfer-Encoding: chunked",)))
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _n in range(4096):
        link.send(chunk)
    raise Gone


# -- it lies about length
@mode("length-too-long")
def _(link, request):
    link.send(head(length=len(good_body(request)) + 10) + good_body(request))
    link.stall()


bytes_mode("length-too-short", lambda r: head(length=len(good_body(r)) - 10) + good_body(r), close=False)
bytes_mode("length-huge", lambda r: head(length=10 ** 15) + good_body(r))
bytes_mode("length-overflow", lambda r: head(more=("Content-Length: 18446744073709551617",)) + good_body(r))
bytes_mode("length-signed", lambda r: head(more=("Content-Length: +%d" % len(good_body(r)),)) + good_body(r))
bytes_mode("length-twice", lambda r: head(length=len(good_body(r)), more=("Content-Length: 5",)) + good_body(r))
bytes_mode("length-and-chunked", lambda r: head(length=len(good_body(r)), more=("Transfer-Encoding: chunked",))
           + b"%x\r\n%s\r\n0\r\n\r\n" % (len(good_body(r)), good_body(r)))
bytes_mode("chunk-garbage", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"zz\r\n" + good_body(r) + b"\r\n0\r\n\r\n")
bytes_mode("chunk-huge", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"ffffffffffffffff1\r\n" + good_body(r))
bytes_mode("chunk-no-crlf", lambda r: head(more=("Transfer-Encoding: chunked",)) + b"5\r\n" + good_body(r)[:9] + b"\r\n0\r\n\r\n")
bytes_mode("coding-unknown", lambda r: head(more=("Transfer-Encoding: gzip, chunked",)) + b"0\r\n\r\n")
# The second answer waits on the link for whoever uses it next.
bytes_mode("two-responses", lambda r: whole(good_body(r)) + whole(good_body(r, SECRET)), close=False)


@mode("late-second-response")
def _(link, request):
    link.send(whole(good_body(request)))
    link.wait(0.05)
    link.send(whole(good_body(request, SECRET)))


# -- its head is wrong
bytes_mode("not-http", lambda r: b"220 " + SECRET.encode() + b" ESMTP\r\n")
bytes_mode("status-garbage", lambda r: b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}")
bytes_mode("version-unknown", lambda r: b"HTTP/3.7 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
bytes_mode("head-space-in-name", lambda r: whole(good_body(r), more=("X-Bad : " + SECRET,)))
bytes_mode("head-folded", lambda r: whole(good_body(r), more=("X-Bad: a\r\n " + SECRET,)))
bytes_mode("head-nul", lambda r: whole(good_body(r), more=("X-Bad: a\0" + SECRET,)))
bytes_mode("head-bare-lf", lambda r: whole(good_body(r)).replace(b"\r\n", b"\n", 2))
bytes_mode("head-huge", lambda r: whole(good_body(r), more=("X-Big: " + SECRET * 40000,)))


@mode("head-endless")
def _(link, request):
    link.send(b"HTTP/1.1 200 OK\r\n")
    for n in range(200000):
        link.send(b"X-%d: %s\r\n" % (n, SECRET.encode()))
    raise Gone


# -- its status is no answer
bytes_mode("redirect", lambda r: whole(SECRET, "307 Temporary Redirect", "text/html", ("Location: /good?" + SECRET,)), close=False)
bytes_mode("unauthorized", lambda r: whole(SECRET, "401 Unauthorized", "text/plain", ('WWW-Authenticate: Bearer realm="%s"' % SECRET,)), close=False)
bytes_mode("forbidden", lambda r: whole(SECRET, "403 Forbidden", "text/html"), close=False)
bytes_mode("not-found", lambda r: whole(SECRET, "404 Not Found", "text/html"), close=False)
bytes_mode("server-error", lambda r: whole("<h1>%s</h1>" % SECRET, "500 Internal Server Error", "text/html", ("Set-Cookie: s=" + SECRET,)), close=False)
bytes_mode("unavailable", lambda r: whole(SECRET, "503 Service Unavailable", "text/html", ("Retry-After: 9",)), close=False)
bytes_mode("accepted", lambda r: head("202 Accepted", None, 0), close=False)
bytes_mode("no-content", lambda r: head("204 No Content", None), close=False)
bytes_mode("switching", lambda r: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
bytes_mode("wrong-type", lambda r: whole(good_body(r), kind="text/html"), close=False)
bytes_mode("no-type", lambda r: whole(good_body(r), kind=None), close=False)
bytes_mode("gzip", lambda r: whole(gzip.compress(good_body(r)), more=("Content-Encoding: gzip",)), close=False)
bytes_mode("empty", lambda r: whole(b""), close=False)

# -- its JSON is wrong
bytes_mode("json-invalid", lambda r: whole('{"jsonrpc":"2.0","id":%s,"result":{%s}}' % (dumps(r["id"]), SECRET)), close=False)
bytes_mode("json-cut", lambda r: whole(good_body(r)[:-1]), close=False)
bytes_mode("json-more", lambda r: whole(good_body(r) + b" x"), close=False)
bytes_mode("json-twice", lambda r: whole(good_body(r) + b"\n" + good_body(r)), close=False)
bytes_mode("json-duplicate", lambda r: whole('{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","content":[]},"result":{"%s":1}}'
                                             % (dumps(r["id"]), SECRET)), close=False)
bytes_mode("json-duplicate-inside", lambda r: whole('{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","content":[],"isError":true,"isErro\\u0072":false}}'
                                                    % dumps(r["id"])), close=False)
bytes_mode("json-utf8", lambda r: whole(good_body(r, "PLACE").replace(b"PLACE", b"\xff\xfe")), close=False)
bytes_mode("json-surrogate", lambda r: whole(good_body(r, "PLACE").replace(b"PLACE", b"\\ud800")), close=False)
bytes_mode("json-deep", lambda r: whole('{"jsonrpc":"2.0","id":%s,"result":%s}' % (dumps(r["id"]), "[" * 5000 + "]" * 5000)), close=False)
bytes_mode("json-array", lambda r: whole(b"[" + good_body(r) + b"]"), close=False)
BIG = b"x" * (20 << 20)      # made before, and not while Postern waits
bytes_mode("json-big", lambda r: whole(good_body(r, "all of it").replace(b"all of it", BIG)))
bytes_mode("rpc-foreign-id", lambda r: whole(dumps(result("another " + SECRET, SECRET))), close=False)
bytes_mode("rpc-wrong-id-type", lambda r: whole(dumps(result([r["id"]], SECRET))), close=False)
bytes_mode("rpc-no-id", lambda r: whole(dumps({"jsonrpc": "2.0", "result": {"resultType": "complete", "content": []}})), close=False)
bytes_mode("rpc-version", lambda r: whole(dumps(dict(result(r["id"], SECRET), jsonrpc="1.0"))), close=False)
bytes_mode("rpc-both", lambda r: whole(dumps(dict(result(r["id"], SECRET), error={"code": -1, "message": SECRET}))), close=False)
bytes_mode("rpc-neither", lambda r: whole(dumps({"jsonrpc": "2.0", "id": r["id"]})), close=False)
bytes_mode("rpc-request", lambda r: whole(dumps({"jsonrpc": "2.0", "id": r["id"], "method": "sampling/createMessage", "params": {}})), close=False)
bytes_mode("rpc-result-no-object", lambda r: whole(dumps({"jsonrpc": "2.0", "id": r["id"], "result": [SECRET]})), close=False)
bytes_mode("rpc-error-no-object", lambda r: whole(dumps({"jsonrpc": "2.0", "id": r["id"], "error": SECRET})), close=False)

# -- its stream is wrong
bytes_mode("sse-request", lambda r: SSE + event({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"x": SECRET}})
           + event(result(r["id"], SECRET)))
bytes_mode("sse-request-later", lambda r: SSE + progress(r, 1)
           + event({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"x": SECRET}}) + event(result(r["id"], SECRET)))
bytes_mode("sse-json-invalid", lambda r: SSE + progress(r, 1) + event("{" + SECRET + "}"))
bytes_mode("sse-foreign-id", lambda r: SSE + progress(r, 1) + event(result("another", SECRET)))
bytes_mode("sse-foreign-progress", lambda r: SSE + event({"jsonrpc": "2.0", "method": "notifications/progress",
           "params": {"progressToken": "of somebody else " + SECRET, "progress": 1}}) + event(result(r["id"], "good")))
bytes_mode("sse-empty", lambda r: SSE)


@mode("sse-event-too-big")
def _(link, request):
    link.send(SSE + progress(request, 1) + b"data: ")
    for _n in range(320):
        link.send(b"x" * 65536)
    raise Gone


@mode("sse-after-answer")
def _(link, request):
    link.send(SSE + event(result(request["id"], "good")) + event(result(request["id"], SECRET)))
    link.stall()


class Link:
    """One connection from Postern."""

    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.buf = b""
        self.mode = None
        sock.settimeout(30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.server.note("gone", self.mode)
            raise Gone from None

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def wait(self, seconds):
        """A pause that ends early when the peer leaves."""
        self.sock.settimeout(seconds)
        try:
            if self.sock.recv(1, socket.MSG_PEEK) == b"":
                self.server.note("gone", self.mode)
                raise Gone
            time.sleep(seconds)
        except TimeoutError:
            pass
        except OSError:
            self.server.note("gone", self.mode)
            raise Gone from None
        finally:
            self.sock.settimeout(30)

    def stall(self):
        """Say nothing more until the peer leaves."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.server.note("gone", self.mode)
        raise Gone

    def read_request(self):
        while b"\r\n\r\n" not in self.buf:
            part = self.sock.recv(65536)
            if not part:
                return None
            self.buf += part
        top, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        need = int(headers.get("content-length", "0"))
        while len(self.buf) < need:
            part = self.sock.recv(65536)
            if not part:
                return None
            self.buf += part
        body, self.buf = self.buf[:need], self.buf[need:]
        return lines[0].split(" ")[1], headers, json.loads(body) if body else {}

    def answer_well(self, request):
        method = request.get("method")
        value = {"resultType": "complete", "_meta": META, "ttlMs": 0, "cacheScope": "private"}
        if method == "server/discover":
            value.update(supportedVersions=["2026-07-28"], capabilities={"tools": {}, "resources": {}, "prompts": {}})
        elif method in LISTS:
            tool = {"inputSchema": {"type": "object"}}
            value[LISTS[method]] = [dict(tool, name=name) for name in MODES] if method == "tools/list" else []
        else:
            self.send(whole(dumps({"jsonrpc": "2.0", "id": request.get("id"), "error": {"code": -32601, "message": "no such method"}}),
                            "404 Not Found"))
            return
        self.send(whole(dumps({"jsonrpc": "2.0", "id": request["id"], "result": value})))

    def serve(self):
        try:
            while True:
                got = self.read_request()
                if got is None:
                    return
                path, headers, request = got
                self.server.requests.append((path, headers, request))
                if request.get("method") != "tools/call":
                    self.answer_well(request)
                    continue
                name = request["params"].get("name")
                last = path.partition("?")[0].rpartition("/")[2]
                self.mode = name if name in MODES else last if last in MODES else self.server.mode
                self.server.note("call", self.mode)
                MODES[self.mode](self, request)
        except (Gone, OSError):
            pass
        finally:
            self.sock.close()
            self.server.note("closed", self.mode)


class Hostile:
    def __init__(self, port=0, mode="good"):
        self.mode = mode
        self.seen = []
        self.requests = []
        self.changed = threading.Condition()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", port))
        self.sock.listen(256)
        self.port = self.sock.getsockname()[1]
        self.url = "http://127.0.0.1:%d/mcp" % self.port

    def note(self, what, mode):
        with self.changed:
            self.seen.append((what, mode))
            self.changed.notify_all()

    def count(self, what, mode):
        return self.seen.count((what, mode))

    def await_count(self, what, mode, n, timeout_s=60.0):
        """True when the event was seen n times (waits for it)."""
        with self.changed:
            return self.changed.wait_for(lambda: self.seen.count((what, mode)) >= n, timeout_s)

    def run(self):
        while True:
            try:
                sock, _peer = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=Link(self, sock).serve, daemon=True).start()

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="an upstream that answers tools/call wrongly")
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--mode", default="good", choices=sorted(MODES))
    given = arguments.parse_args()
    server = Hostile(given.port, given.mode)
    print("listening %d" % server.port, flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        sys.exit(0)
