"""An OCI image layout, read strictly and written the same way each time. Shared by sign.py and kit.py."""
import hashlib
import json
import os
import re

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REF = "org.opencontainers.image.ref.name"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, 0o644)


class Wrong(Exception):
    """What is wrong, in words for the one who called make."""


class Layout:
    """Blobs by digest, and the names that index.json gives to some of them."""

    def __init__(self):
        self.blobs = {}  # hex -> bytes
        self.names = {}  # name -> descriptor

    @classmethod
    def load(cls, path):
        self = cls()
        index = os.path.join(path, "index.json")
        if not os.path.isfile(index):
            raise Wrong(f"{path} is no OCI layout: it has no index.json")
        for descriptor in json.loads(read(index))["manifests"]:
            name = descriptor.get("annotations", {}).get(REF)
            if not name or name in self.names:
                raise Wrong(f"{index}: a manifest without a name, or a name twice: {name}")
            self.names[name] = {k: descriptor[k] for k in ("mediaType", "digest", "size")}
        todo = list(self.names.values())
        while todo:
            descriptor = todo.pop()
            hex_ = descriptor["digest"].removeprefix("sha256:")
            if not re.fullmatch(r"[0-9a-f]{64}", hex_):
                raise Wrong(f"{path}: {descriptor['digest']} is no SHA-256")
            if hex_ in self.blobs:
                continue
            data = read(os.path.join(path, "blobs", "sha256", hex_))
            if sha256(data) != hex_ or len(data) != descriptor["size"]:
                raise Wrong(f"{path}: blob {hex_} does not hash to its name, or has another size than its descriptor says")
            self.blobs[hex_] = data
            if descriptor["mediaType"] in (INDEX, MANIFEST):
                inner = json.loads(data)
                todo += inner.get("manifests", []) + inner.get("layers", []) + ([inner["config"]] if "config" in inner else [])
        return self

    def add(self, data, media_type):
        self.blobs[sha256(data)] = data
        return {"mediaType": media_type, "digest": "sha256:" + sha256(data), "size": len(data)}

    def json(self, digest):
        return json.loads(self.blobs[digest.removeprefix("sha256:")])

    def save(self, path):
        """index.json has one line per name, so that verify.sh can read it without a JSON parser."""
        for hex_, data in self.blobs.items():
            write(os.path.join(path, "blobs", "sha256", hex_), data)
        lines = [canonical(dict(d, annotations={REF: name})).decode() for name, d in sorted(self.names.items())]
        write(os.path.join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}')
        write(os.path.join(path, "index.json"),
              '{"schemaVersion":2,"mediaType":"' + INDEX + '","manifests":[\n' + ",\n".join(lines) + "\n]}\n")


class Image:
    """The multi-architecture image of a layout: its index and what that names."""

    def __init__(self, layout, name):
        if name not in layout.names:
            raise Wrong(f"the layout has no {name}, but {', '.join(layout.names) or 'nothing'}")
        self.layout = layout
        self.descriptor = layout.names[name]
        if self.descriptor["mediaType"] != INDEX:
            raise Wrong(f"{name} is no image index")
        self.digest = self.descriptor["digest"]
        self.arch = {}  # architecture -> descriptor
        for m in layout.json(self.digest)["manifests"]:
            arch = m["platform"]["architecture"]
            if arch in self.arch:
                raise Wrong(f"{arch} twice in the index")
            self.arch[arch] = {k: m[k] for k in ("mediaType", "digest", "size")}

    def parts(self):
        """The index and each architecture's manifest, as (what, descriptor)."""
        return [("index", self.descriptor)] + sorted(self.arch.items())
