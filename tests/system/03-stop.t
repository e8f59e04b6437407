#!/usr/bin/env python3
"""Stop: what is in flight is finished, nothing new begins, a second signal ends it all, and nobody is left behind."""
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, done, http_get, is_, ok, request_bytes, until

class Slow:
    """An upstream that answers a call when it is told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.arrived, self.go = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            self._calls(c)
        except OSError:
            pass    # Postern has cut it, as some of these tests want

    def _calls(self, c):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = c.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            n = int([l.split(b":")[1] for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")][0])
            while len(data) < n:
                data += c.recv(65536)
            message, data = json.loads(data[:n]), data[n:]
            if message["method"] == "tools/call":
                self.arrived.release()
                self.go.acquire()
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {
                "resultType": "complete", "tools": [], "content": [{"type": "text", "text": "late"}]}}).encode()
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def gone(pids):
    """True when none of the processes is left."""
    return until(lambda: not any(os.path.exists("/proc/%d" % p) for p in pids))


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionRefusedError:
        return True


def in_flight(p):
    c = Conn(p.port)
    c.try_send(request_bytes("tools/call", {"name": "x", "arguments": {}}))
    return c


slow = Slow()
config = {"names": "plain", "workers": 2, "timeouts": {"drain": "10m"}, "mcpServers": {"up": {"url": "http://127.0.0.1:%d/mcp" % slow.port, "era": "modern"}}}

for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")):
    p = Postern(config).start()
    kids = p.children()
    p.signal(number)
    is_(p.wait(), 0, "%s at rest: exit status 0" % name)
    ok(gone(kids), "%s: no process is left" % name)

# --- a call in flight
p = Postern(config).start()
kids = p.children()
with in_flight(p) as c:
    slow.arrived.acquire(timeout=60)
    p.signal(signal.SIGTERM)
    ok(until(lambda: http_get(p.admin_port, "/ready").status == 503), "SIGTERM with a call in flight: /ready says no")
    r = http_get(p.admin_port, "/ready")
    is_(json.loads(r.body)["reasons"][0], "draining", "and why")
    is_(http_get(p.admin_port, "/health").status, 200, "/health still says yes")
    ok(p.alive(), "it waits for the call")
    slow.go.release()
    a = c.read_answer()
    is_(a.status, 200, "the call is answered")
    is_(a.message()["result"]["content"][0]["text"], "late", "with its answer")
is_(p.wait(), 0, "then it ends: exit status 0")
ok(gone(kids) and refused(p.port), "no process is left, nobody listens")

# --- the deadline
p = Postern(dict(config, timeouts={"drain": "200ms"})).start()
kids = p.children()
with in_flight(p) as c:
    slow.arrived.acquire(timeout=60)
    p.signal(signal.SIGTERM)
    is_(p.wait(), 0, "a call that outlives timeouts.drain is cut: exit status 0")
ok(gone(kids), "no process is left")
slow.go.release()

# --- the second signal
p = Postern(config).start()
kids = p.children()
with in_flight(p) as c:
    slow.arrived.acquire(timeout=60)
    p.signal(signal.SIGTERM)
    until(lambda: "stopping" in p.stderr())
    p.signal(signal.SIGTERM)
    is_(p.wait(), 1, "a second signal ends it at once: exit status 1")
ok(gone(kids), "no process is left")
slow.go.release()

# --- the parent killed
p = Postern(config).start()
kids = p.children()
ok(len(kids) == 4 and all(os.path.exists("/proc/%d" % k) for k in kids), "two workers, the elder and a desk run")
os.kill(p.pid, signal.SIGKILL)
p.wait()
ok(gone(kids), "the parent is killed: no orphan is left")

# --- a signal for one role changes nothing
with Postern(config) as p:
    before = p.children()
    for kid in before:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(kid, number)
    is_(http_get(p.admin_port, "/ready").status, 200, "SIGTERM, SIGINT and SIGHUP sent to roles do nothing")
    is_(p.children(), before, "the same processes run")
done()
