#!/usr/bin/env python3
"""Every listed call is used, and nothing else is: a run of the whole house under strace against seccomp/*.list.

The run serves files and an upstream with a credential, over TLS and without, fetches a key set, answers an error, reloads with a new listener,
loses a worker, and is stopped the hard way, so that each reason in the lists happens at least once."""
import collections
import json
import os
import platform
import re
import shutil
import signal
import socket
import ssl
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import http_server
from pki import Pki, Signer, secret_write
from postern import Postern, call, done, http_get, is_, raw, request_bytes, skip_all, until
from stdio_client import META, Stdio

if shutil.which("strace") is None:
    skip_all("strace is not installed")
if os.geteuid() != 0:
    skip_all("only root may read, through strace, what processes say that are not dumpable")
ARCH = "@" + {"x86_64": "x86_64", "aarch64": "aarch64"}.get(platform.machine(), "unknown")


def listed(role):
    """The calls of one list on this architecture."""
    found = set()
    with open(os.path.join(ROOT, "seccomp", role + ".list")) as f:
        for line in f:
            words = line.split("#")[0].split()
            if words and words[0].startswith("@"):
                if words[0] != ARCH:
                    continue
                words = words[1:]
            if words:
                found.add(words[0])
    return found


class Upstream(http_server.Handler):
    """Answers any MCP call with an empty result; enough for a link to be made and used."""

    def do_POST(self):
        self.answer(self.message(), {"resultType": "complete", "content": [], "tools": []})

    def do_GET(self):
        self.say(200, self.server.key_set, "application/jwk-set+json")


def comes(what, test):
    """Wait for an event that only shows from outside."""
    if not until(test):
        raise RuntimeError("never happened: " + what)


def run(trace, tmp):
    docs = os.path.join(tmp, "docs")
    os.makedirs(os.path.join(docs, "sub"))
    for name in ("a.txt", "sub/b.md"):
        with open(os.path.join(docs, name), "w") as f:
            f.write("hello\n" * 20)
    upstream = http_server.Server(Upstream)
    upstream.key_set = json.dumps({"keys": [Signer(tmp, "k1").jwk()]}).encode()
    pki = Pki(os.path.join(tmp, "pki"))
    gw = pki.issue("gw", dns=["gw.example"])
    trust = ssl.create_default_context(cafile=pki.ca)
    at = "http://127.0.0.1:%d" % upstream.port
    config = {"listeners": [{"address": "127.0.0.1:0"},
                            {"address": "127.0.0.1:0", "path": "/tls", "hosts": ["gw.example"], "tls": {"cert": gw.cert, "key": gw.key}}],
              "admin": {"address": "127.0.0.1:0"}, "timeouts": {"drain": "1s"}, "policy": [{"allow": "*"}],
              "identity": {"resource": "https://gw.example/tls", "anonymous": {"tenant": "local", "roles": ["reader"]},
                           "issuers": [{"issuer": "https://idp.example", "tenant": "local", "algorithms": ["ES256"], "jwks": {"url": at + "/keys"}}]},
              "mcpServers": {"docs": {"builtin": "files", "root": docs, "prompts": docs},
                             "up": {"url": at + "/mcp", "credentials": {"secret": {"file": secret_write(os.path.join(tmp, "secret"), "s3cret")}}},
                             "old": {"url": at + "/old", "era": "legacy"},
                             "run": {"command": "/usr/bin/env", "args": ["python3", os.path.join(ROOT, "tests", "lib", "stdio_server.py")]}}}
    p = Postern(config, wrap=["strace", "-f", "-qq", "-s", "64", "-o", trace])
    p.start()
    postern = p.roles()["postern"]

    def use(times):
        for _ in range(times):    # often enough that each worker gets its share of the connections
            r = call(p, "tools/list")
            if r.status == 200:
                call(p, "tools/call", {"name": "docs__list_files", "arguments": {"depth": 3}})
                call(p, "tools/call", {"name": "docs__read_file", "arguments": {"path": "a.txt"}})
                call(p, "tools/call", {"name": "docs__search_text", "arguments": {"query": "hello"}})
                call(p, "tools/call", {"name": "up__anything", "arguments": {}})
                call(p, "tools/call", {"name": "run__echo", "arguments": {}})
                call(p, "tools/call", {"name": "old__anything", "arguments": {}})
                call(p, "tools/call", {"name": "run__hush", "arguments": {}})
            with trust.wrap_socket(socket.create_connection(("127.0.0.1", p.ports[1]), timeout=60), server_hostname="gw.example") as s:
                s.sendall(request_bytes("tools/list", path="/tls", host="gw.example"))
                s.recv(1 << 16)
            old = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},' \
                b'"clientInfo":{"name":"c","version":"1"}}}'
            raw(p.port, b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(old), old), close_wait_s=5)
            raw(p.port, b"NONSENSE\r\n\r\n", close_wait_s=5)
        for page in ("/health", "/ready", "/metrics"):
            http_get(p.admin_port, page)

    use(3)
    killed = {name: p.role(name) for name in ("worker-0", "keeper", "broker")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    comes("they are started again", lambda: all(p.role(name) not in (None, pid) for name, pid in killed.items()) and p.ready())
    more = dict(config, listeners=config["listeners"] + [{"address": "127.0.0.1:0", "path": "/other"}, {"address": "[::1]:0", "path": "/six"}])
    if not os.path.exists("/proc/net/if_inet6"):
        more["listeners"].pop()
    p.write_config(more)
    os.kill(postern, signal.SIGHUP)
    comes("the reload", lambda: b"\"generation\":2" in http_get(p.admin_port, "/ready").body)
    comes("the end of the old generation", lambda: "generation 1 has ended" in p.stderr())
    use(3)
    # A worker that stands still does not drain, and is ended.
    os.kill(p.roles()["worker-1" if "worker-1" in p.roles() else "worker-0"], signal.SIGSTOP)
    os.kill(postern, signal.SIGTERM)
    p.wait(60)
    upstream.stop()


def run_stdio(trace, tmp):
    """The same, for one client at pipes: its own worker dies once under it."""
    with Stdio({"mcpServers": {"docs": {"builtin": "files", "root": os.path.join(tmp, "docs")}}, "memory": {"requests": 4}}, wrap=["strace", "-f", "-qq", "-s", "64", "-o", trace]) as p:
        p.initialize()
        p.old("tools/list")
        p.request("tools/list", id_=2)
        started = p.children()["worker-0"]
        os.kill(started, signal.SIGKILL)
        comes("another worker", lambda: p.children().get("worker-0", started) != started)
        p.request("tools/list", id_=3)
        p.send({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "docs__search_text", "arguments": {"query": "hello"}, "_meta": META}})
        p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}})
        p.request("tools/list", id_=5)
        p.close_input()
        p.wait()


def read_trace(trace):
    """Role -> calls after its filter; and all calls of roles on the way to it."""
    names, lines = {}, []
    with open(trace, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(\w+)\(", line)
            if not m:
                continue    # a signal, an exit, the second half of an interrupted line
            lines.append((m.group(1), m.group(2)))
            name = re.search(r'prctl\(PR_SET_NAME, "([a-z]+)(-(?:up|old)")?', line)
            if name:
                names.setdefault(m.group(1), name.group(1) + ("_http" if name.group(2) else ""))
    used, jailed = collections.defaultdict(set), set()
    for pid, what in lines:
        role = names.get(pid)
        if role is None or role == "launcher":
            continue        # a child of a proof, which must die of what it does; or what only the launcher, before the parent's filter, may do
        if pid in jailed:
            used[role].add(what)
        elif role != "postern":
            used["the way in"].add(what)
        if what == "seccomp":
            jailed.add(pid)
    return used


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    trace = os.path.join(tmp, "trace")
    run(trace, tmp)
    used = read_trace(trace)
    run_stdio(trace, tmp)
    used["stdio"] = read_trace(trace)["stdio"]
    # The parent's filter also binds what the roles do.
    used["parent"] = used.pop("postern") | used["the way in"] | used["worker"] | used["provider"] | used["desk"] \
        | used["keeper"] | used["broker"] | used["bridge"] | used["bridge_http"] | used["elder"] | used["stdio"]
    for role in ("parent", "worker", "provider", "desk", "keeper", "broker", "elder", "bridge", "bridge_http", "stdio"):
        is_(sorted(used[role] - listed(role)), [], "%s: nothing outside its list was called" % role)
        is_(sorted(listed(role) - used[role]), [], "%s: every call on its list was used" % role)
done()
