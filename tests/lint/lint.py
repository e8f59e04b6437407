"""Shared by tests/lint/*.t: TAP in three functions, the room table, and which files are ours."""
import glob, os, re, subprocess, sys

_run = _bad = 0


def ok(cond, name, *notes):
    """One test; the notes are shown only if it fails."""
    global _run, _bad
    _run += 1
    print(f"{'' if cond else 'not '}ok {_run} - {name}", flush=True)
    if not cond:
        _bad += 1
        for note in notes:
            for line in str(note).splitlines():
                print("# " + line, file=sys.stderr)
    return bool(cond)


def none(found, name):
    """Passes if the list of offences is empty."""
    return ok(not found, name, *found[:40], *([f"... {len(found)} in all"] if len(found) > 40 else []))


def skip(name, why):
    global _run
    _run += 1
    print(f"ok {_run} - {name} # SKIP {why}")


def done():
    print(f"1..{_run}")
    sys.exit(1 if _bad or not _run else 0)


# Which rooms a room may include and link. The Makefile says the same in its MAY_ lines; 10-includes.t compares.
ROOMS = {
    "base": "base",
    "os": "os base",
    "wire": "wire base",
    "gate": "gate wire base",
    "conf": "conf gate wire base",
    "provider": "provider wire os base",
    "bridge": "bridge gate wire base",
    "elder": "elder wire base",
    "flow": "flow gate wire os base",
    "role": "role flow bridge elder provider conf gate wire os base",
    "cmd": "cmd role flow bridge elder provider conf gate wire os base",
}
ROOMS = {room: set(may.split()) for room, may in ROOMS.items()}


def sources(suffix=".[ch]"):
    """Source files as (room, path); main.c belongs to cmd."""
    for path in sorted(glob.glob("src/**/*" + suffix, recursive=True)):
        parts = path.split("/")
        yield (parts[1] if len(parts) > 2 else "cmd"), path


def our_files():
    """Every text file of the project, tracked or about to be."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if out.returncode == 0 and out.stdout:
        names = out.stdout.decode().split("\0")
    else:
        names = [os.path.join(d, f)[2:] for d, _, fs in os.walk(".") for f in fs]
        names = [n for n in names if not re.match(r"(build|\.git)/|.*node_modules/|.*__pycache__/", n)]
    for name in sorted(set(names)):
        if name and os.path.isfile(name):
            data = open(name, "rb").read()
            if b"\0" not in data:
                yield name, data.decode("utf-8", "replace")


def command(*argv):
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=True).stdout
