#!/usr/bin/env python3
"""The tampering table against verify.sh. Each row is sealed anew with the release key, as if the one who seals had been fooled, so that the check of that
very thing must speak. Rows marked with a star are also done by someone without that key, whom the signature over SHA256SUMS stops."""
import concurrent.futures
import io
import os
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kits import *  # noqa: E402, F403
from postern import done, ok  # noqa: E402

release, attest, other = key("release"), key("attest"), key("other")
PUB = ("--key", f"{TMP}/release.pub")
signed = make_signed(f"{TMP}/signed", release, attest)
good = make_kit(signed, f"{TMP}/good/postern-{VERSION}", release, attest)
status, said = verify(good, *PUB)
if not ok(status == 0, "the kit is right before anything is done to it", said):
    done()
# An image that is also ours, signed with the same keys: of an older version, and one that claims to be this version.
OLD = "0.0.9"
old_signed = make_signed(f"{TMP}/old-signed", release, attest, other_image(f"{TMP}/old-image", OLD, "old"), OLD)
old = make_kit(old_signed, f"{TMP}/old/postern-{OLD}", release, attest, OLD)
twin_signed = make_signed(f"{TMP}/twin-signed", release, attest, other_image(f"{TMP}/twin-image", VERSION, "twin"))
image = Image(Layout.load(f"{good}/image/oci"), VERSION)
HEX = {what: d["digest"].removeprefix("sha256:") for what, d in image.parts()}
LAYER = image.layout.json("sha256:" + HEX["amd64"])["layers"][0]["digest"].removeprefix("sha256:")
CONFIG = image.layout.json("sha256:" + HEX["amd64"])["config"]["digest"].removeprefix("sha256:")


def edit(path, what):
    data = what(read(path))
    assert data != read(path), path
    write(path, data)


def flip(path):
    edit(path, lambda d: d[:len(d) // 2] + bytes([d[len(d) // 2] ^ 1]) + d[len(d) // 2 + 1:])


class Layouts:
    """A layout changed and saved again, with only what its names lead to."""

    def __init__(self, kit):
        self.path = f"{kit}/image/oci"
        self.layout = Layout.load(self.path)

    def save(self):
        names = self.layout.names
        keep, self.layout = self.layout, Layout()
        self.layout.blobs, self.layout.names = keep.blobs, names
        shutil.rmtree(self.path)
        self.layout.save(self.path)
        clean = Layout.load(self.path)
        shutil.rmtree(self.path)
        clean.save(self.path)

    def resign(self, what, payload, pen):
        """Another legacy signature for a part of the image."""
        name = f"sha256-{HEX[what]}.sig"
        manifest = self.layout.json(self.layout.names[name]["digest"])
        annotations = {sign_maker.SIGNATURE: signer(pen).raw(payload)}
        manifest["layers"] = [dict(self.layout.add(payload, sign_maker.SIMPLE), annotations=annotations)]
        self.layout.names[name] = self.layout.add(canonical(manifest), MANIFEST)

    def rebundle(self, what, change):
        """Other bundles for a part: CHANGE gets the list of (predicate type, bundle), and gives one."""
        name = f"sha256-{HEX[what]}"
        bundles = []
        for entry in self.layout.json(self.layout.names[name]["digest"])["manifests"]:
            manifest = self.layout.json(entry["digest"])
            bundles.append((manifest["annotations"]["dev.sigstore.bundle.predicateType"],
                            self.layout.blobs[manifest["layers"][0]["digest"].removeprefix("sha256:")]))
        subject = dict(image.parts())[what]
        made = [sign_maker.bundle_manifest(self.layout, subject, bundle, kind) for kind, bundle in change(bundles)]
        self.layout.names[name] = self.layout.add(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": made}), INDEX)


def layouts(change):
    def act(kit):
        it = Layouts(kit)
        change(it)
        it.save()
    return act


def attestation(kit, name, pen, kind=None, subject=None, predicate=None):
    """Another attestation in the place of NAME, in the kit's file and in its layout."""
    own_kind, own_subject, _, path = PAPERS[name]
    kind, type_ = kind or own_kind, sign_maker.TYPES[own_kind]
    made = signer(pen).statement(sign_maker.statement(IDENTITY, "sha256:" + HEX[subject or own_subject], sign_maker.TYPES[kind], predicate or read(path)))
    write(f"{kit}/attestations/{name}.sigstore.json", made)
    layouts(lambda it: it.rebundle(own_subject, lambda bundles: [(t, made if t == type_ else b) for t, b in bundles]))(kit)


def edited_index(kit):
    """The list of the image edited, and all that leads to it; what it lists is intact."""
    for path in (f"{kit}/image/oci/blobs/sha256/{HEX['index']}", f"{kit}/image/dir/manifest.json"):
        edit(path, lambda d: d.replace(b'"os":"linux"', b'"os":"linus"', 1))


def rewritten_index(kit):
    """The same, with the new digest everywhere where no key is needed."""
    it = Layouts(kit)
    data = image.layout.blobs[HEX["index"]].replace(b'"os":"linux"', b'"os":"linus"', 1)
    new = it.layout.add(data, INDEX)
    it.layout.names[VERSION] = new
    for end in ("", ".sig"):
        it.layout.names[new["digest"].replace(":", "-") + end] = it.layout.names.pop(f"sha256-{HEX['index']}{end}")
    it.save()
    write(f"{kit}/image/dir/manifest.json", data)
    edit(f"{kit}/RELEASE", lambda d: d.replace(HEX["index"].encode(), new["digest"][7:].encode()))


def unsigned(kit):
    def change(it):
        it.layout.names = {VERSION: it.layout.names[VERSION]}
    layouts(change)(kit)
    for name in os.listdir(f"{kit}/image/dir"):
        if name.endswith("signature-1"):
            os.remove(f"{kit}/image/dir/{name}")


def moved_tag(kit):
    layouts(lambda it: [it.layout.blobs.update(Layout.load(f"{TMP}/old-image").blobs),
                        it.layout.names.update({VERSION: Layout.load(f"{TMP}/old-image").names[OLD]})])(kit)


def foreign_file(kit):
    write(f"{kit}/deploy/extra.yaml", "a: b\n")


def lose(*paths):
    return lambda kit: [os.remove(f"{kit}/{p}") for p in paths]


def swap(a, b):
    def act(kit):
        one, two = read(f"{kit}/{a}"), read(f"{kit}/{b}")
        assert one != two
        write(f"{kit}/{a}", two)
        write(f"{kit}/{b}", one)
    return act


def in_docker(change):
    """The docker archive for amd64 with its files changed."""
    def act(kit):
        path = f"{kit}/image/postern-{VERSION}-amd64.docker.tar"
        with tarfile.open(path) as tar:
            inside = {m.name: tar.extractfile(m).read() for m in tar}
        change(inside)
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in inside.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return act


def grow(inside):
    name = next(n for n in inside if n.endswith(".tar"))
    inside[name] += b"\0" * 512


def simple(hex_=None, identity=IDENTITY):
    return sign_maker.simple_payload(identity, "sha256:" + (hex_ or HEX["amd64"]))


def dir_signature(kit, pen, payload):
    write(f"{kit}/image/dir/{HEX['amd64']}.signature-1", b"\0sigstore-json\n" + canonical({
        "mimeType": sign_maker.SIMPLE, "payload": base64.b64encode(payload).decode(),
        "annotations": {sign_maker.SIGNATURE: signer(pen).raw(payload)}}))


SIGN_V1 = sign_maker.SIGN_V1
sign_statement = ('{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"},"annotations":{}}],"predicateType":"%s","predicate":{}}'
                  % (HEX["amd64"], SIGN_V1)).encode()
ROWS = [  # what, how, what verify.sh must say
    ("* unsigned", unsigned, ["index: unsigned", "amd64: unsigned", "arm64: unsigned", "signature-1 is missing", "index: the layout has no bundles"]),
    ("* another key signed one architecture", layouts(lambda it: it.resign("amd64", simple(), other)), ["amd64 (signature): not a signature of the release key"]),
    ("another key, dir: form", lambda kit: dir_signature(kit, other, simple()), ["amd64 (image/dir/", "not a signature of the release key"]),
    ("another key, bundle", layouts(lambda it: it.rebundle("amd64", lambda bs: [
        (t, signer(other).statement(sign_statement) if t == SIGN_V1 else b) for t, b in bs])), ["amd64 (bundle): not a signature of the release key"]),
    ("the attestation key signed the image", layouts(lambda it: it.resign("amd64", simple(), attest)), ["amd64 (signature): not a signature of the release key"]),
    ("the right key, another name", layouts(lambda it: it.resign("amd64", simple(identity=f"registry.example.com/other:{VERSION}"), release)),
     ["amd64 (signature): signed by the release key, but for another image or another name"]),
    ("the right key, another version's name", lambda kit: dir_signature(kit, release, simple(identity=f"{NAME}:{OLD}")),
     ["signed by the release key, but for another image or another name"]),
    ("the signature of one architecture on the other", layouts(lambda it: it.resign("amd64", simple(HEX["arm64"]), release)),
     ["amd64 (signature): signed by the release key, but for another image"]),
    ("* the tag moved to another signed image", moved_tag, [f"image: the tag {VERSION} was moved"]),
    ("* a byte of a layer changed", lambda kit: flip(f"{kit}/image/oci/blobs/sha256/{LAYER}"), [f"(blob {LAYER}) was altered"]),
    ("a byte of a layer changed in dir: form", lambda kit: flip(f"{kit}/image/dir/{LAYER}"), [f"image/dir/{LAYER} is missing or altered"]),
    ("a byte of the configuration changed", lambda kit: flip(f"{kit}/image/oci/blobs/sha256/{CONFIG}"), [f"(blob {CONFIG}) was altered"]),
    ("a layer lost", lose(f"image/oci/blobs/sha256/{LAYER}"), [f"(blob {LAYER}) is missing"]),
    ("a layer changed in the docker archive", in_docker(grow), ["its layer is not that of the signed image"]),
    ("a file more in the docker archive", in_docker(lambda inside: inside.update({"repositories": b"{}"})), ["docker.tar: holds more than the image"]),
    ("* one signature removed", layouts(lambda it: it.layout.names.pop(f"sha256-{HEX['arm64']}.sig")), ["arm64: unsigned"]),
    ("one signature removed in dir: form", lose("image/dir/signature-1"), ["index: unsigned: image/dir/signature-1 is missing"]),
    ("one bundle removed", layouts(lambda it: it.rebundle("arm64", lambda bs: [(t, b) for t, b in bs if t != SIGN_V1])),
     ["arm64: the layout has no bundle with the signature"]),
    ("the VEX removed from the layout", layouts(lambda it: it.rebundle("index", lambda bs: [(t, b) for t, b in bs if "vex" not in t])),
     ["index: the layout has no bundle with the vex"]),
    ("* the index edited", edited_index, ["the image index", "was altered", "manifest.json is missing or another manifest"]),
    ("* the index edited, and all that needs no key", rewritten_index, ["index (signature): signed by the release key, but for another image"]),
    ("the SBOM edited", lambda kit: edit(f"{kit}/sbom/postern-image.cdx.json", lambda d: d.replace(b"musl", b"musk", 1)),
     ["attestations/sbom-image.sigstore.json: it was made over another sbom/postern-image.cdx.json"]),
    ("* the SBOMs swapped", swap("sbom/postern-amd64.cdx.json", "sbom/postern-arm64.cdx.json"), ["it was made over another sbom/postern-amd64.cdx.json"]),
    ("the SBOMs' attestations swapped", swap("attestations/sbom-amd64.sigstore.json", "attestations/sbom-arm64.sigstore.json"),
     ["attestations/sbom-amd64.sigstore.json: it speaks of another image"]),
    ("another SBOM, attested by another key", lambda kit: attestation(kit, "sbom-image", other, predicate=b'{"bomFormat":"CycloneDX"}'),
     ["attestations/sbom-image.sigstore.json: not a signature of the attestation key", "index (bundle sbom-image): not a signature"]),
    ("an attestation made with the release key", lambda kit: attestation(kit, "vex", release),
     ["attestations/vex.sigstore.json: not a signature of the attestation key"]),
    ("* an attestation of the wrong type", lambda kit: attestation(kit, "provenance", attest, kind="openvex"),
     ["attestations/provenance.sigstore.json: its type is https://openvex.dev/ns, not https://slsa.dev/provenance/v1"]),
    ("an attestation of a type that no kit has", layouts(lambda it: it.rebundle("amd64", lambda bs: bs + [(
        "https://example.com/testresult", signer(attest).statement(sign_statement))])), ["amd64: a bundle of the wrong type: https://example.com/testresult"]),
    ("an attestation twice", layouts(lambda it: it.rebundle("amd64", lambda bs: bs + bs[-1:])), ["amd64: two bundles of sbom-amd64"]),
    ("an attestation of another image", lambda kit: attestation(kit, "vex", attest, subject="amd64"), ["attestations/vex.sigstore.json: it speaks of another image"]),
    ("a VEX that says more", lambda kit: edit(f"{kit}/vex/postern.openvex.json", lambda d: d.replace(b"{", b'{"x":"y",', 1)),
     ["it was made over another vex/postern.openvex.json"]),
    ("* release number forged", lambda kit: edit(f"{kit}/RELEASE", lambda d: d.replace(b"number=", b"number=9")), ["RELEASE: release number 9"]),
    ("RELEASE with a line more", lambda kit: edit(f"{kit}/RELEASE", lambda d: d + b"version=9.9.9\n"), ["RELEASE: not the form of a kit"]),
    ("a stray blob", lambda kit: write(f"{kit}/image/oci/blobs/sha256/{sha256(b'x')}", b"x"), ["belongs to nothing"]),
    ("a member of index.json more", lambda kit: edit(f"{kit}/image/oci/index.json", lambda d: d.replace(b'"schemaVersion":2', b'"schemaVersion":2,"a":1', 1)),
     ["index.json is not as kits write it"]),
    ("one key for both", lambda kit: write(f"{kit}/keys/attest.pub", read(f"{kit}/keys/release.pub")), ["keys: release key and attestation key are the same"]),
]


def row(number, name, how, words):
    kit = f"{TMP}/row-{number}/postern-{VERSION}"
    shutil.copytree(good, kit)
    how(kit)
    # Without the key: the list of hashes is brought up to date, its signature cannot be.
    old_seal = read(f"{kit}/SHA256SUMS.sigstore.json")
    kit_maker.seal(kit, signer(release))
    new_seal = read(f"{kit}/SHA256SUMS.sigstore.json")
    stopped = None
    if name.startswith("* "):
        write(f"{kit}/SHA256SUMS.sigstore.json", old_seal)
        stopped = verify(kit, *PUB)
        write(f"{kit}/SHA256SUMS.sigstore.json", new_seal)
    found = verify(kit, *PUB)
    shutil.rmtree(f"{TMP}/row-{number}")
    return name.removeprefix("* "), words, stopped, found


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for name, words, stopped, found in pool.map(lambda n: row(n, *ROWS[n]), range(len(ROWS))):
        if stopped:
            status, said = stopped
            ok(status == 1 and "FAIL  SHA256SUMS: the signature" in said and "PASS" not in said,
               f"{name}: no one without the release key can", said)
        status, said = found
        fails = "\n".join(line for line in said.splitlines() if line.startswith("FAIL "))
        ok(status == 1 and "ok    SHA256SUMS: signed" in said and all(w in fails for w in words) and "PASS" not in said, f"{name}: found for what it is", said)

# Files that changed after sealing, and what does not belong.
PLAIN = [
    ("a document altered", lambda kit: flip(f"{kit}/docs/TRUST.md"), ["docs/TRUST.md: altered"]),
    ("a policy altered", lambda kit: flip(f"{kit}/enforce/policy.json"), ["enforce/policy.json: altered"]),
    ("verify.sh altered", lambda kit: flip(f"{kit}/verify.sh"), ["verify.sh: altered"]),
    ("a file added", foreign_file, ["deploy/extra.yaml: in no list"]),
    ("a file removed", lose("docs/TRUST.md"), ["docs/TRUST.md: missing"]),
    ("a link", lambda kit: os.symlink("/etc/passwd", f"{kit}/docs/passwd"), ["neither files nor directories"]),
    ("a name with a space", lambda kit: write(f"{kit}/docs/a b", "x"), ["with odd names"]),
    ("SHA256SUMS removed", lose("SHA256SUMS"), ["SHA256SUMS: missing"]),
    ("its signature removed", lose("SHA256SUMS.sigstore.json"), ["its signature is missing"]),
    ("RELEASE removed", lose("RELEASE"), ["RELEASE: missing"]),
    ("the layout removed", lambda kit: shutil.rmtree(f"{kit}/image/oci"), ["image/oci/index.json is missing"]),
    ("another release key put in", lambda kit: write(f"{kit}/keys/release.pub", read(f"{TMP}/other.pub")), ["is not the one you trust"]),
    ("an empty kit", lambda kit: [shutil.rmtree(kit), os.mkdir(kit)], ["RELEASE: missing", "keys/release.pub is missing"]),
]
for name, how, words in PLAIN:
    kit = f"{TMP}/row/postern-{VERSION}"
    shutil.rmtree(f"{TMP}/row", ignore_errors=True)
    shutil.copytree(good, kit)
    how(kit)
    status, said = verify(kit, *PUB)
    ok(status == 1 and all(w in said for w in words) and "PASS" not in said, name, said)

# A whole kit by someone else; the archive; hostile archives.
forged = make_kit(make_signed(f"{TMP}/forged-signed", other, attest), f"{TMP}/forged/postern-{VERSION}", other, attest)
status, said = verify(forged, *PUB)
ok(status == 1 and "is not the one you trust" in said, "a kit that is right in itself, under another key", said)
status, said = verify(forged, "--fingerprint", signer(release).fingerprint())
ok(status == 1 and "has not the fingerprint you trust" in said, "the same, with a fingerprint", said)
archive = f"{TMP}/row/postern-{VERSION}.tar"


def carried(name):
    shutil.copy(good + ".tar", archive)
    shutil.copy(good + ".tar.sigstore.json", archive + ".sigstore.json")
    return name


name = carried("the archive altered")
edit(archive, lambda d: d[:-1] + b"x")
status, said = verify(archive, *PUB)
ok(status == 1 and f"postern-{VERSION}.tar: the signature in" in said, name, said)
name = carried("the archive's signature removed")
os.remove(archive + ".sigstore.json")
status, said = verify(archive, *PUB)
ok(status == 1 and "its signature is missing" in said, name, said)
name = carried("the archive cut short")
write(archive, read(archive)[:100000])
status, said = verify(archive, *PUB)
ok(status != 0 and "PASS" not in said, name, said)
for what, member in (("leads out", "../out"), ("is absolute", f"{TMP}/out"), ("leads out from inside", f"postern-{VERSION}/../../out")):
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo(member)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    status, said = verify(archive, *PUB)
    ok(status == 1 and "was not unpacked" in said and not os.path.exists(f"{TMP}/out"), f"an archive with a path that {what} is not unpacked", said)
with tarfile.open(archive, "w") as tar:
    info = tarfile.TarInfo(f"postern-{VERSION}/link")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc"
    tar.addfile(info)
status, said = verify(archive, *PUB)
ok(status == 1 and "was not unpacked" in said, "nor one with a link", said)

# Releases of yesterday.
state = ("--state", f"{TMP}/site/releases")
status, said = verify(old, *PUB, *state)
ok(status == 0 and "the first on record" in said, f"{OLD} is accepted where nothing is on record", said)
status, said = verify(good, *PUB, *state)
ok(status == 0, f"{VERSION} is accepted after it", said)
status, said = verify(old, *PUB, *state)
ok(status == 1 and f"{OLD} (number 900) is older than {VERSION}" in said, "the old release replayed is refused", said)
status, said = verify(old + ".tar", *PUB, *state)
ok(status == 1 and "is older than" in said, "as an archive too", said)
status, said = verify(old, *PUB, *state, "--allow-older")
ok(status == 0, "unless one rolls back on purpose", said)
status, said = verify(old, *PUB, *state)
ok(status == 1, "which does not lower what is on record", said)
twin = make_kit(twin_signed, f"{TMP}/twin/postern-{VERSION}", release, attest)
status, said = verify(twin, *PUB, *state)
ok(status == 1 and f"{VERSION} was accepted here before with another image" in said, "another image under an accepted version is refused", said)
second = make_kit(signed, f"{TMP}/second/postern-{VERSION}", release, attest, issue=1)
status, said = verify(second, *PUB, *state)
ok(status == 0, "a second issue of the same image is accepted", said)
status, said = verify(good, *PUB, *state)
ok(status == 1 and "is older than" in said, "and then the first issue, with its older papers, is not", said)
status, said = verify(good, *PUB, "--state", f"{TMP}/else/releases", "--no-record")
ok(status == 0 and not os.path.exists(f"{TMP}/else"), "--no-record writes nothing", said)
status, said = verify(forged, *PUB, "--state", f"{TMP}/never/releases")
ok(status == 1 and not os.path.exists(f"{TMP}/never"), "what fails is not put on record", said)

# Keys that are not to be trusted any more, and the next one.
write(f"{TMP}/revoked", f"{signer(release).fingerprint()} lost\n")
status, said = verify(good, *PUB, "--revoked", f"{TMP}/revoked")
ok(status == 1 and "is on your list of revoked keys" in said, "a revoked key, by the site's list", said)
rotated_signed = make_signed(f"{TMP}/rotated-signed", other, attest)
announced = make_kit(signed, f"{TMP}/announced/postern-{VERSION}", release, attest, issue=2, env={"NEXT_KEY_PUB": f"{TMP}/other.pub"})
status, said = verify(announced, *PUB, *state)
ok(status == 0 and f"the next release key will be SHA256:{signer(other).fingerprint()}" in said, "a kit announces the next key, under this one", said)
rotated = make_kit(rotated_signed, f"{TMP}/rotated/postern-{VERSION}", other, attest, issue=3, env={"REVOKED": f"{TMP}/revoked"})
status, said = verify(rotated, "--key", f"{announced}/keys/next-release.pub", *state)
ok(status == 0, "the next kit is verified with it", said)
third = make_kit(signed, f"{TMP}/third/postern-{VERSION}", release, attest, issue=4)
status, said = verify(third, *PUB, *state)
ok(status == 1 and "was revoked by a release accepted here" in said, "and what the old key signs afterwards is refused", said)
done()
