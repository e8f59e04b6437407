#!/bin/sh
# The proof of a jail notices each missing wall; the program is tests/sandbox/walls.c.
exec "${BUILD:-build}/t/sandbox/walls"
