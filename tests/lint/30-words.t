#!/usr/bin/env python3
# Words that must not be in the tree: promises instead of work, paths of one machine, and hosts of registries (which
# package manager asks whom is the host's affair). The words are put together here so that this file has none.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

UNDONE = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "for" + " now", "place" + "holder", "not" + " implemented",
          "un" + "implemented", "left" + " as an exercise"]
LOCAL = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/fa" + "rm/"]
HOSTS = ["npmjs" + ".org", "debian" + ".org", "pypi" + ".org", "crates" + ".io", "golang" + ".org", "maven" + ".org",
         "nodesource" + ".com", "ubuntu" + ".com"]
# (what, words, whole words only, files left out)
RULES = [
    ("no unfinished work", UNDONE, True, r"tests/fuzz/corpus/.*"),
    ("no path of one machine", LOCAL, False, r"tests/fuzz/corpus/.*"),
    ("no host of a registry", HOSTS, False, r"tests/fuzz/corpus/.*"),
]

files = list(our_files())
ok(len(files) > 20, "the tree was read", f"{len(files)} files")
for name, words, whole, left_out in RULES:
    edge = r"(?<![\w])" if whole else r"(?<![\w.$)}\]])"
    pattern = re.compile(edge + "(" + "|".join(map(re.escape, words)) + ")" + (r"(?!\w)" if whole else ""))
    found = []
    for path, text in files:
        if re.fullmatch(left_out, path):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            m = pattern.search(line)
            if m:
                found.append(f"{path}:{number}: {m[1]}: {line.strip()[:100]}")
    none(found, name)
none([p for p, _ in files if re.search(r"(^|/)(jsmn\.h|bearssl\w*\.h|seccomp\.h)$", p)], "no third-party file in the tree")
done()
