#!/bin/sh
STARTS_PROGRAMS=1
. "$(dirname "$0")/run-node.sh"
