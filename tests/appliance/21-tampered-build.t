#!/usr/bin/env python3
# What no one can account for stops the bill: objects, archives, headers, sources. Real links with the product's objects where one is possible.
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sbomlib import *
OUT = tmp("out.cdx.json")


def refused(name, why, *more, **kw):
    """The bill is refused with these words, and nothing is written."""
    if os.path.exists(OUT):
        os.unlink(OUT)
    status, said = bill(OUT, *more, **kw)
    ok(status == 1 and re.search(why, said) and "Traceback" not in said and not os.path.exists(OUT), name, f"exit status {status}", said)


def compile_object(name, text):
    source = tmp(f"{name}.c", text)
    status, said = call("build/cc", "-c", "-fPIE", source, "-o", tmp(f"{name}.o"))
    assert status == 0, said
    return tmp(f"{name}.o")


def of(pair):
    return "--binary", pair[0], "--map", pair[1]


# ---- the link
plain = link("plain")
status, said = bill(OUT, *of(plain))
ok(status == 0, "an untouched link is accounted for, without the optimiser too", said)
stranger = compile_object("stranger", "int stranger(void);\nint stranger(void) { return 1; }\n")
refused("an object of unknown origin", r"stranger\.o belongs to no installed Debian package, and no locked source brings it", *of(link("a", objects=[stranger])))

shutil.copy("build/sysroot/usr/lib/libbearssl.a", tmp("lib/libbearssl.a"))
call("ar", "rcD", tmp("lib/libbearssl.a"), stranger)
pair = link("b", "-L" + tmp("lib"), "-Wl,-u,stranger")
ok("libbearssl.a(stranger.o)" in open(pair[1]).read(), "(the linker took the object out of a copy of libbearssl.a)")
refused("a library of the right name in another place", r"lib/libbearssl\.a belongs to no installed Debian package", *of(pair))
edited = tmp("b2.map", open(pair[1]).read().replace(tmp("lib/libbearssl.a"), ROOT + "/build/sysroot/usr/lib/libbearssl.a"))
refused("an object put into libbearssl.a", r"bearssl .* has no source file of that name", "--binary", pair[0], "--map", edited)
extra = tmp("own/stranger.o")
shutil.copy(stranger, extra)
call("ar", "rcD", tmp("own/libbase.a"), extra)
pair = link("c", "-Wl,-u,stranger", objects=[tmp("own/libbase.a")])
edited = tmp("c2.map", open(pair[1]).read().replace(tmp("own/libbase.a"), "build/libbase.a"))
refused("an object in a library of ours that no source of ours makes", r"no src/base/stranger\.c", "--binary", pair[0], "--map", edited)
crt = "/usr/lib/x86_64-linux-gnu/crti.o"
if os.path.exists(crt):
    edited = tmp("d.map", open(plain[1]).read().replace("\nLOAD build/obj/main.o\n", f"\nLOAD build/obj/main.o\nLOAD {crt}\n"))
    refused("the host's C library", r"Debian package libc6-dev", "--binary", plain[0], "--map", edited)
else:
    skip("the host's C library", f"no {crt} here")
refused("the map of another program", "is not the map of", "--binary", "build/postern", "--map", plain[1])
whole = open("build/postern.map").read()
refused("bytes of a file that was never loaded", "which the linker never loaded", "--map",
        tmp("e.map", whole + " .text          0x0000000000001000       0x10 build/obj/ghost.o\n"))
refused("a map without an end", "no linker map", "--map", tmp("f.map", whole[:5000]))
refused("a program without a map", "is missing", "--map", tmp("none.map"))

inside = tmp("g.map", open(plain[1]).read().replace("\nLOAD build/obj/main.o\n", "\nLOAD build/obj/main.o\nLOAD build/obj/ghost.o\n"))
refused("a file in the build directory that no source makes", r"build/obj/ghost\.o was linked, and nothing says", "--binary", plain[0], "--map", inside)

# ---- sources
lock = open("sbom/sources.lock").read()
sha = re.search(r"^musl .* ([0-9a-f]{64}) .*orig", lock, re.M)[1]


def with_lock(text):
    return "--lock", tmp("sources.lock", text)


refused("a hash edited in the lock", r"musl_1\.2\.5\.orig\.tar\.gz is not the file", *with_lock(lock.replace(sha, "0" * 64)))
refused("a version edited in the lock", "calls musl 1.2.6-1, its archive says 1.2.5", *with_lock(lock.replace("musl 1.2.5-3.1~deb13u1 ", "musl 1.2.6-1 ")))
refused("one of two lines edited", "two versions", *with_lock(lock.replace("musl 1.2.5-3.1~deb13u1 ", "musl 1.2.6-1 ", 1)))
refused("a line of the lock that is cut short", "4 fields", *with_lock(lock.replace(" " + sha, "")))
shutil.copytree("build/deps", tmp("deps"))
with open(tmp("deps/bearssl_0.6+dfsg.1.orig.tar.xz"), "ab") as f:
    f.write(b"x")
refused("a changed archive", r"bearssl_0\.6\+dfsg\.1\.orig\.tar\.xz is not the file", "--deps", tmp("deps"))
os.unlink(tmp("deps/bearssl_0.6+dfsg.1.orig.tar.xz"))
refused("a missing archive", "is missing", "--deps", tmp("deps"))
table = load("sbom/components.json")
del table["linked"]["musl"]["licences"]["public-domain"]
refused("a licence nobody expects", "is under 'public-domain'", "--table", tmp("t1.json", table))
table = load("sbom/components.json")
table["linked"]["musl"]["patch_cves"]["static-pie.patch"] = ["CVE-2099-0001"]
refused("a CVE id that Debian does not know of", "changelog does not know it", "--table", tmp("t2.json", table))

# ---- headers and the optimiser's inputs, in a copy of the tree
there = copied_tree()
root = ("--root", there)
status, said = bill(OUT, *root)
ok(status == 0, "(a copy of the tree is accounted for)", said)
kernel = next(p["value"] for c in load(OUT)["formulation"][0]["components"] for p in c["properties"]
              if p["name"] == "postern:build:header" and p["value"].startswith("linux/"))


def spoiled(file, change, name, why):
    path = f"{there}/{file}"
    before = open(path, "rb").read() if os.path.exists(path) else None
    text = (before or b"").decode()
    with open(path, "w", encoding="utf-8") as f:
        f.write(change(text))
    refused(name, why, *root)
    if before is None:
        os.unlink(path)
    else:
        with open(path, "wb") as f:
            f.write(before)


spoiled("build/sysroot/usr/include/jsmn.h", lambda t: t + "\nstatic int more;\n", "a changed jsmn.h", r"jsmn\.h is not the one")
spoiled(f"build/sysroot/usr/include/{kernel}", lambda t: t + "\n", "a changed kernel header", "no header of the installed kernel headers")
with open(f"{there}/build/sysroot/usr/include/foreign.h", "w", encoding="utf-8") as f:
    f.write("\n")
spoiled("src/main.c", lambda t: "#include <foreign.h>\n" + t, "a header in the sysroot that nobody brought", "no locked package has it")
spoiled("build/postern.full.res", lambda t: t + "build/obj/extra.o 1\n", "an input that only the optimiser read", r"also read build/obj/extra\.o")
os.unlink(f"{there}/build/postern.full.res")
refused("no list of what the optimiser read", "is missing", *root)

# ---- the image
if os.path.isdir("build/image/oci") and os.path.exists("build/sbom/postern-arm64.cdx.json"):
    import gzip, hashlib, io, tarfile

    def image_with(member, data, mode):
        """A copy of the image whose amd64 layer has one file more, all digests put right."""
        base = tmp("img" + member.replace("/", "_"))
        os.makedirs(base + "/build/sbom")
        shutil.copytree("build/image", base + "/build/image")
        for p in PAPERS:
            shutil.copy(p, base + "/build/sbom")
        blobs = base + "/build/image/oci/blobs/sha256/"

        def get(digest):
            return open(blobs + digest.removeprefix("sha256:"), "rb").read()

        def put(content):
            digest = hashlib.sha256(content).hexdigest()
            with open(blobs + digest, "wb") as f:
                f.write(content)
            return "sha256:" + digest
        top = load(base + "/build/image/oci/index.json")
        index = json.loads(get(top["manifests"][0]["digest"]))
        manifest = json.loads(get(index["manifests"][0]["digest"]))
        plain = io.BytesIO(gzip.decompress(get(manifest["layers"][0]["digest"])))
        with tarfile.open(fileobj=plain, mode="a") as tar:
            info = tarfile.TarInfo(member)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
        manifest["layers"][0]["digest"] = put(gzip.compress(plain.getvalue()))
        index["manifests"][0]["digest"] = put(json.dumps(manifest).encode())
        top["manifests"][0]["digest"] = put(json.dumps(index).encode())
        with open(base + "/build/image/oci/index.json", "w", encoding="utf-8") as f:
            json.dump(top, f)
        return python("sbom/bill.py", "image", "--version", "0.1.0", "--root", base, "--out", base + "/build/sbom/new.json")
    status, said = image_with("bin/sh", b"\x7fELF", 0o755)
    ok(status == 1 and "/bin/sh, which is not the program" in said, "a second program in a layer", said)
    status, said = image_with("etc/motd", b"hello\n", 0o644)
    ok(status == 0, "a small file of ours is listed", said)
    base = tmp("imgchanged")
    os.makedirs(base + "/build/sbom")
    shutil.copytree("build/image", base + "/build/image")
    for p in PAPERS:
        paper = load(p)
        paper["metadata"]["component"]["hashes"][0]["content"] = "0" * 64
        tmp(f"imgchanged/build/sbom/{os.path.basename(p)}", paper)
    status, said = python("sbom/bill.py", "image", "--version", "0.1.0", "--root", base, "--out", base + "/build/sbom/new.json")
    ok(status == 1 and "is not the program of" in said, "a program that its bill does not know", said)
else:
    skip("a second program in a layer", "no image of both architectures was built here")
done()
