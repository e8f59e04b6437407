#!/usr/bin/env python3
"""postern stdio: scripted clients of both eras on standard input and output. Ids of every kind, answers in any order, cancelling, subscriptions, questions to old
clients, a worker and an elder that die, the end of input, signals, refusals; and that nothing but messages is ever written to standard output."""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from modern_server import IMCP, ModernServer
from postern import BINARY, done, is_, ok, run, until
from stdio_client import META, Stdio

server = ModernServer(indent=2)
CONFIG = {"names": "plain", "timeouts": {"drain": "10m"}, "memory": {"requests": 16, "listens": 8, "body": "64k", "reply": "256k"},
          "mcpServers": {"up": {"url": server.url}}}


def call(name, arguments=None, id_=1, **meta):
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": name, "arguments": arguments or {}, "_meta": {**META, **meta}}}


def old_call(name, arguments=None, id_=1):
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": name, "arguments": arguments or {}}}


def begin(p, message):
    """Sends a call of `slow`, and waits until the upstream has it."""
    before = server.calls("slow")
    p.send(message)
    until(lambda: server.calls("slow") > before)


def text(m):
    return m["result"]["content"][0]["text"] if "result" in m else m


def pure(p, what):
    """Every line of standard output is one JSON-RPC message."""
    wrong = []
    lines = bytes(p.raw).split(b"\n")
    for line in lines[:-1]:
        try:
            m = json.loads(line)
            if not all(x.get("jsonrpc") == "2.0" for x in (m if isinstance(m, list) else [m])):
                wrong.append(line)
        except ValueError:
            wrong.append(line)
    ok(not wrong and lines[-1] == b"", "%s: nothing but messages on standard output (%d)" % (what, len(lines) - 1), repr(wrong[:3] + lines[-1:]))


# ---- this revision
with Stdio(CONFIG) as p:
    r = p.request("server/discover")
    ok(r["result"]["supportedVersions"] == ["2026-07-28"], "server/discover", r)
    for id_ in (7, "7", "\u00fc\"\\\n", -3, 2**53 - 1, ""):
        p.send(call("echo", {"a": [1, {"b": None}]}, id_))
        is_(text(p.recv_for(id_)), '{"a": [1, {"b": null}]}', "the id %r comes back as it was" % (id_,))
    p.send(call("echo", {"where": "caf\u00e9"}))
    p.recv_for(1)
    is_([h for h, m in server.seen if m["method"] == "tools/call"][-1].get("Mcp-Param-Where"), "=?base64?Y2Fmw6k=?=", "headers that mirror arguments are made for the upstream")
    is_(p.request("nonsense", id_=2)["error"]["code"], -32601, "an unknown method")
    is_(p.request("tools/call", {"name": "none"}, id_=3).get("error", {}).get("code", "result"), "result", "an unknown tool is the upstream's to refuse, where all may be used")
    is_(p.request("tools/list", id_=4, meta={IMCP + "protocolVersion": "2027-01-01"})["error"]["code"], -32022, "a revision that is not served")
    p.send({"jsonrpc": "2.0", "id": 5, "method": "tools/list"})
    is_(p.recv_for(5)["error"]["code"], -32602, "no _meta and no session")

    for i in range(10):
        p.send(call("slow" if i == 0 else "echo", {"n": i}, i, progressToken="t%d" % i))
    answers = [p.recv_for(i) for i in range(9, 0, -1)]
    is_([json.loads(text(m))["n"] for m in answers], list(range(9, 0, -1)), "ten at once: the slow one holds nobody up")
    while not any(m.get("method") == "notifications/progress" for m in p.unasked):
        p.unasked.append(p.recv())
    progress = [m for m in p.unasked if m.get("method") == "notifications/progress"]
    is_([m["params"]["progressToken"] for m in progress], ["t0"], "its progress comes with the client's token")
    server.gate.set()
    is_(text(p.recv_for(0)), "at last", "and then its answer")
    server.gate.clear()

    gone = server.gone
    begin(p, call("slow", id_="c"))
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}})
    ok(until(lambda: server.gone == gone + 1), "a call that is called off ends at the upstream")
    p.send({"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": {"notifications": {"toolsListChanged": True}, "_meta": META}})
    m = p.recv()
    ok(m["method"] == "notifications/subscriptions/acknowledged" and m["params"]["_meta"][IMCP + "subscriptionId"] == "l", "a subscription; and no answer to what was called off", m)
    until(lambda: server.listens)
    server.listens[0][1].put(("notifications/tools/list_changed", {}))
    m = p.recv()
    ok(m["method"] == "notifications/tools/list_changed" and m["params"]["_meta"][IMCP + "subscriptionId"] == "l", "news", m)
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "l"}})
    ok(until(lambda: not server.listens), "and it is called off")

    is_(len(text(p.request("tools/call", {"name": "big", "arguments": {"bytes": 200000}}, id_=6))), 200000, "a long answer is one line")
    p.send(b"x" * 100000 + b"\n")
    m = p.recv()
    ok(m["error"]["code"] == -32600 and "memory.body" in m["error"]["message"] and "id" not in m, "a line that is too long is refused", m)
    p.send(b"{\"jsonrpc\":\r\n")
    is_(p.recv()["error"]["code"], -32700, "half a message")
    p.send(b"\n \r\n[]\n")
    is_(p.recv()["error"]["code"], -32600, "an empty batch; empty lines are nothing")
    p.send(b"\xff\xfe\n")
    is_(p.recv()["error"]["code"], -32700, "no UTF-8")
    p.send(b'{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}\n')
    is_(p.recv()["error"]["code"], -32600, "a name twice")

    worker = p.children()["worker-0"]
    begin(p, call("slow", id_="w"))
    os.kill(worker, signal.SIGKILL)
    m = p.recv_for("w")
    ok(m["error"]["code"] == -32603 and "lost" in m["error"]["message"], "the worker dies: its call is told so", m)
    until(lambda: p.children().get("worker-0", worker) != worker)
    is_(text(p.request("tools/call", {"name": "echo", "arguments": {}}, id_="w2")), "{}", "another serves the next")

    begin(p, call("slow", id_="last"))
    p.send(call("echo", id_="e"))
    p.close_input()
    p.recv_for("e")
    server.gate.set()
    is_(text(p.recv_for("last")), "at last", "at the end of input what is in flight is answered")
    server.gate.clear()
    is_((p.line(), p.wait()), (None, 0), "and then it ends, status 0")
    pure(p, "this revision")

# ---- old revisions
for version in ("2025-11-25", "2025-06-18", "2025-03-26"):
    with Stdio(CONFIG) as p:
        until(lambda: not server.listens)     # what the one before has left
        r = p.initialize(version, {"elicitation": {}})
        is_(r["result"]["protocolVersion"], version, "%s: initialize" % version)
        is_(sorted(t["name"] for t in p.old("tools/list")["result"]["tools"]), ["ask", "big", "echo", "slow"], "%s: tools/list" % version)
        for id_ in (0, "zero", 2**40):
            p.send(old_call("echo", {"a": 1}, id_))
            is_(text(p.recv_for(id_)), '{"a": 1}', "%s: tools/call with the id %r" % (version, id_))
        is_(p.old("ping", id_=9)["result"], {}, "%s: ping" % version)
        until(lambda: any(asked.get("toolsListChanged") for asked, _ in server.listens))
        [said for asked, said in server.listens if asked.get("toolsListChanged")][0].put(("notifications/tools/list_changed", {}))
        m = p.recv()
        ok(m["method"] == "notifications/tools/list_changed" and IMCP + "subscriptionId" not in m.get("params", {}).get("_meta", {}), "%s: news of the session" % version, m)
        gone = server.gone
        begin(p, old_call("slow", id_="s"))
        p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}})
        ok(until(lambda: server.gone == gone + 1), "%s: cancelling reaches the upstream" % version)
        if version != "2025-03-26":
            p.send(old_call("ask", id_="q"))
            question = p.recv()
            is_(question.get("method"), "elicitation/create", "%s: a question to the client" % version)
            is_(text(p.old("tools/call", {"name": "echo", "arguments": {}}, id_="meanwhile")), "{}", "%s: others are served meanwhile" % version)
            p.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"n": "Ada"}}})
            is_(text(p.recv_for("q")), "Ada state of you", "%s: its answer brings the result" % version)
        else:
            p.send(json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]).encode() + b"\n")
            got = {}
            while len(got) < 2:
                m = p.recv()
                got.update({x["id"]: x for x in (m if isinstance(m, list) else [m])})
            ok(got[1]["result"] == {} and got[2]["result"]["tools"], "%s: a batch" % version, got)
        is_(p.request("tools/list", id_="new")["result"]["resultType"], "complete", "%s: a request of this revision on the same pipe" % version)

        elder = p.children()["elder"]
        os.kill(elder, signal.SIGKILL)
        until(lambda: p.children().get("elder", elder) != elder)
        until(lambda: "begun anew" in p.stderr() or p.old("ping", id_="again").get("result") == {})
        ok(until(lambda: p.old("ping", id_="again").get("result") == {}), "%s: a session that is lost is begun anew" % version, p.stderr())
        p.close_input()
        is_(p.wait(), 0, "%s: it ends, status 0" % version)
        pure(p, version)

# ---- who may, and who may not
with Stdio({**CONFIG, "policy": [{"allow": "echo", "roles": ["reader"]}]}) as p:
    is_([t["name"] for t in p.request("tools/list")["result"]["tools"]], ["echo"], "the policy holds for the caller of identity.stdio")
    is_(p.request("tools/call", {"name": "slow"}, id_=2)["error"]["code"], -32602, "what it may not use does not exist")
    r = p.initialize()
    is_([t["name"] for t in p.old("tools/list", id_=3)["result"]["tools"]], ["echo"], "nor for an old client")
with Stdio({**CONFIG, "identity": {"anonymous": {"tenant": "t", "roles": ["reader"]}}, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"}}) as p:
    ok(p.request("tools/list")["result"]["tools"], "without identity.stdio it is the anonymous caller")
    names = p.children()
    ok("desk" not in names and [n for n in names if n.startswith("worker")] == ["worker-0"], "one worker, and no admin listener", names)
    with open("/proc/net/tcp") as f:
        ports = {line.split()[1] for line in f.readlines()[1:] if line.split()[3] == "0A"}
    inodes = set()
    for pid in [p.pid, *names.values()]:
        for fd in os.listdir("/proc/%d/fd" % pid) if os.geteuid() == 0 else ():
            try:
                inodes.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
            except OSError:
                pass
    with open("/proc/net/tcp") as f:
        listening = {"socket:[%s]" % line.split()[9] for line in f.readlines()[1:] if line.split()[3] == "0A"}
    ok(not inodes & listening, "no listener is opened")
    p.proc.send_signal(signal.SIGHUP)
    until(lambda: "SIGHUP" in p.stderr())
    ok(p.request("tools/list", id_=2)["result"]["tools"], "SIGHUP changes nothing")
    begin(p, call("slow", id_="s"))
    p.proc.send_signal(signal.SIGTERM)
    until(lambda: "stopping" in p.stderr())
    server.gate.set()
    is_(text(p.recv_for("s")), "at last", "SIGTERM: what is in flight is answered")
    server.gate.clear()
    is_(p.wait(), 0, "and it ends, status 0")
    pure(p, "SIGTERM")
with Stdio({**CONFIG, "legacy_clients": False}) as p:
    m = p.old("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}, id_="i")
    ok(m["error"]["code"] == -32022 and m["error"]["data"]["supported"] == ["2026-07-28"], "old clients are not served: initialize is told what is", m)
    ok(p.request("tools/list")["result"]["tools"], "others are")
    ok("elder" not in p.children(), "there is no elder")
    r = subprocess.Popen([BINARY, "stdio", "-c", p.config_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    r.stdout.close()
    r.stdin.write(json.dumps(call("echo", id_="z")).encode() + b"\n")
    r.stdin.flush()
    is_(r.wait(60), 0, "a client that reads no more: it ends")

key = {"identity": {"keys": [{"id": "k", "sha256": "0" * 64, "tenant": "t"}]}, "policy": [], **CONFIG, "listeners": [{"address": "127.0.0.1:0"}]}
r = run("stdio", config=key, stdin="")
ok(r.returncode == 1 and r.stdout == "" and '/identity: who calls over stdio is not said; write such as "stdio": {"tenant": "local", "roles": ["reader"]}' in r.stderr,
   "a configuration that does not say who calls: refused, status 1", r.stderr)
only = {"identity": {"stdio": {"tenant": "t"}}, "policy": [], **CONFIG}
r = run("serve", config=only)
ok(r.returncode == 1 and 'there are no "listeners", so this is for "postern stdio"' in r.stderr, "a configuration without listeners is not for serve", r.stderr)
r = run("check", config=only)
ok(r.returncode == 0 and "0 listeners" in r.stdout, "but right", r.stderr)
r = run("stdio", config="{")
ok(r.returncode == 1 and r.stdout == "" and r.stderr, "a wrong configuration: nothing on standard output", r.stderr)
r = run("stdio", "-c", "/nowhere/postern.json")
ok(r.returncode == 3 and r.stdout == "" and r.stderr, "none: status 3", r.stderr)
r = run("stdio")
ok(r.returncode == 2 and r.stdout == "" and "usage: postern stdio" in r.stderr, "no file: usage, status 2", r.stderr)

# Whatever standard input is: a file, nothing, a pipe that ends without a newline.
with Stdio({**CONFIG}) as p:
    p.close_input()
    is_((p.line(), p.wait()), (None, 0), "an input that ends at once")
    runs = [run("stdio", "-c", p.config_path) for _ in range(20)]  # it may be in any state of its start by then
    odd = [r.stderr for r in runs if (r.returncode, r.stdout) != (0, "") or " ended: " in r.stderr]
    ok(not odd, "and no alarm about processes that were not needed any more", "".join(odd[:1]))
    name = p.config_path + ".in"
    with open(name, "w") as f:
        f.write("\n".join(json.dumps(call("echo", {"n": i}, i)) for i in range(5)))
    with open(name) as f:
        r = subprocess.run([BINARY, "stdio", "-c", p.config_path], stdin=f, capture_output=True, text=True, timeout=120)
    is_((r.returncode, sorted(json.loads(x)["id"] for x in r.stdout.splitlines())), (0, [0, 1, 2, 3, 4]), "a file, without a last newline")
    with open(name) as f, open(name + ".out", "w+") as out:
        r = subprocess.run([BINARY, "stdio", "-c", p.config_path], stdin=f, stdout=out, stderr=subprocess.PIPE, timeout=120)
        out.seek(0)
        is_((r.returncode, len(out.read().splitlines())), (0, 5), "and to a file")

# More than there is room for, without reading an answer: all are answered, or told that it is too much.
with Stdio(CONFIG) as p:
    N = 200
    for i in range(N):
        p.send(call("echo", {"n": i}, i))
    got = [p.recv() for _ in range(N)]
    good = [m for m in got if "result" in m]
    ok(sorted(m["id"] for m in got) == list(range(N)) and len(good) >= 16, "200 at once: each has one answer (%d results)" % len(good))
    ok(all(json.loads(text(m))["n"] == m["id"] for m in good), "and no other's")
    ok(all(m["error"]["code"] == -32603 for m in got if "error" in m), "the rest are told to come again")
    p.close_input()
    is_(p.wait(), 0, "it ends")
    pure(p, "a flood")
done()
