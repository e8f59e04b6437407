#!/bin/sh
# valgrind.sh PROGRAM [ARGUMENT...]: any error, and any block lost at the end, is a failure. Its forks are watched too; what they execute is no program of ours.
exec valgrind -q --vgdb=no --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect "$@"
