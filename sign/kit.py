#!/usr/bin/env python3
"""kit.py --signed DIR --version V --identity NAME --source SOURCE.json --out KIT [--issue N] [--copy FROM:TO]... : the kit for the air gap.

DIR is what sign.py wrote. KIT becomes a directory; KIT.tar the same as one archive, the same bytes for the same content, and
KIT.tar.sigstore.json the release key's signature over it. --copy puts a file, or all files below a directory, into the kit.
The release key signs SHA256SUMS, which covers every other file. Keys: as in sign.py.

NEXT_KEY_PUB=file puts the public key of the next rotation into the kit; REVOKED=file a list of fingerprints not to trust any more."""
import argparse
import gzip
import io
import json
import os
import re
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cosign import Signer
from oci import Image, Layout, Wrong, canonical, read, sha256, write

README = """Postern {version}: a kit to carry to a site without a network
{rule}

Before anything else:

    sh verify.sh --fingerprint FINGERPRINT .

FINGERPRINT is the release key's. Take it from where you already trust it (an earlier kit, a phone call, paper), not from this kit.
verify.sh needs a POSIX shell, openssl, sha256sum and tar, and says PASS, or what is wrong. Take verify.sh itself from a kit that you have
verified before, if there is one: a forged kit would bring a forged verify.sh.

  RELEASE         version, release number, digests
  image/oci       the image (amd64, arm64) with its signatures and attestations, an OCI layout
  image/dir       the image with its signatures for `skopeo copy dir:` under a policy.json
  image/*.docker.tar   for `docker load`, one per architecture; no signature comes along, so verify first
  attestations    SBOM, provenance and VEX as signed statements (sigstore bundles)
  sbom vex provenance  the same, unsigned and readable
  keys            public keys and their fingerprints
  enforce         policy.json and registries.d for skopeo and podman
  docs            how to verify, deploy, upgrade, roll back, rotate keys: docs/appliance/

index digest     {digest}
"""


def docker_archive(image, arch, identity, path):
    """What `docker load` reads: the configuration and the layers, unpacked."""
    layout = image.layout
    manifest = layout.json(image.arch[arch]["digest"])
    config_hex = manifest["config"]["digest"].removeprefix("sha256:")
    config = layout.blobs[config_hex]
    files, names = {config_hex + ".json": config}, []
    for layer, diff_id in zip(manifest["layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True):
        data = gzip.decompress(layout.blobs[layer["digest"].removeprefix("sha256:")])
        if "sha256:" + sha256(data) != diff_id:
            raise Wrong(f"{arch}: layer {layer['digest']} does not unpack to {diff_id}")
        names.append(sha256(data) + ".tar")
        files[names[-1]] = data
    files["manifest.json"] = ('[{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}]' % (
        config_hex, identity, ",".join(f'"{n}"' for n in names))).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    write(path, out.getvalue())


def archive(kit, path, epoch):
    """The kit as a tar: sorted, root's, one date."""
    base = os.path.basename(kit)
    names = [base]
    for folder, folders, files in os.walk(kit):
        inside = os.path.relpath(folder, kit)
        names += [os.path.normpath(os.path.join(base, inside, n)) for n in folders + files]
    with tarfile.open(path + ".new", mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(names):
            real = os.path.join(os.path.dirname(kit), name)
            member = tarfile.TarInfo(name)
            member.mtime = epoch
            if os.path.isdir(real):
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            else:
                member.size, member.mode = os.path.getsize(real), 0o755 if name.endswith(".sh") else 0o644
                with open(real, "rb") as f:
                    tar.addfile(member, f)
    os.replace(path + ".new", path)


def number(version, issue):
    """Grows with the version, then with the issue of its kit."""
    parts = version.split(".")
    if len(parts) != 3 or not all(re.fullmatch(r"0|[1-9]\d{0,2}", p) for p in parts) or not 0 <= issue <= 99:
        raise Wrong(f"version {version}, issue {issue}: wanted are three numbers up to 999, and an issue up to 99")
    return ((int(parts[0]) * 1000 + int(parts[1])) * 1000 + int(parts[2])) * 100 + issue


def copy(source, to):
    if os.path.isdir(source):
        for folder, folders, files in os.walk(source):
            folders.sort()
            for name in sorted(files):
                copy(os.path.join(folder, name), os.path.join(to, os.path.relpath(os.path.join(folder, name), source)))
        return
    if not os.path.isfile(source):
        raise Wrong(f"there is no {source} for the kit")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", os.path.basename(to)):
        raise Wrong(f"{to}: names in a kit are of letters, digits, dot, dash and underscore")
    write(to, read(source))


def seal(kit, signer):
    """SHA256SUMS and its signature."""
    lines = []
    for folder, folders, files in os.walk(kit):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), kit)
            if path not in ("SHA256SUMS", "SHA256SUMS.sigstore.json"):
                lines.append((path, sha256(read(os.path.join(kit, path)))))
    sums = "".join(f"{digest}  {path}\n" for path, digest in sorted(lines)).encode()
    write(os.path.join(kit, "SHA256SUMS"), sums)
    write(os.path.join(kit, "SHA256SUMS.sigstore.json"), signer.blob(sums))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    for name in ("signed", "version", "identity", "source", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--issue", type=int, default=0)
    parser.add_argument("--copy", action="append", default=[])
    args = parser.parse_args()
    kit = args.out.rstrip("/")
    source = json.loads(read(args.source))
    signed = lambda *p: os.path.join(args.signed, *p)
    layout = Layout.load(signed("layout"))
    image = Image(layout, args.version)
    release_number = number(args.version, args.issue)
    release, attest = Signer.release(), Signer.attest()
    if read(signed("release.pub")) != release.public():
        raise Wrong("the image was signed with another release key than this one: make sign, then make kit")

    for stale in (kit, kit + ".tar", kit + ".tar.sigstore.json"):
        if os.path.isdir(stale):
            shutil.rmtree(stale)
        elif os.path.exists(stale):
            os.remove(stale)
    at = lambda *p: os.path.join(kit, *p)
    copy(signed("layout"), at("image", "oci"))
    copy(signed("dir"), at("image", "dir"))
    copy(signed("attestations"), at("attestations"))
    for arch in sorted(image.arch):
        docker_archive(image, arch, args.identity, at("image", f"postern-{args.version}-{arch}.docker.tar"))
    prints = {"release": release.fingerprint(), "attest": attest.fingerprint()}
    for role in prints:
        copy(signed(role + ".pub"), at("keys", role + ".pub"))
    next_key, revoked = os.environ.get("NEXT_KEY_PUB"), os.environ.get("REVOKED")
    if next_key:
        copy(next_key, at("keys", "next-release.pub"))
    if revoked:
        lines = read(revoked).decode().splitlines()
        if not lines or not all(re.match(r"[0-9a-f]{64}( |$)", line) for line in lines):
            raise Wrong(f"{revoked}: each line begins with a fingerprint of 64 hex digits, and a reason may follow")
        copy(revoked, at("keys", "revoked.txt"))
    write(at("keys", "FINGERPRINTS"), "".join(f"SHA256:{p}  {role}.pub\n" for role, p in sorted(prints.items())))
    for pair in args.copy:
        origin, _, to = pair.partition(":")
        copy(origin, at(to))
    for name in ("policy.json", "policy-one-release.json", "registries.d/postern.yaml"):
        write(at("enforce", name), read(os.path.join(here, "enforce", name)).decode().replace("@IDENTITY@", args.identity))
    write(at("verify.sh"), read(os.path.join(here, "verify.sh")))
    write(at("README.txt"), README.format(version=args.version, rule="=" * 40, digest=image.digest))
    write(at("RELEASE"), "".join(f"{k}={v}\n" for k, v in [
        ("format", "postern-kit-1"), ("version", args.version), ("number", release_number), ("issue", args.issue),
        ("identity", args.identity), ("revision", source["revision"]), ("index", image.digest),
        *((arch, d["digest"]) for arch, d in sorted(image.arch.items())),
        ("release-key", prints["release"]), ("attest-key", prints["attest"])]))
    seal(kit, release)
    archive(kit, kit + ".tar", source["epoch"])
    write(kit + ".tar.sigstore.json", release.blob(read(kit + ".tar")))
    write(os.path.join(os.path.dirname(kit), "verify.sh"), read(at("verify.sh")))
    print(f"kit: {kit}.tar, release number {release_number}, {os.path.getsize(kit + '.tar') // 1024} KiB")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"kit: {wrong}")
