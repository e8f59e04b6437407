#!/usr/bin/env python3
"""A role whose syscall list is wrong must notice at start, and then nothing is served (tests/sandbox/leaky.c)."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from pki import Pki, secret_write
from postern import is_, ok, done, with_caller

LEAKY = os.path.join(ROOT, os.environ.get("BUILD", "build"), "t", "sandbox", "leaky")

with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    os.mkdir(os.path.join(tmp, "docs"))
    gw = Pki(os.path.join(tmp, "pki")).issue("gw", dns=["gw.example"])
    secret = secret_write(os.path.join(tmp, "secret"), "s3cret")
    path = os.path.join(tmp, "postern.json")
    with open(path, "w") as f:
        json.dump(with_caller({"workers": 1, "listeners": [{"address": "127.0.0.1:0", "tls": {"cert": gw.cert, "key": gw.key}}], "admin": {"address": "127.0.0.1:0"},
                   "mcpServers": {"docs": {"builtin": "files", "root": "docs"}, "run": {"command": "cat"},
                                  "up": {"url": "http://127.0.0.1:9/mcp", "credentials": {"secret": {"file": secret}}}}}), f)
    for role in ("parent", "worker", "provider", "desk", "keeper", "broker", "elder", "bridge", "bridge_http", "stdio"):
        r = subprocess.run([LEAKY, role, path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        is_(r.returncode, 3, "%s with a leaky list: exit status 3" % role)
        is_(r.stdout, "", "%s with a leaky list: nothing is served" % role)
        want = "the parent's own jail does not stand" if role == "parent" else \
            "%s: the jail leaks, this role does not serve: the syscall list lets it open a file" % \
            {"worker": "worker-0", "provider": "provider-docs", "desk": "desk", "keeper": "keeper", "broker": "broker", "elder": "elder",
             "bridge": "bridge-run", "bridge_http": "bridge-up", "stdio": "stdio"}[role]
        ok(want in r.stderr, "%s with a leaky list: says what leaks" % role, r.stderr)
done()
