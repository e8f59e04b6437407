#!/usr/bin/env python3
"""Every public Transfer-Encoding gadget (one header line each) before our reader and before a reference of RFC 9112.

Each is the header of a POST whose body could be read by chunks or by length, with a second request behind it. It must be exactly
`Transfer-Encoding: chunked`, an ordinary field of another name, or refused: and so it must be for the reference."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import http_rfc
from postern import ROOT, done, is_, ok, skip_all

SUITES = os.environ.get("SUITES", os.path.join(ROOT, "..", "shared", "suites"))
FILE = os.path.join(SUITES, "http", "te-gadgets.json")
if not os.path.exists(FILE):
    skip_all("no http/te-gadgets.json in SUITES")
with open(FILE, encoding="utf-8") as f:
    GADGETS = {name: bytes.fromhex(line) for name, line in json.load(f).items()}

SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b"5\r\nhello\r\n0\r\n\r\n"


def request(lines):
    return b"POST /mcp HTTP/1.1\r\nHost: a\r\n" + b"".join(l + b"\r\n" for l in lines) + b"\r\n" + BODY + SECOND


def shapes(gadget):
    length = b"Content-Length: %d" % len(BODY)
    return {"alone": request([gadget]), "then a length": request([gadget, length]), "after a length": request([length, gadget]),
            "then chunked": request([gadget, b"Transfer-Encoding: chunked"]), "after chunked": request([b"Transfer-Encoding: chunked", gadget])}


cases = [(name, gadget, shape, data) for name, gadget in GADGETS.items() for shape, data in shapes(gadget).items()]
is_(len(GADGETS), 668, "all gadgets are there")
kinds = {"chunked": 0, "another field": 0, "refused": 0}
wrong = []
smuggled = []
for (name, gadget, shape, data), (messages, end, status) in zip(cases, http_rfc.ours([c[3] for c in cases])):
    expected = http_rfc.verdict(data)
    if (messages, end) != expected:
        wrong.append("%s (%s) %r\n  ours %r\n  RFC  %r" % (name, shape, gadget, (messages, end), expected))
    if end == "error" and (status not in (400, 501, None) or b"/second" in [t for _, t, _ in messages]):
        smuggled.append("%s (%s): status %s, %r" % (name, shape, status, messages))
    if shape != "alone":
        continue
    first = messages[0] if messages else None
    if first is None:
        kind = "refused"
    elif first[2] == b"hello":
        kind = "chunked"
        ok(re.fullmatch(rb"(?i)transfer-encoding:[ \t]*chunked[ \t]*", gadget), "chunked, and nothing else: %r" % gadget)
    else:
        kind = "another field"
        ok(all(re.match(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:", l) and l.split(b":")[0].lower() != b"transfer-encoding"
               for l in gadget.split(b"\r\n")), "another name: %r" % gadget)
    kinds[kind] += 1
ok(not wrong, "our reader and the reference agree in all %d shapes" % len(cases), lambda: "\n".join(wrong[:10]))
ok(not smuggled, "a refused message is 400 or 501 and nothing behind it is read", lambda: "\n".join(smuggled[:10]))
is_(sum(kinds.values()), 668, "each is one of three things: %s" % ", ".join("%d %s" % (n, k) for k, n in kinds.items()))
ok(kinds["refused"] > 400 and kinds["chunked"] > 0 and kinds["another field"] > 0, "and all three occur", str(kinds))
done()
