#!/usr/bin/env python3
"""sign.py --image LAYOUT --name VERSION --identity NAME --out DIR [--attest TYPE:SUBJECT:NAME:FILE]...

Signs the image and what is said about it, and writes to DIR:
    layout/         the image, and everything signed as cosign 2, cosign 3 and containers policy.json look for it
    dir/            the image and its signatures in the `dir:` form of skopeo and podman, for a site without a registry
    attestations/   NAME.sigstore.json for each --attest
    release.pub attest.pub

    --attest  TYPE cyclonedx | slsaprovenance1 | openvex; SUBJECT index or an architecture.

Keys are what cosign takes: a file, or env://VARIABLE. KEY (or COSIGN_KEY) with COSIGN_PASSWORD signs the image; ATTEST_KEY (or
COSIGN_ATTEST_KEY) with ATTEST_PASSWORD (else COSIGN_PASSWORD) signs the attestations. They must be two keys: cosign 3 takes any
attestation by the image's key for a signature of the image.

All is made with `cosign sign-blob` and `attest-blob` and put in place here, so no registry is needed, and cosign runs without a network."""
import argparse
import base64
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cosign import Signer
from oci import INDEX, MANIFEST, Image, Layout, Wrong, canonical, read, write

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
SIGN_V1 = "https://sigstore.dev/cosign/sign/v1"
TYPES = {
    "cyclonedx": "https://cyclonedx.org/bom",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "openvex": "https://openvex.dev/ns",
}


def tag(digest):
    return digest.replace(":", "-")


def simple_payload(identity, digest):
    """What the legacy format signs; verify.sh writes the same bytes anew and compares."""
    return ('{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},'
            '"type":"cosign container image signature"},"optional":null}' % (identity, digest)).encode()


def statement(identity, digest, predicate_type, predicate):
    """An in-toto statement round the bytes of a file, unchanged: verify.sh compares them with the file."""
    json.loads(predicate)
    return ('{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}],"predicateType":"%s",'
            '"predicate":' % (identity, digest.removeprefix("sha256:"), predicate_type)).encode() + predicate + b"}"


def legacy(layout, dir_, signer, identity, what, descriptor):
    payload = simple_payload(identity, descriptor["digest"])
    signature = signer.raw(payload)
    layer = dict(layout.add(payload, SIMPLE), annotations={SIGNATURE: signature})
    config = layout.add(canonical({
        "architecture": "", "config": {}, "created": "0001-01-01T00:00:00Z", "history": [{"created": "0001-01-01T00:00:00Z"}], "os": "",
        "rootfs": {"diff_ids": [layer["digest"]], "type": "layers"}}), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    layout.names[tag(descriptor["digest"]) + ".sig"] = layout.add(canonical(manifest), MANIFEST)
    # The same in the form of `dir:`.
    name = "signature-1" if what == "index" else descriptor["digest"].removeprefix("sha256:") + ".signature-1"
    write(os.path.join(dir_, name), b"\0sigstore-json\n" + canonical(
        {"mimeType": SIMPLE, "payload": base64.b64encode(payload).decode(), "annotations": {SIGNATURE: signature}}))


def bundle_manifest(layout, descriptor, bundle, predicate_type):
    empty = layout.add(b"{}", "application/vnd.oci.empty.v1+json")
    made = layout.add(canonical({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": empty, "layers": [layout.add(bundle, BUNDLE)],
        "subject": descriptor,
        "annotations": {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate_type}}), MANIFEST)
    return dict(made, artifactType=BUNDLE)


def write_dir(image, out):
    """The image in the form of `dir:`: blobs under their bare hashes, the index as manifest.json."""
    layout = image.layout
    for what, descriptor in image.parts():
        hex_ = descriptor["digest"].removeprefix("sha256:")
        write(os.path.join(out, "manifest.json" if what == "index" else hex_ + ".manifest.json"), layout.blobs[hex_])
        inner = layout.json(descriptor["digest"])
        for part in inner.get("layers", []) + ([inner["config"]] if "config" in inner else []):
            hex_ = part["digest"].removeprefix("sha256:")
            write(os.path.join(out, hex_), layout.blobs[hex_])
    write(os.path.join(out, "version"), "Directory Transport Version: 1.1\n")


def main():
    parser = argparse.ArgumentParser()
    for name in ("image", "name", "identity", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--attest", action="append", default=[])
    args = parser.parse_args()

    layout = Layout.load(args.image)
    image = Image(layout, args.name)
    layout.names = {args.name: image.descriptor}
    shutil.rmtree(args.out, ignore_errors=True)
    release, attest = Signer.release(), Signer.attest()
    if release.public() == attest.public():
        raise Wrong("the release key and the attestation key are the same; cosign 3 would take any attestation for a signature")
    write(os.path.join(args.out, "release.pub"), release.public())
    write(os.path.join(args.out, "attest.pub"), attest.public())

    dir_ = os.path.join(args.out, "dir")
    write_dir(image, dir_)
    referrers = {}  # digest -> manifests of bundles
    for what, descriptor in image.parts():
        legacy(layout, dir_, release, args.identity, what, descriptor)
        signed = release.statement(('{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"},"annotations":{}}],'
                                    '"predicateType":"%s","predicate":{}}'
                                    % (descriptor["digest"].removeprefix("sha256:"), SIGN_V1)).encode())
        referrers[descriptor["digest"]] = [bundle_manifest(layout, descriptor, signed, SIGN_V1)]
    subjects = dict(image.parts())
    for spec in args.attest:
        kind, subject, name, path = spec.split(":", 3)
        if subject not in subjects:
            raise Wrong(f"--attest {spec}: the image has no {subject}")
        if not os.path.isfile(path):
            raise Wrong(f"there is no {path} to attest")
        descriptor = subjects[subject]
        signed = attest.statement(statement(args.identity, descriptor["digest"], TYPES[kind], read(path)))
        write(os.path.join(args.out, "attestations", name + ".sigstore.json"), signed)
        referrers[descriptor["digest"]].append(bundle_manifest(layout, descriptor, signed, TYPES[kind]))
    for digest, manifests in referrers.items():
        layout.names[tag(digest)] = layout.add(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}), INDEX)
    layout.save(os.path.join(args.out, "layout"))
    print(f"signed {args.identity} {image.digest}")
    print(f"  release key     SHA256:{release.fingerprint()}")
    print(f"  attestation key SHA256:{attest.fingerprint()}")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"sign: {wrong}")
