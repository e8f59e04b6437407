#!/usr/bin/env python3
"""What is in the image, read from the bytes of its layout: every digest, every file, who it runs as, and what its labels say."""
import gzip
import hashlib
import io
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
from postern import done, is_, ok

os.chdir(ROOT)
OCI = "build/image/oci"
LAYER_MAX = 500 * 1000
BINARY = {"amd64": "build/postern", "arm64": "build/arm64/postern"}
seen = set()


def blob(descriptor):
    """The bytes that a descriptor names, after its size and digest have been compared."""
    kind, _, name = descriptor["digest"].partition(":")
    with open(os.path.join(OCI, "blobs", kind, name), "rb") as f:
        data = f.read()
    seen.add(name)
    if kind != "sha256" or hashlib.sha256(data).hexdigest() != name or len(data) != descriptor["size"]:
        raise ValueError("%s is not what its descriptor says" % descriptor["digest"])
    return data


def canonical(data):
    return data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


source = json.load(open("build/image/source.json"))
digests = json.load(open("build/image/manifests.json"))
top = json.load(open(OCI + "/index.json"))
is_(json.load(open(OCI + "/oci-layout")), {"imageLayoutVersion": "1.0.0"}, "an OCI layout")
is_([(m["mediaType"], m["annotations"]) for m in top["manifests"]],
    [("application/vnd.oci.image.index.v1+json", {"org.opencontainers.image.ref.name": source["version"]})], "of one image index, named by the version")
is_(open("build/image/digest").read(), top["manifests"][0]["digest"] + "\n", "build/image/digest is its digest")
raw = blob(top["manifests"][0])
index = json.loads(raw)
ok(canonical(raw), "the index is canonical JSON")
is_([m["platform"] for m in index["manifests"]], [{"architecture": a, "os": "linux"} for a in ("amd64", "arm64")], "amd64 and arm64")
labels = index["annotations"]
is_(sorted(k.removeprefix("org.opencontainers.image.") for k in labels), ["created", "description", "licenses", "revision", "title", "version"], "annotated")
is_((labels["org.opencontainers.image.version"], labels["org.opencontainers.image.revision"], labels["org.opencontainers.image.created"]),
    (source["version"], source["revision"], source["created"]), "with version, revision and date")
ok(re.fullmatch(r"[0-9a-f]{40}(-modified)?|unknown|\S+", source["revision"]), "the revision is a word")

for entry in index["manifests"]:
    arch = entry["platform"]["architecture"]
    manifest, known = json.loads(blob(entry)), digests[arch]
    config = json.loads(blob(manifest["config"]))
    layers = manifest["layers"]
    is_((entry["digest"], manifest["config"]["digest"], [x["digest"] for x in layers]), (known["manifest"], known["config"], [known["layer"]]),
        "%s: one layer; build/image/manifests.json has the digests" % arch)
    ok(layers[0]["size"] < LAYER_MAX and layers[0]["size"] == known["layer_size"], "%s: a layer under 500 kB: %d bytes" % (arch, layers[0]["size"]))
    packed = blob(layers[0])
    is_(packed[3:8], bytes(5), "%s: the gzip head has no name and no date" % arch)
    plain = gzip.decompress(packed)
    is_(config["rootfs"], {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}, "%s: its unpacked digest" % arch)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        files = [(m.name, {tarfile.DIRTYPE: "d", tarfile.REGTYPE: "-"}.get(m.type, "?") + "%04o" % m.mode, m.uid, m.gid) for m in tar]
        dates = {m.mtime for m in tar}
        names = {(m.uname, m.gname, m.linkname) for m in tar}
        binary = tar.extractfile("postern").read()
    is_(files, [("etc", "d0755", 0, 0), ("etc/postern", "d0755", 0, 0), ("srv", "d0755", 0, 0), ("var", "d0755", 0, 0),
                ("var/lib", "d0755", 0, 0), ("var/lib/postern", "d0700", 65532, 65532), ("postern", "-0111", 0, 0)],
        "%s: the binary, root's and executable only, empty mount points, and nothing else" % arch)
    is_((dates, names), ({source["epoch"]}, {("", "", "")}), "%s: one date, no names" % arch)
    is_((hashlib.sha256(binary).hexdigest(), "sha256:" + hashlib.sha256(binary).hexdigest()),
        (hashlib.sha256(open(BINARY[arch], "rb").read()).hexdigest(), known["binary"]), "%s: the binary is the one that was built" % arch)
    is_((config["architecture"], config["os"], config["created"]), (arch, "linux", source["created"]), "%s: platform and date" % arch)
    c = config["config"]
    is_((c["User"], c["Entrypoint"], c["Cmd"], c["StopSignal"]),
        ("65532:65532", ["/postern"], ["serve", "-c", "/etc/postern/postern.json"], "SIGTERM"), "%s: user and entry point, no shell between" % arch)
    is_((c["Healthcheck"]["Test"], sorted(c["Healthcheck"])),
        (["CMD", "/postern", "health", "-c", "/etc/postern/postern.json"], ["Interval", "Retries", "StartPeriod", "Test", "Timeout"]), "%s: health check" % arch)
    is_((c["Labels"], manifest["annotations"]), (labels, labels), "%s: labels and annotations are the same words" % arch)
    is_(sorted(c), ["Cmd", "Entrypoint", "Healthcheck", "Labels", "StopSignal", "User", "WorkingDir"], "%s: no environment, no port, no volume" % arch)
    ok(all(canonical(blob(d)) for d in (entry, manifest["config"])), "%s: canonical JSON" % arch)

is_(sorted(os.listdir(OCI + "/blobs/sha256")), sorted(seen), "no blob that nothing names")
with tarfile.open("build/image/oci-archive.tar") as tar:
    inside = {m.name: hashlib.sha256(tar.extractfile(m).read()).hexdigest() for m in tar if m.isfile()}
outside = {os.path.relpath(os.path.join(d, f), OCI): hashlib.sha256(open(os.path.join(d, f), "rb").read()).hexdigest()
           for d, _, names in os.walk(OCI) for f in names}
is_(inside, outside, "the archive is the layout")

# --- the arm64 file: the same promises as tests/lint/60-elf.t looks up for this machine's
def tell(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ, LC_ALL="C")).stdout


FILE = BINARY["arm64"]
head, segments, dynamic = tell("readelf", "-hW", FILE), tell("readelf", "-lW", FILE), tell("readelf", "-dW", FILE)
ok(re.search(r"Machine:\s+AArch64", head) and re.search(r"Type:\s+DYN", head), "arm64: position independent AArch64 code")
ok("INTERP" not in segments and "NEEDED" not in dynamic and "TEXTREL" not in dynamic, "arm64: static, no interpreter, no relocation in code", segments)
ok("GNU_RELRO" in segments and re.search(r"FLAGS.*NOW", dynamic), "arm64: bound at start, read-only then")
loads = re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}(\S[\w ]*?)\s+(0x\w+)$", segments, re.M)
ok(loads and not any("W" in f and "E" in f for f, _ in loads), "arm64: nothing is both writable and executable", segments)
is_({align for _, align in loads}, {"0x10000"}, "arm64: fit for kernels with pages of 64 KiB")
code = tell("aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", FILE + ".full")
signed, canaries = len(re.findall(r"\bpaciasp\b", code)), len(re.findall(r"\bbl\b.*<__stack_chk_fail>", code))
ok(signed > 100 and canaries > 5, "arm64: return addresses are signed (%d), stacks have canaries (%d)" % (signed, canaries))
ok(os.getcwd().encode() not in open(FILE, "rb").read(), "arm64: no path of the build in the file")

# --- who builds it, where, when and how leaves no trace in the image that is made of these binaries
with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o777)
    for arch, path in BINARY.items():
        shutil.copy(path, os.path.join(tmp, arch))
        os.chmod(os.path.join(tmp, arch), 0o444)
    shutil.copy("image/build.sh", tmp)
    command = "cd %s && umask 077 && exec sh build.sh %s %s %d out arm64=arm64 amd64=amd64" % (
        tmp, source["version"], source["revision"], source["epoch"])
    other = dict(PATH=os.environ["PATH"], TZ="Asia/Tokyo", LC_ALL="C.UTF-8", LANG="tr_TR.UTF-8", GZIP="-1", HOME="/nonexistent")
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    r = subprocess.run([*user, "faketime", "-f", "+1900d", "sh", "-c", command], env=other, capture_output=True, text=True)
    got = open(tmp + "/out/digest").read() if r.returncode == 0 else r.stderr
    is_(got, open("build/image/digest").read(), "another user, directory, umask, time zone, clock and order: the same digest")
    r = subprocess.run(["cmp", tmp + "/out/oci-archive.tar", "build/image/oci-archive.tar"], capture_output=True, text=True)
    ok(r.returncode == 0, "and the same archive", r.stdout + r.stderr)

# --- what the labels say of the source
with tempfile.TemporaryDirectory() as tmp:
    def said(**environment):
        env = dict(PATH=os.environ["PATH"], HOME=tmp, GIT_CEILING_DIRECTORIES=os.path.dirname(tmp), **environment)
        return subprocess.run(["sh", os.path.join(ROOT, "image/source.sh")], cwd=tmp, env=env, capture_output=True, text=True).stdout
    is_(said(), "unknown 0\n", "no repository: unknown, no date")
    is_(said(REVISION="abc", SOURCE_DATE_EPOCH="7"), "abc 7\n", "REVISION and SOURCE_DATE_EPOCH are taken as given")
    git = lambda *args: subprocess.run(["git", "-C", tmp, "-c", "user.name=a", "-c", "user.email=a@example.com", *args], check=True,
                                       capture_output=True, text=True, env=dict(os.environ, HOME=tmp, GIT_COMMITTER_DATE="@1000000000 +0900")).stdout
    git("init", "-q")
    open(tmp + "/Makefile", "w").write("a\n")
    git("add", "Makefile")
    git("commit", "-q", "-m", "a")
    commit = git("rev-parse", "HEAD").strip()
    is_(said(), commit + " 1000000000\n", "a commit: its name and date")
    open(tmp + "/Makefile", "w").write("b\n")
    is_(said(), commit + "-modified 1000000000\n", "a changed tree is called so")
done()
