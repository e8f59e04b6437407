#!/bin/sh
. "$(dirname "$0")/run-node.sh"
