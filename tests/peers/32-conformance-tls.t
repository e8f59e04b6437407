#!/bin/sh
. "$(dirname "$0")/pki.sh"
. "$(dirname "$0")/run-node.sh"
