#!/usr/bin/env python3
# No recursion: the call graph of our own functions, read from the machine code, has no cycle. A depth that an input
# could choose is a stack that it could use up. (Calls through pointers are not seen; those are the step and command
# tables.)
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

ours = set()  # names of functions in our objects
for obj in glob.glob("build/obj/*/*.o") + glob.glob("build/obj/*.o"):
    for line in command("nm", obj).splitlines():
        m = re.match(r"[0-9a-f]+ [tT] (\S+)$", line)
        if m:
            ours.add(m[1])
graph, names, here = {}, {}, None
for line in command("objdump", "-d", "--no-show-raw-insn", "-j", ".text", "build/postern.full").splitlines():
    m = re.match(r"([0-9a-f]+) <(\S+)>:$", line)
    if m:
        here = int(m[1], 16)
        names[here] = m[2]
        graph[here] = set()
        continue
    m = re.search(r"\t(?:call|jmp)q?\s+([0-9a-f]+) <([^>+]+)>$", line)
    if m and here is not None:
        to = int(m[1], 16)
        # A jump to the own beginning is a loop that the compiler has made of a tail call or of a while.
        if to != here or "call" in line:
            graph[here].add(to)
graph = {f: {t for t in to if names.get(t) in ours} for f, to in graph.items() if names[f] in ours}
ok(len(graph) > 1, "the call graph was read", f"{len(graph)} functions")

# Peel off what calls nothing any more; what remains lies on a cycle or above one.
left = {f: set(to) & set(graph) for f, to in graph.items()}
while True:
    leaves = {f for f, to in left.items() if not to & set(left)}
    if not leaves:
        break
    for f in leaves:
        del left[f]
callers = lambda f: {g for g, to in left.items() if f in to}
while True:
    tops = {f for f in left if not callers(f)}
    if not tops:
        break
    for f in tops:
        del left[f]
none([f"{names[f]} -> {' '.join(sorted(names[t] for t in to if t in left))}" for f, to in sorted(left.items())],
     "no function calls itself, directly or in a ring")
done()
