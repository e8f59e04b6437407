#!/usr/bin/env python3
"""A name that may not be used and a name that is not there are answered with the same bytes, from the status line to the last brace: of tools, prompts,
resources and what completes them; with the built-in server and one over HTTP that speaks in its own words; with prefixed and with plain names."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Postern, call, done, is_, ok, until
from tls import Upstream

WORDS = "LEAKME"            # in all that the upstream says of what it does not know


class Server(Upstream):
    """Tools, prompts, resources, completions: of what it does not know it speaks in its own words, with the code of now or of before."""

    TOOLS = ["open", "secret", "later"]
    URIS = ["x://open", "x://secret"]
    code = -32602

    def _mcp(self, message):
        method, params = message["method"], message["params"]
        named = params.get("name", params.get("uri", params.get("ref", {}).get("name", params.get("ref", {}).get("uri"))))
        lists = {"prompts/list": {"prompts": [{"name": n} for n in self.tools]}, "resources/list": {"resources": [{"uri": u, "name": u} for u in self.URIS]}}
        known = {"tools/call": ({"content": []}, self.tools), "prompts/get": ({"messages": []}, self.tools), "resources/read": ({"contents": []}, self.URIS),
                 "completion/complete": ({"completion": {"values": []}}, self.tools + [u + "/{a}" for u in self.URIS])}
        more = {"_meta": self.META, "resultType": "complete", "ttlMs": 60000, "cacheScope": "private"}
        if method == "server/discover":
            more.update(supportedVersions=["2026-07-28"], capabilities={"tools": {}, "prompts": {}, "resources": {}, "completions": {}})
        elif method in lists:
            more.update(lists[method])
        elif method in known:
            if named not in known[method][1]:
                return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": self.code, "message": WORDS + " knows no " + named}}
            more.update(known[method][0])
        else:
            return super()._mcp(message)
        return {"jsonrpc": "2.0", "id": message["id"], "result": more}


def params_of(method, name):
    if method == "tools/call":
        return {"name": name, "arguments": {}}
    if method == "resources/read":
        return {"uri": name}
    if method == "prompts/get":
        return {"name": name}
    ref = {"type": "ref/resource", "uri": name} if "://" in name else {"type": "ref/prompt", "name": name}
    return {"ref": ref, "argument": {"name": "x", "value": ""}}


def answer(p, method, name):
    return call(p, method, params_of(method, name), id_="an id")


def same(p, method, refused, unknown, what):
    """The unknown one first and last: what the first has set going changes nothing."""
    assert len(refused) == len(unknown)
    first, mine, last = answer(p, method, unknown), answer(p, method, refused), answer(p, method, unknown)
    want = mine.raw.replace(refused.encode(), b"NAME")
    ok(mine.status == 200 and b"NAME" in want and mine.message()["error"]["code"] == -32602, "%s: %s is refused in words of ours" % (method, what), mine)
    for a in (first, last):
        is_(a.raw.replace(unknown.encode(), b"NAME"), want, "  and what is not there in the same bytes")


def all_alike(p, prefix, scheme, secret, open_, nothing):
    """`secret`, `open_`: (tool, prompt, uri) that are there; `nothing`: a name of the secrets' lengths that is not."""
    (tool, prompt, uri), none = secret, nothing
    same(p, "tools/call", prefix + tool, prefix + none[0], "a tool")
    same(p, "prompts/get", prefix + prompt, prefix + none[1], "a prompt")
    same(p, "completion/complete", prefix + prompt, prefix + none[1], "a completion of it")
    same(p, "resources/read", scheme + uri, scheme + none[2], "a resource")
    for method, name in zip(("tools/call", "prompts/get", "resources/read"), (prefix + open_[0], prefix + open_[1], scheme + open_[2])):
        a = answer(p, method, name)
        ok(a.status == 200 and "result" in a.message(), "%s: what is there and allowed is had" % method, a)


def asked(u, method):
    return [m["params"] for _, _, m in u.seen if m["method"] == method]


tmp = tempfile.TemporaryDirectory(prefix="postern-unknown-")
os.chmod(tmp.name, 0o755)
for d in ("tree", "prompts"):
    os.mkdir(os.path.join(tmp.name, d))
for name in ("open.txt", "secret.txt"):
    with open(os.path.join(tmp.name, "tree", name), "w") as f:
        f.write(name + "\n")
for name in ("open.md", "secret.md"):
    with open(os.path.join(tmp.name, "prompts", name), "w") as f:
        f.write("Say " + name + ".\n")
docs = {"builtin": "files", "root": os.path.join(tmp.name, "tree"), "prompts": os.path.join(tmp.name, "prompts")}
own = ("read_file", "secret", "secret.txt"), ("file_info", "open", "open.txt"), ("read_fila", "secreu", "secreu.txt")
far = ("secret", "secret", "secret"), ("open", "open", "open"), ("secreu", "secreu", "secreu")
DENY = [{"deny": "*secret*"}, {"deny": "*read_file"}]

for code in (-32602, -32002):
    u = Server()
    u.code = code
    config = {"workers": 1, "mcpServers": {"docs": docs, "far": {"url": "http://127.0.0.1:%d/mcp" % u.port}}, "policy": DENY + [{"allow": "docs__*"}, {"allow": "far__*"}]}
    with Postern(config) as p:
        all_alike(p, "docs__", "files://docs/", *own)
        all_alike(p, "far__", "x://", *far)
        same(p, "completion/complete", "x://secret/{a}", "x://secreu/{a}", "a completion of a template")
        same(p, "tools/call", "far__open_secret", "far__open_secreu", "a tool that is neither allowed nor there")
        is_(asked(u, "tools/call") + asked(u, "prompts/get"), [{**params_of(m, "open"), "_meta": asked(u, m)[0]["_meta"]} for m in ("tools/call", "prompts/get")],
            "the upstream has heard of those alone that may be used and are there")
        if code == -32602:
            u.tools.append("brandnew")
            # A worker looks anew at most every few seconds.
            ok(until(lambda: "result" in answer(p, "tools/call", "far__brandnew").message()), "a tool that is new is found when it is asked for")
    for server, prefix in (("docs", own), ("far", far)):
        with Postern({**config, "names": "plain", "mcpServers": {server: config["mcpServers"][server]}, "policy": DENY + [{"allow": "*"}]}) as p:
            all_alike(p, "", "files://docs/" if server == "docs" else "x://", *prefix)
    with Postern({**config, "mcpServers": {"far": config["mcpServers"]["far"]}, "policy": [{"allow": "far__*"}]}) as p:
        for method, name in (("tools/call", "far__nothing"), ("prompts/get", "far__nothing"), ("resources/read", "x://nothing")):
            a = answer(p, method, name)
            ok(a.message()["error"]["code"] == code and WORDS in a.message()["error"]["message"], "%s: who may have all hears the upstream itself" % method, a)
    u.close()
tmp.cleanup()
done()
