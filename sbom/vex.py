#!/usr/bin/env python3
"""vex.py --out FILE SBOM...: OpenVEX 0.2.0 from the claims of vex.json, each proved against the bills of materials first.

A claim that is no longer true ends the run: an object that is said to be absent and is linked, a patch that is no longer applied, a
component that came in, a package that changed after someone had reviewed it. There is no way to publish it all the same.
Kinds of claims:
  absent            no bill has an object of one of these names from the package
  patched           Debian's patches of these names are applied, and the bill says that they resolve the vulnerability
  not_linked        no bill has the package in the program
  reviewed          these packages are of the version that somebody looked at
  no_dynamic_stack  the Makefile makes arrays of variable size an error, and no source of ours says alloca
"""
import argparse, hashlib, json, os, re, sys, uuid
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from origin import Stop, read

HERE = os.path.dirname(os.path.abspath(__file__))
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "postern:vex")


def values(component, name):
    return [p["value"] for p in component.get("properties", []) if p["name"] == name]


def matches(component, package):
    """Is this the package, or made from it?"""
    base = (values(component, "postern:package:base") or [""])[0].split(" ")[0]
    return package in (component["name"], base) or component["bom-ref"] in (package, "tool/" + package)


def objects(component):
    """Names of the objects that are linked, without library and suffix."""
    found = set()
    for value in values(component, "postern:build:linkedObject"):
        name = value.rsplit(" ", 1)[0]
        inside = re.search(r"\(([^)]+)\)$", name)
        found.add(re.sub(r"\.(lo|o)$", "", inside[1] if inside else os.path.basename(name)))
    return found


class Bills:
    def __init__(self, paths):
        self.papers = [json.loads(read(p)) for p in paths]
        if not self.papers:
            raise Stop("no bill of materials was given")

    def linked(self, package):
        return [c for p in self.papers for c in p["components"] if matches(c, package)]

    def built(self, package):
        return [c for p in self.papers for f in p.get("formulation", []) for c in f["components"] if matches(c, package)]

    def prove(self, statement, claim, root):
        package, what = statement["package"], statement["vulnerability"]
        [kind] = claim
        wanted = claim[kind]
        linked = self.linked(package)
        if kind in ("absent", "patched") and not linked:
            raise Stop(f"{what}: no bill has {package}; the statement is about nothing")
        if kind == "absent":
            for component in linked:
                there = sorted(objects(component) & set(wanted))
                if there:
                    raise Stop(f"{what}: the claim that {', '.join(wanted)} of {package} is not linked is no longer true: "
                               f"{component['bom-ref']} has {', '.join(there)}. Take the statement out of sbom/vex.json, or the object out of the link")
        elif kind == "patched":
            for component in linked:
                for name in wanted:
                    found = [p for p in component.get("pedigree", {}).get("patches", [])
                             if p["diff"]["text"]["content"].startswith(f"debian/patches/{name} ")]
                    if not any(i.get("id") == what for p in found for i in p["resolves"]):
                        raise Stop(f"{what}: the patch {name} is not applied to {component['bom-ref']}, or does not resolve it")
        elif kind == "not_linked":
            if self.linked(wanted):
                raise Stop(f"{what}: {wanted} is said not to be in the program, and {self.linked(wanted)[0]['bom-ref']} is")
            # Not by another name either: nothing that is linked came out of its archive.
            for paper in self.papers:
                for component in [paper["metadata"]["component"], *paper["components"]]:
                    for value in values(component, "postern:build:linkedObject"):
                        if value.startswith(f"{wanted}.a("):
                            raise Stop(f"{what}: {value} of {wanted} is linked")
        elif kind == "reviewed":
            for name, version in wanted.items():
                for component in self.linked(name):
                    if component["version"] != version:
                        raise Stop(f"{what}: {name} was reviewed at {version}, and is {component['version']} now. Look again, then change sbom/vex.json")
        elif kind == "no_dynamic_stack":
            flags = re.search(r"^WARN\s*:=((?:.*\\\n)*.*)$", read(f"{root}/Makefile"), re.M)
            if not flags or not {"-Wvla", "-Werror"} <= set(flags[1].split()):
                raise Stop(f"{what}: the Makefile no longer makes arrays of variable size an error")
            for folder, _, names in os.walk(f"{root}/src"):
                for name in names:
                    if re.search(r"\b(__builtin_)?alloca\b", read(os.path.join(folder, name))):
                        raise Stop(f"{what}: {folder}/{name} calls alloca")
        else:
            raise Stop(f"{what}: no one can prove a claim of the kind {kind!r}")

    def limit(self, limit):
        for component in self.linked(limit["package"]):
            new = sorted(objects(component) - set(limit["objects"]))
            if new or component["version"] != limit["version"]:
                raise Stop(f"{limit['package']}: sbom/vex.json allows {', '.join(limit['objects'])} of {limit['version']}; "
                           f"{component['bom-ref']} is {component['version']}{' and has ' + ', '.join(new) if new else ''}. {limit['why']}")

    def products(self, package):
        """Product and subcomponents, for each bill that has the package in any role."""
        found = []
        for paper in self.papers:
            parts = [c for c in [*paper["components"], *(c for f in paper.get("formulation", []) for c in f["components"])]
                     if matches(c, package)]
            if parts:
                main = paper["metadata"]["component"]
                found.append({"@id": main["purl"], "identifiers": {"purl": main["purl"]},
                              "hashes": {h["alg"].lower(): h["content"] for h in main["hashes"]},
                              "subcomponents": [{"@id": p} for p in sorted({c["purl"] for c in parts})]})
        return sorted(found, key=lambda p: p["@id"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", default=HERE + "/vex.json")
    parser.add_argument("--root", default=".")
    parser.add_argument("--out", required=True)
    parser.add_argument("bills", nargs="+")
    args = parser.parse_args()
    try:
        bills, claims = Bills(args.bills), json.loads(read(args.claims))
        statements = []
        for limit in claims["limits"]:
            bills.limit(limit)
        for statement in claims["statements"]:
            if not statement["claims"]:
                raise Stop(f"{statement['vulnerability']}: a statement without a claim that can be checked")
            for claim in statement["claims"]:
                bills.prove(statement, claim, args.root)
            products = bills.products(statement["package"])
            if not products:
                continue
            statements.append({
                "vulnerability": {"name": statement["vulnerability"], "aliases": ["DEBIAN-" + statement["vulnerability"]]},
                "products": products, "status": "not_affected", "justification": statement["justification"],
                "impact_statement": statement["impact"], "status_notes": f"review by {claims['review']}"})
    except Stop as why:
        print(f"vex: {why}", file=sys.stderr)
        return 1
    stamp = max(p["metadata"]["timestamp"] for p in bills.papers)
    paper = {"@context": "https://openvex.dev/ns/v0.2.0", "author": bills.papers[0]["metadata"]["supplier"]["name"],
             "role": "Document Creator", "timestamp": stamp, "version": 1, "tooling": "postern sbom/vex.py", "statements": statements}
    text = json.dumps(paper, sort_keys=True)
    paper["@id"] = "urn:uuid:" + str(uuid.uuid5(NAMESPACE, hashlib.sha256(text.encode()).hexdigest()))
    with open(args.out + ".part", "w", encoding="utf-8") as f:
        f.write(json.dumps(paper, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    os.replace(args.out + ".part", args.out)
    print(f"vex: {args.out}: {len(statements)} statements, all proved")
    return 0


if __name__ == "__main__":
    sys.exit(main())
