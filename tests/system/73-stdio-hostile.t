#!/usr/bin/env python3
"""postern stdio before clients that write anything, in any pieces, and leave in any way: whatever it is, standard output carries messages only, what is asked
properly is answered, and nothing stays behind."""
import fcntl
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import BINARY, INSTRUMENTED, RSS_SLACK_KB, done, is_, ok, rss_kb, until
from stdio_client import META, Stdio

F_SETPIPE_SZ = 1031
CONFIG = {"names": "plain", "timeouts": {"drain": "3s"}, "memory": {"requests": 8, "listens": 4, "body": "64k", "reply": "256k"},
          "mcpServers": {"docs": {"builtin": "files", "root": "."}}}


def ask(id_, method="tools/list", **params):
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": {**params, "_meta": META}}


def messages(raw):
    lines = bytes(raw).split(b"\n")
    return lines[-1] == b"" and all(json.loads(x)["jsonrpc"] == "2.0" for x in lines[:-1])


def gone(pids):
    return [pid for pid in pids if os.path.exists("/proc/%d" % pid) and open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z"]


# ---- what comes
with Stdio(CONFIG) as p:
    ok("tools" in p.request("tools/list")["result"], "a first answer")
    for byte in json.dumps(ask("slowly")).encode() + b"\n":
        p.send(bytes([byte]))
    ok("result" in p.recv_for("slowly"), "a line that comes byte by byte")
    p.send(b"".join(json.dumps(ask(i)).encode() + b"\r\n" for i in range(5)))
    is_(sorted(p.recv()["id"] for _ in range(5)), [0, 1, 2, 3, 4], "five in one piece")

    before = rss_kb(p.children()["stdio"])
    for _ in range(256):
        p.send(b"x" * (1 << 18))
    p.send(b'"}\n' + json.dumps(ask("behind")).encode() + b"\n")
    m = p.recv()
    ok("memory.body" in m["error"]["message"] and "id" not in m, "64 MiB without a newline: one refusal", m)
    ok("result" in p.recv_for("behind"), "and what stands behind is served")
    if not INSTRUMENTED:
        ok(rss_kb(p.children()["stdio"]) - before < 512 + RSS_SLACK_KB, "in no more memory than before", (before, rss_kb(p.children()["stdio"])))

    r = random.Random(20260728)
    pieces = [b'{', b'}', b'"', b'\\', b'[', b']', b'"jsonrpc":"2.0"', b'"id":1', b'"method":"tools/list"', b'"params":', b'"_meta"', b',', b':', b'\0', b'\xff', b'\xed\xa0\x80', b'\xef\xbb\xbf',
              b'1e999', b'-', b'null', b'\r', b'\t', b'"result":{}', b'"error":{}', b'\x1b[2J', b'\xe2\x80\xa8']
    for i in range(300):
        p.send(b"".join(r.choice(pieces) for _ in range(r.randrange(1, 12))) + b"\n")
    p.send(b"[" * 30000 + b"\n")
    p.send(json.dumps(ask("after")).encode() + b"\n")
    m = p.recv_for("after")
    ok("result" in m and all("error" in x for x in p.unasked), "300 lines of rubbish, and nesting without end: refusals, and then an answer", p.unasked[:3])
    p.unasked.clear()

    for m in (ask(1, "initialize"), {"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 7, "result": {}},
              {"jsonrpc": "2.0", "id": None, "method": "tools/list"}, {"jsonrpc": "2.0", "id": 1.5, "method": "tools/list"}, {"jsonrpc": "2.0", "id": {"a": 1}, "method": "tools/list"},
              {"jsonrpc": "1.0", "id": 2, "method": "tools/list"}, {"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": []}, {"jsonrpc": "2.0", "id": 4, "method": "tools/call"},
              {"jsonrpc": "2.0", "id": "x" * 300, "method": "tools/list"}, {"jsonrpc": "2.0", "id": 5, "method": "a\r\nPostern-Identity: x\r\n"}):
        p.send(m)
    p.send(ask("then"))
    p.recv_for("then")
    while len(p.unasked) < 9:
        p.unasked.append(p.recv())
    ok(all("error" in m for m in p.unasked), "without a session, before initialize, of wrong shapes: each request refused", p.unasked)
    is_(sorted(m["id"] for m in p.unasked if "id" in m and m["id"] is not None), [1, 2, 3, 4, 5], "with its id, where that can be one")
    p.unasked.clear()

    for _ in range(3):
        p.send(ask("same"))
    ok(all("result" in p.recv_for("same") for _ in range(3)), "three at once with one id: three answers")
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "nobody"}})
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}})
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled"})
    ok("result" in p.request("tools/list", id_="z"), "cancelling what is not there")
    p.send(b"y" * 70000)
    p.close_input()
    m = p.recv()
    ok("memory.body" in m["error"]["message"], "an input that ends in a line that is too long", m)
    is_((p.line(), p.wait(), messages(p.raw)), (None, 0, True), "it ends, status 0, and has said nothing but messages")

with Stdio(CONFIG) as p:
    def names():
        return len([t["name"] for t in p.old("tools/list", id_="n")["result"]["tools"]])

    p.initialize("2025-11-25")
    count = names()
    p.request("tools/list", id_="n2")
    p.initialize("2025-03-26")
    ok(count > 0 and names() == count, "initialize once more, in another revision, with a request of this one between")
    p.send(json.dumps([{"jsonrpc": "2.0", "id": "b", "method": "ping"}]).encode() + b"\n")
    m = p.recv()
    ok((m[0] if isinstance(m, list) else m).get("result") == {}, "what holds is the second: it has batches", m)
    for i in range(40):
        p.initialize("2025-06-18")
    ok(names() == count, "and forty more")
    p.close_input()
    is_((p.wait(), messages(p.raw)), (0, True), "it ends, status 0, and has said nothing but messages")

# ---- how it leaves
tmp = tempfile.TemporaryDirectory(prefix="postern-")
os.chmod(tmp.name, 0o755)
with open(os.path.join(tmp.name, "postern.json"), "w") as f:
    json.dump({"identity": {"stdio": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*"}], **CONFIG}, f)


def raw(**more):
    """With pipes, or what is given; standard error goes to a file of its own. The first answer has come when this returns."""
    log = tempfile.TemporaryFile()
    p = subprocess.Popen([BINARY, "stdio", "-c", f.name], **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, **more})
    p.log = log
    return p


def log_of(p):
    p.log.seek(0)
    return p.log.read().decode("utf-8", "replace")


def below(p):
    return list(Stdio.children(p).values())


def say(p, *them):
    p.stdin.write(b"".join(json.dumps(m).encode() + b"\n" for m in them))
    p.stdin.flush()


def flood(p, n):
    """Asks, and reads no answer of n bytes until there is no room for one: whoever writes on has to wait. From a thread, for that waits, too."""
    def ask_on():
        try:
            for i in range(100000):
                say(p, ask(i))
        except (OSError, ValueError):
            pass
    size = fcntl.fcntl(p.stdout, F_SETPIPE_SZ, 4096)
    threading.Thread(target=ask_on, daemon=True).start()
    ok(until(lambda: struct.unpack("i", fcntl.ioctl(p.stdout, termios.FIONREAD, b"\0" * 4))[0] + n > size), "an output that nobody reads is full")


p = raw()
say(p, ask(1))
n = len(p.stdout.readline())
pids = below(p)
flood(p, n)
p.send_signal(signal.SIGTERM)
ok(p.wait(60) in (0, 1), "SIGTERM while nobody reads its answers: it ends")
ok(until(lambda: not gone(pids)), "and nothing of it is left", gone(pids))
p.stdout.close()

p = raw()
say(p, ask(1))
n = len(p.stdout.readline())
pids = below(p)
flood(p, n)
p.stdout.close()
is_(p.wait(60), 0, "a client that closes what it did not read: it ends, status 0")
ok(until(lambda: not gone(pids)), "and nothing of it is left", gone(pids))
ok("signal" not in log_of(p), "not by a signal", log_of(p))

p = raw()
say(p, ask(1))
p.stdout.readline()
pids = below(p)
p.kill()
p.wait()
ok(until(lambda: not gone(pids)), "its parent is killed: nothing is left", gone(pids))

ours, theirs = socket.socketpair()
p = raw(stdin=theirs, stdout=theirs)
theirs.close()
file = ours.makefile("rwb")
file.write(json.dumps(ask(1)).encode() + b"\n")
file.flush()
ok("result" in json.loads(file.readline()), "one socket for both ways")
ours.shutdown(socket.SHUT_WR)
is_((file.read(), p.wait(60)), (b"", 0), "whose end is the end")
file.close()
ours.close()

with open("/dev/zero", "rb") as zero:
    p = raw(stdin=zero)
    ok(until(lambda: Stdio.children(p).get("stdio")), "an input without end and without a line")
    p.send_signal(signal.SIGTERM)
    is_(p.wait(60), 0, "SIGTERM ends it, status 0")
for name, more in (("closed", {"preexec_fn": lambda: os.close(0)}), ("a directory", {"stdin": os.open("/", os.O_RDONLY)}), ("for writing only", {"stdin": os.open("/dev/null", os.O_WRONLY)})):
    p = raw(**more)
    is_((p.wait(60), p.stdout.read()), (0, b""), "an input that is %s: the end at once, status 0" % name)
p = raw(preexec_fn=lambda: os.close(1))
say(p, ask(1))
p.stdin.close()
is_((p.wait(60), p.stdout.read()), (0, b""), "an output that is closed: nothing is said, and nothing else gets in its place")
done()
