#!/usr/bin/env python3
"""The admin listener: three pages, for tools and not for browsers, and no way to hold it up."""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, call, done, http_get, is_, ok, raw

tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
config = {"names": "plain", "workers": 2, "mcpServers": {"docs": {"builtin": "files", "root": tmp.name}}}


def ask(p, lines, **more):
    return raw(p.admin_port, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), **more)


with Postern(config) as p:
    host = "Host: 127.0.0.1:%d" % p.admin_port
    r = http_get(p.admin_port, "/health")
    is_((r.status, r.body), (200, b"ok\n"), "/health")
    is_((r.header("cache-control"), r.header("x-content-type-options"), r.header("connection")), ("no-store", "nosniff", "close"), "its fields")
    r = http_get(p.admin_port, "/ready")
    is_((r.status, r.header("content-type")), (200, "application/json"), "/ready")
    is_(json.loads(r.body), {"ready": True, "generation": 1, "roles": {"up": 5, "wanted": 5}, "missing": json.loads(r.body)["missing"]}, "what it says")

    # --- metrics
    for _ in range(5):
        call(p, "tools/list")
    r = http_get(p.admin_port, "/metrics")
    is_((r.status, r.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"), "/metrics")
    helped, typed, values, order = {}, {}, {}, []
    for line in r.body.decode().splitlines():
        m = re.fullmatch(r"# HELP ([a-z_]+) (.+)", line)
        t = re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge|histogram)", line)
        v = re.fullmatch(r'([a-z_]+)((?:\{[a-z]+="[^"]+"\})?) (\d+)', line)
        if m:
            ok(m.group(1) not in helped, "one HELP for %s" % m.group(1))
            helped[m.group(1)] = m.group(2)
        elif t:
            ok(t.group(1) not in typed, "one TYPE for %s" % t.group(1))
            typed[t.group(1)] = t.group(2)
        elif v:
            family = v.group(1) if v.group(1) in typed else re.sub(r"_(bucket|sum|count)$", "", v.group(1))
            if not order or order[-1] != family:
                order.append(family)
            ok(v.group(1) + v.group(2) not in values, "once: %s" % (v.group(1) + v.group(2)))
            values[v.group(1) + v.group(2)] = int(v.group(3))
        else:
            ok(False, "a line of the exposition format", line)
    is_(sorted(order), sorted(typed), "each family has its TYPE, stands together, and has a sample")
    is_(sorted(helped), sorted(typed), "and its HELP")
    is_(values['postern_requests_total{method="tools/list"}'], 5, "five calls, over both workers together")
    buckets = [v for k, v in values.items() if k.startswith("postern_request_duration_ms_bucket")]
    is_(buckets, sorted(buckets), "a histogram's buckets are cumulative")
    is_(buckets[-1], values["postern_request_duration_ms_count"], "the last one is the count")
    ok(buckets[-1] >= 5, "and has the calls", values)
    is_(values['postern_roles{state="up"}'], 5, "roles are counted")

    # --- what it does not do
    for path in ("/", "/mcp", "/health/", "/healthz", "/HEALTH", "/..", "/%68ealth", "//health"):
        is_(http_get(p.admin_port, path).status, 404, "404: %s" % path)
    is_(http_get(p.admin_port, "/health?x=1").status, 200, "a query does not matter")
    for method in ("POST", "HEAD", "DELETE", "PUT", "OPTIONS", "TRACE"):
        r = ask(p, ["%s /health HTTP/1.1" % method, host, "Content-Length: 0"])
        is_((r.status, r.header("allow")), (405, "GET"), "405: %s" % method)
    is_(ask(p, ["GET /health HTTP/1.1", host, "Content-Length: 3", "", "abc"]).status, 400, "a GET with a body: 400")
    for name, status in (("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("10.0.0.1", 421)):
        is_(ask(p, ["GET /ready HTTP/1.1", "Host: %s:%d" % (name, p.admin_port)]).status, status, "Host %s: %d" % (name, status))
    for origin in ("http://evil.example", "http://127.0.0.1:%d" % p.admin_port, "null"):
        is_(ask(p, ["GET /metrics HTTP/1.1", host, "Origin: " + origin]).status, 403, "Origin %s: 403" % origin)
    is_(ask(p, ["GET /health HTTP/1.1"]).status, 400, "no Host: 400")
    is_(ask(p, ["GET /health HTTP/3.0", host]).status, 505, "another version: 505")
    is_(ask(p, ["GET /health HTTP/1.1", host, "X: " + "a" * 5000]).status, 431, "a head that is too long: 431")
    is_(raw(p.admin_port, b"\x16\x03\x01\x02\x00\x01\x00\n\n").status, 400, "bytes that are no HTTP: 400")
    r = raw(p.admin_port, (("GET /health HTTP/1.1\r\n%s\r\n\r\n" % host) * 2).encode(), close_wait_s=15)
    ok(r.status == 200 and r.closed and r.rest == b"", "one request a connection")
    is_(raw(p.admin_port, b"GET /health HTTP/1.0\r\n\r\n").status, 421, "HTTP/1.0 without Host: 421, as it names nothing that is served")

    # --- nobody holds it up: more idle connections than slots
    idle = [Conn(p.admin_port) for _ in range(40)]
    for c in idle[:20]:
        c.try_send(b"GET /health HT")
    is_(http_get(p.admin_port, "/health").status, 200, "40 connections that say nothing: the next is answered")
    # 41 connections, 16 slots. Which of the 40 the desk heard from last depends on how the machine shared its time.
    gone = sum(c.is_closed(0.3) for c in idle)
    ok(gone >= 25, "those silent longest had to give way", "%d are closed" % gone)
    ok(idle[-1].is_closed(), "the others are ended when their time is over")
    for c in idle:
        c.close()
    is_(http_get(p.admin_port, "/health").status, 200, "and the next at once")
    with Conn(p.admin_port) as c:
        c.try_send(("GET /metrics HTTP/1.1\r\n%s\r\n\r\n" % host).encode())
        # the answer is not read: the slot is given up in time, and nobody else waits for it
        is_(http_get(p.admin_port, "/health").status, 200, "a client that does not read its answer disturbs nobody")

no_admin = {k: v for k, v in config.items()}
with Postern(dict(no_admin, admin={"address": "[::1]:0"})) if os.path.exists("/proc/net/if_inet6") else Postern(no_admin) as p:
    ok(p.admin_port and len(p.children()) == 5, "an admin listener on IPv6")
tmp.cleanup()
done()
