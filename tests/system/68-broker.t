#!/usr/bin/env python3
"""The broker: secrets lie in it and nowhere else, are read anew at a reload, and nobody notices much when it dies. A token endpoint, a key set
and an introspection endpoint of ours, in plain on loopback, and upstreams that say what they were shown."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Signer, secret_write
from postern import INSTRUMENTED, Postern, call, done, is_, memory, ok, run, skip, until
from tls import Upstream

IS_ROOT = os.geteuid() == 0
tmp = tempfile.TemporaryDirectory(prefix="postern-broker-")
os.chmod(tmp.name, 0o755)
ISSUER, RESOURCE = "https://idp.example", "https://gw.example/mcp"


class Idp:
    """Counts what it is asked; its tokens are numbered."""

    def __init__(self):
        self.keys = [Signer(tmp.name, "one")]
        self.asked, self.number, self.broken = [], 0, None
        self.server = Upstream(answer=self.answer)
        self.url = "http://127.0.0.1:%d" % self.server.port

    def count(self, path):
        return sum(1 for p, _, _ in self.asked if p == path)

    def answer(self, path, headers, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.asked.append((path, headers, form))
        if self.broken:
            return self.broken
        if path == "/jwks":
            said = {"keys": [k.jwk() for k in self.keys]}
        elif path == "/token":
            self.number += 1
            said = {"access_token": "issued-%d-CANARY-token" % self.number, "token_type": "Bearer", "expires_in": 3600}
            if "subject_token" in form:
                said["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
        else:
            said = {"active": form.get("token") == "opaque-CANARY-token", "sub": "somebody", "client_id": "somebody", "aud": RESOURCE, "iss": ISSUER + "/opaque",
                    "exp": int(time.time()) + 600, "tenant": "acme"}
        return 200, [("Content-Type", "application/json")], json.dumps(said).encode()


idp = Idp()
ups = {name: Upstream(text=name) for name in ("fixed", "cc", "ex")}
files = {name: secret_write(os.path.join(tmp.name, name), text) for name, text in
         (("static", "static-CANARY-secret\n"), ("client", "client-CANARY-secret\n"), ("look", "look-CANARY-secret"))}
SECRETS = [b"static-CANARY-secret", b"client-CANARY-secret", b"look-CANARY-secret"]


def config(**more):
    endpoint = {"token_url": idp.url + "/token", "client_id": "gate", "client_secret": {"file": files["client"]}}
    credentials = {"fixed": {"secret": {"file": files["static"]}, "header": "X-Key"}, "cc": endpoint, "ex": {**endpoint, "grant": "token_exchange"}}
    c = {"workers": 2, "admin": {"address": "127.0.0.1:0"},
         "identity": {"resource": RESOURCE, "tenants": ["acme"], "keys": [],
                      "issuers": [{"issuer": ISSUER, "algorithms": ["ES256"], "jwks": {"url": idp.url + "/jwks"}, "tenant": "acme", "roles": ["user"]},
                                  {"issuer": ISSUER + "/opaque", "introspection": {"url": idp.url + "/look", "client_id": "gate",
                                                                                   "client_secret": {"file": files["look"]}}, "tenant": "acme", "roles": ["user"]}]},
         "policy": [{"allow": "*", "roles": ["user"]}],
         "mcpServers": {name: {"url": "http://127.0.0.1:%d/mcp" % up.port, "credentials": credentials[name]} for name, up in ups.items()}}
    del c["identity"]["keys"]
    c.update(more)
    return c


def token(key=None, **claims):
    return (key or idp.keys[0]).token({"iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "alice", "iat": int(time.time()),
                                       "exp": int(time.time()) + 600, "jti": "j", **claims})


def ask(p, server, bearer):
    return call(p, "tools/call", {"name": server + "__echo", "arguments": {}}, headers=[("Authorization", "Bearer " + bearer)])


def status(p, server, bearer):
    return ask(p, server, bearer).status


def shown(name, header="authorization"):
    """What an upstream has been shown with calls of tools."""
    return [h.get(header) for _, h, m in ups[name].seen if isinstance(m, dict) and m.get("method") == "tools/call"]


def scan(pid, wanted):
    """Which of the byte strings are in the memory of a process."""
    found = set()
    for part in memory(pid):
        found |= {w for w in wanted if w in part}
    return found


def serves():
    alice, bob = token(), token(sub="bob")
    with Postern(config()) as p:
        ok("broker" in p.roles(), "a configuration with credentials has a broker")
        is_([status(p, s, alice) for s in ("fixed", "cc", "ex")], [200] * 3, "calls of a caller whose token has a key that was fetched")
        is_(shown("fixed", "x-key"), ["static-CANARY-secret"], "a static secret goes where it belongs")
        ok(shown("cc")[0].startswith("Bearer issued-"), "a token of the gateway's own", shown("cc"))
        form = [f for path, _, f in idp.asked if path == "/token" and "subject_token" in f]
        is_([f["subject_token"] for f in form], [alice], "an exchanged one, for the caller's")
        before = idp.count("/token")
        for _ in range(5):
            is_([status(p, s, alice) for s in ("fixed", "cc", "ex")], [200] * 3, "calls again")
        is_(idp.count("/token"), before, "cost no more tokens")
        is_(status(p, "ex", bob), 200, "another caller")
        is_(idp.count("/token"), before + 1, "costs one")
        ok(not any(t and (alice in t or bob in t) for n in ups for t in shown(n)), "no caller's token goes upstream")
        is_(status(p, "fixed", "opaque-CANARY-token"), 200, "an opaque token is asked about")
        is_(status(p, "fixed", "opaque-unknown"), 401, "and so is one that is nobody's")

        if IS_ROOT and not INSTRUMENTED:
            seen = p.roles()
            issued = [b"issued-%d-CANARY-token" % n for n in range(1, idp.number + 1)]
            is_(len(scan(seen["broker"], SECRETS)), 3, "the broker has the secrets")
            for name, pid in sorted(dict(seen, parent=p.pid).items()):
                if name != "broker":
                    is_(scan(pid, SECRETS + issued), set(), "nothing of secrets or tokens can be read from %s" % name)
                with open("/proc/%d/environ" % pid, "rb") as e, open("/proc/%d/cmdline" % pid, "rb") as c:
                    ok(b"CANARY" not in e.read() + c.read(), "nor from its environment or command line")
        else:
            skip("memory of the processes", "only root may look into it, and a sanitizer keeps copies")

        # The broker dies.
        old = p.role("broker")
        os.kill(old, signal.SIGKILL)
        ok(status(p, "fixed", "nobody") in (401, 503), "while it is away a stranger is a stranger")
        ok(p.comes_again("broker", old), "it is started again")
        ok(until(lambda: [status(p, s, alice) for s in ("fixed", "cc", "ex")] == [200] * 3), "and calls go on")
        ok("broker (pid" in p.stderr() and "signal 9" in p.stderr(), "the log says that it ended")

        # Under load: answers may fail while it is away, and are never anything else.
        stop, got = [], []

        def load():
            while not stop:
                got.append(status(p, "cc", alice))
        threads = [threading.Thread(target=load, daemon=True) for _ in range(3)]
        for t in threads:
            t.start()
        for _ in range(3):
            n = len(got)
            until(lambda: len(got) > n + 10)
            pid = p.role("broker")
            if pid:
                os.kill(pid, signal.SIGKILL)
            until(lambda: p.role("broker") not in (None, pid))
        n = len(got)
        ok(until(lambda: 200 in got[n:]), "killed three times under load: it comes back")
        stop.append(1)
        for t in threads:
            t.join()
        ok(set(got) <= {200, 502, 503}, "an answer is right, or says that there is none", sorted(set(got)))

        # A hanging one.
        pid = p.role("broker")
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        r = ask(p, "cc", alice)
        ok(r.status in (502, 503) and time.monotonic() - began < 40, "one that hangs: no answer for ever", "%s after %.1f s" % (r.status, time.monotonic() - began))
        os.kill(pid, signal.SIGCONT)
        ok(until(lambda: status(p, "cc", alice) == 200), "and when it moves again calls go on")

        # A reload reads the secrets anew.
        before = p.stderr().count("reloaded")
        secret_write(files["static"], "other-CANARY-secret\n")
        is_(status(p, "fixed", alice), 200, "a changed file")
        is_(shown("fixed", "x-key")[-1], "static-CANARY-secret", "changes nothing by itself")
        p.signal(signal.SIGHUP)
        ok(until(lambda: p.stderr().count("reloaded") > before), "a reload", lambda: p.stderr())
        ok(until(lambda: status(p, "fixed", alice) == 200 and shown("fixed", "x-key")[-1] == "other-CANARY-secret"), "reads it anew")
        secret_write(files["static"], "\n")
        stop, got = [], []
        t = threading.Thread(target=load, daemon=True)
        t.start()
        until(lambda: len(got) > 10)
        p.signal(signal.SIGHUP)
        ok(until(lambda: "%s: it is empty" % files["static"] in p.stderr() and p.stderr().count("reload refused")),
           "an empty one stops the reload, and the line says which", lambda: p.stderr())
        n = len(got)
        until(lambda: len(got) > n + 10)
        stop.append(1)
        t.join()
        is_(set(got), {200}, "no caller has noticed")
        ok("CANARY" not in p.stderr() and "CANARY" not in "\n".join(p.stdout_lines), "nothing of a secret or a token in the log")
        is_(p.stop(), 0, "a clean end")
    secret_write(files["static"], "static-CANARY-secret\n")


def key_flood():
    stranger = Signer(tmp.name, "stranger")
    with Postern(config()) as p:
        ok(until(lambda: status(p, "fixed", token()) == 200), "a caller")
        before = idp.count("/jwks")
        began = time.monotonic()
        got = [status(p, "fixed", token(stranger)) for _ in range(60)]
        is_(set(got), {401}, "tokens of unknown keys are refused")
        ok(idp.count("/jwks") - before <= 1 + (time.monotonic() - began) // 60, "and cost one look at the key set a minute at most", idp.count("/jwks") - before)
        is_(status(p, "fixed", token()), 200, "the others go on")


def wrong_secrets():
    for what, text, words in (("empty", "", "it is empty"), ("two lines", "a\nX-Injected: b\n", "it has a byte that may not stand in a head line"),
                              ("too long", "x" * 5000, "it is longer than 4096 bytes"), ("binary", "a\x01b", "it has a byte that may not stand in a head line")):
        secret_write(files["client"], text)
        r = run("serve", config=config(listeners=[{"address": "127.0.0.1:0", "path": "/mcp"}]))
        is_((r.returncode, r.stdout), (3, ""), "%s: nothing is served" % what)
        ok("/mcpServers/cc/credentials/client_secret: %s: %s" % (files["client"], words) in r.stderr, "%s: the line says which" % what, r.stderr)
        ok(text == "" or text.split("\n")[-2 if "\n" in text else 0] not in r.stderr, "%s: and nothing of it" % what)
    secret_write(files["client"], "client-CANARY-secret\n")


serves()
key_flood()
wrong_secrets()
tmp.cleanup()
done()
