#!/usr/bin/env python3
# VEX: every statement has a proof, and is refused as soon as the proof fails.
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sbomlib import *

vex = load(VEX)
ok(vex["@context"] == "https://openvex.dev/ns/v0.2.0" and {"@id", "author", "timestamp", "version"} <= set(vex), "OpenVEX 0.2.0 with its head")
status_justified = [s for s in vex["statements"] if s["status"] != "not_affected" or s["justification"] not in (
    "component_not_present", "vulnerable_code_not_present") or not s["impact_statement"] or "review by 20" not in s["status_notes"]]
none([s["vulnerability"]["name"] for s in status_justified], "every statement has a justification, a reason and a date of review")
main = {load(p)["metadata"]["component"]["purl"] for p in PAPERS}
ok({p["@id"] for s in vex["statements"] for p in s["products"]} == main, "its products are those of the bills")
purls = {c["purl"] for p in PAPERS for d in [load(p)] for c in d["components"] + [c for f in d.get("formulation", []) for c in f["components"]]}
none([s["@id"] for st in vex["statements"] for p in st["products"] for s in p["subcomponents"] if s["@id"] not in purls], "its subcomponents too")
out = tmp("v.json")
status, said = python("sbom/vex.py", "--out", out, *PAPERS)
ok(status == 0 and open(out).read() == open(VEX).read(), "made again, the same bytes", said)


def refused(name, why, *argv, bills=None):
    if os.path.exists(out):
        os.unlink(out)
    status, said = python("sbom/vex.py", "--out", out, *argv, *(bills or PAPERS))
    ok(status == 1 and re.search(why, said) and "Traceback" not in said and not os.path.exists(out), name, f"exit status {status}", said)


# ---- really linked: the same objects, and one function more
for symbol, object_name, cve in (("iconv", "iconv", "CVE-2025-26519"), ("qsort", "qsort", "CVE-2026-40200")):
    program, told = link(symbol, f"-Wl,-u,{symbol}")
    paper = tmp(f"{symbol}.cdx.json")
    status, said = bill(paper, "--binary", program, "--map", told)
    ok(status == 0 and f"libc.a({object_name}.lo)" in open(paper).read(), f"(a program with {symbol} is accounted for)", said)
    refused(f"{symbol} is linked: {cve} can no longer be answered", rf"{cve}: the claim .* no longer true: musl@amd64 has {object_name}", bills=[paper])
program, told = link("aes", "-Wl,-u,br_aes_ct_ctrcbc_init")
paper = tmp("aes.cdx.json")
status, said = bill(paper, "--binary", program, "--map", told)
ok(status == 0, "(a program with more of BearSSL is accounted for)", said)
refused("more of BearSSL has to be looked at", r"bearssl: sbom/vex\.json allows .* has .*aes_ct", bills=[paper])


def changed(change):
    paper = load("build/sbom/postern-amd64.cdx.json")
    change(paper)
    return [tmp("changed.cdx.json", paper)]


def part(paper, name):
    return next(c for c in paper["components"] if c["name"] == name)


refused("a patch is gone", r"CVE-2026-6042: the patch .* is not applied",
        bills=changed(lambda p: part(p, "musl")["pedigree"]["patches"].pop(4)))
refused("another version of a package that was reviewed", r"CVE-2023-4039: musl was reviewed at 1\.2\.5-3\.1~deb13u1, and is 1\.2\.6-2 now",
        bills=changed(lambda p: part(p, "musl").update(version="1.2.6-2")))
refused("libseccomp in the program", r"CVE-2019-9893: libseccomp is said not to be in the program",
        bills=changed(lambda p: p["components"].append({**p["formulation"][0]["components"][5], "name": "libseccomp", "bom-ref": "libseccomp@amd64"})))
refused("an object of libseccomp.a in the program", r"CVE-2019-9893: libseccomp\.a\(db\.o\) 10 of libseccomp is linked",
        bills=changed(lambda p: part(p, "musl")["properties"].append({"name": "postern:build:linkedObject", "value": "libseccomp.a(db.o) 10"})))
claims = load("sbom/vex.json")
shutil.copytree("src", tmp("tree/src"))
shutil.copy("Makefile", tmp("tree/Makefile"))
with open(tmp("tree/src/main.c"), "a", encoding="utf-8") as f:
    f.write("void *f(int n) { return __builtin_alloca(n); }\n")
refused("alloca in a source", r"CVE-2023-4039: .*main\.c calls alloca", "--root", tmp("tree"))
shutil.copy("src/main.c", tmp("tree/src/main.c"))
with open("Makefile", encoding="utf-8") as f:
    tmp("tree/Makefile", f.read().replace("-Wvla", ""))
refused("arrays of variable size allowed", r"CVE-2023-4039: the Makefile no longer", "--root", tmp("tree"))
empty = copy.deepcopy(claims)
empty["statements"][0]["claims"] = []
refused("a statement without a claim", "without a claim", "--claims", tmp("c1.json", empty))
odd = copy.deepcopy(claims)
odd["statements"][0]["claims"] = [{"trust_me": True}]
refused("a claim that nothing can prove", "no one can prove", "--claims", tmp("c2.json", odd))
done()
