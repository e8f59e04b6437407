#!/usr/bin/env python3
"""postern import: what people have in their clients' files, as a configuration that `postern check` accepts; what cannot be kept is said, and no
secret is printed. Each case is written down as the clients' own manuals have it, and goes the whole way round: import, fill in, check."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pki import Pki
from postern import BINARY, Postern, call, done, is_, ok
from tls import Upstream

GHP, LONG, JWT = "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "8f2a91c4d7e64b0fa3c19d5e77b20a61", "eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh"
SECRETS = [GHP, LONG, JWT, "hunter2"]


def file(name):
    return {"file": "secrets/" + name}


# what: (the file, the servers that come out, what is said of what was not kept, in order)
CASES = {
    "a desktop client": (
        {"mcpServers": {"filesystem": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/srv/me/Desktop", "/srv/me/Down loads"]},
                        "sqlite": {"command": "uvx", "args": ["mcp-server-sqlite", "--db-path", "/srv/me/test.db"], "env": {}}}},
        {"filesystem": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/srv/me/Desktop", "/srv/me/Down loads"], "network": True},
         "sqlite": {"command": "uvx", "args": ["mcp-server-sqlite", "--db-path", "/srv/me/test.db"], "network": True}}, []),
    "secrets in variables": (
        {"mcpServers": {"github": {"command": "docker", "args": ["run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server"],
                                   "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": GHP, "LOG_LEVEL": "debug", "PORT": 8080, "DEBUG": True, "EMPTY": "",
                                           "GOOGLE_APPLICATION_CREDENTIALS": "/srv/me/gcp.json", "DB": "postgres://me:hunter2@db/x", "SOMETHING": LONG}}}},
        {"github": {"command": "docker", "args": ["run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server"],
                    "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": file("github.GITHUB_PERSONAL_ACCESS_TOKEN"), "LOG_LEVEL": "debug", "PORT": "8080", "DEBUG": "true", "EMPTY": "",
                            "GOOGLE_APPLICATION_CREDENTIALS": "/srv/me/gcp.json", "DB": file("github.DB"), "SOMETHING": file("github.SOMETHING")}, "network": True}},
        ["github: \"GITHUB_PERSONAL_ACCESS_TOKEN\" .*put its value into the file secrets/github.GITHUB_PERSONAL_ACCESS_TOKEN", "github: \"DB\" ", "github: \"SOMETHING\" "]),
    "an editor, with inputs and comments": (
        """\ufeff{
  // what the editor asks for
  "inputs": [{"type": "promptString", "id": "key", "description": "API Key", "password": true,},],
  /* and the servers */
  "servers": {
    "perplexity": {"type": "stdio", "command": "npx", "args": ["-y", "server-perplexity-ask"], "env": {"PERPLEXITY_API_KEY": "${input:key}", "URL": "https://x.example//y"}},
    "fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "envFile": "${workspaceFolder}/.env", "dev": {"watch": "x"}}, // the last one
  },
}""",
        {"perplexity": {"command": "npx", "args": ["-y", "server-perplexity-ask"], "env": {"PERPLEXITY_API_KEY": file("perplexity.PERPLEXITY_API_KEY"), "URL": "https://x.example//y"},
                        "network": True},
         "fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "network": True}},
        ["comments and commas", "\"inputs\" of the file is not kept: what it asks the user for goes into files", "perplexity: \"PERPLEXITY_API_KEY\" .*filled in by somebody else",
         "fetch: \"envFile\" is not kept: variables stand in \"env\"", "fetch: \"dev\" is not kept"]),
    "variables anywhere else": (
        {"mcpServers": {"a": {"command": "node", "args": ["${workspaceFolder}/server.js"]}, "b": {"command": "${HOME}/bin/server"}, "c": {"command": "node", "cwd": "$HOME"},
                        "d": {"url": "http://localhost:${PORT}/mcp"}, "kept": {"command": "node", "args": ["/srv/server.js", "--price=$5"], "cwd": "/srv"}}},
        {"kept": {"command": "node", "args": ["/srv/server.js", "--price=$5"], "cwd": "/srv", "network": True}},
        ["a: is left out: nothing fills in variables here; write the value in place of \\$\\{workspaceFolder\\}$", "b: is left out", "c: is left out: .*working directory", "d: is left out: .*url"]),
    "by url": (
        {"mcpServers": {"local": {"url": "http://localhost:3000/mcp"}, "typed": {"type": "http", "url": "http://127.0.0.1:3001/mcp?x=1#frag"}, "stream": {"type": "streamableHttp", "url": "http://[::1]:3002/"},
                        "windsurf": {"serverUrl": "http://127.0.0.1:3003/mcp"}, "gemini": {"httpUrl": "http://127.0.0.1:3004/mcp", "timeout": 5000, "trust": True}}},
        {"local": {"url": "http://localhost:3000/mcp"}, "typed": {"url": "http://127.0.0.1:3001/mcp?x=1"}, "stream": {"url": "http://[::1]:3002/"},
         "windsurf": {"url": "http://127.0.0.1:3003/mcp"}, "gemini": {"url": "http://127.0.0.1:3004/mcp"}},
        ["gemini: \"timeout\" is not kept: it means seconds with some clients", "gemini: \"trust\" is not kept"]),
    "far away": (
        {"mcpServers": {"api": {"type": "http", "url": "https://mcp.example.com/mcp", "headers": {"X-Team": "a", "Authorization": "Bearer " + JWT, "Accept": "x", "Host": "y"}},
                        "port": {"url": "https://mcp.example.com:8443", "headers": {"X-API-Key": "${env:KEY}"}}, "token": {"url": "https://t.example/mcp", "headers": {"authorization": "Token " + LONG}},
                        "raw": {"url": "https://r.example/mcp", "headers": {"Authorization": LONG}}, "clear": {"url": "http://mcp.example.com/mcp", "headers": {"X-Team": "a"}}}},
        {"api": {"url": "https://mcp.example.com/mcp", "address": "192.0.2.1:443", "tls": {"ca": "ca/api.pem"}, "credentials": {"secret": file("api.Authorization")}, "headers": {"X-Team": "a"}},
         "port": {"url": "https://mcp.example.com:8443", "address": "192.0.2.1:8443", "tls": {"ca": "ca/port.pem"}, "credentials": {"secret": file("port.X-API-Key"), "header": "X-API-Key"}},
         "token": {"url": "https://t.example/mcp", "address": "192.0.2.1:443", "tls": {"ca": "ca/token.pem"}, "credentials": {"secret": file("token.authorization"), "scheme": "Token"}},
         "raw": {"url": "https://r.example/mcp", "address": "192.0.2.1:443", "tls": {"ca": "ca/raw.pem"}, "credentials": {"secret": file("raw.Authorization"), "scheme": ""}},
         "clear": {"url": "http://mcp.example.com/mcp", "address": "192.0.2.1:80", "headers": {"X-Team": "a"}}},
        ["api: needs an address.*mcp.example.com", "api: needs the certificates.*ca/api.pem", "api: \"Authorization\" carries a credential: put what stands behind the first word into the file secrets/api.Authorization",
         "api: \"Accept\" in \"headers\" is not kept", "api: \"Host\" in", "port: ", "port: ", "port: \"X-API-Key\" carries", "token: ", "token: ", "token: ", "raw: ", "raw: ", "raw: ", "clear: needs an address"]),
    "what cannot be": (
        {"mcpServers": {"sse": {"type": "sse", "url": "http://localhost:1/x"}, "old": {"url": "http://localhost:1/sse"}, "ws": {"type": "websocket", "url": "ws://x"}, "ftp": {"url": "ftp://x/y"},
                        "both": {"command": "x", "url": "http://localhost:1/"}, "none": {}, "text": "npx x", "off": {"command": "x", "disabled": True}, "off2": {"command": "x", "enabled": False},
                        "ip": {"url": "https://10.0.0.1/mcp"}, "user": {"url": "https://me:hunter2@x.example/mcp"}, "query": {"url": "https://x.example/mcp?api_key=" + LONG},
                        "clear": {"url": "http://x.example/mcp", "headers": {"Authorization": "Bearer " + JWT}}, "two": {"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer " + JWT, "X-Api-Key": LONG}},
                        "arg": {"command": "npx", "args": ["x", "--api-key", "hunter2"]}, "arg2": {"command": "npx", "args": ["x", "--token=hunter2"]}, "arg3": {"command": "npx", "args": ["mcp-remote", "u", "--header", "Authorization: " + "Bearer " + JWT]},
                        "win": {"command": "cmd", "args": ["/c", "npx"]}, "win2": {"command": "C:\\x\\y.exe"}, "mixed": {"type": "stdio", "url": "http://localhost:1/"}, "twice": {"url": "http://a/", "serverUrl": "http://b/"},
                        "args": {"command": "x", "args": "y"}, "args2": {"command": "x", "args": [1]}, "env": {"command": "x", "env": []}, "kept": {"command": "sh"}}},
        {"kept": {"command": "sh", "network": True}},
        [n + ": .*" + w for n, w in (("sse", "2024-11-05"), ("old", "2024-11-05"), ("ws", "no transport websocket"), ("ftp", "none of http or https"), ("both", "either a command or a url"), ("none", "either"),
                                     ("text", "no object"), ("off", "switched off"), ("off2", "switched off"), ("ip", "IP address"), ("user", "carries a secret"), ("query", "carries a secret"),
                                     ("clear", "needs an address"), ("clear", "left out: its credential would pass"), ("two", ""), ("two", ""), ("two", ""), ("two", "two of its headers"),
                                     ("arg", "seems to be a secret"), ("arg2", "seems to be a secret"), ("arg3", "seems to be a secret"), ("win", "Windows"), ("win2", "Windows"), ("mixed", "either"), ("twice", "two names"),
                                     ("args", "no list"), ("args2", "no string"), ("env", "no object"))]),
    "secrets where nobody looks for them": (
        {"mcpServers": {"scheme": {"url": "ws://me:hunter2@x.example/mcp"}, "scheme2": {"url": "postgres://me:hunter2@x.example/mcp"}, "mixed": {"url": "https://x.example/${TEAM}?k=hunter2"},
                        "fallback": {"command": "x", "args": ["a${KEY:-hunter2}"]}, "beside": {"command": "x", "args": ["hunter2-${X}"]}, "cwd": {"command": "x", "cwd": "/hunter2/$(pwd)"},
                        "path": {"url": "https://mcp.example.com/s/" + LONG + "/mcp"}, "value": {"url": "https://mcp.example.com/mcp?profile=" + GHP}, "control": {"command": "x", "args": [LONG + "\n"]},
                        "hook": {"command": "sh", "env": {"WEBHOOK_URL": "https://hooks.example.com/services/T0/" + LONG, "PAGE_URL": "https://docs.example.com/a/b?c=d", "connectionString": "hunter2"}},
                        "two": {"url": "https://t.example/mcp", "headers": {"X-Api-Key": "hunter2 and more"}}, "auth": {"url": "https://t.example/mcp", "headers": {"Authorization": "hunter2! x"}}}},
        {"hook": {"command": "sh", "env": {"WEBHOOK_URL": file("hook.WEBHOOK_URL"), "PAGE_URL": "https://docs.example.com/a/b?c=d", "connectionString": file("hook.connectionString")}, "network": True},
         "two": {"url": "https://t.example/mcp", "address": "192.0.2.1:443", "tls": {"ca": "ca/two.pem"}, "credentials": {"secret": file("two.X-Api-Key"), "header": "X-Api-Key"}},
         "auth": {"url": "https://t.example/mcp", "address": "192.0.2.1:443", "tls": {"ca": "ca/auth.pem"}, "credentials": {"secret": file("auth.Authorization"), "scheme": ""}}},
        ["scheme: .*none of http or https$", "scheme2: .*none of http or https$", "mixed: .*in its url write the value in place of \\$\\{TEAM\\}$", "fallback: .*in place of \\$\\{KEY$", "beside: .*in place of \\$\\{X\\}$",
         "cwd: .*in place of \\$\\(pwd\\)$", "path: is left out: its url carries a secret", "value: is left out: its url carries a secret", "control: ", "hook: \"WEBHOOK_URL\" .*may be a secret",
         "hook: \"connectionString\" ", "two: needs", "two: needs", "two: \"X-Api-Key\" carries a credential: put its value into", "auth: needs", "auth: needs", "auth: \"Authorization\" carries a credential: put its value into"]),
    "what a shell would do": (
        {"mcpServers": {"words": {"command": "npx -y pkg"}, "home": {"command": "~/bin/server"}, "home2": {"command": "x", "cwd": "~"}, "var": {"command": "x", "args": ["$HOME/docs"]},
                        "both": {"command": {"path": "x", "args": ["a"]}, "args": ["b"]}, "beside": {"command": {"path": "sh"}, "args": ["b"], "env": {"A": "b"}},
                        "quoted": {"command": "sh", "args": ["-c", "a; b | c > d `e` *"]}}},
        {"beside": {"command": "sh", "args": ["b"], "env": {"A": "b"}, "network": True}, "quoted": {"command": "sh", "args": ["-c", "a; b | c > d `e` *"], "network": True}},
        ["words: is left out: its command has several words", "home: is left out: .*~", "home2: is left out: .*~", "var: .*in place of \\$HOME$", "both: .*two"]),
    "names": (
        {"mcpServers": {"My Server!": {"command": "sh"}, "my-server": {"command": "sh"}, "a__b_": {"command": "sh"}, "\u00fc": {"command": "sh"}, "x" * 40: {"command": "sh"}, "x" * 41: {"command": "sh"}}},
        {"My-Server": {"command": "sh", "network": True}, "my-server-2": {"command": "sh", "network": True}, "a_b": {"command": "sh", "network": True}, "server": {"command": "sh", "network": True},
         "x" * 32: {"command": "sh", "network": True}, "x" * 29 + "-2": {"command": "sh", "network": True}},
        ["My Server!: is called otherwise.*My-Server", "my-server: is called otherwise.*my-server-2", "a__b_: .*a_b", "\\\\xc3\\\\xbc: .*server", "x+: ", "x+: "]),
    "other clients' shapes": (
        {"context_servers": {"zed": {"source": "custom", "command": {"path": "/usr/bin/node", "args": ["a.js"], "env": {"A": "b"}}, "settings": {}}}, "theme": "dark"},
        {"zed": {"command": "/usr/bin/node", "args": ["a.js"], "env": {"A": "b"}, "network": True}}, ["\"theme\" of the file is not kept", "zed: \"source\"", "zed: \"settings\" is not kept: Postern knows no such member"]),
    "and more of them": (
        {"$schema": "x", "mcp": {"local": {"type": "local", "command": ["npx", "-y", "pkg"], "environment": {"A": "b"}, "enabled": True}, "far": {"type": "remote", "url": "http://localhost:1/mcp", "enabled": True}}},
        {"local": {"command": "npx", "args": ["-y", "pkg"], "env": {"A": "b"}, "network": True}, "far": {"url": "http://localhost:1/mcp"}}, []),
    "settings of an editor": ({"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "sh"}}, "inputs": []}}, {"a": {"command": "sh", "network": True}}, ["\"editor.fontSize\" of the file"]),
    "hostile words": (
        {"mcpServers": {"\x1b[2Jx": {"command": "sh", "\x1b]0;evil\x07": 1, "args": ["a\"b\\c"]}, "nl": {"command": "sh", "args": ["a\n\x1b"]}, "nl2": {"command": "s\nh"}}},
        {"2Jx": {"command": "sh", "args": ["a\"b\\c"], "network": True}},
        ["\\\\x1b\\[2Jx: \"\\\\x1b\\]0;evil\\\\x07\" is not kept", "\\\\x1b\\[2Jx: is called otherwise", "nl: is left out: there is a control character in an argument", "nl2: is left out: .*its command"]),
}

tmp = tempfile.TemporaryDirectory(prefix="postern-import-")
os.chmod(tmp.name, 0o755)
ca = Pki(tmp.name).root.cert
programs = os.path.join(tmp.name, "bin")
os.mkdir(programs)
for name in ("npx", "uvx", "docker", "node"):
    with open(os.path.join(programs, name), "w") as f:
        f.write("#!/bin/sh\n")
    os.chmod(os.path.join(programs, name), 0o755)
ENV = {**os.environ, "PATH": programs + ":/usr/bin:/bin"}


def postern(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, env=ENV, timeout=60)


def imported(text, *options):
    path = os.path.join(tmp.name, "mcp.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))
    return postern("import", path, *options)


def fill_in(config):
    """What the notes say that has to be done: the files."""
    for server in config["mcpServers"].values():
        for value in [*server.get("env", {}).values(), server.get("credentials", {}).get("secret"), server.get("tls", {}).get("ca")]:
            name = value["file"] if isinstance(value, dict) else value if value and value.startswith("ca/") else None
            if name:
                os.makedirs(os.path.join(tmp.name, os.path.dirname(name)), exist_ok=True)
                with open(os.path.join(tmp.name, name), "w") as f:
                    f.write(open(ca).read() if name.startswith("ca/") else "x")
                os.chmod(os.path.join(tmp.name, name), 0o600)
        if server.get("cwd"):
            server["cwd"] = tmp.name
        if server.get("command", "").startswith("/usr/bin/node"):
            server["command"] = "node"
    path = os.path.join(tmp.name, "postern.json")
    with open(path, "w") as f:
        json.dump(config, f)
    return path


for what, (text, servers, notes) in CASES.items():
    r = imported(text)
    ok(r.returncode == 0, "%s: imported" % what, r)
    config = json.loads(r.stdout)
    is_(config["mcpServers"], servers, "  the servers")
    is_(list(config["mcpServers"]), list(servers), "  in their order")
    said = r.stderr.splitlines()
    ok(len(said) == len(notes) + 1 and all(re.match(n, s) for n, s in zip(notes, said)), "  what is said", r.stderr)
    ok(said[-1].startswith("%d server" % len(servers)) and "nothing is allowed yet" in said[-1], "  and what is to be done", said[-1])
    ok(not any(s in r.stdout + r.stderr for s in SECRETS) and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", r.stderr), "  no secret is shown, and nothing that a terminal minds", r.stderr)
    ok(config["policy"] == [] and config["listeners"] == [{"address": "127.0.0.1:8080", "path": "/mcp"}], "  it allows nothing, to nobody but this machine")
    r = postern("check", "-c", fill_in(config))
    ok(r.returncode == 0, "  filled in, it is accepted", r)

# ---- rules
text = {"mcpServers": {"a": {"command": "sh", "disabledTools": ["rm", "a*b", "zero\u200bwidth"]}, "b": {"command": "sh", "includeTools": ["get", "list"], "excludeTools": ["set"]}, "c": {"command": "sh"}}}
r = imported(text, "--allow")
config = json.loads(r.stdout)
is_(config["policy"], [{"deny": "a__rm"}, {"deny": "b__set"}, {"allow": "b__get", "roles": ["local"]}, {"allow": "b__list", "roles": ["local"]}, {"allow": "a__*", "roles": ["local"]},
                       {"allow": "c__*", "roles": ["local"]}], "--allow: what was offered there, and no more")
ok(r.stderr.count("has a rule for a tool that is not kept") == 2 and "whoever reaches 127.0.0.1:8080 may use" in r.stderr, "and that is said", r.stderr)
ok(postern("check", "-c", fill_in(config)).returncode == 0, "accepted as well")
is_(json.loads(imported(text).stdout)["policy"], [{"deny": "a__rm"}, {"deny": "b__set"}], "what was forbidden stays so")
r = imported({"mcpServers": {"s%d" % i: {"command": "sh"} for i in range(34)}})
ok(len(json.loads(r.stdout)["mcpServers"]) == 32 and r.stderr.count("at most 32 servers") == 2, "32 servers, and it is said of the others", r.stderr)

# ---- and it serves
u = Upstream()
config = json.loads(imported({"mcpServers": {"up": {"url": "http://127.0.0.1:%d/mcp" % u.port}}}, "--allow").stdout)
config["listeners"][0]["address"] = "127.0.0.1:0"
with Postern(config) as p:
    ok("result" in call(p, "tools/call", {"name": "up__echo"}).message(), "what was imported with --allow serves")
u.close()

# ---- what is no such file
for what, text, word in (("not JSON", "{\"mcpServers\": {", "not JSON"), ("no servers", {"x": 1}, "there is no object mcpServers"), ("nothing kept", {"mcpServers": {"a": {}}}, "no server could be kept"),
                         ("an empty one", {"mcpServers": {}}, "no server could be kept"), ("a list", [], "there is no object"), ("a name twice", "{\"mcpServers\":{\"a\":{},\"a\":{}}}", "not JSON")):
    r = imported(text)
    ok(r.returncode == 1 and r.stdout == "" and word in r.stderr, "%s: exit 1, and why" % what, r)
r = postern("import", os.path.join(tmp.name, "nothing"))
ok(r.returncode == 3 and r.stdout == "", "a file that is not there: exit 3", r)
for args in ((), ("a", "b"), ("--x",)):
    r = postern("import", *args)
    ok(r.returncode == 2 and "usage: postern import" in r.stderr, "wrong usage: exit 2", r)
ok(postern("import", "--help").stdout.startswith("usage: postern import"), "--help")
tmp.cleanup()
done()
