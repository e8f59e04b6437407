"""TLS for the system tests: raw HTTP on a TLS connection, a Postern that everybody may use, an MCP server of ours behind TLS.

    from tls import TlsConn, client, OPEN, Upstream
    with TlsConn(p.port, client(pki.ca, "gw.example")) as c:       # a Conn (postern.py) that speaks TLS
        a = ask(c, "tools/list")

client() gives an ssl context that trusts one CA and wants one name; its `name` is sent as SNI and checked."""

import json
import os
import socket
import ssl
import subprocess
import threading

from postern import WAIT_S, Conn, request_bytes

# Everybody who reaches the listener may do everything.
OPEN = {"identity": {"anonymous": {"tenant": "local", "roles": ["user"]}}, "policy": [{"allow": "*", "roles": ["user"]}]}
SUITES_ECDSA = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}
SUITES_RSA = {s.replace("ECDSA", "RSA") for s in SUITES_ECDSA}


# ---------------------------------------------------------------- client side

def client(ca, name="localhost", cert=None, key=None, suites=None, check=True):
    """A context for TLS 1.2; cert, key: files of a client certificate. Old and weak things are left on, to be refused by the other side."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    ctx.set_ciphers((suites or "ALL") + ":@SECLEVEL=0")
    if check:
        ctx.load_verify_locations(ca)
    else:
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if cert:
        ctx.load_cert_chain(cert, key)
    ctx.name = name
    return ctx


class TlsConn(Conn):
    def __init__(self, port, ctx, timeout_s=WAIT_S, session=None):
        super().__init__(port, timeout_s)
        try:
            self.sock = ctx.wrap_socket(self.sock, server_hostname=ctx.name, session=session)
        except Exception:
            self.sock.close()
            raise

    def fill(self):
        try:
            return super().fill()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self.eof = True
            return False

    def fingerprint(self):
        import hashlib
        return hashlib.sha256(self.sock.getpeercert(binary_form=True)).hexdigest()


def ask(c, method, params=None, id_=1, **more):
    """One request on a connection that is there; the Answer."""
    c.send(request_bytes(method, params, id_, **more))
    return c.read_answer()


def bearer(token, scheme="Bearer"):
    return [("Authorization", "%s %s" % (scheme, token))]


def handshake(port, ctx, timeout_s=WAIT_S):
    """The connection, or the error that ended the handshake (as text). With a client certificate TLS 1.2 tells within the handshake."""
    try:
        return TlsConn(port, ctx, timeout_s)
    except (OSError, ssl.SSLError) as e:
        return "%s: %s" % (type(e).__name__, e)


def s_client(port, *args, send=b"", timeout_s=2 * WAIT_S):
    """openssl s_client against the port: CompletedProcess, text of both streams in stdout."""
    return subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, *args], input=send, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout_s)


def hello(name=b"localhost", suites=(0xc02b, 0xc02f), version=0x0303):
    """A plain ClientHello handshake message for TLS 1.2 with nothing unusual: to be cut, doubled, or put into odd records."""
    def v16(b):
        return len(b).to_bytes(2, "big") + b
    ext = b"\x00\x00" + v16(v16(b"\x00" + v16(name))) if name else b""
    ext += b"\x00\x0a" + v16(v16(b"\x00\x17")) + b"\x00\x0b\x00\x02\x01\x00" + b"\x00\x0d" + v16(v16(b"\x04\x03\x04\x01\x05\x03"))
    body = version.to_bytes(2, "big") + os.urandom(32) + b"\x00" + v16(b"".join(s.to_bytes(2, "big") for s in suites)) + b"\x01\x00" + v16(ext)
    return b"\x01" + len(body).to_bytes(3, "big") + body


def record(kind, data, version=0x0301):
    return bytes([kind]) + version.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


# ---------------------------------------------------------------- server side

def server(cert, key, ca=None, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_2):
    """A context for an upstream; with `ca` it demands a client certificate from there."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    ctx.minimum_version, ctx.maximum_version = low, high
    ctx.load_cert_chain(cert, key)
    if ca:
        ctx.load_verify_locations(ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
    return ctx


class Upstream:
    """An MCP 2026-07-28 server with one tool, `echo`, that says who called: on 127.0.0.1, in threads, behind TLS if it has a context.

    seen: (path, header dict, message or form text) of each request. `answer`, if set, is asked first: answer(path, headers, body) gives
    (status, header list, body bytes) or None. handshakes, resumed: how many TLS connections came, and how many went on with a session.
    open: the connections there are now. close: each answer ends its connection, as TLS wants it."""

    META = {"io.modelcontextprotocol/serverInfo": {"name": "upstream", "version": "1"}}
    TOOLS = ["echo"]

    def __init__(self, ctx=None, answer=None, text="good", tools=None, close=False):
        self.ctx, self.answer, self.text, self.close_each = ctx, answer, text, close
        self.tools = list(tools or self.TOOLS)
        self.seen, self.errors = [], []
        self.handshakes = self.resumed = 0
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.settimeout(600)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.ctx:
                s = self.ctx.wrap_socket(s, server_side=True)
                self.handshakes += 1
                self.resumed += bool(s.session_reused)
            self.open.add(s)
            with s, s.makefile("rb") as f:
                while self._one(s, f):
                    if self.close_each:
                        s.unwrap()
                        break
        except (OSError, ssl.SSLError, ValueError) as e:
            self.errors.append("%s: %s" % (type(e).__name__, e))
        finally:
            self.open.discard(s)

    def _one(self, s, f):
        first = f.readline()
        if not first:
            return False
        path = first.split()[1].decode()
        headers = {}
        for line in iter(f.readline, b"\r\n"):
            if not line:
                return False
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = f.read(int(headers.get("content-length", "0")))
        answered = self.answer(path, headers, body) if self.answer else None
        if answered is None:
            message = json.loads(body)
            self.seen.append((path, headers, message))
            answered = 200, [("Content-Type", "application/json")], json.dumps(self._mcp(message)).encode()
        else:
            self.seen.append((path, headers, body.decode("utf-8", "replace")))
        status, fields, body = answered
        fields = fields + [("Connection", "close")] * self.close_each
        head = ["HTTP/1.1 %d X" % status] + ["%s: %s" % h for h in fields] + ["Content-Length: %d" % len(body), "", ""]
        s.sendall("\r\n".join(head).encode() + body)
        return True

    def _mcp(self, message):
        method, more = message["method"], {"_meta": self.META, "resultType": "complete"}
        if method == "server/discover":
            more.update(supportedVersions=["2026-07-28"], capabilities={"tools": {}}, ttlMs=60000, cacheScope="private")
        elif method == "tools/list":
            more.update(tools=[{"name": t, "inputSchema": {"type": "object"}} for t in self.tools], ttlMs=60000, cacheScope="private")
        elif method == "tools/call":
            more.update(content=[{"type": "text", "text": self.text + ":" + message["params"]["name"]}])
        else:
            return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "Method not found"}}
        return {"jsonrpc": "2.0", "id": message["id"], "result": more}

    def close(self):
        self.listener.close()
