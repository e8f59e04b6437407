#!/usr/bin/env python3
"""Several servers behind one door: lists are merged in the order of the configuration, whichever of them is dead, hangs or talks garbage;
a subscription outlives its servers; who is missing is named, in the result and in the metrics.
"""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import http_server  # noqa: E402
from postern import Conn, Postern, call, done, free_port, is_, ok, raw, request_bytes, until  # noqa: E402

ENTRIES = 5
LIST_S = 4      # in which the others have to answer page by page, on a machine that has no time


class Handler(http_server.Handler):
    def do_POST(self):
        m, of = self.message(), self.server.of
        if of.mode == "stall":
            of.released.wait(60)
        if of.mode == "hangup":
            self.close_connection = True
        elif m["method"] == "subscriptions/listen":
            self.stream()
            self.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
                "notifications": m["params"]["notifications"], "_meta": {"io.modelcontextprotocol/subscriptionId": m["id"]}}})
            of.listeners.append(m["id"])
            of.ending.wait(60)
        elif of.mode == "garbage":
            self.say(200, b"{not json")
        else:
            self.answer(m, **of.result(m))


class Httpd(http_server.Server):
    def __init__(self, of):
        self.of = of
        super().__init__(Handler, of.port)


class Server:
    """A scripted MCP server over HTTP. mode: good, stall, garbage, hangup, error; stop() and start() end and begin it on one port."""

    def __init__(self, name):
        self.name, self.mode, self.listeners = name, "good", []
        self.port = free_port()
        self.start()

    def start(self):
        self.released, self.ending = threading.Event(), threading.Event()
        self.httpd = Httpd(self)

    def stop(self):
        self.released.set()
        self.ending.set()
        self.httpd.stop()

    def back(self):
        self.mode = "good"
        self.released.set()
        self.released = threading.Event()

    def result(self, m):
        kind = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates"}.get(m["method"])
        common = {"resultType": "complete", "ttlMs": 60000, "cacheScope": "public"}
        if self.mode == "error" and kind:
            return {"error": {"code": -32603, "message": "out of order"}}
        if m["method"] == "server/discover":
            return {"result": dict(common, supportedVersions=["2026-07-28"], instructions="I am %s." % self.name, capabilities={
                "tools": {"listChanged": True}, "prompts": {"listChanged": True}, "resources": {"listChanged": True}})}
        if kind:
            at = int(m["params"].get("cursor", "0"))
            one = {"name": "n%d" % at, "inputSchema": {"type": "object"}, "uri": "%s://%d" % (self.name, at), "uriTemplate": "%s://%d/{x}" % (self.name, at)}
            more = {"nextCursor": str(at + 1)} if at + 1 < ENTRIES else {}
            return {"result": dict(common, **{kind: [one]}, **more)}
        return {"result": dict(common, content=[{"type": "text", "text": self.name}])}


NAMES = ["one", "two", "three"]
METHODS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates"}
servers = {n: Server(n) for n in NAMES}
CONFIG = {"workers": 1, "names": "prefixed", "timeouts": {"list": "%ds" % LIST_S},
          "mcpServers": {n: {"url": "http://127.0.0.1:%d/mcp" % servers[n].port, "connect_timeout": "60s", "idle_timeout": "60s"} for n in NAMES}}


def wanted(method, missing=()):
    named = method.startswith(("tools", "prompts"))
    return [("%s__n%d" % (n, i)) if named else "%s://%d" % (n, i) for n in NAMES if n not in missing for i in range(ENTRIES)]


def listed(p, method):
    """(names in order, servers that are named as missing, seconds)"""
    began = time.monotonic()
    a = call(p, method)
    r = (a.message() or {}).get("result")
    if a.status != 200 or r is None:
        return a, None, time.monotonic() - began
    named = method.startswith(("tools", "prompts"))
    return ([e["name"] if named else e.get("uri", e["uriTemplate"].replace("/{x}", "")) for e in r[METHODS[method]]],
            r["_meta"].get("postern/unavailable", []), time.monotonic() - began)


def down(p):
    text = raw(p.admin_port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").body.decode()
    return [n for n in NAMES if 'postern_upstream_down{server="%s"} 0' % n not in text]


with Postern(CONFIG) as p:
    for method in METHODS:
        names, missing, _s = listed(p, method)
        is_((names, missing), (wanted(method), []), "%s: all of three servers, in order, on one page" % method)
    r = call(p, "server/discover").message()["result"]
    is_(r["instructions"], "\n\n".join("%s__*: I am %s." % (n, n) for n in NAMES), "instructions of all")

    for name in NAMES:
        s = servers[name]
        others = [n for n in NAMES if n != name]
        for fault in ("killed", "stall", "garbage", "hangup", "error"):
            if fault == "killed":
                s.stop()
            else:
                s.mode = fault
            first = True
            for method in METHODS:
                names, missing, seconds = listed(p, method)
                is_((names, missing), (wanted(method, [name]), [name]), "%s %s: %s has the others' and says so" % (name, fault, method))
                ok(seconds < (30 if fault == "stall" and first else LIST_S), "  in time", "%.2f s" % seconds)
                first = False
            if fault not in ("error",):
                is_(down(p), [name], "  the metrics know it")
            a = call(p, "tools/call", {"name": others[0] + "__n0", "arguments": {}})
            ok(a.status == 200 and a.message()["result"]["content"][0]["text"] == others[0], "  calls of others are answered", a)
            if fault == "killed":
                s.start()
            s.back()
            ok(until(lambda: listed(p, "tools/list")[:2] == (wanted("tools/list"), [])), "  and it comes back")
            is_(down(p), [], "  for the metrics too")

    # A subscription outlives them all.
    with Conn(p.port) as c:
        c.send(request_bytes("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, path=p.path))
        ok(until(lambda: all(s.listeners for s in servers.values())), "a subscription is one to each server")
        for n in NAMES:
            servers[n].listeners.clear()
            servers[n].stop()
        a = call(p, "tools/list")
        m = a.message()
        ok(a.status in (502, 503, 504) and m["error"]["code"] == -32603 and "2 other servers" in m["error"]["message"], "all are dead: an error, and not an empty list", a)
        for n in NAMES:
            servers[n].start()
            servers[n].back()
        ok(until(lambda: all(s.listeners for s in servers.values())), "they are listened to again")
        c.sock.settimeout(60)
        text, end = b"", time.monotonic() + 60
        while text.count(b"notifications/tools/list_changed") < 3 and time.monotonic() < end:
            text += c.sock.recv(65536)
        ok(text.count(b"subscriptions/acknowledged") == 1 and text.count(b"notifications/tools/list_changed") == 3, "and the client is told that their lists may have changed", text)
    is_(listed(p, "tools/list")[:2], (wanted("tools/list"), []), "lists are whole again")
is_(p.status, 0, "SIGTERM: status 0")
done()
