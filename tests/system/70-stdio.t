#!/usr/bin/env python3
"""Servers that Postern starts: both eras by scripted servers, what they are given, what they may, and what happens when they misbehave."""
import json
import os
import re
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from postern import BINARY, INSTRUMENTED, Postern, call, diag, done, http_get, is_, ok, skip, until
from programs import PYTHON, SERVER, program, tmp, use



def running(word):
    """Processes with this word among their arguments, but for zombies."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if word.encode() in f.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass
    return found


# ---------------------------------------------------------------- both eras, side by side

secret = os.path.join(tmp.name, "secret")
with open(secret, "w") as f:
    f.write("s3cret\n")
os.chmod(secret, 0o600)
if os.geteuid() == 0:
    os.chown(secret, 0, 0)    # read before Postern gives up root
work = os.path.join(tmp.name, "work")
os.mkdir(work)
os.chmod(work, 0o777)
eras = ("modern", "legacy", "2025-03-26", "2025-11-25", "noise")
servers = {"s%d" % i: program(era) for i, era in enumerate(eras)}
servers["env"] = program("modern", env={"PLAIN": "a value", "KEY": {"file": secret}}, cwd=work)
servers["walled"] = program("legacy", read=["/usr", "/lib", "/lib64", "/bin", "/etc", SERVER],
                           write=[work], network=False)
servers["free"] = program("legacy")
LONG = "longest-name-that-a-server-has-1"
servers[LONG] = program("legacy")
servers["limited"] = program("modern", limits={"files": 64, "memory": "256m", "cpu": "1h"})
servers["docs"] = {"builtin": "files", "root": tmp.name}
with Postern({"workers": 2, "mcpServers": servers}, env={"STRANGE": "x"}) as p:
    ok("serving s0 (command %s)" % PYTHON in p.stdout_lines, "what is started is said at start")
    for i, era in enumerate(eras):
        is_(use(p, "s%d__echo" % i, {"n": i, "text": "ä\n"}), json.dumps({"n": i, "text": "ä\n"}, sort_keys=True), "%s: a call goes there and back" % era)
        is_(call(p, "tools/call", {"name": "s%d__fail" % i, "arguments": {}}).message()["error"]["code"], -32601, "%s: an error stays one" % era)
    ok(len(use(p, "s1__big", {"bytes": 300000})) == 300000, "a long answer")
    is_(len({use(p, "s1__pid") for _ in range(20)}), 1, "one process serves all calls of both workers")
    found = json.loads(use(p, "env__env"))
    is_(sorted(found), sorted({"PATH", "HOME", "LANG", "PLAIN", "KEY"} | (set(found) & {"LC_CTYPE"})), "the environment is what is configured, and PATH, HOME, LANG")
    is_((found["PLAIN"], found["KEY"]), ("a value", "s3cret"), "a secret comes from its file")
    is_([fd for fd in json.loads(use(p, "env__fds")) if fd > 3], [], "no descriptor but three, and the one that looks")
    is_(use(p, "env__open", {"path": "here", "mode": "w"}), "wrote 1", "the working directory is the configured one")
    ok("server s0 says: scripted server of modern" in p.stderr(), "standard error is in the log, with the server's name")
    use(p, LONG + "__pid")
    ok(" bridge-%s: the upstream speaks the older MCP" % LONG in p.stderr(), "a long name of a server stands in the log whole")
    results = []
    threads = [threading.Thread(target=lambda k=k: results.append((k, use(p, "s%d__slow" % (k % 2), {"ms": 50 + 7 * (k % 5)}), use(p, "s1__echo", {"k": k})))) for k in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(len(results) == 24 and all(a == "slept" and json.loads(b) == {"k": k} for k, a, b in results), "many calls at once, each hears its own answer", results)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    is_(use(p, "free__connect", {"port": port}), "connected", "without walls the network is there")
    if not INSTRUMENTED:
        is_(use(p, "walled__connect", {"port": port}), "PermissionError", "\"network\": false: no socket")
        is_(use(p, "walled__open", {"path": secret}), "PermissionError", "\"read\": what is not beneath it cannot be read")
        is_(use(p, "walled__open", {"path": os.path.join(work, "x"), "mode": "w"}), "wrote 1", "\"write\": what is beneath it can be written")
        is_(use(p, "walled__open", {"path": os.path.join(tmp.name, "x"), "mode": "w"}), "PermissionError", "  and nothing else")
        pid = int(use(p, "free__pid"))
        is_(use(p, "walled__open", {"path": "/proc/%d/environ" % pid}), "PermissionError", "another server's environment is out of reach")
        is_(use(p, "free__open", {"path": "/proc/%s/environ" % use(p, "env__pid")}), "PermissionError", "  without walls around files too")
    if "valgrind" in os.path.basename(BINARY):
        skip("limits", "those of files and memory are valgrind's own")
    else:
        limits = open("/proc/%s/limits" % use(p, "limited__pid")).read()
        is_([re.search(r"^%s +(\d+)" % n, limits, re.M)[1] for n in ("Max open files", "Max data size", "Max cpu time", "Max core file size")],
            ["64", str(256 << 20), "3600", "0"], "limits")
    is_(open("/proc/%s/oom_score_adj" % use(p, "limited__pid")).read().strip(), "500", "when memory runs out it goes first")
    is_(use(p, "s0__flood", {"lines": 5000}), "said", "a flood on standard error does not hold it up")
    ok(until(lambda: "lines of its standard error were left out" in p.stderr()), "  nor fill the log")
    listener.close()
    ok(http_get(p.admin_port, "/ready").status == 200, "/ready says so")

# ---------------------------------------------------------------- those that misbehave, beside one that does not

with Postern({"workers": 1, "mcpServers": {"good": program("legacy"), "bad": program("legacy"), "mute": program("mute", start_timeout="2s"),
                                           "silent": program("silent", start_timeout="2s"), "hush": program("modern", call_timeout="10m")}}) as p:
    first = use(p, "bad__pid")
    m = use(p, "bad__die")
    ok(isinstance(m, dict) and "message" in m, "a call whose server dies is answered", m)
    diag(m)
    ok(until(lambda: use(p, "bad__pid") not in (first, None) and isinstance(use(p, "bad__pid"), str)), "it is started again for the next one")
    ok("server bad (pid %s) ended: exit status 3" % first in p.stderr(), "and its end is in the log")
    m = [use(p, "mute__echo") for _ in range(3)]
    ok(all(isinstance(x, dict) for x in m), "a server that ends at once: calls are answered with an error", m)
    ok(len(re.findall(r"server mute \(pid", p.stderr())) < 12, "it is not started as fast as it ends", p.stderr())
    is_(use(p, "good__echo", {"a": 1}), '{"a": 1}', "the others do not notice")
    m = use(p, "silent__echo", timeout_s=60)
    ok(isinstance(m, dict), "a server that never says anything: the call is answered with an error", m)
    m = use(p, "hush__hush", timeout_s=60)
    ok(isinstance(m, dict), "one that ends its output: likewise", m)
    ok(until(lambda: isinstance(use(p, "hush__echo"), str)), "and it is started again")
    is_(use(p, "good__echo", {"a": 2}), '{"a": 2}', "the others do not notice")
ok(until(lambda: not running(SERVER)), "nothing is left when Postern has stopped")

# ---------------------------------------------------------------- said before anything runs

config = os.path.join(tmp.name, "c.json")


def check(command, **more):
    with open(config, "w") as f:
        json.dump({"listeners": [{"address": "127.0.0.1:0"}], "identity": {"anonymous": {"tenant": "t", "roles": ["r"]}}, "policy": [],
                   "mcpServers": {"x": {"command": command, **more}}}, f)
    return subprocess.run([BINARY, "check", "-c", config], capture_output=True, text=True, timeout=60)


r = check("no-such-command-here")
is_((r.returncode, r.stderr), (3, "%s:1:134: /mcpServers/x/command: cannot execute no-such-command-here: there is no such program in PATH\n" % config), "check: a command that is not there")
r = check("./server.py")
is_((r.returncode, r.stderr), (3, "%s:1:134: /mcpServers/x/command: cannot execute %s/./server.py: Permission denied\n" % (config, tmp.name)), "check: one that may not be executed")
r = check("sh", cwd="nowhere")
is_((r.returncode, r.stderr), (3, "%s:1:134: /mcpServers/x/cwd: cannot open the directory %s/nowhere: No such file or directory\n" % (config, tmp.name)), "check: a directory that is not there")
r = check("sh")
ok(r.returncode == 0 and re.search(r"x runs /\S*/sh\n", r.stdout), "check: says what was found in PATH", r.stdout + r.stderr)
with open(config, "w") as f:
    json.dump({"listeners": [{"address": "127.0.0.1:0"}], "identity": {"anonymous": {"tenant": "t", "roles": ["r"]}}, "policy": [],
               "mcpServers": {"x": {"command": "no-such-command-here"}}}, f)
os.chmod(config, 0o644)
r = subprocess.run([BINARY, "serve", "-c", config], capture_output=True, text=True, timeout=60)
ok(r.returncode == 3 and "no such program in PATH" in r.stderr and r.stdout == "", "serve: nothing is served then", r.stderr)
done()
