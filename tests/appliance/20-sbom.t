#!/usr/bin/env python3
# The bills of materials: right by the schema and by our lint, true to what was linked, and the same bytes everywhere.
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sbomlib import *
import hashlib

ok("build/sbom/postern-amd64.cdx.json" in PAPERS and os.path.exists(VEX), "there are papers", str(PAPERS))
offline = cut_off()
status, said = call(*offline, sys.executable, "sbom/check.py", *PAPERS)
ok(status == 0, f"schema 1.6 and lint find nothing{', without network' if offline else ''}", said)

# ---- the lint and the schema can say no
good = load("build/sbom/postern-amd64.cdx.json")
musl = next(i for i, c in enumerate(good["components"]) if c["name"] == "musl")


def drop_property(c, name):
    c["properties"] = [p for p in c["properties"] if p["name"] != name]


def dangling(p): p["dependencies"][0]["dependsOn"].append("nobody@amd64")
def dangling_composition(p): p["compositions"][0]["assemblies"].append("nobody@amd64")
def nonsense(p): p["components"][musl]["licenses"] = [{"expression": "MIT AND OR Apache", "acknowledgement": "concluded"}]
def no_such_licence(p): p["components"][musl]["licenses"] = [{"expression": "MIT AND Beerware-9", "acknowledgement": "concluded"}]
def not_spdx(p): p["components"][musl]["licenses"][0]["license"]["id"] = "MITT"
def undeclared(p): p["components"][musl]["licenses"] = [p["components"][musl]["licenses"][1]]
def uncovered(p): p["compositions"][0]["assemblies"].remove("musl@amd64")
def not_complete(p): p["compositions"][0]["aggregate"] = "incomplete"
def no_purl(p): del p["components"][musl]["purl"]
def bad_purl(p): p["components"][musl]["purl"] = "pkg:deb/musl"
def other_version(p): p["components"][musl]["version"] = "1.2.6"
def short_hash(p): p["components"][musl]["hashes"][0]["content"] = "12ab"
def no_sha512(p): p["components"][musl]["hashes"].pop()
def twice(p): p["components"].append(copy.deepcopy(p["components"][musl]))
def unreached(p): p["dependencies"] = [{**d, "dependsOn": [r for r in d.get("dependsOn", []) if r != "musl@amd64"]} for d in p["dependencies"]]
def no_supplier(p): del p["components"][musl]["supplier"]
def no_contact(p): p["components"][musl]["supplier"] = {"name": "Debian"}
def no_filename(p): drop_property(p["components"][musl], "bsi:component:filename")
def odd_archive(p): [x for x in p["components"][musl]["properties"] if x["name"] == "bsi:component:archive"][0]["value"] = "yes"
def no_source_hash(p): del p["components"][musl]["externalReferences"][0]["hashes"]
def patch_of_nothing(p): p["components"][musl]["pedigree"]["patches"][1]["resolves"] = [{"type": "security", "id": "the one of May"}]
def vulnerabilities(p): p["vulnerabilities"] = []
def unknown_field(p): p["components"][musl]["colour"] = "blue"
def local_time(p): p["metadata"]["timestamp"] = "yesterday"
def no_authors(p): del p["metadata"]["authors"]
def no_serial(p): del p["serialNumber"]
def our_path(p): p["components"][musl]["description"] = ROOT + "/build"


missed = []
for change in (dangling, dangling_composition, nonsense, no_such_licence, not_spdx, undeclared, uncovered, not_complete, no_purl, bad_purl,
               other_version, short_hash, no_sha512, twice, unreached, no_supplier, no_contact, no_filename, odd_archive, no_source_hash,
               patch_of_nothing, vulnerabilities, unknown_field, local_time, no_authors, no_serial, our_path):
    paper = copy.deepcopy(good)
    change(paper)
    status, said = python("sbom/check.py", tmp(change.__name__ + ".cdx.json", paper))
    if status != 1 or "Traceback" in said:
        missed.append(f"{change.__name__}: {status} {said}")
none(missed, "27 spoiled bills are each found out")

# ---- what it says is so
wrong = []
for arch, where in (("amd64", "build"), ("arm64", "build/arm64")):
    paper = f"build/sbom/postern-{arch}.cdx.json"
    if paper not in PAPERS:
        skip(f"{arch}: the bill and the linker map", "the build has no arm64 here")
        continue
    paper = load(paper)
    said = {p["value"].rsplit(" ", 1)[0] for c in paper["components"] for p in c["properties"] if p["name"] == "postern:build:linkedObject"}
    own = {p["value"].rsplit(" ", 1)[0] for p in paper["metadata"]["component"]["properties"] if p["name"] == "postern:build:linkedObject"}
    # Read a second time, in another way: every word of the map that looks like an object or a member.
    body = open(f"{where}/postern.map").read()
    mapped = {os.path.basename(w) for w in re.findall(r"[^\s()]+\.a\([^()\s]+\)|(?<=LOAD )\S+\.o", body)}
    mapped = {w for w in mapped if ".ltrans" not in w}
    ok({os.path.basename(w) for w in said | own} == mapped and len(said) > 50 and len(own) > 50,
       f"{arch}: the bill has every object of the linker map, and no other", sorted({os.path.basename(w) for w in said | own} ^ mapped))
    data = open(f"{where}/postern", "rb").read()
    hashes = {h["alg"]: h["content"] for h in paper["metadata"]["component"]["hashes"]}
    ok(hashes == {"SHA-256": hashlib.sha256(data).hexdigest(), "SHA-512": hashlib.sha512(data).hexdigest()}, f"{arch}: it is this program's")
patches = {i["id"] for c in good["components"] for p in c.get("pedigree", {}).get("patches", []) for i in p["resolves"] if "id" in i}
ok({"CVE-2025-26519", "CVE-2026-6042", "CVE-2026-40200"} <= patches, "musl's security patches carry their CVE ids", sorted(patches))
names = {c["name"]: c for c in good["formulation"][0]["components"]}
ok("libseccomp" in names and "libseccomp" not in {c["name"] for c in good["components"]}, "libseccomp stands with the tools, not with the program")
if "build/sbom/postern-image.cdx.json" in PAPERS:
    image = load("build/sbom/postern-image.cdx.json")
    digest = open("build/image/digest").read().strip().removeprefix("sha256:")
    ok(image["metadata"]["component"]["hashes"][0]["content"] == digest and digest in image["metadata"]["component"]["purl"],
       "the image's bill is of the index digest")
    ok(sum(c["name"] == "postern" for c in image["components"]) == 2, "and holds both programs")

# ---- the same bytes
status, said = bill(tmp("a.json"), "--epoch", "1")
again, said2 = bill(tmp("b.json"), "--epoch", "1")
ok(status == 0 and again == 0 and open(tmp("a.json")).read() == open(tmp("b.json")).read(), "two runs, the same bytes", said + said2)
status, said = bill(tmp("later.json"), "--epoch", "86401")
a, later = load(tmp("a.json")), load(tmp("later.json"))
ok(a["metadata"].pop("timestamp") == "1970-01-01T00:00:01Z" and later["metadata"].pop("timestamp") == "1970-01-02T00:00:01Z" and a == later,
   "another date changes the date only")
there = copied_tree()
status, said = bill("../c.json", "--epoch", "1", cwd=there, script="sbom/bill.py", preexec_fn=lambda: os.umask(0o077),
                    env={"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"})
ok(status == 0 and open(there + "/../c.json").read() == open(tmp("a.json")).read(),
   "another directory, umask, time zone and locale: the same bytes", said)
done()
