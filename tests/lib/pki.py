#!/usr/bin/env python3
"""Certificates and tokens that live for one test, made with the openssl command alone.

    from pki import Pki, Signer
    pki = Pki(directory)                                   # a root and an intermediate; pki.root.cert is what clients trust
    door = pki.issue("door", dns=["gw.example", "localhost"], key="p384")        # door.cert (with its chain), door.key: file names
    old = pki.issue("old", uri=["spiffe://acme/agent"], eku="clientAuth", start_s=-7200, end_s=-3600)
    idp = Signer(directory, "k1", "ES256")
    jwks_write(path, [idp.jwk()])
    token = idp.token({"iss": …, "aud": …})                 # at+jwt, valid for five minutes, unless claims or header say otherwise

As a command, for the tests written for Node (prints the files as JSON):

    pki.py DIRECTORY [NAME:KEY:EKU:SAN,SAN…]…              SAN: a DNS name, an IP address or a URI

Keys can be read by their owner only. That is the user a Postern started as root becomes, so that a reload can read them."""

import base64
import hashlib
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import time

POSTERN_ID = 65532
KEYS = {"p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "ed25519": ["-algorithm", "ED25519"],
        "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "rsa2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa3072": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "rsa4096": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"]}
ALGS = {"ES256": ("p256", "sha256", 32), "ES384": ("p384", "sha384", 48), "RS256": ("rsa2048", "sha256", 0), "RS384": ("rsa2048", "sha384", 0),
        "RS512": ("rsa2048", "sha512", 0)}

CA_CONF = """[ca]
default_ca = this
[this]
database = %(dir)s/%(name)s.index
serial = %(dir)s/%(name)s.serial
new_certs_dir = %(dir)s
unique_subject = no
default_md = %(hash)s
policy = any
email_in_dn = no
[any]
commonName = supplied
"""


def openssl(*args, data=None):
    r = subprocess.run(["openssl", *args], input=data, stdin=subprocess.DEVNULL if data is None else None, capture_output=True, timeout=120)
    if r.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (" ".join(args), r.stderr.decode("utf-8", "replace")))
    return r.stdout


def new_key(path, kind="p256"):
    openssl("genpkey", *KEYS[kind], "-out", path)
    os.chmod(path, 0o600)
    if os.geteuid() == 0:
        os.chown(path, POSTERN_ID, POSTERN_ID)
    return path


class Pair:
    """A certificate with its chain behind it (cert), the certificate alone (leaf), its key (key), SHA-256 of its DER in hex (fingerprint)."""

    def __init__(self, cert, leaf, key):
        self.cert, self.leaf, self.key = cert, leaf, key
        with open(leaf) as f:
            self.der = ssl.PEM_cert_to_DER_cert(f.read())
        self.fingerprint = hashlib.sha256(self.der).hexdigest()

    @property
    def thumbprint(self):
        """x5t#S256 of RFC 8705."""
        return b64url(hashlib.sha256(self.der).digest())


class Authority:
    def __init__(self, directory, name, above=None, key="p256"):
        self.dir, self.name, self.above = directory, name, above
        self.key = new_key(self.path("key"), key)
        self.hash = "sha384" if key == "p384" else "sha256"
        self.cert = self.path("pem")
        if above is None:
            openssl("req", "-x509", "-new", "-key", self.key, "-subj", "/CN=" + name, "-days", "90", "-" + self.hash, "-out", self.cert,
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        else:
            above.sign(self.key, name, self.cert, "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n")

    def path(self, end):
        return os.path.join(self.dir, "%s.%s" % (self.name, end))

    def sign(self, key, subject, out, extensions, start_s=-3600, end_s=90 * 86400):
        def stamp(offset):
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))
        conf, ext, asked = self.path("conf"), self.path("ext"), self.path("csr")
        if not os.path.exists(conf):
            with open(conf, "w") as f:
                f.write(CA_CONF % {"dir": self.dir, "name": self.name, "hash": self.hash})
            with open(self.path("index"), "w"), open(self.path("serial"), "w") as f:
                f.write("01%s\n" % os.urandom(14).hex())
        with open(ext, "w") as f:
            f.write("authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n" + extensions)
        openssl("req", "-new", "-key", key, "-subj", "/CN=" + subject, "-out", asked)
        openssl("ca", "-batch", "-config", conf, "-cert", self.path("pem"), "-keyfile", self.key, "-notext", "-in", asked,
                "-out", out, "-extfile", ext, "-startdate", stamp(start_s), "-enddate", stamp(end_s))
        os.chmod(out, 0o644)


class Pki:
    def __init__(self, directory, name="ca", key="p256"):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
        self.dir = directory
        self.root = Authority(directory, name, key=key)
        self.middle = Authority(directory, name + "-middle", self.root, key)
        self.ca = self.root.cert

    def issue(self, name, dns=(), uri=(), ip=(), key="p256", eku="serverAuth", start_s=-3600, end_s=90 * 86400, by=None, usage=None, more="", subject=None):
        """eku: serverAuth, clientAuth, both ("serverAuth,clientAuth"), any OID, or None for a certificate without the extension."""
        by = by or self.middle
        leaf, cert = (os.path.join(self.dir, name + end) for end in (".leaf.pem", ".pem"))
        new_key(os.path.join(self.dir, name + ".key"), key)
        names = ["DNS:" + n for n in dns] + ["URI:" + n for n in uri] + ["IP:" + n for n in ip]
        text = "basicConstraints=CA:FALSE\nkeyUsage=critical,%s\n" % (usage or "digitalSignature")
        text += "extendedKeyUsage=%s\n" % eku if eku else ""
        text += "subjectAltName=%s\n" % ",".join(names) if names else ""
        by.sign(os.path.join(self.dir, name + ".key"), subject or name, leaf, text + more, start_s, end_s)
        with open(cert, "w") as out:
            link, files = by, [leaf]
            while link.above is not None:
                files.append(link.cert)
                link = link.above
            for f in files:
                with open(f) as part:
                    out.write(part.read())
        os.chmod(cert, 0o644)
        return Pair(cert, leaf, os.path.join(self.dir, name + ".key"))


# ---------------------------------------------------------------- tokens (RFC 7515, 7517)

def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_signature(der, size):
    """r and s of `size` bytes each from the ASN.1 form that openssl writes."""
    out, at = b"", 3 if der[1] & 0x80 else 2
    for _n in range(2):
        length = der[at + 1]
        out += der[at + 2:at + 2 + length].lstrip(b"\0").rjust(size, b"\0")
        at += 2 + length
    return out


class Signer:
    """A key of an issuer."""

    def __init__(self, directory, kid, alg="ES256", key=None):
        self.kid, self.alg = kid, alg
        self.kind, self.hash, self.size = ALGS[alg]
        self.key = new_key(os.path.join(directory, "signer-%s.key" % kid), key or self.kind)

    def jwk(self, **more):
        der = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        if self.size:
            x, y = der[-2 * self.size:-self.size], der[-self.size:]
            jwk = {"kty": "EC", "crv": "P-256" if self.size == 32 else "P-384", "x": b64url(x), "y": b64url(y)}
        else:
            n = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().partition("=")[2]
            jwk = {"kty": "RSA", "n": b64url(bytes.fromhex(n)), "e": "AQAB"}
        return dict(jwk, kid=self.kid, use="sig", alg=self.alg, **more)

    def thumbprint(self):
        """RFC 7638, of the public key."""
        members = {k: v for k, v in self.jwk().items() if k in ("kty", "crv", "x", "y", "n", "e")}
        return b64url(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())

    def jws(self, header, claims):
        """Whatever header and claims are: a dict or bytes."""
        parts = [b64url(p if isinstance(p, bytes) else json.dumps(p, separators=(",", ":")).encode()) for p in (header, claims)]
        text = ".".join(parts)
        signature = openssl("dgst", "-" + self.hash, "-sign", self.key, data=text.encode())
        return text + "." + b64url(raw_signature(signature, self.size) if self.size else signature)

    def token(self, claims, header=None, now=None):
        """An access token of RFC 9068; a claim or header member that is None is left out."""
        now = int(time.time() if now is None else now)
        full = {"sub": "agent-1", "client_id": "agent-1", "iat": now, "exp": now + 300, "jti": b64url(os.urandom(12))}
        full.update(claims)
        head = {"typ": "at+jwt", "alg": self.alg, "kid": self.kid}
        head.update(header or {})
        return self.jws({k: v for k, v in head.items() if v is not None}, {k: v for k, v in full.items() if v is not None})

    def proof(self, method, uri, token=None, now=None, **more):
        """A DPoP proof (RFC 9449) by this key."""
        jwk = {k: v for k, v in self.jwk().items() if k in ("kty", "crv", "x", "y", "n", "e")}
        claims = {"htm": method, "htu": uri, "iat": int(time.time() if now is None else now), "jti": b64url(os.urandom(12))}
        if token is not None:
            claims["ath"] = b64url(hashlib.sha256(token.encode()).digest())
        claims.update(more)
        return self.jws({"typ": "dpop+jwt", "alg": self.alg, "jwk": jwk}, claims)


def jwks_write(path, keys):
    """Put in place whole, as a reload may read it at any time."""
    with open(path + ".new", "w") as f:
        json.dump({"keys": keys}, f)
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)
    return path


def secret_write(path, text):
    """A file that holds a secret."""
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    if os.geteuid() == 0:
        os.chown(path, POSTERN_ID, POSTERN_ID)
    return path


def main(directory, *wanted):
    pki = Pki(directory)
    made = {"ca": pki.ca}
    for order in wanted:
        name, key, eku, sans = order.split(":", 3)
        kinds = {"dns": [], "uri": [], "ip": []}
        for san in sans.split(","):
            try:
                ipaddress.ip_address(san)
                kinds["ip"].append(san)
            except ValueError:
                kinds["uri" if "://" in san else "dns"].append(san)
        pair = pki.issue(name, key=key or "p256", eku=eku or None, **kinds)
        made[name] = {"cert": pair.cert, "key": pair.key, "fingerprint": pair.fingerprint}
    print(json.dumps(made))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: pki.py DIRECTORY [NAME:KEY:EKU:SAN,SAN]...")
    main(*sys.argv[1:])
