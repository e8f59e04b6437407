#!/usr/bin/env python3
"""Tools of upstreams that cannot be offered under their names: left out of the list, unknown when called, said once, counted; the rest is served."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Postern, call, done, is_, ok, run
from tls import Upstream

LONG = "t" * 128


class Names(Upstream):
    """Offers whatever names it has, and answers calls of all of them; a page for each half."""

    prompts = ("Frag mich \u00fc", "hid\u200bden", "p" * 128)

    def _mcp(self, message):
        method, more = message["method"], {"_meta": self.META, "resultType": "complete", "ttlMs": 60000, "cacheScope": "private"}
        half = len(self.tools) // 2
        if method == "server/discover":
            more.update(supportedVersions=["2026-07-28"], capabilities={"tools": {"listChanged": True}, "prompts": {}, "resources": {}})
        elif method == "tools/list":
            page = self.tools[half:] if message["params"].get("cursor") else self.tools[:half]
            more["tools"] = [{"name": t, "inputSchema": {"type": "object"}} for t in page]
            if not message["params"].get("cursor"):
                more["nextCursor"] = "2"
        elif method == "prompts/list":
            more["prompts"] = [{"name": n} for n in self.prompts] + [{"name": "two", "Name": "beside__echo"}]
        elif method.startswith("resources/"):
            more["resources" if method == "resources/list" else "resourceTemplates"] = [
                {"name": "n", "uri": "x://a", "uriTemplate": "x://{a}"}, {"name": "n", "uri": "x://b", "URI": "x://c", "uriTemplate": "x://{b}", "uritemplate": "x://{c}"}]
        elif method == "prompts/get":
            more["messages"] = []
        else:
            return super()._mcp(message)
        return {"jsonrpc": "2.0", "id": message["id"], "result": more}


def listed(p, method="tools/list", member="tools"):
    names, cursor = [], None
    while True:
        result = call(p, method, {"cursor": cursor} if cursor else {}).message()["result"]
        names += [t["name"] for t in result[member]]
        cursor = result.get("nextCursor")
        if not cursor:
            return names


def callable_(p, name):
    return "result" in call(p, "tools/call", {"name": name}).message()


def asked(u):
    return [m["params"]["name"] for _, _, m in u.seen if m["method"] == "tools/call"]


GOOD = ["good", "also.good-one/x", "t" * 59]
BAD = ["t" * 60, "b\u0430d", "zero\u200bwidth", "new\nline", "esc\x1b[2J", "with space", "\u202egood", "Twin", "tWin"]
u, other = Names(tools=GOOD[:2] + BAD[:5] + ["Twin"] + GOOD[2:] + BAD[5:7] + ["tWin"]), Upstream(tools=["Good", "twin"])
config = {"workers": 1, "mcpServers": {"far": {"url": "http://127.0.0.1:%d/mcp" % u.port}, "beside": {"url": "http://127.0.0.1:%d/mcp" % other.port}}}
with Postern(config) as p:
    is_(listed(p), ["far__" + n for n in GOOD] + ["beside__Good", "beside__twin"], "what can be offered is, of all servers; another server's tools are no twins of these")
    for name in GOOD:
        ok(callable_(p, "far__" + name), "%s is called" % name[:20])
    sent = len(asked(u))
    unknown = call(p, "tools/call", {"name": "far__" + "u" * 64})
    for name in BAD:
        a = call(p, "tools/call", {"name": "far__" + name})
        ok(a.status == 200 and a.message()["error"]["code"] == -32602 and a.message()["error"]["message"].replace(name, "") == unknown.message()["error"]["message"].replace("u" * 64, ""),
           "%r is unknown when it is called" % name[:20], a)
    is_(len(asked(u)), sent, "and its upstream never hears of it")
    is_(listed(p, "prompts/list", "prompts"), ["far__Frag mich \u00fc"], "prompts: any text that can be seen and is not too long")
    for method, member in (("resources/list", "resources"), ("resources/templates/list", "resourceTemplates")):
        is_([r["uri"] for r in call(p, method).message()["result"][member]], ["x://a"], "%s: nothing with a second name for who ignores case" % member)
    a = call(p, "prompts/get", {"name": "far__hid\u200bden"})
    ok("error" in a.message() and "result" in call(p, "prompts/get", {"name": "far__Frag mich \u00fc"}).message(), "and no others are had", a)
    for _ in range(3):
        listed(p)
    lines = [l for l in p.stderr().splitlines() if "names are left out" in l]
    ok(len(lines) == 1 and "far" in lines[0] and "8 cannot be offered" in lines[0] and "too long" in lines[0], "the log has one line of it", lines)
    is_(p.metric("postern_names_left_out_total"), 8, "and the metric says how many (the first of two twins is found to be one by the second)")

with Postern({**config, "name_max": 128}) as p:
    ok("far__" + "t" * 60 in listed(p) and callable_(p, "far__" + "t" * 60), "\"name_max\": 128 lets longer ones through")
with Postern({**config, "names": "plain", "mcpServers": {"far": config["mcpServers"]["far"]}}) as p:
    is_(listed(p), GOOD[:2] + BAD[:1] + GOOD[2:], "plain names: no prefix, and the protocol's own limit")
    ok(not callable_(p, BAD[1]) and not callable_(p, "Twin") and callable_(p, BAD[0]), "the rest is the same")
with Postern({**config, "policy": [{"deny": "far__no"}, {"allow": "far__*"}]}) as p:
    is_(listed(p), ["far__" + n for n in GOOD], "and with a policy that tells names apart")

# A server that repairs its names is noticed.
u.tools = GOOD + ["Twin"]
with Postern({**config, "mcpServers": {"far": config["mcpServers"]["far"]}}) as p:
    ok(callable_(p, "far__Twin") and "far__Twin" in listed(p) and "left out" not in p.stderr(), "a name without a twin is fine")

a = run("check", config={"listeners": [{"address": "127.0.0.1:0"}], "identity": {"anonymous": {"tenant": "t", "roles": ["r"]}}, "policy": [],
                         "mcpServers": {n: {"url": "http://127.0.0.1:1/mcp"} for n in ("Docs", "docs", "my-docs", "my_docs", "d\u043ecs")}})
ok(a.returncode == 1 and "/mcpServers/docs: this name could be taken for that of the server \"Docs\" above: they differ only by case" in a.stderr and
   "/mcpServers/my_docs: this name could be taken for that of the server \"my-docs\" above" in a.stderr and "a server cannot have this name; it may hold only letters" in a.stderr,
   "servers with such names are refused before anything starts, with the place", a)
for x in (u, other):
    x.close()
done()
