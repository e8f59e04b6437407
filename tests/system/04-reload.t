#!/usr/bin/env python3
"""SIGHUP: the new configuration whole, or the old one."""
import json
import os
import signal
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import Conn, Postern, call, done, is_, ok, request_bytes, run, until, with_caller

tmp = tempfile.TemporaryDirectory()
os.chmod(tmp.name, 0o755)
for name in ("one", "two"):
    os.mkdir(os.path.join(tmp.name, name))
    with open(os.path.join(tmp.name, name, name + ".txt"), "w") as f:
        f.write(name + "\n")


def config(root="one", **more):
    c = {"listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"}, "names": "plain", "workers": 2,
         "mcpServers": {"docs": {"builtin": "files", "root": os.path.join(tmp.name, root)}}}
    c.update(more)
    return with_caller(c)


def first_file(p, port=None, path="/mcp"):
    r = call(port or p, "resources/list", path=path)
    return r.message()["result"]["resources"][0]["name"] if r.status == 200 else r.status


def ports_logged(p):
    """path -> port, as the log said at the last reload."""
    found = {}
    for line in p.stderr().splitlines():
        if ": listening http " in line:
            where, slash, path = line.split(": listening http ")[1].partition("/")
            found[slash + path] = int(where.rpartition(":")[2])
    return found


with Postern(config()) as p:
    before = p.children()
    is_(first_file(p), "one.txt", "the first configuration serves")

    # --- taken
    ok(p.reload(config("two")), "a right configuration is taken")
    is_(first_file(p), "two.txt", "the new one serves, at the same port")
    ok(until(lambda: not set(before) & set(p.children())), "the old processes end")
    is_(len(p.children()), 5, "and the new ones are as many as before")

    # --- refused
    kids = p.children()
    for what, wrong, words in (
            ("broken JSON", "{", None),
            ("an unknown member", json.dumps(config(lisen=1)), "lisen"),
            ("a root that is not there", json.dumps(config("three")), "cannot open the directory"),
            ("an address in use", None, "cannot listen on")):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            if wrong is None:
                wrong = json.dumps(config(listeners=[{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:%d" % busy.getsockname()[1]}]))
            logged = len(p.stderr())
            ok(not p.reload(wrong), "%s is refused" % what)
        ok(words is None or words in p.stderr()[logged:], "%s: the log says why" % what, p.stderr())
        is_(first_file(p), "two.txt", "%s: the old configuration serves" % what)
        is_(p.children(), kids, "%s: by the same processes" % what)
    checked = run("check", config=json.dumps(config(lisen=1)))
    ok(checked.stderr.strip().split(": ", 1)[1] in p.stderr(), "the log has the very words of `check`", checked.stderr)
    p.write_config(json.dumps(config()))
    os.unlink(p.config_path)
    p.signal(signal.SIGHUP)
    ok(until(lambda: "cannot be read: No such file" in p.stderr()), "a file that is gone is refused")
    is_(first_file(p), "two.txt", "and the old configuration serves")

    # --- listeners come and go
    ok(p.reload(config("two", listeners=[{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "path": "/more"}])), "a listener more")
    more = ports_logged(p)["/more"]
    is_(first_file(p, more, "/more"), "two.txt", "it serves")
    is_(first_file(p), "two.txt", "beside the first")
    ok(p.reload(config("two", workers=3)), "a listener less, a worker more")
    is_(len(p.children()) >= 6, True, "three workers now")

    def refused():
        try:
            socket.create_connection(("127.0.0.1", more), 5).close()
            return False
        except ConnectionRefusedError:
            return True
    ok(until(refused), "the listener is gone when the old generation is")
    ok(p.reload(config("one", workers=1)), "one worker")
    # What waits in the queue of a worker that is not needed any more is lost with it (role/listen.h), so wait for its end.
    ok(until(lambda: len(p.children()) == 4), "a worker, a provider, an elder, a desk")
    is_(first_file(p), "one.txt", "it serves")

    # --- a stream open across a reload is ended properly by the old worker
    ok(p.reload(config("one", workers=2)), "two workers again")
    with Conn(p.port) as c:
        c.try_send(request_bytes("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["files://docs/one.txt"]}}))
        a = c.read_head()
        is_(a.status, 200, "a subscription is open")
        ok(p.reload(config("two", workers=2), to_its_end=False), "a reload comes")
        last = None
        for last in c.stream(a):
            pass
        ok(last is not None and last.get("id") == 1 and "result" in last, "the subscription ends with its result", last)

# --- no call is lost while configurations come and go
with Postern(config()) as p:
    stop, count, bad = threading.Event(), [0], []

    def client():
        while not stop.is_set():
            try:
                name = first_file(p)
                if name not in ("one.txt", "two.txt"):
                    bad.append(name)
            except Exception as e:      # a refused or reset connection is a lost call
                bad.append(repr(e))
            count[0] += 1

    clients = [threading.Thread(target=client) for _ in range(4)]
    for t in clients:
        t.start()
    taken = sum(p.reload(config(("two", "one")[i % 2])) for i in range(12))
    for i in range(5):
        p.signal(signal.SIGHUP)         # faster than a generation can start
    is_(taken, 12, "12 reloads under load are taken")
    last = p.generation()
    until(lambda: p.generation() > last)
    stop.set()
    for t in clients:
        t.join()
    ok(count[0] > 20, "calls went on meanwhile", count)
    is_(bad, [], "none was lost")
tmp.cleanup()
done()
