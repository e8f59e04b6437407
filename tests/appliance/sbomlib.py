"""Shared by tests/appliance/2x-*.t: running the sbom tools, and a copy of what they read that a test may spoil."""
import copy, glob, json, os, re, shutil, subprocess, sys, tempfile
ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
os.chdir(ROOT)
sys.path[:0] = [os.path.join(ROOT, "tests", "lint"), os.path.join(ROOT, "sbom")]
sys.dont_write_bytecode = True
from lint import done, none, ok, skip

PAPERS = sorted(glob.glob("build/sbom/postern-*.cdx.json"))
VEX = "build/sbom/postern.openvex.json"
TMP = tempfile.TemporaryDirectory(prefix="postern-sbom-")
ENV = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
ENV["PYTHONDONTWRITEBYTECODE"] = "1"


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def tmp(name, content=None):
    """A path in the test's own directory; with content, a file there."""
    path = os.path.join(TMP.name, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if content is not None:
        with open(path, "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
    return path


def call(*argv, **more):
    """-> (exit status, all output)."""
    got = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**ENV, **more.pop("env", {})}, **more)
    return got.returncode, got.stdout


def python(script, *argv, **more):
    return call(sys.executable, script, *argv, **more)


def cut_off():
    """Words in front of a command that take every network away, if this host lets us."""
    for words in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return []


def bill(out, *more, arch="amd64", script="sbom/bill.py", **kw):
    return python(script, "arch", "--arch", arch, "--version", "0.1.0", "--out", out, *more, **kw)


def link(name, *more, objects=()):
    """A real link of the product's own objects, without the optimiser so that it is quick; -> (program, map)."""
    program, told = tmp(name), tmp(name + ".map")
    libs = [f"build/lib{r}.a" for r in "cmd role flow bridge elder provider conf gate wire os base".split()]
    status, said = call("build/cc", "-static-pie", "-Wl,--gc-sections", "-Wl,-z,noseparate-code", "-Wl,--build-id=sha1", "-fno-lto",
                        "-fno-use-linker-plugin", f"-Wl,-Map={told}", *more, "build/obj/main.o", *objects, *libs, "-lbearssl", "-o", program)
    if status:
        raise SystemExit(f"Bail out! cannot link {name}: {said}")
    return program, told


def copied_tree():
    """Another directory with all that bill.py reads, as if everything had been built there."""
    there = tmp("elsewhere/of-another-length/tree")
    os.makedirs(there + "/build")
    for name in ("Makefile", "src", "sbom", "seccomp"):
        (shutil.copytree if os.path.isdir(name) else shutil.copy)(name, f"{there}/{name}", **(
            {"ignore": shutil.ignore_patterns("node_modules", "__pycache__")} if os.path.isdir(name) else {}))
    os.makedirs(there + "/build/obj")
    for name in ["sysroot", "tools", "gen", "deps", "cc", "musl.specs", "postern", "postern.map", "postern.full.res", "obj/main.o",
                 *(os.path.basename(p) for p in glob.glob("build/lib*.a"))]:
        (shutil.copytree if os.path.isdir("build/" + name) else shutil.copy)("build/" + name, f"{there}/build/{name}")
    for name in ("cc", "musl.specs", "postern.map", "postern.full.res"):
        with open(f"{there}/build/{name}", encoding="utf-8") as f:
            text = f.read()
        with open(f"{there}/build/{name}", "w", encoding="utf-8") as f:
            f.write(text.replace(ROOT + "/", there + "/"))
    return there
