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
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from raw_http import WAIT_S, Answer, Conn, raw, sse_data  # noqa: F401 (for who imports this)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("POSTERN", os.path.join(ROOT, "build", "postern"))
# What runs is not the product but a build for the sanitizers or valgrind: it has no walls, its memory is not the product's, and it is slow.
INSTRUMENTED = any(word in os.path.basename(BINARY) for word in ("san", "valgrind"))
VERSION = "2026-07-28"
# A sanitizer or valgrind build is slower to start; the limit is generous because only a failure ever waits it out.
START_S = 60.0
STOP_S = 60.0

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
    if INSTRUMENTED:
        skip_all("the memory of a sanitizer or valgrind build says nothing about the product's")


def until(test, seconds=WAIT_S):
    """True once test() is, looked at again and again; False when the time is over. An OSError is "not yet": who is asked may be away."""
    end = time.monotonic() + seconds
    while True:
        try:
            if test():
                return True
        except OSError:
            pass
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)


def free_port():
    """A port that is free, from those that the kernel gives to nobody by itself: nobody takes it before its user does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    for port in random.sample(range(10000, low), 100):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port below %d" % low)


def below(top):
    """Pid -> name, of the processes below this one."""
    by_parent = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
                    head, rest = f.read().rsplit(")", 1)
            except OSError:
                continue
            by_parent.setdefault(int(rest.split()[1]), []).append((int(entry), head.split("(", 1)[1]))
    found, todo = {}, [top]
    while todo:
        kids = by_parent.get(todo.pop(), [])
        found.update(kids)
        todo += [pid for pid, _ in kids]
    return found


def rss_kb(pid):
    """Resident memory: counted page by page where that may be looked at, else as the kernel says, which counts for each processor in batches (RSS_SLACK_KB)."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))
    except PermissionError:
        with open("/proc/%d/status" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


# How much two figures of rss_kb() may differ with nothing having happened.
RSS_SLACK_KB = 0 if os.geteuid() == 0 else max(32, 2 * os.cpu_count()) * os.cpu_count() * resource.getpagesize() // 1024


def memory(pid):
    """What can be read of a process's memory, piece by piece; each begins with the last 128 bytes of the one before it. For root only."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            at, end, tail = int(m[1], 16) if m else 0, int(m[2], 16) if m else 0, b""
            while at < end:
                n = min(1 << 16, end - at)
                try:
                    mem.seek(at)
                    part = mem.read(n)
                except (OSError, ValueError, OverflowError):
                    part = b""
                at += n
                if part.strip(b"\0"):    # most of it was never touched
                    yield tail + part
                tail = part[-128:]


def skip_all(reason):
    """Nothing in this file can run here."""
    _say("1..0 # SKIP " + reason)
    sys.exit(0)


def done():
    """Print the plan and leave: exit status 1 when a test failed, so that a run without prove shows it too."""
    if _count == 0:
        ok(False, "at least one test ran")
    if INSTRUMENTED:    # a role that ended for it has been started again, and the test may not have seen it
        found = "\n".join(re.findall(r"^.*?(?:==[0-9]+==|: runtime error: )(?s:.{,4000})", "".join(log.text() for log in _logs), re.M))
        ok(not found, "no report of the sanitizers or valgrind", found)
    _say("1..%d" % _count)
    sys.exit(1 if _failed else 0)


# ---------------------------------------------------------------- Postern

_running = []
_logs = []          # all that were ever read


def with_caller(config):
    """The configuration with a caller in it, without any proof and allowed everything, where it does not say itself who may do what."""
    return {"identity": {"anonymous": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*"}], **config}


def _stop_all():
    for p in list(_running):
        p.kill()


atexit.register(_stop_all)


class Log:
    """What a process says on a pipe. text() is all that was written before it is asked, whether somebody has read it yet or not."""

    def __init__(self, pipe):
        self._pipe, self._said, self._lock = pipe, bytearray(), threading.Lock()
        os.set_blocking(pipe.fileno(), False)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        _logs.append(self)

    def _take(self):
        """False at the end."""
        with self._lock:
            while True:
                try:
                    part = os.read(self._pipe.fileno(), 65536)
                except BlockingIOError:
                    return True
                if not part:
                    return False
                self._said += part

    def _run(self):
        comes = select.poll()
        comes.register(self._pipe, select.POLLIN)
        while self._take():
            comes.poll()

    def text(self):
        self._take()
        return self._said.decode("utf-8", "replace")


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
        self._log = None
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

    def spawn(self):
        """Start the process without waiting for it; start() is what most tests want."""
        env = dict(os.environ)
        env.update(self.env or {})
        command = self.wrap + [self.binary, "serve", "-c", self.config_path] + self.args
        self.proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=env, cwd=self.cwd)
        self.pid = self.proc.pid
        _running.append(self)
        self._log = Log(self.proc.stderr)
        self._threads = [threading.Thread(target=self._drain_out, args=(self.proc.stdout,), daemon=True), self._log.thread]
        self._threads[0].start()
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
        return self._log.text() if self._log else ""

    def generation(self):
        """Number of the configuration that serves, from the log: for a moment after a reload /ready may still be answered by the desk that leaves."""
        return int((re.findall(r"reloaded: generation (\d+) serves", self.stderr()) or ["1"])[-1])

    def reload(self, config=None, to_its_end=True):
        """SIGHUP, with another configuration if one is given. True when it was taken and the old generation has ended (until then an old worker may
        answer; to_its_end=False: is not waited for); False when it was refused."""
        was, refusals = self.generation(), self.stderr().count("reload refused")
        if config is not None:
            self.write_config(config)
        self.signal(signal.SIGHUP)
        until(lambda: self.stderr().count("reload refused") > refusals or self.generation() > was)
        if self.generation() == was:
            return False
        return not to_its_end or until(lambda: "generation %d has ended" % was in self.stderr())

    def signal(self, number):
        self.proc.send_signal(number)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def children(self):
        """Pids of the processes below this one (workers, providers, desk), the parent itself not among them."""
        return sorted(below(self.pid))

    def roles(self):
        """Name -> pid, of the same."""
        return {name: pid for pid, name in below(self.pid).items()}

    def role(self, name):
        """The pid of one of them, None if it does not run."""
        return self.roles().get(name)

    def metric(self, name):
        """A figure of /metrics; name: with its labels. None if it is not there."""
        for line in http_get(self.admin_port, "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return int(line.rsplit(" ", 1)[1])
        return None

    def ready(self):
        return http_get(self.admin_port, "/ready").status == 200

    def comes_again(self, name, was):
        """Waits until that role, which was process `was`, runs anew and everything is up."""
        return until(lambda: self.role(name) not in (None, was) and self.ready())

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


def call(p, method, params=None, id_=1, timeout_s=WAIT_S, **more):
    """One request on a fresh connection to a Postern (or a port number). Returns Answer; .message() is the reply."""
    port, path = (p.port, p.path) if isinstance(p, Postern) else (p, "/mcp")
    more.setdefault("path", path)
    return raw(port, request_bytes(method, params, id_, **more), timeout_s)


def http_get(port, path="/", headers=(), timeout_s=WAIT_S):
    """A plain GET, for the admin listener."""
    lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1", "Connection: close"]
    lines += ["%s: %s" % h for h in headers]
    return raw(port, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), timeout_s)
