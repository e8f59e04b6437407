#!/usr/bin/env python3
"""Hostile and odd TLS clients: each connection ends within its deadline, and good clients beside them lose nothing."""

import os
import random
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki
from postern import Postern, diag, done, is_, ok, request_bytes, until
from tls import OPEN, TlsConn, ask, client, hello, record, s_client

HANDSHAKE_S = 3    # of which a good client of ours needs a little, on a machine that has no time
RECORDS = 16
tmp = tempfile.TemporaryDirectory(prefix="postern-tls-")
os.chmod(tmp.name, 0o755)
pki = Pki(os.path.join(tmp.name, "pki"))
door = pki.issue("door", dns=["localhost"])
CONFIG = dict(OPEN, listeners=[{"address": "127.0.0.1:0", "tls": {"cert": door.cert, "key": door.key}}], workers=1, names="plain",
              mcpServers={"docs": {"builtin": "files", "root": tmp.name}}, memory={"records": RECORDS},
              timeouts={"handshake": "%ds" % HANDSHAKE_S, "head": "1s", "body": "1s", "idle": "3s", "write": "2s"})
WAIT_S = 60
CTX = client(pki.ca)
LIST = request_bytes("tools/list")


def plain(to=None):
    s = socket.create_connection(("127.0.0.1", (to or p).port), WAIT_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def rest(s):
    """All that still comes, and whether the connection ended."""
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return got, True
            got += part
    except TimeoutError:
        return got, False
    except OSError:
        return got, True


def only_alerts(got, hello=False):
    """Nothing, or TLS alerts: no other byte is said to who does not speak TLS. After a good hello, our side of the handshake besides."""
    while got:
        kind, _, length = struct.unpack(">BHH", got[:5]) if len(got) >= 5 else (0, 0, 0)
        if not (kind == 21 and length == 2 or hello and kind == 22) or len(got) < 5 + length:
            return False
        got = got[5 + length:]
    return True


def ends(data, name, quick=True, hello=False):
    """What is sent gets an alert or nothing, and the end: at once, where nothing has a deadline, or when that of handshakes is over."""
    s, began = plain(patient if quick else p), time.monotonic()
    try:
        s.sendall(data)
    except OSError:
        pass
    got, ended = rest(s)
    took = time.monotonic() - began
    s.close()
    ok(ended and only_alerts(got, hello) and (quick or took < HANDSHAKE_S + 20), name, lambda: "%r ended=%r after %.1f s" % (got[:200], ended, took))


def served(name):
    with TlsConn(p.port, CTX) as c:
        a = ask(c, "tools/list")
        return ok(a.status == 200, name, a)


def no_tls():
    ends(LIST, "plain HTTP on the port for TLS is cut off")
    ends(b"GET / HTTP/1.0\r\n\r\n", "a short one too")
    ends(b"\r\n" * 5000, "empty lines")
    ends(b"\x00" * 100, "zeros")
    ends(b"\xff" * 20000, "ones")
    ends(b"SSH-2.0-OpenSSH_9\r\n", "another protocol")
    ends(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80" + os.urandom(60), "an SSL 2 hello")
    rng = random.Random(11)
    for n in range(30):
        s = plain()
        try:
            s.sendall(rng.randbytes(rng.randint(1, 4000)))
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got, ended = rest(s)
        s.close()
        if not ended or not only_alerts(got):
            ok(False, "random bytes %d" % n, (got[:100], ended))
            break
    else:
        ok(True, "random bytes, thirty times")
    served("a good client after those")


def odd_records():
    good = record(22, hello())
    ends(good[:5] + good[5:][:20], "a hello that stops coming", quick=False)
    ends(good[:3], "a record header that stops coming", quick=False)
    ends(b"", "nothing at all", quick=False)
    ends(record(22, hello(), 0x0301)[:-1] + b"\x00" + record(22, b"\x01\x00\x00\x00"), "a second hello, empty", quick=False, hello=True)
    ends(b"\x16\x03\x01\x48\x01" + b"x" * 18433, "a record longer than the protocol has")
    ends(b"\x16\x03\x01\xff\xff" + b"x" * 65535, "the longest length")
    ends(record(23, b"GET / HTTP/1.1\r\n\r\n"), "application data before a handshake")
    ends(record(20, b"\x01"), "ChangeCipherSpec first")
    ends(good + record(20, b"\x01"), "ChangeCipherSpec too early (CVE-2014-0224)", quick=False, hello=True)
    ends(record(24, b"\x01\x40\x00"), "a heartbeat that asks for too much (CVE-2014-0160)")
    ends(good + record(24, b"\x01\x40\x00"), "and one behind a hello", quick=False, hello=True)
    ends(record(21, b"\x02\x28"), "a fatal alert first")
    ends(record(22, b"\x02\x00\x00\x00"), "a message of the other side")
    ends(record(22, b"\x01\xff\xff\xff" + b"x" * 16000) * 40, "a hello of 16 MB", quick=False)
    ends(record(22, hello(version=0x0300)), "SSL 3")
    ends(record(22, hello(suites=())), "no suite at all")
    ends(record(22, hello(suites=range(0x1000, 0x1000 + 5000))), "5,000 unknown suites")
    ends(record(22, hello(name=b"x" * 20000)[:16384]), "a name of 20,000 bytes", quick=False)
    ends(record(22, hello(name=b"a\x00b")), "NUL in the name", quick=False, hello=True)
    ends(record(22, b"") * 3000, "empty records", quick=False)
    ends(record(21, b"\x01\x5a") * 3000, "warnings without end", quick=False)
    message = hello()
    ends(b"".join(record(22, message[i:i + 1]) for i in range(len(message))) + record(22, b"\x10\x00\x00\x00"),
         "a hello in records of one byte, then an empty key", quick=False, hello=True)
    for at in range(9, len(good), 7):
        ends_quietly(good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1:])
    ok(not broken, "a hello with a bit turned, at every seventh byte", broken[:3])
    served("a good client after those")


broken = []


def ends_quietly(data):
    s = plain()
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    got, ended = rest(s)
    s.close()
    if not ended:
        broken.append((data[:60], got[:60]))


def slow():
    s, began, sent = plain(), time.monotonic(), 0
    data = record(22, hello())
    s.settimeout(0.05)
    ended = False
    while not ended and sent < 400:       # a byte resets an idle clock; the clock of the handshake must not care
        try:
            s.sendall(data[sent:sent + 1] or b"\x16")
            sent += 1
            ended = s.recv(100) == b""
        except TimeoutError:
            pass
        except OSError:
            ended = True
    took = time.monotonic() - began
    s.close()
    ok(ended and took < HANDSHAKE_S + 20, "a hello that comes byte by byte is cut off at the deadline (%.1f s)" % took)
    with TlsConn(p.port, CTX) as c:
        ok(c.is_closed(WAIT_S), "a handshake and then silence is closed when idle")
    with TlsConn(p.port, CTX) as c:
        c.send(LIST[:40])
        a = c.read_answer()
        ok(a.status == 408 and c.is_closed(WAIT_S), "a head that stops coming is 408, under TLS too", a)


def renegotiation():
    r = s_client(p.port, "-tls1_2", "-CAfile", pki.ca, send=b"R\n")
    ok(b"no renegotiation" in r.stdout.lower() or b"no_renegotiation" in r.stdout or b"handshake failure" in r.stdout or r.returncode != 0,
       "openssl's renegotiation is refused", r.stdout[-800:])
    r = s_client(p.port, "-tls1_2", "-CAfile", pki.ca, "-legacy_renegotiation", send=b"R\nR\nR\n")
    ok(r.stdout.count(b"Verify return code") <= 1 and (r.returncode != 0 or b"alert" in r.stdout.lower() or b"error" in r.stdout.lower()),
       "and so are three of them", r.stdout[-800:])
    served("a good client after those")


def damaged():
    """An established connection whose records are changed on the way: alert or end, and no answer."""
    for what, change in (("a bit of the record", lambda b: b[:-1] + bytes([b[-1] ^ 1])), ("its kind", lambda b: b"\x16" + b[1:]),
                         ("its version", lambda b: b[:1] + b"\x03\x01" + b[3:]), ("its length", lambda b: b[:3] + struct.pack(">H", len(b) - 6) + b[5:-1]),
                         ("twice the same", lambda b: b + b), ("none of it, then garbage", lambda b: b"\x17\x03\x03\x00\x10" + b"g" * 16)):
        raw, incoming, outgoing = plain(), ssl.MemoryBIO(), ssl.MemoryBIO()
        o = CTX.wrap_bio(incoming, outgoing, server_hostname=CTX.name)
        while True:
            try:
                o.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        raw.sendall(outgoing.read())
        o.write(LIST)
        first = outgoing.read()
        twice = what == "twice the same"
        try:
            raw.sendall(change(first))
        except OSError:
            pass
        got, ended = rest(raw)
        raw.close()
        # At most the one right request is answered.
        incoming.write(got)
        text = b""
        try:
            while True:
                part = o.read(65536)
                if not part:
                    break
                text += part
        except ssl.SSLError:
            pass
        ok(ended and text.count(b"HTTP/1.1 200") == (1 if twice else 0) and text.count(b"HTTP/1.1") == (1 if twice else 0), "on the way, %s is changed: no answer to it, and the end" % what, (ended, text[:300]))
    served("a good client after those")


def good_client(stop, results, kept=False):
    """Calls on new connections, five each; with `kept` on one that was open before."""
    n, c = 0, None
    while not stop.is_set():
        try:
            if c is None:
                c = TlsConn(p.port, CTX)
            a = ask(c, "tools/call", {"name": "list_files", "arguments": {}}, id_=n)
            results.append(a.status == 200 and a.message()["id"] == n)
            n += 1
        except (OSError, ssl.SSLError, ValueError, TypeError, KeyError) as e:
            results.append(False)
            diag("%s: %s" % (type(e).__name__, e))
            c = None
        if c and n % 5 == 0 and not kept:
            c.close()
            c = None


def beside(what, crowd_, kept=False):
    """Good clients while crowd_() lasts: none of their calls may fail."""
    stop, results = threading.Event(), []
    threads = [threading.Thread(target=good_client, args=(stop, results, kept), daemon=True) for _ in range(2)]
    for t in threads:
        t.start()
    until(lambda: len(results) > 4)
    held = crowd_()
    stop.set()
    for t in threads:
        t.join()
    for s in held:
        s.close()
    ok(len(results) > 20 and all(results), "beside %s every good call is answered (%d)" % (what, len(results)), "%d of %d lost" % (results.count(False), len(results)))


def flood(data, pause_s, keep=6 * RECORDS):
    """Connections that say `data` and no more, one after the other, for three times the deadline of handshakes."""
    def run():
        held, end = [], time.monotonic() + 3 * HANDSHAKE_S
        while time.monotonic() < end:
            s = plain()
            try:
                s.sendall(data)
            except OSError:
                pass
            held.append(s)
            if len(held) > keep:
                held.pop(0).close()
            time.sleep(pause_s)
        return held
    return run


def crowd():
    """Who has said nothing holds nothing. Who begins a handshake holds a pair of buffers for 200 ms at most when others want it, so that as many
    pairs as strangers may have (three quarters of `records`) bear five times as many half handshakes a second. Connections that are open
    have the last quarter to themselves."""
    beside("silent connections, many more than there are buffers,", flood(b"", 0.005))
    half = record(22, hello())
    # A handshake of a good client must fit into the time in which so many strangers come: on a slow machine they come slower.
    took = []
    for _n in range(10):
        began = time.monotonic()
        TlsConn(p.port, CTX).close()
        took.append(time.monotonic() - began)
    pause_s = max(0.05, max(took) / 3)
    beside("half handshakes, 20 a second or as the machine can", flood(half, pause_s))
    beside("as many that begin with one byte", flood(b"\x16", pause_s))
    beside("a flood of half handshakes, on connections that are open,", flood(half, 0.002), kept=True)
    served("after which a new one is served at once")
    # Readers that take nothing hold what they hold until the write deadline.
    with open(os.path.join(tmp.name, "big.txt"), "w") as f:
        f.write("0123456789abcdef" * 50000)

    def readers():
        held = []
        for _n in range(RECORDS // 2):
            c = TlsConn(p.port, CTX)
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(request_bytes("tools/call", {"name": "read_file", "arguments": {"path": "big.txt"}}))
            held.append(c)
        time.sleep(3)
        return held
    beside("readers that take nothing", readers)
    os.unlink(os.path.join(tmp.name, "big.txt"))


def parts_of_records():
    """Connections whose handshake is done and that hold a buffer with part of a record keep nobody from shaking hands."""
    held = [TlsConn(patient.port, CTX) for _ in range(RECORDS + 4)]
    for c in held:
        os.write(c.sock.fileno(), b"\x17\x03\x03\x10\x00" + os.urandom(100))
    try:
        status = None
        with TlsConn(patient.port, CTX) as c:
            status = ask(c, "tools/list").status
    except OSError as e:
        diag(e)
    is_(status, 200, "beside connections that hold parts of records a new one is served, at once and not when their time is up")
    for c in held:
        c.close()


# The time of one is ten minutes: what ends or is served there within a test's patience did not so because it was up.
with Postern(dict(CONFIG, timeouts={"handshake": "10m", "head": "10m", "body": "10m", "idle": "10m"})) as patient, Postern(CONFIG) as p:
    before = p.children()
    served("a good client")
    for part in (no_tls, odd_records, slow, renegotiation, damaged, parts_of_records, crowd):
        part()
    served("after all that, as ever")
    is_(p.children(), before, "by the same processes")
is_(p.status, 0, "and it stops in order")
tmp.cleanup()
done()
