"""A scripted MCP server over standard input and output, for the tests of stdio upstreams: stdio_server.py modern|legacy|mute|noise|silent|VERSION

It says only what it is told to, without any SDK. Tools: echo (gives its arguments back), pid, env, slow (answers after `ms`; says `word` on standard error when it begins), fail (a JSON-RPC
error), hush (ends its standard output and stays), hang (from now on it reads and never says a word), die (ends with status 3), flood (many lines on standard error), big (`bytes` of text),
kids (starts two processes that outlive it), fds (its open descriptors), open (reads or writes `path`), connect (to 127.0.0.1:`port`)."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

era = sys.argv[1] if len(sys.argv) > 1 else "modern"
lock = threading.Lock()


def out(message):
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def text(s):
    return {"content": [{"type": "text", "text": s}]}


def use(name, a):
    if name == "echo":
        return text(json.dumps(a, sort_keys=True))
    if name == "pid":
        return text(str(os.getpid()))
    if name == "env":
        return text(json.dumps(dict(os.environ), sort_keys=True))
    if name == "slow":
        if "word" in a:
            print(a["word"], file=sys.stderr, flush=True)
        time.sleep(a.get("ms", 500) / 1000)
        return text("slept")
    if name == "hush":
        socket.socket(fileno=os.dup(1)).shutdown(socket.SHUT_WR)    # input and output are one socket: closing one number is not enough
        time.sleep(1000)
    if name == "hang":
        lock.acquire()
        time.sleep(1000)
    if name == "die":
        os._exit(3)
    if name == "flood":
        for i in range(a.get("lines", 1000)):
            print("flood", i, file=sys.stderr)
        return text("said")
    if name == "big":
        return text("x" * a["bytes"])
    if name == "kids":
        subprocess.Popen(["sleep", a["name"]])
        subprocess.Popen(["sh", "-c", "trap '' TERM HUP; sleep %s & sleep %s" % (a["name"], a["name"])], start_new_session=True)
        return text("started")
    if name == "fds":
        return text(json.dumps(sorted(int(n) for n in os.listdir("/proc/self/fd"))))
    if name == "open":
        try:
            with open(a["path"], a.get("mode", "r")) as f:
                return text("read " + f.read() if a.get("mode", "r") == "r" else "wrote %d" % f.write("x"))
        except OSError as e:
            return text(e.__class__.__name__)
    if name == "connect":
        try:
            socket.create_connection(("127.0.0.1", a["port"]), timeout=5).close()
            return text("connected")
        except OSError as e:
            return text(e.__class__.__name__)
    return None


TOOLS = "echo pid env slow fail hush hang die flood big kids fds open connect".split()


def answer(m):
    method, params = m["method"], m.get("params") or {}
    more = {} if era != "modern" else {"resultType": "complete"}
    cache = {} if era != "modern" else {"ttlMs": 1000, "cacheScope": "public"}
    if method == "initialize" and era != "modern":
        return {"protocolVersion": "2025-06-18" if era == "legacy" else era, "capabilities": {"tools": {}}, "serverInfo": {"name": "scripted", "version": "1"}}
    if method == "server/discover" and era == "modern":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "instructions": "scripted", **cache, **more,
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "1"}}}
    if method == "tools/list":
        return {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in TOOLS], **cache, **more}
    if method == "tools/call":
        got = use(params["name"], params.get("arguments") or {})
        return None if got is None else {**got, **more}
    if method == "ping" and era != "modern":
        print("pinged", file=sys.stderr, flush=True)
        return {}
    return None


def one(m):
    result = answer(m)
    if result is None:
        out({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": "no such thing: " + m["method"]}})
    else:
        out({"jsonrpc": "2.0", "id": m["id"], "result": result})


if era == "mute":
    sys.exit(4)
if era == "silent":
    time.sleep(1000)
if era == "noise":
    sys.stdout.write("this is no JSON\n{]\n\n\x00\n" + "y" * 5000 + "\n")
    sys.stdout.flush()
    era = "legacy"
print("scripted server of", era, file=sys.stderr, flush=True)
for line in sys.stdin:
    m = json.loads(line)
    if "id" not in m or "method" not in m:
        continue
    if m["method"] == "tools/call":
        threading.Thread(target=one, args=(m,), daemon=True).start()
    else:
        one(m)
