#!/usr/bin/env python3
"""One resource has many URIs. A rule holds for all of them: what is refused under one spelling is not to be had under another."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Postern, call, done, is_, ok

with tempfile.TemporaryDirectory(prefix="postern-uris-") as tmp:
    os.chmod(tmp, 0o755)
    os.makedirs(os.path.join(tmp, "secret"))
    for name, text in (("secret/a.txt", "SECRET"), ("pub.txt", "public"), ("plan (1).txt", "PLAN"), ("note (1).txt", "note")):
        with open(os.path.join(tmp, name), "w") as f:
            f.write(text)
    config = {"workers": 1, "listeners": [{"address": "127.0.0.1:0"}], "mcpServers": {"docs": {"builtin": "files", "root": tmp}},
              "identity": {"anonymous": {"tenant": "local", "roles": ["reader"]}},
              "policy": [{"deny": "docs__files://docs/secret/*"}, {"deny": "docs__files://docs/plan%20%281%29*"}, {"allow": "docs__files://docs/*"}]}
    with Postern(config) as p:
        def read(uri):
            return call(p, "resources/read", {"uri": uri}).json()

        listed = [r["uri"] for r in call(p, "resources/list").json()["result"]["resources"]]
        is_(sorted(listed), ["files://docs/note%20%281%29.txt", "files://docs/pub.txt"], "the list has what may be read")
        for uri in ("files://docs/secret/a.txt", "files://docs/%73ecret/a.txt", "files://docs/secre%74/%61.txt", "files://docs/plan%20%281%29.txt",
                    "files://docs/plan%20(1).txt", "files://docs/pl%61n%20(1).txt"):
            answer = read(uri)
            ok("result" not in answer and answer["error"]["code"] == -32602, "not to be read: " + uri, answer)
        for uri, text in (("files://docs/pub.txt", "public"), ("files://docs/%70ub.txt", "public"), ("files://docs/note%20%281%29.txt", "note"),
                          ("files://docs/note%20(1).txt", "note")):
            answer = read(uri)
            is_(answer.get("result", {}).get("contents", [{}])[0].get("text"), text, "to be read: " + uri)
done()
