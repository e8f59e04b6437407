"""HTTP byte by byte, for the system tests: connections, answers as they came, server-sent events. postern.py hands all of it on."""

import json
import socket

# What is waited for comes at once or never: the limit is for a machine that has no time.
WAIT_S = 60.0

class Answer:
    """One HTTP response as it came. headers: list of (lower-case name, value) in order; body: bytes after de-chunking;
    raw: the bytes read; closed: True when the peer ended the connection (after or instead of the response);
    complete: the framing said the response was whole; rest: bytes after it (the next pipelined response)."""

    def __init__(self):
        self.status = None
        self.reason = ""
        self.headers = []
        self.body = b""
        self.raw = b""
        self.closed = False
        self.complete = False
        self.rest = b""

    def header(self, name, default=None):
        for n, v in self.headers:
            if n == name.lower():
                return v
        return default

    def count(self, name):
        return sum(1 for n, _ in self.headers if n == name.lower())

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def events(self):
        """The JSON of each server-sent event of the body."""
        return [json.loads(d) for d in sse_data(self.body)]

    def message(self):
        """The JSON-RPC message that answers: the body, or the last event of a stream."""
        if (self.header("content-type") or "").startswith("text/event-stream"):
            found = [m for m in self.events() if "result" in m or "error" in m]
            return found[-1] if found else None
        return self.json() if self.body else None

    def __repr__(self):
        return "Answer(%r, %r, %d bytes, closed=%r, complete=%r: %r)" % (
            self.status, self.headers, len(self.body), self.closed, self.complete, self.raw[:400])


def sse_data(data):
    """The data of each finished event in an SSE body (bytes or text)."""
    text = data.decode("utf-8") if isinstance(data, (bytes, bytearray)) else data
    out, lines = [], []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if lines:
                out.append("\n".join(lines))
            lines = []
        elif line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
    return out


class Conn:
    """A raw client connection. send() bytes, read_answer() the next response, events() one SSE message at a time."""

    def __init__(self, port, timeout_s=WAIT_S, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = bytearray()
        self.eof = False

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """Send what the peer takes; False when it closed or reset meanwhile."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def fill(self):
        """One more read. False at the end of the stream (or reset). TimeoutError when nothing comes."""
        if self.eof:
            return False
        try:
            part = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            part = b""
        if not part:
            self.eof = True
            return False
        self.buf += part
        return True

    def take(self, n):
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def _until(self, mark):
        while True:
            at = self.buf.find(mark)
            if at >= 0:
                return self.take(at + len(mark))
            if not self.fill():
                return None

    def read_head(self):
        """Status line and headers of the next response; None when the peer closed first. Strict: a malformed head raises."""
        a = Answer()
        head = self._until(b"\r\n\r\n")
        if head is None:
            a.raw = bytes(self.buf)
            a.closed = True
            return a
        a.raw = head
        lines = head[:-4].decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if parts[0] != "HTTP/1.1" or len(parts) < 2:
            raise ValueError("not an HTTP/1.1 status line: %r" % lines[0])
        a.status = int(parts[1])
        a.reason = parts[2] if len(parts) > 2 else ""
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise ValueError("bad header line: %r" % line)
            a.headers.append((name.lower(), value.strip(" \t")))
        return a

    def read_body(self, a):
        """Read the body of `a` to its end."""
        if a.status is None:
            return a
        if a.status < 200 or a.status in (204, 304):
            a.complete = True
            return a
        if (a.header("transfer-encoding") or "").lower() == "chunked":
            body = bytearray()
            while True:
                line = self._until(b"\r\n")
                if line is None:
                    break
                a.raw += line
                size = int(line.split(b";")[0].strip(), 16)
                need = size + 2
                while len(self.buf) < need and self.fill():
                    pass
                if len(self.buf) < need:
                    body += self.buf[:size]
                    break
                part = self.take(need)
                a.raw += part
                if part[size:] != b"\r\n":
                    raise ValueError("chunk without its CRLF: %r" % part[-8:])
                if size == 0:
                    a.complete = True
                    break
                body += part[:size]
            a.body = bytes(body)
        elif a.header("content-length") is not None:
            need = int(a.header("content-length"))
            while len(self.buf) < need and self.fill():
                pass
            a.body = self.take(need)
            a.raw += a.body
            a.complete = len(a.body) == need
        else:
            while self.fill():
                pass
            a.body = self.take(len(self.buf))
            a.raw += a.body
            a.complete = True
        return a

    def read_answer(self):
        """The next response, interim ones passed over."""
        while True:
            a = self.read_head()
            if a.status is not None and a.status < 200:
                continue
            self.read_body(a)
            a.rest = bytes(self.buf)
            a.closed = self.eof
            return a

    def is_closed(self, wait_s=WAIT_S):
        """True when the peer ends the connection within the time (unread bytes stay in buf)."""
        old = self.sock.gettimeout()
        self.sock.settimeout(wait_s)
        try:
            while self.fill():
                pass
            return True
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(old)

    def stream(self, a):
        """Generator over the SSE messages (decoded JSON) of a response whose head was read, as they come."""
        chunked = (a.header("transfer-encoding") or "").lower() == "chunked"
        text = bytearray()
        while True:
            at = text.find(b"\n\n")
            if at >= 0:
                event = bytes(text[:at + 2])
                del text[:at + 2]
                for data in sse_data(event):
                    yield json.loads(data)
                continue
            if not chunked:
                if not self.buf and not self.fill():
                    return
                text += self.take(len(self.buf))
                continue
            line = self._until(b"\r\n")
            if line is None:
                return
            size = int(line.split(b";")[0].strip(), 16)
            while len(self.buf) < size + 2:
                if not self.fill():
                    return
            text += self.take(size + 2)[:size]
            if size == 0:
                a.complete = True
                return

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


def raw(port, data, timeout_s=WAIT_S, close_wait_s=None):
    """Send the bytes on a fresh connection, read one response. `closed` tells whether the peer ended the connection;
    with close_wait_s it is waited for that long. Returns Answer."""
    with Conn(port, timeout_s) as c:
        c.try_send(data)
        a = c.read_answer()
        if close_wait_s is not None and not a.closed:
            a.closed = c.is_closed(close_wait_s)
        return a
