#!/usr/bin/env python3
"""`postern budget`: the table adds up, says the same to people and to programs, follows the configuration, and is what the
running processes have reserved."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki, secret_write  # noqa: E402
from stdio_client import Stdio  # noqa: E402
from postern import BINARY, INSTRUMENTED, Postern, done, is_, ok, skip, with_caller  # noqa: E402


def run(*args):
    return subprocess.run([BINARY, "budget", *args], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def parts(table, role):
    return [p for p in table["parts"] if p["role"] == role]


def row(part, what):
    return next(r for r in part["rows"] if r["what"] == what)


with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
    path = os.path.join(tmp, "c.json")
    base = {"workers": 2, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
            "mcpServers": {"docs": {"builtin": "files", "root": "."}, "up": {"url": "http://127.0.0.1:9/"}}}

    def table(**more):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(with_caller({**base, **more}), f)
        r = run("-c", path, "--json")
        ok(r.returncode == 0 and r.stderr == "", "budget --json: %s" % json.dumps(more), r.stderr)
        return json.loads(r.stdout)

    t = table()
    is_([p["role"] for p in t["parts"]], ["worker", "provider", "bridge", "elder", "desk", "parent", "shared by all"], "every kind of process is there")
    is_(t["parts"][0]["processes"], 2, "two workers")
    is_(t["parts"][1]["name"], "docs", "the provider by name")
    for p in t["parts"]:
        ok(all(r["each"] * r["count"] == r["bytes"] for r in p["rows"]) and sum(r["bytes"] for r in p["rows"]) == p["bytes"] > 0,
           "%s: the rows add up" % p["role"], p)
    is_(sum(p["bytes"] * max(p["processes"], 1) for p in t["parts"]), t["total"], "the total is the sum of all processes")
    is_(sum(p["bytes"] * max(p["processes"], 1) * p["generations"] for p in t["parts"]), t["reload_total"], "and while reloads overlap, of all generations")
    is_(row(t["parts"][0], "client connections")["count"], 1024, "a count of the configuration")
    is_(row(t["parts"][0], "upstream connections")["count"], 128, "links to the one upstream")

    text = run("-c", path).stdout
    numbers = [int(m) for m in re.findall(r"(?m)^  .*?(\d+)$", text)]
    want = [n for p in t["parts"] for n in [r["bytes"] for r in p["rows"]] + [p["bytes"]] + ([p["bytes"] * p["processes"]] if p["processes"] > 1 else [])]
    is_(numbers, want, "the table for people has the same figures")
    ok(re.search(r"(?m)^total, worst case +%d$" % t["total"], text), "and the same total", text)
    ok(len({len(line) for line in text.splitlines() if line and line[-1].isdigit()}) == 1, "in columns", text)

    more = table(memory={"connections": 2048})
    ok(row(more["parts"][0], "client connections")["bytes"] == 2 * row(t["parts"][0], "client connections")["bytes"], "twice the connections, twice their bytes")
    more = table(memory={"large": 32})
    ok(more["total"] - t["total"] >= 2 * 16 * (2 << 20), "16 more large buffers in two workers")
    ok(table(workers=4)["total"] > t["total"], "more workers cost more")
    del base["admin"]
    ok(not parts(table(), "desk"), "no admin listener, no desk")
    big = table(workers=64, memory={"connections": 65536, "requests": 4096, "listens": 4096, "large": 512, "body": "8m", "reply": "16m",
                                    "tokens": 1048576, "links": 4096},
                mcpServers={"s%d" % i: {"builtin": "files", "root": "."} if i < 16 else {"url": "http://127.0.0.1:9/"} for i in range(32)})
    ok(big["total"] > 64 * (8 << 30) and len(big["parts"]) == 36, "the largest configuration still adds up: %d" % big["total"])

    for p in t["parts"][:-1]:
        ok(row(p, "static variables")["bytes"] <= 416 << 10, "%s: static variables count for every process, so what only one of them needs is mapped" % p["role"])
    is_(row(t["parts"][-2], "configuration")["count"], 3, "a configuration of each generation")
    ok(row(t["parts"][-2], "configuration")["each"] < 1 << 20, "in as much memory as this one needs", row(t["parts"][-2], "configuration"))
    config = with_caller(base)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    s = json.loads(run("-c", path, "--stdio", "--json").stdout)
    is_([p["role"] for p in s["parts"]], ["worker", "provider", "bridge", "elder", "stdio", "parent", "shared by all"], "--stdio: the processes of `postern stdio`")
    is_((s["parts"][0]["processes"], row(s["parts"][0], "client connections")["count"], s["total"]), (1, 1, s["reload_total"]), "one worker, one client, no reload")
    del config["listeners"]
    config["identity"] = {"stdio": {"tenant": "t", "roles": ["r"]}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    is_(json.loads(run("-c", path, "--json").stdout)["parts"], s["parts"], "a configuration without listeners is for that only")
    config["listeners"] = base["listeners"]
    config["identity"] = {"keys": [{"id": "k", "sha256": "0" * 64, "tenant": "t"}]}
    config["policy"] = []
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    r = run("-c", path, "--stdio")
    ok(r.returncode == 1 and r.stdout == "" and "who calls over stdio is not said" in r.stderr, "which one that names nobody is not", r.stderr)

    with open(path, "w", encoding="utf-8") as f:
        f.write("{}")
    r = run("-c", path)
    ok(r.returncode == 1 and r.stdout == "" and '"listeners" is missing' in r.stderr, "a wrong configuration: exit 1 and its complaints", r.stderr)
    is_(run("-c", os.path.join(tmp, "none")).returncode, 3, "no such file: exit 3")


def kilobytes(pid, name):
    with open("/proc/%s/status" % pid, encoding="utf-8") as f:
        return int(re.search(r"(?m)^%s:\s+(\d+) kB$" % name, f.read()).group(1))


def reserved(pid, t, configuration):
    """One process: what the kernel says it has reserved is what the table says. Its role."""
    with open("/proc/%s/comm" % pid, encoding="utf-8") as f:
        role = f.read().split("-")[0].strip()
    part = parts(t, role)[0]
    least = part["bytes"] - row(part, "stack, at most")["bytes"]
    if role == "keeper":    # memory that counts as shared, where the kernel has secret memory
        least -= row(part, "private keys")["bytes"]
    have = 1024 * (kilobytes(pid, "VmData") - kilobytes(pid, "VmStk"))
    if INSTRUMENTED:
        skip("%s has reserved what the table says" % role, "a sanitizer's or valgrind's own memory hides it")
    else:
        ok(least <= have <= least + configuration + (256 << 10), "%s has reserved what the table says" % role,
           "%d bytes of its own, %d in the table, %d of configuration" % (have, least, configuration))
    return role


# The kernel's own figure: private writable memory of each process, less its stack, is what the table says. On top come the parent's copy of
# the configuration, inherited and never written, and a little that the C library keeps.
with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
    os.chmod(tmp, 0o755)
    gw = Pki(tmp).issue("gw", dns=["gw.example"])
    with Postern({"workers": 2, "listeners": [{"address": "127.0.0.1:0", "tls": {"cert": gw.cert, "key": gw.key}}],
                  "mcpServers": {"docs": {"builtin": "files", "root": tmp},
                                 "up": {"url": "http://127.0.0.1:9/", "credentials": {"secret": {"file": secret_write(os.path.join(tmp, "s"), "x")}}}}}) as p:
        t = json.loads(run("-c", p.config_path, "--json").stdout)
        configuration = row(parts(t, "parent")[0], "configuration")["each"] + row(parts(t, "parent")[0], "certificates and key sets, at most")["each"]
        with open("/proc/%d/task/%d/children" % (p.pid, p.pid), encoding="utf-8") as f:
            children = f.read().split()
        seen = {reserved(pid, t, configuration) for pid in children}
        is_(seen, {"worker", "provider", "bridge", "desk", "keeper", "broker", "elder"}, "every kind of process was looked at")

with Stdio({"mcpServers": {"docs": {"builtin": "files", "root": "."}}}) as p:
    p.request("tools/list")
    t = json.loads(run("-c", p.config_path, "--json").stdout)
    seen = {reserved(pid, t, row(parts(t, "parent")[0], "configuration")["each"]) for pid in p.children().values()}
    is_(seen, {"worker", "provider", "elder", "stdio"}, "and those of `postern stdio`")

for args in ([], ["--json"], ["--stdio"], ["-c"], ["--jsn", "-c", "x"]):
    r = run(*args)
    ok(r.returncode == 2 and "usage: postern budget" in r.stderr, "usage error: budget %s" % " ".join(args), r.stderr)
is_(run("--help").returncode, 0, "--help")
done()
