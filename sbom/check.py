#!/usr/bin/env python3
"""check.py FILE.cdx.json...: is this a good bill of materials? First the CycloneDX 1.6 schema, then what the schema cannot see.

The schemas come from the package that sbom/npm/package-lock.json names; without them only the second part runs with --no-schema.
Nothing is fetched. Exit status 0: good; 1: found something, one line each.
"""
import argparse, json, os, re, sys
from urllib.parse import unquote

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMAS = HERE + "/npm/node_modules/@cyclonedx/cyclonedx-library/res/schema"
HEX = {"SHA-256": 64, "SHA-512": 128}
BSI = {"bsi:component:filename": r".+", "bsi:component:executable": r"executable|non-executable",
       "bsi:component:archive": r"archive|no archive", "bsi:component:structured": r"structured|unstructured"}
PURL = re.compile(r"pkg:(?P<type>[a-z][a-z0-9.+-]*)(?P<space>(?:/[A-Za-z0-9._~%-]+)*)/(?P<name>[A-Za-z0-9._~%-]+)"
                  r"@(?P<version>[A-Za-z0-9._~%:-]+)(?:\?(?P<query>[a-z][a-z0-9._-]*=[A-Za-z0-9._~%:-]+"
                  r"(?:&[a-z][a-z0-9._-]*=[A-Za-z0-9._~%:-]+)*))?(?:#(?P<sub>[A-Za-z0-9._~%/-]+))?")


def whole_schema(schemas):
    """The schema with its three neighbours put inside, so that no reference leads anywhere else."""
    def moved(part, home):
        if isinstance(part, list):
            return [moved(x, home) for x in part]
        if not isinstance(part, dict):
            return part
        found = {k: moved(v, home) for k, v in part.items() if k != "$id" or not isinstance(v, str)}
        if isinstance(part.get("$ref"), str):
            file, _, inside = part["$ref"].partition("#")
            name = file.removesuffix(".SNAPSHOT.schema.json")
            found["$ref"] = f"#/definitions/{name}{inside}" if file else "#" + (f"/definitions/{home}" if home else "") + inside
        return found

    load = {}
    for name in ("bom-1.6", "spdx", "jsf-0.82", "cryptography-defs"):
        with open(f"{schemas}/{name}.SNAPSHOT.schema.json", encoding="utf-8") as f:
            load[name] = moved(json.load(f), "" if name == "bom-1.6" else name)
    one = load.pop("bom-1.6")
    one["definitions"].update(load)
    return one


def schema_faults(paper, schemas):
    """What the official schema says."""
    import jsonschema
    one = whole_schema(schemas)
    checker = jsonschema.Draft7Validator(one, format_checker=jsonschema.FormatChecker())
    for fault in sorted(checker.iter_errors(paper), key=lambda e: list(map(str, e.absolute_path))):
        where = "/".join(map(str, fault.absolute_path))
        deep = min(fault.context, key=lambda e: -len(e.absolute_path), default=fault)
        yield f"schema: {where}: {deep.message[:200]}"
    stamp = paper.get("metadata", {}).get("timestamp", "")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp):
        yield f"metadata/timestamp: {stamp!r} is no UTC time"


def spdx_ids(schemas):
    with open(f"{schemas}/spdx.SNAPSHOT.schema.json", encoding="utf-8") as f:
        return set(json.load(f)["enum"])


def expression_fault(text, ids):
    """SPDX expressions: ids joined by AND and OR, `id WITH exception`, brackets. -> None or what is wrong."""
    words = re.findall(r"[()]|[^\s()]+", text)
    depth, want_id = 0, True
    at = 0
    while at < len(words):
        word = words[at]
        if word == "(" and want_id:
            depth += 1
        elif word == ")" and not want_id and depth:
            depth -= 1
        elif word in ("AND", "OR") and not want_id:
            want_id = True
        elif word == "WITH" and not want_id and at + 1 < len(words) and words[at - 1] not in ")":
            at += 1
            if ids is not None and words[at] not in ids:
                return f"{words[at]} is no SPDX exception"
        elif want_id and re.fullmatch(r"[A-Za-z0-9.+-]+", word) and word not in ("AND", "OR", "WITH"):
            if not word.startswith("LicenseRef-") and ids is not None and word not in ids and word.rstrip("+") not in ids:
                return f"{word} is no SPDX licence"
            want_id = False
        else:
            return f"{word!r} cannot stand here"
        at += 1
    return "it ends too early" if want_id or depth else None


def component_faults(c, ids):
    ref = c.get("bom-ref", c.get("name", "?"))
    props = {}
    for p in c.get("properties", []):
        props.setdefault(p["name"], []).append(p.get("value", ""))
    if not c.get("version"):
        yield f"{ref}: no version"
    m = PURL.fullmatch(c.get("purl", ""))
    if not m:
        yield f"{ref}: {'no purl' if not c.get('purl') else 'bad purl ' + c['purl']}"
    else:
        if m["type"] != "oci" and unquote(m["version"]) != c.get("version"):
            yield f"{ref}: purl is of version {unquote(m['version'])}, the component of {c.get('version')}"
        keys = [q.split("=")[0] for q in (m["query"] or "").split("&") if q]
        if keys != sorted(set(keys)):
            yield f"{ref}: the qualifiers of {c['purl']} are not in order"
        if m["type"] == "deb" and not {"arch", "distro"} <= set(keys):
            yield f"{ref}: {c['purl']} needs arch and distro"
    got = {h["alg"]: h["content"] for h in c.get("hashes", [])}
    for alg, size in HEX.items():
        if not re.fullmatch(rf"[0-9a-f]{{{size}}}", got.get(alg, "")):
            yield f"{ref}: no {alg}"
    for who in ("supplier",):
        s = c.get(who, {})
        if not s.get("name"):
            yield f"{ref}: no {who}"
        elif not s.get("url") and not any(x.get("email") for x in s.get("contact", [])):
            yield f"{ref}: the {who} has neither URL nor e-mail address"
    words = set()
    for entry in c.get("licenses", []):
        text = entry.get("expression")
        words.add((entry if text else entry["license"]).get("acknowledgement"))
        fault = expression_fault(text, ids) if text else None
        if fault:
            yield f"{ref}: licence expression {text!r}: {fault}"
    if "postern:licence:declared" in props:
        words.add("declared")
        fault = expression_fault(props["postern:licence:declared"][0], ids)
        if fault:
            yield f"{ref}: declared licence: {fault}"
    for word in ("declared", "concluded"):
        if word not in words:
            yield f"{ref}: no {word} licence"
    for name, form in BSI.items():
        if len(props.get(name, [])) != 1 or not re.fullmatch(form, props[name][0]):
            yield f"{ref}: property {name} is {props.get(name)}"
    for patch in c.get("pedigree", {}).get("patches", []):
        if not patch.get("resolves"):
            yield f"{ref}: a patch without what it resolves"
        for issue in patch.get("resolves", []):
            if issue["type"] == "security" and not re.fullmatch(r"CVE-\d{4}-\d{4,}", issue.get("id", "")):
                yield f"{ref}: a security patch without a CVE id"
    for r in c.get("externalReferences", []):
        if r["type"] in ("source-distribution", "distribution") and {h["alg"] for h in r.get("hashes", [])} != set(HEX):
            yield f"{ref}: {r['url']} without SHA-256 and SHA-512"


def lint(paper, ids):
    meta = paper.get("metadata", {})
    product, tools = paper.get("components", []), [c for f in paper.get("formulation", []) for c in f.get("components", [])]
    main = meta.get("component")
    if not main:
        yield "metadata: no component"
        return
    everything = [main, *product, *tools]
    for part in ("tools", "authors", "lifecycles", "supplier", "manufacturer"):
        if not meta.get(part):
            yield f"metadata: no {part}"
    for part in ("supplier", "manufacturer"):
        if not meta.get(part, {}).get("url"):
            yield f"metadata: {part} without URL"
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", paper.get("serialNumber", "")):
        yield "no serial number"
    if "vulnerabilities" in paper:
        yield "vulnerabilities belong into the VEX, not here (BSI TR-03183-2)"
    known = {}
    for c in everything:
        ref = c.get("bom-ref")
        if not ref:
            yield f"{c.get('name')}: no bom-ref"
        elif ref in known:
            yield f"{ref}: two components of this bom-ref"
        known[ref] = c
    seen_dependency = {}
    for d in paper.get("dependencies", []):
        seen_dependency[d["ref"]] = d.get("dependsOn", [])
        for ref in [d["ref"], *d.get("dependsOn", [])]:
            if ref not in known:
                yield f"dependencies: {ref} is no component"
    for c in [main, *product]:
        if c.get("bom-ref") not in seen_dependency:
            yield f"{c.get('bom-ref')}: its dependencies are not stated"
    reached, rest = set(), [main.get("bom-ref")]
    while rest:
        ref = rest.pop()
        if ref not in reached:
            reached.add(ref)
            rest += seen_dependency.get(ref, [])
    for c in product:
        if c.get("bom-ref") not in reached:
            yield f"{c.get('bom-ref')}: nothing depends on it"
    covered, complete = set(), set()
    for c in paper.get("compositions", []):
        for ref in [*c.get("assemblies", []), *c.get("dependencies", [])]:
            if ref not in known:
                yield f"compositions: {ref} is no component"
        covered.update(c.get("assemblies", []))
        if c["aggregate"] == "complete":
            complete.update(c.get("dependencies", []))
    for ref in known:
        if ref not in covered:
            yield f"{ref}: in no composition, so nobody knows whether this is all"
    for c in [main, *product]:
        if c.get("bom-ref") not in complete:
            yield f"{c.get('bom-ref')}: it is not said that its dependencies are complete"
    for c in everything:
        yield from component_faults(c, ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schemas", default=SCHEMAS)
    parser.add_argument("--no-schema", action="store_true", help="only what the schema cannot see")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    if not args.no_schema and not os.path.isdir(args.schemas):
        print(f"check: no schemas in {args.schemas}; run: make sbom-schemas", file=sys.stderr)
        return 1
    bad = 0
    for name in args.files:
        with open(name, encoding="utf-8") as f:
            text = f.read()
        paper = json.loads(text)
        faults = [] if args.no_schema else list(schema_faults(paper, args.schemas))
        faults += lint(paper, None if args.no_schema else spdx_ids(args.schemas))
        if os.getcwd() != "/" and os.getcwd() in text:
            faults.append(f"the directory {os.getcwd()} is in it")
        for fault in faults:
            print(f"{name}: {fault}")
        bad += len(faults)
        if not faults:
            print(f"{name}: good ({len(paper['components'])} components{'' if args.no_schema else ', schema 1.6 and lint'})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
