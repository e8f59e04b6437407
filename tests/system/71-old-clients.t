#!/usr/bin/env python3
"""Clients of 2025-11-25, 2025-06-18 and 2025-03-26 before a modern upstream: sessions and whose they are, questions of the server, streams that are come back to,
subscriptions, cancelling, batches; another worker, a dead worker, a dead elder, a reload, and that switching it off switches it off."""

import hashlib
import http.client
import json
import os
import queue
import re
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from modern_server import ModernServer
from postern import Postern, done, is_, ok, until

KEYS = {who: "postern_" + (who * 20)[:42] + "A" for who in ("alice", "bob")}


class Stream:
    """Events of an answer: (id, message or None), read in a thread."""

    def __init__(self, connection, answer):
        self.connection, self.answer, self.events, self.ended = connection, answer, queue.Queue(), threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        id_, data = None, None
        try:
            for line in iter(self.answer.readline, b""):
                line = line.decode().rstrip("\n")
                if line.startswith("id: "):
                    id_ = line[4:]
                elif line.startswith("data:"):
                    data = line[5:].strip()
                elif not line and data is not None:
                    self.events.put((id_, json.loads(data) if data else None))
                    data = None
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended.set()

    def next(self, seconds=60):
        """The next event with a message."""
        while True:
            event = self.events.get(timeout=seconds)
            if event[1] is not None:
                self.last = event[0]
                return event[1]
            self.last = event[0]

    def leave(self):
        """As a client whose network is gone."""
        self.connection.sock.shutdown(socket.SHUT_RDWR)


class Old:
    """A client of an older revision."""

    def __init__(self, p, version="2025-11-25", caps=None, key="alice"):
        self.p, self.version, self.key, self.sid, self.ids = p, version, key, None, 0
        status, fields, self.hello = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": caps or {}, "clientInfo": {"name": "old", "version": "1"}}})
        self.sid = fields.get("mcp-session-id")
        self.status = status
        if self.sid:
            self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def open(self, method, message=None, more=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.p.port, timeout=60)
        fields = {"Accept": "application/json, text/event-stream", "Authorization": "Bearer " + KEYS[self.key]}
        if self.sid:
            fields["Mcp-Session-Id"] = self.sid
            if self.version != "2025-03-26":
                fields["MCP-Protocol-Version"] = self.version
        if message is not None:
            fields["Content-Type"] = "application/json"
        fields.update(more or {})
        connection.request(method, "/mcp", None if message is None else json.dumps(message), {k: v for k, v in fields.items() if v is not None})
        return connection, connection.getresponse()

    def post(self, message, more=None):
        """Status, fields, and the JSON, or all messages of a stream."""
        connection, answer = self.open("POST", message, more)
        fields = {k.lower(): v for k, v in answer.getheaders()}
        body = answer.read()
        connection.close()
        if fields.get("content-type") == "text/event-stream":
            return answer.status, fields, [json.loads(line[5:]) for line in body.decode().split("\n") if line.startswith("data:") and line[5:].strip()]
        return answer.status, fields, json.loads(body) if body else None

    def request(self, method, params=None, id_=None):
        self.ids += 1
        message = {"jsonrpc": "2.0", "id": self.ids if id_ is None else id_, "method": method}
        if params is not None:
            message["params"] = params
        return message

    def call(self, method, params=None):
        message = self.post(self.request(method, params))[2]
        return message[-1] if isinstance(message, list) else message

    def stream(self, message):
        return Stream(*self.open("POST", message))

    def listen(self, last=None):
        connection, answer = self.open("GET", None, {"Last-Event-ID": last})
        if answer.status != 200:
            return answer.status
        return Stream(connection, answer)


def text(message):
    return message["result"]["content"][0]["text"]


server = ModernServer()
config = {"listeners": [{"address": "127.0.0.1:0"}], "workers": 2, "names": "plain", "mcpServers": {"m": {"url": server.url, "idle_timeout": "60s"}},
          "identity": {"keys": [{"id": who, "sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": who, "roles": ["user"]} for who, key in KEYS.items()]},
          "policy": [{"allow": "echo", "tenants": ["bob"]}, {"allow": "*", "tenants": ["alice"]}]}

with Postern(config) as p:
    # ---- sessions
    for version in ("2025-11-25", "2025-06-18", "2025-03-26"):
        c = Old(p, version)
        is_((c.status, c.hello["result"]["protocolVersion"], c.hello["result"]["serverInfo"]["name"]), (200, version, "modern"), "%s: a session begins" % version)
        is_(c.hello["result"]["capabilities"], {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "prompts": {}, "logging": {}},
            "%s: with what the server can" % version)
        is_([t["name"] for t in c.call("tools/list")["result"]["tools"]], ["echo", "ask", "slow", "big"], "%s: tools are listed" % version)
        r = c.call("tools/call", {"name": "echo", "arguments": {"a": 1}})["result"]
        is_((r["structuredContent"], "resultType" in r), ({"got": {"a": 1}}, False), "%s: and called" % version)
        is_(c.call("resources/read", {"uri": "m:x"})["error"]["code"], -32002, "%s: what is not there has the old code" % version)
        is_(c.call("ping")["result"], {}, "%s: ping" % version)
    is_(c.post(c.request("ping"), {"Mcp-Session-Id": None})[0], 400, "without a session: 400")
    is_(c.post(c.request("ping"), {"Mcp-Session-Id": "A" * 32})[0], 404, "with another: 404")
    is_(c.post(c.request("ping"), {"MCP-Protocol-Version": "1999-01-01"})[0], 400, "with a revision that nobody speaks: 400")
    is_(c.post(c.request("ping"), {"Authorization": "Bearer nobody"})[0], 401, "without a key it is nobody's: 401")
    bob = Old(p, key="bob")
    bob.sid, own = c.sid, bob.sid
    is_(bob.post(bob.request("ping"))[0], 404, "another caller's session is none")
    is_(bob.listen(), 404, "and cannot be read")
    is_(bob.open("DELETE")[1].status, 404, "nor ended")
    bob.sid = own
    is_([t["name"] for t in bob.call("tools/list")["result"]["tools"]], ["echo"], "a caller is shown what it may use")
    is_(bob.call("tools/call", {"name": "slow"})["error"]["code"], -32602, "and nothing else is there for it")
    ok(all(c.call("ping")["result"] == {} for _ in range(40)), "a session is the same on every worker")
    is_(c.open("DELETE")[1].status, 200, "DELETE")
    is_(c.post(c.request("ping"))[0], 404, "and the session is gone")

    # ---- questions of the server
    for version, caps in (("2025-11-25", {"elicitation": {"form": {}}}), ("2025-06-18", {"elicitation": {}})):
        c = Old(p, version, caps)
        s = c.stream(c.request("tools/call", {"name": "ask", "arguments": {"who": "you"}}))
        q = s.next()
        is_((q["method"], q["params"]["message"]), ("elicitation/create", "Your name, you"), "%s: the server asks on the stream of the request" % version)
        is_(c.post({"jsonrpc": "2.0", "id": q["id"], "result": {"action": "accept", "content": {"n": "old"}}})[0], 202, "%s: the answer is accepted" % version)
        is_(text(s.next()), "old state of you", "%s: and goes back with the state" % version)
        ok(s.ended.wait(60), "%s: the stream ends" % version)
    r = Old(p, "2025-03-26").call("tools/call", {"name": "ask", "arguments": {"who": "x"}})["result"]
    ok(r["isError"] and "has not declared" in r["content"][0]["text"], "2025-03-26: who cannot be asked is told why", r)

    # ---- coming back
    c = Old(p)
    s = c.stream(c.request("tools/call", {"name": "slow", "_meta": {"progressToken": "tok"}}))
    is_(s.next()["params"], {"progressToken": "tok", "progress": 1, "message": "half"}, "progress comes under the client's token")
    last = s.last
    s.leave()
    server.gate.set()
    back = c.listen(last)
    is_(text(back.next()), "at last", "a client that lost its connection comes back for the answer")
    ok(back.ended.wait(60), "and that is the end of it")
    is_(text(c.listen(last).next()), "at last", "as often as it likes")
    is_(c.listen("0-999x"), 400, "an id that was never given: 400")
    is_(server.gone, 0, "leaving cancels nothing")
    server.gate.clear()
    s = c.stream(c.request("tools/call", {"name": "slow", "_meta": {"progressToken": 2}}, id_="to-cancel"))
    s.next()
    c.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "to-cancel"}})
    ok(s.ended.wait(60), "a cancelled request ends")
    ok(until(lambda: server.gone == 1), "and the server sees its client leave")
    s = c.stream(c.request("tools/call", {"name": "slow"}))
    ok(until(lambda: not s.events.empty()), "a request without a word for a while becomes a stream that can be come back to")
    server.gate.set()
    is_(text(s.next()), "at last", "and is answered there")

    # ---- subscriptions
    g = c.listen()
    ok(until(lambda: any(a.get("toolsListChanged") for a, _ in server.listens)), "a GET stream listens")
    is_(c.call("resources/subscribe", {"uri": "m:a"})["result"], {}, "a subscription")
    is_(c.call("resources/subscribe", {"uri": "m:none"})["error"]["code"], -32002, "to what is not there")

    def tell(method, more):
        for _, said in list(server.listens):
            said.put((method, more))
    ok(until(lambda: [a["resourceSubscriptions"] for a, _ in server.listens] == [["m:a"]]), "one listen holds it all", lambda: server.listens)
    tell("notifications/resources/updated", {"uri": "m:a"})
    is_(g.next(), {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "m:a"}}, "an update comes, untagged")
    g.leave()
    tell("notifications/tools/list_changed", {})
    tell("notifications/resources/updated", {"uri": "m:a"})
    g2 = c.listen(g.last)
    is_({g2.next()["method"], g2.next()["method"]}, {"notifications/tools/list_changed", "notifications/resources/updated"}, "what came meanwhile is there")
    g3 = c.listen()
    ok(g2.ended.wait(60), "a second stream takes the place of the first")
    is_(c.call("resources/unsubscribe", {"uri": "m:a"})["result"], {}, "unsubscribed")
    ok(until(lambda: [a["resourceSubscriptions"] for a, _ in server.listens] == [[]]), "and the listen follows")

    # ---- batches
    c3 = Old(p, "2025-03-26")
    r = c3.post([c3.request("ping", id_=1), c3.request("tools/call", {"name": "echo", "arguments": {}}, id_=2), {"jsonrpc": "2.0", "method": "notifications/x"}])[2]
    is_(sorted(m["id"] for m in r), [1, 2], "2025-03-26: a batch")
    is_(c.post([c.request("ping")])[0], 400, "2025-11-25 has none")

    # ---- deaths
    for name in ("worker-0", "worker-1"):
        pid = p.role(name)
        os.kill(pid, signal.SIGKILL)
        ok(p.comes_again(name, pid), "%s dies and comes again" % name)

    def pings():
        try:
            return c3.call("ping").get("result") == {}
        except (OSError, http.client.HTTPException):
            return False
    ok(until(pings), "sessions outlive all workers")
    is_(text(c3.call("tools/call", {"name": "echo", "arguments": {"z": 1}})), '{"z": 1}', "and work")
    g = Old(p).listen()
    pid = p.role("elder")
    os.kill(pid, signal.SIGKILL)
    ok(g.ended.wait(60), "the elder dies: its streams end")
    ok(p.comes_again("elder", pid), "it comes again")
    ok(until(lambda: c3.post(c3.request("ping"))[0] == 404), "sessions ended with it: 404")
    is_(Old(p).call("ping")["result"], {}, "new ones begin")

    # ---- reload
    c = Old(p)
    g = c.listen()
    ok(p.reload(), "a reload")
    ok(g.ended.wait(60), "streams end")
    ok(until(lambda: c.post(c.request("ping"))[0] == 404), "sessions end with their generation")
    is_(Old(p).call("ping")["result"], {}, "new ones begin")
    ok(p.reload(dict(config, legacy_clients=False)), "a reload without older clients")
    c = Old(p)
    is_((c.status, c.hello["error"]["code"]), (400, -32022), "initialize is answered by what is spoken")
    ok(until(lambda: p.role("elder") is None), "and there is no elder")
    errors = re.findall(r"(?m)^.* error .*$", p.stderr())
    is_(errors, [], "nothing was logged as an error")
server.shutdown()
done()
