#!/usr/bin/env python3
"""Servers of older revisions at urls: sessions, streams, 404, resumption, TLS, credentials; found out or said, and what is said when it does not work."""
import json
import os
import ssl
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import http_server
from old_http_server import OldServer
from pki import Pki
from postern import Postern, call, done, free_port, is_, ok, until

tmp = tempfile.TemporaryDirectory(prefix="postern-old-http-")
os.chmod(tmp.name, 0o755)


def config(**servers):
    return {"listeners": [{"address": "127.0.0.1:0"}], "mcpServers": servers, "workers": 1, "timeouts": {"drain": "2s"}}


def answer(p, name, arguments=None, **more):
    return call(p, "tools/call", {"name": name, "arguments": arguments or {}}, **more).message()


def use(p, name, arguments=None, **more):
    m = answer(p, name, arguments, **more)
    return m["result"]["content"][0]["text"] if "result" in m and "content" in m["result"] else m


with OldServer() as s, Postern(config(old={"url": s.url})) as p:
    names = sorted(t["name"] for t in call(p, "tools/list").message()["result"]["tools"])
    is_(names, sorted("old__" + n for n in ("echo", "progress", "resume", "vanish", "elicit", "huge", "drop", "who")), "its tools are there")
    is_(use(p, "old__echo", {"a": 1}), '{"a": 1}', "a call")
    is_(s.seen[0][0], "server/discover", "it was asked as a modern one first")
    first = next(m for m in s.seen if m[0] == "initialize")
    ok(first[1] is None and first[2] is None and first[3]["params"]["protocolVersion"] == "2025-11-25", "then initialized")
    ok(all(m[1] == "session-1" and m[2] == "2025-11-25" for m in s.seen[s.seen.index(first) + 1:]), "all else has its session and revision", s.seen)
    ok(until(lambda: any(m[0] == "GET" for m in s.seen)), "its GET stream is open")
    r = call(p, "tools/call", {"name": "old__progress", "arguments": {}}, meta={"progressToken": "mine"})
    m = r.events()
    ok([e["params"]["progress"] for e in m[:3]] == [0, 1, 2] and all(e["params"]["progressToken"] == "mine" for e in m[:3]) and
       m[-1]["result"]["content"][0]["text"] == "done", "progress comes through, under the caller's token", m)
    is_(use(p, "old__resume"), "resumed", "a stream that breaks goes on by its last id")
    is_(s.ran.count("resume"), 1, "and the call ran once")
    ok("without an answer" in json.dumps(use(p, "old__vanish")), "one that cannot go on fails")
    ok("limit" in json.dumps(use(p, "old__huge")), "an answer over the limit fails")
    ok("error" in answer(p, "old__drop"), "a connection that closes without an answer fails")
    is_(use(p, "old__echo"), "{}", "and the next call goes on")
    # the session is forgotten
    before = len(s.made)
    s.forget()
    is_(use(p, "old__who"), "session-%d" % (before + 1), "a session that the server has forgotten is begun anew, and the call asked once more")
    # at once
    texts, threads = [], []
    for i in range(12):
        threads.append(threading.Thread(target=lambda i=i: texts.append(use(p, "old__echo", {"i": i, "together": 4}))))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    is_(sorted(json.loads(t)["i"] for t in texts), list(range(12)), "calls at once, none of which ends before four are there, each with its own answer")
    # a question to the caller
    m = answer(p, "old__elicit")
    ok("result" in m or "error" in m, "without the capability the server hears that it may not ask", m)
    can = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    r = call(p, "tools/call", {"name": "old__elicit", "arguments": {}}, meta=can).message()
    key, ask = next(iter(r["result"]["inputRequests"].items()))
    is_(ask["params"]["message"], "Who?", "with it the caller is asked")
    m = call(p, "tools/call", {"name": "old__elicit", "arguments": {}, "requestState": r["result"]["requestState"],
                               "inputResponses": {key: {"action": "accept", "content": {"name": "me"}}}}, meta=can).message()
    is_(json.loads(m["result"]["content"][0]["text"]), {"action": "accept", "content": {"name": "me"}}, "and the server hears the answer")
    alive = set(s.sessions)
    p.stop()
    ok(alive and until(lambda: alive <= set(s.deleted)), "at the end its sessions are DELETEd", (alive, s.deleted))

with OldServer(version="2025-06-18", stateless=True, streams=False) as s, Postern(config(old={"url": s.url, "era": "legacy", "headers": {"X-Own": "1"}})) as p:
    is_(use(p, "old__who"), "nobody", "a server without sessions and without a GET stream")
    ok(not any(m[0] == "server/discover" for m in s.seen), "one that is said to be old is not asked as a modern one")
    until(lambda: any(m[0] == "GET" for m in s.seen))
    is_(sum(m[0] == "GET" for m in s.seen), 1, "the stream that it has not got is asked for once")

with OldServer() as s, Postern(config(old={"url": s.url, "era": "modern"})) as p:
    ok("error" in answer(p, "old__echo"), "one that is said to be modern, and is not")
    ok(not any(m[0] == "initialize" for m in s.seen), "is not asked for anything else")

# It restarts: another process at the same port, which knows no session.
port = free_port()
s = OldServer(port=port)
with Postern(config(old={"url": s.url, "era": "legacy"})) as p:
    is_(use(p, "old__echo"), "{}", "a call")
    s.__exit__()
    ok("error" in answer(p, "old__echo"), "while it is away calls fail")
    with OldServer(port=port) as s:
        ok(until(lambda: use(p, "old__echo") == "{}"), "when it is back they do not")

# TLS and credentials
pki = Pki(os.path.join(tmp.name, "pki"))
cert = pki.issue("old", dns=["old.example"])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert.cert, cert.key)
secret = os.path.join(tmp.name, "secret")
with open(secret, "w") as f:
    f.write("s3cret\n")
os.chmod(secret, 0o600)
with OldServer(context=context, token="Bearer s3cret") as s:
    at = {"url": "https://old.example:%d/mcp" % s.port, "address": "127.0.0.1:%d" % s.port, "tls": {"ca": pki.ca}}
    with Postern(config(old=dict(at, era="legacy", credentials={"secret": {"file": secret}}))) as p:
        is_(use(p, "old__echo"), "{}", "over TLS, with a credential")
        ok("s3cret" not in p.stderr(), "which no log shows")
        alive = set(s.sessions)
        p.stop()
        ok(alive and until(lambda: alive <= set(s.deleted)), "at the end its sessions are DELETEd, with it", (alive, s.deleted))
    with open(secret, "w") as f:
        f.write("another\n")
    with Postern(config(old=dict(at, era="legacy", credentials={"secret": {"file": secret}}))) as p:
        ok(until(lambda: "HTTP status 401" in p.stderr() or "no credential" in p.stderr()), "a credential that is refused", p.stderr()[-1500:])
    other = Pki(os.path.join(tmp.name, "other"))
    with Postern(config(old=dict(at, era="legacy", tls={"ca": other.ca}))) as p:
        before = len(s.seen)
        ok(until(lambda: "error" in answer(p, "old__echo")), "one that is not to be trusted")
        is_(len(s.seen), before, "hears nothing")

# HTTP+SSE of 2024-11-05: no POST at this url.
class Sse(http_server.Handler):
    def do_POST(self):
        self.message()
        self.say(405)


with http_server.Server(Sse) as sse, Postern(config(old={"url": "http://127.0.0.1:%d/sse" % sse.port})) as p:
    ok(until(lambda: "HTTP+SSE" in p.stderr() or "HTTP+SSE" in json.dumps(answer(p, "old__echo"))), "HTTP+SSE of 2024-11-05 is refused by name", p.stderr()[-800:])
done()
