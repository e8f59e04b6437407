#!/usr/bin/env python3
"""The binary's own filters, the container's profile and the listing that an auditor reads say the same.

The filters are run, instruction by instruction, over every call number and over arguments on both sides of every pin. The listing is read
as a person would: words, not the numbers that gen.c made of them; their values come from Python here."""

import itertools
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import ROOT, done, is_, ok

ROLES = ("parent", "worker", "provider", "desk", "keeper", "broker", "bridge", "bridge_http", "elder", "stdio")
ARCHES = {"x86_64": (0xC000003E, "build/gen/role/seccomp_table.c"), "aarch64": (0xC00000B7, "build/arm64/gen/role/seccomp_table.c")}
ALLOW, KILL = 0x7FFF0000, 0x80000000
CALLS_END = 600
X32_BIT = 0x40000000
OTHERS = {"PR_SET_PDEATHSIG": 1, "PR_GET_DUMPABLE": 3, "PR_SET_DUMPABLE": 4, "PR_SET_NAME": 15, "PR_SET_NO_NEW_PRIVS": 38,
          "PR_GET_NO_NEW_PRIVS": 39, "PR_SET_MDWE": 65, "PR_GET_MDWE": 66, "AT_EMPTY_PATH": 0x1000, "F_GETFD": 1,
          "SFD_CLOEXEC": 0o2000000, "SFD_NONBLOCK": 0o4000, "MSG_CMSG_CLOEXEC": 0x40000000}


def word(text):
    value = 0
    for part in text.split("|"):
        if part[0].isdigit():
            value |= int(part, 0)
            continue
        for place in (OTHERS, vars(socket), vars(os), vars(mmap), vars(signal), vars(select), vars(termios)):
            if part in place:
                value |= int(place[part])
                break
        else:
            raise KeyError(part)
    return value


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


# ---------------------------------------------------------------- the three

def filters(arch):
    """role -> instructions of the compiled table."""
    text = read(ARCHES[arch][1])
    return {role: [tuple(int(x, 0) for x in op) for op in re.findall(r"\{ (0x\w+), (\d+), (\d+), (0x\w+) \}", body)]
            for role, body in re.findall(r"(\w+)_ops\[\] = \{(.*?)\n\};", text, re.S)}


def run(ops, arch, number, args):
    """What the kernel would do: classic BPF over struct seccomp_data, no more than seccomp allows."""
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *args)
    at = a = 0
    while True:
        code, jt, jf, k = ops[at]
        at += 1
        if code == 0x20:                              # ld [k]
            a = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:                            # ret
            return k
        elif code == 0x05:                            # ja
            at += k
        elif code == 0x54:                            # and
            a &= k
        elif code in (0x15, 0x25, 0x35, 0x45):        # jeq jgt jge jset
            at += jt if {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: a & k != 0}[code] else jf
        else:
            raise ValueError("instruction %#x" % code)


INDEX = {call: names.split() for call, names in re.findall(r'\{ "(\w+)", "([\w ]+)" \}', read("seccomp/gen.c"))}


def pins(call, text):
    """[(index, in or none, values)] of the words of a line."""
    if text == "any":
        return []
    found = []
    for name, how, many, one in re.findall(r"(\w+)(==|!&| in )(?:\{([^}]*)\}|([\w|]+))", text):
        values = [word(v) for v in many.split(",")] if many else [word(one)]
        found.append((INDEX[call].index(name), "none" if how == "!&" else "in", values))
    assert len(found) == len(re.findall(r"==|!&| in ", text)), text
    return found


def listing(text):
    """(call, number per arch, who, only on, pins)."""
    call, numbers, out = None, None, []
    for line in text.split("\n\n", 4)[4].split("\n"):
        head = re.match(r"(\w+)  (\d+|-)/(\d+|-)(?:  \(|$)", line)
        rule = re.match(r"    (\w+) {2,}(\S.*?)  (?:only on (\w+): )?\S.*  \[(\w+)\.list:(\d+)\]$", line)
        if head:
            call, numbers = head[1], dict(zip(ARCHES, (None if n == "-" else int(n) for n in head.groups()[1:])))
        elif rule:
            out.append((call, numbers, rule[1], rule[3], pins(call, rule[2])))
        elif line and not line.startswith("Calls on "):
            raise ValueError(line)
    return out


def holds(tests, args):
    return all(args[i] in values if how == "in" else not args[i] & values[0] for i, how, values in tests)


def listed(rules, who, arch, call, args):
    return any(r[0] == call and r[2] in who and r[3] in (None, arch) and r[1][arch] is not None and holds(r[4], args) for r in rules)


def profile_allows(profile, call, args):
    """The OCI specification's reading: conditions of one entry hold together, entries are alternatives."""
    def condition(c):
        if c["op"] == "SCMP_CMP_EQ":
            return args[c["index"]] == c["value"]
        assert c["op"] == "SCMP_CMP_MASKED_EQ", c
        return args[c["index"]] & c["value"] == c["valueTwo"]
    return any(call in s["names"] and s["action"] == "SCMP_ACT_ALLOW" and all(map(condition, s.get("args", []))) for s in profile["syscalls"])


def probes(rules, call):
    """Arguments on both sides of every pin of a call: each listed value, its neighbours, each bit of a mask, and the upper half."""
    values = {}
    for r in rules:
        if r[0] == call:
            for index, how, several in r[4]:
                mine = values.setdefault(index, {0})
                for v in several:
                    mine |= {v, v ^ 1, v | 1 << 33} | ({1 << b for b in range(64) if v >> b & 1} if how == "none" else set())
    indexes = sorted(values)
    for combination in itertools.product(*(sorted(values[i]) for i in indexes)):
        for rest in (0, (1 << 64) - 1):
            args = [rest] * 6
            for i, v in zip(indexes, combination):
                args[i] = v
            yield args


def disagreements(tables, profile, rules):
    """Every place where the three do not say the same, and how many were looked at."""
    found, looked = [], 0
    for arch, (token, _) in ARCHES.items():
        name_of = {r[1][arch]: r[0] for r in rules if r[1][arch] is not None}
        for number in range(CALLS_END):
            call = name_of.get(number)
            for args in probes(rules, call) if call else [[0] * 6]:
                looked += 1
                own = {role: run(tables[arch][role], token, number, args) for role in ROLES}
                for role in ROLES:
                    if own[role] not in (ALLOW, KILL) or (own[role] == ALLOW) != bool(call and listed(rules, {role}, arch, call, args)):
                        found.append("%s %s %s %s: filter %#x" % (arch, role, call or number, args, own[role]))
                    if own[role] == ALLOW and own["parent"] != ALLOW:
                        found.append("%s %s %s %s: the parent's filter is in the way" % (arch, role, call, args))
                # The profile is one for both architectures: it may not be narrower on either; what is wider must be listed for one of them.
                here = bool(call and listed(rules, set(ROLES) | {"start", "runtime"}, arch, call, args))
                some = bool(call and any(listed(rules, set(ROLES) | {"start", "runtime"}, a, call, args) for a in ARCHES))
                allowed = bool(call and profile_allows(profile, call, args))
                if here and not allowed or allowed and not some:
                    found.append("%s profile %s %s: %s" % (arch, call or number, args, "allowed" if allowed else "refused"))
                if own["parent"] == ALLOW and not allowed:
                    found.append("%s profile %s %s: refused, though Postern's own filter allows it" % (arch, call, args))
    unlisted = {n for s in profile["syscalls"] for n in s["names"] if s["action"] == "SCMP_ACT_ALLOW"} - {r[0] for r in rules}
    return found + ["profile: %s is in no list" % n for n in sorted(unlisted)], looked


tables = {arch: filters(arch) for arch in ARCHES}
profile = json.loads(read("build/profile/postern.json"))
text = read("build/profile/listing.txt")
rules = listing(text)
for arch in ARCHES:
    is_(sorted(tables[arch]), sorted(ROLES + ("launcher", "offline")), "%s: a filter for each role, and the two lists of what programs are refused" % arch)
ok(len(rules) > 100, "the listing was read", len(rules))
found, looked = disagreements(tables, profile, rules)
is_(found[:20], [], "filters, profile and listing agree")
ok(looked > 2500, "over every call and both sides of every pin", looked)
print("# %d calls with arguments were tried on each of the three" % looked)

# What the comparison would see.
without = json.loads(json.dumps(profile))
without["syscalls"][0]["names"].remove("landlock_restrict_self")
ok(disagreements(tables, without, rules)[0], "it sees a call that the profile lacks")
loose = json.loads(json.dumps(profile))
for s in loose["syscalls"]:
    if s["names"] == ["mprotect"]:
        s.pop("args")
ok(disagreements(tables, loose, rules)[0], "and one that the profile leaves open")
more = json.loads(json.dumps(profile))
more["syscalls"][0]["names"].append("ptrace")
ok(disagreements(tables, more, rules)[0], "and one that is in no list")
ok(disagreements(tables, profile, [r for r in rules if r[:1] + r[2:3] != ("wait4", "parent")])[0], "and a line that the listing lacks")

# Strangers: a foreign architecture and the x32 entry points.
for arch, (token, _) in ARCHES.items():
    other = next(t for a, (t, _) in ARCHES.items() if a != arch)
    is_({run(tables[arch][r], other, n, [0] * 6) for r in ROLES for n in range(CALLS_END)}, {KILL}, "%s: a foreign architecture dies" % arch)
is_({run(tables["x86_64"][r], ARCHES["x86_64"][0], X32_BIT | n, [0] * 6) for r in ROLES for n in range(CALLS_END)}, {KILL}, "x86_64: x32 dies")

# What the profile is by itself.
is_((profile["defaultAction"], profile["defaultErrnoRet"]), ("SCMP_ACT_ERRNO", 1), "the profile refuses what it does not name")
is_(profile["architectures"], ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], "for both architectures and no 32-bit one")
outside = {r[0] for r in rules if r[2] in ("start", "runtime")} - {r[0] for r in rules if r[2] in ROLES}
ok("execve" in outside, "execve is there for the container runtime only")
marked = set(re.findall(r"^(\w+)  \S+  \(container's profile only", text, re.M))
is_(marked, outside, "the listing marks what no filter of Postern has")
forbidden = {"ptrace", "bpf", "mount", "unshare", "setns", "keyctl", "io_uring_setup", "userfaultfd", "perf_event_open", "process_vm_readv",
             "execveat", "pivot_root", "init_module", "kexec_load", "sendmmsg", "memfd_create", "personality"}
is_(sorted(n for n in forbidden if profile_allows(profile, n, [0] * 6)), [], "what no container of ours needs is not in it")
ok(not profile_allows(profile, "mmap", [0, 4096, mmap.PROT_READ | mmap.PROT_EXEC, 0, 0, 0]), "nor memory that can be executed")
ok(not profile_allows(profile, "socket", [socket.AF_PACKET, 1, 0, 0, 0, 0]), "nor a raw socket")
ok(not profile_allows(profile, "clone", [0x10000000 | signal.SIGCHLD, 0, 0, 0, 0, 0]), "nor a new user namespace")

# The script refuses lists that it would misread.
script = [sys.executable, "-B", os.path.join(ROOT, "image/profile/seccomp.py"), "oci", os.path.join(ROOT, "build/seccomp-gen")]
lists = [os.path.join(ROOT, "seccomp", n + ".list") for n in ROLES + ("runtime",)]


def refused(changes, says, name):
    with tempfile.TemporaryDirectory() as tmp:
        paths = []
        for path in lists:
            base = os.path.basename(path)
            if changes.get(base) is None and base in changes:
                continue
            paths.append(os.path.join(tmp, base))
            with open(path) as f, open(paths[-1], "w") as g:
                g.write(f.read() + changes.get(base, ""))
        r = subprocess.run(script + paths, capture_output=True, text=True)
        ok(r.returncode != 0 and says in r.stderr and not r.stdout, name, r.stderr)


refused({"runtime.list": "ppoll  # who knows\n"}, "marks the reasons", "a line of runtime.list that does not say for whom")
refused({"worker.list": "ppoll  # runtime: threads\n"}, "marks the reasons", "a role's line that says it is the runtime's")
refused({"runtime.list": "fork  # runtime: processes\n"}, "not on every architecture", "a call that one architecture lacks, unmarked")
refused({"desk.list": None}, "one list each", "a list that is not there")
refused({"runtime.list": "no_such_call  # runtime: why\n"}, "failed", "a call that does not exist")
done()
