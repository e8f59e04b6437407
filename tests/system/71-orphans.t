#!/usr/bin/env python3
"""Nothing that Postern has started outlives what it was started for: each process is killed in turn, the configuration is read again, Postern is stopped
in each way; and what servers have started themselves, in their session or outside it, goes with them."""
import os
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from postern import Postern, done, is_, ok, until
from programs import SERVER, program, tmp, use

SLEEP = "8%07d" % (os.getpid() % 10000000)    # how long the descendants sleep: nobody else's do


def left():
    """Whatever was started here and runs, zombies left out."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if any(SERVER in w or SLEEP in w for w in words) and not words[0].startswith("strace"):
                found.append((int(pid), words))
    return found


DOORS = {"listeners": [{"address": "127.0.0.1:0", "path": "/mcp"}], "admin": {"address": "127.0.0.1:0"}}


def config(era="legacy", **more):
    return {**DOORS, "workers": 2, "timeouts": {"drain": "2s"}, "mcpServers": {"a": program(era, **more), "b": program("modern")}}


def begin(p, name="a"):
    """A server with descendants inside and outside its session."""
    pid = use(p, name + "__pid")
    use(p, name + "__kids", {"name": SLEEP})
    return pid


# ---------------------------------------------------------------- each process in turn

p = Postern(config())
p.start()
pid = begin(p)
begin(p, "b")
ok(until(lambda: len([1 for _, w in left() if SLEEP in " ".join(w)]) >= 8), "servers with descendants", left)
for name in ("worker-0", "worker-1", "desk"):
    victim = p.role(name)
    os.kill(victim, signal.SIGKILL)
    ok(p.comes_again(name, victim), "%s is killed and comes again" % name)
    is_(use(p, "a__pid"), pid, "  the server does not notice")
victim, before = p.role("bridge-a"), {i for i, w in left() if "modern" not in w and int(pid) == i}
os.kill(victim, signal.SIGKILL)
ok(before and until(lambda: not before & {i for i, _ in left()}), "bridge-a is killed: its server ends", left)
ok(p.comes_again("bridge-a", victim), "  the bridge comes again")
ok(until(lambda: isinstance(use(p, "a__pid"), str)), "  and starts its server again")
ok(use(p, "a__pid") != pid and isinstance(use(p, "b__pid"), str), "  the other goes on")
begin(p)
before = {i for i, _ in left()}
victim = p.role("launcher")
os.kill(victim, signal.SIGKILL)
ok(until(lambda: not before & {i for i, _ in left()}), "the launcher is killed: nothing of what it had started is left", lambda: str([x for x in left() if x[0] in before]))
ok(until(lambda: p.role("launcher") not in (None, victim)), "  the launcher comes again")
ok(until(lambda: isinstance(use(p, "a__pid"), str) and isinstance(use(p, "b__pid"), str)), "  and servers are started again")
ok(p.ready(), "  /ready says so")
begin(p)
os.kill(p.role("launcher-guard"), signal.SIGKILL)
ok(until(lambda: not left()), "its guard is killed: nothing is left", left)
ok("its guard is gone" in p.stderr() or until(lambda: "guard is gone" in p.stderr()), "  which is said")
ok(until(lambda: not p.ready()), "  and Postern is not ready")
ok(isinstance(use(p, "b__pid"), dict), "  calls are answered with an error")
is_(p.stop(), 0, "  it stops as ever")

for how in ("SIGKILL", "SIGTERM", "SIGINT", "SIGTERM twice"):
    p = Postern(config())
    p.start()
    begin(p)
    begin(p, "b")
    number = getattr(signal, how.split()[0])
    os.kill(p.pid, number)
    if " " in how:
        os.kill(p.pid, number)
    p.wait()
    ok(until(lambda: not left()), "Postern ends by %s: nothing is left" % how, left)

# ---------------------------------------------------------------- those that do not want to

with Postern(config()) as p:
    pid = use(p, "a__pid")
    os.kill(int(pid), signal.SIGSTOP)
    is_(p.stop(), 0, "a server that stands still is no reason not to stop")
    ok(until(lambda: not left()), "  and is killed", left)

# ---------------------------------------------------------------- reload

with Postern(config()) as p:
    first, other = begin(p), use(p, "b__pid")
    slow = []
    t = threading.Thread(target=lambda: slow.append(use(p, "a__slow", {"ms": 1000, "word": "under way"})))
    t.start()
    until(lambda: "server a says: under way" in p.stderr())
    ok(p.reload(config("2025-03-26"), to_its_end=False), "a reload starts other servers beside the old ones")
    t.join()
    is_(slow, ["slept"], "  what was under way is answered by the old one")
    ok(until(lambda: not any("legacy" in w for _, w in left())), "  which ends with all it has started", left)
    ok(until(lambda: "generation 1 has ended" in p.stderr()) and use(p, "a__pid") != first and use(p, "b__pid") != other, "  calls go to the new ones")
    ok(p.reload({**DOORS, "mcpServers": {"docs": {"builtin": "files", "root": tmp.name}}}) and until(lambda: not left()), "a reload without them ends them all", left)
    ok(p.reload(config()) and isinstance(use(p, "a__pid"), str), "and one that has them again starts them again")
    ok(not p.reload({**DOORS, "mcpServers": {"a": {"command": "./gone"}}}) and "reload refused: the new generation does not start" in p.stderr() and "gone: No such file or directory" in p.stderr(),
       "a reload with a program that is not there is refused")
    is_(p.generation(), 4, "  the old configuration stays")
ok(not left(), "nothing is left")
with Postern({"mcpServers": {"docs": {"builtin": "files", "root": tmp.name}}}) as p:
    ok(p.role("launcher") is None, "without programs there is no launcher")
    ok(not p.reload(config()) and "restart Postern" in p.stderr(), "the first program needs a restart, which is said")
done()
