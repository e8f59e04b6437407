#!/usr/bin/env python3
"""Start: what is printed, what is refused and how, from which surroundings it works; version and health."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import BINARY, START_S, Postern, call, done, http_get, is_, ok, run, with_caller

tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
docs = os.path.join(tmp.name, "docs")
os.mkdir(docs)
with open(os.path.join(docs, "a.txt"), "w") as f:
    f.write("hello\n")
base = {"listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
        "mcpServers": {"docs": {"builtin": "files", "root": docs}}}

# --- what is printed
with Postern(dict(base, workers=2, mcpServers=dict(base["mcpServers"], up={"url": "http://127.0.0.1:9/mcp"}))) as p:
    ok(re.fullmatch(r"listening http 127\.0\.0\.1:\d+/mcp", p.stdout_lines[0]), "first the listener with its real port", p.stdout_lines)
    ok(re.fullmatch(r"admin http 127\.0\.0\.1:\d+", p.stdout_lines[1]), "then the admin listener")
    is_(p.stdout_lines[2:4], ["serving docs (files %s)" % docs, "serving up (http://127.0.0.1:9/mcp)"], "then what is served")
    is_(p.stdout_lines[-1], "ready", "and last that it is ready")
    is_(call(p, "server/discover").status, 200, "a call is answered right away")
    r = http_get(p.admin_port, "/ready")
    is_((r.status, json.loads(r.body)["ready"]), (200, True), "/ready says so right away")
    is_(len(p.children()), 6, "two workers, one provider, one bridge, the elder, one desk")

    # --- health, against this one
    h = subprocess.run([BINARY, "health", "--address", "127.0.0.1:%d" % p.admin_port], capture_output=True, text=True, timeout=120)
    is_((h.returncode, h.stdout), (0, "healthy: 127.0.0.1:%d\n" % p.admin_port), "health: yes")
    fixed = dict(base, admin={"address": "127.0.0.1:%d" % p.admin_port})
    h = run("health", config=fixed)
    is_(h.returncode, 0, "health -c takes the address from the configuration")
    h = subprocess.run([BINARY, "health", "--address", "127.0.0.1:%d" % p.port], capture_output=True, text=True, timeout=120)
    is_((h.returncode, "it does not say 200" in h.stderr), (1, True), "health of the data listener: no")

    # --- a second one at the same address
    second = run("serve", config=dict(base, listeners=[{"address": "127.0.0.1:%d" % p.port}]))
    is_(second.returncode, 3, "a second Postern at the same address: exit status 3")
    ok("cannot listen on 127.0.0.1:%d: Address " % p.port in second.stderr and "in use" in second.stderr, "and it says which address", second.stderr)
    admin_port = p.admin_port
h = subprocess.run([BINARY, "health", "--address", "127.0.0.1:%d" % admin_port], capture_output=True, text=True, timeout=120)
is_((h.returncode, "nobody listens there" in h.stderr), (1, True), "health when it is gone: no")
with socket.create_server(("127.0.0.1", 0)) as silent:
    h = subprocess.run([BINARY, "health", "--address", "127.0.0.1:%d" % silent.getsockname()[1]], capture_output=True, text=True, timeout=120)
    is_((h.returncode, "no answer" in h.stderr), (1, True), "health of something that says nothing: no")
is_(run("health", "--address", "nonsense").returncode, 2, "health with a wrong address: usage")
is_(run("health", "--nonsense").returncode, 2, "health with a wrong option: usage")
h = run("health", config={k: v for k, v in base.items() if k != "admin"})
is_((h.returncode, "no \"admin\"" in h.stderr), (3, True), "health with a configuration without admin listener: says so")

# --- surroundings
rel = os.path.join(tmp.name, "rel.json")
with open(rel, "w") as f:
    json.dump(with_caller(dict(base, mcpServers={"docs": {"builtin": "files", "root": "docs"}})), f)
with Postern(rel, cwd="/") as p:
    is_(call(p, "resources/list").message()["result"]["resources"][0]["name"], "a.txt", "a relative root counts from the configuration's directory")
with Postern(base, wrap=["env", "-i"]) as p:
    is_(call(p, "server/discover").status, 200, "an empty environment is enough")
with Postern(base, wrap=["sh", "-c", 'exec 0<&-; exec 7</dev/null 9</dev/null; exec "$@"', "sh"]) as p:
    is_(call(p, "server/discover").status, 200, "neither a closed standard input nor foreign descriptors disturb it")
# As `> log 2>&1` has it, one file that is not opened for appending: what is printed overwrites nothing of the log.
with open(rel + ".log", "w+") as log:
    log.write("said before\n" * 20)
    log.flush()
    os.lseek(log.fileno(), 0, os.SEEK_SET)
    proc = subprocess.Popen([BINARY, "serve", "-c", rel], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + START_S
        while "\nready\n" not in open(log.name).read() and proc.poll() is None and time.monotonic() < ends:
            time.sleep(0.02)
    finally:
        proc.terminate()
        proc.wait(START_S)
    text = open(log.name).read()
    ok(text.startswith("said before\n" * 20) and "\nready\n" in text and "info parent: stopping" in text, "output and log in one file: nothing is overwritten", text)
    subprocess.run(["echo", "said after"], stdout=log)
    is_(open(log.name).read(), text + "said after\n", "nor by the next command of a script")
with Postern(base) as p:
    missing = json.loads(http_get(p.admin_port, "/ready").body)["missing"]
    is_([line.split(":")[0] for line in p.stdout_lines if line.startswith("missing ")], ["missing " + m for m in missing],
        "what the kernel lacks is printed, as /ready says it")
    is_(all(" warning parent: " in line for line in p.stderr().splitlines()[:len(missing)]), True, "and logged")
if missing:
    r = run("serve", config=dict(base, strict=True))
    is_((r.returncode, r.stdout), (3, ""), "strict: it does not start where something is missing (here: %s)" % ", ".join(missing))
    ok('"strict": true' in r.stderr, "and says why", r.stderr)
else:
    with Postern(dict(base, strict=True)) as p:
        is_(call(p, "server/discover").status, 200, "strict: it starts where the kernel has everything")

# --- what is refused
r = run("serve", config='{"listeners": [{"address": "127.0.0.1:0"}], "mcpServer": {}}')
is_(r.returncode, 1, "a wrong configuration: exit status 1")
ok(r.stderr.startswith(r.config_path + ":1:") and "mcpServers" in r.stderr, "with place and suggestion", r.stderr)
is_(r.stdout, "", "and nothing on standard output")
checked = run("check", config='{"listeners": [{"address": "127.0.0.1:0"}], "mcpServer": {}}')
is_(r.stderr.replace(r.config_path, "FILE"), checked.stderr.replace(checked.config_path, "FILE"), "the same words as `check`")
is_(run("serve", "-c", "/nonexistent/postern.json").returncode, 3, "an unreadable configuration: exit status 3")
r = run("serve", config=dict(base, mcpServers={"docs": {"builtin": "files", "root": "/nonexistent"}}))
is_(r.returncode, 3, "a missing root: exit status 3")
ok(re.search(r":\d+:\d+: /mcpServers/docs/root: cannot open the directory /nonexistent: No such file", r.stderr), "names the member and the directory", r.stderr)
r = subprocess.run(["sh", "-c", "ulimit -n 200; exec \"$0\" serve -c \"$1\"", BINARY, rel], capture_output=True, text=True, timeout=120)
is_(r.returncode, 3, "too low a limit on open files: exit status 3")
ok(re.search(r"a worker needs \d+ open files and the hard limit is \d+; raise it", r.stderr), "says what it needs and what it has", r.stderr)
is_(run("serve").returncode, 2, "serve without a configuration: usage")
is_(run("nonsense").returncode, 2, "an unknown command: usage")
is_(run().returncode, 2, "no command: usage")
is_(run("--help").returncode, 0, "--help is help")

# --- version
v = run("version")
ok(re.fullmatch(r"postern \d+\.\d+\.\d+\nMCP revisions: 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26\nbuild [0-9a-f]{40}\n", v.stdout), "version", v.stdout)
j = json.loads(run("version", "--json").stdout)
is_((j["protocols"], j["build"] in v.stdout), (["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"], True), "version --json says the same")
is_(run("version", "--nonsense").returncode, 2, "version with a wrong option: usage")
tmp.cleanup()
done()
