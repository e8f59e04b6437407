"""The measuring kit: processes pinned to cores, CPU time of whole process trees, paired rounds, one table.

The figure compared is the CPU time per request of all the server's processes (schedstat, nanoseconds on a core), measured around a number
of requests. Rounds alternate between the servers and medians are taken, since absolute figures drift by a quarter; only ratios inside one
run count. The server has one core, the load generator and the upstream the other.

BENCH_ROUNDS (10) and BENCH_REQUESTS (20000 per round) make a run shorter or longer.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from postern import ROOT, Postern, request_bytes  # noqa: E402,F401

BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build", "bench"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "20000"))
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]


def pin(core):
    return ["taskset", "-c", str(core)]


def tree(pid):
    """The process and everything below it."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            for task in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/children" % (p, task)) as f:
                    todo += [int(k) for k in f.read().split()]
        except OSError:
            pass
    return found


def cpu_ns(pid):
    """Time on a core of every thread of every process of the tree, so far."""
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/schedstat" % (p, task)) as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total


def pss_kb(pid):
    """Proportional set size of the tree in KB; None where the kernel does not show it to us."""
    total = 0
    for p in tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            return None
    return total


class Program:
    """A program of ours that prints `listening PORT`."""

    def __init__(self, name, core, *args):
        self.proc = subprocess.Popen(pin(core) + [os.path.join(BUILD, name), *args], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.pid = self.proc.pid
        line = self.proc.stdout.readline().split()
        if line[:1] != [b"listening"]:
            raise RuntimeError("%s did not start" % name)
        self.port = int(line[1])

    def stop(self):
        self.proc.terminate()
        self.proc.wait()


class Nginx:
    """nginx with a configuration of its own in a scratch directory: proxy_pass, one worker, kept connections both ways, no log. tls: a
    certificate of tests/lib/pki.py; then TLS 1.2 with what Postern offers, in its order, sessions by id in a cache."""

    TLS = """ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; ssl_ecdh_curve prime256v1:secp384r1;
    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_session_tickets off; ssl_session_cache shared:a:10m; ssl_session_timeout 1h;"""

    def __init__(self, upstream_port, core, tls=None):
        self.dir = tempfile.mkdtemp(prefix="postern-nginx-")
        os.chmod(self.dir, 0o755)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write("""
daemon off; worker_processes 1; pid %(dir)s/pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path %(dir)s/a; proxy_temp_path %(dir)s/b; fastcgi_temp_path %(dir)s/c; uwsgi_temp_path %(dir)s/d;
  scgi_temp_path %(dir)s/e; keepalive_requests 100000000; keepalive_timeout 600s;
  upstream up { server 127.0.0.1:%(up)d; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:%(port)d%(ssl)s; %(tls)s
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
""" % {"dir": self.dir, "up": upstream_port, "port": self.port, "ssl": " ssl" if tls else "", "tls": self.TLS % (tls.cert, tls.key) if tls else ""})
        self.proc = subprocess.Popen(pin(core) + ["nginx", "-p", self.dir, "-c", conf], stdin=subprocess.DEVNULL)
        self.pid = self.proc.pid
        wait_port(self.port, self.proc)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def wait_port(port, proc, tries=500):
    import time
    for _n in range(tries):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if proc.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError("nothing listens on port %d" % port)


def request_file(data):
    """The bytes of a request in a scratch file, gone at the end."""
    f = tempfile.NamedTemporaryFile(prefix="postern-request-")
    f.write(data)
    f.flush()
    return f


def call_bytes(tool, arguments, body_len=None, port=0):
    """A complete modern tools/call; body_len pads the body to that many bytes with an argument `pad`."""
    def build(pad):
        args = dict(arguments, **({"pad": "x" * pad} if body_len else {}))
        return request_bytes("tools/call", {"name": tool, "arguments": args}, host="127.0.0.1:%d" % port if port else "127.0.0.1")
    data = build(0)
    if body_len:
        have = len(data) - data.index(b"\r\n\r\n") - 4
        data = build(body_len - have)
        have = len(data) - data.index(b"\r\n\r\n") - 4
        assert have == body_len, have
    return data


def load(port, connections, requests, file, tls=()):
    """One run of the load generator. tls: file of the authority and name of the server."""
    r = subprocess.run(pin(LOAD_CORE) + [os.path.join(BUILD, "load"), str(port), str(connections), str(requests), file.name, *tls],
                       stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if r.returncode != 0:
        raise RuntimeError("the load generator failed")
    return json.loads(r.stdout)


class Figures:
    """What one server did over the rounds of one shape of load."""

    def __init__(self):
        self.cpu_us, self.p50, self.p99, self.rate = [], [], [], []

    def add(self, pid, port, connections, requests, file, tls=()):
        before = cpu_ns(pid)
        r = load(port, connections, requests, file, tls)
        self.cpu_us.append((cpu_ns(pid) - before) / 1000 / requests)
        self.p50.append(r["p50_us"])
        self.p99.append(r["p99_us"])
        self.rate.append(requests / r["seconds"])

    def median(self, name):
        return statistics.median(getattr(self, name))


def paired(servers, connections, rounds=ROUNDS, requests=REQUESTS):
    """servers: list of (name, pid, port, request file), and perhaps (authority, name) for TLS. Alternating rounds, the order turned each time; the first is a warm-up that does
    not count. Returns {name: Figures}."""
    figures = {s[0]: Figures() for s in servers}
    for s in servers:
        Figures().add(s[1], s[2], connections, max(connections, requests // 4), *s[3:])
    for n in range(rounds):
        for name, pid, port, *rest in servers if n % 2 == 0 else servers[::-1]:
            figures[name].add(pid, port, connections, requests, *rest)
    return figures


def ratio(figures, a, b, name="cpu_us"):
    """Median of the ratios of paired rounds."""
    return statistics.median(x / y for x, y in zip(getattr(figures[a], name), getattr(figures[b], name)))


def table(title, columns, rows):
    cells = [columns] + [[c if isinstance(c, str) else "%.2f" % c if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(columns))]
    print(title)
    for r in cells:
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))))


def verdict(what, value, target, unit=""):
    """One line: the figure against its target. A missed target is told, not hidden, and does not stop the others."""
    print("  %s: %.2f%s, target at most %g%s: %s" % (what, value, unit, target, unit, "met" if value <= target else "MISSED"))
    sys.stdout.flush()
