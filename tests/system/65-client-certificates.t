#!/usr/bin/env python3
"""mTLS in: which client certificates are somebody, and a matrix of those that are nobody. Who they are decides what they see and may call."""

import os
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Authority, Pki, Signer, jwks_write
from postern import Postern, done, is_, ok, raw, request_bytes, run
from tls import TlsConn, ask, bearer, client, handshake

tmp = tempfile.TemporaryDirectory(prefix="postern-mtls-")
os.chmod(tmp.name, 0o755)
pki = Pki(os.path.join(tmp.name, "pki"))
other = Pki(os.path.join(tmp.name, "other"), "other")
twin = Pki(os.path.join(tmp.name, "twin"), "ca")          # the names of ours, other keys
door = pki.issue("door", dns=["localhost"])
ACME, GLOBEX = "spiffe://acme/agent", "spiffe://globex/agent"


def agent(name, san=ACME, by=pki, **more):
    kind = {"uri": [san]} if "://" in san else {"dns": [san]}
    more.setdefault("eku", "clientAuth")
    return by.issue(name, **dict(kind, **more))


GOOD = {
    "a URI": (agent("acme"), "acme"), "a DNS name": (agent("dns", "agent.acme.example"), "acme"), "P-384": (agent("p384", key="p384"), "acme"),
    "RSA 2048": (agent("rsa", key="rsa2048"), "acme"), "RSA 3072": (agent("rsa3", key="rsa3072"), "acme"),
    "another tenant": (agent("globex", GLOBEX), "globex"), "both purposes": (agent("both", eku="serverAuth,clientAuth"), "acme"),
    "signed by the root itself": (agent("direct", by=pki, **{"eku": "clientAuth"}), "acme"),
}
direct = pki.issue("direct", uri=[ACME], eku="clientAuth", by=pki.root)
GOOD["signed by the root itself"] = (direct, "acme")

# The handshake itself refuses them.
leaf = agent("leaf")                                       # then used as if it were an authority
under_leaf = pki.issue("under-leaf", uri=[ACME], eku="clientAuth")
fake = Authority(pki.dir, "fake", None)
BAD = {
    "expired": agent("expired", start_s=-7200, end_s=-60), "not yet valid": agent("early", start_s=3600, end_s=7200),
    "of another authority": agent("foreign", by=other), "of an authority with our authority's name": agent("twin", by=twin),
    "for servers only": agent("server", eku="serverAuth"), "for signing code only": agent("code", eku="codeSigning"),
    "for any purpose, which names none": agent("any", eku="2.5.29.37.0"), "RSA of 1024 bits": agent("weak", key="rsa1024"),
}
# The handshake takes them, but they are nobody: 401.
NOBODY = {"with a name that is not mapped": agent("unmapped", "spiffe://acme/other"), "with a prefix of the name": agent("prefix", ACME[:-1]),
          "with more behind the name": agent("suffix", ACME + "/x"), "with the name in capitals": agent("capitals", "spiffe://acme/AGENT"),
          "with the URI's text as a DNS name": agent("dns-uri", "acme.agent.example")}
revoked = agent("revoked")

idp = Signer(tmp.name, "k1")
jwks = jwks_write(os.path.join(tmp.name, "jwks.json"), [idp.jwk()])
RESOURCE, ISSUER = "https://localhost/mcp", "https://idp.example"
IDENTITY = {"resource": RESOURCE,
            "certificates": [{"san": ACME, "tenant": "acme", "roles": ["reader"]}, {"san": "agent.acme.example", "tenant": "acme", "roles": ["reader"]},
                             {"san": GLOBEX, "tenant": "globex", "roles": ["reader"]}],
            "revoked_certificates": [revoked.fingerprint],
            "issuers": [{"issuer": ISSUER, "algorithms": ["ES256"], "jwks": jwks, "claims": {"tenant": "tenant"}, "roles": ["reader"]}]}
os.mkdir(os.path.join(tmp.name, "docs"))
CONFIG = {"names": "plain", "workers": 1, "identity": IDENTITY, "mcpServers": {"docs": {"builtin": "files", "root": os.path.join(tmp.name, "docs")}},
          "policy": [{"allow": "list_files", "tenants": ["acme"], "roles": ["reader"]}, {"allow": "file_info", "tenants": ["globex"], "roles": ["reader"]}],
          "listeners": [{"address": "127.0.0.1:0", "path": path, "tls": {"cert": door.cert, "key": door.key, "client_ca": pki.ca, "client": how}}
                        for path, how in (("/required", "required"), ("/optional", "optional"))]}
REQUIRED, OPTIONAL = 0, 1
SEES = {"acme": ["list_files"], "globex": ["file_info"]}


def ctx(pair=None):
    return client(pki.ca, "localhost", pair and pair.cert, pair and pair.key)


def status(listener, pair=None, headers=(), method="tools/list"):
    """HTTP status and the tools seen, or how the handshake ended."""
    c = handshake(p.ports[listener], ctx(pair))
    if isinstance(c, str):
        return c
    with c:
        try:
            a = ask(c, method, path=("/required", "/optional")[listener], headers=list(headers))
        except ssl.SSLError as e:          # the alert may come with the first reading
            return "%s: %s" % (type(e).__name__, e)
        if a.status is None:
            return "closed"
        return a.status if a.status != 200 else [t["name"] for t in a.message()["result"]["tools"]]


def matrix():
    for what, (pair, tenant) in GOOD.items():
        for listener in (REQUIRED, OPTIONAL):
            is_(status(listener, pair), SEES[tenant], "%s: is %s (%s)" % (what, tenant, ("required", "optional")[listener]))
    for what, pair in BAD.items():
        for listener in (REQUIRED, OPTIONAL):
            got = status(listener, pair)
            ok(isinstance(got, str), "a certificate %s ends the handshake (%s)" % (what, ("required", "optional")[listener]), got)
    for what, pair in list(NOBODY.items()) + [("that is revoked", revoked)]:
        for listener in (REQUIRED, OPTIONAL):
            got = status(listener, pair)
            ok(got == 401 or isinstance(got, str), "a certificate %s is nobody (%s)" % (what, ("required", "optional")[listener]), got)
    got = status(REQUIRED)
    ok(isinstance(got, str), "no certificate where one is required ends the handshake", got)
    is_(status(OPTIONAL), 401, "no certificate where it is optional, and nothing else: 401")
    is_(status(REQUIRED, GOOD["a URI"][0]), SEES["acme"], "after that, as ever")


def chains():
    """What openssl sends as a chain, in ways that Python's own client would not."""
    def s_client(cert, key, *more):
        r = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % p.ports[REQUIRED], "-CAfile", pki.ca, "-servername", "localhost", "-tls1_2",
                            "-quiet", "-ign_eof", "-cert", cert, "-key", key, *more],
                           input=request_bytes("tools/list", path="/required", headers=[("Connection", "close")]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return b"HTTP/1.1 200" in r.stdout, r.stdout[-600:]
    acme = GOOD["a URI"][0]
    got, why = s_client(acme.leaf, acme.key, "-cert_chain", pki.middle.cert)
    ok(got, "openssl: leaf and intermediate", why)
    got, why = s_client(acme.leaf, acme.key)
    ok(not got, "openssl: without the intermediate it is refused", why)
    # A leaf that signs another: it is no authority (CVE-2002-0862 and its kin).
    lone = Authority.__new__(Authority)
    lone.dir, lone.name, lone.above, lone.key, lone.cert, lone.hash = pki.dir, "leaf-as-ca", pki.middle, leaf.key, leaf.leaf, "sha256"
    os.symlink(leaf.leaf, lone.path("pem"))
    below = pki.issue("below", uri=[ACME], eku="clientAuth", by=lone)
    got, why = s_client(below.leaf, below.key, "-cert_chain", below.cert)
    ok(not got, "openssl: a certificate signed by somebody's leaf is refused", why)
    # Somebody else's certificate with one's own key.
    got, why = s_client(acme.leaf, under_leaf.key)
    ok(not got, "openssl: a certificate without its key is refused", why)
    got, why = s_client(fake.cert, fake.key)
    ok(not got, "openssl: a self-signed one is refused", why)


def resumption():
    """A resumed session would show no certificate, so none is resumed here."""
    c = ctx(GOOD["a URI"][0])
    c.options |= ssl.OP_NO_TICKET
    with TlsConn(p.ports[REQUIRED], c) as first:
        is_(ask(first, "tools/list", path="/required").status, 200, "a connection with a certificate")
        session = first.sock.session
    with TlsConn(p.ports[REQUIRED], c, session=session) as again:
        ok(not again.sock.session_reused and ask(again, "tools/list", path="/required").status == 200, "the next one is a full handshake again")


def bound():
    """RFC 8705: a token that is bound to a certificate is good on that one only."""
    acme, globex = GOOD["a URI"][0], GOOD["another tenant"][0]
    mine = {"iss": ISSUER, "aud": RESOURCE, "tenant": "acme", "cnf": {"x5t#S256": acme.thumbprint}}
    token = idp.token(mine)
    is_(status(OPTIONAL, acme, bearer(token)), SEES["acme"], "a bound token with its certificate")
    for what, pair in (("another certificate", globex), ("another certificate of the same name", GOOD["P-384"][0]), ("no certificate", None)):
        is_(status(OPTIONAL, pair, bearer(token)), 401, "a bound token with %s: 401" % what)
    is_(status(OPTIONAL, None, bearer(idp.token(dict(mine, cnf=None)))), SEES["acme"], "an unbound token needs none")
    is_(status(OPTIONAL, globex, bearer(idp.token(dict(mine, cnf=None)))), SEES["acme"], "and beside a certificate the token says who it is")
    for cnf in ({"x5t#S256": acme.thumbprint + "="}, {"x5t#S256": acme.fingerprint}, {"x5t#S256": ""}, {"x5t#S256": 5}, {}, [], "x", {"kid": "k1"}):
        is_(status(OPTIONAL, acme, bearer(idp.token(dict(mine, cnf=cnf)))), 401, "cnf %r: 401" % (cnf,))


def plain_http():
    a = raw(p.ports[OPTIONAL], request_bytes("tools/list", path="/optional"))
    ok(a.status is None, "no certificate helps who does not speak TLS", a)


with Postern(CONFIG) as p:
    for part in (matrix, chains, resumption, bound, plain_http):
        part()
is_(p.status, 0, "it stops in order")
with Postern(dict(CONFIG, identity=dict(IDENTITY, certificate_bound_tokens=True))) as p:
    acme = GOOD["a URI"][0]
    claims = {"iss": ISSUER, "aud": RESOURCE, "tenant": "acme"}
    is_(status(OPTIONAL, acme, bearer(idp.token(claims))), 401, "with certificate_bound_tokens an unbound token is 401")
    is_(status(OPTIONAL, acme, bearer(idp.token(dict(claims, cnf={"x5t#S256": acme.thumbprint})))), SEES["acme"], "  and a bound one is taken")
r = run("check", config=dict(CONFIG, identity=dict(IDENTITY, revoked_certificates=["xyz"])))
ok(r.returncode == 1 and "revoked_certificates" in r.stderr, "check: a fingerprint that is none is refused", r.stderr)
# The owner of a certificate that is trusted as it stands could make another with the same subject and key, and any name in it.
alone = GOOD["a URI"][0]
both = os.path.join(tmp.name, "both.pem")
with open(both, "w") as out:
    for part in (pki.ca, alone.leaf):
        with open(part) as f:
            out.write(f.read())
os.chmod(both, 0o644)
for what, path in (("alone", alone.leaf), ("beside a CA", both)):
    r = run("check", config=dict(CONFIG, listeners=[{"address": "127.0.0.1:0", "tls": {"cert": door.cert, "key": door.key, "client_ca": path}}]))
    ok(r.returncode == 1 and "client_ca" in r.stderr and "no CA" in r.stderr, "check: a client's own certificate as client_ca, %s, is refused" % what, r.stderr)
tmp.cleanup()
done()
