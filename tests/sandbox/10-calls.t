#!/bin/sh
# Every role tries every system call; the program is tests/sandbox/calls.c.
exec "${BUILD:-build}/t/sandbox/calls"
