#!/usr/bin/env python3
"""Strangers that hold what a pool has, and go on holding it: whoever needs none of it, or asks for little, is served as if they were not there."""
import os
import resource
import socket
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from postern import Conn, Postern, call, done, is_, ok, request_bytes, skip_all, until

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard != resource.RLIM_INFINITY and hard < 2048:
    skip_all("only %d open files are allowed here, 2048 are needed (ulimit -n)" % hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))

LARGE = 4
HOLDERS = 900   # more heads than small buffers
small = ("tools/call", {"name": "file_info", "arguments": {"path": "small.txt"}})
big = ("resources/read", {"uri": "files://docs/big.txt"})


def comes(test, name):
    ok(until(test), name)


with tempfile.TemporaryDirectory() as root:
    os.chmod(root, 0o755)
    with open(os.path.join(root, "small.txt"), "w") as f:
        f.write("small\n")
    with open(os.path.join(root, "big.txt"), "w") as f:
        f.write("x" * 200000)
    # What holds is held for ten minutes: an answer within a test's patience was not waited for behind it.
    config = {"workers": 1, "names": "plain", "mcpServers": {"docs": {"builtin": "files", "root": root}},
              "memory": {"large": LARGE}, "timeouts": {"head": "10m", "body": "10m", "write": "10m", "drain": "0s"}}
    with Postern(config) as p:
        is_(call(p, *small).status, 200, "a call is answered")

        # --- bodies that never end hold every large buffer; an answer that needs one must not stop the line it came on
        part = request_bytes("tools/list", body=b" " * 200000)[:60000]
        held = []
        for _n in range(LARGE):
            c = Conn(p.port)
            c.send(part)
            held.append(c)
        comes(lambda: p.metric('postern_pool_peak{pool="large"}') == LARGE, "all large buffers are held")
        asked = Conn(p.port)
        asked.send(request_bytes(*big))
        is_(asked.read_answer().status, 502, "an answer that needs a large buffer is refused at once (the call has been made: not 503)")
        for n in range(3):
            is_(call(p, *small).status, 200, "and a call that needs none is served beside it (%d)" % n)
        asked.close()
        for c in held:
            c.close()
        comes(lambda: p.metric("postern_connections_open") == 0, "they leave")
        a = call(p, *big)
        is_((a.status, len(a.message()["result"]["contents"][0]["text"])), (200, 200000), "once they have left the large answer comes")

        # --- heads that never end hold every small buffer
        held = []
        for _n in range(HOLDERS):
            s = socket.create_connection(("127.0.0.1", p.port))
            s.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            held.append(s)
        # the first may come before those have had their 200 ms
        comes(lambda: call(p, *small).status == 200, "unfinished heads that hold all small buffers give way to a call")
        is_([call(p, *small).status for _n in range(20)], [200] * 20, "and to those that follow")
        ok(p.metric('postern_refused_total{reason="slow"}') > 0, "which is counted")
        for s in held:
            s.close()
        comes(lambda: p.metric("postern_connections_open") == 0, "they leave too")
        is_(p.metric("postern_requests_open"), 0, "nothing is left of them")
done()
