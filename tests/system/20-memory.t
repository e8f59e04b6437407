#!/usr/bin/env python3
"""Memory is laid out at start and does not follow what strangers do: 10,000 connections at rest, and a body of 1 GiB that is refused."""
import os
import socket
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from postern import RSS_SLACK_KB, Conn, Postern, call, done, is_, need_files, need_product_memory, ok, request_bytes, rss_kb, until

IDLE = 10000
BODY = 256 << 10  # the default of memory.body
need_files(IDLE + 500)
need_product_memory()


with tempfile.TemporaryDirectory() as root:
    os.chmod(root, 0o755)
    config = {"listeners": [{"address": "127.0.0.1:0", "path": "/mcp"}], "workers": 1, "names": "plain",
              "mcpServers": {"docs": {"builtin": "files", "root": root}}, "memory": {"connections": IDLE + 100},
              "timeouts": {"idle": "10m"}}
    with Postern(config) as p:
        worker = p.role("worker-0")
        request = request_bytes("tools/call", {"name": "list_files", "arguments": {}})
        for _n in range(200):  # what a worker touches once, it has touched now
            is_ok = call(p, "tools/call", {"name": "list_files", "arguments": {}}).status == 200
        ok(is_ok, "a call is answered")
        before = rss_kb(worker)
        conns = []
        for n in range(IDLE):
            c = Conn(p.port)
            if n % 10 == 0:  # some have been served before they rest
                c.send(request)
                if c.read_answer().status != 200:
                    ok(False, "connection %d is served" % n)
                    break
            conns.append(c)
        is_(len(conns), IDLE, "10,000 connections are open")
        is_(call(p, "tools/call", {"name": "list_files", "arguments": {}}).status, 200, "and a new one is served")
        grown = rss_kb(worker) - before - RSS_SLACK_KB
        ok(grown * 1024 / IDLE <= 512, "each costs at most 512 bytes of ours (%.0f)" % (grown * 1024 / IDLE), "the worker grew by %d KB" % grown)
        conns[-1].send(request)
        is_(conns[-1].read_answer().status, 200, "one that rested is served")
        for c in conns:
            c.close()

        # --- a body of 1 GiB in chunks: refused at the limit, whoever sends how much of it
        head = (b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Accept: application/json, text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent = [0] * 8

        def flood(n):
            with Conn(p.port, timeout_s=60) as c:
                try:
                    c.send(head)
                    while sent[n] < 1 << 30:
                        c.send(piece)
                        sent[n] += 65536
                except OSError:
                    pass  # cut off: that is the point

        def once():
            threads = [threading.Thread(target=flood, args=(n,)) for n in range(len(sent))]
            for t in threads:
                t.start()
            top = 0
            while any(t.is_alive() for t in threads):
                top = max(top, rss_kb(worker))
                threads[0].join(0.01)
            for t in threads:
                t.join()
            return top

        # What eight bodies can touch at once, touched: each is held one byte short of the limit until all of them are there.
        # How far floods overlap is up to the scheduler, so the first of them cannot be trusted to have touched all.
        part = head + b"%x\r\n" % BODY + b" " * (BODY - 1)
        held = []
        for _n in range(len(sent)):
            c = Conn(p.port, timeout_s=60)
            c.send(part)
            held.append(c)
        ok(until(lambda: p.metric('postern_pool_peak{pool="large"}') == len(held)), "eight bodies hold eight large buffers")
        for c in held:
            c.send(b" \r\n0\r\n\r\n")
            c.read_answer()
            c.close()
        first = once()
        for n in range(len(sent)):
            sent[n] = 0
        second = once()
        ok(second <= first + 64 + RSS_SLACK_KB, "8 bodies of 1 GiB: memory stays flat", "highest %d KB, then %d KB" % (first, second))
        ok(all(s < 1 << 30 for s in sent), "none of them was taken to its end", sent)
        limit = 8 * (2 * (2 << 20) + 65536) // 1024
        ok(first - before <= limit + IDLE * 512 // 1024, "and what they touched is the pool's large buffers at most (%d KB)" % (first - before))
        raw = socket.create_connection(("127.0.0.1", p.port))
        raw.sendall(head + piece * 8)
        raw.settimeout(60)
        got = b""
        while b"\r\n\r\n" not in got:
            more = raw.recv(65536)
            if not more:
                break
            got += more
        ok(got.startswith(b"HTTP/1.1 413 "), "who listens is told: 413", got[:200])
        raw.close()
        is_(call(p, "tools/call", {"name": "list_files", "arguments": {}}).status, 200, "and everybody else is served")
done()
