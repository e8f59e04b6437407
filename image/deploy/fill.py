#!/usr/bin/env python3
"""fill.py OUT IMAGE SECCOMP-GEN LIST...: the deployment files, complete, in OUT.

The files of this folder hold marks for what is known elsewhere: @IMAGE@ (name and digest), @SYSTEM_CALLS@ (from the lists), and the
configuration for Kubernetes, which is postern.json of this folder; for the Service with another listener, where nobody can be anonymous, and an
API key that nobody has: the site puts the hash of its own in the place of NOBODY. A mark that nothing fills ends the build."""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "profile"))
sys.dont_write_bytecode = True
from seccomp import rules  # noqa: E402

PLAIN = ("postern.json",)
FILLED = ("podman/postern.container", "compose/compose.yaml", "kubernetes/sidecar.yaml", "kubernetes/postern.yaml", "systemd/postern.service")
SERVICE = "postern.postern.svc"
NOBODY = "0" * 64


def indented(config):
    return "\n".join("    " + line for line in json.dumps(config, indent=2).split("\n"))


def main():
    out, image, generator, *lists = sys.argv[1:]
    found = rules(generator, sorted(lists))
    with open(os.path.join(HERE, "postern.json"), encoding="utf-8") as f:
        config = json.load(f)
    # Reached through a Service: from other machines, and under its names.
    service = dict(config, listeners=[{"address": "0.0.0.0:8080", "path": "/mcp", "insecure": True,
                                       "hosts": ["postern:8080", SERVICE + ":8080", SERVICE + ".cluster.local:8080"]}],
                   identity={"keys": [{"id": "agents", "sha256": NOBODY, "tenant": "local", "roles": ["reader"]}]})
    marks = {
        "@IMAGE@": image,
        "@SYSTEM_CALLS@": " ".join(sorted({r.call for r in found if r.kind in ("own", "start") or r.call == "execve"})),
        "@CONFIG_SIDECAR@": indented(config),
        "@CONFIG_SERVICE@": indented(service),
    }
    for name in PLAIN + FILLED:
        with open(os.path.join(HERE, name), encoding="utf-8") as f:
            text = f.read()
        if name in FILLED:
            for mark, value in marks.items():
                text = text.replace(mark, value)
            left = re.search(r"@[A-Z_]+@", text)
            if left:
                sys.exit("fill.py: %s: nothing fills %s" % (name, left[0]))
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
