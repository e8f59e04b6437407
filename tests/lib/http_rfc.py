"""RFC 9112 as a strict reader should take it, written from the RFC with regular expressions: the reference of the HTTP tests.

It shares nothing with src/wire on purpose. verdict(bytes) reads what a client sent on one connection and returns
(messages, end): messages is a list of (method, target, body), all bytes; end is "end" (nothing left), "more" (cut off), "close"
(a message asked for it) or "error". ours(list of bytes) gives the same from our own reader, through tests/lib/http_verdict.c.
Postern's own narrowings (security.md A8), marked [narrow], are: no chunk extensions, no trailers, sizes of at most 8 digits,
origin-form and `OPTIONS *` only, one Transfer-Encoding field that says nothing but `chunked`, one Content-Length of 1 to 19 digits,
a port of at most 65535; and bodies of at most BODY_LIMIT, as in http_verdict.c.
"""

import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PCHAR = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
LINE = re.compile(rb"(" + TOKEN + rb") (/(?:" + PCHAR + rb"|/)*(?:\?(?:" + PCHAR + rb"|[/?])*)?|\*) HTTP/1\.([01])\Z")
FIELD = re.compile(rb"(" + TOKEN + rb"):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*\Z")
HOST = re.compile(rb"(?:|(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?)\Z")
SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}\Z")
FIELDS_MAX = 64
BODY_LIMIT = 1 << 19


class Bad(Exception):
    """Refused."""


class Short(Exception):
    """Cut off."""


def line_at(data, at):
    """The line from `at`, without its CRLF, and where the next begins. A CR or LF of any other kind is refused."""
    end = re.compile(rb"[\r\n]").search(data, at)
    if end is None or end.group() == b"\r" and end.end() == len(data):
        raise Short
    if data[end.start():end.start() + 2] != b"\r\n":
        raise Bad
    return data[at:end.start()], end.start() + 2


def head_at(data, at):
    if data[at:at + 2] == b"\r\n":
        at += 2
    line, at = line_at(data, at)
    m = LINE.match(line)
    # A bad head may be noticed at its end only; nothing after it is read either way.
    bad = m is None or m.group(2) == b"*" and m.group(1) != b"OPTIONS"
    fields = []
    while True:
        line, at = line_at(data, at)
        if line == b"":
            break
        f = FIELD.match(line)
        bad = bad or f is None
        fields.append((f.group(1).lower(), f.group(2)) if f else (b"", b""))
    if bad or len(fields) > FIELDS_MAX:
        raise Bad
    return m.group(1), m.group(2), int(m.group(3)), fields, at


def body_at(data, at, minor, fields):
    coding = [v for n, v in fields if n == b"transfer-encoding"]
    length = [v for n, v in fields if n == b"content-length"]
    if coding:
        if length or minor == 0 or len(coding) > 1 or coding[0].lower() != b"chunked":      # [narrow]: no list
            raise Bad
        body = b""
        while True:
            # A wrong first byte is refused before the line is whole.
            if data[at:at + 9] and not re.match(rb"[0-9A-Fa-f]{1,8}(\r|\Z)", data[at:at + 9]):
                raise Bad
            line, at = line_at(data, at)
            if not SIZE.match(line):                                                         # [narrow]
                raise Bad
            size = int(line, 16)
            if len(body) + size > BODY_LIMIT:
                raise Bad
            body += data[at:at + size]
            if len(data) < at + size:
                raise Short
            at += size
            if not b"\r\n".startswith(data[at:at + 2]):                                      # [narrow]: no trailers
                raise Bad
            if len(data) < at + 2:
                raise Short
            at += 2
            if size == 0:
                return body, at
    if length:
        if len(length) > 1 or not re.match(rb"[0-9]{1,19}\Z", length[0]):
            raise Bad
        n = int(length[0])
        if n > BODY_LIMIT:
            raise Bad
        if len(data) - at < n:
            raise Short
        return data[at:at + n], at + n
    return b"", at


def host_ok(value):
    port = re.search(rb":([0-9]+)\Z", value)
    return HOST.match(value) and (port is None or int(port.group(1)) <= 65535)                # [narrow]


def verdict(data):
    messages, at = [], 0
    while at < len(data):
        try:
            method, target, minor, fields, at = head_at(data, at)
            hosts = [v for n, v in fields if n == b"host"]
            if len(hosts) > 1 or not hosts and minor == 1 or hosts and not host_ok(hosts[0]):
                raise Bad
            body, at = body_at(data, at, minor, fields)
        except Bad:
            return messages, "error"
        except Short:
            return messages, "more"
        messages.append((method, target, body))
        options = {o.strip(b" \t").lower() for n, v in fields if n == b"connection" for o in v.split(b",")}
        if b"close" in options or minor == 0 and b"keep-alive" not in options:
            return messages, "close"
    return messages, "end"


def build(directory):
    """The verdict program, compiled from src/ as it is now."""
    program = os.path.join(directory, "http_verdict")
    sources = ["tests/lib/http_verdict.c"] + ["src/" + s for s in (
        "wire/http_head.c", "wire/http_value.c", "wire/http_body.c", "base/text.c", "base/buf.c")]
    subprocess.run([os.environ.get("CC", "gcc"), "-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
                    "-Isrc", "-o", program] + sources, cwd=ROOT, check=True)
    return program


def ours(cases):
    """[(messages, end, status)] of our reader for each of the byte strings; status is that of a refused head, else None (of a refused body
    too: what was wrong with its head for other reasons was answered before)."""
    def plain(text):
        return b"" if text == "-" else bytes.fromhex(text)

    with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
        run = subprocess.run([build(tmp)], input="".join(c.hex() + "\n" for c in cases), capture_output=True, text=True, timeout=1200)
    if run.returncode != 0:
        raise RuntimeError("http_verdict failed: " + run.stderr)
    found = []
    for line in run.stdout.split("\n")[:-1]:
        *messages, end = line.split(" | ")
        word, status, *body = end.split(" ") + ([""] if " " not in end else [])
        messages = [m.split(" ") for m in messages]
        found.append(([(m.encode(), plain(t), plain(b)) for m, t, b in messages], word, int(status) if status and not body else None))
    assert len(found) == len(cases)
    return found


def talk(port, data, timeout_s=60.0):
    """Sends it all on one connection and reads answers to its end: (list of postern.Answer, None or what went wrong)."""
    from postern import Conn

    answers = []
    with Conn(port, timeout_s) as c:
        c.try_send(data)
        while True:
            try:
                a = c.read_answer()
            except (TimeoutError, ValueError) as e:
                return answers, "%s: %s" % (type(e).__name__, e)
            if a.status is None:
                return answers, "%d bytes that are no answer" % len(a.raw) if a.raw else None
            answers.append(a)
            if not a.complete:
                return answers, "an answer that is cut off"
