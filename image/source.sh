#!/bin/sh
# source.sh: print "REVISION EPOCH", what the image says about where it comes from.
#   REVISION           from the environment, else the commit that is checked out, with "-modified" behind it when what the image is built
#                      from differs from that commit, else "unknown"
#   SOURCE_DATE_EPOCH  from the environment, else the date of that commit, else 0
# Both are part of the image's digest: whoever compares two builds gives both the same.
set -eu
revision=${REVISION:-}
epoch=${SOURCE_DATE_EPOCH:-}
if [ -z "$revision" ]; then
    if revision=$(git rev-parse --verify HEAD 2>/dev/null); then
        [ -z "$(git status --porcelain -- Makefile src seccomp sbom image)" ] || revision=$revision-modified
        [ -n "$epoch" ] || epoch=$(git log -1 --format=%ct)
    else
        revision=unknown
    fi
fi
echo "$revision ${epoch:-0}"
