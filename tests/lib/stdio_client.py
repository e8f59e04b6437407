"""A scripted client of `postern stdio`: lines in, lines out, nothing hidden."""
import json
import os
import queue
import subprocess
import tempfile
import threading
import time

from postern import BINARY, Log, _running, below

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
WAIT_S = 60


class Stdio:
    """One `postern stdio`. config: a dict; a caller (identity.stdio) and a policy are added where it has none."""

    def __init__(self, config, wrap=(), caller=True, binary=None, stderr=None):
        self._tmp = tempfile.TemporaryDirectory(prefix="postern-")
        os.chmod(self._tmp.name, 0o755)
        self.config_path = os.path.join(self._tmp.name, "postern.json")
        base = {"identity": {"stdio": {"tenant": "local", "roles": ["reader"]}}, "policy": [{"allow": "*"}]} if caller else {}
        with open(self.config_path, "w", encoding="utf-8") as f:
            json.dump({**base, **config}, f)
        self.proc = subprocess.Popen(list(wrap) + [binary or BINARY, "stdio", "-c", self.config_path],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.proc.pid
        self.raw = bytearray()        # all that came on standard output
        self._lines = queue.Queue()
        self.unasked = []             # messages that recv() passed over
        self._log = Log(self.proc.stderr)
        self._threads = [threading.Thread(target=self._out, daemon=True), self._log.thread]
        self._threads[0].start()
        _running.append(self)

    def _out(self):
        for line in self.proc.stdout:
            self.raw += line
            self._lines.put(line)
        self._lines.put(None)

    def stderr(self):
        return self._log.text()

    def send(self, message):
        """A message, or bytes as they are."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.proc.stdin.write(data)
        self.proc.stdin.flush()

    def line(self, wait_s=WAIT_S):
        """The next line of standard output as bytes; None at its end."""
        try:
            return self._lines.get(timeout=wait_s)
        except queue.Empty:
            raise RuntimeError("postern stdio said nothing for %g s\n%s" % (wait_s, self.stderr())) from None

    def recv(self, wait_s=WAIT_S):
        line = self.line(wait_s)
        return None if line is None else json.loads(line)

    def recv_for(self, id_, wait_s=WAIT_S):
        """The answer with this id; others are kept in `unasked`."""
        def is_it(m):
            return not isinstance(m, list) and "method" not in m and m.get("id") == id_ and type(m.get("id")) is type(id_)

        end = time.monotonic() + wait_s
        for m in self.unasked:
            if is_it(m):
                self.unasked.remove(m)
                return m
        while True:
            m = self.recv(max(0.1, end - time.monotonic()))
            if m is None:
                raise RuntimeError("postern stdio has ended\n" + self.stderr())
            if is_it(m):
                return m
            self.unasked.append(m)

    def request(self, method, params=None, id_=1, meta=None, wait_s=WAIT_S):
        """A request of 2026-07-28, and its answer."""
        self.send({"jsonrpc": "2.0", "id": id_, "method": method, "params": {**(params or {}), "_meta": {**META, **(meta or {})}}})
        return self.recv_for(id_, wait_s)

    def old(self, method, params=None, id_=1, wait_s=WAIT_S):
        """A request of an older revision, and its answer."""
        self.send({"jsonrpc": "2.0", "id": id_, "method": method, **({"params": params} if params is not None else {})})
        return self.recv_for(id_, wait_s)

    def initialize(self, version="2025-06-18", capabilities=None):
        r = self.old("initialize", {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": {"name": "t", "version": "1"}}, id_="init")
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return r

    def children(self):
        """Name -> pid of the processes below."""
        return {name: pid for pid, name in below(self.pid).items()}

    def close_input(self):
        self.proc.stdin.close()

    def wait(self, timeout_s=WAIT_S):
        status = self.proc.wait(timeout_s)
        for t in self._threads:
            t.join(10)
        return status

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if self in _running:
            _running.remove(self)
        try:
            self.proc.stdin.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        self._tmp.cleanup()
