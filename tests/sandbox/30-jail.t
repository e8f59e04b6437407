#!/usr/bin/env python3
"""The walls of running roles, as the kernel shows them in /proc: filters, privileges, limits, descriptors, user."""
import ctypes
import os
import re
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from pki import Pki, secret_write
from postern import Postern, done, is_, memory, ok, skip, until

libc = ctypes.CDLL(None, use_errno=True)
IS_ROOT = os.geteuid() == 0


def proc(pid, name):
    with open("/proc/%d/%s" % (pid, name)) as f:
        return f.read()


def field(pid, name):
    m = re.search(r"^%s:[ \t]*(.*)$" % name, proc(pid, "status"), re.M)
    return m.group(1) if m else None


def limit(pid, name):
    m = re.search(r"^%s\s{2,}(\S+)\s+(\S+)" % name, proc(pid, "limits"), re.M)
    return m.groups()


def descriptors(pid):
    """number -> kind, of the open descriptors."""
    found = {}
    for fd in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
        to = os.readlink("/proc/%d/fd/%d" % (pid, fd))
        found[fd] = re.sub(r"\[\d+\]", "", to)
    return found


def seeds(pid):
    """What may be the house's seed in the memory of a parent: 64 random bytes behind its number and two descriptors (role/house.h)."""
    form = re.compile(re.escape(struct.pack("<i", pid)) + rb"(?:[\0-\x3f]\0\0\0){2}(.{64})", re.S)
    return {m[1] for part in memory(pid) for m in form.finditer(part) if len(set(m[1])) > 35}


tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
docs = os.path.join(tmp.name, "docs")
os.mkdir(docs)
gw = Pki(os.path.join(tmp.name, "pki")).issue("gw", dns=["gw.example"])
secret = secret_write(os.path.join(tmp.name, "secret"), "s3cret")
config = {"workers": 2, "listeners": [{"address": "127.0.0.1:0", "tls": {"cert": gw.cert, "key": gw.key}}], "mcpServers": {"docs": {"builtin": "files", "root": docs, "prompts": docs},
                                       "up": {"url": "http://127.0.0.1:9/mcp", "credentials": {"secret": {"file": secret}}},
                                       "run": {"command": "/bin/sleep", "args": ["100000"], "start_timeout": "10m"}},
          "memory": {"connections": 100, "links": 10}}
with Postern(config) as p:
    roles = {p.pid: "parent"}
    # The program of the server: between fork and exec it looks like its launcher.
    until(lambda: p.role("sleep"))
    for pid in p.children():
        roles[pid] = proc(pid, "comm").strip()
    started = {pid: name for pid, name in roles.items() if name in ("launcher", "launcher-guard", "sleep")}
    is_(sorted(set(started.values()) - {"sleep"}), ["launcher", "launcher-guard"], "a launcher and its guard")
    for pid, role in sorted(started.items()):
        del roles[pid]
        is_((field(pid, "NoNewPrivs"), field(pid, "Seccomp")), ("1", "2"), "%s: no new privileges, a syscall filter" % role)
        if IS_ROOT:
            is_((field(pid, "Uid").split(), field(pid, "Gid").split(), field(pid, "Groups").split()), (["65532"] * 4, ["65532"] * 4, []), "%s: user and group 65532" % role)
            is_([int(field(pid, c), 16) for c in ("CapPrm", "CapEff", "CapAmb")], [0, 0, 0], "%s: no capabilities" % role)
        if IS_ROOT and role != "sleep":
            is_(os.stat("/proc/%d/mem" % pid).st_uid, 0, "%s: not dumpable" % role)
            fds = list(descriptors(pid).values())
            is_(sorted(set(re.sub(r"\W.*", "", to) for to in fds) - {"pipe", "socket", "anon_inode"}), [""], "%s: no file is open but /dev/null" % role)
            is_(len([to for to in fds if to.startswith("socket:")]), 1 if role == "launcher-guard" else 2, "%s: the parent's channel; the launcher: a bridge too" % role)
    is_(sorted(roles.values()), ["bridge-run", "bridge-up", "broker", "desk", "elder", "keeper", "parent", "provider-docs", "worker-0", "worker-1"], "these processes there are, and no other")
    for pid, role in sorted(roles.items()):
        is_(field(pid, "NoNewPrivs"), "1", "%s: no new privileges" % role)
        is_(field(pid, "Seccomp"), "2", "%s: a syscall filter" % role)
        filters = field(pid, "Seccomp_filters")
        if filters is not None:
            is_(filters, "1" if role == "parent" else "2", "%s: its own filter on top of the parent's" % role)
        is_(field(pid, "Threads"), "1", "%s: one thread" % role)
        for caps in ("CapPrm", "CapEff", "CapAmb"):
            if IS_ROOT:
                is_(int(field(pid, caps), 16), 0, "%s: no capabilities (%s)" % (role, caps))
        if IS_ROOT:
            is_(field(pid, "Uid").split(), ["65532"] * 4, "%s: started by root, it is user 65532" % role)
            is_(field(pid, "Gid").split(), ["65532"] * 4, "%s: and group 65532" % role)
            is_(field(pid, "Groups").split(), [], "%s: in no further group" % role)
            # What is not dumpable belongs to root in /proc, whoever runs it.
            is_(os.stat("/proc/%d/mem" % pid).st_uid, 0, "%s: not dumpable" % role)
        else:
            is_(int(field(pid, "Uid").split()[0]), os.geteuid(), "%s: runs as whoever started it" % role)
            try:
                os.listdir("/proc/%d/fd" % pid)
                ok(False, "%s: not dumpable" % role)
            except PermissionError:
                ok(True, "%s: not dumpable" % role)
        maps = proc(pid, "maps") if IS_ROOT else ""
        is_([m for m in maps.splitlines() if re.match(r"\S+ \S*w\S*x", m)], [], "%s: no memory is writable and executable" % role)

    for pid, role in sorted(roles.items()):
        if role == "parent":
            continue
        is_(limit(pid, "Max core file size"), ("0", "0"), "%s: no core" % role)
        is_(limit(pid, "Max file size"), ("0", "0"), "%s: files cannot grow" % role)
        is_(limit(pid, "Max processes"), ("0", "0"), "%s: no processes" % role)
        if not IS_ROOT:
            skip("%s: descriptors" % role, "only root sees those of a process that is not dumpable")
            continue
        # channel; a worker: its listener and the link to the provider, the bridges, the keeper, the broker, and two to the elder; the provider: two directories and a link
        # per worker; the bridge: a link per worker and the launcher; keeper and broker: the same, and one to each other; the elder: two per worker. Key and secret files are closed once they were read.
        want = {"worker-0": (0, 9), "worker-1": (0, 9), "elder": (0, 5), "bridge-run": (0, 5), "bridge-up": (0, 4), "desk": (0, 2), "provider-docs": (2, 3), "keeper": (0, 4), "broker": (0, 5)}[role]
        until(lambda: sum(to.startswith("socket:") for to in descriptors(pid).values()) >= want[1])  # edges come while it serves
        fds = descriptors(pid)
        is_((fds.pop(0), fds.pop(1)), ("/dev/null", "/dev/null"), "%s: nothing on standard input and output" % role)
        ok(fds.pop(2).startswith("pipe:"), "%s: the log on standard error" % role)
        epoll = [fd for fd, to in fds.items() if to == "anon_inode:"] + [fd for fd, to in fds.items() if to == "anon_inode:[eventpoll]"]
        is_(len(epoll), 1, "%s: one epoll descriptor" % role)
        fds.pop(epoll[0])
        dirs = [to for to in fds.values() if to.startswith("/")]
        sockets = [to for to in fds.values() if to.startswith("socket:")]
        is_((len(dirs), len(sockets), len(fds)), want + (sum(want),), "%s: its own descriptors and no other" % role)
        if role.startswith("worker"):
            # 0 1 2, channel, listener, loop; connections, links of one upstream, 2 each for three lines, keeper and broker, the elder's (100 requests, 64 listens, 4 for edges), 8 to spare
            is_(limit(pid, "Max open files"), (str(6 + 100 + 10 + 6 + 4 + 168 + 8),) * 2, "%s: descriptors as the configuration says" % role)
    if IS_ROOT:
        # As another process of the same user: neither traced nor read.
        for pid, role in sorted(roles.items()):
            child = os.fork()
            if child == 0:
                os.setgroups([])
                os.setresgid(65532, 65532, 65532)
                os.setresuid(65532, 65532, 65532)
                got = libc.ptrace(16, pid, 0, 0)    # PTRACE_ATTACH
                try:
                    os.close(os.open("/proc/%d/mem" % pid, os.O_RDONLY))
                    os._exit(2)
                except PermissionError:
                    os._exit(0 if got == -1 else 1)
            is_(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "%s: a process of the same user can neither trace nor read it" % role)
        # With the seed who calls is sealed; who has it can make up callers.
        found = seeds(p.pid)
        ok(found, "the seed of the house is found in the parent")
        for pid, role in sorted(list(roles.items()) + list(started.items())):
            has = any(s[:32] in part or s[32:] in part for part in memory(pid) for s in found)
            is_(has, role == "parent" or role.startswith("worker"), "%s: %s the seed" % (role, "has" if has else "has not"))
    else:
        skip("tracing by the same user", "needs root to be that user")
tmp.cleanup()
done()
