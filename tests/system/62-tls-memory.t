#!/usr/bin/env python3
"""A TLS connection at rest gives its record buffers back: 10,000 of them cost less than 6 KB each, and each goes on where it was."""
import os
import ssl
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from pki import Pki
from postern import RSS_SLACK_KB, Postern, done, is_, need_files, need_product_memory, ok, request_bytes, rss_kb
from tls import OPEN, TlsConn, ask, client

IDLE = 10000
FULL = 500          # so many handshakes are whole ones; the others resume, which leaves the same behind
need_files(IDLE + 500)
need_product_memory()


with tempfile.TemporaryDirectory(prefix="postern-tls-") as tmp:
    os.chmod(tmp, 0o755)
    pki = Pki(os.path.join(tmp, "pki"))
    door = pki.issue("door", dns=["localhost"])
    config = dict(OPEN, listeners=[{"address": "127.0.0.1:0", "tls": {"cert": door.cert, "key": door.key}}], workers=1, names="plain",
                  mcpServers={"docs": {"builtin": "files", "root": tmp}}, memory={"connections": IDLE + 100},
                  timeouts={"idle": "10m", "handshake": "1m"})
    ctx = client(pki.ca)
    ctx.options |= ssl.OP_NO_TICKET
    with Postern(config) as p:
        worker, keeper = p.role("worker-0"), p.role("keeper")
        session, warm = None, []     # the worker keeps 256 sessions, so that of a late handshake is resumed
        for n in range(200):     # what a worker touches once, it has touched now: as many buffers as there are, too
            c = TlsConn(p.port, ctx)
            c.send(request_bytes("tools/list", id_=n))
            warm.append(c)
            if len(warm) == 100:
                statuses = {c.read_answer().status for c in warm}
                is_(statuses, {200}, "100 calls at once are answered")
                for c in warm:
                    c.close()
                warm = []
        before, before_keeper = rss_kb(worker), rss_kb(keeper)
        conns, resumed = [], 0
        for n in range(IDLE):
            c = TlsConn(p.port, ctx, session=session if n >= FULL else None)
            if n % 10 == 0:      # some have been served before they rest
                if ask(c, "tools/list", id_=n).status != 200:
                    ok(False, "connection %d is served" % n)
                    break
            resumed += bool(c.sock.session_reused)
            if n == FULL - 1:
                session = c.sock.session
            conns.append(c)
        is_(len(conns), IDLE, "10,000 TLS connections are open")
        is_(resumed, IDLE - FULL, "all but the first 500 by resuming a session")
        with TlsConn(p.port, ctx) as c:
            is_(ask(c, "tools/list").status, 200, "and a new one is served")
        grown = rss_kb(worker) - before
        ok(grown * 1024 / IDLE < 6144, "each costs less than 6 KB (%.0f bytes)" % (grown * 1024 / IDLE), "the worker grew by %d KB" % grown)
        # (Pages of the program itself come and go as the kernel needs them.)
        ok(rss_kb(keeper) <= before_keeper + 64 + RSS_SLACK_KB, "the keeper does not grow", "%d KB, then %d KB" % (before_keeper, rss_kb(keeper)))
        lost = [n for n in range(0, IDLE, 97) if ask(conns[n], "tools/list", id_=n).message()["id"] != n]
        is_(lost, [], "those that rested are served again")
        at_once = conns[1:IDLE:IDLE // 100]
        for n, c in enumerate(at_once):
            c.send(request_bytes("tools/list", id_=n))
        is_([c.read_answer().message()["id"] for c in at_once], list(range(len(at_once))), "and 100 of them at once, more than there are buffers")
        again = rss_kb(worker) - before
        ok(again * 1024 / IDLE < 6144, "and then rest again (%.0f bytes)" % (again * 1024 / IDLE))
        for c in conns:
            c.close()
    is_(p.status, 0, "it stops in order")
done()
