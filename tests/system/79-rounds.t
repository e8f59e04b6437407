#!/usr/bin/env python3
"""Calls of several rounds (an upstream of our revision asks, the client comes again with answers and requestState): what is given out is good for the caller
it was given to and for that request, and goes back to who gave it out as it was. Anything else is refused here, and no upstream hears of it."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Postern, call, done, is_, ok
from tls import Upstream

CAPS = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
KEYS = {"alice": "postern_" + "a" * 43, "bob": "postern_" + "b" * 43, "carol": "postern_" + "c" * 43}
ASKS = {"k": {"method": "elicitation/create", "params": {"mode": "form", "message": "m", "requestedSchema": {"type": "object"}}}}
STATE = "st\u00e4te \"1\" \\ \u0007 {\"round\": %d}"
PARAMS = {"tools/call": {"name": "ask", "arguments": {"a": 1}}, "prompts/get": {"name": "ask", "arguments": {"a": "1"}}, "resources/read": {"uri": "x://ask"}}


class Asks(Upstream):
    """Asks two rounds long, and is content with the state it gave out last. `only`: the URIs it knows."""

    only = ("x://ask",)
    state = staticmethod(lambda n: STATE % n)

    def _mcp(self, message):
        method, params, more = message["method"], message["params"], {"_meta": self.META, "resultType": "complete"}
        if method == "server/discover":
            more.update(supportedVersions=["2026-07-28"], capabilities={"tools": {}, "prompts": {}, "resources": {}}, ttlMs=60000, cacheScope="private")
        elif method in PARAMS:
            if method == "resources/read" and params["uri"] not in self.only:
                return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "none of mine"}}
            n = [None, self.state(1), self.state(2)].index(params.get("requestState"))
            if n < 2:
                more.update(resultType="input_required", inputRequests=ASKS, requestState=self.state(n + 1))
            else:
                more.update({"tools/call": {"content": [{"type": "text", "text": "enough"}]}, "prompts/get": {"messages": []},
                             "resources/read": {"contents": [], "ttlMs": 0, "cacheScope": "private"}}[method])
        else:
            return super()._mcp(message)
        return {"jsonrpc": "2.0", "id": message["id"], "result": more}


def ask(p, method, params, who="alice", state=None):
    more = {"requestState": state, "inputResponses": {"k": {"action": "accept", "content": {}}}} if state is not None else {}
    return call(p, method, {**params, **more}, meta=CAPS, headers=[("Authorization", "Bearer " + KEYS[who])]).message()


def key(name, tenant="t"):
    return {"id": name, "sha256": hashlib.sha256(KEYS[name].encode()).hexdigest(), "tenant": tenant, "roles": [name]}


def seen(u):
    return [(m["method"], m["params"].get("requestState")) for _, _, m in u.seen if m["method"] in PARAMS]


first, second = Asks(tools=["ask"]), Asks(tools=["ask"])
first.only = ()
url = {n: {"url": "http://127.0.0.1:%d/mcp" % u.port} for n, u in (("first", first), ("second", second))}
base = {"workers": 1, "identity": {"keys": [key("alice"), key("bob"), key("carol", "u")]}, "policy": [{"allow": "*"}]}
for plain in (False, True):
    what = "plain" if plain else "prefixed"
    with Postern({**base, "mcpServers": {"second": url["second"]} if plain else url, "names": "plain" if plain else "prefixed"}) as p:
        for method, bare in PARAMS.items():
            params = {**bare, "name": ("" if plain else "second__") + bare["name"]} if "name" in bare else bare
            before, elsewhere = len(seen(second)), len(seen(first))
            states, result = [], ask(p, method, params)["result"]
            while result["resultType"] == "input_required" and len(states) < 4:
                states.append(result["requestState"])
                result = ask(p, method, params, state=states[-1])["result"]
            ok(result["resultType"] == "complete" and len(states) == 2 and all(s != STATE % (n + 1) for n, s in enumerate(states)),
               "%s: %s: a call of three rounds, its state sealed" % (what, method), states)
            is_(seen(second)[before:], [(method, None), (method, STATE % 1), (method, STATE % 2)], "the upstream has its own back")
            is_(len(seen(first)) - elsewhere, 0 if plain or method != "resources/read" else 1, "and no other is asked for the answers")

            before, good = len(seen(second)), states[0]
            for who in ("bob", "carol"):
                is_(ask(p, method, params, who=who, state=good)["error"]["code"], -32602, "%s cannot come with it" % who)
            bad = {"changed": good[:9] + ("A" if good[9] != "A" else "B") + good[10:], "cut": good[:-1], "longer": good + "x", "the upstream's own": STATE % 1, "empty": "",
                   "no text": 7, "its head alone": good[:38], "of another round": good[:38] + STATE % 2}
            for words, state in bad.items():
                error = call(p, method, {**params, "requestState": state, "inputResponses": {}}, meta=CAPS, headers=[("Authorization", "Bearer " + KEYS["alice"])]).message()["error"]
                is_(error["code"], -32602, "%s: refused" % words)
            for more in ({"arguments": {"a": "2"}}, {"arguments": {}}) if "arguments" in params else ({"uri": "x://other"},):
                is_(ask(p, method, {**params, **more}, state=good)["error"]["code"], -32602, "nor is it good for %r" % (more,))
            is_(len(seen(second)), before, "nobody was asked about those")

        for state in (5, {}):
            second.state = lambda n, state=state: state
            params = {"name": ("" if plain else "second__") + "ask"}
            is_(ask(p, "tools/call", params).get("error", {}).get("code"), -32603, "a state that is no text is a fault of the upstream: %r" % (state,))
        del second.state

for u in (first, second):
    u.close()
done()
