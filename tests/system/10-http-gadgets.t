#!/usr/bin/env python3
"""Every public Transfer-Encoding gadget against the running program, with a second request smuggled behind it: the answer is 400 or
501 and the end of the connection, or exactly what RFC 9112 says the bytes mean. The reader alone is in tests/table/http-gadgets.t."""

import concurrent.futures
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import http_rfc
from postern import ROOT, Postern, done, envelope, is_, ok, request_bytes, skip_all

SUITES = os.environ.get("SUITES", os.path.join(ROOT, "..", "shared", "suites"))
FILE = os.path.join(SUITES, "http", "te-gadgets.json")
if not os.path.exists(FILE):
    skip_all("no http/te-gadgets.json in SUITES")
with open(FILE, encoding="utf-8") as f:
    GADGETS = {name: bytes.fromhex(line) for name, line in json.load(f).items()}

MARK = "behind-it"
SECOND = request_bytes("server/discover", id_=MARK, headers=[("Connection", "close")])
JSON = json.dumps(envelope("server/discover", id_="first")).encode()
BODY = b"%x\r\n%b\r\n0\r\n\r\n" % (len(JSON), JSON)
HEAD = request_bytes("server/discover").partition(b"Content-Length")[0]


def expected(data):
    """Statuses of the answers, from the RFC's reading."""
    messages, end = http_rfc.verdict(data)
    if not messages:
        return [{400, 501}], end
    first = messages[0][2]
    # What the gate refuses by the head alone it closes on: the body behind it is not read.
    if first == b"":
        return [{411}], end
    if b"\r\ncontent-encoding:" in data.partition(SECOND)[0].lower():
        return [{415}], end
    return [{200} if first == JSON else {400}, {200}], end


cases = []
for name, gadget in GADGETS.items():
    for shape, lines in (("alone", gadget), ("with a length", gadget + b"\r\nContent-Length: %d" % len(BODY))):
        cases.append(("%s, %s: %r" % (name, shape, gadget), HEAD + lines + b"\r\n\r\n" + BODY + SECOND))

with tempfile.TemporaryDirectory(prefix="postern-") as root:
    os.chmod(root, 0o755)
    with Postern({"names": "plain", "mcpServers": {"docs": {"builtin": "files", "root": root}}}) as p:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda c: http_rfc.talk(p.port, c[1]), cases))

wrong, smuggled, open_ended, second = [], [], [], 0
for (name, data), (answers, fault) in zip(cases, results):
    want, end = expected(data)
    if fault or len(answers) != len(want) or any(a.status not in w for a, w in zip(answers, want)):
        wrong.append("%s\n  %s %r\n  expected %r" % (name, fault, answers, want))
    marked = [k for k, a in enumerate(answers) if MARK.encode() in a.body]
    second += marked == [1]
    if marked != ([1] if len(want) == 2 else []):
        smuggled.append("%s\n  %r" % (name, answers))
    if not answers or answers[-1].header("connection") != "close":
        open_ended.append("%s\n  %r" % (name, answers))
is_(len(cases), 2 * 668, "every gadget, alone and beside a Content-Length")
ok(not wrong, "each is refused, or means what RFC 9112 says", lambda: "%d\n" % len(wrong) + "\n".join(wrong[:8]))
ok(not smuggled, "what stands behind a refused message is never answered", lambda: "%d\n" % len(smuggled) + "\n".join(smuggled[:8]))
ok(not open_ended, "the last answer says that the connection ends, and it does", lambda: "%d\n" % len(open_ended) + "\n".join(open_ended[:8]))
ok(0 < second < 40, "the second request is answered only behind the %d messages that are right" % second)
done()
