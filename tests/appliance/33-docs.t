#!/usr/bin/env python3
"""docs/appliance/keys.md and verify.md: each command is run as it stands, in a directory that looks like the tree (keys.md) or like a site with a kit
(verify.md), and what came out is compared; `…` stands for anything."""
import os
import re
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kits import *  # noqa: E402, F403
from postern import done, ok  # noqa: E402


def whole(text):
    """Would a shell wait for more?"""
    try:
        shlex.split(text)
    except ValueError:
        return False
    return not text.startswith("for ") or text.endswith("done")


def commands(page):
    for indent, block in re.findall(r"^( *)```console\n(.*?)^ *```$", read(page).decode().replace("0.1.0", VERSION), re.S | re.M):  # the pages show one version
        lines = [line[len(indent):] for line in block.splitlines()]
        while lines:
            command = lines.pop(0).removeprefix("$ ")
            while not whole(command):
                command += "\n" + lines.pop(0)
            expected = []
            while lines and not lines[0].startswith("$ "):
                expected.append(lines.pop(0))
            yield command, expected


def pattern(expected):
    return "".join(r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in expected)


def play(page, where, path, change=lambda text: text):
    prelude, n = "", 0
    for command, expected in commands(page):
        real = change(command)
        r = run("sh", "-c", prelude + real, cwd=where, env={"PATH": path + ":" + os.environ["PATH"], "XDG_STATE_HOME": f"{TMP}/state"}, timeout=900)
        if command.startswith("export "):
            prelude += real + "\n"
        out = r.stdout if not r.stdout or r.stdout.endswith("\n") else r.stdout + "\n"
        n += 1
        ok(r.returncode == 0 and re.fullmatch(pattern(expected), out), f"{os.path.basename(page)}: {command.splitlines()[0][:90]}",
           f"status {r.returncode}, got:\n{out[-3000:]}\nwant:\n" + "\n".join(expected))
    ok(n >= 8, f"{os.path.basename(page)}: {n} commands were run")


# Programs under the names that a page gives them.
path = f"{TMP}/path"
os.mkdir(path)
os.symlink(COSIGN[3], f"{path}/cosign")
os.symlink(SKOPEO, f"{path}/skopeo")

# The tree: a directory of one's own, from which make works on the project, and what signing writes stays there.
tree = f"{TMP}/tree"
os.makedirs(f"{tree}/build")
os.symlink(TOOLS, f"{tree}/build/signtools")
write(f"{path}/make", f"""#!/bin/sh
for a; do
    shift
    case $a in *KEY=* | PUB=* | NEXT_KEY_PUB=* | REVOKED=* | STATE=*) a=${{a%%=*}}=$PWD/${{a#*=}} ;; esac
    set -- "$@" "$a"
done
PATH={shlex.quote(os.environ["PATH"])}
{shlex.quote(shutil.which("make"))} --no-print-directory -C {shlex.quote(ROOT)} SIGNED={tree}/build/sign KITS={tree}/build/kit "$@" >out 2>&1
status=$?
sed 's|{tree}/||g' out
exit $status
""")
os.chmod(f"{path}/make", 0o755)
password = os.environ.pop("COSIGN_PASSWORD")
play(os.path.join(ROOT, "docs/appliance/keys.md"), tree, path)
os.environ["COSIGN_PASSWORD"] = password

# The site.
release, attest = key("release"), key("attest")
site = f"{TMP}/site"
make_kit(make_signed(f"{TMP}/signed", release, attest), f"{site}/postern-{VERSION}", release, attest)
shutil.rmtree(f"{site}/postern-{VERSION}")
shutil.copy(f"{TMP}/release.pub", site)
registry = Registry()
play(os.path.join(ROOT, "docs/appliance/verify.md"), site, path, lambda text: text.replace("127.0.0.1:5000", registry.host))
done()
