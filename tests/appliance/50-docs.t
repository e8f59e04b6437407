#!/usr/bin/env python3
"""The pages of the appliance on building, deploying, upgrading and the air gap do what they say: their commands are run on a kit made here, and
what stands below them is what comes out. A block of commands that is not run says why.

Each page has a folder of its own with kit/ and kit.tar (this version), old.tar (a former one), release.pub, stranger.pub, verify.sh, and
postern.json, a configuration of the site."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kits import *  # noqa: E402, F403
from pages import commands, pattern  # noqa: E402
from postern import done, ok, skip  # noqa: E402

PAGES = ("build", "deploy", "upgrade", "airgap")
release, attest, _ = key("release"), key("attest"), key("stranger")
r = run("make", "kit", f"KEY={release}", f"ATTEST_KEY={attest}", f"SIGNED={TMP}/signed", f"KITS={TMP}/kits", timeout=900)
if not ok(r.returncode == 0 and os.path.isfile(f"{TMP}/kits/postern-{VERSION}.tar"), "a kit to work with", r.stdout):
    done()
OLD = "0.0.9"
old_signed = make_signed(f"{TMP}/old-signed", release, attest, other_image(f"{TMP}/old-image", OLD, "old"), OLD)
make_kit(old_signed, f"{TMP}/old/postern-{OLD}", release, attest, OLD)
os.makedirs(f"{TMP}/bin")
os.symlink(SKOPEO, f"{TMP}/bin/skopeo")
write(f"{TMP}/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}')
write(f"{TMP}/.config/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}')

ran = 0
for page in PAGES:
    name = f"docs/appliance/{page}.md"
    text = read(name).decode()
    # Without the commands that run: what is left must say why it does not.
    lost = []
    for before, language in re.findall(r"(?:^|\n)([^\n]*(?:\n[^\n]+)*)\n\n *```(\w*)\n", re.sub(r"^ *```\n", "```end\n", text, flags=re.M)):
        if language not in ("console", "end") and "Not run by a test, because" not in before:
            lost.append(before)
    ok(not lost, f"{name}: a block that is not run says why", "\n".join(lost))
    site = f"{TMP}/{page}"
    os.makedirs(f"{site}/docs")
    shutil.copytree(f"{TMP}/kits/postern-{VERSION}", f"{site}/kit")
    for what, there in ((f"{TMP}/kits/postern-{VERSION}.tar", "kit.tar"), (f"{TMP}/kits/postern-{VERSION}.tar.sigstore.json", "kit.tar.sigstore.json"),
                        (f"{TMP}/old/postern-{OLD}.tar", "old.tar"), (f"{TMP}/old/postern-{OLD}.tar.sigstore.json", "old.tar.sigstore.json"),
                        (f"{TMP}/release.pub", "release.pub"), (f"{TMP}/stranger.pub", "stranger.pub"), ("sign/verify.sh", "verify.sh")):
        shutil.copy(what, f"{site}/{there}")
    os.symlink(ROOT, f"{site}/project")
    write(f"{site}/postern.json", read("image/deploy/postern.json").decode().replace("/srv/docs", "docs"))
    if os.path.exists("build/postern"):
        shutil.copy("build/postern", f"{site}/postern")
    todo = list(commands(text.replace("0.1.0", VERSION)))
    ok(todo, f"{name} has commands to run")
    for command, expected in todo:
        title = f"{name}: {(command or expected[0]).splitlines()[0][:80]}"
        if command is None:
            ok(False, title, "a line that belongs to no command")
            continue
        if "docker-compose" in command and not shutil.which("docker-compose"):
            skip(title, "docker-compose is not installed (make test does it)")
            continue
        r = run("sh", "-c", command, cwd=site, env={"PATH": f"{TMP}/bin:{os.environ['PATH']}", "COSIGN": "no-cosign-here"})
        out = r.stdout if not r.stdout or r.stdout.endswith("\n") else r.stdout + "\n"
        ran += 1
        ok(re.fullmatch(pattern(expected), out), title, lambda: "got:\n%s\nwant:\n%s" % (out, "\n".join(expected)))
ok(ran >= 12, "commands were run", ran)
done()
