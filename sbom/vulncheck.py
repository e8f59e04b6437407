#!/usr/bin/env python3
"""vulncheck.py: bills of materials against an offline copy of the OSV database, and the VEX. No network, nothing but Python.

  vulncheck.py --db DIR|ZIP --vex FILE SBOM...          judge
  vulncheck.py import --out DIR --exported TIME FILE... make DIR from OSV's records (*.json, or all.zip of an ecosystem), where the network is

Exit status  0  no finding
             1  findings, one line each
             2  no answer: the database is missing, too old, altered, or does not cover a component's ecosystem; a component has no purl; a paper
                cannot be read. A gate must treat 2 like 1: silence of a broken instrument is no good news.

The database is a directory or a zip file with `manifest.json`: {"exported": UTC time, "files": {name: SHA-256}} and those files, each one
OSV record, a list of them, or a zip of records. --manifest-sha256 pins the manifest itself, when its hash came another way.

How a record meets a component:
  Debian   package name and release (Debian:13 for distro=trixie), versions compared as dpkg does. A library is asked for by its source.
  upstream records of no distribution, by name or repository: the author's version; what a patch in the bill resolves is left out.
A range of bare commits cannot be judged; such a record is a finding until somebody decides it.
Tools of the build are asked for with --tools. What comes from sbom/sources.lock always is, linked or not.
"""
import argparse, hashlib, io, json, os, re, sys, zipfile
from datetime import date, datetime, timedelta, timezone
from urllib.parse import unquote

RELEASE = {"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
RECORD_MAX = 16 << 20
TIME = "%Y-%m-%dT%H:%M:%SZ"


class NoAnswer(Exception):
    """Why the gate cannot be trusted."""


# ------------------------------------------------------------------------------------------- Debian's order of versions

def order(char):
    """~ before the end, the end before letters, letters before all else."""
    return -1 if char == "~" else 0 if not char else ord(char) if char.isalpha() else ord(char) + 256


def compare_part(a, b):
    """Deb-policy 5.6.12: by turns a stretch without digits, then a number."""
    while a or b:
        left, right = re.match(r"\D*", a)[0], re.match(r"\D*", b)[0]
        for at in range(max(len(left), len(right))):
            x, y = order(left[at:at + 1]), order(right[at:at + 1])
            if x != y:
                return -1 if x < y else 1
        a, b = a[len(left):], b[len(right):]
        left, right = re.match(r"\d*", a)[0], re.match(r"\d*", b)[0]
        if int(left or 0) != int(right or 0):
            return -1 if int(left or 0) < int(right or 0) else 1
        a, b = a[len(left):], b[len(right):]
    return 0


def compare(a, b):
    """-1, 0 or 1; epoch:upstream-revision."""
    def parts(version):
        epoch, colon, rest = version.partition(":")
        if not colon or not epoch.isdigit():
            epoch, rest = "0", version
        upstream, dash, revision = rest.rpartition("-")
        return int(epoch), upstream if dash else rest, revision if dash else ""
    left, right = parts(a), parts(b)
    if left[0] != right[0]:
        return -1 if left[0] < right[0] else 1
    return compare_part(left[1], right[1]) or compare_part(left[2], right[2])


def in_range(version, events):
    """OSV's own rule: go through the events in order; introduced switches on, fixed and a passed last_affected switch off."""
    from functools import cmp_to_key
    found = []
    for event in events:
        for kind, at in event.items():
            if kind in ("introduced", "fixed", "last_affected"):
                found.append((at, kind))
    rank = {"fixed": 0, "introduced": 1, "last_affected": 2}

    def before(a, b):
        if a[0] != b[0] and "0" in (a[0], b[0]):
            return -1 if a[0] == "0" else 1
        return compare(a[0], b[0]) or rank[a[1]] - rank[b[1]]
    hit = False
    for at, kind in sorted(found, key=cmp_to_key(before)):
        passed = 1 if at == "0" else compare(version, at)
        if kind == "introduced" and passed >= 0:
            hit = True
        elif kind == "fixed" and passed >= 0 or kind == "last_affected" and passed > 0:
            hit = False
    return hit


# --------------------------------------------------------------------------------------------------------- the database

def files_of(db):
    """{name: bytes} of a directory or zip."""
    if not db or not os.path.exists(db):
        raise NoAnswer(f"there is no database {db or '(none was given)'}. Import one: vulncheck.py import")
    if os.path.isdir(db):
        found = {}
        for folder, _, names in os.walk(db):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, db)] = f.read()
        return found
    try:
        with zipfile.ZipFile(db) as z:
            return {i.filename: z.read(i) for i in z.infolist() if not i.is_dir()}
    except (zipfile.BadZipFile, RuntimeError, OSError) as why:
        raise NoAnswer(f"{db} is altered: it cannot be read as a zip file ({why})") from None


def open_db(db, days, now, pin):
    files = files_of(db)
    if "manifest.json" not in files:
        raise NoAnswer(f"{db} has no manifest.json, so nobody knows how old it is or whether it is whole")
    raw = files.pop("manifest.json")
    if pin and hashlib.sha256(raw).hexdigest() != pin:
        raise NoAnswer(f"{db} is altered: manifest.json has not the SHA-256 that was asked for")
    try:
        manifest = json.loads(raw)
        exported = datetime.strptime(manifest["exported"], TIME).replace(tzinfo=timezone.utc)
        listed = dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as why:
        raise NoAnswer(f"{db}/manifest.json is altered: {why}") from None
    for name in sorted(listed.keys() | files.keys()):
        if name not in files:
            raise NoAnswer(f"{db} is altered: {name} of its manifest is missing")
        if name not in listed:
            raise NoAnswer(f"{db} is altered: {name} is not in its manifest")
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            raise NoAnswer(f"{db} is altered: {name} is not what the manifest says")
    if exported > now + timedelta(days=1):
        raise NoAnswer(f"{db} says it is from {manifest['exported']}, which is yet to come; look at both clocks")
    if now - exported > timedelta(days=days):
        raise NoAnswer(f"{db} is stale: exported {manifest['exported']}, more than {days} days ago. Import a newer one")
    records = [r for name in sorted(files) for r in records_of(name, files[name])]
    if not records:
        raise NoAnswer(f"{db} holds no record")
    return manifest["exported"], records


def records_of(name, data):
    """OSV records of one file."""
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as z:
                return [r for i in z.infolist() if i.filename.endswith(".json") and i.file_size <= RECORD_MAX
                        for r in records_of(i.filename, z.read(i))]
        if not name.endswith(".json"):
            raise ValueError("neither .json nor .zip")
        found = json.loads(data)
        found = found if isinstance(found, list) else [found]
        for record in found:
            if not isinstance(record["id"], str) or not isinstance(record.get("affected", []), list):
                raise ValueError("no OSV record")
        return found
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as why:
        raise NoAnswer(f"{name} cannot be read as OSV: {why}") from None


# -------------------------------------------------------------------------------------------------------- the components

def props(component, name):
    return [p.get("value", "") for p in component.get("properties", []) if p["name"] == name]


def plain_repo(url):
    return re.sub(r"^https?://(www\.)?|^git://|\.git$|/$", "", url.lower())


class Part:
    """A component as advisories may call it."""

    def __init__(self, component, where):
        self.ref, self.purl = component.get("bom-ref", component.get("name", "?")), component.get("purl")
        m = re.fullmatch(r"pkg:([a-z]+)/(?:([^@?#]*)/)?([^/@?#]+)@([^?#]+)(?:\?([^#]*))?(?:#.*)?", self.purl or "")
        if not m:
            raise NoAnswer(f"{where}: {self.ref} has {'no purl' if not self.purl else 'the purl ' + self.purl + ', which cannot be read'}")
        kind, _, name, version, query = m.groups()
        name, version = unquote(name), unquote(version)
        about = dict(q.split("=", 1) for q in (query or "").split("&") if "=" in q)
        self.debian, self.release = set(), None
        if kind == "deb":
            if about.get("distro") not in RELEASE:
                raise NoAnswer(f"{where}: {self.purl} is of no Debian release that is known here")
            self.release = RELEASE[about["distro"]]
            self.debian.add((name, version))
            for base in props(component, "postern:package:base"):
                self.debian.add(tuple(base.split(" ", 1)))
        self.upstream = {(name, version)} if kind in ("generic", "github") else set()
        for a in component.get("pedigree", {}).get("ancestors", []):
            self.upstream.add((a["name"], a["version"]))
        if re.match(r"cpe:2\.3:a:", component.get("cpe", "")):
            fields = component["cpe"].split(":")
            self.upstream.add((fields[4], fields[5]))
        self.repos = {plain_repo(r["url"]) for r in component.get("externalReferences", []) if r["type"] == "vcs"}
        self.mended = {i["id"] for p in component.get("pedigree", {}).get("patches", []) for i in p.get("resolves", []) if i.get("id")}


def parts_of(path, tools):
    """-> purl of the product, [Part]. Every component must have a purl, asked for or not."""
    try:
        with open(path, encoding="utf-8") as f:
            paper = json.load(f)
        main, product = paper["metadata"]["component"], list(paper["components"])
        made = [c for f in paper.get("formulation", []) for c in f["components"]]
    except (OSError, ValueError, KeyError, TypeError) as why:
        raise NoAnswer(f"{path} cannot be read as a bill of materials: {why}") from None
    if not product:
        raise NoAnswer(f"{path} has no component; an empty list proves nothing")
    found = [Part(c, path) for c in [main, *product]]
    for c in made:
        part = Part(c, path)
        if tools or props(c, "postern:build:locked"):
            found.append(part)
    return main["purl"], found


# --------------------------------------------------------------------------------------------------------------- judging

def names_of(record):
    found = {record["id"], *record.get("aliases", []), *record.get("upstream", [])}
    return found | {re.sub(r"^DEBIAN-", "", n) for n in found}


def hit(part, record, affected):
    """-> None, or what the record says about this part."""
    package = affected.get("package", {})
    system, _, release = package.get("ecosystem", "").partition(":")
    ranges, listed = affected.get("ranges", []), affected.get("versions", [])
    if system == "Debian":
        if release and release != part.release or not part.release:
            return None
        for name, version in part.debian:
            if name != package.get("name"):
                continue
            events = [r["events"] for r in ranges if r.get("type") == "ECOSYSTEM"]
            if version in listed or any(in_range(version, e) for e in events):
                mended = [e["fixed"] for r in events for e in r if "fixed" in e]
                return f"{name} {version}" + (f", fixed in {', '.join(mended)}" if mended else ", no fix yet")
        return None
    if system not in ("", "GIT", "OSS-Fuzz", "Bitnami"):
        return None
    repos = {plain_repo(r["repo"]) for r in ranges if r.get("repo")}
    for name, version in part.upstream:
        if name.lower() != package.get("name", "").lower() and not repos & part.repos:
            continue
        if names_of(record) & part.mended:
            return None
        spelled = {version, "v" + version, f"{name}-{version}", f"{name}-v{version}"}
        if spelled & set(listed):
            return f"{name} {version}"
        read = [r["events"] for r in ranges if r.get("type") in ("ECOSYSTEM", "SEMVER")]
        if any(in_range(version, e) for e in read):
            return f"{name} {version}"
        if not read and not listed and any(r.get("type") == "GIT" for r in ranges):
            return f"{name} {version}: the record names commits only; decide it by hand"
    return None


def read_vex(path, now):
    """{(product purl, component purl, vulnerability)} that are known not to be affected, and those whose review is overdue."""
    good, late = set(), set()
    if not path:
        return good, late
    try:
        with open(path, encoding="utf-8") as f:
            statements = json.load(f)["statements"]
        for s in statements:
            if s["status"] not in ("not_affected", "fixed"):
                continue
            until = re.search(r"review by (\d{4}-\d\d-\d\d)", s.get("status_notes", ""))
            into = good if until and date.fromisoformat(until[1]) >= now.date() else late
            for name in {s["vulnerability"]["name"], *s["vulnerability"].get("aliases", [])}:
                for product in s["products"]:
                    into.update((product["@id"], sub["@id"], name) for sub in product["subcomponents"])
    except (OSError, ValueError, KeyError, TypeError) as why:
        raise NoAnswer(f"{path} cannot be read as OpenVEX: {why}") from None
    return good, late


def judge(args):
    now = datetime.strptime(args.now, TIME).replace(tzinfo=timezone.utc) if args.now else datetime.now(timezone.utc)
    bills = [(path, *parts_of(path, args.tools)) for path in args.bills]
    good, late = read_vex(args.vex, now)
    exported, records = open_db(args.db, args.days, now, args.manifest_sha256)
    covered = {a.get("package", {}).get("ecosystem") for r in records for a in r.get("affected", [])}
    for path, _, parts in bills:
        for part in parts:
            if part.release and f"Debian:{part.release}" not in covered:
                raise NoAnswer(f"{args.db} has no record of Debian:{part.release}, where {part.purl} comes from")
    findings, answered = [], []
    for path, product, parts in bills:
        for part in parts:
            for record in records:
                if record.get("withdrawn"):
                    continue
                said = next(filter(None, (hit(part, record, a) for a in record.get("affected", []))), None)
                if not said:
                    continue
                keys = {(product, part.purl, n) for n in names_of(record)}
                line = f"{record['id']}: {part.ref}: {said}"
                if keys & good:
                    answered.append(line)
                else:
                    findings.append(f"{os.path.basename(path)}: {line}" + (" (its VEX statement is due for review)" if keys & late else ""))
    for line in sorted(set(findings)):
        print(line)
    for line in sorted(set(answered)):
        print(f"VEX answers {line}")
    asked = len({p.purl for _, _, parts in bills for p in parts})
    print(f"vulncheck: {len(set(findings))} findings, {len(set(answered))} answered by the VEX; {asked} packages, {len(records)} records "
          f"exported {exported}")
    return 1 if findings else 0


def import_db(args):
    """Copies OSV's files beside a manifest. It vouches for what was there, not for who made it."""
    datetime.strptime(args.exported, TIME)
    os.makedirs(args.out)
    listed = {}
    for path in args.files:
        with open(path, "rb") as f:
            data = f.read()
        name = os.path.basename(path)
        if name == "all.zip":
            name = os.path.basename(os.path.dirname(os.path.abspath(path))) + ".zip"
        if name in listed or name == "manifest.json":
            raise NoAnswer(f"{path}: there is a file of the name {name} already")
        records_of(name, data)
        with open(os.path.join(args.out, name), "wb") as f:
            f.write(data)
        listed[name] = hashlib.sha256(data).hexdigest()
    raw = json.dumps({"exported": args.exported, "files": listed}, indent=1, sort_keys=True) + "\n"
    with open(os.path.join(args.out, "manifest.json"), "w", encoding="utf-8") as f:
        f.write(raw)
    print(f"vulncheck: {args.out}: {len(listed)} files; SHA-256 of its manifest: {hashlib.sha256(raw.encode()).hexdigest()}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if sys.argv[1:2] == ["import"]:
        parser.add_argument("command")
        parser.add_argument("--out", required=True)
        parser.add_argument("--exported", required=True, metavar="2026-11-20T00:00:00Z")
        parser.add_argument("files", nargs="+")
    else:
        parser.add_argument("--db", default="")
        parser.add_argument("--days", type=int, default=30, help="how old the database may be, by its own word")
        parser.add_argument("--vex")
        parser.add_argument("--tools", action="store_true", help="the tools of the build as well")
        parser.add_argument("--manifest-sha256", default="")
        parser.add_argument("--now", metavar="2026-11-20T00:00:00Z", help="judge as of then (the clock, if not given)")
        parser.add_argument("bills", nargs="+")
    args = parser.parse_args()
    try:
        return import_db(args) if hasattr(args, "command") else judge(args)
    except NoAnswer as why:
        print(f"vulncheck: {why}", file=sys.stderr)
        return 2
    except Exception as why:    # whatever else goes wrong is no all-clear either
        print(f"vulncheck: no answer: {type(why).__name__}: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
