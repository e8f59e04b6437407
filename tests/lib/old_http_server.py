"""A scripted MCP server of the revisions with sessions, over Streamable HTTP: what it does wrong is told to it by attributes and by tools.

    with OldServer() as s:  s.url, s.port, s.seen (list of (method, session, version, message)), s.sessions, s.forget(), s.deleted
"""
import json
import queue
import threading

import http_server


class Handler(http_server.Handler):
    def session_ok(self):
        s = self.server
        if s.token and self.headers.get("Authorization") != s.token:
            self.say(401, WWW_Authenticate="Bearer")
            return False
        sid = self.headers.get("Mcp-Session-Id")
        if not s.stateless and sid is None:
            self.say(400, b'{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}')
            return False
        if not s.stateless and sid not in s.sessions:
            self.say(404, b'{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}')
            return False
        return True

    def do_DELETE(self):
        s = self.server
        if self.session_ok():
            s.deleted.append(self.headers["Mcp-Session-Id"])
            s.sessions.pop(self.headers["Mcp-Session-Id"], None)
            self.say(200)

    def do_GET(self):
        s = self.server
        last = self.headers.get("Last-Event-ID")
        s.seen.append(("GET", self.headers.get("Mcp-Session-Id"), self.headers.get("MCP-Protocol-Version"), last))
        if not self.session_ok():
            return
        if last in s.replay:
            self.stream()
            for message in s.replay.pop(last):
                self.event(message)
            return
        if not s.streams:
            self.say(405)
            return
        self.stream()
        out = s.sessions[self.headers["Mcp-Session-Id"]]["news"]
        while True:
            try:
                self.event(out.get(timeout=0.2))
            except queue.Empty:
                self.event()

    def do_POST(self):
        s = self.server
        m = self.message()
        s.seen.append((m.get("method"), self.headers.get("Mcp-Session-Id"), self.headers.get("MCP-Protocol-Version"), m))
        if m.get("method") == "initialize":
            if s.token and self.headers.get("Authorization") != s.token:
                self.say(401)
                return
            fields = {}
            if not s.stateless:
                sid = "session-%d" % (len(s.made) + 1)
                s.made.append(sid)
                s.sessions[sid] = {"news": queue.Queue()}
                fields["Mcp_Session_Id"] = sid
            body = {"jsonrpc": "2.0", "id": m["id"], "result": {"protocolVersion": s.version, "serverInfo": {"name": "old", "version": "1"},
                    "capabilities": {"tools": {"listChanged": True}}, "instructions": "Be old."}}
            self.say(200, json.dumps(body).encode(), **fields)
            return
        if not self.session_ok():
            return
        if "id" not in m or "method" not in m:
            if "method" not in m:
                s.answers.put(m)
            self.say(202)
            return
        self.asked(s, m)

    def result(self, m, text):
        return {"jsonrpc": "2.0", "id": m["id"], "result": {"content": [{"type": "text", "text": text}]}}

    def asked(self, s, m):
        if m["method"] == "tools/list":
            tools = [{"name": n, "inputSchema": {"type": "object"}} for n in ("echo", "progress", "resume", "vanish", "elicit", "huge", "drop", "who")]
            self.answer(m, {"tools": tools})
            return
        if m["method"] != "tools/call":
            self.answer(m, error={"code": -32601, "message": "Method not found"})
            return
        name, arguments = m["params"]["name"], m["params"].get("arguments", {})
        s.ran.append(name)
        if name == "progress":
            self.stream()
            token = m["params"].get("_meta", {}).get("progressToken")
            for i in range(3):
                self.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": i}})
            self.event(self.result(m, "done"))
        elif name == "resume":    # the answer is only to be had by coming back
            ident = "call-%d" % len(s.ran)
            s.replay[ident] = [self.result(m, "resumed")]
            self.stream()
            self.event(id=ident, retry=50)
        elif name == "vanish":    # closes without an id: nothing to come back to
            self.stream()
        elif name == "elicit":
            self.stream()
            self.event({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create",
                        "params": {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}})
            answer = s.answers.get(timeout=60)
            self.event(self.result(m, json.dumps(answer.get("result", answer.get("error")), sort_keys=True)))
        elif name == "huge":
            self.say(200, json.dumps(self.result(m, "x" * (3 << 20))).encode())
        elif name == "drop":
            self.close_connection = True
            self.connection.close()
        elif name == "who":
            self.say(200, json.dumps(self.result(m, self.headers.get("Mcp-Session-Id") or "nobody")).encode())
        else:
            if "together" in arguments:    # none goes on before so many are here
                with s.changed:
                    s.here += 1
                    s.changed.notify_all()
                    s.changed.wait_for(lambda: s.here >= arguments["together"], 60)
            self.say(200, json.dumps(self.result(m, json.dumps(arguments, sort_keys=True))).encode())


class OldServer(http_server.Server):
    def __init__(self, port=0, version="2025-11-25", stateless=False, streams=True, token=None, context=None):
        self.version, self.stateless, self.streams, self.token = version, stateless, streams, token
        self.seen, self.made, self.deleted, self.ran, self.sessions, self.replay = [], [], [], [], {}, {}
        self.answers = queue.Queue()
        self.changed, self.here = threading.Condition(), 0
        super().__init__(Handler, port, context)

    def forget(self):
        self.sessions.clear()

    def news(self, message):
        for s in self.sessions.values():
            s["news"].put(message)
