#!/usr/bin/env python3
"""The image under runc: root read-only, user 65532, no capability, no new privileges, the container's seccomp profile before Postern's own
filters. No podman, no docker: what the runtime is told stands here."""
import json
import os
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import box
from postern import done, skip_all

RUNC = shutil.which("runc") or "/usr/sbin/runc"
if not os.access(RUNC, os.X_OK):
    skip_all("runc is not installed")

RUN = '''
import json, os, sys, tempfile
base = %(dir)r
bundle = tempfile.mkdtemp(dir=base)
with open(base + "/config.json") as f:
    config = json.load(f)
config["process"]["args"] = %(entry)r + sys.argv[1:]
with open(bundle + "/config.json", "w") as f:
    json.dump(config, f)
os.execv(%(runc)r, ["runc", "--root", base + "/state", "run", "--bundle", bundle, os.path.basename(bundle)])
'''


class Runc(box.Box):
    writable = ()

    def __init__(self):
        super().__init__()
        image = box.image_config()
        rootfs = os.path.join(self.dir, "rootfs")
        layer = box.manifests()[box.arch()]["layer"]
        with tarfile.open(os.path.join(box.IMAGE, "oci", "blobs", layer.replace(":", "/"))) as tar:
            tar.extractall(rootfs, numeric_owner=True)
        for name in ("proc", "dev"):
            os.mkdir(os.path.join(rootfs, name))
        uid, gid = map(int, image["User"].split(":"))
        bind = lambda what, where: {"destination": where, "type": "bind", "source": os.path.join(self.dir, what),
                                    "options": ["bind", "ro", "nosuid", "nodev", "noexec"]}
        with open(box.PROFILE) as f:
            profile = json.load(f)
        none = {k: [] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        config = {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": uid, "gid": gid}, "args": [], "env": [], "cwd": image["WorkingDir"],
                        "capabilities": none, "noNewPrivileges": True},
            "root": {"path": rootfs, "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"]},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "noexec", "mode=755", "size=64k"]},
                       bind("etc", "/etc/postern"), bind("srv", "/srv")],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")], "seccomp": profile,
                      "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"], "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"]},
        }
        self.write("config.json", json.dumps(config))
        self.script(RUN % {"dir": self.dir, "entry": image["Entrypoint"], "runc": RUNC})

    def runc(self, *args):
        return subprocess.run([RUNC, "--root", os.path.join(self.dir, "state"), *args], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120)

    def running(self):
        return next(c for c in json.loads(self.runc("list", "--format", "json").stdout) if c["status"] == "running")

    def first_pid(self, postern):
        return self.running()["pid"]

    def inside(self, *args):
        return self.runc("exec", self.running()["id"], *args)


r = subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "true"], capture_output=True, text=True)
if r.returncode != 0:
    skip_all("this host lets us make no namespaces, so no container either: " + r.stderr.strip())
container = Runc()
box.smoke(container)
done()
