"""Shared by tests/appliance/3*.t: keys that live for one test, kits made with the project's own programs, a registry on loopback.

Everything happens in a network namespace with nothing but loopback, where the system gives one: `import kits` moves the test there."""
import atexit
import base64
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "sign"))
os.chdir(ROOT)


def _enter():
    """This test again, in a namespace of its own."""
    for command in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if subprocess.run(command + ["true"], capture_output=True).returncode == 0:
            os.environ["KITS_CUT_OFF"] = "1"
            os.execvp(command[0], command + [sys.executable, os.path.abspath(sys.argv[0])])
    os.environ["KITS_CUT_OFF"] = ""


if "KITS_CUT_OFF" not in os.environ:
    _enter()
CUT_OFF = bool(os.environ.pop("KITS_CUT_OFF"))
if CUT_OFF:
    with socket.socket() as _s:  # loopback is down in a new namespace: SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
        _flags = struct.unpack("16sh", fcntl.ioctl(_s, 0x8913, struct.pack("16sh", b"lo", 0))[:18])[1]
        fcntl.ioctl(_s, 0x8914, struct.pack("16sh14x", b"lo", _flags | 1))
else:
    print("# this system lets us make no network namespace: the network is merely not used", file=sys.stderr)

import kit as kit_maker  # noqa: E402
import sign as sign_maker  # noqa: E402
from cosign import NO_ROOT, Signer  # noqa: E402
from oci import INDEX, MANIFEST, REF, Image, Layout, canonical, read, sha256, write  # noqa: E402, F401

for _name in ("KEY", "COSIGN_KEY", "ATTEST_KEY", "COSIGN_ATTEST_KEY", "NEXT_KEY_PUB", "REVOKED", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(_name, None)
TMP = tempfile.mkdtemp()
atexit.register(shutil.rmtree, TMP, ignore_errors=True)
os.environ["HOME"] = TMP
os.environ["COSIGN_PASSWORD"] = "of this test only"
TOOLS = os.path.join(ROOT, "build", "signtools")
COSIGN = {n: os.path.join(TOOLS, f"cosign{n}") for n in (2, 3)}
SKOPEO = os.path.join(TOOLS, "skopeo.sh")
NAME = "registry.example.com/postern"
# What there is to sign, as it is now: a make that runs meanwhile must not change it under a test.
BUILT = f"{TMP}/built"
for _name in ("image", "sbom"):
    shutil.copytree(f"build/{_name}", f"{BUILT}/{_name}", ignore=shutil.ignore_patterns(".*"))
shutil.copy("build/provenance.json", BUILT)
VERSION = json.loads(read(f"{BUILT}/image/source.json"))["version"]
IDENTITY = f"{NAME}:{VERSION}"
write(f"{TMP}/root.json", NO_ROOT)


def run(*command, env=None, cwd=None, timeout=300):
    done = subprocess.run([str(c) for c in command], env=dict(os.environ, **(env or {})), cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    done.stdout = done.stdout.decode(errors="replace")
    return done


def key(name):
    """A new key pair in the scratch directory; returns the private file, beside which is NAME.pub."""
    made = run(COSIGN[3], "generate-key-pair", "--output-key-prefix", f"{TMP}/{name}")
    assert made.returncode == 0, made.stdout
    return f"{TMP}/{name}.key"


def signer(path):
    return Signer("test", path, os.environ["COSIGN_PASSWORD"])


def other_image(out, name, word):
    """The image with another label in each configuration: a different image that is as valid; written to OUT as NAME."""
    layout = Layout.load(f"{BUILT}/image/oci")
    image = Image(layout, VERSION)
    new = Layout()
    manifests = []
    for entry in layout.json(image.digest)["manifests"]:
        manifest = layout.json(entry["digest"])
        config = layout.json(manifest["config"]["digest"])
        config["config"].setdefault("Labels", {})["word"] = word
        manifest["config"] = new.add(canonical(config), manifest["config"]["mediaType"])
        for part in manifest["layers"]:
            new.add(layout.blobs[part["digest"].removeprefix("sha256:")], part["mediaType"])
        manifests.append(dict(entry, **new.add(canonical(manifest), MANIFEST)))
    new.names[name] = new.add(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}), INDEX)
    new.save(out)
    return out


PAPERS = {  # attestation -> (cosign's type, subject, where the kit has it, where the build has it)
    "sbom-image": ("cyclonedx", "index", "sbom/postern-image.cdx.json", f"{BUILT}/sbom/postern-image.cdx.json"),
    "sbom-amd64": ("cyclonedx", "amd64", "sbom/postern-amd64.cdx.json", f"{BUILT}/sbom/postern-amd64.cdx.json"),
    "sbom-arm64": ("cyclonedx", "arm64", "sbom/postern-arm64.cdx.json", f"{BUILT}/sbom/postern-arm64.cdx.json"),
    "provenance": ("slsaprovenance1", "index", "provenance/postern.slsa.json", f"{BUILT}/provenance.json"),
    "vex": ("openvex", "index", "vex/postern.openvex.json", f"{BUILT}/sbom/postern.openvex.json"),
}


def make_signed(out, release, attest, image=f"{BUILT}/image/oci", version=VERSION):
    args = [f"--attest={kind}:{subject}:{name}:{path}" for name, (kind, subject, _, path) in PAPERS.items()]
    done = run(sys.executable, "sign/sign.py", "--image", image, "--name", version, "--identity", f"{NAME}:{version}", "--out", out, *args,
               env={"KEY": release, "ATTEST_KEY": attest})
    assert done.returncode == 0, done.stdout
    return out


def make_kit(signed, out, release, attest, version=VERSION, issue=0, env=None):
    args = [f"--copy={path}:{to}" for _, _, to, path in PAPERS.values()]
    done = run(sys.executable, "sign/kit.py", "--signed", signed, "--version", version, "--identity", f"{NAME}:{version}", "--source",
               f"{BUILT}/image/source.json", "--issue", issue, "--out", out, "--copy=docs/TRUST.md:docs/TRUST.md", *args,
               env=dict({"KEY": release, "ATTEST_KEY": attest}, **(env or {})))
    assert done.returncode == 0, done.stdout
    return out


def verify(kit, *args, shell=("dash",), env=None):
    """(exit status, what it said); nothing is recorded unless ARGS say where."""
    if "--state" not in args:
        args = ("--state", f"{TMP}/no-state", "--no-record", *args)
    done = run(*shell, "sign/verify.sh", *args, kit, env=dict({"COSIGN": "no-cosign-here"}, **(env or {})))
    return done.returncode, done.stdout


class Registry:
    """docker-registry on loopback, in memory of the scratch directory."""

    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % s.getsockname()[1]
        self.data = tempfile.mkdtemp(dir=TMP)
        conf = os.path.join(self.data, "conf.yml")
        write(conf, f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.data}/data}}}}\nhttp: {{addr: '{self.host}'}}\n")
        self.log = open(os.path.join(self.data, "log"), "wb")
        self.proc = subprocess.Popen([f"{TOOLS}/docker-registry", "serve", conf], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        atexit.register(self.stop)
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5).read()
                return
            except OSError:
                if time.monotonic() > end or self.proc.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()

    def push(self, layout, repository, only=None):
        """Every name of a layout (or those that ONLY accepts), as the documentation does it with skopeo."""
        for name in sorted(Layout.load(layout).names):
            if only is None or only(name):
                done = skopeo("copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:{name}",
                              f"docker://{self.host}/{repository}:{name}")
                assert done.returncode == 0, done.stdout


def skopeo(*args, policy=None, registries=None):
    first = ["--policy", policy, "--registries.d", registries] if policy else ["--insecure-policy"]
    return run(SKOPEO, "--tmpdir", TMP, *first, *args)
