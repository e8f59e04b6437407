#!/usr/bin/env python3
# The linker's word on the rooms: what each archive leaves undefined must come from a room it may use or from a short
# list of C library calls. Source may be read in several ways, symbols in one.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

PURE = {"memcpy", "memmove", "memset", "memcmp", "strlen", "memchr"}
COMPILER = {"__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
PRINT = "printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf dprintf vdprintf puts fputs fputc putchar " \
        "fopen fdopen fclose fread fwrite fgets fgetc getline fflush perror scanf sscanf fscanf"
HEAP = "malloc calloc realloc free reallocarray aligned_alloc posix_memalign strdup strndup asprintf vasprintf"
LATE = "getaddrinfo gethostbyname time localtime gmtime mktime ctime opendir fdopendir qsort atexit"
NEVER = "strcpy strcat strncpy strncat sprintf vsprintf gets strtok rand srand random system popen execve execv execvp " \
        "execl execlp execle fexecve posix_spawn posix_spawnp alloca tmpnam mktemp setjmp longjmp atoi atol atof sleep usleep"
BANNED = {room: set(NEVER.split()) for room in ROOMS}
for room in ("base", "os", "wire", "gate", "provider", "bridge", "elder", "flow"):
    BANNED[room] |= set((PRINT + " " + HEAP + " " + LATE).split())
BANNED["conf"] |= set((PRINT + " " + LATE).split())
STARTS = {"start"}  # os/start.c alone may execute a program

defined, undefined = {}, {}
for room in ROOMS:
    archive = f"build/lib{room}.a"
    if not glob.glob(f"src/{room}/*.c"):
        continue
    member = None
    # Not nm: it would show what the link-time optimiser means to do instead of what is in the object.
    for line in command("readelf", "-sW", archive).splitlines():
        m = re.match(r"File: .*\((.+)\.o\)$", line)
        if m:
            member = m[1]
        m = re.match(r" *\d+: [0-9a-f]{16} +\d+ \w+ +(GLOBAL|WEAK) +\w+ +(\w+) (\S+)", line)
        if not m or m[3].startswith("__gnu_lto"):
            continue
        (undefined if m[2] == "UND" else defined).setdefault(room, set()).add((member, m[3]))
ok(defined, "there are rooms to look at")

for room in sorted(defined):
    below = {s for r in ROOMS[room] for _, s in defined.get(r, ())}
    above = {s: r for r in defined if r not in ROOMS[room] for _, s in defined[r]}
    outside = sorted((m, s) for m, s in undefined.get(room, ()) if s not in below | COMPILER)
    none([f"{room}/{m}.c uses {s} of {above[s]}" for m, s in outside if s in above], f"{room} uses no room it must not")
    none([f"{room}/{m}.c calls {s}" for m, s in outside if s in BANNED[room] and not (room == "os" and m in STARTS and s == "execve")],
         f"{room} makes no banned call")
    if room in ("base", "wire", "gate", "bridge"):
        crypto = re.compile(r"tls(_\w+)?|jwk|jwt|crypto|private_key")
        none([f"{room}/{m}.c calls {s}" for m, s in outside
              if s not in PURE and not (s.startswith("br_") and crypto.fullmatch(m))],
             f"{room} is pure: nothing from outside but {' '.join(sorted(PURE))}")

# What a room exports stands in a header of that room, which is its manual.
told = {room: set() for room in ROOMS}
for room, path in sources(".h"):
    told[room] |= set(re.findall(r"\w+", re.sub(r"/\*.*?\*/|//[^\n]*", " ", open(path).read(), flags=re.S)))
none([f"{room}/{m}.c exports {s}" for room in sorted(defined) for m, s in sorted(defined[room]) if s not in told[room]],
     "every exported name stands in a header of its room")
homes = {}
for room in defined:
    for m, s in defined[room]:
        homes.setdefault(s, []).append(f"{room}/{m}.c")
none([f"{s}: {' and '.join(h)}" for s, h in sorted(homes.items()) if len(h) > 1], "no name is exported twice")
done()
