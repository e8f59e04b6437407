#!/usr/bin/env python3
# The shape of source files: a file one can hold in one's head, one public header per module, no typedef of structs.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

LINES_MAX = 600
long, guard, typedef, tabs, lonely = [], [], [], [], []
headers = {p for _, p in sources(".h")}
for room, path in sources():
    text = open(path).read()
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        long.append(f"{path}: {len(lines)} lines; what second thing has it become?")
    tabs += [f"{path}:{n}" for n, l in enumerate(lines, 1) if l != l.rstrip()]
    typedef += [f"{path}:{n}: {l.strip()}" for n, l in enumerate(lines, 1) if re.match(r"\s*typedef\s+(struct|enum|union)\b", l)]
    if path.endswith(".h") and not re.search(r"#ifndef (\w+)\n#define \1\b", text):
        guard.append(path)
    if path.endswith(".c") and path != "src/main.c":
        # Its own, its module's, or the one that the room shares inside: some header of its room.
        if not re.search(rf'#include "{room}/\w+\.h"', text):
            lonely.append(f"{path} includes no header of its room: who calls it, and by which manual?")
none(long, f"no source file over {LINES_MAX} lines")
none(tabs, "no white space at the end of a line")
none(guard, "every header has its guard")
none(typedef, "no typedef of a struct, enum or union")
none(lonely, "every module has its header")
done()
