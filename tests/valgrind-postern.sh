#!/bin/sh
# Stands in for build/postern in `make valgrind`: POSTERN=tests/valgrind-postern.sh
here=$(dirname "$(realpath "$0")")
exec sh "$here/valgrind.sh" "$here/../build/postern-plain" "$@"
