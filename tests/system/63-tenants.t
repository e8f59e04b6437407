#!/usr/bin/env python3
"""Two tenants with opposite rights call at once, with equal ids, on connections of their own and on shared ones: 100,000 mixed calls, and not one
answer, name or byte of the other's. What one may not use looks exactly like what is not there."""

import hashlib
import json
import multiprocessing
import os
import re
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki, Signer, b64url, jwks_write
from postern import INSTRUMENTED, Conn, Postern, call, done, is_, ok, request_bytes
from tls import TlsConn, Upstream, bearer, client

CALLS = 4000 if INSTRUMENTED else 100000
BATCH = 25
TENANTS = ("acme", "globex")
CANARY = {t: "%s-CANARY-%s" % (t, os.urandom(8).hex()) for t in TENANTS}
OTHER = {"acme": "globex", "globex": "acme"}
RESOURCE, ISSUER = "https://gw.example/mcp", "https://idp.example"

tmp = tempfile.TemporaryDirectory(prefix="postern-tenants-")
os.chmod(tmp.name, 0o755)
idp = Signer(tmp.name, "k1")
jwks = jwks_write(os.path.join(tmp.name, "jwks.json"), [idp.jwk()])
pki = Pki(os.path.join(tmp.name, "pki"))
door = pki.issue("door", dns=["localhost"])
servers, keys = {}, {}
for t in TENANTS:
    root = os.path.join(tmp.name, t)
    os.makedirs(os.path.join(root, "prompts"))
    os.mkdir(os.path.join(root, "tree"))
    # Equal names on both sides, and a name that tells.
    for name in ("secret.txt", CANARY[t] + ".txt"):
        with open(os.path.join(root, "tree", name), "w") as f:
            f.write(CANARY[t] + "\n")
    with open(os.path.join(root, "prompts", "greet.md"), "w") as f:
        f.write("Greet %s for {{name}}.\n" % CANARY[t])
    servers[t + "docs"] = {"builtin": "files", "root": os.path.join(root, "tree"), "prompts": os.path.join(root, "prompts")}
    keys[t] = "postern_" + b64url(os.urandom(32))
shared = Upstream(text="shared")
servers["shared"] = {"url": "http://127.0.0.1:%d/mcp" % shared.port}


def echo(path, headers, body):
    """The shared server gives back the arguments, so that an answer shows whose it is."""
    message = json.loads(body)
    if message["method"] != "tools/call":
        return None
    result = {"resultType": "complete", "_meta": shared.META, "content": [{"type": "text", "text": json.dumps(message["params"].get("arguments"))}]}
    return 200, [("Content-Type", "application/json")], json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


shared.answer = echo
CONFIG = {
    "workers": 2, "mcpServers": servers, "listeners": [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": {"cert": door.cert, "key": door.key}}],
    "identity": {"resource": RESOURCE, "keys": [{"id": t + "-key", "sha256": hashlib.sha256(keys[t].encode()).hexdigest(), "tenant": t, "roles": ["user"]} for t in TENANTS],
                 "issuers": [{"issuer": ISSUER, "algorithms": ["ES256"], "jwks": jwks, "claims": {"tenant": "tenant", "roles": "roles"}}]},
    "policy": [{"allow": t + "docs__*", "tenants": [t], "roles": ["user"]} for t in TENANTS] + [{"allow": "shared__*", "roles": ["user"]}],
}
TOKENS = {t: idp.token({"iss": ISSUER, "aud": RESOURCE, "tenant": t, "roles": ["user"], "exp": int(time.time()) + 3600}) for t in TENANTS}
UNKNOWN = "nodocs"          # a server that nobody has


def shapes(tenant):
    """(what, method, params, kind) of the mix: kind is how the answer is judged."""
    mine, theirs = tenant + "docs", OTHER[tenant] + "docs"
    return [
        ("own tool", "tools/call", {"name": mine + "__read_file", "arguments": {"path": "secret.txt"}}, "own"),
        ("own search", "tools/call", {"name": mine + "__search_text", "arguments": {"query": "CANARY"}}, "own"),
        ("other's tool", "tools/call", {"name": theirs + "__read_file", "arguments": {"path": "secret.txt"}}, "unknown"),
        ("other's tool again", "tools/call", {"name": theirs + "__search_text", "arguments": {"query": "CANARY"}}, "unknown"),
        ("own resource", "resources/read", {"uri": "files://%s/secret.txt" % mine}, "own"),
        ("other's resource", "resources/read", {"uri": "files://%s/secret.txt" % theirs}, "unknown"),
        ("own prompt", "prompts/get", {"name": mine + "__greet", "arguments": {"name": "x"}}, "own"),
        ("other's prompt", "prompts/get", {"name": theirs + "__greet", "arguments": {"name": "x"}}, "unknown"),
        ("tools", "tools/list", {}, "list"), ("resources", "resources/list", {}, "list"), ("prompts", "prompts/list", {}, "list"),
        ("templates", "resources/templates/list", {}, "list"), ("discover", "server/discover", {}, "list"),
        ("shared tool", "tools/call", {"name": "shared__echo", "arguments": {"canary": CANARY[tenant]}}, "own"),
        ("own completion", "completion/complete", {"ref": {"type": "ref/prompt", "name": mine + "__greet"}, "argument": {"name": "name", "value": ""}}, "list"),
        ("other's completion", "completion/complete", {"ref": {"type": "ref/prompt", "name": theirs + "__greet"}, "argument": {"name": "name", "value": ""}}, "unknown"),
    ]


def authorization(tenant, how):
    return bearer(keys[tenant] if how == "key" else TOKENS[tenant])


def built(tenant, how):
    """The mix as bytes in two halves, around the id."""
    out = []
    for what, method, params, kind in shapes(tenant):
        data = request_bytes(method, params, id_=10 ** 9, headers=authorization(tenant, how))
        out.append((what, kind, data.partition(b"1000000000")))
    return out


def read_answers(sock, buf, n):
    """n answers of a pipeline: (status, body). Only what a gateway sends here: Content-Length."""
    found = []
    while len(found) < n:
        end = buf.find(b"\r\n\r\n")
        if end >= 0:
            m = re.search(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)", buf[:end])
            need = end + 4 + int(m[1])
            if len(buf) >= need:
                found.append((int(buf[9:12]), bytes(buf[end + 4:need])))
                del buf[:need]
                continue
        part = sock.recv(262144)
        if not part:
            raise RuntimeError("the connection ended after %d of %d answers: %r" % (len(found), n, bytes(buf[:200])))
        buf += part
    return found


def judge(tenant, what, kind, number, answer, unknown):
    """What is wrong with this answer; None: nothing."""
    status, body = answer
    if b'"id":%d,' % number not in body and b'"id":%d}' % number not in body:
        return "a foreign id"
    if CANARY[OTHER[tenant]].encode() in body:
        return "the other's canary"
    if kind == "own" and (status != 200 or CANARY[tenant].encode() not in body):
        return "not its own answer"
    if kind == "list" and (status != 200 or OTHER[tenant].encode() in body):
        return "the other's name in a list"
    if kind == "unknown" and (status, body.replace(b'"id":%d' % number, b'"id":0')) != unknown[what]:
        return "differs from an unknown name"
    return None


def load(index, port, tls_port, ca, count, unknown, results):
    """One client process: connections of one tenant by key, by token and by TLS, and one on which the tenants alternate."""
    done_, wrong, began = 0, [], time.monotonic()
    me = TENANTS[index % 2]
    conns = [(Conn(port, 300).sock, [me], "key"), (Conn(port, 300).sock, [me], "token"), (Conn(port, 300).sock, list(TENANTS), "token"),
             (TlsConn(tls_port, client(ca), 300).sock, [me], "token")]
    mixes = {(t, how): built(t, how) for t in TENANTS for how in ("key", "token")}
    buffers = [bytearray() for _ in conns]
    number = 0
    try:
        while done_ < count:
            sent = []
            for sock, tenants, how in conns:
                batch, text = [], []
                for i in range(BATCH):
                    tenant = tenants[i % len(tenants)]
                    what, kind, (a, _, b) = mixes[tenant, how][(number * 7 + i * 3 + index) % len(mixes[tenant, how])]
                    id_ = 10 ** 9 + (number * BATCH + i) % 1000         # the same few ids everywhere, of one length
                    text.append(a + b"%d" % id_ + b)
                    batch.append((tenant, what, kind, id_))
                sock.sendall(b"".join(text))
                sent.append(batch)
            number += 1
            for (sock, _, _), batch, buf in zip(conns, sent, buffers):
                for (tenant, what, kind, id_), answer in zip(batch, read_answers(sock, buf, len(batch))):
                    fault = judge(tenant, what, kind, id_, answer, unknown[tenant])
                    done_ += 1
                    if fault and len(wrong) < 20:
                        wrong.append("%s, %s: %s: %r" % (tenant, what, fault, answer))
    except (OSError, RuntimeError, ssl.SSLError) as e:
        wrong.append("%s: %s" % (type(e).__name__, e))
    results.put((done_, wrong, time.monotonic() - began))


def names(answer):
    """Every name and URI of a list."""
    return re.findall(r'"(?:name|uri|uriTemplate)":"([^"]*)"', answer.body.decode())


def all_pages(tenant, method):
    """Every name over all pages, and the cursors."""
    found, cursors, cursor = [], [], None
    for _n in range(20):
        a = call(p, method, {"cursor": cursor} if cursor else {}, headers=authorization(tenant, "key"))
        if a.status != 200:
            return a, cursors
        found += names(a)
        cursor = a.message()["result"].get("nextCursor")
        if cursor is None:
            break
        cursors.append(cursor)
    return found, cursors


with Postern(CONFIG) as p:
    # --- what an unknown name looks like, and that a refused one is the same byte for byte
    unknown = {}
    for tenant in TENANTS:
        unknown[tenant] = {}
        for what, method, params, kind in shapes(tenant):
            if kind != "unknown":
                continue
            theirs = OTHER[tenant] + "docs"
            absent = json.loads(json.dumps(params).replace(theirs, UNKNOWN))
            a = call(p, method, absent, id_=0, headers=authorization(tenant, "key"))
            b = call(p, method, params, id_=0, headers=authorization(tenant, "key"))
            unknown[tenant][what] = a.status, a.body.replace(UNKNOWN.encode(), theirs.encode())
            ok(a.status == b.status and "error" in a.message() and unknown[tenant][what] == (b.status, b.body), "%s: %s is what an unknown name is" % (tenant, what), (a, b))
            ok([h for h in a.headers if h[0] not in ("content-length", "date")] == [h for h in b.headers if h[0] not in ("content-length", "date")], "  its head too", (a, b))
    # --- lists, page by page
    for tenant in TENANTS:
        for method in ("tools/list", "resources/list", "prompts/list", "resources/templates/list"):
            found, cursors = all_pages(tenant, method)
            ok(isinstance(found, list) and found and not any(OTHER[tenant] in n for n in found), "%s: %s has nothing of the other's" % (tenant, method), found)
            ok(method.startswith("resources/t") or any(n.startswith(tenant) or "//" + tenant in n for n in found), "  and all of its own", found)
            for cursor in cursors:
                a = call(p, method, {"cursor": cursor}, headers=authorization(OTHER[tenant], "key"))
                ok(CANARY[tenant].encode() not in a.body and not (a.status == 200 and any(n.startswith(tenant) or "//" + tenant in n for n in names(a))), "  its cursor shows the other nothing of it", a)
        a = call(p, "tools/list", headers=authorization(tenant, "token"))
        is_(a.message()["result"]["cacheScope"], "private", "%s: what it sees is its own to keep" % tenant)
    # --- watching
    watch = {"notifications": {"resourceSubscriptions": ["files://acmedocs/secret.txt"], "toolsListChanged": True, "resourcesListChanged": True}}
    with Conn(p.port) as theirs, Conn(p.port) as own:
        heads = []
        for c, tenant in ((theirs, "globex"), (own, "acme")):
            c.send(request_bytes("subscriptions/listen", watch, headers=authorization(tenant, "key")))
            heads.append(c.read_head())
        is_([a.status for a in heads], [200, 200], "both listen")
        mine = own.stream(heads[1])
        first = next(mine)
        ok("acmedocs" in json.dumps(first), "the owner's subscription is honoured", first)
        with open(os.path.join(tmp.name, "acme", "tree", "secret.txt"), "a") as f:
            f.write("more\n")
        second = next(mine)
        ok(second.get("params", {}).get("uri") == "files://acmedocs/secret.txt" or "list_changed" in second.get("method", ""), "and told of the change", second)
        other = theirs.stream(heads[0])
        got = [next(other)]
        theirs.sock.settimeout(1.0)
        try:
            for m in other:
                got.append(m)
        except TimeoutError:
            pass
        ok(got and "acme" not in json.dumps(got), "the other is told nothing of it", got)
    # --- the load
    results = multiprocessing.Queue()
    each = CALLS // 4
    clients = [multiprocessing.Process(target=load, args=(i, p.ports[0], p.ports[1], pki.ca, each, unknown, results), daemon=True) for i in range(4)]
    began = time.monotonic()
    for c in clients:
        c.start()
    told = [results.get(timeout=1500) for _ in clients]
    for c in clients:
        c.join(30)
    total, wrong = sum(t[0] for t in told), [w for t in told for w in t[1]]
    ok(total >= CALLS, "%d mixed calls of two tenants in %.0f s" % (total, time.monotonic() - began))
    is_(wrong, [], "0 foreign answers, 0 foreign names")
    texts = [json.dumps(m) for _, _, m in shared.seen] + [str(h) for _, h, _ in shared.seen]
    ok(len(texts) > 100 and not any(keys[t] in x or TOKENS[t] in x for t in TENANTS for x in texts[:20000]), "and no credential of a caller went to the shared server")
    ok(not any(keys[t] in p.stderr() or TOKENS[t] in p.stderr() for t in TENANTS), "nor to the log")
is_(p.status, 0, "it stops in order")
tmp.cleanup()
done()
