#!/bin/sh
# What programs that Postern starts are refused; the program is tests/sandbox/programs.c.
exec "${BUILD:-build}/t/sandbox/programs"
