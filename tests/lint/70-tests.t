#!/usr/bin/env python3
# Tests about the tests: none can be left out unseen.
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import *

scripts = sorted(p for p, _ in our_files() if p.startswith("tests/") and p.endswith(".t"))
ok(scripts, "there are test scripts")
none([p for p in scripts if not os.access(p, os.X_OK)], "every test script is executable")
none([p for p in scripts if not open(p).readline().startswith("#!")], "every test script says what runs it")
suites = re.search(r"\(call suite,(table [^)]*)\)", open("Makefile").read())[1].split()
none([p for p in scripts if p not in ("tests/reproduce.t", "tests/reproduce-image.t") and not (p.count("/") == 2 and p.split("/")[1] in suites)],
     f"every test script lies where `make test` looks: tests/{{{','.join(suites)}}}/")
none([p for p, _ in our_files() if re.match(r"tests/unit/.*\.c$", p) and not re.fullmatch(r"tests/unit/\w+/\w+_test\.c", p)
      and "int main(" in open(p).read()], "every unit test is tests/unit/ROOM/MODULE_test.c")
none([p for p, _ in our_files() if re.fullmatch(r"tests/unit/\w+/\w+_test\.c", p) and p.split("/")[2] not in ROOMS],
     "every unit test belongs to a room")
fuzzers = [p for p, _ in our_files() if re.fullmatch(r"tests/fuzz/\w+_fuzz\.c", p)]
none([p for p in fuzzers if not glob.glob(f"tests/fuzz/corpus/{os.path.basename(p)[:-7]}/*")], "every fuzzer has a corpus")
tested = {os.path.basename(p)[:-7] for p, _ in our_files() if re.fullmatch(r"tests/unit/\w+/\w+_test\.c", p)}
# conf_form.c is a part of the module conf; bug() ends the program, which no unit test can outlive.
stems = {t.split("_")[0] if t.startswith("conf_") else t for t in tested}
untested = [path for room, path in sources(".c") if room in ("base", "wire", "gate", "conf", "bridge") and path != "src/base/bug.c"
            and not any(os.path.basename(path)[:-2] == t or os.path.basename(path)[:-2].startswith(t + "_") for t in stems)]
none(untested, "every module of base, wire, gate, conf and bridge has a unit test")
done()
