#!/usr/bin/env python3
"""Postern's JSON against three others: node's JSON.parse, Python's json and jq. 2,000 seeded documents, most of them broken a little.

What must hold for each:
  - Postern accepts exactly what node accepts, less what our rules refuse on top: names that are there twice, escaped surrogates without
    their other half, more than 32 levels. Each reason is found here independently, by Python.
  - What Postern accepts all three accept, and for each the document put together again from our view has the same value as the original,
    and every member we look up has the value they see.
The verdicts come from the unit test program wire/json_random_test (JSON_VERDICTS names another build of it)."""

import json
import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import ROOT, diag, done, is_, ok, skip_all  # noqa: E402

CASES = 2000
SEED = 20260728
DEPTH_MAX = 32
NAMES = ["a", "b", "name", "id", "\u00e9", "x\ty", "Name", "\\u0061"]
# Codes of enum json_error, by name, from the header: so that they cannot drift apart.
HEADER = open(os.path.join(ROOT, "src/wire/json_check.h"), encoding="utf-8").read()
ERRORS = re.findall(r"\b(JSON_[A-Z0-9_]+)\b", re.search(r"enum json_error \{(.*?)\};", re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S), re.S).group(1))
RULES = {"JSON_DUPLICATE", "JSON_LONE_SURROGATE", "JSON_TOO_DEEP"}

NODE = r"""
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// -0 and infinities are told apart, and every number keeps the double that it is.
const canon = v => {
  if (typeof v === 'number') return { n: Object.is(v, -0) ? '-0' : String(v) };
  if (typeof v === 'string') return { s: v };
  if (Array.isArray(v)) return v.map(canon);
  if (v && typeof v === 'object') return { o: Object.keys(v).sort().map(k => [k, canon(v[k])]) };
  return v;
};
const same = (x, y) => JSON.stringify(canon(x)) === JSON.stringify(canon(y));
const read = hex => JSON.parse(utf8.decode(Buffer.from(hex, 'hex')));
const names = JSON.parse(process.argv[1]);
for (const line of require('fs').readFileSync(0, 'latin1').split('\n')) {
  if (!line) continue;
  const [original, verdict, rebuilt, ...found] = line.split(' ');
  const out = { accepts: true };
  try { out.value = read(original); } catch (e) { out.accepts = false; }
  const value = out.value;
  delete out.value;
  if (out.accepts && verdict === 'ok') {
    out.same = same(value, read(rebuilt));
    const object = value !== null && typeof value === 'object' && !Array.isArray(value);
    out.found = names.every((name, i) => object && Object.hasOwn(value, name)
      ? found[i] !== '-' && same(value[name], read(found[i])) : found[i] === '-');
  }
  console.log(JSON.stringify(out));
}
"""

# ---------------------------------------------------------------- documents

rng = random.Random(SEED)


def pick(*things):
    return rng.choice(things)


def spell(text):
    """A JSON string of the text, in one of its many spellings."""
    out = '"'
    for c in text:
        code = ord(c)
        if rng.random() < 0.08 or code < 0x20 or c in '"\\':
            short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "/": "\\/", "\b": "\\b"}.get(c)
            if short and rng.random() < 0.6:
                out += short
            elif code > 0xFFFF:
                code -= 0x10000
                out += "\\u%04x\\u%04X" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
            else:
                out += pick("\\u%04x", "\\u%04X") % code
        else:
            out += c
    return out + '"'


def text():
    return "".join(pick("a", "b", "Z", "name", " ", "\u00e9", "\u20ac", "\U0001F600", "\0", "\n", '"', "\\", "/", "\x7f", "eight by")
                   for _ in range(rng.randrange(8)))


def number():
    return pick("0", "-0", "1", "-1", "42", "1.0", "1e5", "1E+5", "-2.50e-3", "9007199254740993", "1e400", "-1e-400", "123456789012345678901234567890",
                str(rng.randrange(-10**9, 10**9)), repr(rng.uniform(-1e6, 1e6)))


def space():
    return pick("", "", "", " ", "\n", "\t \r\n")


def value(depth):
    kind = rng.randrange(10 if depth < 4 else 6)
    if kind < 2:
        return number()
    if kind < 4:
        return spell(text())
    if kind < 6:
        return pick("true", "false", "null", "[]", "{}", "[ ]")
    if kind < 8:
        return "[" + space() + ("," + space()).join(value(depth + 1) + space() for _ in range(rng.randrange(1, 5))) + "]"
    return object_(depth)


def object_(depth):
    names = rng.sample(NAMES + ["c", "d", "long name of more than sixteen bytes", "", "\0", "\U0001F600", "1", "2", "3"], rng.randrange(1, 13))
    if rng.random() < 0.008:
        names.append(rng.choice(names))
    return "{" + space() + ("," + space()).join(spell(n) + space() + ":" + space() + value(depth + 1) + space() for n in names) + "}"


FRAGMENTS = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\u00",
             b"\\x", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b".", b"e", b"+", b"1", b" ", b"\n", b"\x00", b"\x0b", b"\x0c", b"\xc2\xa0",
             b"\xe2\x80\xa8", b"NaN", b"nan", b"Infinity", b"true", b"nul", b"//", b"/**/", b"'", b'"a":1,', b',"a":2', b"\xef\xbb\xbf", b"\x1f", b"\x7f"]


def damage(doc):
    """One to three small changes, each at any byte."""
    for _ in range(pick(1, 1, 1, 2, 3)):
        at = rng.randrange(len(doc) + 1)
        how = rng.randrange(5)
        if how == 0:
            doc = doc[:at] + doc[at + 1:]
        elif how == 1:
            doc = doc[:at] + bytes([rng.randrange(256)]) + doc[at + 1:]
        elif how == 2:
            doc = doc[:at] + pick(*FRAGMENTS) + doc[at:]
        elif how == 3:
            doc = doc[:at] + pick(*FRAGMENTS) + doc[at + 1:]
        else:
            doc = doc[:at]
    return doc


def nested():
    depth = pick(5, 30, 31, 32, 33, 34, 60)
    head, tail = "", ""
    for _ in range(depth):
        if rng.random() < 0.5:
            head, tail = head + "[", "]" + tail
        else:
            head, tail = head + '{"a":', "}" + tail
    return head + pick("1", "true", '"a"', "null") + tail


def documents():
    for i in range(CASES):
        doc = (nested() if i % 25 == 0 else value(0) if i % 10 == 1 else object_(0)).encode("utf-8")
        if i % 100 == 7:
            doc = pick(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff") + doc
        if i % 50 == 13:
            doc = b'{"a":%s,"name":"x%sy"}' % (doc, pick(b"\\ud800", b"\\udfff", b"\\uDBFF\\u0041", b"\\uDC00\\ud800"))
        yield damage(doc) if rng.random() < 0.6 else pick(b"", b"", b" ", b"\r\n") + doc + pick(b"", b"", b"\n\t")


# ---------------------------------------------------------------- our rules, found in another way


NOT_JSON = object()


def no_constant(word):
    raise ValueError(word)


def rules_broken(doc):
    """Which of our own rules a document breaks that is otherwise JSON; NOT_JSON if Python does not take it for that."""
    broken = set()

    def pairs(members):
        if len({name for name, _ in members}) < len(members):
            broken.add("JSON_DUPLICATE")
        return {"o": members}

    try:
        tree = json.loads(doc.decode("utf-8"), object_pairs_hook=pairs, parse_constant=no_constant, parse_int=str, parse_float=str)
    except (ValueError, UnicodeDecodeError):
        return NOT_JSON, broken
    todo = [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        if isinstance(node, str):
            if re.search("[\ud800-\udfff]", node):
                broken.add("JSON_LONE_SURROGATE")
            continue
        if isinstance(node, dict):
            inner = [part for pair in node["o"] for part in pair]
        elif isinstance(node, list):
            inner = node
        else:
            continue
        if depth > DEPTH_MAX:
            broken.add("JSON_TOO_DEEP")
        todo += [(part, depth + 1) for part in inner]
    return tree, broken


def shape(doc):
    """The value with numbers as they are written, members in order."""
    return json.loads(doc.decode("utf-8"), object_pairs_hook=lambda members: {"o": members}, parse_constant=no_constant,
                      parse_int=lambda s: {"n": s}, parse_float=lambda s: {"n": s})


# ---------------------------------------------------------------- the comparison


def verdict_program():
    named = os.environ.get("JSON_VERDICTS")
    if named:
        return named
    target = "build/t/musl/wire/json_random_test"
    made = subprocess.run(["make", "-s", target], cwd=ROOT, capture_output=True, text=True)
    if made.returncode != 0:
        diag(made.stdout + made.stderr)
    return os.path.join(ROOT, target)


def run(argv, data):
    try:
        got = subprocess.run(argv, input=data, capture_output=True, timeout=1200, check=False)
    except OSError as error:
        diag(str(error))
        return []
    if got.returncode != 0 or got.stderr:
        diag("%s: exit %d %s" % (argv[0], got.returncode, got.stderr.decode("utf-8", "replace")[-2000:]))
    return got.stdout.decode("utf-8").splitlines()


def show(doc, what):
    return "%s: %r" % (what, doc[:600])


def main():
    for tool in ("node", "jq"):
        if shutil.which(tool) is None:
            skip_all("%s is not installed" % tool)
    docs = list(documents())
    ours = run([verdict_program(), "--verdicts"] + NAMES, "".join(d.hex() + "\n" for d in docs).encode())
    if not is_(len(ours), CASES, "a verdict of ours for every document"):
        return done()
    ours = [line.split(" ") for line in ours]
    node = [json.loads(line) for line in
            run(["node", "-e", NODE, json.dumps(NAMES)], "".join(d.hex() + " " + " ".join(o) + "\n" for d, o in zip(docs, ours)).encode())]
    if not is_(len(node), CASES, "and one of node's"):
        return done()

    wrong = {"grammar": [], "python": [], "rule": [], "node": [], "names": [], "rebuilt": [], "members": [], "jq": []}
    accepted, reasons, for_jq = 0, {}, []
    for doc, our, its in zip(docs, ours, node):
        tree, broken = rules_broken(doc)
        if (tree is not NOT_JSON) != its["accepts"]:
            wrong["python"].append(show(doc, "node %s, python differs" % its["accepts"]))
        if our[0] != "ok":
            error = ERRORS[int(our[1])]
            reasons[error] = reasons.get(error, 0) + 1
            if not 0 <= int(our[2]) <= len(doc):
                wrong["rule"].append(show(doc, "place %s" % our[2]))
            # A document with both bad grammar and a broken rule may be refused for either.
            if its["accepts"] and (error not in RULES or error not in broken):
                wrong["rule"].append(show(doc, "%s at %s, broken: %s" % (error, our[2], sorted(broken))))
            continue
        accepted += 1
        if not its["accepts"] or tree is NOT_JSON:
            wrong["grammar"].append(show(doc, "only Postern accepts"))
            continue
        if broken:
            wrong["rule"].append(show(doc, "accepted, but: %s" % sorted(broken)))
        if not its["same"]:
            wrong["node"].append(show(doc, our[1]))
        if not its["found"]:
            wrong["names"].append(show(doc, our[2:]))
        rebuilt, found = bytes.fromhex(our[1]), our[2:]
        if shape(doc) != shape(rebuilt):
            wrong["rebuilt"].append(show(doc, rebuilt))
        root = shape(doc)
        members = dict(root["o"]) if isinstance(root, dict) and "o" in root else {}
        for name, raw in zip(NAMES, found):
            if (raw != "-") != (name in members) or (raw != "-" and shape(bytes.fromhex(raw)) != members[name]):
                wrong["members"].append(show(doc, name))
        for_jq.append({"doc": doc.decode(), "rebuilt": rebuilt.decode(),
                       "found": {n: bytes.fromhex(r).decode() for n, r in zip(NAMES, found) if r != "-"}})

    # jq reads each document from a string, so that line breaks and all else in it are what they are.
    program = """(.doc | fromjson) as $v | ($v == (.rebuilt | fromjson))
        and ((.found | map_values(fromjson)) == (if ($v | type) == "object" then $v | with_entries(select(.key | IN($names[]))) else {} end))"""
    lines = run(["jq", "-c", "--argjson", "names", json.dumps(NAMES), "try (%s) catch ." % program],
                "".join(json.dumps(case) + "\n" for case in for_jq).encode())
    is_(len(lines), len(for_jq), "jq reads every document that Postern accepts")
    wrong["jq"] = [show(case["doc"].encode(), line) for case, line in zip(for_jq, lines) if line != "true"]

    for key, name in (
            ("python", "node and Python agree on what is JSON, so either is a fair judge"),
            ("grammar", "what Postern accepts node and Python accept"),
            ("rule", "what they accept and Postern refuses breaks one of our rules, and it is the one named; none that breaks one gets through"),
            ("node", "node reads the same value from the document and from our view of it"),
            ("names", "node finds the same members that json_get finds"),
            ("rebuilt", "Python reads the same value, numbers to the last digit and members in order"),
            ("members", "Python finds the same members"),
            ("jq", "jq reads the same values and finds the same members")):
        ok(not wrong[key], name, lambda key=key: "%d of %d:\n%s" % (len(wrong[key]), CASES, "\n".join(wrong[key][:5])))
    diag("accepted %d of %d; refused: %s" % (accepted, CASES, ", ".join("%s %d" % r for r in sorted(reasons.items()))))
    ok(accepted > CASES // 4 and accepted < CASES * 3 // 4 and len(reasons) >= 10 and all(reasons.get(r, 0) >= 5 for r in RULES),
       "the documents reached both verdicts, each of our rules, and at least ten kinds of error")
    return done()


if __name__ == "__main__":
    sys.exit(main())
