#!/usr/bin/env python3
"""The kit's policy.json and registries.d, as skopeo (and podman, where its library can) obeys them: the signed image is accepted, each tampered one
is refused. What a policy cannot see is shown too, with what sees it instead."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kits import *  # noqa: E402, F403
from postern import done, ok, skip  # noqa: E402

release, attest, other = key("release"), key("attest"), key("other")
signed = make_signed(f"{TMP}/signed", release, attest)
kit = make_kit(signed, f"{TMP}/kit/postern-{VERSION}", release, attest)
OLD = "0.0.9"
old_signed = make_signed(f"{TMP}/old-signed", release, attest, other_image(f"{TMP}/old-image", OLD, "old"), OLD)
image = Image(Layout.load(f"{kit}/image/oci"), VERSION)
HEX = {what: d["digest"].removeprefix("sha256:") for what, d in image.parts()}
registry = Registry()
MINE = registry.host + "/site"  # a registry of the site's own: the name in the signature is another, and stays

# The kit's files, with the key and the registry of this site: the two words that the documentation says to change.
for name in ("policy.json", "policy-one-release.json"):
    text = read(f"{kit}/enforce/{name}").decode()
    assert "@" not in text
    text = text.replace("/etc/containers/keys/postern-release.pub", f"{kit}/keys/release.pub")
    policy = json.loads(text)
    policy["transports"]["docker"] = {MINE: policy["transports"]["docker"][NAME]}
    write(f"{TMP}/{name}", json.dumps(policy))
write(f"{TMP}/registries.d/postern.yaml", read(f"{kit}/enforce/registries.d/postern.yaml").decode().replace(NAME, MINE))


def pull(source, policy="policy.json", every=True):
    """(accepted?, what was said, digest that arrived)."""
    to = f"{TMP}/pulled"
    shutil.rmtree(to, ignore_errors=True)
    r = skopeo("copy", "--quiet", *(["--all", "--preserve-digests"] if every else []), "--remove-signatures",
               *(["--src-tls-verify=false"] if source.startswith("docker:") else []), source, f"oci:{to}:x",
               policy=f"{TMP}/{policy}", registries=f"{TMP}/registries.d")
    arrived = Layout.load(to).names["x"]["digest"] if r.returncode == 0 else None
    return r.returncode == 0, r.stdout, arrived


def accepted(name, source, **how):
    yes, said, arrived = pull(source, **how)
    return ok(yes, f"accepted: {name}", said) and arrived


def refused(name, word, source, **how):
    yes, said, _ = pull(source, **how)
    ok(not yes and word in said, f"refused: {name}", said or "it was accepted")


def put(repository, names):
    """A repository with these names of a layout, and nothing else."""
    layout = Layout.load(f"{kit}/image/oci")
    layout.names = {n: d for n, d in layout.names.items() if names(n)}
    out = f"{TMP}/put-{repository}"
    layout.save(out)
    registry.push(out, f"site/{repository}")
    return f"docker://{MINE}/{repository}:{VERSION}"


def resigned(repository, pen, identity, parts=("index", "amd64", "arm64")):
    """A repository whose signatures of PARTS were made by PEN for IDENTITY."""
    layout = Layout.load(f"{kit}/image/oci")
    for what, descriptor in image.parts():
        if what not in parts:
            continue
        sign_maker.legacy(layout, f"{TMP}/sig-{repository}", signer(pen), identity, what, descriptor)
    out = f"{TMP}/put-{repository}"
    layout.save(out)
    registry.push(out, f"site/{repository}", lambda n: n == VERSION or n.endswith(".sig"))
    # The same in dir: form.
    shutil.copytree(f"{kit}/image/dir", f"{TMP}/dir-{repository}")
    for name in os.listdir(f"{TMP}/sig-{repository}"):
        shutil.copy(f"{TMP}/sig-{repository}/{name}", f"{TMP}/dir-{repository}/{name}")
    return f"docker://{MINE}/{repository}:{VERSION}", f"dir:{TMP}/dir-{repository}"


def broken_dir(name, change):
    path = f"{TMP}/dir-{name}"
    shutil.copytree(f"{kit}/image/dir", path)
    change(path)
    return "dir:" + path


registry.push(f"{kit}/image/oci", "site/good")
GOOD, DIR = f"docker://{MINE}/good:{VERSION}", f"dir:{kit}/image/dir"
for source, where in ((GOOD, "from the site's registry"), (DIR, "from the kit, with no registry")):
    ok(accepted(f"the signed image, {where}", source) == image.digest, "and what arrives is the released index")
    accepted(f"one architecture of it, {where}", source, every=False)
    accepted(f"by the policy for this release alone, {where}", source, policy="policy-one-release.json")

# While keys rotate, a policy names both.
both = json.loads(read(f"{TMP}/policy.json"))
rule = both["transports"]["dir"][""][0]
rule["keyPaths"] = [f"{TMP}/other.pub", rule.pop("keyPath")]
write(f"{TMP}/policy-both.json", json.dumps(both))
accepted("by a policy that names two keys", DIR, policy="policy-both.json")
rule["keyPaths"] = [f"{TMP}/other.pub", f"{TMP}/attest.pub"]
write(f"{TMP}/policy-neither.json", json.dumps(both))
refused("by a policy with two keys, neither of which has signed", "Source image rejected", DIR, policy="policy-neither.json")

bare = put("bare", lambda n: n == VERSION)
refused("unsigned", "A signature was required, but no signature exists", bare)
refused("unsigned, dir:", "A signature was required, but no signature exists",
        broken_dir("unsigned", lambda p: [os.remove(f"{p}/{n}") for n in os.listdir(p) if "signature" in n]))
refused("bundles of cosign 3 alone, which this library does not read", "no signature exists", put("bundles", lambda n: not n.endswith(".sig")))
for name, pen, identity, word in (
        ("other-key", other, IDENTITY, "cryptographic signature verification failed"),
        ("attest-key", attest, IDENTITY, "cryptographic signature verification failed"),
        ("other-name", release, f"registry.example.com/other:{VERSION}", "is not accepted")):
    docker, dir_ = resigned(name, pen, identity)
    refused(f"{name.replace('-', ' ')}", word, docker)
    refused(f"{name.replace('-', ' ')}, dir:", word, dir_)
swapped = Layout.load(f"{kit}/image/oci")
swapped.names = {VERSION: image.descriptor, f"sha256-{HEX['amd64']}.sig": swapped.names[f"sha256-{HEX['arm64']}.sig"]}
swapped.save(f"{TMP}/put-swapped")
registry.push(f"{TMP}/put-swapped", "site/swapped")
refused("the signature of the other architecture", "Source image rejected", f"docker://{MINE}/swapped:{VERSION}")

# A tag that was moved.
other_image(f"{TMP}/strange", VERSION, "strange")
registry.push(f"{kit}/image/oci", "site/moved")
registry.push(f"{TMP}/strange", "site/moved")
refused("the tag moved to an image that nobody signed", "no signature exists", f"docker://{MINE}/moved:{VERSION}")
old = Layout.load(f"{TMP}/old-signed/layout")
old.names = {VERSION if n == OLD else n: d for n, d in old.names.items()}
old.save(f"{TMP}/put-old")
registry.push(f"{TMP}/put-old", "site/moved")
MOVED = f"docker://{MINE}/moved:{VERSION}"
arrived = accepted("the tag moved to an older signed release: policy.json trusts every release", MOVED)
ok(arrived and arrived != image.digest, "which is seen by comparing its digest with RELEASE")
refused("the same by the policy for one release", "is not accepted", MOVED, policy="policy-one-release.json")
refused("the old release replayed, dir:", "is not accepted", f"dir:{TMP}/old-signed/dir", policy="policy-one-release.json")
ok(accepted("the released image, asked for by digest where the tag was moved", f"docker://{MINE}/moved@{image.digest}",
            policy="policy.json") == image.digest, "a digest cannot be moved")

# Bytes that changed.
layer = image.layout.json(image.arch["amd64"]["digest"])["layers"][0]["digest"].removeprefix("sha256:")


def flip(path):
    data = read(path)
    write(path, data[:-1] + bytes([data[-1] ^ 1]))


refused("a layer changed, dir:", "Digest did not match", broken_dir("layer", lambda p: flip(f"{p}/{layer}")))
refused("a manifest changed, dir:", "does not match", broken_dir("manifest", lambda p: flip(f"{p}/{HEX['amd64']}.manifest.json")))
refused("a signature removed, dir:", "no signature exists", broken_dir("removed", lambda p: os.remove(f"{p}/{HEX['arm64']}.signature-1")))
refused("a signature removed", "no signature exists", put("removed", lambda n: not n.endswith(HEX["arm64"] + ".sig")))


def edited(path):
    write(f"{path}/manifest.json", read(f"{path}/manifest.json").replace(b'"os":"linux"', b'"os":"linus"', 1))


source = broken_dir("index", edited)
yes, said, arrived = pull(source)
ok(not yes or arrived != image.digest, "the index edited: a policy sees the architectures only, but the digest that arrives is not the released one", said)
status, said = verify(kit, "--key", f"{TMP}/release.pub")
ok(status == 0, "verify.sh accepts the kit", said)
shutil.copytree(kit, f"{TMP}/edited/postern-{VERSION}")
edited(f"{TMP}/edited/postern-{VERSION}/image/dir")
status, said = verify(f"{TMP}/edited/postern-{VERSION}", "--key", f"{TMP}/release.pub")
ok(status == 1 and "image/dir/manifest.json" in said, "and refuses it with that index", said)
refused("a transport that the policy does not name", "rejected by policy", f"oci:{kit}/image/oci:{VERSION}")

# On the registry's own disk: last, because all repositories share it.
blob = f"{registry.data}/data/docker/registry/v2/blobs/sha256/{layer[:2]}/{layer}/data"
flip(blob)
refused("a layer changed on the registry's disk", "Digest did not match", GOOD)

# podman has the same library; Debian 12 builds it without sigstore.
podman = ["podman", "--root", f"{TMP}/st", "--runroot", f"{TMP}/rr", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
if shutil.which("podman"):
    r = run(*podman, "pull", "--quiet", "--signature-policy", f"{TMP}/policy.json", DIR)
    reason = r.stdout.strip().splitlines()[-1] if r.stdout.strip() else ""
    if r.returncode and "sigstore disabled" in r.stdout.lower():
        ok(True, "podman of this system knows no sigstore, and refuses what it cannot check")
        skip("podman accepts the signed image", "Debian built this podman without sigstore: " + reason.split(": ")[-1].strip('"'))
    else:
        ok(r.returncode == 0, "podman accepts the signed image", r.stdout)
    for name in ("unsigned", "other-key", "other-name"):
        r = run(*podman, "pull", "--quiet", "--signature-policy", f"{TMP}/policy.json", f"dir:{TMP}/dir-{name}")
        ok(r.returncode != 0 and ("rejected" in r.stdout or "igstore" in r.stdout), f"podman refuses: {name}", r.stdout)
else:
    skip("podman accepts the signed image", "no podman on this host")
done()
