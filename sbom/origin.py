"""origin.py: where every byte of build/postern comes from. Used by bill.py; needs nothing but Python and dpkg.

The witnesses are the linker's map, the link-time optimiser's list of inputs, the compiler's list of headers, the locked source
archives and dpkg's records. Whatever none of them can explain ends the run with Stop: there is no entry "unknown".
"""
import fnmatch, hashlib, io, json, os, re, struct, subprocess, tarfile


class Stop(Exception):
    """The build contains, or claims, something that cannot be accounted for. The text says what, and what would be right."""


def digests(data):
    return {"SHA-256": hashlib.sha256(data).hexdigest(), "SHA-512": hashlib.sha512(data).hexdigest()}


def read(path, mode="r"):
    try:
        with open(path, mode, **({} if "b" in mode else {"encoding": "utf-8"})) as f:
            return f.read()
    except FileNotFoundError:
        raise Stop(f"{path} is missing; build it first (make)") from None


def run(*argv, cwd=None):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise Stop(f"{argv[0]} is not on this system") from None
    if done.returncode:
        raise Stop(f"{' '.join(argv[:3])} failed: {done.stderr.strip()[:400]}")
    return done.stdout


# ------------------------------------------------------------------------------------------------ the locked sources

class Source:
    """One package of the lock: its archives (verified against their SHA-256), its files, patches and licences."""

    def __init__(self, name, version, suite):
        self.name, self.version, self.suite = name, version, suite
        self.archives, self.files, self.debian = [], {}, {}

    @property
    def upstream(self):
        return re.sub(r"\+dfsg.*$", "", re.sub(r"-[^-]*$", "", self.version))

    def add(self, path, data):
        name = path.rsplit("/", 1)[1]
        self.archives.append((path, name, digests(data)))
        if name.endswith(".deb"):
            self.deb(data)
            return
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                inside = member.name.split("/", 1)[-1].removeprefix("./")
                if not member.isfile():
                    continue
                if ".debian.tar." in name:
                    self.debian[inside] = tar.extractfile(member).read().decode("utf-8", "replace")
                else:
                    self.files[inside] = None

    def deb(self, data):
        """A binary package: an ar archive of two tar archives."""
        for name, body in ar_members(data):
            if not name.startswith(("control.tar", "data.tar")):
                continue
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                for member in tar:
                    if not member.isfile():
                        continue
                    inside = member.name.removeprefix("./")
                    body_of = tar.extractfile(member).read()
                    if name.startswith("control.tar"):
                        self.debian[inside] = body_of.decode()
                    elif inside.endswith("/copyright"):
                        self.debian["copyright"] = body_of.decode()
                    else:
                        self.files[inside] = hashlib.sha256(body_of).hexdigest()

    def check_version(self):
        """The lock's version is what the archives themselves say, so neither can be edited alone."""
        if "changelog" in self.debian:
            says = re.match(r"\S+ \(([^)]+)\)", self.debian["changelog"])[1]
        else:
            says = self.control("Version")
        if says != self.version:
            raise Stop(f"sbom/sources.lock calls {self.name} {self.version}, its archive says {says}")

    def control(self, field):
        found = re.search(rf"^{field}: *(.+)$", self.debian["control"], re.M)
        return found[1].strip() if found else None

    @property
    def source_name(self):
        return self.control("Source") or self.name

    def patches(self):
        """(file name, text, sorted CVE ids) of Debian's patches that are applied, in order."""
        found = []
        for line in self.debian.get("patches/series", "").splitlines():
            name = line.split("#")[0].strip()
            if name:
                text = self.debian["patches/" + name]
                ids = {i for i in re.findall(r"CVE-\d{4}-\d{4,}", name + "\n" + text.split("\ndiff --git", 1)[0].split("\n--- ", 1)[0])}
                found.append((name, text, sorted(ids)))
        return found

    def touched(self, text):
        """The files that a patch changes."""
        return sorted({m[1] for m in re.finditer(r"^\+\+\+ [^/\s]+/(\S+)", text, re.M)})

    def all_files(self):
        found = set(self.files)
        for _, text, _ in self.patches():
            found.update(self.touched(text))
        return found

    def licence_of(self, path):
        """The short name that Debian's copyright file gives for a file: the last paragraph that matches counts."""
        name = None
        for paragraph in re.split(r"\n\s*\n", self.debian["copyright"]):
            fields = dict(re.findall(r"^(Files|License):((?:.*)(?:\n[ \t]+.*)*)", paragraph, re.M))
            if "Files" in fields and any(fnmatch.fnmatchcase(path, p) for p in fields["Files"].split()):
                name = fields["License"].split("\n")[0].strip()
        return name


def read_lock(lock, deps):
    """-> {name: Source}, every archive verified."""
    sources = {}
    for number, line in enumerate(read(lock).splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        if len(fields) != 5:
            raise Stop(f"{lock}:{number}: {len(fields)} fields; wanted name, version, suite, SHA-256, path")
        name, version, suite, sha, path = fields
        data = read(os.path.join(deps, path.rsplit("/", 1)[-1]), "rb")
        got = hashlib.sha256(data).hexdigest()
        if got != sha:
            raise Stop(f"{path.rsplit('/', 1)[-1]} is not the file that sbom/sources.lock names: SHA-256 is {got}, the lock says {sha}")
        source = sources.setdefault(name, Source(name, version, suite))
        if (source.version, source.suite) != (version, suite):
            raise Stop(f"{lock}:{number}: {name} has two versions or suites")
        source.add(path, data)
    for source in sources.values():
        source.check_version()
    return sources


def ar_members(data):
    """(name, bytes) of an ar archive, as GNU ar writes it."""
    return [(name, data[at + 60:at + 60 + size]) for at, name, size in ar_index(data)]


def ar_index(data):
    if data[:8] != b"!<arch>\n":
        raise Stop("an archive is none: it does not begin as ar archives do")
    at, names, found = 8, b"", []
    while at + 60 <= len(data):
        name, size = data[at:at + 16].decode().strip(), int(data[at + 48:at + 58])
        if name == "//":
            names = data[at + 60:at + 60 + size]
        elif name not in ("/", "/SYM64/"):
            if re.fullmatch(r"/\d+", name):
                start = int(name[1:])
                name = names[start:names.index(b"/", start)].decode()
            found.append((at, name.rstrip("/"), size))
        at += 60 + size + size % 2
    return found


# -------------------------------------------------------------------------------------------------------- dpkg's records

class Dpkg:
    """Who owns a file of the system, and whether it still is what the package brought."""

    def __init__(self):
        self.known = {}
        self.sums = {}

    def owner(self, path):
        """-> (package:arch, {version, source, source_version, maintainer}); the file is compared with the package's checksum."""
        found = None
        for name in dict.fromkeys((path, os.path.realpath(path), re.sub(r"^/usr/(bin|lib|sbin)/", r"/\1/", path))):
            done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
            for line in done.stdout.splitlines():
                if not line.startswith("diversion ") and line.endswith(": " + name):
                    found = (line.split(": ")[0].split(", ")[0], name)
            if found:
                break
        if not found:
            raise Stop(f"{path} belongs to no installed Debian package, and no locked source brings it")
        package, name = found
        self.verify(package, name)
        return package, self.facts(package)

    def verify(self, package, path):
        if package not in self.sums:
            text = ""
            for name in (package, package.split(":")[0]):
                sums = f"/var/lib/dpkg/info/{name}.md5sums"
                if os.path.exists(sums):
                    text = read(sums)
                    break
            self.sums[package] = {line[34:].strip(): line[:32] for line in text.splitlines()}
        wanted = self.sums[package].get(path.lstrip("/"))
        if os.path.isfile(path) and not os.path.islink(path):
            if hashlib.md5(read(path, "rb"), usedforsecurity=False).hexdigest() != wanted:
                raise Stop(f"{path} is not the file that the package {package} brought: it was changed after the installation")

    def facts(self, package):
        if package not in self.known:
            fields = ("Version", "source:Package", "source:Version", "Maintainer", "Architecture")
            out = run("dpkg-query", "-W", "-f", "\\n".join("${%s}" % f for f in fields), package).split("\n")
            self.known[package] = dict(zip(("version", "source", "source_version", "maintainer", "arch"), out))
        return self.known[package]


# ------------------------------------------------------------------------------------------------------- what was linked

LINKER_OWN = "linker stubs"      # arm64: jumps that the linker writes itself


class Link:
    """What the linker map says: files that were loaded, members that were taken, bytes that each put into the program."""

    def __init__(self, path, root):
        self.path, self.root = path, os.path.realpath(root)
        text = read(path)
        try:
            head, body = text.split("\nLinker script and memory map\n", 1)
        except ValueError:
            raise Stop(f"{path} is no linker map: it has no memory map") from None
        self.loaded = [self.name(m[1]) for m in re.finditer(r"^LOAD (.+)$", body, re.M) if m[1] != LINKER_OWN]
        taken = head.split("\nDiscarded input sections", 1)[0].split("\nMerging program properties", 1)[0]
        self.taken = [self.name(m[1]) for m in re.finditer(r"^(\S.*?\.a\([^)]+\))", taken, re.M)]
        # Sections with an address: `.name 0xaddress 0xsize file`, the name perhaps on a line of its own.
        self.bytes = {}
        for m in re.finditer(r"^ (?!\*fill\*)(?:\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", body, re.M):
            name = self.name(m[3])
            self.bytes[name] = self.bytes.get(name, 0) + (int(m[2], 16) if int(m[1], 16) else 0)
        self.sections = {m[1]: (int(m[2], 16), int(m[3], 16))
                         for m in re.finditer(r"^(\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)$", body, re.M)}
        if not self.loaded or not self.bytes:
            raise Stop(f"{path} lists no input; was it cut off?")

    def name(self, path):
        """Relative to the root, or as it is outside of it; foreign paths and .. are made plain first."""
        path = path.strip()
        inside = re.fullmatch(r"(.*?)(\([^()]+\))?", path)
        plain = os.path.normpath(os.path.join(self.root, inside[1]))
        if plain.startswith(self.root + "/"):
            plain = plain[len(self.root) + 1:]
        return plain + (inside[2] or "")

    def objects(self):
        """Every object that the program holds: whole files, and members as library(member)."""
        whole = {f for f in self.loaded if not f.endswith(".a")}
        inside = set(self.taken) | {f for f in self.bytes if ".a(" in f}
        stray = {f.split("(")[0] for f in self.bytes} - {f for f in self.loaded} - {LINKER_OWN}
        if stray:
            raise Stop(f"{self.path}: bytes come from {', '.join(sorted(stray))}, which the linker never loaded")
        return sorted(whole | inside)

    def check_program(self, path):
        """The map is this program's own: all its sections lie where the map says."""
        found = elf_sections(read(path, "rb"), path)
        for name, place in found.items():
            if self.sections.get(name) != place:
                raise Stop(f"{self.path} is not the map of {path}: {name} is at {place[0]:#x}, {place[1]} bytes. Link again (make)")
        if ".text" not in found:
            raise Stop(f"{path} has no .text")

    def occupies(self, name):
        return self.bytes.get(name, 0)


def elf_sections(data, path):
    """{name: (address, size)} of what is loaded, from a 64-bit little-endian ELF file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise Stop(f"{path} is no 64-bit ELF program")
    start, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<3H", data, 58)
    heads = [struct.unpack_from("<IIQQQQ", data, start + n * size) for n in range(count)]
    texts = heads[names][4]
    return {data[texts + h[0]:data.index(b"\0", texts + h[0])].decode(): (h[3], h[5]) for h in heads if h[2] & 2}


MUSL_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def stem(member):
    return re.sub(r"\.(lo|o)$", "", member)


class Origin:
    """Sorts every input of one architecture's link under a package, or stops."""

    def __init__(self, table, sources, root, arch, build, map_path, dpkg):
        self.table, self.sources, self.root, self.arch, self.build, self.dpkg = table, sources, root, arch, build, dpkg
        self.system_headers = {}
        self.link = Link(map_path, root)
        self.map_path = map_path
        self.own, self.packages, self.system = {}, {}, {}
        self.libs = {f"{build}/{v['library']}": name for name, v in table["linked"].items() if "library" in v}
        self.crt = {f"{build}/{o}": name for name, v in table["linked"].items() for o in v["objects"]}
        self.optimised = [f for f in self.link.loaded if re.search(r"\.ltrans\d+\.ltrans\.o$", f)]
        for name in self.link.objects():
            self.place(name)
        self.check_optimiser()
        if not self.own:
            raise Stop(f"{map_path}: nothing of Postern's own is linked; is this its map?")

    def path(self, name):
        return os.path.join(self.root, name)

    def place(self, name):
        library, _, member = name.rstrip(")").partition("(")
        if name in self.optimised:
            return
        if name in self.crt:
            self.third(self.crt[name], name, os.path.basename(name))
        elif library in self.libs and member:
            self.third(self.libs[library], name, member)
        elif re.fullmatch(rf"{self.build}/lib[a-z]+\.a", library) and member:
            room = os.path.basename(library)[3:-2]
            self.ours(name, f"{room}/{stem(member)}.c")
        elif name == f"{self.build}/obj/main.o":
            self.ours(name, "main.c")
        elif library.startswith("/"):
            package, facts = self.dpkg.owner(library)
            if not re.fullmatch(r"gcc-\d+(-cross)?", facts["source"]):
                raise Stop(f"{name} is part of the Debian package {package}, which Postern is not made of. "
                           "Only musl, BearSSL, jsmn and the compiler's own support are")
            self.system.setdefault(package, {"facts": facts, "files": []})["files"].append(name)
        else:
            raise Stop(f"{self.map_path}: {name} was linked, and nothing says where it comes from: no source of ours, no locked "
                       "package, no package of the system. Take it out of the link, or give it an entry in sbom/components.json")

    def ours(self, name, source):
        for where in ("src", "build/gen", f"{self.build}/gen"):
            if os.path.isfile(self.path(f"{where}/{source}")):
                self.own[name] = f"{where}/{source}"
                return
        raise Stop(f"{name} was linked, and there is no src/{source} that it could be made of")

    def third(self, package, name, member):
        source = self.sources[package]
        form = re.compile(self.table["linked"][package]["sources"])
        found = [f for f in sorted(source.all_files()) if form.match(f) and stem(member) == os.path.basename(f).rsplit(".", 1)[0]]
        # musl: a file in a directory of the architecture's name stands in for the common one above it.
        archs = {f.split("/")[1] for f in source.files if f.startswith("arch/")}
        mine = [f for f in found if f.split("/")[-2] == MUSL_ARCH[self.arch]]
        found = mine or [f for f in found if f.split("/")[-2] not in archs]
        if not found:
            raise Stop(f"{name} was linked, and {package} {source.version} has no source file of that name: somebody put the object there")
        self.packages.setdefault(package, {})[name] = found

    def check_optimiser(self):
        """What the optimiser read must be what the linker gave it: our own archives' members, by their place in the archive."""
        for name in self.optimised:
            res = self.path(re.sub(r"\.ltrans\d+\.ltrans\.o$", ".res", name))
            given = set()
            for m in re.finditer(r"^(\S+?)(?:@0x([0-9a-f]+))? \d+$", read(res), re.M):
                file = self.link.name(m[1])
                if m[2]:
                    members = {at + 60: member for at, member, _ in ar_index(read(self.path(file), "rb"))}
                    at = int(m[2], 16)
                    member = members.get(at) or members.get(at + 60)
                    if not member:
                        raise Stop(f"{res}: nothing begins at {m[2]} in {file}; link again (make)")
                    file = f"{file}({member})"
                given.add(file)
            strange = given - set(self.own)
            if strange:
                raise Stop(f"{res}: the optimiser also read {', '.join(sorted(strange))}, which the linker map does not have")
        if not self.optimised and not any(self.link.occupies(f) for f in self.own):
            raise Stop(f"{self.map_path}: no byte of Postern's own objects is in the program")

    # -------------------------------------------------------------------------------------------------------------- headers

    def headers(self, compiler, version):
        """Headers that the linked sources read: {package: [path]}; each one is the file that its package brought."""
        sources = sorted(set(self.own.values()))
        out = run(compiler, "-std=c11", "-Isrc", "-D_GNU_SOURCE=", f'-DPOSTERN_VERSION="{version}"', "-M", *sources, cwd=self.root)
        paths = {self.link.name(os.path.normpath(p)) for p in re.sub(r"\\\n", " ", out).split() if p.endswith(".h")}
        include = f"{self.build}/sysroot/usr/include/"
        found = {}
        for path in sorted(paths):
            if path.startswith("src/"):
                found.setdefault("postern", []).append(path)
            elif path.startswith(include):
                found.setdefault(self.header_of(path, path[len(include):]), []).append(path)
            elif path.startswith("/"):
                package, facts = self.dpkg.owner(path)
                if not re.fullmatch(r"gcc-\d+(-cross)?", facts["source"]):
                    raise Stop(f"{path} (Debian package {package}) was read by the compiler; only its own headers and the sysroot's may be")
                found.setdefault(package, []).append(path)
            else:
                raise Stop(f"the compiler read {path}, which no one brought")
        return found

    def header_of(self, path, name):
        data = read(self.path(path), "rb")
        jsmn = self.sources["libjsmn-dev"].files.get("usr/include/" + name)
        if jsmn:
            if hashlib.sha256(data).hexdigest() != jsmn:
                raise Stop(f"{path} is not the one in the locked libjsmn-dev")
            return "libjsmn-dev"
        if re.match(r"(linux|asm|asm-generic)/", name):
            arch = MUSL_ARCH[self.arch]
            for system in (f"/usr/{arch}-linux-gnu/include/{name}", f"/usr/include/{arch}-linux-gnu/{name}", f"/usr/include/{name}"):
                if os.path.isfile(system) and read(system, "rb") == data:
                    package, facts = self.dpkg.owner(system)
                    self.system_headers.setdefault(package, facts)
                    return package
            raise Stop(f"{path} is no header of the installed kernel headers (linux-libc-dev)")
        for package, sub in (("bearssl", "inc/" + name), ("musl", "include/" + name)):
            if sub in self.sources[package].all_files():
                return package
        # musl makes two headers of its per-architecture parts: bits/alltypes.h and bits/syscall.h.
        base = re.sub(r"^bits/", "", name)
        if name.startswith("bits/") and any(re.fullmatch(rf"arch/\w+/bits/{re.escape(base)}(\.in)?", f) or
                                            f == f"include/{base}.in" for f in self.sources["musl"].all_files()):
            return "musl"
        raise Stop(f"{path} is in the sysroot, and no locked package has it")

    # ------------------------------------------------------------------------------------------------------------- licences

    def licences(self, package):
        """SPDX ids of the linked files of a package, from Debian's copyright file; an unforeseen one stops."""
        source, names = self.sources[package], self.table["linked"][package]["licences"]
        files = {f for found in self.packages.get(package, {}).values() for f in found} or {"jsmn.h"}
        got = {f: source.licence_of(f) for f in sorted(files)}
        for file, name in got.items():
            if name not in names:
                raise Stop(f"{package}: {file} is under '{name}', which sbom/components.json does not expect")
        return sorted({names[n] for n in got.values()})


def load_table(path):
    return json.loads(read(path))
