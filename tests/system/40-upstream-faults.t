#!/usr/bin/env python3
"""Every way an upstream can fail a call, and the exact answer the client gets.

A fault is told in a JSON-RPC error of ours (-32603) that names the upstream and what went wrong: HTTP 502 when the
upstream answered wrongly or was lost, 503 when it cannot be had, 504 when it is late. A stream that has begun ends with
that error as its last event. Nothing the upstream said reaches the client, and the next call goes well.
"""

import os
import re
import socket
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "peers")]

import hostile  # noqa: E402
from postern import Conn, Postern, call, done, is_, ok, request_bytes  # noqa: E402

LOST = "closed the connection without an answer"
CUT = "closed the connection in the middle of its answer"
LATE = "did not answer in time"
HEAD = r"sent a reply head that is not HTTP/1\.1"
FRAME = "broke the framing of its answer"
LARGE = "over the limit"
JSON = "sent a reply that is not acceptable JSON"
SHAPE = "sent a reply that is not a JSON-RPC message|sent an answer of the wrong shape"
KIND = "answered with something that is neither JSON nor an event stream"
STATUS = "answered with HTTP status "

# mode: (status, what the message says)
FAULTS = {
    "die-before-head": (502, LOST), "die-mid-head": (502, LOST), "reset": (502, LOST),
    "die-mid-body": (502, CUT), "die-mid-chunk": (502, CUT), "die-before-last-chunk": (502, CUT),
    "stall-before-head": (504, LATE), "stall-mid-head": (504, LATE), "stall-mid-body": (504, LATE), "sse-endless-comments": (504, LATE),
    "length-too-long": (504, LATE), "length-too-short": (502, JSON),
    "length-huge": (502, LARGE), "endless-body": (502, LARGE), "json-big": (502, LARGE),
    "length-overflow": (502, HEAD), "length-signed": (502, HEAD), "length-twice": (502, HEAD), "length-and-chunked": (502, HEAD),
    "coding-unknown": (502, HEAD), "chunk-garbage": (502, FRAME), "chunk-huge": (502, FRAME + "|" + LARGE), "chunk-no-crlf": (502, FRAME),
    "not-http": (502, LOST + "|" + HEAD), "status-garbage": (502, HEAD), "version-unknown": (502, HEAD), "head-space-in-name": (502, HEAD),
    "head-folded": (502, HEAD), "head-nul": (502, HEAD), "head-bare-lf": (502, HEAD),
    "head-huge": (502, "sent a reply head that is too large"), "head-endless": (502, "sent a reply head that is too large"),
    "redirect": (502, STATUS + "307"), "unauthorized": (502, STATUS + "401"), "forbidden": (502, STATUS + "403"),
    "not-found": (502, STATUS + "404"), "server-error": (502, STATUS + "500"), "unavailable": (503, STATUS + "503"),
    "accepted": (502, STATUS + "202"), "no-content": (502, STATUS + "204"), "switching": (502, STATUS + "101|" + HEAD),
    "wrong-type": (502, KIND), "no-type": (502, KIND), "gzip": (502, "sent a content coding it was not asked for"),
    "empty": (502, JSON), "json-invalid": (502, JSON), "json-cut": (502, JSON), "json-more": (502, JSON), "json-twice": (502, JSON),
    "json-duplicate": (502, JSON), "json-duplicate-inside": (502, JSON), "json-utf8": (502, JSON), "json-surrogate": (502, JSON),
    "json-deep": (502, JSON), "json-array": (502, SHAPE),
    "rpc-foreign-id": (502, "sent an answer with a foreign id"), "rpc-wrong-id-type": (502, SHAPE), "rpc-no-id": (502, SHAPE + "|foreign id"),
    "rpc-version": (502, SHAPE), "rpc-both": (502, SHAPE), "rpc-neither": (502, SHAPE), "rpc-result-no-object": (502, SHAPE),
    "rpc-error-no-object": (502, SHAPE), "rpc-request": (502, "sent a request where only an answer may stand"),
    "sse-request": (502, "sent a request where only an answer may stand"), "sse-empty": (502, "ended its event stream without an answer"),
    "sse-foreign-progress": (502, "sent a notification for another call"),
}
# The stream to the client has begun: the same, as its last event.
STREAM_FAULTS = {
    "sse-die": "ended its event stream without an answer", "sse-die-mid-event": "ended its event stream without an answer",
    "sse-stall": LATE, "sse-endless": LATE, "sse-event-too-big": LARGE, "sse-json-invalid": JSON,
    "sse-foreign-id": "sent an answer with a foreign id", "sse-request-later": "sent a request where only an answer may stand",
}
# Odd but right: the answer is given.
GOOD = ["good", "good-close", "good-then-gone", "good-sse", "good-chunked", "good-dribble", "good-slow", "two-responses",
        "late-second-response", "sse-after-answer"]

TOKEN = {"progressToken": "client's own"}


def leaks(a):
    return hostile.SECRET.encode() in a.raw or hostile.SECRET.encode() in a.body


def good_text(a):
    m = a.message()
    return a.status == 200 and m is not None and m.get("id") == 1 and "result" in m and m["result"]["content"][0]["text"] == "good"


def config(up, timeouts=None, **memory):
    # Long enough for an upstream of Python on a machine that has no time, beside whom others are flooding.
    server = {"url": up, "connect_timeout": "20s", "idle_timeout": "2s", "call_timeout": "6s"}
    server.update(timeouts or {})
    return {"names": "plain", "mcpServers": {"bad": server}, "memory": dict({"reply": "256k"}, **memory)}


up = hostile.Hostile().start()
covered = set(FAULTS) | set(STREAM_FAULTS) | set(GOOD)
is_(sorted(set(hostile.MODES) - covered), [], "every mode of the hostile upstream has its exact answer here")

with Postern(config(up.url, {"idle_timeout": "10s", "call_timeout": "20s"})) as p:
    for mode in GOOD:
        a = call(p, "tools/call", {"name": mode}, meta=TOKEN)
        ok(good_text(a) and not leaks(a), "%s: the answer is given" % mode, a)
        if mode in ("good-close", "good-then-gone", "two-responses", "late-second-response", "sse-after-answer"):
            # The connection that may hold something else is not used again.
            ok(up.await_count("closed", mode, 1), "%s: that connection is closed" % mode)
            b = call(p, "tools/call", {"name": "good"})
            ok(good_text(b) and not leaks(b), "%s: and the next call has its own answer" % mode, b)

    # Closing right after an answer, again and again: the end may be seen together with the answer or after it.
    lost = []
    for _n in range(100):
        n = up.count("closed", "good-then-gone")
        call(p, "tools/call", {"name": "good-then-gone"})
        up.await_count("closed", "good-then-gone", n + 1)
        b = call(p, "tools/call", {"name": "good"})
        if not good_text(b):
            lost.append(b)
    is_(lost, [], "an upstream that closes after each answer costs no call")

with Postern(config(up.url)) as p:
    # One client goes on asking while the faults happen beside it.
    beside = {"good": 0, "bad": []}
    stop = threading.Event()

    def ask_beside():
        with Conn(p.port) as c:
            while not stop.wait(0.02):
                c.send(request_bytes("tools/call", {"name": "good"}, path=p.path))
                a = c.read_answer()
                if good_text(a) and not leaks(a):
                    beside["good"] += 1
                else:
                    beside["bad"].append(repr(a))
                    return

    asking = threading.Thread(target=ask_beside)
    asking.start()

    for mode, (status, said) in FAULTS.items():
        a = call(p, "tools/call", {"name": mode}, meta=TOKEN)
        m = a.message() if a.status else None
        e = (m or {}).get("error", {})
        right = (a.status == status and a.complete and a.header("content-type") == "application/json" and m.get("jsonrpc") == "2.0"
                 and m.get("id") == 1 and "result" not in m and e.get("code") == -32603
                 and re.fullmatch('Upstream "bad" .*(%s).*' % said, e.get("message", "")))
        ok(right, "%s: HTTP %d, -32603, %s" % (mode, status, said), a)
        ok(not leaks(a) and a.header("www-authenticate") is None and a.header("set-cookie") is None and a.header("location") is None,
           "%s: nothing of the upstream's reaches the client" % mode, a)
        b = call(p, "tools/call", {"name": "good"})
        ok(good_text(b), "%s: a good call right after" % mode, b)

    for mode, said in STREAM_FAULTS.items():
        a = call(p, "tools/call", {"name": mode}, meta=TOKEN)
        events = a.events() if a.status == 200 and a.header("content-type") == "text/event-stream" else []
        e = events[-1].get("error", {}) if events else {}
        right = (a.complete and len(events) >= 2 and events[-1].get("id") == 1 and e.get("code") == -32603
                 and re.fullmatch('Upstream "bad" .*(%s).*' % said, e.get("message", "")))
        ok(right, "%s: the stream ends with -32603, %s" % (mode, said), a)
        ok(events and all(v.get("method") == "notifications/progress" and v["params"]["progressToken"] == "client's own" for v in events[:-1]),
           "%s: before it only this call's progress, with the client's token" % mode, a)
        ok(not leaks(a), "%s: nothing else of the upstream's reaches the client" % mode, a)
        b = call(p, "tools/call", {"name": "good"})
        ok(good_text(b), "%s: a good call right after" % mode, b)

    stop.set()
    asking.join(30)
    ok(not beside["bad"] and beside["good"] > 20, "calls on another connection all went well meanwhile", beside)
    is_(up.count("call", "redirect"), 1, "a redirect is not followed")
    is_([m for m in sorted(covered) if up.count("call", m) > 1 and m not in ("good", "good-then-gone")], [], "no tool call was made twice")
    sent = [h for _path, h, _request in up.requests]
    ok(all(h["host"] == "127.0.0.1:%d" % up.port for h in sent), "every request named the upstream as its Host")

    # A client that goes away cancels its call.
    before = up.count("gone", "stall-before-head")
    with Conn(p.port) as c:
        c.send(request_bytes("tools/call", {"name": "stall-before-head"}, path=p.path))
        ok(up.await_count("call", "stall-before-head", 2), "a call under way")
    ok(up.await_count("gone", "stall-before-head", before + 1), "the client leaves: the upstream's connection is closed")
    log = p.stderr()
    ok(hostile.SECRET not in log, "what a hostile upstream says is not in the log either", log)
    ok('bad' in log, "the log names the upstream", log)
is_(p.status, 0, "SIGTERM after all that: status 0")

# Silence without a deadline of its own: the whole call has one.
with Postern(config(up.url, {"idle_timeout": "60s", "call_timeout": "500ms"})) as p:
    a = call(p, "tools/call", {"name": "stall-mid-body"})
    is_((a.status, a.message()["error"]["code"]), (504, -32603), "the whole call has its limit (call_timeout)")

# Nobody there.
nobody = socket.socket()
nobody.bind(("127.0.0.1", 0))   # and nobody else can listen there
with Postern(config("http://127.0.0.1:%d/mcp" % nobody.getsockname()[1])) as p:
    a = call(p, "tools/call", {"name": "good"})
    e = a.message()["error"]
    is_((a.status, e["code"]), (503, -32603), "an upstream that is not there: 503")
    is_(e["message"], 'Upstream "bad" cannot be reached', "and says so")
    ok(a.header("retry-after"), "with Retry-After", a)

# As many connections as the configuration allows, and one call more.
with Postern(dict(config(up.url, {"idle_timeout": "10m", "call_timeout": "10m"}, links=2), workers=1)) as p:
    a = call(p, "tools/call", {"name": "good"})
    ok(good_text(a), "two connections to the upstream: a call goes well", a)
    n, gone = up.count("call", "stall-before-head"), up.count("gone", "stall-before-head")
    with Conn(p.port) as c, Conn(p.port) as d:
        c.send(request_bytes("tools/call", {"name": "stall-before-head"}, path=p.path))
        d.send(request_bytes("tools/call", {"name": "stall-before-head"}, path=p.path))
        ok(up.await_count("call", "stall-before-head", n + 2), "two calls hold both")
        a = call(p, "tools/call", {"name": "good"})
        is_((a.status, a.message()["error"]["code"], a.message()["error"]["message"]), (503, -32603, 'Upstream "bad" has no connection free'),
            "the next one is told: 503")
    ok(up.await_count("gone", "stall-before-head", gone + 2), "the clients leave: both connections are closed")
    a = call(p, "tools/call", {"name": "good"})
    ok(good_text(a), "and there is room again", a)

# One connection only: what Postern asks on its own account (the catalogue) must have let go of it when the first call goes on.
for n in range(20):
    with Postern(dict(config(up.url, {"idle_timeout": "10m", "call_timeout": "10m"}, links=1), workers=1)) as p:
        a = call(p, "tools/call", {"name": "good"})
        if not good_text(a):
            ok(False, "a single connection: the first call after a start goes well", "start %d: %s" % (n, a))
            break
        with Conn(p.port) as c:
            g = up.count("gone", "stall-before-head")
            k = up.count("call", "stall-before-head")
            c.send(request_bytes("tools/call", {"name": "stall-before-head"}, path=p.path))
            up.await_count("call", "stall-before-head", k + 1)
        up.await_count("gone", "stall-before-head", g + 1)
        a = call(p, "tools/call", {"name": "good"})
        if not good_text(a):
            ok(False, "a single connection: and one after it was closed", "start %d: %s" % (n, a))
            break
else:
    ok(True, "a single connection: the first call after a start goes well, and one after it was closed (20 starts)")

done()
