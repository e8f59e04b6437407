#!/usr/bin/env python3
"""bill.py: the software bill of materials, CycloneDX 1.6 JSON, from what the build really read and linked (see origin.py).

  bill.py arch  --arch amd64 --out FILE     one program: build/postern, or build/ARCH/postern for another architecture
  bill.py image --out FILE                  the image: build/image/oci, and the bills of its architectures beside FILE

Deterministic: the same inputs give the same bytes, wherever and whenever it runs. Exit status 1: something is unaccounted for.
"""
import argparse, gzip, hashlib, io, json, os, re, sys, tarfile, uuid
from datetime import datetime, timezone
from urllib.parse import quote
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from origin import Dpkg, Origin, Stop, digests, load_table, read, read_lock, run

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "postern:sbom")
TRIPLET = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
RELEASES = {"bookworm": "debian-12", "trixie": "debian-13", "forky": "debian-14", "sid": "debian-unstable"}


# ------------------------------------------------------------------------------------------------------------- small parts

def hashes(of):
    return [{"alg": alg, "content": of[alg]} for alg in ("SHA-256", "SHA-512")]


def prop(name, value):
    return {"name": name, "value": str(value)}


def properties(*pairs):
    return sorted((prop(n, v) for n, v in pairs), key=lambda p: (p["name"], p["value"]))


def bsi(filename, executable=False, archive=False, structured=True):
    """The four facts of BSI TR-03183-2 about a file."""
    return [("bsi:component:filename", filename),
            ("bsi:component:executable", "executable" if executable else "non-executable"),
            ("bsi:component:archive", "archive" if archive else "no archive"),
            ("bsi:component:structured", "structured" if structured else "unstructured")]


def expression(text, acknowledgement):
    kind = {"license": {"id": text, "acknowledgement": acknowledgement}}
    return kind if re.fullmatch(r"[\w.+-]+", text) else {"expression": text, "acknowledgement": acknowledgement}


def licences(declared, concluded):
    """Both the author's word and ours. An expression must stand alone in CycloneDX 1.6, so there the concluded one does."""
    if re.fullmatch(r"[\w.+-]+", declared) and re.fullmatch(r"[\w.+-]+", concluded):
        return [expression(declared, "declared"), expression(concluded, "concluded")]
    return [expression(concluded, "concluded")]


def declared(spdx):
    """The author's word where the list above has room for one expression only."""
    return [] if re.fullmatch(r"[\w.+-]+", spdx) else [("postern:licence:declared", spdx)]


def contact(maintainer):
    """`Name <mail>` of a Debian package as the supplier."""
    m = re.match(r"(.*?)\s*<([^>]+)>", maintainer)
    return {"name": "Debian", "contact": [{"name": m[1], "email": m[2]}]}


def deb_purl(name, version, arch, distro):
    return f"pkg:deb/debian/{quote(name, safe='.-')}@{quote(version, safe='.-~')}?arch={arch}&distro={distro}"


def host_distro():
    found = re.search(r"^VERSION_CODENAME=(\w+)", read("/etc/os-release"), re.M)
    return found[1] if found else "sid"


def refs(url, kind, of=None, comment=None):
    found = {"type": kind, "url": url}
    if of:
        found["hashes"] = hashes(of)
    if comment:
        found["comment"] = comment
    return found


def file_ref(path):
    return digests(read(path, "rb"))


def by_ref(items):
    return sorted(items, key=lambda c: c["bom-ref"])


# --------------------------------------------------------------------------------------------------- packages of the lock

def locked(source, entry, ref, filename, data, version_of="%s"):
    """A component made from a locked source package."""
    name = source.source_name
    component = {
        "type": "library", "bom-ref": ref, "supplier": contact(source.control("Maintainer")), "manufacturer": entry["manufacturer"],
        "name": entry.get("name", name), "version": source.version, "description": entry["description"], "hashes": hashes(digests(data)),
        "purl": deb_purl(name, source.version, "source", source.suite),
        "externalReferences": [refs(path, "source-distribution" if not path.endswith(".deb") else "distribution", of,
                                    "below any Debian mirror") for path, _, of in source.archives]
        + [refs(entry["vcs"], "vcs"), refs(entry["manufacturer"]["url"][0], "website")],
    }
    if "cpe" in entry:
        component["cpe"] = entry["cpe"] % source.upstream
    component["pedigree"] = {"ancestors": [{"type": "library", "name": entry.get("name", name), "version": source.upstream,
                                            "bom-ref": ref + "/upstream",
                                            "purl": f"pkg:generic/{entry.get('name', name)}@{source.upstream}"}]}
    patches = []
    for file, text, ids in source.patches():
        # A patch that Debian took over without its CVE id: ours to add, and the changelog must say the same.
        more = entry.get("patch_cves", {}).get(file, [])
        for i in more:
            if i not in source.debian["changelog"]:
                raise Stop(f"sbom/components.json gives {i} to {source.name}'s {file}; Debian's changelog does not know it")
        ids = sorted({*ids, *more})
        resolves = [{"type": "security", "id": i, "name": i} for i in ids]
        resolves = resolves or [{"type": "defect", "name": file}]
        patches.append({"type": "backport", "diff": {"text": {"contentType": "text/plain", "content":
                        f"debian/patches/{file} SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"}}, "resolves": resolves})
    if patches:
        component["pedigree"]["patches"] = patches
    return component, bsi(filename, archive=filename.endswith((".a", ".deb")))


def tools(dpkg, cc, triplet):
    """What translated and assembled: {package: (facts, {file: hashes})}, from the programs that were really called."""
    said = [run(cc, "-print-prog-name=" + p).strip() for p in ("cc1", "lto1", "as", "ld")]
    said.append(run(cc, "-print-file-name=liblto_plugin.so").strip())
    names = [cc, *said, *(f"{triplet}-{p}" for p in ("ar", "strip"))] + ["make", "gperf", "patch", "tar", "xz", "gzip"]
    found = {}
    for name in names:
        path = name if name.startswith("/") else which(name)
        if not path:
            continue
        path = os.path.realpath(path)
        package, facts = dpkg.owner(path)
        found.setdefault(package, (facts, {}))[1][path] = file_ref(path)
    return found


def base(facts):
    """A cross compiler carries its own name and version; advisories speak of the source it was built from."""
    source, version = facts["source"], facts["source_version"]
    if source.endswith("-cross"):
        source, version = source.removesuffix("-cross"), facts["version"]
    if re.fullmatch(r"cross-toolchain-base(-.*)?", source):
        source, version = "linux", facts["version"]
    return [("postern:package:base", f"{source} {re.sub(r'cross[0-9]+$', '', version)}")]


def which(name):
    for folder in os.environ.get("PATH", "/usr/bin:/bin").split(":"):
        if os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    return None


def tool(package, facts, files, table, distro, kind="application"):
    name = package.split(":")[0]
    main = next(iter(sorted(files))) if files else name
    spdx = table["tool_licences"].get(name if name in table["tool_licences"] else re.match(r"[a-z]+", name)[0])
    if not spdx:
        raise Stop(f"the tool {name} has no licence in sbom/components.json (tool_licences)")
    component = {
        "type": kind, "bom-ref": "tool/" + package, "supplier": contact(facts["maintainer"]), "name": name, "version": facts["version"],
        "scope": "excluded", "purl": deb_purl(name, facts["version"], facts["arch"], distro),
        "properties": properties(*bsi(os.path.basename(main), executable=kind == "application"), *declared(spdx), *base(facts),
                                 ("postern:package:source", f"{facts['source']} {facts['source_version']}"),
                                 *(("postern:build:file", f"{os.path.basename(f)} SHA-256 {h['SHA-256']} SHA-512 {h['SHA-512']}")
                                   for f, h in files.items())),
    }
    if files:
        component["hashes"] = hashes(files[main])
    component["licenses"] = licences(spdx, spdx)
    return component


# -------------------------------------------------------------------------------------------------------------- one program

def program(args):
    table = load_table(args.table)
    sources = read_lock(args.lock, args.deps)
    build = "build" if args.arch == args.host else f"build/{args.arch}"
    dpkg, root = Dpkg(), args.root
    distro = host_distro()
    origin = Origin(table, sources, root, args.arch, build, args.map or f"{root}/{build}/postern.map", dpkg)
    program_path = args.binary or f"{root}/{build}/postern"
    origin.link.check_program(program_path)
    headers = origin.headers(os.path.abspath(f"{root}/{build}/cc"), args.version)
    main_ref = f"postern@{args.arch}"
    linked, needs = [], {main_ref: []}
    for package, entry in table["linked"].items():
        source, ref = sources[package], f"{entry['name']}@{args.arch}"
        objects = origin.packages.get(package, {})
        if not objects and package not in headers:
            continue
        where = f"{build}/{entry.get('library') or entry['header']}"
        component, facts = locked(source, entry, ref, os.path.basename(where), read(f"{root}/{where}", "rb"))
        component["licenses"] = licences(entry["declared"], " AND ".join(origin.licences(package)))
        for name in entry["objects"]:
            of = file_ref(f"{root}/{build}/{name}")
            facts.append(("postern:build:file", f"{os.path.basename(name)} SHA-256 {of['SHA-256']} SHA-512 {of['SHA-512']}"))
        component["properties"] = properties(*facts, *object_facts(origin, objects), *header_facts(headers.get(package, []), build))
        linked.append(component)
        needs[main_ref].append(ref)
        needs[ref] = [f"{table['linked'][n]['name']}@{args.arch}" for n in entry["needs"]]
    for package, found in origin.system.items():
        ref = f"{package.split(':')[0]}@{args.arch}"
        linked.append(support(table["compiler"], package, found, origin, headers, ref, distro))
        needs[main_ref].append(ref)
        needs[ref] = []

    binary = read(program_path, "rb")
    own = sorted(set(origin.own.values()))
    read_too = sorted(headers.get("postern", []))
    main = postern(args, table, main_ref, f"?arch={args.arch}", "application", digests(binary), bsi("postern", executable=True))
    main["properties"] = properties(*((p["name"], p["value"]) for p in main["properties"]),
                                    ("postern:build:sources", f"{len(own)} files, {len(read_too)} headers, SHA-256 of their list "
                                     + tree_hash(root, own + read_too)),
                                    *([("postern:build:revision", args.revision)] if args.revision else []),
                                    ("postern:build:map", "SHA-256 " + hashlib.sha256(map_plain(origin).encode()).hexdigest()),
                                    *(("postern:build:linkedObject", f"{short(o, build)} {s}") for o, s in origin.own.items()),
                                    *(("postern:build:optimised", short(o, build)) for o in origin.optimised))
    main["externalReferences"] = [refs("postern", "distribution", digests(binary))]
    return finish(args, main, linked, needs, formulation(args, table, sources, dpkg, origin, headers, build, distro))


def short(name, build):
    """An input without the part of its path that differs from one architecture to the other."""
    return name.removeprefix(build + "/").removeprefix("sysroot/usr/lib/")


def object_facts(origin, names):
    return [("postern:build:linkedObject", f"{short(n, origin.build)} {origin.link.occupies(n)}") for n in sorted(names)]


def header_facts(paths, build):
    return [("postern:build:header", p.removeprefix(f"{build}/sysroot/usr/include/")) for p in paths]


def tree_hash(root, paths):
    lines = "".join(f"{hashlib.sha256(read(f'{root}/{p}', 'rb')).hexdigest()}  {p}\n" for p in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def map_plain(origin):
    """The part of the map that says what is in the program, free of the directory it was made in."""
    return "".join(f"{n} {origin.link.occupies(n)}\n" for n in origin.link.objects())


def support(entry, package, found, origin, headers, ref, distro):
    """crtbeginS.o, crtendS.o and members of libgcc.a: the compiler's own part of the program."""
    facts, files = found["facts"], sorted({f.split("(")[0] for f in found["files"]})
    main = next((f for f in files if f.endswith(".a")), files[0])
    return {
        "type": "library", "bom-ref": ref, "supplier": contact(facts["maintainer"]), "manufacturer": entry["manufacturer"],
        "name": package.split(":")[0], "version": facts["version"], "description": entry["description"], "hashes": hashes(file_ref(main)),
        "licenses": licences(entry["declared"], entry["concluded"]),
        "cpe": entry["cpe"] % facts["source_version"].split("-")[0],
        "purl": deb_purl(package.split(":")[0], facts["version"], facts["arch"], distro),
        "externalReferences": [refs(entry["vcs"], "vcs"), refs(entry["manufacturer"]["url"][0], "website")],
        "properties": properties(*bsi(os.path.basename(main), archive=main.endswith(".a")), *declared(entry["declared"]), *base(facts),
                                 ("postern:package:source", f"{facts['source']} {facts['source_version']}"),
                                 *(("postern:build:file", "{} SHA-256 {SHA-256} SHA-512 {SHA-512}".format(os.path.basename(f), **file_ref(f)))
                                   for f in files),
                                 *(("postern:build:linkedObject", f"{os.path.basename(n)} {origin.link.occupies(n)}")
                                   for n in sorted(found["files"])),
                                 *(("postern:build:header", os.path.basename(h)) for h in headers.get(package, []))),
    }


def formulation(args, table, sources, dpkg, origin, headers, build, distro):
    """What made the program and is not in it: tools, kernel headers, libseccomp."""
    made = []
    cc = "gcc" if args.arch == args.host else TRIPLET[args.arch] + "-gcc"
    for package, (facts, files) in tools(dpkg, cc, TRIPLET[args.arch]).items():
        made.append(tool(package, facts, files, table, distro))
    for package, facts in origin.system_headers.items():
        component = tool(package, facts, {}, table, distro, "library")
        of = hashlib.sha256(), hashlib.sha512()
        for path in headers[package]:
            for h in of:
                h.update(read(f"{args.root}/{path}", "rb"))
        component["description"] = "Kernel headers: numbers and layouts of system calls. The hashes are of the headers that were read, in order"
        component["hashes"] = hashes({"SHA-256": of[0].hexdigest(), "SHA-512": of[1].hexdigest()})
        component["properties"] = properties(*((p["name"], p["value"]) for p in component["properties"]), *header_facts(headers[package], build))
        made.append(component)
    for package, entry in table["build_only"].items():
        source = sources[package]
        where = f"build/{entry['library']}"
        component, facts = locked(source, entry, f"tool/{package}", os.path.basename(entry["library"]), read(f"{args.root}/{where}", "rb"))
        component["scope"] = "excluded"
        component["licenses"] = licences(entry["declared"], entry["concluded"])
        component["properties"] = properties(*facts, ("postern:build:locked", "true"))
        made.append(component)
    return by_ref(made)


# ---------------------------------------------------------------------------------------------------------- the whole paper

def supplier(args):
    return {"name": args.supplier, "url": [args.supplier_url]}


def postern(args, table, ref, qualifiers, kind, of, facts):
    entry = table["postern"]
    name = entry["licence_text"]
    licence = [expression(args.licence, a) for a in ("declared", "concluded")] if args.licence else \
        [{"license": {"name": "LicenseRef-Postern", "text": {"content": name}, "acknowledgement": a}} for a in ("declared", "concluded")]
    if args.licence and "expression" in licence[0]:
        licence = licence[1:]
    return {"type": kind, "bom-ref": ref, "supplier": supplier(args), "manufacturer": supplier(args), "name": "postern",
            "version": args.version, "description": entry["description"], "hashes": hashes(of), "licenses": licence,
            "purl": f"pkg:generic/postern@{quote(args.version, safe='.-~')}{qualifiers}", "properties": properties(*facts)}


def finish(args, main, components, needs, made, extra=()):
    """The document around the components. Its serial number follows from its content, so it never changes alone."""
    inside = [c["bom-ref"] for c in components]
    paper = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "postern-sbom", "version": args.version,
                                      "manufacturer": supplier(args)}]},
            "manufacturer": supplier(args), "supplier": supplier(args), "component": main,
            "authors": [{"name": args.supplier}],
            "properties": properties(("postern:sbom:context", "build: linker map, locked sources, compiler's header list, dpkg"), *extra),
        },
        "components": by_ref(components),
        "dependencies": [{"ref": r, "dependsOn": sorted(needs[r])} for r in sorted(needs)],
        "compositions": [
            {"bom-ref": "composition/program", "aggregate": "complete", "assemblies": sorted([main["bom-ref"], *inside]),
             "dependencies": sorted(needs)},
        ],
    }
    if made:
        paper["formulation"] = [{"bom-ref": "formulation/build", "components": made}]
        # The tools are named; what they in turn were made of is not.
        paper["compositions"].append({"bom-ref": "composition/tools", "aggregate": "incomplete",
                                      "assemblies": sorted(c["bom-ref"] for c in made)})
    text = json.dumps(paper, sort_keys=True, ensure_ascii=False)
    paper["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(NAMESPACE, hashlib.sha256(text.encode()).hexdigest()))
    paper["metadata"]["timestamp"] = datetime.fromtimestamp(int(args.epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return paper


# ---------------------------------------------------------------------------------------------------------------- the image

def blob(layout, digest):
    """A blob of the layout, whose content is what its name says."""
    data = read(f"{layout}/blobs/{digest.replace(':', '/')}", "rb")
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise Stop(f"{layout}: the blob {digest} has another content")
    return data


def image(args):
    """The index, each architecture's program with its components, and every file of every layer."""
    table, layout = load_table(args.table), f"{args.root}/build/image/oci"
    tops = json.loads(read(f"{layout}/index.json"))["manifests"]
    if len(tops) != 1:
        raise Stop(f"{layout}/index.json names {len(tops)} images; wanted one index")
    top = tops[0]["digest"]
    index_bytes = blob(layout, top)
    main_ref = "image/postern"
    main = postern(args, table, main_ref, "", "container", digests(index_bytes), bsi("oci", archive=True))
    main["purl"] = f"pkg:oci/postern@{quote(top, safe='')}?tag={quote(args.version, safe='.-~')}"
    facts = [("postern:image:index", top)]
    parts, needs = [], {main_ref: []}
    for entry in json.loads(index_bytes)["manifests"]:
        arch = entry["platform"]["architecture"]
        bill = json.loads(read(f"{os.path.dirname(args.out)}/postern-{arch}.cdx.json"))
        inner = bill["metadata"]["component"]
        parts += [inner, *bill["components"]]
        needs.update({d["ref"]: d["dependsOn"] for d in bill["dependencies"]})
        needs[main_ref].append(inner["bom-ref"])
        facts.append((f"postern:image:manifest:{arch}", entry["digest"]))
        facts.append((f"postern:image:sbom:{arch}", bill["serialNumber"]))
        manifest = json.loads(blob(layout, entry["digest"]))
        for layer in manifest["layers"]:
            facts.append((f"postern:image:layer:{arch}", layer["digest"]))
            for file in layer_files(args, table, blob(layout, layer["digest"]), arch, inner):
                parts.append(file)
                needs[main_ref].append(file["bom-ref"])
                needs[file["bom-ref"]] = []
    main["properties"] = properties(*((p["name"], p["value"]) for p in main["properties"]), *facts)
    main["externalReferences"] = [refs("oci", "distribution", digests(index_bytes), "an OCI image layout; the hashes are of the index")]
    return finish(args, main, parts, needs, [])


def layer_files(args, table, data, arch, program_part):
    """Components for the files of a layer. What can be executed must be the program of the architecture's bill."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    found, seen = [], False
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for member in tar:
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            if not member.isfile():
                raise Stop(f"the {arch} layer holds {name}, which is neither a file nor a directory")
            of = digests(tar.extractfile(member).read())
            if of["SHA-256"] == program_part["hashes"][0]["content"]:
                program_part["properties"] = properties(*((p["name"], p["value"]) for p in program_part["properties"]),
                                                        ("postern:image:path", "/" + name))
                seen = True
                continue
            if member.mode & 0o111 or member.size > 4096:
                raise Stop(f"the {arch} layer holds /{name}, which is not the program of the {arch} bill; no one said where it comes from")
            part = postern(args, table, f"file/{name}@{arch}", f"?arch={arch}#{quote(name)}", "file", of, bsi(name.rsplit("/", 1)[-1]))
            part["name"] = "/" + name
            part["description"] = "A file of the image, written by the build"
            found.append(part)
    if not seen:
        raise Stop(f"the {arch} layer does not hold the program of build/sbom/postern-{arch}.cdx.json; make both again")
    return found


# --------------------------------------------------------------------------------------------------------------------- main

def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("arch", "image"))
    parser.add_argument("--arch", choices=sorted(TRIPLET))
    parser.add_argument("--host", default="amd64", choices=sorted(TRIPLET), help="the architecture whose program is build/postern")
    parser.add_argument("--root", default=".", help="the tree whose build/ is described")
    parser.add_argument("--lock", default=f"{here}/sources.lock")
    parser.add_argument("--deps", help="the verified source archives (build/deps)")
    parser.add_argument("--table", default=f"{here}/components.json")
    parser.add_argument("--map", help="another linker map")
    parser.add_argument("--binary", help="another program, which that map is of")
    parser.add_argument("--version", required=True)
    parser.add_argument("--epoch", default=os.environ.get("SOURCE_DATE_EPOCH", "0"), help="the time the paper is dated, in seconds")
    parser.add_argument("--revision", default="", help="the source's commit, as the image's labels have it")
    parser.add_argument("--supplier", default="Postern")
    parser.add_argument("--supplier-url", default="https://postern.example.com/")
    parser.add_argument("--licence", default="", help="SPDX expression of Postern itself, once one is chosen")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    args.deps = args.deps or f"{args.root}/build/deps"
    try:
        if args.what == "arch" and not args.arch:
            parser.error("arch needs --arch")
        paper = program(args) if args.what == "arch" else image(args)
    except Stop as why:
        print(f"sbom: {why}", file=sys.stderr)
        return 1
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out + ".part", "w", encoding="utf-8") as f:
        f.write(json.dumps(paper, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    os.replace(args.out + ".part", args.out)
    print(f"sbom: {args.out}: {len(paper['components'])} components, "
          f"{sum(len(f['components']) for f in paper.get('formulation', []))} tools")
    return 0


if __name__ == "__main__":
    sys.exit(main())
