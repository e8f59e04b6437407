"""Shared kit of the system tests: start Postern, speak raw HTTP to it, print TAP.

    from postern import Postern, ok, is_, done, raw, call
    with Postern(config) as p:                   # a dict, or the path of a configuration file
        r = call(p, "tools/list")                # one well-formed MCP request, JSON answer decoded
        is_(r.status, 200, "tools/list answers 200")
        r = raw(p.port, b"GET /mcp HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
    done()

`POSTERN` names another binary. Everything is on loopback; only processes started here are ended, by their pid.
Each wait has a limit, so a test can fail but never hang.
"""

import atexit
import json
import os
import queue
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("POSTERN", os.path.join(ROOT, "build", "postern"))
VERSION = "2026-07-28"
# A sanitizer or valgrind build is slower to start; the limit is generous because only a failure ever waits it out.
START_S = 60.0
STOP_S = 30.0

# ---------------------------------------------------------------- TAP

_count = 0
_failed = 0


def _say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def diag(text):
    """A TAP comment, shown with the failing test."""
    for line in str(text).splitlines() or [""]:
        sys.stderr.write("# " + line + "\n")
    sys.stderr.flush()


def ok(cond, name, why=None):
    """One test. `why` (text, or a function that makes it) is printed only when it fails. Returns bool(cond)."""
    global _count, _failed
    _count += 1
    cond = bool(cond)
    _say("%s %d - %s" % ("ok" if cond else "not ok", _count, str(name).replace("#", "\\#")))
    if not cond:
        _failed += 1
        if why is not None:
            diag(why() if callable(why) else why)
    return cond


def is_(got, want, name):
    """Equality with both sides shown."""
    return ok(got == want, name, lambda: "   got: %r\n  want: %r" % (got, want))


def skip(name, reason):
    """A test that cannot run here; the reason is part of the output."""
    global _count
    _count += 1
    _say("ok %d - %s # SKIP %s" % (_count, name, reason))


def need_files(n):
    """Lets this test (and the Postern it starts) have n open files, or skips it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
        except (ValueError, OSError):
            skip_all("only %d open files are allowed here, %d are needed (ulimit -n)" % (hard, n))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n), hard))


def need_product_memory():
    """Skips the test where the memory of what runs is not the product's."""
    if "san" in os.path.basename(os.environ.get("POSTERN", "")) or "valgrind" in os.environ.get("POSTERN", ""):
        skip_all("the memory of a sanitizer or valgrind build says nothing about the product's")


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def skip_all(reason):
    """Nothing in this file can run here."""
    _say("1..0 # SKIP " + reason)
    sys.exit(0)


def done():
    """Print the plan and leave: exit status 1 when a test failed, so that a run without prove shows it too."""
    if _count == 0:
        ok(False, "at least one test ran")
    _say("1..%d" % _count)
    sys.exit(1 if _failed else 0)


# ---------------------------------------------------------------- Postern

_running = []


def with_caller(config):
    """The configuration with a caller in it, without any proof and allowed everything, where it does not say itself who may do what."""
    return {"identity": {"anonymous": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*"}], **config}


def _stop_all():
    for p in list(_running):
        p.kill()


atexit.register(_stop_all)


class Postern:
    """One running `postern serve`.

    config   a dict (written to a scratch file; `listeners` and `admin` on port 0 are added when missing, and a caller: with_caller()) or a path.
    Set by start(): pid (the parent process), port (first listener), path, url, ports (all listeners), admin_port,
    and config_path. stderr() gives what was logged so far, stdout_lines what was printed.
    """

    def __init__(self, config, args=(), env=None, binary=None, wrap=(), cwd=None):
        self.args = list(args)
        self.env = env
        self.cwd = cwd
        self.binary = binary or BINARY
        self.wrap = list(wrap)          # e.g. ["valgrind", …] or ["taskset", "-c", "0"]
        self.proc = None
        self.pid = None
        self.port = None
        self.path = None
        self.url = None
        self.ports = []
        self.admin_port = None
        self.status = None
        self.stdout_lines = []
        self._err = bytearray()
        self._lines = queue.Queue()
        self._threads = []
        self._tmp = None
        if isinstance(config, dict):
            config = dict(config)
            config.setdefault("listeners", [{"address": "127.0.0.1:0", "path": "/mcp"}])
            config.setdefault("admin", {"address": "127.0.0.1:0"})
            self._tmp = tempfile.TemporaryDirectory(prefix="postern-")
            # Readable without the parent's rights: as root Postern drops to another id.
            os.chmod(self._tmp.name, 0o755)
            self.config_path = os.path.join(self._tmp.name, "postern.json")
            self.write_config(config)
        else:
            self.config_path = os.fspath(config)

    def write_config(self, config):
        """Replace the configuration file whole (for reload tests). Text is written as it is; a dict gets a caller (with_caller())."""
        text = config if isinstance(config, str) else json.dumps(with_caller(config), indent=1)
        part = self.config_path + ".new"
        with open(part, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(part, 0o644)
        os.replace(part, self.config_path)

    def _drain_out(self, pipe):
        for line in pipe:
            self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._lines.put(None)

    def _drain_err(self, pipe):
        while True:
            part = pipe.read1(65536)
            if not part:
                return
            self._err += part

    def spawn(self):
        """Start the process without waiting for it; start() is what most tests want."""
        env = dict(os.environ)
        env.update(self.env or {})
        command = self.wrap + [self.binary, "serve", "-c", self.config_path] + self.args
        self.proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=env, cwd=self.cwd)
        self.pid = self.proc.pid
        _running.append(self)
        for target, pipe in ((self._drain_out, self.proc.stdout), (self._drain_err, self.proc.stderr)):
            t = threading.Thread(target=target, args=(pipe,), daemon=True)
            t.start()
            self._threads.append(t)
        return self

    def next_line(self, timeout_s=START_S):
        """The next line of standard output, or None at its end. Raises when none comes in time."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise RuntimeError("postern printed nothing for %g s\n%s" % (timeout_s, self.stderr())) from None
        if line is not None:
            self.stdout_lines.append(line)
        return line

    def start(self, timeout_s=START_S):
        """Start and wait for `ready`. Raises RuntimeError with the log when it does not come up."""
        if self.proc is None:
            self.spawn()
        end = time.monotonic() + timeout_s
        while True:
            line = self.next_line(max(0.1, end - time.monotonic()))
            if line is None:
                self.wait()
                raise RuntimeError("postern ended before it was ready, status %s\n%s" % (self.status, self.stderr()))
            word = line.split()
            if len(word) == 3 and word[0] == "listening" and word[1] in ("http", "https"):
                where, slash, path = word[2].partition("/")
                self.ports.append(int(where.rpartition(":")[2]))
                if self.port is None:
                    self.port = self.ports[0]
                    self.path = slash + path
                    self.url = word[1] + "://" + word[2]
            elif word[:2] == ["admin", "http"] and len(word) == 3:
                self.admin_port = int(word[2].partition("/")[0].rpartition(":")[2])
            elif word == ["ready"]:
                return self

    def stderr(self):
        """What Postern logged so far."""
        return self._err.decode("utf-8", "replace")

    def generation(self):
        """Number of the configuration that serves, from the log: for a moment after a reload /ready may still be answered by the desk that leaves."""
        return int((re.findall(r"reloaded: generation (\d+) serves", self.stderr()) or ["1"])[-1])

    def signal(self, number):
        self.proc.send_signal(number)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def children(self):
        """Pids of the processes below this one (workers, providers, desk), the parent itself not among them."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            try:
                tasks = os.listdir("/proc/%d/task" % pid)
            except OSError:
                continue
            for task in tasks:
                try:
                    with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                        kids = [int(k) for k in f.read().split()]
                except OSError:
                    continue
                found += kids
                todo += kids
        return sorted(found)

    def wait(self, timeout_s=STOP_S):
        """Wait for the end; returns the exit status (negative: the signal that ended it)."""
        try:
            self.status = self.proc.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError("postern did not end within %g s\n%s" % (timeout_s, self.stderr())) from None
        self._reaped()
        return self.status

    def _reaped(self):
        for t in self._threads:
            t.join(5)
        if self in _running:
            _running.remove(self)

    def stop(self, timeout_s=STOP_S):
        """SIGTERM and wait. Returns the exit status."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self):
        """The hard way, for cleaning up: the parent and what it started."""
        if self.proc is None or self.proc.poll() is not None:
            if self in _running:
                _running.remove(self)
            return
        kids = self.children()
        self.proc.kill()
        self.proc.wait()
        for pid in kids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self._reaped()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            diag(self.stderr())
        self.stop()


def run(*args, config=None, timeout_s=START_S, env=None, stdin=None):
    """Run `postern ARGS` to its end; `config` (dict, with a caller, or text) is written to a scratch file given as -c FILE.
    Returns CompletedProcess with text streams; its `config_path` is the scratch file's name."""
    full = dict(os.environ)
    full.update(env or {})
    with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
        os.chmod(tmp, 0o755)
        command = [BINARY, *args]
        path = None
        if config is not None:
            path = os.path.join(tmp, "postern.json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(config if isinstance(config, str) else json.dumps(with_caller(config), indent=1))
            command += ["-c", path]
        r = subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout_s, env=full)
        r.config_path = path
        return r


# ---------------------------------------------------------------- HTTP, byte by byte

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

    def __init__(self, port, timeout_s=20.0, host="127.0.0.1"):
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

    def is_closed(self, wait_s=5.0):
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


def raw(port, data, timeout_s=20.0, close_wait_s=None):
    """Send the bytes on a fresh connection, read one response. `closed` tells whether the peer ended the connection;
    with close_wait_s it is waited for that long. Returns Answer."""
    with Conn(port, timeout_s) as c:
        c.try_send(data)
        a = c.read_answer()
        if close_wait_s is not None and not a.closed:
            a.closed = c.is_closed(close_wait_s)
        return a


# ---------------------------------------------------------------- MCP 2026-07-28

_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def envelope(method, params=None, id_=1, meta=None, version=VERSION):
    """A modern request as a dict: params._meta carries version and capabilities, `meta` adds to or replaces members."""
    params = dict(params or {})
    full = {"io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "postern-test", "version": "1"}}
    full.update(meta or {})
    params["_meta"] = {k: v for k, v in full.items() if v is not None}
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def header_value(text):
    """A Mcp-Name or Mcp-Param value: as it is, or the base64 form where it must be."""
    import base64
    plain = all(0x20 <= ord(c) <= 0x7e for c in text) and text == text.strip() and text != ""
    if plain and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    return "=?base64?" + base64.b64encode(text.encode("utf-8")).decode("ascii") + "?="


def http_post(body, headers, path="/mcp", host="127.0.0.1"):
    """The bytes of a POST. headers: list of (name, value); Content-Length is added."""
    if isinstance(body, str):
        body = body.encode("utf-8")
    lines = ["POST %s HTTP/1.1" % path, "Host: " + host]
    lines += ["%s: %s" % h for h in headers]
    lines += ["Content-Length: %d" % len(body), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def request_bytes(method, params=None, id_=1, meta=None, version=VERSION, path="/mcp", host="127.0.0.1",
                  drop=(), headers=(), body=None):
    """A complete, correct modern POST as bytes. drop: header names to leave out (lower case); headers: more to add;
    body: other bytes in place of the envelope."""
    message = envelope(method, params, id_, meta, version)
    if body is None:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    head = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"),
            ("MCP-Protocol-Version", version), ("Mcp-Method", method)]
    named = _NAMED.get(method)
    if named and isinstance(message["params"].get(named), str):
        head.append(("Mcp-Name", header_value(message["params"][named])))
    head = [h for h in head if h[0].lower() not in drop] + list(headers)
    return http_post(body, head, path, host)


def call(p, method, params=None, id_=1, timeout_s=20.0, **more):
    """One request on a fresh connection to a Postern (or a port number). Returns Answer; .message() is the reply."""
    port, path = (p.port, p.path) if isinstance(p, Postern) else (p, "/mcp")
    more.setdefault("path", path)
    return raw(port, request_bytes(method, params, id_, **more), timeout_s)


def http_get(port, path="/", headers=(), timeout_s=20.0):
    """A plain GET, for the admin listener."""
    lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1", "Connection: close"]
    lines += ["%s: %s" % h for h in headers]
    return raw(port, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), timeout_s)
