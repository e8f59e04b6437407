#!/usr/bin/env python3
"""`postern check` as a person meets it: every configuration of the tables through the real binary, exit codes, where messages go, and
the JSON Schema that ships with the docs: it accepts what is right and refuses what is wrong wherever a schema can see it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import BINARY, ROOT, done, is_, ok, skip  # noqa: E402

L = '"listeners":[{"address":"127.0.0.1:8080"}]'
S = '"mcpServers":{"docs":{"builtin":"files","root":"docs"}}'
P = '"identity":{"keys":[{"id":"k","sha256":"%s","tenant":"t"}]},"policy":[]' % ("0123456789abcdef" * 4)


NOBODY = "warning: c.json: /policy: no rule allows anything: every call is refused, and every list is empty\n"


def vectors(name):
    """(line number, text, expected lines, beyond the schema) of tests/table/NAME; the format is at the top of the file."""
    found, text, want, beyond, first = [], [], [], False, 0

    def end():
        if text:
            found.append((first, "\n".join(text).replace("@L", L).replace("@S", S).replace("@P", P), want[:], beyond))

    with open(os.path.join(ROOT, "tests", "table", name), encoding="utf-8", newline="\n") as f:
        for number, line in enumerate(f.read().split("\n"), 1):
            if line == "" or (line.startswith("<") and want):
                end()
                text, want, beyond = [], [], False
            if line.startswith("<"):
                first = first if text else number
                text.append(line[2:])
            elif line.startswith(">"):
                want.append(line[2:])
            elif line.startswith("!"):
                beyond = True
    end()
    return found


def check(*args, cwd=None):
    return subprocess.run([BINARY, "check", *args], cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


right, wrong = vectors("conf-right.txt"), vectors("conf-wrong.txt")
ok(len(right) >= 30 and len(wrong) >= 200, "the tables are there", "%d right, %d wrong" % (len(right), len(wrong)))

with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
    path = os.path.join(tmp, "c.json")

    def run(text):
        with open(path, "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
        return check("-c", "c.json", cwd=tmp)

    for name in ("docs", "d", "p"):
        os.mkdir(os.path.join(tmp, name))
    os.makedirs(os.path.join(tmp, "sub"))
    bad = []
    for number, text, want, _ in wrong:
        r = run(text)
        if r.returncode != 1 or r.stdout != "" or r.stderr != "".join("c.json:%s\n" % w for w in want):
            bad.append("line %d: exit %d\n%s" % (number, r.returncode, r.stderr))
    ok(not bad, "each wrong configuration: exit 1, the complaints of the table on stderr, nothing on stdout", "\n".join(bad[:5]))
    bad, there = [], 0
    for number, text, _, _ in right:
        r = run(text)
        r.stderr = r.stderr.replace(NOBODY, "")
        # Directories and files that are not there are the environment's fault, not the configuration's.
        absent = r.stderr != "" and all(re.search(r": (cannot be opened|cannot be read|cannot (open|open the directory|execute) .*): (No such file or directory|there is no such program in PATH|there is no .CREDENTIALS_DIRECTORY;.*)$", line)
                                        for line in r.stderr.splitlines())
        there += r.returncode == 0
        if (r.returncode, r.stdout.startswith("c.json: ok ("), r.stderr == "") != ((3, False, False) if absent else (0, True, True)):
            bad.append("line %d: exit %d\n%s" % (number, r.returncode, r.stderr))
    ok(not bad and there >= 35, "each right configuration: exit 0 and one line on stdout; exit 3 if files that it names are not there",
       "\n".join(["%d could start here" % there] + bad[:5]))

    r = run("{%s,%s,\"names\":\"plain\",\"admin\":{\"address\":\"127.0.0.1:0\"},%s}" % (L, S, P))
    is_(r.stdout, "c.json: ok (1 listener, admin on, names plain, 1 server: docs files)\n", "the summary")
    is_(r.stderr, NOBODY, "a policy that allows nothing is right, and said")
    r = run("{%s,%s,%s}" % (L, S, P.replace("[]", '[{"deny":"docs__read_file"},{"allow":"*"}]')))
    is_((r.returncode, r.stderr), (0, ""), "one that allows something is not")
    r = run('{"mcpServers":{"a":{"command":"node server.js"}},"identity":{"stdio":{"tenant":"t"}},"policy":[]}')
    ok(r.returncode == 3 and 'cannot execute (arguments stand in "args", each by itself) node server.js: there is no such program in PATH' in r.stderr, "a command with its arguments in it", r.stderr)
    r = run('{"mcpServers":{"a":{"command":"npx -y @scope/server"}},"identity":{"stdio":{"tenant":"t"}},"policy":[]}')
    ok(r.returncode == 3 and 'cannot execute (arguments stand in "args", each by itself) ' in r.stderr and "/npx -y @scope/server: No such file" in r.stderr, "also one with a / in them", r.stderr)
    r = run("""{"mcpServers":{"a":{"command":"sh","args":["${workspaceFolder}","-c","echo ${HOME} $HOME","--token","ghp_0123456789abcdef"],
 "env":{"GITHUB_TOKEN":"hunter2","T":"${input:t}","KEY_FILE":"x","TOKEN_STORE":"/var/t","E":""}},
 "b":{"url":"http://127.0.0.1:1/","headers":{"X-Team":"harbour","X-T":"ghp_0123456789abcdef"}}},"identity":{"stdio":{"tenant":"t"}},"policy":[{"allow":"*"}]}""")
    warned = [line.split(": ")[2] for line in r.stderr.splitlines() if line.startswith("warning: c.json:")]
    is_((r.returncode, warned), (0, ["/mcpServers/a/env/GITHUB_TOKEN", "/mcpServers/a/env/T", "/mcpServers/a/args", "/mcpServers/a/args", "/mcpServers/b/headers/X-T"]),
        "what may be a secret, and variables that nothing fills in: right, and said")
    ok("hunter2" not in r.stderr and "ghp_" not in r.stderr, "without the value", r.stderr)
    r = run("{%s,\"mcpServers\":{\"a\":{\"builtin\":\"files\",\"root\":\"no\"},\n \"b\":{\"builtin\":\"files\",\"root\":\"c.json\",\"prompts\":\"docs\"}},%s}" % (L, P))
    is_(r.returncode, 3, "directories that cannot be opened: exit 3")
    is_(r.stderr, "c.json:1:59: /mcpServers/a/root: cannot open the directory no: No such file or directory\n"
                  "c.json:2:2: /mcpServers/b/root: cannot open the directory c.json: Not a directory\n", "each is named with its place")
    is_(r.stdout, "", "and nothing is called ok")
    r = check("-c", os.path.join("..", "c.json"), cwd=os.path.join(tmp, "sub"))
    ok("../no:" in r.stderr, "relative directories count from the file, not from where the command runs", r.stderr)

    r = check("-c", "missing.json", cwd=tmp)
    is_((r.returncode, r.stdout, r.stderr), (3, "", "missing.json: cannot be read: No such file or directory\n"), "no such file: exit 3")
    is_(check("-c", "docs", cwd=tmp).returncode, 3, "a directory instead of a file: exit 3")
    with open(path, "wb") as f:
        f.write(b" " * ((1 << 20) + 1))
    is_(check("-c", "c.json", cwd=tmp).returncode, 3, "a file over 1 MiB: exit 3")
    with open(path, "wb") as f:
        f.write(b"{\"\xff\":1}")
    r = check("-c", "c.json", cwd=tmp)
    is_((r.returncode, r.stderr), (1, "c.json:1:3: this is not JSON: bytes that are not UTF-8\n"), "bytes that are not UTF-8")
    with open(path, "wb") as f:
        f.write(b"\xef\xbb\xbf{}")
    ok("byte order mark" in check("-c", "c.json", cwd=tmp).stderr, "a byte order mark is named")
    r = run("{%s,%s,%s,\"\\u001b[31m\u202e\":1}" % (L, S, P))
    ok(r.returncode == 1 and all(c == "\n" or (c >= " " and c not in "\x7f\u202e") for c in r.stderr), "nothing in the file reaches the terminal raw", repr(r.stderr))
    r = run("{%s,\"mcpServers\":{\"a\":{\"url\":\"https://user:hunter2@h/\"},\"b\":{\"url\":\"http://user:hunter2@h/\"}},%s}" % (L, P))
    ok(r.returncode == 1 and "hunter2" not in r.stderr, "a password in a url is not repeated", r.stderr)

for args in ([], ["-c"], ["-x"], ["-c", "a", "-c", "b"], ["-c", "a", "b"], ["--json", "-c", "a"]):
    r = check(*args)
    ok(r.returncode == 2 and "usage: postern check" in r.stderr and r.stdout == "", "usage error, exit 2: check %s" % " ".join(args), r.stderr)
r = check("--help")
ok(r.returncode == 0 and r.stdout.startswith("usage: postern check") and r.stderr == "", "--help: exit 0, on stdout")

r = check("-c", os.path.join(ROOT, "examples", "demo.json"))
is_(r.returncode, 0, "examples/demo.json is right, and its directories are there")

# The reference keeps its word: its examples are right, its complaints are what is really said.
with open(os.path.join(ROOT, "docs", "reference", "configuration.md"), encoding="utf-8") as f:
    page = f.read()
examples = [m.group(0) for m in re.finditer(r"(?m)(?:^    .*\n)+", page) if m.group(0).startswith("    {")]
ok(len(examples) >= 2, "the reference has examples")
for i, text in enumerate(examples):
    with tempfile.TemporaryDirectory(prefix="postern-") as tmp:
        with open(os.path.join(tmp, "c.json"), "w", encoding="utf-8") as f:
            f.write(text)
        r = check("-c", "c.json", cwd=tmp)
        ok(r.returncode == 0 or (r.returncode == 3 and "cannot open the directory /srv" in r.stderr), "example %d of the reference is right" % (i + 1), r.stderr)
known = {re.sub(r"^[0-9]+:[0-9]+: (/[^ ]*: )?", "", w) for _, _, want, _ in wrong for w in want}
shown = [m.group(1) for m in re.finditer(r"(?m)^\|[^|]*\| `c\.json:[0-9]+:[0-9]+: (?:/[^ ]*: )?(.*)` \|$", page)]
strange = [m for m in shown if m not in known and not m.startswith("cannot open the directory")]
ok(len(shown) >= 12 and not strange, "each complaint in the reference is one that the tables prove", "\n".join(strange))

with open(os.path.join(ROOT, "docs", "reference", "postern.schema.json"), encoding="utf-8") as f:
    schema = json.load(f)


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def agree(oracle, valid):
    """valid(list of values) -> list of booleans; the schema must agree with the parser wherever a schema can see."""
    verdicts = valid([json.loads(text) for _, text, _, _ in right])
    bad = ["line %d: refused" % n for (n, _, _, _), v in zip(right, verdicts) if not v]
    ok(not bad and len(verdicts) == len(right), "%s: the JSON Schema accepts what the parser accepts (%d)" % (oracle, len(right)), "\n".join(bad))
    cases = [(n, beyond, text) for n, text, _, beyond in wrong if text.strip() == "null" or parsed(text) is not None]
    bad = ["line %d: not JSON at all, mark it with !" % n for n, text, _, beyond in wrong if not beyond and text.strip() != "null" and parsed(text) is None]
    verdicts = valid([json.loads(text) for _, _, text in cases])
    for (n, beyond, text), v in zip(cases, verdicts):
        if v != beyond:
            bad.append("line %d: the schema %s it: %s" % (n, "accepts" if v else "refuses", text))
    ok(not bad and len(verdicts) == len(cases), "%s: it refuses what the parser refuses (%d), but for what is marked as beyond a schema (%d)"
       % (oracle, sum(not b for _, b, _ in cases), sum(b for _, b, _ in cases)), "\n".join(bad))
    with open(os.path.join(ROOT, "examples", "demo.json"), encoding="utf-8") as demo:
        is_(valid([json.load(demo)]), [True], "%s: it accepts examples/demo.json" % oracle)


# One default in three places: the reference's full example has them written out.
full = json.loads(examples[-1])
sections = {"memory": schema["properties"]["memory"]["properties"], "timeouts": schema["properties"]["timeouts"]["properties"],
            "docs": schema["$defs"]["files"]["properties"], "time": schema["$defs"]["http"]["properties"]}
written = {**full, **full["mcpServers"]}
for name, properties in sections.items():
    is_({k: v["default"] for k, v in properties.items() if "default" in v}, {k: written[name][k] for k, v in properties.items() if "default" in v},
        "the defaults of the schema are those of the reference: %s" % name)

AJV = """
const Ajv = require("ajv/dist/2020").default;
const job = JSON.parse(require("fs").readFileSync(0, "utf8"));
const valid = new Ajv({ strict: true, strictRequired: false, strictTypes: false }).compile(job.schema);
process.stdout.write(JSON.stringify(job.values.map((v) => valid(v))));
"""


def ajv(values):
    r = subprocess.run(["node", "-e", AJV], input=json.dumps({"schema": schema, "values": values}), capture_output=True, text=True,
                       timeout=120, cwd=os.path.join(ROOT, "tests", "peers"))
    if r.returncode != 0:
        ok(False, "ajv runs", r.stderr)
        return []
    return json.loads(r.stdout)


try:
    from jsonschema import Draft202012Validator
except ImportError:
    skip("the JSON Schema and the parser agree (Python)", "python3-jsonschema is not installed")
else:
    Draft202012Validator.check_schema(schema)
    agree("Python jsonschema", lambda values: [Draft202012Validator(schema).is_valid(v) for v in values])
if shutil.which("node") and os.path.isdir(os.path.join(ROOT, "tests", "peers", "node_modules", "ajv")):
    agree("ajv", ajv)
else:
    skip("the JSON Schema and the parser agree (ajv)", "node or tests/peers/node_modules/ajv is not there")
done()
