"""A scripted MCP server of 2026-07-28 over HTTP, for what stands between it and clients of any era.

    with ModernServer(indent=2) as s:    s.url, s.seen (list of (head fields, message)), s.listens, s.gate, s.gone

Tools: echo (gives its arguments back), big (`bytes` of text), ask (asks the user for a name, once), slow (a stream that stays open, with one step
of progress if it may, until `gate` is set; callers that leave are counted in `gone`). `listens`: the open subscriptions, each what it was asked
for and a queue of (method, params) to tell it. There is no resource m:none, and none that can be read. indent: of answers that are no stream.
"""
import json
import queue
import threading

import http_server

IMCP = "io.modelcontextprotocol/"


class Handler(http_server.Handler):
    def do_POST(self):
        message = self.message()
        self.server.seen.append((dict(self.headers), message))
        if "id" not in message:
            self.say(202)
            return
        method, params = message["method"], message.get("params", {})
        result = {"resultType": "complete", "_meta": {IMCP + "serverInfo": {"name": "modern", "version": "1"}}}
        hints = {"ttlMs": 60000, "cacheScope": "private"}
        if method == "server/discover":
            result.update(hints, supportedVersions=["2026-07-28"], instructions="Be kind",
                          capabilities={"tools": {"listChanged": True}, "resources": {"subscribe": True}, "prompts": {}, "logging": {}})
        elif method == "tools/list":
            schema = {"type": "object", "properties": {"where": {"type": "string", "x-mcp-header": "Where"}}}
            result.update(hints, tools=[{"name": n, "inputSchema": schema} for n in ("echo", "ask", "slow", "big")])
        elif method == "prompts/list":
            result.update(hints, prompts=[])
        elif method == "resources/read":
            self.answer(message, error={"code": -32602, "message": "none", "data": {"uri": params["uri"]}})
            return
        elif method == "subscriptions/listen":
            self.listen(message["id"], params)
            return
        elif params.get("name") == "slow":
            self.slow(message["id"], params, result)
            return
        elif params.get("name") == "big":
            result.update(content=[{"type": "text", "text": "x" * params["arguments"]["bytes"]}])
        elif params.get("name") == "ask":
            if "inputResponses" not in params and "elicitation" not in params["_meta"][IMCP + "clientCapabilities"]:
                self.answer(message, error={"code": -32021, "message": "no", "data": {"requiredCapabilities": {"elicitation": {}}}}, status=400)
                return
            self.ask(params, result)
        else:
            result.update(content=[{"type": "text", "text": json.dumps(params.get("arguments"))}], structuredContent={"got": params.get("arguments")})
        self.answer(message, result)

    def ask(self, params, result):
        if "inputResponses" in params:
            result.update(content=[{"type": "text", "text": "%s %s" % (params["inputResponses"]["name"]["content"]["n"], params["requestState"])}])
            return
        who = params["arguments"].get("who", "you")
        result.update(resultType="input_required", requestState="state of " + who, inputRequests={"name": {"method": "elicitation/create", "params": {
            "message": "Your name, " + who, "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}}}})

    def slow(self, id_, params, result):
        self.stream(chunked=True)
        token = params["_meta"].get("progressToken")
        try:
            if token is not None:
                self.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1, "message": "half"}})
            while not self.server.gate.wait(0.1):
                self.event()
            result.update(content=[{"type": "text", "text": "at last"}])
            self.event({"jsonrpc": "2.0", "id": id_, "result": result})
            self.end()
        except OSError:
            self.server.gone += 1
            self.close_connection = True

    def listen(self, id_, params):
        self.stream(chunked=True)
        said, tag = queue.Queue(), {IMCP + "subscriptionId": id_}
        asked = dict(params["notifications"])
        asked["resourceSubscriptions"] = [u for u in asked.get("resourceSubscriptions", []) if u != "m:none"]
        entry = (asked, said)
        self.server.listens.append(entry)
        try:
            self.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {"notifications": asked, "_meta": tag}})
            while True:
                try:
                    method, more = said.get(timeout=0.1)
                    self.event({"jsonrpc": "2.0", "method": method, "params": dict(more, _meta=tag)})
                except queue.Empty:
                    self.event()
        except OSError:
            self.close_connection = True
        finally:
            self.server.listens.remove(entry)


class ModernServer(http_server.Server):
    def __init__(self, indent=None):
        self.seen, self.listens, self.gate, self.gone, self.indent = [], [], threading.Event(), 0, indent
        super().__init__(Handler)

    def calls(self, name):
        """How often a tool was called."""
        return sum(m["method"] == "tools/call" and m["params"].get("name") == name for _, m in self.seen)
