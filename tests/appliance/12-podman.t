#!/usr/bin/env python3
"""The image under podman, from the layout that `make image` wrote to a running container, with the options that the documents give."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import box
from postern import diag, done, is_, ok, skip_all

RUNC = shutil.which("runc") or "/usr/sbin/runc"
if shutil.which("podman") is None or not os.access(RUNC, os.X_OK):
    skip_all("podman or runc is not installed")

# A host that may not raise limits (no CAP_SYS_RESOURCE) cannot set those that podman always asks for; then, and only then, they are left out.
SHIM = '''#!/bin/sh
previous=
without() { # FILE FILTER
    jq "$2" "$1" >"$1.new" && cat "$1.new" >"$1"
}
for a; do
    case $previous in
    --bundle | -b) without "$a/config.json" 'del(.process.rlimits) | del(.process.oomScoreAdj)' ;;
    --process | -p) without "$a" 'del(.rlimits) | del(.oomScoreAdj)' ;;
    esac
    previous=$a
done
exec %s "$@"
'''
RUN = '''
import os, sys
os.execvp("podman", %(podman)r + ["run", "--rm", "--cgroupns", "host", "--network", "host", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
    "--security-opt", "no-new-privileges", "--security-opt", "seccomp=" + %(profile)r, "--memory", "96m", "--pids-limit", "64",
    "--volume", %(dir)r + "/etc:/etc/postern:ro", "--volume", %(dir)r + "/srv:/srv:ro", "--cidfile", %(dir)r + "/cid.%%d" %% os.getpid(),
    %(image)r] + sys.argv[1:])
'''


class Podman(box.Box):
    writable = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv", "/run/secrets")  # podman's own, owned by root

    def __init__(self):
        super().__init__()
        at = lambda *names: os.path.join(self.dir, *names)
        os.mkdir(at("runtime"))
        runtime = RUNC
        with open("/proc/self/status") as f:
            capable = int(next(line for line in f if line.startswith("CapEff")).split()[1], 16)
        if not capable >> 24 & 1:
            runtime = at("runtime", "runc")
            self.write("runtime/runc", SHIM % RUNC, 0o755)
            diag("no CAP_SYS_RESOURCE here: podman's limits are left out by a shim")
        # The policy is for the way in only; who must have signed is the matter of the enforcement tests.
        self.write("policy.json", json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        self.podman = ["podman", "--root", at("storage"), "--runroot", at("state"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                       "--events-backend", "none", "--runtime", runtime]
        version = box.json.load(open(os.path.join(box.IMAGE, "source.json")))["version"]
        r = self.do("pull", "--quiet", "--signature-policy", at("policy.json"), "oci:%s:%s" % (os.path.join(box.IMAGE, "oci"), version))
        if r.returncode != 0:
            diag(r.stderr)
        ok(r.returncode == 0, "podman takes the image from the layout")
        self.image = r.stdout.strip()
        self.script(RUN % {"podman": self.podman, "profile": box.PROFILE, "dir": self.dir, "image": self.image})

    def do(self, *args):
        return subprocess.run([*self.podman, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def running(self):
        return self.do("ps", "--quiet", "--no-trunc").stdout.split()[0]

    def first_pid(self, postern):
        return int(self.do("inspect", "--format", "{{.State.Pid}}", self.running()).stdout)

    def inside(self, *args):
        return self.do("exec", self.running(), *args)


r = subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "true"], capture_output=True, text=True)
if r.returncode != 0:
    skip_all("this host lets us make no namespaces, so no container either: " + r.stderr.strip())
container = Podman()
have = json.loads(container.do("image", "inspect", container.image).stdout)[0]
is_((have["Config"]["User"], have["Config"]["Entrypoint"], have["Architecture"]), ("65532:65532", ["/postern"], box.arch()),
    "it sees the user, the entry point and this machine's architecture")
is_(have["Config"]["Labels"], box.image_config()["Labels"], "and the labels")
box.smoke(container)
done()
