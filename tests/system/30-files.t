#!/usr/bin/env python3
"""The built-in server `files` through the real binary and its jail: what it answers against the protocol's schema, the tools' own schemas
and a walk of the tree made here; progress, cancelling, subscriptions; what must not be reachable."""

import base64
import json
import os
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, ROOT, call, done, is_, ok, request_bytes, skip  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

SUITES = os.environ.get("SUITES", os.path.join(ROOT, "..", "shared", "suites"))
PROTOCOL = os.path.join(SUITES, "mcp-schema", "2026-07-28.json")
protocol = json.load(open(PROTOCOL, encoding="utf-8")) if os.path.exists(PROTOCOL) else None

tmp = tempfile.mkdtemp(prefix="postern-files-")
os.chmod(tmp, 0o755)
tree, prompts, outside = (os.path.join(tmp, d) for d in ("tree", "prompts", "outside"))


def put(base, path, data=b"x"):
    full = os.path.join(base, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(data)


put(outside, "canary.txt", b"CANARY-7f3a")
put(tree, "README.md", "# Hello\n\nGr\u00fc\u00dfe.\n".encode())
put(tree, "docs/a b%20\u00fc.txt", b"percent\n")
put(tree, "docs/data.bin", bytes(range(256)))
put(tree, "docs/empty", b"")
put(tree, "src/main.c", b"int main(void)\n{\n\treturn 0; /* needle */\n}\n")
put(tree, ".hidden/secret", b"CANARY-hidden")
put(tree, "large.txt", b"y" * (1048576 + 1))
put(tree, "nearly.txt", b"z" * 1048576)
for i in range(3000):
    put(tree, "many/%02d/f%04d" % (i % 30, i), b"leaf\n")
for name, to in (("link", outside + "/canary.txt"), ("dirlink", outside), ("docs/up", ".."), ("self", "self")):
    os.symlink(to, os.path.join(tree, name))
os.mkfifo(os.path.join(tree, "fifo"))
put(prompts, "review.md", b"# Review a file\n\nPlease review {{file}} in a {{tone|kind|strict}} tone.\n")
put(prompts, "plain.md", b"Say hello.")


def walk():
    """Paths of all served files, component-wise in byte order."""
    found = []
    for base, dirs, files in os.walk(tree):
        dirs[:] = [d for d in dirs if not d.startswith(".") and not os.path.islink(os.path.join(base, d))]
        for f in files:
            full = os.path.join(base, f)
            if not f.startswith(".") and os.path.isfile(full) and not os.path.islink(full):
                found.append(os.path.relpath(full, tree))
    return sorted(found, key=lambda p: [c.encode() for c in p.split("/")])


def result(p, method, params=None, definition=None):
    m = call(p, method, params).message()
    r = m.get("result")
    if definition:
        if jsonschema is None or protocol is None:
            skip("%s is a %s of the protocol" % (method, definition), "python3-jsonschema or the protocol's schema is not here")
        else:
            schema = dict(protocol)
            schema["$ref"] = "#/$defs/" + definition
            bad = sorted(str(e.message) for e in jsonschema.Draft202012Validator(schema).iter_errors(r))
            ok(r is not None and not bad, "%s is a %s of the protocol" % (method, definition), lambda: "%s\n%r" % (bad[:3], m))
    return r


def error(p, method, params):
    return call(p, method, params).message().get("error", {})


def tool(p, name, arguments, prefix=""):
    return result(p, "tools/call", {"name": prefix + name, "arguments": arguments})


def definitions(p):
    caps = result(p, "server/discover", definition="DiscoverResult")["capabilities"]
    ok(caps["resources"].get("subscribe") and "tools" in caps and "prompts" in caps and "completions" in caps, "all capabilities", repr(caps))
    tools = {t["name"]: t for t in result(p, "tools/list", definition="ListToolsResult")["tools"]}
    is_(list(tools), ["list_files", "read_file", "search_text", "file_info"], "four tools, the first needs no arguments")
    ok(all(t["annotations"]["readOnlyHint"] and not t["annotations"]["openWorldHint"] for t in tools.values()), "all read-only")
    return tools


def schemas(p, tools):
    right = [("list_files", {}), ("list_files", {"path": "docs", "depth": 3, "limit": 5}), ("list_files", {"path": "many", "depth": 2, "limit": 7}),
             ("read_file", {"path": "README.md"}), ("read_file", {"path": "docs/data.bin", "offset": 3, "length": 9}),
             ("read_file", {"path": "src/main.c", "first_line": 2, "last_line": 3}), ("read_file", {"path": "nearly.txt", "length": 1048576}),
             ("search_text", {"query": "needle", "context": 2}), ("search_text", {"query": "NEEDLE", "case_sensitive": False, "path": "src"}),
             ("file_info", {"path": "docs"}), ("file_info", {"path": "docs/a b%20\u00fc.txt"})]
    wrong = [("list_files", {"depth": 0}), ("list_files", {"depth": "1"}), ("list_files", {"recursive": True}), ("read_file", {}),
             ("read_file", {"path": 5}), ("read_file", {"path": "README.md", "offset": -1}), ("read_file", {"path": "README.md", "length": 0}),
             ("search_text", {"query": ""}), ("search_text", {"query": "x", "limit": 501}), ("search_text", {"query": "x", "case_sensitive": 1}),
             ("file_info", {"path": None})]
    if jsonschema is None:
        skip("results and arguments against the tools' schemas", "python3-jsonschema is not here")
        return
    for t in tools.values():
        for s in ("inputSchema", "outputSchema"):
            jsonschema.Draft202012Validator.check_schema(t[s])
    for name, arguments in right:
        r = tool(p, name, arguments)
        out = r.get("structuredContent")
        bad = [e.message for e in jsonschema.Draft202012Validator(tools[name]["outputSchema"]).iter_errors(out)]
        bad += [e.message for e in jsonschema.Draft202012Validator(tools[name]["inputSchema"]).iter_errors(arguments)]
        ok(not bad and not r.get("isError") and json.loads(r["content"][0]["text"]) == out, "%s %s fits its schema, text is the same" %
           (name, json.dumps(arguments)), lambda: "%r %.300r" % (bad, r))
    for name, arguments in wrong:
        r = tool(p, name, arguments)
        bad = list(jsonschema.Draft202012Validator(tools[name]["inputSchema"]).iter_errors(arguments))
        ok(bad and r.get("isError") and r["resultType"] == "complete", "%s %s: schema and server both refuse" % (name, json.dumps(arguments)),
           lambda: repr(r))


def everything(p):
    listed, cursor, pages = [], None, 0
    while pages < 100:
        r = result(p, "resources/list", {"cursor": cursor} if cursor else {}, "ListResourcesResult" if pages == 0 else None)
        listed += r["resources"]
        pages += 1
        cursor = r.get("nextCursor")
        if cursor is None:
            break
    want = walk()
    is_([r["name"] for r in listed], want, "resources/list page by page is the tree's own walk")
    wrong = []
    for r in listed[:40] + listed[-4:]:
        with open(os.path.join(tree, r["name"]), "rb") as f:
            data = f.read()
        got = call(p, "resources/read", {"uri": r["uri"]}).message()
        if len(data) > 1048576:
            e = got.get("error", {})
            if e.get("code") != -32602 or e.get("data") != {"uri": r["uri"], "size": len(data), "limit": 1048576}:
                wrong.append((r["uri"], e))
            continue
        c = got.get("result", {}).get("contents", [{}])[0]
        if (c["text"].encode() if "text" in c else base64.b64decode(c.get("blob", ""))) != data or r["size"] != len(data):
            wrong.append((r["uri"], got))
    ok(not wrong, "every file read is the file", lambda: repr(wrong)[:1000])
    result(p, "resources/read", {"uri": "files://docs/README.md"}, "ReadResourceResult")
    result(p, "resources/templates/list", {}, "ListResourceTemplatesResult")


def walls(p):
    leaks = []
    for path in ("link", "dirlink/canary.txt", "docs/up/README.md", "self", ".hidden/secret", "fifo", "../outside/canary.txt", "docs/../link",
                 "many/../../outside/canary.txt", "none"):
        for m in (call(p, "resources/read", {"uri": "files://docs/" + path}).message(),
                  call(p, "resources/read", {"uri": "files://docs/" + path.replace("/", "%2f")}).message(),
                  call(p, "resources/read", {"uri": "files://docs/" + path.replace(".", "%2e")}).message()):
            e = m.get("error", {})
            if e.get("code") != -32602 or "uri" not in e.get("data", {}):
                leaks.append((path, m))
        for name, arguments in (("read_file", {"path": path}), ("file_info", {"path": path}), ("list_files", {"path": path}),
                                ("search_text", {"path": path, "query": "CANARY"})):
            r = tool(p, name, arguments)
            if not r.get("isError") or "CANARY" in json.dumps(r).replace('"CANARY"', ""):
                leaks.append((name, path, r))
    ok(not leaks, "nothing behind links, dots or hidden names, no FIFO", lambda: repr(leaks)[:1000])
    r = tool(p, "search_text", {"query": "CANARY"})["structuredContent"]
    is_(r["matches"], [], "a search of the whole tree does not see them either")


def permissions(p):
    if os.geteuid() != 0:
        skip("a file of mode 0600", "not root: Postern runs as this user, who may read what this test writes")
        return
    put(tree, "private.txt", b"CANARY-private")
    os.chmod(os.path.join(tree, "private.txt"), 0o600)
    e = error(p, "resources/read", {"uri": "files://docs/private.txt"})
    r = tool(p, "read_file", {"path": "private.txt"})
    ok(e.get("code") == -32602 and r.get("isError") and "may not read" in r["content"][0]["text"], "a file of mode 0600 is not read", repr((e, r)))
    r = tool(p, "search_text", {"path": "private.txt", "query": "CANARY"})["structuredContent"]
    ok(r["matches"] == [] and r["files_skipped"] == 1, "nor searched", repr(r))
    os.unlink(os.path.join(tree, "private.txt"))


def prompt_methods(p):
    r = result(p, "prompts/list", {}, "ListPromptsResult")
    is_([x["name"] for x in r["prompts"]], ["plain", "review"], "two prompts")
    r = result(p, "prompts/get", {"name": "review", "arguments": {"file": "a\"b", "tone": "kind"}}, "GetPromptResult")
    is_(r["messages"][0]["content"]["text"], "Please review a\"b in a kind tone.\n", "filled in")
    e = error(p, "prompts/get", {"name": "review", "arguments": {"file": "x"}})
    ok(e.get("code") == -32602 and "tone" in e["message"], "a missing argument is named", repr(e))
    r = result(p, "completion/complete", {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "tone", "value": "s"}}, "CompleteResult")
    is_(r["completion"]["values"], ["strict"], "completion of an argument")
    r = result(p, "completion/complete", {"ref": {"type": "ref/resource", "uri": "files://docs/{+path}"}, "argument": {"name": "path", "value": "ma"}})
    is_(r["completion"]["values"], ["many/"], "completion of a path")


def streams(p):
    with Conn(p.port) as c:
        c.send(request_bytes("tools/call", {"name": "search_text", "arguments": {"query": "leaf\t"}}, id_=9, path=p.path, meta={"progressToken": "pt"}))
        a = c.read_head()
        ok((a.header("content-type") or "").startswith("text/event-stream"), "a search with a progress token streams", repr(a))
        steps, last = [], None
        for m in c.stream(a):
            if m.get("method") == "notifications/progress":
                steps.append(m["params"])
            else:
                last = m
                break
        ok(last and last.get("id") == 9 and last["result"]["structuredContent"]["matches"] == [], "it ends with its answer", repr(last)[:300])
        numbers = [s["progress"] for s in steps]
        ok(len(numbers) > 0 and all(a < b for a, b in zip(numbers, numbers[1:])) and {s["progressToken"] for s in steps} == {"pt"},
           "progress rises", repr(steps)[:300])
    # Searches whose askers go away must not keep others from being served.
    for _ in range(12):
        with Conn(p.port) as c:
            c.send(request_bytes("tools/call", {"name": "search_text", "arguments": {"query": "absent"}}, path=p.path))
    ok(tool(p, "search_text", {"query": "needle"})["structuredContent"]["matches"][0]["line"] == 3, "and searching goes on after 12 that left")

    with Conn(p.port) as c:
        c.send(request_bytes("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["files://docs/README.md", "files://docs/later"]}},
                             id_="L", path=p.path))
        a = c.read_head()
        s = c.stream(a)
        m = next(s)
        is_(m["params"]["notifications"].get("resourceSubscriptions"), ["files://docs/README.md", "files://docs/later"], "subscribed")

        def told(uri):
            """The next news of it. One change may be told twice, as a file is made and then written."""
            return next((m for m in s if m["params"]["uri"] == uri), None)
        put(tree, "later", b"now")
        m = told("files://docs/later")
        ok(m and m["method"] == "notifications/resources/updated" and m["params"]["uri"] == "files://docs/later" and
           m["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "L", "a creation is told", repr(m))
        put(tree, "README.md", b"# Changed\n")
        ok(told("files://docs/README.md"), "a change is told")
        os.unlink(os.path.join(tree, "later"))
        ok(told("files://docs/later"), "a removal is told")


def together(p):
    wrong = []

    def client(n):
        for i in range(15):
            path = "many/%02d/f%04d" % (n, n + 30 * i)
            for m, text in ((call(p, "resources/read", {"uri": "files://docs/" + path}, id_=1).message(), "leaf\n"),
                            (call(p, "tools/call", {"name": "list_files", "arguments": {"path": "many/%02d" % n}}, id_=1).message(), None)):
                r = m.get("result", {})
                if m.get("id") != 1 or (r["contents"][0]["text"] != text if text else len(r["structuredContent"]["entries"]) != 100):
                    wrong.append(m)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(not wrong, "six clients at once, all with the same id, each get their own", lambda: repr(wrong)[:500])


try:
    docs = {"builtin": "files", "root": tree, "prompts": prompts}
    with Postern({"mcpServers": {"docs": docs}, "names": "plain", "workers": 2}) as p:
        tools = definitions(p)
        schemas(p, tools)
        everything(p)
        walls(p)
        permissions(p)
        prompt_methods(p)
        streams(p)
        together(p)
        is_(p.stderr().count("sandbox violation"), 0, "no call that the jail forbids")
    with Postern({"mcpServers": {"docs": docs, "out": {"builtin": "files", "root": outside, "hidden": True}}}) as p:
        r = tool(p, "read_file", {"path": "canary.txt"}, "out__")
        is_(r["structuredContent"]["content"], "CANARY-7f3a", "two trees beside each other: the one that holds it")
        ok(tool(p, "read_file", {"path": "canary.txt"}, "docs__").get("isError"), "and the one that does not")
        is_(result(p, "resources/read", {"uri": "files://out/canary.txt"})["contents"][0]["text"], "CANARY-7f3a", "by URI too")
finally:
    shutil.rmtree(tmp, ignore_errors=True)
done()
