"""Commands in Markdown: what a page shows in ```console blocks, and whether what came out is what stands below."""

import re
import shlex


def whole(text):
    """True if a shell would not wait for more: quotes are closed, no line goes on, no here-document is open."""
    here = re.search(r"<<'(\w+)'", text.split("\n")[0])
    if here:
        return text.rstrip("\n").endswith("\n" + here[1])
    if text.rstrip().endswith(("\\", "|", "&&")):
        return False
    try:
        shlex.split(text)
        return True
    except ValueError:
        return False


def commands(text):
    """(command, expected lines) of a page's text, in order."""
    for indent, block in re.findall(r"^( *)```console\n(.*?)^ *```$", text, re.S | re.M):
        lines = [line[len(indent):] if line.startswith(indent) else line for line in block.splitlines()]
        at = 0
        while at < len(lines):
            if not lines[at].startswith("$ "):
                yield None, [lines[at]]
                at += 1
                continue
            command = lines[at][2:]
            at += 1
            while not whole(command) and at < len(lines):
                command += "\n" + lines[at]
                at += 1
            expected = []
            while at < len(lines) and not lines[at].startswith("$ "):
                expected.append(lines[at])
                at += 1
            yield command, expected


def pattern(expected):
    """A line that is only … stands for any number of lines, … in a line for any text."""
    parts = [r"(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in expected]
    return "".join(parts)
