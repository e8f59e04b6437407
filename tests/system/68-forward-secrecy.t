#!/usr/bin/env python3
"""Who sees a worker's memory today must not be able to read what was said yesterday: what the TLS generator was seeded with is not there any more.
Every place of the worker's memory is tried as that seed: if one leads to the random bytes of the ServerHello, it leads to the keys as well."""

import copy
import hmac
import os
import re
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki
from postern import Postern, done, need_product_memory, ok, skip_all
from tls import hello, record

if os.geteuid() != 0:
    skip_all("only root may read another process's memory")
need_product_memory()

SEED = 32           # of the generator, and what a connection gets of it
MAP_MAX = 8 << 20   # the pools behind it hold what peers sent, and are larger


class Generator:
    """HMAC_DRBG with SHA-256 (NIST SP 800-90A 10.1.2), as the TLS library has it."""

    def __init__(self, seed):
        self.key, self.value = b"\0" * 32, b"\1" * 32
        self.update(seed)

    def mac(self, *parts):
        return hmac.digest(self.key, b"".join(parts), "sha256")

    def update(self, seed=b""):
        self.key = self.mac(self.value, b"\0", seed)
        self.value = self.mac(self.value)
        if seed:
            self.key = self.mac(self.value, b"\1", seed)
            self.value = self.mac(self.value)

    def take(self, n):
        out = b""
        while len(out) < n:
            self.value = self.mac(self.value)
            out += self.value
        self.update()
        return out[:n]


def leads_to(seed, random):
    """The first connection's generator is seeded from the process's; its ServerHello comes after an id or two."""
    of_connection = Generator(b"")
    of_connection.update(Generator(seed).take(SEED))
    for _ in range(4):
        if copy.copy(of_connection).take(28) == random[4:]:
            return True
        of_connection.take(32)
    return False


with tempfile.TemporaryDirectory(prefix="postern-seed-") as tmp:
    os.chmod(tmp, 0o755)
    door = Pki(os.path.join(tmp, "pki")).issue("door", dns=["localhost"])
    with Postern({"workers": 1, "mcpServers": {"docs": {"builtin": "files", "root": tmp}},
                  "listeners": [{"address": "127.0.0.1:0", "tls": {"cert": door.cert, "key": door.key}}]}) as p:
        with socket.create_connection(("127.0.0.1", p.port), timeout=20) as s:
            s.sendall(record(22, hello()))
            answer = b""
            while len(answer) < 43:
                answer += s.recv(4096)
            worker = next(c for c in p.children() if open("/proc/%d/comm" % c).read().startswith("worker"))
            tried, found = 0, []
            for line in open("/proc/%d/maps" % worker):
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                start, end = (int(m[1], 16), int(m[2], 16)) if m else (0, 0)
                if not m or end - start > MAP_MAX:
                    continue
                with open("/proc/%d/mem" % worker, "rb") as f:
                    f.seek(start)
                    memory = f.read(end - start)
                for i in range(0, len(memory) - SEED + 1, 8):
                    seed = memory[i:i + SEED]
                    if len(set(seed)) < 20:     # of 32 random bytes some 30 are different
                        continue
                    tried += 1
                    if leads_to(seed, answer[11:43]):
                        found.append("%x in %s" % (start + i, line.strip()))
    ok(answer[:1] == b"\x16" and answer[5:6] == b"\x02", "a ServerHello")
    ok(tried > 100, "there were places to try: %d" % tried)
    ok(not found, "none of them holds the seed", found)
done()
