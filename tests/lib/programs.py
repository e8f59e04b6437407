"""Programs that Postern starts, and calls of their tools: a copy of stdio_server.py at SERVER, where whoever Postern becomes can read it."""
import os
import sys
import tempfile

from postern import ROOT, call

# Not sys.executable: that may lie where the user that Postern becomes cannot go.
PYTHON = next(p for p in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable) if os.path.exists(p))
tmp = tempfile.TemporaryDirectory(prefix="postern-programs-")
os.chmod(tmp.name, 0o755)
SERVER = os.path.join(tmp.name, "server.py")
with open(os.path.join(ROOT, "tests", "lib", "stdio_server.py")) as f, open(SERVER, "w") as g:
    g.write(f.read())
os.chmod(SERVER, 0o644)


def program(era, **more):
    """Its member of mcpServers. It has a minute to start, for a machine that has no time."""
    return {"command": PYTHON, "args": [SERVER, era], "start_timeout": "60s", **more}


def use(p, name, arguments=None, **more):
    """The text of a tool's answer, or the error."""
    m = call(p, "tools/call", {"name": name, "arguments": arguments or {}}, **more).message()
    return m["result"]["content"][0]["text"] if "result" in m else m["error"]
