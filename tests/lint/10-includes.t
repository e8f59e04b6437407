#!/usr/bin/env python3
# Who may include whom: the room table of src/README.md, and one look at the system's headers per room.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

PLAIN = {"stddef.h", "stdint.h", "stdbool.h", "string.h", "limits.h", "stdalign.h", "stdnoreturn.h"}
SYSTEM = {  # None: anything. Only os speaks to the system; role and cmd may besides start, print and give up.
    "base": PLAIN, "wire": PLAIN, "gate": PLAIN, "bridge": PLAIN, "elder": PLAIN, "flow": PLAIN, "provider": PLAIN,
    "conf": PLAIN | {"stdlib.h"},
    "os": None,
    "role": PLAIN | {"stdlib.h", "stdio.h", "stdatomic.h"},
    "cmd": PLAIN | {"stdlib.h", "stdio.h"},
}
# Third-party headers, each in the one place that needs it; and the files that must speak to the kernel themselves.
EXTRA = {
    "jsmn.h": r"src/wire/json_read\.c",
    "stdatomic.h": r"src/(gate/replay|role/\w+)\.c",
    "bearssl.h": r"src/wire/((tls(_\w+)?|x509_anchors|jwk|jwt|crypto|private_key)\.c|(tls|x509)_priv\.h)",
}

rooms, system, form = [], [], []
for room, path in sources():
    for number, line in enumerate(open(path), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        kind, name = m.groups()
        where = f"{path}:{number}: {room} includes {name}"
        if kind == '"':
            other = name.split("/")[0]
            if "/" not in name or ".." in name:
                form.append(f'{path}:{number}: written as "{name}"; write "room/file.h"')
            elif other not in ROOMS[room]:
                rooms.append(f"{where}; it may use only: {' '.join(sorted(ROOMS[room]))}")
        elif name in EXTRA:
            if not re.fullmatch(EXTRA[name], path):
                system.append(f"{where}; only {EXTRA[name]} may")
        elif SYSTEM[room] is not None and name not in SYSTEM[room]:
            system.append(f"{where}; it may use only: {' '.join(sorted(SYSTEM[room]))}")
none(rooms, "rooms include only what stands below them")
none(system, "system headers stay in os, third-party headers in their one file")
none(form, 'own headers are written "room/file.h"')

makefile = open("Makefile").read()
parts = re.search(r"^PARTS\s*:=(.*)$", makefile, re.M)[1]
says = {m[1]: m[2].replace("$(MAY_role)", "role $(PARTS)").replace("$(PARTS)", parts) for m in re.finditer(r"^MAY_(\w+)\s*:=(.*)$", makefile, re.M)}
ok({r: set(may.split()) for r, may in says.items()} == ROOMS, "the Makefile links rooms by the same table")
known = {d for d in os.listdir("src") if os.path.isdir("src/" + d)}
none([f"src/{d} is in no row of the room table" for d in known - set(ROOMS)], "every folder of src is a room")
done()
