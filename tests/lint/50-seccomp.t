#!/usr/bin/env python3
# The syscall lists: every line has its reason, no role holds a call it must never have, and the generator refuses
# what it does not fully understand.
import os, re, sys, tempfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

MEMORY = "brk mmap mmap2 mremap mprotect munmap madvise shmat memfd_create memfd_secret mlock userfaultfd pkey_mprotect remap_file_pages"
OPEN = "open openat openat2 creat open_by_handle_at name_to_handle_at"
START = "execve execveat clone clone3 fork vfork"
REACH = "ptrace process_vm_readv process_vm_writev kill tkill tgkill pidfd_send_signal bpf io_uring_setup perf_event_open " \
        "setns unshare mount umount2 pivot_root chroot init_module finit_module kexec_load keyctl add_key"
NEVER = {  # what a list must not hold; no role of Postern starts a program
    "parent": "execve execveat ptrace process_vm_readv process_vm_writev bpf io_uring_setup setns mount keyctl",
    "worker": " ".join([MEMORY, OPEN, START, REACH, "bind listen"]),
    "desk": " ".join([MEMORY, OPEN, START, REACH, "connect bind listen"]),
    "keeper": " ".join([MEMORY, OPEN, START, REACH, "openat2 read readv socket socketpair connect bind listen accept accept4 sendmsg "
                        "sendmmsg pwrite64 ftruncate"]),
    "bridge": " ".join([MEMORY, OPEN, START, REACH, "openat2 read socket socketpair connect bind listen accept accept4 sendmsg"]),
    "bridge_http": " ".join([MEMORY, OPEN, START, REACH, "openat2 read bind listen accept accept4 sendmsg"]),
    "broker": " ".join([MEMORY, OPEN, START, REACH, "openat2 read bind listen accept accept4 sendmsg"]),
    "elder": " ".join([MEMORY, OPEN, START, REACH, "openat2 read socket connect bind listen accept accept4 pread64"]),
    "stdio": " ".join([MEMORY, OPEN, START, REACH, "openat2 socket connect bind listen accept accept4 pread64"]),
    "provider": " ".join([START, REACH, "open creat openat socket connect bind listen accept accept4 unlink unlinkat rename "
                          "renameat renameat2 mkdir mkdirat link linkat symlink symlinkat chmod fchmod fchmodat chown "
                          "truncate ftruncate pwrite64 pwritev"]),
}

calls, form, reasons, twice = {}, [], [], []
lists = sorted(glob.glob("seccomp/*.list"))
ok(lists, "there are lists")
for path in lists:
    role = os.path.basename(path)[:-5]
    seen = set()
    if role != "runtime":  # no role of Postern; tests/appliance/40-profile.t looks at it
        calls[role] = set()
    for number, line in enumerate(open(path), 1):
        rule, hash_, reason = line.rstrip("\n").partition("#")
        rule = " ".join(rule.split())
        if not rule:
            continue
        if len(reason.strip()) < 5:
            reasons.append(f"{path}:{number}: {rule}: why?")
        m = re.fullmatch(r"(@\w+ )?([a-z0-9_]+)((?: [a-z0-9_]+(?:==| ?in ?\{|!&)[\w|{}, ]+)*)", rule)
        if not m:
            form.append(f"{path}:{number}: {rule}")
            continue
        if rule in seen:
            twice.append(f"{path}:{number}: {rule}")
        seen.add(rule)
        if role in calls:
            calls[role].add(m[2])
none(reasons, "every line has its reason")
none(form, "every line is [@ARCH] CALL [ARGUMENT TEST]...")
none(twice, "no line stands twice")
for role in sorted(calls):
    ok(role in NEVER, f"{role}: it is written here what it must never hold")
    none(sorted(calls[role] & set(NEVER.get(role, "").split())), f"{role}: holds no call it must never have")
    none(sorted(calls[role] - calls.get("parent", set())), f"{role}: all it may call, its parent's filter lets through")

generated = open("build/gen/role/seccomp_table.c").read()
ok(all(f"seccomp_{role}" in generated for role in calls), "every list is in the generated table")
with tempfile.TemporaryDirectory() as tmp:
    def refused(text, name):
        path = os.path.join(tmp, "trial.list")
        open(path, "w").write(text)
        run = subprocess.run(["build/seccomp-gen", "x86_64", path], capture_output=True, text=True)
        ok(run.returncode != 0 and "trial.list" in run.stderr, f"the generator refuses {name}", run.stderr)
    path = os.path.join(tmp, "trial.list")
    open(path, "w").write("read  # a reason that will do\nexit_group  # the end\n")
    run = subprocess.run(["build/seccomp-gen", "x86_64", path], capture_output=True, text=True)
    ok(run.returncode == 0 and "seccomp_trial" in run.stdout, "the generator takes a right list", run.stderr)
    refused("read\n", "a line without a reason")
    refused("no_such_call  # why\n", "a call that does not exist")
    refused("socket domain==AF_NOWHERE  # why\n", "a constant it does not know")
    refused("socket nothing==AF_INET  # why\n", "an argument the call has not")
    refused("socket domain=AF_INET  # why\n", "a test it does not know")
    refused("socket domain!=AF_INET  # why\n", "a list of what is allowed with a test for what is refused")
done()
