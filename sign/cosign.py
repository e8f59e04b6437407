"""cosign as a pen: it signs bytes with a key it holds the password of, in a network namespace where the system gives one."""
import base64
import functools
import hashlib
import json
import os
import subprocess
import tempfile

from oci import Wrong, read, write

# Without these two, cosign asks the public log's infrastructure on the network where to log and whom to trust.
NO_LOG = '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
NO_ROOT = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'


@functools.cache
def _cut_off():
    for command in (["unshare", "--net"], ["unshare", "--user", "--map-current-user", "--net"]):
        try:
            if subprocess.run(command + ["true"], capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return []


class Signer:
    def __init__(self, role, key, password):
        if not key:
            raise Wrong(f"no {role} key. Give {role.upper()}_KEY" if role != "release" else
                        "no release key. Give KEY=file or KEY=env://VARIABLE; docs/appliance/keys.md says how keys are made")
        self.role, self.key, self.password = role, key, password
        self.cosign = os.path.abspath(os.environ.get("COSIGN", "build/signtools/cosign3"))
        self._cut = _cut_off()
        self._public = None

    @classmethod
    def release(cls):
        e = os.environ
        return cls("release", e.get("KEY") or e.get("COSIGN_KEY"), e.get("COSIGN_PASSWORD", ""))

    @classmethod
    def attest(cls):
        e = os.environ
        return cls("attest", e.get("ATTEST_KEY") or e.get("COSIGN_ATTEST_KEY"), e.get("ATTEST_PASSWORD", e.get("COSIGN_PASSWORD", "")))

    def _run(self, home, *args):
        env = dict(os.environ, HOME=home, COSIGN_PASSWORD=self.password)
        run = subprocess.run([*self._cut, self.cosign, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode:
            raise Wrong(f"cosign {args[0]} with the {self.role} key: {run.stderr.strip()[-600:]}")
        return run.stdout

    def public(self):
        """PEM."""
        if self._public is None:
            with tempfile.TemporaryDirectory() as home:
                pem = os.path.join(home, "key.pub")
                self._run(home, "public-key", "--key", self.key, "--outfile", pem)
                self._public = read(pem)
        return self._public

    def fingerprint(self):
        body = b"".join(line for line in self.public().splitlines() if not line.startswith(b"-----"))
        return hashlib.sha256(base64.b64decode(body)).hexdigest()

    def _bundle(self, command, data, *flags):
        with tempfile.TemporaryDirectory() as home:
            for name, text in (("config", NO_LOG), ("root", NO_ROOT), ("data", data)):
                write(os.path.join(home, name), text)
            out = os.path.join(home, "bundle")
            self._run(home, command, "--key", self.key, "--signing-config", os.path.join(home, "config"),
                      "--trusted-root", os.path.join(home, "root"), "--yes", "--bundle", out, *flags, os.path.join(home, "data"))
            return read(out)

    def blob(self, data):
        """A bundle over bytes."""
        return self._bundle("sign-blob", data)

    def raw(self, data):
        """The bare signature over bytes, in base64."""
        return json.loads(self.blob(data))["messageSignature"]["signature"]

    def statement(self, data):
        """A bundle with an in-toto statement, byte for byte as given."""
        bundle = self._bundle("attest-blob", data, "--statement")
        if base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]) != data:
            raise Wrong("cosign has rewritten the statement")
        return bundle
