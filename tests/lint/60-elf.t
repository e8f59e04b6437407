#!/usr/bin/env python3
# What the linker really made: each hardening promise, looked up in the ELF file.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

FILE, FULL = "build/postern", "build/postern.full"
header = command("readelf", "-hW", FILE)
segments = command("readelf", "-lW", FILE)
dynamic = command("readelf", "-dW", FILE)
sections = command("readelf", "-SW", FILE)
symbols = command("nm", FULL)
data = open(FILE, "rb").read()

ok(re.search(r"Type:\s+DYN", header), "position independent")
ok("INTERP" not in segments, "no interpreter: truly static", segments)
ok("NEEDED" not in dynamic, "needs no shared library", dynamic)
ok(re.search(r"FLAGS_1.*\bPIE\b", dynamic), "marked as PIE")
ok(re.search(r"FLAGS.*\bBIND_NOW\b", dynamic) or re.search(r"FLAGS_1.*\bNOW\b", dynamic), "bound at start")
ok("TEXTREL" not in dynamic, "no relocation in code")
ok("GNU_RELRO" in segments, "read-only after relocation")
stack = re.search(r"GNU_STACK.*?\s(R\w*)\s+0x\w+$", segments, re.M)
ok(stack and "E" not in stack[1], "stack not executable", segments)
loads = re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}(\S[\w ]*?)\s+0x", segments, re.M)
ok(loads and not any("W" in f and "E" in f for f in loads), "nothing is both writable and executable", segments)
ok(re.search(r"Build ID: [0-9a-f]{40}", command("readelf", "-nW", FILE)), "has a build id (SHA-1)")
ok(".symtab" not in sections and ".debug" not in sections and ".comment" not in sections, "stripped", sections)
ok("__stack_chk_fail" in symbols, "stack protector is linked in")
canaries = len(re.findall(r"call.*<__stack_chk_fail>", command("objdump", "-d", "--no-show-raw-insn", FULL)))
ok(canaries > 5, "stack protector is used", f"{canaries} checks")
ok(not re.search(r" [tT] seccomp_(init|load|rule_add|export_bpf)\b", symbols), "libseccomp stays on the build machine")
ok(not re.search(r" [tT] (system|popen|execvp|dlopen)$", symbols, re.M), "no way to start another program by name")
here = os.getcwd().encode()
ok(here not in data and here not in open(FULL, "rb").read(), "no path of the build in the file")
ok(len(data) < 1 << 20, "under 1 MiB", f"{len(data)} bytes")
ok(os.path.getsize("build/postern.map") > 0, "the linker map is there")
done()
