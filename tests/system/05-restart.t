#!/usr/bin/env python3
"""A process that dies is started again: calls work right after, a crash loop is slowed down, counters go on."""
import os
import re
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, call, done, http_get, is_, ok, request_bytes, until


def kill(p, role):
    """SIGKILL, and wait until the same role runs again as another process and everything is up."""
    pid = p.role(role)
    os.kill(pid, signal.SIGKILL)
    return p.comes_again(role, pid)


def list_files(p):
    return call(p, "tools/call", {"name": "list_files", "arguments": {}})


tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
with open(os.path.join(tmp.name, "a.txt"), "w") as f:
    f.write("hello\n")
config = {"names": "plain", "workers": 2, "mcpServers": {"docs": {"builtin": "files", "root": tmp.name}}}

with Postern(config) as p:
    for _ in range(4):
        list_files(p)
    calls = p.metric('postern_requests_total{method="tools/call"}')
    ok(calls >= 4, "calls were counted", calls)
    for role in ("worker-0", "worker-1", "provider-docs", "desk"):
        others = sorted(set(p.children()) - {p.role(role)})
        ok(kill(p, role), "%s is killed: it runs again" % role)
        ok(set(others) <= set(p.children()), "%s: the others never noticed" % role)
        is_([list_files(p).status for _ in range(6)], [200] * 6, "%s: calls work, whichever worker takes them" % role)
    for name in ("worker 0", "worker 1", "provider docs", "desk"):
        ok(re.search(r"warning parent: %s \(pid \d+\) ended: signal 9 \(Killed\)" % name, p.stderr()), "the log names %s and the signal" % name, p.stderr())
    ok(p.metric('postern_requests_total{method="tools/call"}') >= calls + 24, "counters outlive the process that counted")

    # What a dead worker had open is not open any more.
    with Conn(p.port) as a, Conn(p.port) as b, Conn(p.port) as c:
        ok(until(lambda: p.metric("postern_connections_open") >= 3), "three connections are open")
        for role in ("worker-0", "worker-1"):
            ok(kill(p, role), "%s is killed" % role)
        ok(until(lambda: p.metric("postern_connections_open") == 0), "none is open in the figures then",
           lambda: p.metric("postern_connections_open"))
        is_([x.is_closed() for x in (a, b, c)], [True] * 3, "nor in truth")

    # A call whose provider dies is answered, and says what happened.
    pid = p.role("provider-docs")
    os.kill(pid, signal.SIGSTOP)
    with Conn(p.port) as c:
        c.try_send(request_bytes("tools/call", {"name": "list_files", "arguments": {}}))
        until(lambda: p.metric("postern_requests_open") == 1)
        os.kill(pid, signal.SIGKILL)
        a = c.read_answer()
        is_((a.status, a.message()["error"]["code"]), (502, -32603), "a call in flight in a provider that dies: 502, -32603")
    ok(until(lambda: p.ready()), "and the provider is back")

# --- a crash loop
with Postern(dict(config, workers=1)) as p:
    def die():
        pid = [None]

        def found():
            pid[0] = p.role("worker-0")
            return pid[0] is not None
        if until(found):
            os.kill(pid[0], signal.SIGKILL)
            return until(lambda: not os.path.exists("/proc/%d" % pid[0]))
        return False
    is_([die() for _ in range(5)], [True] * 5, "a worker dies five times in a row")
    ok(until(lambda: "again in 800 ms" in p.stderr()), "the log says so", p.stderr())
    is_(re.findall(r"worker 0 starts again in (\d+) ms", p.stderr()), ["100", "200", "400", "800"], "the delay doubles, the first restart has none")
    status = http_get(p.admin_port, "/ready")
    ok(status.status in (200, 503), "the desk answers meanwhile")
    ok(until(lambda: p.ready()), "it is started again all the same")
    is_(list_files(p).status, 200, "and serves: what came meanwhile waited in the listener's queue")
    is_(len(p.children()), 4, "no zombie, no double")
tmp.cleanup()
done()
