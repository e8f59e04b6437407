#!/usr/bin/env python3
"""make sign, make kit, make verify: with keys of this test, cut off from every network. What comes out is accepted by cosign 2 and 3, and by
verify.sh under three shells with openssl alone."""
import os
import re
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kits import *  # noqa: E402, F403
from postern import done, is_, ok, skip  # noqa: E402

release, attest = key("release"), key("attest")
own = [f"SIGNED={TMP}/sign", f"KITS={TMP}/kits"]
kit = f"{TMP}/kits/postern-{VERSION}"
NO_COSIGN = {"COSIGN": "no-cosign-here"}

# The keys: from a file, from the environment, and not just any two.
r = run("make", "kit", f"KEY={release}", f"ATTEST_KEY={attest}", *own, timeout=900)
if not ok(r.returncode == 0 and os.path.isfile(f"{kit}.tar"), "make kit" + (", with no network" if CUT_OFF else ""), r.stdout):
    done()
print("# " + r.stdout.strip().splitlines()[-1])
r = run("make", "sign", "KEY=env://RELEASE", "ATTEST_KEY=env://ATTEST", f"SIGNED={TMP}/from-env",
        env={"RELEASE": read(release).decode(), "ATTEST": read(attest).decode()}, timeout=900)
ok(r.returncode == 0 and read(f"{TMP}/from-env/release.pub") == read(f"{TMP}/release.pub"), "make sign with keys from the environment", r.stdout)
refused = [
    ("one key for both", [f"KEY={release}", f"ATTEST_KEY={release}"], {}, "are the same"),
    ("no key", [f"ATTEST_KEY={attest}"], {}, "no release key"),
    ("no attestation key", [f"KEY={release}"], {}, "no attest key"),
    ("a wrong password", [f"KEY={release}", f"ATTEST_KEY={attest}"], {"COSIGN_PASSWORD": "another"}, "with the release key"),
]
for name, keys, env, word in refused:
    r = run("make", "sign", *keys, f"SIGNED={TMP}/refused", env=env, timeout=900)
    ok(r.returncode != 0 and word in r.stdout and not os.path.exists(f"{TMP}/refused/layout"), f"make sign refuses {name}", r.stdout)
other = key("other")
r = run(sys.executable, "sign/kit.py", "--signed", f"{TMP}/sign", "--version", VERSION, "--identity", IDENTITY, "--source",
        f"{BUILT}/image/source.json", "--out", f"{TMP}/x", env={"KEY": other, "ATTEST_KEY": attest})
ok(r.returncode != 0 and "another release key" in r.stdout, "a kit is not sealed with another key than its image", r.stdout)

# Not one connection is tried, not even one that would fail.
r = run("strace", "-f", "-qq", "-o", f"{TMP}/trace", "-e", "trace=connect,sendto,sendmsg", sys.executable, "sign/sign.py", "--image", f"{BUILT}/image/oci",
        "--name", VERSION, "--identity", IDENTITY, "--out", f"{TMP}/traced", env={"KEY": release, "ATTEST_KEY": attest})
calls = re.findall(r".*AF_INET.*", read(f"{TMP}/trace").decode(errors="replace"))
ok(r.returncode == 0 and not calls, "signing tries no connection", r.stdout + "\n".join(calls[:10]))

# The kit.
files = {os.path.relpath(os.path.join(d, f), kit) for d, _, fs in os.walk(kit) for f in fs}
for wanted in ("RELEASE", "SHA256SUMS", "SHA256SUMS.sigstore.json", "verify.sh", "README.txt", "keys/release.pub", "keys/attest.pub", "keys/FINGERPRINTS",
               "image/oci/index.json", "image/dir/signature-1", f"image/postern-{VERSION}-amd64.docker.tar", f"image/postern-{VERSION}-arm64.docker.tar",
               "enforce/policy.json", "enforce/registries.d/postern.yaml", "profile/postern.json", "profile/listing.txt", "docs/TRUST.md",
               *(p[2] for p in PAPERS.values()), *(f"attestations/{n}.sigstore.json" for n in PAPERS)):
    if wanted not in files:
        ok(False, f"the kit has {wanted}")
ok(len(files) > 60, f"the kit has what it should: {len(files)} files")
# The binary knows the words, since it reads such files; a key has base64 behind them.
PRIVATE = re.compile(rb"PRIVATE KEY-----\s*(?:[A-Za-z-]+:[^\n]*\s+)*[A-Za-z0-9+/]{16}")
ok(PRIVATE.search(read(release)) and not any(PRIVATE.search(read(os.path.join(kit, f))) for f in files), "and no private key")
with tarfile.open(f"{kit}.tar") as tar:
    epoch = tar.next().mtime
os.umask(0o077)
kit_maker.archive(kit, f"{TMP}/again.tar", epoch)
os.umask(0o022)
ok(read(f"{TMP}/again.tar") == read(f"{kit}.tar"), "the archive's bytes depend on its content only")

# verify.sh: three shells, with and without cosign, directory and archive.
for name, shell in (("dash", ["dash"]), ("busybox sh", ["busybox", "sh"]), ("bash", ["bash", "--posix"])):
    for form in (kit, kit + ".tar"):
        status, said = verify(form, "--key", f"{TMP}/release.pub", shell=shell)
        ok(status == 0 and "\nPASS: " in said and "FAIL" not in said, f"verify.sh under {name}: PASS for {os.path.basename(form)}", said)
# Busybox's own tools in place of all others: openssl is the only stranger.
os.makedirs(f"{TMP}/bin", exist_ok=True)
for tool in run("busybox", "--list").stdout.split():
    if not os.path.lexists(f"{TMP}/bin/{tool}"):
        os.symlink("/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox", f"{TMP}/bin/{tool}")
if os.path.lexists(f"{TMP}/bin/openssl"):
    os.unlink(f"{TMP}/bin/openssl")
os.symlink("/usr/bin/openssl", f"{TMP}/bin/openssl")
status, said = verify(kit + ".tar", "--key", f"{TMP}/release.pub", shell=[f"{TMP}/bin/sh"], env={"PATH": f"{TMP}/bin"})
ok(status == 0 and "\nPASS: " in said, "verify.sh with busybox and openssl, and no other program", said)
for n in (2, 3):
    status, said = verify(kit, "--key", f"{TMP}/release.pub", env={"COSIGN": COSIGN[n]})
    ok(status == 0 and said.count("cosign agrees") == 4, f"verify.sh asks cosign {n}, which agrees", said)
print_ = signer(release).fingerprint()
status, said = verify(kit, "--fingerprint", f"SHA256:{print_.upper()}")
ok(status == 0, "verify.sh with a fingerprint instead of a key", said)
status, said = verify(kit)
ok(status == 2 and "keys that come in the kit prove nothing" in said, "verify.sh wants a key from elsewhere", said)
status, said = verify(f"{TMP}/nowhere", "--key", f"{TMP}/release.pub")
ok(status == 2, "nothing there: status 2, not 1", said)
r = run("make", "verify", f"KIT={kit}.tar", f"PUB={TMP}/release.pub", f"STATE={TMP}/accepted", env=NO_COSIGN)
ok(r.returncode == 0 and "PASS" in r.stdout and "release 1" in read(f"{TMP}/accepted").decode(), "make verify, and what it accepted is on record", r.stdout)

# At a site: the layout goes into a registry, and both cosigns look for what they know.
registry = Registry()
registry.push(f"{kit}/image/oci", "site/postern")
image = Image(Layout.load(f"{kit}/image/oci"), VERSION)
flags = ["--insecure-ignore-tlog=true", "--allow-insecure-registry"]
for what, descriptor in image.parts():
    at = f"{registry.host}/site/postern@{descriptor['digest']}"
    for n in (2, 3):
        r = run(COSIGN[n], "verify", "--key", f"{TMP}/release.pub", *flags, *(["--offline"] if n == 2 else ["--trusted-root", f"{TMP}/root.json"]), at)
        ok(r.returncode == 0 and descriptor["digest"] in r.stdout, f"cosign {n} verifies the {what}", r.stdout)
    # cosign 2 reads the signature only; cosign 3 would take the other key's attestations for signatures, so it is asked strictly.
    r = run(COSIGN[2], "verify", "--key", f"{TMP}/attest.pub", *flags, "--offline", at)
    ok(r.returncode != 0, f"cosign 2 does not take the attestation key for the {what}", r.stdout)
    strict = ["--type", "https://sigstore.dev/cosign/sign/v1", *flags, "--trusted-root", f"{TMP}/root.json"]
    r = run(COSIGN[3], "verify-attestation", "--key", f"{TMP}/release.pub", *strict, at)
    ok(r.returncode == 0, f"cosign 3 verifies the {what}, asked for a signature and nothing else", r.stdout)
    r = run(COSIGN[3], "verify-attestation", "--key", f"{TMP}/attest.pub", *strict, at)
    ok(r.returncode != 0, f"cosign 3 so asked does not take the attestation key for the {what}", r.stdout)
    for name, (kind, subject, in_kit, _) in PAPERS.items():
        for n in (2, 3):
            new = ["--new-bundle-format"] if n == 2 else []
            r = run(COSIGN[n], "verify-attestation", "--key", f"{TMP}/attest.pub", "--type", kind, *flags, *new, "--trusted-root", f"{TMP}/root.json", at)
            if subject == what:
                payloads = re.findall(r'"payload":"([^"]*)"', r.stdout)
                same = any(base64.b64decode(p).endswith(read(f"{kit}/{in_kit}") + b"}") for p in payloads)
                ok(r.returncode == 0 and same, f"cosign {n} verifies {name} of the {what}: the bytes of the file", r.stdout[:2000])
            elif not any(k == kind and s == what for k, s, _, _ in PAPERS.values()):
                ok(r.returncode != 0, f"cosign {n} finds no {kind} on the {what}", r.stdout[:2000])
for n in (2, 3):
    new = ["--new-bundle-format"] if n == 2 else []
    r = run(COSIGN[n], "verify-blob", "--key", f"{TMP}/release.pub", "--bundle", f"{kit}.tar.sigstore.json", "--insecure-ignore-tlog=true", *new,
            "--trusted-root", f"{TMP}/root.json", f"{kit}.tar")
    ok(r.returncode == 0, f"cosign {n} verifies the archive", r.stdout)

# What the provenance says of itself, and the docker archive when there is something to load it.
slsa = json.loads(read(f"{kit}/provenance/postern.slsa.json"))
names = {d.get("name") for d in slsa["buildDefinition"]["resolvedDependencies"]}
locked = {line.split()[4].split("/")[-1] for line in open("sbom/sources.lock") if not line.startswith("#") and line.strip()}
ok(locked <= names, "provenance: every locked source is a material", str(locked - names))
is_(slsa["buildDefinition"]["internalParameters"]["slsaBuildLevel"], 1, "provenance: claims Build L1")
said = slsa["buildDefinition"]["externalParameters"]
write(f"{TMP}/source.json", json.dumps({name: said[name] for name in ("version", "revision", "epoch")}))
r = run(sys.executable, "sign/provenance.py", "--source", f"{TMP}/source.json", "--lock", "sbom/sources.lock", "--identity", IDENTITY, "--out",
        f"{TMP}/p.json", cwd=ROOT)
ok(r.returncode == 0 and read(f"{TMP}/p.json") == read(f"{kit}/provenance/postern.slsa.json"), "provenance: the same bytes again", r.stdout)
r = run(sys.executable, "sign/provenance.py", "--source", f"{TMP}/source.json", "--lock", "sbom/sources.lock", "--identity", IDENTITY, "--out",
        f"{TMP}/p.json", env={"BUILDER_ID": "https://builder.example.com/one"})
ok(b"slsaBuildLevel" not in read(f"{TMP}/p.json"), "provenance: of another builder no level is claimed", r.stdout)
r = skopeo("inspect", "--config", f"docker-archive:{kit}/image/postern-{VERSION}-amd64.docker.tar")
config = image.layout.json(image.arch["amd64"]["digest"])["config"]["digest"]
ok(r.returncode == 0 and json.loads(r.stdout)["config"]["User"] == "65532:65532", "the docker archive is read by others", r.stdout)
done()
