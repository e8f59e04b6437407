#!/usr/bin/env python3
"""seccomp.py oci|listing SECCOMP-GEN LIST...: the container's profile, or the listing that an auditor reads, on standard output.

Both are made of what seccomp-gen understood of the lists (`seccomp-gen rules`), the same reading from which the binary's own filters come.
oci      one profile for both architectures, in the form of the OCI runtime specification (runc, crun, containerd, CRI-O, podman, docker)
listing  text: every call, who may make it with which arguments, why, and whether a container's profile has it for the runtime only"""

import itertools
import json
import os
import subprocess
import sys

ROLES = ("parent", "worker", "provider", "desk", "keeper", "broker", "bridge", "bridge_http", "elder", "stdio")
RUNTIME = "runtime"
KINDS = ("start", "runtime")
ARCHITECTURES = ("x86_64", "aarch64")
ENOSYS = 38


def stop(message):
    sys.exit("seccomp.py: " + message)


class Rule:
    """One line of a list. tests: [(index of the argument, "in" or "none", values)]; kind: own, start or runtime."""

    def __init__(self, line, files):
        self.list, number, mark, self.call, x86_64, aarch64, tests, self.reason = line.split("\t")
        self.line = int(number)
        self.only = None if mark == "-" else mark[1:]
        self.number = {a: None if n == "-" or self.only not in (None, a) else int(n) for a, n in zip(ARCHITECTURES, (x86_64, aarch64))}
        self.tests = []
        for test in tests.split():
            index, kind, values = test.split(":")
            self.tests.append((int(index), kind, [int(v) for v in values.split(",")]))
        self.text = files[self.list][self.line - 1].split("#")[0]
        if self.only is None and None in self.number.values():
            stop("%s.list:%d: %s is not on every architecture; mark the line with @" % (self.list, self.line, self.call))
        kinds = [k for k in KINDS if k + ":" in self.reason]
        if (self.list == RUNTIME) != bool(kinds):
            stop("%s.list:%d: `start:` or `runtime:` marks the reasons of %s.list and no other" % (self.list, self.line, RUNTIME))
        self.kind = kinds[0] if kinds else "own"

    def pins(self):
        """The argument tests as they stand in the list."""
        words = self.text.split(None, 2 if self.only else 1)
        return " ".join(words[-1].split()) if len(words) == (3 if self.only else 2) else ""


def rules(generator, lists):
    files = {}
    for path in lists:
        with open(path, encoding="utf-8") as f:
            files[os.path.basename(path)[:-len(".list")]] = f.read().split("\n")
    if set(files) != set(ROLES) | {RUNTIME}:
        stop("there must be one list each of %s, %s" % (", ".join(ROLES), RUNTIME))
    out = subprocess.run([generator, "rules", *lists], stdout=subprocess.PIPE, text=True)
    if out.returncode != 0:
        stop("%s failed" % generator)
    return [Rule(line, files) for line in out.stdout.splitlines()]


def alternatives(rule):
    """The argument tests in the form of the OCI specification: all of one list hold together; the lists are alternatives."""
    choices = []
    for index, kind, values in rule.tests:
        if kind == "none":
            choices.append([{"index": index, "value": values[0], "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}])
        else:
            choices.append([{"index": index, "value": v, "op": "SCMP_CMP_EQ"} for v in values])
    return [list(args) for args in itertools.product(*choices)]


def oci(found):
    """What any list allows. A call that one line leaves open is open; the rest keep their pins."""
    by_call = {}
    for rule in found:
        by_call.setdefault(rule.call, []).append(rule)
    open_calls, pinned = {}, []
    for call, of_call in sorted(by_call.items()):
        kind = "own" if any(r.kind == "own" for r in of_call) else of_call[0].kind
        if any(not r.tests for r in of_call):
            open_calls.setdefault(kind, []).append(call)
            continue
        seen = []
        for rule in of_call:
            for args in alternatives(rule):
                if args not in seen:
                    seen.append(args)
                    pinned.append({"names": [call], "action": "SCMP_ACT_ALLOW", "args": args})
    syscalls = [{"names": open_calls[kind], "action": "SCMP_ACT_ALLOW"} for kind in ("own",) + KINDS if kind in open_calls]
    # The C library then makes its threads with clone, whose flags a filter can see.
    syscalls.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
                       "syscalls": syscalls + pinned}, indent=1) + "\n"


LISTING = """\
SYSTEM CALLS OF POSTERN

Made from seccomp/*.list by image/profile/seccomp.py; the same lists become the binary's own filters and the container's profile.

parent, worker, provider, desk, keeper, broker, bridge, bridge_http, elder, stdio: processes of Postern (bridge_http: a
bridge whose server is at a URL). What a process may not call kills it (its own filter). Filters add up: what a role may do is what its own
filter and its parent's both allow.
start: Postern before its filter is on, and its commands that need none. runtime: the container runtime, inside the container, before Postern
is started. Neither is in any filter of Postern; only the container's profile has them. A running Postern can use none of them.
What the container's profile does not have fails with EPERM (clone3 with ENOSYS).

CALL  x86_64/aarch64 NUMBER
    WHO  ARGUMENTS THAT MUST HOLD (or "any")  WHY
"""


def listing(found):
    by_call = {}
    for rule in found:
        by_call.setdefault(rule.call, []).append(rule)
    out = [LISTING]
    for call, of_call in sorted(by_call.items()):
        numbers = [next((str(r.number[a]) for r in of_call if r.number[a] is not None), "-") for a in ARCHITECTURES]
        outside = "" if any(r.kind == "own" for r in of_call) else "  (container's profile only: no filter of Postern has it)"
        out.append("%s  %s%s" % (call, "/".join(numbers), outside))
        for rule in sorted(of_call, key=lambda r: ((ROLES + (RUNTIME,)).index(r.list), r.line)):
            who = rule.list if rule.kind == "own" else rule.kind
            reason = rule.reason if rule.kind == "own" else rule.reason.removeprefix(rule.kind + ": ")
            out.append("    %-8s  %s  %s%s  [%s.list:%d]" % (who, rule.pins() or "any", "only on %s: " % rule.only if rule.only else "",
                                                            reason, rule.list, rule.line))
        out.append("")
    totals = []
    for role in ROLES:
        totals.append("%s %s" % (role, "/".join(str(len({r.call for r in found if r.list == role and r.number[a] is not None}))
                                                for a in ARCHITECTURES)))
    profile = ["/".join(str(len({r.call for r in found if r.number[a] is not None and r.kind in kinds})) for a in ARCHITECTURES)
               for kinds in (("own", "start", "runtime"), ("own",))]
    out.append("Calls on x86_64/aarch64: %s. Container's profile %s, of which %s are Postern's own filters' too." %
               (", ".join(totals), *profile))
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in ("oci", "listing"):
        stop("usage: seccomp.py oci|listing SECCOMP-GEN LIST...")
    sys.stdout.write({"oci": oci, "listing": listing}[sys.argv[1]](rules(sys.argv[2], sorted(sys.argv[3:]))))
