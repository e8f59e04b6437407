#!/usr/bin/env python3
"""The image starts and serves under exactly what each deployment file says: user, mounts, root, capabilities, seccomp profile, command and
health check are read from the file and given to runc (compose, both Kubernetes files, the systemd unit's filter) or podman (Quadlet).

Each container has a network of its own with nothing but loopback, so the ports are those of the files. What needs the real manager (a kubelet, a
docker daemon, systemd as process 1) is not run here."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import box
from postern import ROOT, diag, done, is_, ok, run, skip, skip_all

try:
    import yaml
except ImportError:
    skip_all("python3-yaml is not installed (make test does it)")
RUNC = shutil.which("runc") or "/usr/sbin/runc"
if not os.access(RUNC, os.X_OK):
    skip_all("runc is not installed")
scratch = box.Box()
r = subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "true"], capture_output=True, text=True)
if r.returncode != 0:
    skip_all("this host lets us make no namespaces, so no container either: " + r.stderr.strip())
DEPLOY = os.path.join(ROOT, "build", "deploy")
at = lambda *names: os.path.join(scratch.dir, *names)
IMAGE = box.image_config()
scratch.write("srv/guide.txt", "mind the tide\n")
os.mkdir(at("rootfs"))
layer = box.manifests()[box.arch()]["layer"]
with tarfile.open(os.path.join(box.IMAGE, "oci", "blobs", layer.replace(":", "/"))) as tar:
    tar.extractall(at("rootfs"), numeric_owner=True)
for name in ("proc", "dev"):
    os.mkdir(at("rootfs", name))
os.mkdir(at("rootfs", "srv", "docs"))
PROFILE = json.load(open(box.PROFILE))

ASK = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "docs__read_file", "arguments": {"path": "guide.txt"}, "_meta": {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}})


KEY, LINE = run("key", "new").stdout.splitlines()
HASH = json.loads(LINE)["sha256"]


def with_key(config):
    """As a site completes it (docs/appliance/deploy.md): the hash of its own key where the file has that of nobody."""
    return json.loads(json.dumps(config).replace("0" * 64, HASH))


def tool_call(pid, url, host=None, key=None):
    """From inside the container's network: status and body."""
    r = subprocess.run(["nsenter", "--target", str(pid), "--net", "curl", "-sS", "-m", "60", "-w", "\n%{http_code}", url, "-H", "Content-Type: application/json",
                        "-H", "Accept: application/json, text/event-stream", "-H", "MCP-Protocol-Version: 2026-07-28", "-H", "Mcp-Method: tools/call",
                        "-H", "Mcp-Name: docs__read_file", *(["-H", "Host: " + host] if host else []),
                        *(["-H", "Authorization: Bearer " + key] if key else []), "-d", ASK], capture_output=True, text=True, timeout=120)
    return (r.stdout + r.stderr).rpartition("\n")[::2]


def judge(name, pid, inside, health, url, hosts=(), key=None):
    """It runs, well, locked down, and answers."""
    ok(box.until(lambda: inside(*health).returncode == 0), "%s: its health check says well" % name, lambda: inside(*health).stderr)
    body, status = tool_call(pid, url, hosts[0][0] if hosts else None, key)
    ok(status == "200" and "mind the tide" in body, "%s: a tool call is answered" % name, (status, body))
    for host, want in hosts:
        is_(tool_call(pid, url, host, key)[1], want, "%s: asked as %s" % (name, host))
    for other in (None, KEY[:-1] + ("a" if KEY[-1] != "a" else "b")) if key else ():
        is_(tool_call(pid, url, hosts[0][0], other)[1], "401", "%s: asked %s" % (name, "with another key" if other else "without the key"))
    rows = [box.status_of(p) for p in box.family(pid)]
    is_({(r["Uid"].split()[1], r["CapBnd"], r["NoNewPrivs"], r["Seccomp"]) for r in rows}, {("65532", "0" * 16, "1", "2")},
        "%s: user 65532, no capabilities, no new privileges, filtered" % name)
    is_(len(rows), 5, "%s: parent, two workers, files, desk" % name)
    with open("/proc/%d/mountinfo" % pid) as f:
        root = [line.split()[5] for line in f if line.split()[4] == "/"]
    is_([m.split(",")[0] for m in root], ["ro"], "%s: its root is read-only" % name)
    # Memory that is really used, with code, far below the limit.
    used = 0
    for p in box.family(pid):
        with open("/proc/%d/smaps_rollup" % p) as f:
            used += int(re.search(r"^Pss: +(\d+)", f.read(), re.M)[1]) * 1024
    diag("%s: %d KiB resident" % (name, used // 1024))
    ok(used < 96 << 20, "%s: what it uses is below what it asks for" % name, used)


def in_runc(name, command, user, mounts, readonly, seccomp, health, url, config, hosts=(), key=None):
    """One container as the file says. mounts: container path -> what of ours stands for it."""
    folder = at(name)
    os.makedirs(os.path.join(folder, "etc"))
    scratch.write(name + "/etc/postern.json", json.dumps(config))
    what = {"config": os.path.join(folder, "etc"), "file": os.path.join(folder, "etc", "postern.json"), "docs": at("srv")}
    none = {k: [] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": user[0], "gid": user[1]}, "args": command, "env": [], "cwd": "/",
                        "capabilities": none, "noNewPrivileges": True},
            "root": {"path": at("rootfs"), "readonly": readonly},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"]},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "noexec", "mode=755", "size=64k"]}] +
                      [{"destination": where, "type": "bind", "source": what[kind], "options": ["bind", "ro", "nosuid", "nodev", "noexec"]}
                       for where, kind in mounts.items()],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")], "seccomp": seccomp}}, f)
    runc = [RUNC, "--root", at("state")]
    ident = "postern-%s-%d" % (name, os.getpid())
    log = open(os.path.join(folder, "log"), "w+")
    p = subprocess.Popen(runc + ["run", "--bundle", folder, ident], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    atexit.register(lambda: p.poll() is not None or subprocess.run(runc + ["delete", "--force", ident], capture_output=True))
    said = lambda: open(log.name).read()
    if not ok(box.until(lambda: p.poll() is not None or "\nready\n" in said()) and p.poll() is None, "%s: it starts" % name, said):
        return
    pid = json.loads(subprocess.run(runc + ["state", ident], capture_output=True, text=True).stdout)["pid"]
    inside = lambda *args: subprocess.run(runc + ["exec", ident, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    judge(name, pid, inside, health, url, hosts, key)
    subprocess.run(runc + ["kill", ident, "TERM"], check=True)
    is_(p.wait(30), 0, "%s: SIGTERM ends it with status 0" % name)


read = lambda *names: open(os.path.join(DEPLOY, *names), encoding="utf-8").read()
CONFIG = json.loads(read("postern.json"))
LOCAL = "http://127.0.0.1:8080/mcp"
START = IMAGE["Entrypoint"] + IMAGE["Cmd"]

# docker compose
c = yaml.safe_load(read("compose", "compose.yaml"))["services"]["postern"]
kinds = {"./postern.json": "file", "./docs": "docs"}
in_runc("compose", c.get("command", START), tuple(map(int, c["user"].split(":"))),
        {v.split(":")[1]: kinds[v.split(":")[0]] for v in c["volumes"]}, c["read_only"], PROFILE, c["healthcheck"]["test"][1:], LOCAL, CONFIG)

# Kubernetes
for name, path, container in (("service", ("spec", "template", "spec"), "containers"), ("sidecar", ("spec",), "initContainers")):
    things = list(yaml.safe_load_all(read("kubernetes", "postern.yaml" if name == "service" else "sidecar.yaml")))
    spec = things[2]
    for step in path:
        spec = spec[step]
    k = next(k for k in spec[container] if k["name"] == "postern")
    s = dict(spec["securityContext"], **k["securityContext"])
    in_runc(name, k.get("command", IMAGE["Entrypoint"]) + k.get("args", IMAGE["Cmd"]), (s["runAsUser"], s["runAsGroup"]),
            {m["mountPath"]: m["name"] for m in k["volumeMounts"]}, s["readOnlyRootFilesystem"], PROFILE, k["livenessProbe"]["exec"]["command"], LOCAL,
            with_key(json.loads(things[1]["data"]["postern.json"])),
            *([[("postern.postern.svc:8080", "200"), ("stranger.example:8080", "421")], KEY] if name == "service" else []))

# The systemd unit's list of calls, as systemd makes a filter of it: names, no arguments. What the container runtime needs is added.
calls = re.search(r"^SystemCallFilter=(.*)$", read("systemd", "postern.service"), re.M)[1].split()
listing = open(os.path.join(ROOT, "build", "profile", "listing.txt")).read()
runtime = re.findall(r"^(\w+)  \S+/\S+(?:  \(.*)?\n(?:    .*\n)*?    runtime ", listing, re.M)
in_runc("systemd", START, (65532, 65532), {"/etc/postern": "config", "/srv/docs": "docs"}, True,
        {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
         "syscalls": [{"names": sorted(set(calls + runtime)), "action": "SCMP_ACT_ALLOW"},
                      {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]},
        ["/postern", "health", "--address", "127.0.0.1:9090"], LOCAL, CONFIG)

# podman Quadlet: the options that its generator makes of the keys.
OPTION = {"User": None, "Group": None, "Image": None, "Network": None, "ReadOnly": "--read-only", "DropCapability": "--cap-drop=",
          "NoNewPrivileges": "--security-opt=no-new-privileges", "SeccompProfile": None, "Volume": None, "PodmanArgs": None, "ContainerName": "--name=",
          "HealthCmd": "--health-cmd=", "HealthInterval": None, "HealthTimeout": "--health-timeout=", "HealthRetries": "--health-retries=",
          "HealthStartPeriod": "--health-start-period=", "HealthOnFailure": None}
if shutil.which("podman") is None:
    skip("quadlet", "podman is not installed (make test does it)")
else:
    os.mkdir(at("quadlet"))
    scratch.write("quadlet/postern.json", json.dumps(CONFIG))
    runtime = RUNC
    with open("/proc/self/status") as f:
        capable = int(next(line for line in f if line.startswith("CapEff")).split()[1], 16)
    if not capable >> 24 & 1:    # a host that may not raise limits cannot set those that podman always asks for
        runtime = at("quadlet", "runc")
        scratch.write("quadlet/runc", '#!/bin/sh\nprevious=\nfor a; do\n    case $previous in --bundle | -b) jq "del(.process.rlimits) | del(.process.oomScoreAdj)" '
                      '"$a/config.json" >"$a/new" && cat "$a/new" >"$a/config.json" ;;\n    --process | -p) jq "del(.rlimits) | del(.oomScoreAdj)" '
                      '"$a" >"$a.new" && cat "$a.new" >"$a" ;; esac\n    previous=$a\ndone\nexec %s "$@"\n' % RUNC, 0o755)
    scratch.write("quadlet/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}')
    podman = ["podman", "--root", at("storage"), "--runroot", at("podman"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
              "--events-backend", "none", "--runtime", runtime]
    do = lambda *args: subprocess.run([*podman, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    version = json.load(open(os.path.join(box.IMAGE, "source.json")))["version"]
    r = do("pull", "--quiet", "--signature-policy", at("quadlet", "policy.json"), "oci:%s:%s" % (os.path.join(box.IMAGE, "oci"), version))
    if not ok(r.returncode == 0, "quadlet: podman takes the image", r.stderr):
        done()
    image = r.stdout.strip()
    part = re.search(r"^\[Container\]\n(.*?)\n\n", read("podman", "postern.container"), re.S | re.M)[1]
    keys = [line.partition("=")[::2] for line in part.split("\n") if not line.startswith("#")]
    is_(sorted({k for k, _ in keys} - set(OPTION)), [], "quadlet: every key is turned into an option")
    ours = {"/etc/postern/postern.json": at("quadlet", "postern.json"), "/srv/docs": at("srv")}
    value = dict(keys)
    options = ["--user=%s:%s" % (value["User"], value["Group"]), "--network=none", "--cgroupns=host", "--health-interval=disable",
               "--security-opt=seccomp=" + box.PROFILE, *value["PodmanArgs"].split()]
    for key, v in keys:
        if key == "Volume":
            options.append("--volume=%s:%s" % (ours[v.split(":")[0]], v.partition(":")[2]))
        elif OPTION[key]:
            options.append(OPTION[key] + (v if OPTION[key].endswith("=") else ""))
    r = do("run", "--detach", *options, image)
    ident = r.stdout.strip()
    if ok(r.returncode == 0, "quadlet: it starts", r.stderr):
        atexit.register(lambda: do("rm", "--force", "--time", "0", ident))
        pid = int(do("inspect", "--format", "{{.State.Pid}}", ident).stdout)
        judge("quadlet", pid, lambda *args: do("exec", ident, *args), json.loads(value["HealthCmd"]), LOCAL)
        is_(do("healthcheck", "run", ident).returncode, 0, "quadlet: podman's own health check says well")
        with open("/proc/%d/cgroup" % pid) as f:
            groups = dict(line.rstrip("\n").split(":", 2)[1:] for line in f)
        limits = []
        for controller, name in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max"), ("", "memory.max"), ("", "pids.max")):
            path = "/sys/fs/cgroup/%s%s/%s" % (controller, groups.get(controller, "/-"), name)
            if os.path.exists(path):
                limits.append(open(path).read().strip())
        is_(limits, [str(288 << 20), "64"], "quadlet: the limits of memory and processes are in force")
        do("stop", "--time", "20", ident)
        is_(do("inspect", "--format", "{{.State.ExitCode}}", ident).stdout.strip(), "0", "quadlet: podman stop ends it with status 0")
done()
