#!/usr/bin/env python3
"""provenance.py --source SOURCE.json --lock LOCK --identity NAME --out FILE: what the image was made from, as a SLSA v1 predicate.

It claims Build L1 and no more: provenance exists, says what went in and how. It comes from the machine that ran make, whose operator could
write anything into it; L2 wants a hosted builder that signs what the operator cannot change. BUILDER_ID names another builder, if there is one.
What makes up for it can be done by anyone: build the same revision again and compare the digest (`make reproduce-image`).

Deterministic for the same inputs: it says nothing of when, where and by whom."""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oci import Wrong, read, sha256, write

BUILD_TYPE = "urn:postern:build:make-image:v1"
BUILDER = "urn:postern:builder:by-hand"
# Debian packages whose programs write the bytes of the product and of the image.
TOOLS = ["gcc-12", "gcc-14", "gcc-12-aarch64-linux-gnu", "gcc-14-aarch64-linux-gnu", "binutils-x86-64-linux-gnu",
         "binutils-aarch64-linux-gnu", "linux-libc-dev", "linux-libc-dev-arm64-cross", "gperf", "tar", "gzip", "jq"]


def sources(lock):
    for line in read(lock).decode().splitlines():
        line = line.partition("#")[0].split()
        if not line:
            continue
        name, version, suite, digest, path = line
        yield {
            "name": os.path.basename(path),
            "uri": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={'all' if path.endswith('.deb') else 'source'}&distro={suite}",
            "digest": {"sha256": digest},
        }


def tools():
    show = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture} ${db:Status-Status}\n", *TOOLS],
                          capture_output=True, text=True).stdout
    for line in sorted(show.splitlines()):
        name, version, arch, status = line.split()
        if status == "installed":
            yield {"name": name, "uri": f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}"}


def compilers():
    """The compilers and linkers themselves by hash: dpkg keeps no hash of the packages they came in."""
    for prefix in ("", "aarch64-linux-gnu-"):
        for what in ("cc1", "lto1", "as", "ld"):
            run = subprocess.run([prefix + "gcc", f"-print-prog-name={what}"], capture_output=True, text=True)
            path = run.stdout.strip()
            if run.returncode == 0 and "/" not in path:
                path = subprocess.run(["sh", "-c", f"command -v {path}"], capture_output=True, text=True).stdout.strip()
            if run.returncode == 0 and os.path.isfile(path):
                yield {"name": f"{prefix}{what}", "digest": {"sha256": sha256(read(path))}}


def main():
    parser = argparse.ArgumentParser()
    for name in ("source", "lock", "identity", "out"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    source = json.loads(read(args.source))
    revision, _, modified = source["revision"].partition("-")
    git = {"name": "postern", "uri": f"pkg:generic/postern@{source['version']}"}
    if len(revision) == 40:
        git["digest"] = {"gitCommit": revision}
    if modified:
        git["annotations"] = {"state": "the work tree had changes that are not in this commit"}
    # What a separate builder is worth is for those to say who verify it.
    builder = os.environ.get("BUILDER_ID") or BUILDER
    level = {"network": "none needed once the sources are there"}
    if builder == BUILDER:
        level["slsaBuildLevel"] = 1
        level["why"] = "built and signed by hand on one machine, not by a hosted builder; the build is reproducible, so compare digests"
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "target": "image", "version": source["version"], "revision": source["revision"], "epoch": source["epoch"],
                "architectures": ["amd64", "arm64"], "identity": args.identity,
            },
            "internalParameters": level,
            "resolvedDependencies": [git, *sources(args.lock), *tools(), *compilers()],
        },
        "runDetails": {"builder": {"id": builder}},
    }
    write(args.out, json.dumps(predicate, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (Wrong, OSError, ValueError) as wrong:
        sys.exit(f"provenance: {wrong}")
