#!/usr/bin/env python3
# The offline gate: each exit status, each way to be worth nothing, Debian's order of versions.
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sbomlib import *
import hashlib, random, zipfile
from vulncheck import compare, in_range

NOW = "2026-06-10T00:00:00Z"
DB = "tests/appliance/osv"
AMD64 = "build/sbom/postern-amd64.cdx.json"


def check(*more, db=DB, vex=VEX, now=NOW, bills=None):
    return python("sbom/vulncheck.py", "--db", db, "--now", now, *(["--vex", vex] if vex else []), *more, *(bills or PAPERS))


def says(name, wanted, why, *more, **kw):
    status, said = check(*more, **kw)
    ok(status == wanted and re.search(why, said) and "Traceback" not in said, name, f"exit status {status}, wanted {wanted}", said)


copies = 0


def database(change=None, records=(), exported="2026-06-01T00:00:00Z"):
    """A copy of the recorded database with more records; change(directory) spoils it afterwards."""
    global copies
    copies += 1
    there = tmp(f"db{copies}")
    files = [os.path.join(DB, f) for f in sorted(os.listdir(DB)) if f.endswith(".json") and f != "manifest.json"]
    for r in records:
        files.append(tmp(f"records{copies}/{r['id']}.json", r))
    status, said = python("sbom/vulncheck.py", "import", "--out", there, "--exported", exported, *files)
    assert status == 0, said
    if change:
        change(there)
    return there


def record(name, ecosystem, events=None, **more):
    affected = {"package": {"ecosystem": ecosystem, "name": name}} if ecosystem is not None else {}
    if events:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    affected.update({k: more.pop(k) for k in ("ranges", "versions", "package") if k in more})
    return {"schema_version": "1.7.0", "id": "POSTERN-TEST-1", "modified": "2026-06-01T00:00:00Z", "affected": [affected], **more}


ALL = [{"introduced": "0"}]

# ---- 0 and 1
words = cut_off()
status, said = call(*words, sys.executable, "sbom/vulncheck.py", "--db", DB, "--now", NOW, "--vex", VEX, *PAPERS)
ok(status == 0 and "0 findings" in said and "VEX answers DEBIAN-CVE-2022-27943" in said, f"0: all answered{', without network' if words else ''}", said)
says("0: the tools as well", 0, "0 findings", "--tools")
says("1: without the VEX there is a finding", 1, r"DEBIAN-CVE-2022-27943: libgcc-12-dev", vex=None)
says("1: a record that nothing answers", 1, r"POSTERN-TEST-1: bearssl@amd64: bearssl 0\.6\+dfsg\.1-3, fixed in 0\.6\+dfsg\.1-4",
     db=database(records=[record("bearssl", "Debian:12", [{"introduced": "0"}, {"fixed": "0.6+dfsg.1-4"}])]))
says("1: one without a fix", 1, "no fix yet", db=database(records=[record("musl", "Debian:13", ALL)]))
says("1: libseccomp is asked for though it is not linked", 1, "POSTERN-TEST-1: tool/libseccomp",
     db=database(records=[record("libseccomp", "Debian:13", ALL)]))
says("1: an older musl is found by its CVEs", 1, "DEBIAN-CVE-2026-40200: musl@amd64: musl 1.2.5-2, fixed in 1.2.5-3.1~deb13u1", vex=None, bills=[tmp(
    "old.cdx.json", open(AMD64).read().replace("1.2.5-3.1~deb13u1", "1.2.5-2"))])
for name, wanted, of in (
        ("another release of Debian", 0, record("musl", "Debian:12", ALL)),
        ("another distribution", 0, record("musl", "Alpine:v3.20", ALL)),
        ("a name that only begins alike", 0, record("musl-dev", "Debian:13", ALL)),
        ("fixed before ours", 0, record("musl", "Debian:13", [{"introduced": "0"}, {"fixed": "1.2.5-3"}])),
        ("introduced after ours", 0, record("musl", "Debian:13", [{"introduced": "1.2.5-4"}])),
        ("ours is the last one affected", 1, record("musl", "Debian:13", [{"introduced": "0"}, {"last_affected": "1.2.5-3.1~deb13u1"}])),
        ("~ sorts before the end", 1, record("musl", "Debian:13", [{"introduced": "0"}, {"fixed": "1.2.5-3.1"}])),
        ("fixed, and broken again", 1, record("musl", "Debian:13", [{"introduced": "0"}, {"fixed": "1.2.3-1"}, {"introduced": "1.2.5-1"}])),
        ("withdrawn", 0, record("musl", "Debian:13", ALL, withdrawn="2026-05-01T00:00:00Z")),
        ("upstream, by repository and version", 1, record(None, None, ranges=[{"type": "GIT", "repo": "https://git.musl-libc.org/git/musl.git",
         "events": ALL}], versions=["v1.2.4", "v1.2.5"])),
        ("upstream, another version", 0, record(None, None, ranges=[{"type": "GIT", "repo": "https://git.musl-libc.org/git/musl",
         "events": ALL}], versions=["v1.2.4"])),
        ("upstream, commits only: to be decided", 1, record(None, None, ranges=[{"type": "GIT", "repo": "https://git.musl-libc.org/git/musl",
         "events": ALL}])),
        ("upstream, by name", 1, record("jsmn", "", versions=["1.1.0"])),
        ("upstream, mended by a patch of ours", 0, record("musl", "", versions=["1.2.5"], aliases=["CVE-2026-40200"]))):
    says(f"{wanted}: {name}", wanted, "POSTERN-TEST-1" if wanted else "0 findings", db=database(records=[of]), bills=[AMD64])
says("1: a VEX statement due for review no longer answers", 1, "due for review", now="2027-07-01T00:00:00Z",
     db=database(exported="2027-06-20T00:00:00Z"))
other = load(VEX)
for s in other["statements"]:
    for p in s["products"]:
        p["@id"] = "pkg:generic/postern@0.0.9?arch=amd64"
says("1: the VEX of another version answers nothing", 1, "CVE-2022-27943", vex=tmp("other.vex.json", other))

# ---- 2
says("2: no database", 2, "there is no database", db=tmp("nowhere"))
says("2: none given", 2, "none was given", db="")
says("2: no manifest", 2, "no manifest", db=database(lambda d: os.unlink(d + "/manifest.json")))
says("2: stale by its own time", 2, "stale", now="2026-07-02T00:00:00Z")
says("0: unless more days are allowed", 0, "0 findings", "--days", "31", now="2026-07-02T00:00:00Z")
says("2: of the future", 2, "yet to come", now="2026-05-01T00:00:00Z")


def append(name):
    def change(there):
        with open(f"{there}/{name}", "a", encoding="utf-8") as f:
            f.write("\n")
    return change


says("2: a record changed", 2, "altered: DEBIAN-CVE-2023-4039.json is not what", db=database(append("DEBIAN-CVE-2023-4039.json")))
says("2: a record gone", 2, "altered: .* is missing", db=database(lambda d: os.unlink(d + "/DEBIAN-CVE-2023-4039.json")))
says("2: a record slipped in", 2, "altered: x.json is not in its manifest", db=database(append("x.json")))
manifest = open(DB + "/manifest.json", "rb").read()
says("0: the manifest's hash, as told", 0, "0 findings", "--manifest-sha256", hashlib.sha256(manifest).hexdigest())
says("2: the manifest changed with the records", 2, "altered: manifest.json", "--manifest-sha256", hashlib.sha256(manifest).hexdigest(),
     db=database(records=[record("x", "Debian:13", ALL)]))
says("2: a file that is no record", 2, "cannot be read as OSV", db=database(lambda d: (
    tmp(d + "/x.json", "{}"), tmp(d + "/manifest.json", {**load(d + "/manifest.json"), "files": {
        **load(d + "/manifest.json")["files"], "x.json": hashlib.sha256(b"{}").hexdigest()}}))))
debian12 = tmp("only12")
status, said = python("sbom/vulncheck.py", "import", "--out", debian12, "--exported", "2026-06-01T00:00:00Z",
                      tmp("r12/one.json", record("x", "Debian:12", ALL)))
says("2: a release that the database does not cover", 2, "no record of Debian:13", db=debian12)
for name, why, change in (
        ("a component without purl", "has no purl", lambda p: p["components"][0].pop("purl")),
        ("a tool without purl", "has no purl", lambda p: p["formulation"][0]["components"][0].pop("purl")),
        ("a purl that cannot be read", "cannot be read", lambda p: p["components"][0].update(purl="musl 1.2.5")),
        ("a bill without components", "has no component", lambda p: p.update(components=[]))):
    paper = load(AMD64)
    change(paper)
    says(f"2: {name}", 2, why, bills=[tmp("changed.cdx.json", paper)])
says("2: a bill that is none", 2, "cannot be read as a bill", bills=[tmp("broken.json", "{")])
says("2: a VEX that is none", 2, "cannot be read as OpenVEX", vex=tmp("broken.vex", "{}"))

# ---- a zip, and a zip of one ecosystem inside
there = database()
with zipfile.ZipFile(tmp("db.zip"), "w") as z:
    for name in sorted(os.listdir(there)):
        z.write(f"{there}/{name}", name)
says("0: the database as one zip file", 0, "7 records", db=tmp("db.zip"))
tmp("Debian/all.zip")
with zipfile.ZipFile(tmp("Debian/all.zip"), "w") as z:
    for name in sorted(os.listdir(DB)):
        if name.startswith("DEBIAN-"):
            z.write(f"{DB}/{name}", name)
status, said = python("sbom/vulncheck.py", "import", "--out", tmp("fromzip"), "--exported", "2026-06-01T00:00:00Z", tmp("Debian/all.zip"))
ok(status == 0 and os.path.exists(tmp("fromzip/Debian.zip")), "OSV's own all.zip of an ecosystem is imported", said)
says("0: and judged", 0, "6 records", db=tmp("fromzip"))
with open(tmp("db.zip"), "r+b") as f:
    f.truncate(900)
says("2: a zip file cut short", 2, "altered", db=tmp("db.zip"))

# ---- make
status, said = call("make", "NO_INSTALL=1", "vulncheck", f"DB={DB}", "DAYS=36500")
ok(status == 0 and "0 findings" in said, "make vulncheck", said)
status, said = call("make", "NO_INSTALL=1", "vulncheck", "DB=")
ok(status != 0 and "none was given" in said and "Error 2" in said, "make vulncheck without a database says Error 2", said)

# ---- versions: the rules by hand, then dpkg as the witness
for a, b, wanted in (("1.0~rc1", "1.0", -1), ("1.0", "1.0-0", 0), ("1.0-1", "1.0-1.1", -1), ("1.9", "1.10", -1), ("1:0.1", "9.9", 1),
                     ("1.0+dfsg.1-3", "1.0-3", 1), ("1.0a", "1.0+", -1), ("1.2.5-3.1~deb13u1", "1.2.5-3.1", -1), ("0", "0", 0), ("1.0~~", "1.0~", -1)):
    ok(compare(a, b) == wanted and compare(b, a) == -wanted, f"{a} and {b}: {wanted}", str(compare(a, b)))
ok(in_range("1.5", [{"fixed": "2"}, {"introduced": "0"}]) and not in_range("2", [{"fixed": "2"}, {"introduced": "0"}]), "events in any order")
if shutil.which("dpkg"):
    chance, bad = random.Random(7), []
    for _ in range(150):
        pair = [chance.choice(["", "", "1:", "0:"]) + "1" + "".join(chance.choice(["1", "2", "0", "10", ".", "~", "+", "a", "b", "Z", "-1", "deb", "u"])
                for _ in range(chance.randint(0, 5))) for _ in "ab"]
        got = {-1: "lt", 0: "eq", 1: "gt"}[compare(*pair)]
        if call("dpkg", "--compare-versions", pair[0], got, pair[1])[0] != 0:
            bad.append(f"{pair}: {got}, dpkg does not agree")
    none(bad, "150 pairs made by chance: dpkg says the same")
else:
    skip("150 pairs made by chance: dpkg says the same", "no dpkg here")
done()
