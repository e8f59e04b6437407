#!/usr/bin/env python3
"""The extension io.modelcontextprotocol/tasks, carried: a call that becomes a task, and what is asked for it. Ids are sealed for their caller; foreign,
changed and expired ones look like ones that never were; the policy of the tool that made it applies to a task as long as it lives."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, call, done, is_, ok, until, request_bytes
from tls import Upstream

EXT = "io.modelcontextprotocol/tasks"
CAPS = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {EXT: {}}}}
TIMES = {"createdAt": "2026-11-26T10:00:00Z", "lastUpdatedAt": "2026-11-26T10:00:00Z", "ttlMs": 60000}
KEYS = {"alice": "postern_" + "a" * 43, "bob": "postern_" + "b" * 43, "carol": "postern_" + "c" * 43}


class Tasks(Upstream):
    """make: a task; each asks for input once, and is completed when it has got it. Its ids need escapes and headers of their own."""

    capabilities = {"tools": {}, "extensions": {EXT: {}, "com.evil/x": {}}}
    TOOLS = ["make", "other"]

    def __init__(self, **more):
        self.tasks = {}
        super().__init__(**more)

    def _mcp(self, message):
        method, params = message["method"], message["params"]
        more = {"_meta": self.META, "resultType": "complete"}
        tid = params.get("taskId")
        if method == "server/discover":
            more.update(supportedVersions=["2026-07-28"], capabilities=self.capabilities, ttlMs=60000, cacheScope="private")
        elif method == "tools/call" and params["name"] in ("make", "other"):
            tid = "t\u00e4sk \"%d\"" % len(self.tasks)
            self.tasks[tid] = {"taskId": tid, "status": "working", **TIMES}
            more.update(self.tasks[tid], resultType="task")
        elif method.startswith("tasks/") and tid not in self.tasks:
            return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "LEAKME no task " + tid}}
        elif method == "tasks/get":
            more.update(self.tasks[tid])
            if self.tasks[tid]["status"] == "completed":
                more["result"] = {"content": [{"type": "text", "text": "done", "_meta": {"evil": 1}}], "isError": False, "_meta": {"evil": 1}}
            else:
                more.update(status="input_required", inputRequests={"k": {"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {"type": "object"}, "_meta": {"evil": 1}}}})
        elif method == "tasks/update":
            self.tasks[tid]["status"] = "completed"
        elif method == "tasks/cancel":
            self.tasks[tid]["status"] = "cancelled"
        else:
            return super()._mcp(message)
        return {"jsonrpc": "2.0", "id": message["id"], "result": more}


def ask(p, method, params=None, who=None, caps=CAPS, name=None, **more):
    name = params.get("taskId") if name is None and params else name
    headers = [("Mcp-Name", name)] * (name is not None and method.startswith("tasks/")) + [("Authorization", "Bearer " + KEYS.get(who, ""))] * (who is not None)
    return call(p, method, params or {}, meta=caps, headers=headers, **more)


def asked(u, method):
    return [(h, m["params"]) for _, h, m in u.seen if isinstance(m, dict) and m["method"] == method]


def tasks_asked(u):
    """How often it was asked about tasks; its lists are asked for whenever their time is over."""
    return sum(isinstance(m, dict) and m["method"].startswith("tasks/") for _, _, m in u.seen)


def key(name, tenant="t"):
    return {"id": name, "sha256": hashlib.sha256(KEYS[name].encode()).hexdigest(), "tenant": tenant, "roles": [name]}


def words(a):
    return a.status, {**a.message(), "id": 0}


far, none, twin = Tasks(), Upstream(), Tasks()
url = {n: {"url": "http://127.0.0.1:%d/mcp" % u.port} for n, u in (("far", far), ("none", none), ("twin", twin))}
for plain in (False, True):
    prefix = "" if plain else "far__"
    with Postern({"workers": 1, "mcpServers": {"far": url["far"]} if plain else url, "names": "plain" if plain else "prefixed"}) as p:
        a = call(p, "server/discover").message()["result"]["capabilities"]
        is_(a["extensions"], {EXT: {}}, "%s: the extension is offered, and none that cannot be carried" % ("plain" if plain else "prefixed"))
        task = ask(p, "tools/call", {"name": prefix + "make"}).message()["result"]
        inner = list(far.tasks)[-1]
        tid = task["taskId"]
        ok(task["resultType"] == "task" and tid.startswith("t1.") and inner not in tid and {k: task[k] for k in TIMES} == TIMES, "a call becomes a task with an id of ours", task)
        ok(asked(far, "tools/call")[-1][1]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {"extensions": {EXT: {}}}, "its maker was told that the client speaks of them")
        got = ask(p, "tasks/get", {"taskId": tid}).message()["result"]
        head, params = asked(far, "tasks/get")[-1]
        ok(params["taskId"] == inner and head["mcp-name"].startswith("=?base64?") and head["mcp-method"] == "tasks/get", "its maker is asked under its own id, mirrored", head)
        ok(got["taskId"] == tid and got["status"] == "input_required" and got["resultType"] == "complete", "and answers under ours", got)
        is_(got["inputRequests"]["k"]["params"]["_meta"], {}, "what it asks has no member that may not pass")
        a = ask(p, "tasks/update", {"taskId": tid, "inputResponses": {"k": {"action": "accept", "content": {"a": 1}, "_meta": {"evil": 1}}}})
        is_(asked(far, "tasks/update")[-1][1]["inputResponses"], {"k": {"action": "accept", "content": {"a": 1}, "_meta": {}}}, "answers go there")
        ok(a.message()["result"]["resultType"] == "complete", "and are acknowledged", a)
        got = ask(p, "tasks/get", {"taskId": tid}).message()["result"]
        is_((got["taskId"], got["status"], got["result"]), (tid, "completed", {"content": [{"type": "text", "text": "done", "_meta": {}}], "isError": False, "_meta": {}}), "the result comes with it")
        ok(ask(p, "tasks/cancel", {"taskId": tid}).message()["result"]["resultType"] == "complete" and far.tasks[inner]["status"] == "cancelled", "it can be cancelled")

        sent = tasks_asked(far)
        unknown = ask(p, "tasks/get", {"taskId": "t1.AAAA"})
        is_((unknown.status, unknown.message()["error"]), (200, {"code": -32602, "message": "Unknown task"}), "an id that never was")
        for what, bad in (("the upstream's own", "task"), ("one that was changed", tid[:-1] + ("A" if tid[-1] != "A" else "B")), ("cut", tid[:-2]), ("longer", tid + "AAAA"), ("a cursor", "p1." + tid[3:])):
            for method in ("tasks/get", "tasks/cancel"):
                is_(words(ask(p, method, {"taskId": bad})), words(unknown), "%s is the same to %s" % (what, method))
        is_(tasks_asked(far), sent, "nobody was asked about those")
        del far.tasks[inner]
        is_(words(ask(p, "tasks/get", {"taskId": tid})), words(unknown), "an expired one is the same, in our words")

        a = ask(p, "tasks/get", {"taskId": tid}, caps=None)
        is_((a.status, a.message()["error"]["code"], a.message()["error"]["data"]), (400, -32021, {"requiredCapabilities": {"extensions": {EXT: {}}}}), "a client that has not said it speaks of them")
        a = ask(p, "tools/call", {"name": prefix + "make"}, caps=None)
        ok(a.status == 502 and a.message()["error"]["code"] == -32603, "nor is it given a task: its maker is at fault", a)
        a = ask(p, "tasks/get", {"taskId": tid}, name="another")
        ok(a.status == 400 and a.message()["error"]["code"] == -32020, "Mcp-Name has to be the id", a)
        a = ask(p, "tasks/get", {})
        ok(a.status == 400 and a.message()["error"]["code"] == -32602, "no id", a)

        # An upstream that lies about ids.
        tid = ask(p, "tools/call", {"name": prefix + "make"}).message()["result"]["taskId"]
        inner = list(far.tasks)[-1]
        for lie in ({"taskId": "another"}, {"taskId": tid}, {"taskId": 5}, {"taskId": None}):
            far.tasks[inner].update(lie)
            a = ask(p, "tasks/get", {"taskId": tid})
            ok(a.status == 502 and a.message()["error"]["code"] == -32603, "an answer for another task is none: %r" % str(lie["taskId"])[:9], a)
        far.tasks[inner]["taskId"] = inner

with Postern({"workers": 1, "mcpServers": {"none": url["none"]}}) as p:
    a = ask(p, "tasks/get", {"taskId": "t1.AAAA"})
    ok(a.status == 404 and a.message()["error"]["code"] == -32601, "where nobody makes tasks there is no such method", a)
    ok("extensions" not in call(p, "server/discover").message()["result"]["capabilities"], "and it is not offered")

# ---- who may
base = {"workers": 2, "identity": {"keys": [key("alice"), key("bob"), key("carol", "u")]},
        "policy": [{"deny": "far__other", "roles": ["bob"]}, {"allow": "far__*", "roles": ["alice", "bob", "carol"]}, {"allow": "twin__*", "roles": ["alice"]}]}
with Postern({**base, "mcpServers": {"far": url["far"], "twin": url["twin"]}}) as p:
    tid = ask(p, "tools/call", {"name": "far__other"}, who="alice").message()["result"]["taskId"]
    ok(ask(p, "tasks/get", {"taskId": tid}, who="alice").message()["result"]["taskId"] == tid, "whose task it is")
    sent = len(far.seen)
    for who in ("bob", "carol"):
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            is_(words(ask(p, method, {"taskId": tid, "inputResponses": {}}, who=who)), words(unknown), "%s: another caller's id is unknown to %s" % (method, who))
    is_(len([m for _, _, m in far.seen[sent:] if m["method"].startswith("tasks/")]), 0, "and nobody was asked")
    other = ask(p, "tools/call", {"name": "twin__make"}, who="alice").message()["result"]["taskId"]
    ask(p, "tasks/get", {"taskId": other}, who="alice")
    ok(len(asked(twin, "tasks/get")) == 1 and asked(twin, "tasks/get")[0][1]["taskId"] == list(twin.tasks)[-1], "each goes to the upstream that made it")

    # Listened to: the ids of this caller's, as the caller has them; of what an upstream says else nothing.
    mine, inner = ask(p, "tools/call", {"name": "far__make"}, who="alice").message()["result"]["taskId"], list(far.tasks)[-1]
    bobs = ask(p, "tools/call", {"name": "far__make"}, who="bob").message()["result"]["taskId"]
    theirs = list(far.tasks)[-1]
    evil = {"postern/principal": "00", "evil": 1}
    sub = "io.modelcontextprotocol/subscriptionId"

    def speak(path, headers, raw):
        message = json.loads(raw)
        if message["method"] != "subscriptions/listen":
            return None
        far.seen.append((path, headers, message))
        meta = {"_meta": {sub: message["id"], **evil}}
        done_ = {"status": "completed", "result": {"content": [{"type": "text", "text": "t", "_meta": evil}], "_meta": evil}}
        says = [("subscriptions/acknowledged", {"notifications": {"taskIds": [theirs, inner, 5, "another"], "toolsListChanged": True}, **meta}),
                ("tasks", {"taskId": theirs, "status": "working", **TIMES, **meta}), ("tasks", {"taskId": 5, **meta}), ("tools/list_changed", meta),
                ("tasks", {"status": "input_required", "inputRequests": {"k": {"method": "m", "params": {"_meta": evil}}}, "taskId": inner, **TIMES, **meta}),
                ("tasks", {**meta, "taskId": inner, **TIMES, **done_})]
        body = "".join("data: %s\n\n" % json.dumps({"jsonrpc": "2.0", "method": "notifications/" + m, "params": ps}) for m, ps in says)
        return 200, [("Content-Type", "text/event-stream")], body.encode()

    far.answer = speak
    for who in ("carol", "alice"):
        with Conn(p.port) as c:
            ids = [bobs, mine[:-1] + ("A" if mine[-1] != "A" else "B"), mine, other, inner]
            c.send(request_bytes("subscriptions/listen", {"notifications": {"taskIds": ids}}, id_="L", meta=CAPS, headers=[("Authorization", "Bearer " + KEYS[who])]))
            a = c.read_head()
            said = c.stream(a)
            acknowledged = next(said)["params"]
            is_(acknowledged, {"notifications": {"taskIds": [mine]} if who == "alice" else {}, "_meta": {sub: "L"}}, "%s listens to what is acknowledged, and whose it is" % who)
            if who == "alice":
                is_(asked(far, "subscriptions/listen")[-1][1]["notifications"], {"taskIds": [inner]}, "the upstream is asked for its own ids")
                is_([next(said)["params"] for _ in range(2)],
                    [{"status": "input_required", "inputRequests": {"k": {"method": "m", "params": {"_meta": {}}}}, "taskId": mine, **TIMES, "_meta": {sub: "L"}},
                     {"_meta": {sub: "L"}, "taskId": mine, **TIMES, "status": "completed", "result": {"content": [{"type": "text", "text": "t", "_meta": {}}], "_meta": {}}}],
                    "what happens to a task is told under the caller's id, as an answer would be")
    far.answer = None
    with Conn(p.port) as c:
        c.send(request_bytes("subscriptions/listen", {"notifications": {"taskIds": [mine]}}, headers=[("Authorization", "Bearer " + KEYS["alice"])]))
        a = c.read_answer()
        is_((a.status, a.message()["error"]["code"]), (400, -32021), "only who speaks of tasks may listen to them")

    # A new configuration: the servers stand in another order, and alice may not use one of the tools any more.
    mine = ask(p, "tools/call", {"name": "far__make"}, who="alice").message()["result"]["taskId"]
    ok(p.reload({**base, "listeners": [{"address": "127.0.0.1:0", "path": "/mcp"}], "admin": {"address": "127.0.0.1:0"},
                 "mcpServers": {"twin": url["twin"], "none": url["none"], "far": url["far"]}, "policy": [{"deny": "far__other"}] + base["policy"][1:]}), "reloaded", p.stderr())
    ok(until(lambda: ask(p, "tasks/get", {"taskId": tid}, who="alice").message().get("error", {}).get("code") == -32602), "a task of a tool that one may not use any more is unknown")
    is_(words(ask(p, "tasks/get", {"taskId": tid}, who="alice")), words(unknown), "in the same words")
    ok(ask(p, "tasks/get", {"taskId": mine}, who="alice").message()["result"]["taskId"] == mine, "another lives on, wherever its server stands")

for u in (far, none, twin):
    u.close()
done()
