#!/usr/bin/env python3
"""tls-make.py >tls.pem: makes all certificates and keys that the unit tests and fuzzers of wire/tls and wire/x509 use, anew (needs
python3-cryptography). The keys are for tests only. Each block stands behind a line `# NAME`; a chain is leaf first."""
import datetime, ipaddress
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as EKU, NameOID

DATE = datetime.datetime
BEGIN, END = DATE(2024, 1, 1), DATE(2093, 12, 31)
SERVER, CLIENT, ANY = [EKU.SERVER_AUTH], [EKU.CLIENT_AUTH], [EKU.ANY_EXTENDED_KEY_USAGE]
serial = 1000


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def uris(*all):
    return [x509.UniformResourceIdentifier(u) for u in all]


def names(*all):
    return [x509.DNSName(d) for d in all]


def make(subject, key, issuer, san=(), eku=None, ca=False, begin=BEGIN, end=END, hash=hashes.SHA256(), usage=None, extra=()):
    """issuer: (name, key) or None for a self-signed one."""
    global serial
    serial += 1
    by_name, by_key = issuer or (subject, key)
    b = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(by_name)).public_key(key.public_key())
         .serial_number(serial).not_valid_before(begin).not_valid_after(end))
    b = b.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usage is not None:
        b = b.add_extension(usage, critical=True)
    if san:
        b = b.add_extension(x509.SubjectAlternativeName(san), critical=False)
    if eku is not None:
        b = b.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
    for e, critical in extra:
        b = b.add_extension(e, critical=critical)
    return b.sign(by_key, None if isinstance(by_key, ed25519.Ed25519PrivateKey) else hash)


def put(label, *certs):
    print("#", label)
    for c in certs:
        print(c.public_bytes(serialization.Encoding.PEM).decode(), end="")


def put_key(label, key):
    print("#", label)
    print(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                            serialization.NoEncryption()).decode(), end="")


p256, p384, p521 = (ec.generate_private_key(c()) for c in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
rsa2048, rsa3072, rsa1024 = (rsa.generate_private_key(65537, n) for n in (2048, 3072, 1024))
only_certs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)

ca_key, inter_key, other_key, ca384_key = (ec.generate_private_key(c()) for c in (ec.SECP256R1, ec.SECP256R1, ec.SECP256R1, ec.SECP384R1))
carsa_key = rsa.generate_private_key(65537, 2048)
CA, INTER, OTHER, CA384, CARSA = ("CA", ca_key), ("Inter", inter_key), ("Other CA", other_key), ("CA 384", ca384_key), ("CA RSA", carsa_key)
ca = make("CA", ca_key, None, ca=True)
inter = make("Inter", inter_key, CA, ca=True)
other = make("Other CA", other_key, None, ca=True)
ca384 = make("CA 384", ca384_key, None, ca=True, hash=hashes.SHA384())
carsa = make("CA RSA", carsa_key, None, ca=True)

for label, key in (("key-p256", p256), ("key-p384", p384), ("key-rsa2048", rsa2048), ("key-rsa3072", rsa3072)):
    put_key(label, key)
put("ca", ca)
put("all-cas", ca, ca384, carsa)
put("ca384", ca384)
put("other-ca", other)

# Servers.
put("server-p256", make("ignored", p256, INTER, names("a.test", "*.w.test"), SERVER), inter)
put("server-p384", make("ignored", p384, CA384, names("b.test"), SERVER, hash=hashes.SHA384()))
put("server-rsa", make("ignored", rsa2048, CARSA, names("c.test"), SERVER))
put("server-rsa-a", make("ignored", rsa2048, CARSA, names("a.test"), SERVER))
put("server-rsa3072", make("ignored", rsa3072, CA384, names("d.test"), SERVER, hash=hashes.SHA384()))
put("server-p384-sha256", make("ignored", p384, CA384, names("b.test"), SERVER))
put("server-expired", make("ignored", p256, CA, names("a.test"), SERVER, end=DATE(2024, 6, 1)))
put("server-future", make("ignored", p256, CA, names("a.test"), SERVER, begin=DATE(2080, 1, 1)))
put("server-no-eku", make("ignored", p256, CA, names("a.test")))
put("server-client-eku", make("ignored", p256, CA, names("a.test"), CLIENT))
put("server-common-name", make("a.test", p256, CA, (), SERVER))
put("server-other", make("ignored", p256, OTHER, names("a.test"), SERVER))
put("server-no-chain", make("ignored", p256, INTER, names("a.test"), SERVER))
put("server-self", make("self", p256, None, names("a.test"), SERVER))

# Clients.
spiffe = "spiffe://acme.test/agent/7"
put("client", make("ignored", p256, INTER, names("agent.test") + uris(spiffe), CLIENT), inter)
put("client-rsa", make("ignored", rsa2048, CA, uris(spiffe), CLIENT + SERVER))
put("client-p384", make("ignored", p384, CA384, uris(spiffe), CLIENT, hash=hashes.SHA384()))
put("client-no-names", make("nobody", p256, CA, (), CLIENT))
put("client-no-eku", make("ignored", p256, CA, uris(spiffe)))
put("client-server-eku", make("ignored", p256, CA, uris(spiffe), SERVER))
put("client-any-eku", make("ignored", p256, CA, uris(spiffe), ANY))
put("client-expired", make("ignored", p256, CA, uris(spiffe), CLIENT, end=DATE(2024, 6, 1)))
put("client-future", make("ignored", p256, CA, uris(spiffe), CLIENT, begin=DATE(2080, 1, 1)))
put("client-other", make("ignored", p256, OTHER, uris(spiffe), CLIENT))
put("client-four-names", make("ignored", p256, CA, names("one.test", "two.test") + uris("a:1", "a:2"), CLIENT))
put("client-five-names", make("ignored", p256, CA, names("one.test", "two.test", "three.test") + uris("a:1", "a:2"), CLIENT))
put("client-name-256", make("ignored", p256, CA, uris("a:" + "x" * 254), CLIENT))
put("client-name-257", make("ignored", p256, CA, uris("a:" + "x" * 255), CLIENT))
put("client-is-ca", make("ignored", p256, CA, uris(spiffe), CLIENT, ca=True))
put("client-usage", make("ignored", p256, CA, uris(spiffe), CLIENT, usage=only_certs))

# As long as a chain may be, and its CA behind it.
long_chain, at = [], CA
for i in range(7):
    k = ec.generate_private_key(ec.SECP256R1())
    long_chain.insert(0, make(f"Inter {i}", k, at, ca=True))
    at = (f"Inter {i}", k)
put("client-long", make("ignored", p256, at, uris(spiffe), CLIENT), *long_chain, ca)

# For x509_test alone.
mixed = names("a.test") + uris("a:b") + [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.RFC822Name("me@a.test")]
put("mixed-names", make("ignored", p256, CA, mixed, SERVER + CLIENT, end=DATE(2049, 12, 31, 23, 59, 59)))
put("names-32", make("ignored", p256, CA, names(*(f"n{i}.test" for i in range(32))), SERVER))
put("names-33", make("ignored", p256, CA, names(*(f"n{i}.test" for i in range(33))), SERVER))
put("uris-33", make("ignored", p256, CA, uris(*(f"a:{i}" for i in range(33))), SERVER))
put("key-p521", make("ignored", p521, CA, names("a.test"), SERVER))
put("key-rsa1024", make("ignored", rsa1024, CA, names("a.test"), SERVER))
put("key-ed25519", make("ignored", ed25519.Ed25519PrivateKey.generate(), CA, names("a.test"), SERVER))
put("large", make("ignored", p256, CA, uris(*("a:" + "y" * 400 for i in range(21))), CLIENT))
put("forever", make("ignored", p256, CA, names("a.test"), SERVER, begin=DATE(1999, 12, 31, 23, 59, 59), end=DATE(9999, 12, 31, 23, 59, 59)))
