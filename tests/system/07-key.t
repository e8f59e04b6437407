#!/usr/bin/env python3
"""`postern key new`: a key and the line that lets its holder in. The line goes into a configuration as it is printed, and the key opens that door only."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import BINARY, Postern, call, done, is_, ok, run

r = run("key", "new")
lines = r.stdout.split("\n")
is_((r.returncode, len(lines), lines[-1]), (0, 3, ""), "key new: two lines, exit 0")
key, line = lines[0], json.loads(lines[1])
ok(re.fullmatch(r"postern_[A-Za-z0-9_-]{43}", key), "the first is the key")
is_(list(line), ["id", "sha256", "tenant", "roles"], "the second is what a configuration wants")
is_(line["sha256"], hashlib.sha256(key.encode()).hexdigest(), "with the SHA-256 of the key")
is_((line["id"], line["tenant"], line["roles"]), ("key-" + line["sha256"][:8], "local", ["reader"]), "and an id, a tenant and a role to begin with")
ok(key[8:] not in lines[1] and key[8:] not in r.stderr and len(r.stderr.splitlines()) == 2, "standard error says what they are, and not the key", r.stderr)
others = {run("key", "new").stdout.split("\n")[0] for _ in range(20)}
is_(len(others - {key}), 20, "each is another")
r = run("key", "new", "--id", "ci", "--role", "a.b:c_d-9", "--tenant", "acme", "--role", "writer")
is_(json.loads(r.stdout.split("\n")[1]) | {"sha256": ""}, {"id": "ci", "sha256": "", "tenant": "acme", "roles": ["a.b:c_d-9", "writer"]}, "with an id, tenant and roles")

for args in ([], ["old"], ["new", "-x"], ["new", "ci"], ["new", "--id"], ["new", "--id", ""], ["new", "--id", "a b"], ["new", "--tenant", "é"],
             ["new", "--role", "a" * 65], ["new", "--role", '"'], ["new", "--role", "r", "--id"]):
    r = run("key", *args)
    ok(r.returncode == 2 and "usage: postern key new" in r.stderr and r.stdout == "", "usage error, exit 2: key %s" % " ".join(args), r.stderr)
for args in (["--help"], ["new", "-h"]):
    r = run("key", *args)
    ok(r.returncode == 0 and r.stdout.startswith("usage: postern key new") and r.stderr == "", "key %s: exit 0, on stdout" % " ".join(args))
with open("/dev/full", "w") as full:
    r = subprocess.run([BINARY, "key", "new"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
ok(r.returncode == 3 and "the key is lost" in r.stderr, "nowhere to print: exit 3", r.stderr)

with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    with open(os.path.join(tmp, "a.txt"), "w") as f:
        f.write("a\n")
    config = {"workers": 1, "listeners": [{"address": "127.0.0.1:0"}], "mcpServers": {"docs": {"builtin": "files", "root": tmp}},
              "identity": {"keys": [line]}, "policy": [{"allow": "docs__*", "roles": ["reader"]}]}
    with Postern(config) as p:
        with_key = lambda k: call(p, "tools/list", headers=[("Authorization", "Bearer " + k)])
        a = with_key(key)
        ok(a.status == 200 and any(t["name"] == "docs__read_file" for t in a.message()["result"]["tools"]), "the key opens the door that its line is in", a)
        is_(call(p, "tools/list").status, 401, "who has none stays outside")
        is_([with_key(k).status for k in (others.pop(), key[:-1], key + "A", key[8:], line["sha256"])], [401] * 5, "and who has another, a part of it, or its hash")
        new, line = run("key", "new").stdout.split("\n")[:2]
        ok(p.reload(dict(config, identity={"keys": [json.loads(line)]})), "a reload")
        is_((with_key(key).status, with_key(new).status), (401, 200), "after a reload: the line that is gone lets nobody in, the new one does")
        ok(key not in p.stderr() and new not in p.stderr(), "no key is in the log", p.stderr())
done()
