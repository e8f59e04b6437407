#!/usr/bin/env python3
"""Servers that Postern starts and that hang without ending: they are ended and started again. One that is only slow stays."""
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from postern import Postern, done, is_, ok, until
from programs import program, use

OVER = "bridge-%s: the shared conversation is over: stopped answering"
HUNG = {"modern": "modern", "legacy": "legacy", "stopped": "modern", "stopped2": "2025-03-26"}    # name -> era
servers = {name: program(era, idle_timeout="1s") for name, era in HUNG.items()}
servers["slow"] = program("legacy", idle_timeout="1s")


def pid_of(name):
    """Its process, once it answers."""
    answers = []

    def answered():
        answers.append(use(p, name + "__pid"))
        return isinstance(answers[-1], str)
    until(answered)
    return answers[-1]


with Postern({"workers": 2, "mcpServers": servers}) as p:
    was = {name: pid_of(name) for name in servers}
    answers = {"slow": use(p, "slow__slow", {"ms": 8000})}
    for name in HUNG:
        if "stopped" in name:
            os.kill(int(was[name]), signal.SIGSTOP)
        answers[name] = use(p, name + ("__pid" if "stopped" in name else "__hang"))
    ok(all("did not answer in time" in str(a) for a in answers.values()), "calls of servers that say nothing are answered: too late", answers)
    ok(until(lambda: "server slow says: pinged" in p.stderr()), "one of an older revision is asked whether it lives", p.stderr)
    for name, era in HUNG.items():
        ok(until(lambda: OVER % name in p.stderr()), "%s (%s): it does not, and the log says so" % (name, era), p.stderr)
        ok(until(lambda: not os.path.exists("/proc/%s" % was[name])), "  it is ended")
        ok(pid_of(name) != was[name], "  another serves the next calls")
    is_((pid_of("slow"), OVER % "slow" in p.stderr()), (was["slow"], False), "one that is only slow stays")
done()
