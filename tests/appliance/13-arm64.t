#!/usr/bin/env python3
"""The arm64 half of the image on a real arm64 kernel: Debian's, in qemu, with nothing in it but the image and arm64_init.c.

Every system call is tried in every role there, a tool is called, and a running worker that is made to call execve dies of it."""
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from postern import diag, done, is_, ok, skip_all

os.chdir(ROOT)
if shutil.which("qemu-system-aarch64") is None:
    skip_all("qemu-system-aarch64 is not installed (Debian package qemu-system-arm)")
fetched = subprocess.run(["sh", "sbom/fetch.sh", "image/kernel.lock", "build/appliance/debs"], capture_output=True, text=True)
if fetched.returncode != 0:
    skip_all("Debian's arm64 kernel cannot be had here: " + fetched.stderr.strip().replace("\n", " "))
debs = [line.split()[4].rpartition("/")[2] for line in open("image/kernel.lock") if not line.startswith("#")]

CONFIG = {"listeners": [{"address": "127.0.0.1:8080", "path": "/mcp"}], "admin": {"address": "127.0.0.1:9090"}, "names": "plain",
          "strict": True, "workers": 1, "mcpServers": {"docs": {"builtin": "files", "root": "/srv"}},
          "identity": {"anonymous": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*", "roles": ["reader"]}]}


class Cpio:
    """An initrd, written by hand so that a file which its builder may not read (mode 0111) is no trouble."""

    def __init__(self):
        self.data, self.inode = bytearray(), 0

    def add(self, name, mode, data=b"", uid=0):
        self.inode += 1
        head = [self.inode, mode, uid, uid, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        self._padded(b"070701" + b"".join(b"%08X" % n for n in head) + name.encode() + b"\0")
        self._padded(data)

    def _padded(self, data):
        self.data += data + bytes(-len(data) % 4)

    def done(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def blob(digest):
    return os.path.join("build/image/oci/blobs", digest.replace(":", "/"))


with tempfile.TemporaryDirectory() as tmp:
    package = subprocess.run(["dpkg-deb", "--fsys-tarfile", os.path.join("build/appliance/debs", debs[0])], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", tmp, "--wildcards", "./boot/vmlinuz-*"], input=package.stdout, check=True)
    kernel = os.path.join(tmp, "boot", os.listdir(os.path.join(tmp, "boot"))[0])

    rd = Cpio()
    with tarfile.open(blob(json.load(open("build/image/manifests.json"))["arm64"]["layer"])) as layer:
        for m in layer:
            kind = 0o040000 if m.isdir() else 0o100000
            rd.add(m.name, kind | m.mode, layer.extractfile(m).read() if m.isfile() else b"", m.uid)
    for name in ("proc", "dev"):
        rd.add(name, 0o040755)
    rd.add("etc/postern/postern.json", 0o100644, json.dumps(CONFIG).encode())
    rd.add("srv/hello.txt", 0o100644, b"hello from the image\n")
    for name, path in (("init", "build/arm64/t/arm64_init"), ("calls", "build/arm64/t/sandbox/calls"), ("walls", "build/arm64/t/sandbox/walls")):
        rd.add(name, 0o100755, open(path, "rb").read())
    initrd = os.path.join(tmp, "initrd")
    open(initrd, "wb").write(rd.done())

    machine = ["qemu-system-aarch64", "-M", "virt", "-cpu", "max", "-m", "512", "-nographic", "-nodefaults", "-serial", "stdio",
               "-monitor", "none", "-net", "none", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
               "-append", "console=ttyAMA0 quiet panic=-1"]
    try:
        run = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        text = run.stdout.decode("utf-8", "replace").replace("\r", "")
        complaint = run.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as e:
        text, complaint = (e.stdout or b"").decode("utf-8", "replace").replace("\r", ""), "it did not end within 300 s"

said, status, label = {}, {}, "boot"
for line in text.splitlines():
    m = re.fullmatch(r"== ([a-z ]+?)(?: status (-?\d+))?", line)
    if m and m[2] is not None:
        status[m[1]] = int(m[2])
    elif m:
        label = m[1]
    else:
        said.setdefault(label, []).append(line)


def lines(label):
    return said.get(label, [])


def why(label):
    return lambda: "\n".join(lines(label)[-30:] or text.splitlines()[-30:]) + complaint


ok("end well" in said or "== end well" in text, "the machine boots, does its work and ends", lambda: text[-3000:] + complaint)
for name, what in (("calls", "every system call in every role: what is listed passes, what is not is killed"),
                   ("walls", "the proof of the jail sees each wall that is missing")):
    is_(status.get(name), 0, what)
    good = [x for x in lines(name) if re.match(r"ok \d", x)]
    plan = [x for x in lines(name) if x.startswith("1..")]
    bad = [x for x in lines(name) if re.match(r"not ok|# SKIP|# ", x)]
    ok(plan == ["1..%d" % len(good)] and len(good) > 10, "… %d tests, none failed" % len(good), lambda: "\n".join(bad) or why(name)())
is_(status.get("version"), 0, "the binary runs")
ok(lines("version")[:1] == ["postern " + json.load(open("build/image/source.json"))["version"]], "and is this version", why("version"))
ok("ready" in lines("serve") and not any(x.startswith("missing ") for x in lines("serve")), "it serves, with every wall up (strict)", why("serve"))
is_((status.get("health"), lines("health")[:1]), (0, ["healthy: 127.0.0.1:9090"]), "the image's health check: well")
for label in ("first call", "second call"):
    ok("HTTP/1.1 200 OK" in lines(label) and any('"content":"hello from the image\\n"' in x for x in lines(label)),
       "a tool call is answered: the %s" % label, why(label))
rows = [x for x in lines("processes") if x]
is_(sorted(re.sub(r"^Name:\s+([a-z]+).*", r"\1", x) for x in rows), ["desk", "elder", "postern", "provider", "worker"], "five processes")
for x in rows:
    name = x.split()[1]
    ok(re.search(r"Uid:\s+65532\s+65532\s+65532\s+65532 CapEff:\s+0+ NoNewPrivs:\s+1 Seccomp:\s+2 ", x),
       "%s: user 65532, no capability, no new privileges, filtered" % name, x)
is_(status.get("misuse"), -31, "a running worker that is made to call execve is killed by SIGSYS")
ok(any("sandbox violation (SIGSYS" in x for x in text.splitlines()), "the log says so")
is_(status.get("stop"), 0, "SIGTERM ends it with status 0")
done()
