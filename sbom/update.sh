#!/bin/sh
# update.sh LOCK: ask the mirror which version of each locked package it has now, show old and new version and
# SHA-256, and rewrite LOCK. Version, path and hash come from the Sources and Packages indexes of the suite that
# the lock names, which apt has checked against Debian's signature. The host's own apt set-up is only read.
set -eu
lock=$1
here=$(dirname "$0")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || { echo "deps-update: $keyring is missing (package debian-archive-keyring)" >&2; exit 1; }
# The first mirror is the one that carries whole suites.
mirror=$(sh "$here/mirror.sh" | head -n 1)
[ -n "$mirror" ] || { echo "deps-update: apt on this host names no Debian mirror" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/parts"

fields() { # SUITE NAME -> lines: VERSION SHA256 PATH
    printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$1" "$keyring" \
        >"$tmp/parts/one.sources"
    set -- "$1" "$2" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$tmp/parts" \
        -o Dir::State::Lists="$tmp/lists.$1" -o Dir::Cache="$tmp/cache" -o Acquire::Languages=none -o Dir::State::status=/dev/null
    suite=$1 name=$2
    shift 2
    if [ ! -d "$tmp/lists.$suite" ]; then
        mkdir -p "$tmp/lists.$suite/partial"
        apt-get "$@" update -qq >&2
    fi
    case $name in
    lib*-dev)
        apt-cache "$@" show "$name" | awk '
            $1 == "Version:" { v = $2 } $1 == "Filename:" { f = $2 } $1 == "SHA256:" { s = $2 }
            $0 == "" { exit } END { if (f) print v, s, f }' ;;
    *)
        apt-cache "$@" showsrc --only-source "$name" | awk '
            function flush(    i) {
                for (i = 1; i <= n; i++) print v, sha[i], dir "/" file[i]
                n = 0
            }
            $1 == "Package:" { flush() } $1 == "Version:" { v = $2 } $1 == "Directory:" { dir = $2 }
            /^[^ ]/ { in256 = ($1 == "Checksums-Sha256:") }
            in256 && /^ / && $3 ~ /\.(orig|debian)\.tar\.[a-z0-9]+$/ { sha[++n] = $1; file[n] = $3 }
            END { flush() }' ;;
    esac
}

changed=0
grep '^#' "$lock" >"$tmp/lock"
for name in $(sed -e 's/#.*//' "$lock" | awk 'NF == 5 && !seen[$1]++ { print $1 }'); do
    suite=$(awk -v n="$name" '$1 == n { print $3; exit }' "$lock")
    fields "$suite" "$name" >"$tmp/all"
    # More than one version in a suite: the newest counts.
    best=
    for v in $(awk '!seen[$1]++ { print $1 }' "$tmp/all"); do
        if [ -z "$best" ] || dpkg --compare-versions "$v" gt "$best"; then best=$v; fi
    done
    [ -n "$best" ] || { echo "deps-update: $suite has no $name; the lock was not changed" >&2; exit 1; }
    awk -v v="$best" -v n="$name" -v s="$suite" '$1 == v { print n, v, s, $2, $3 }' "$tmp/all" | LC_ALL=C sort -r -k5,5 >"$tmp/new"
    awk -v n="$name" '$1 == n' "$lock" | LC_ALL=C sort -r -k5,5 >"$tmp/old"
    cat "$tmp/new" >>"$tmp/lock"
    if cmp -s "$tmp/old" "$tmp/new"; then
        echo "same  $name $best ($suite)"
    else
        changed=1
        awk '{ print "old   " $1, $2; print "      " $4 "  " $5 }' "$tmp/old"
        awk '{ print "new   " $1, $2; print "      " $4 "  " $5 }' "$tmp/new"
    fi
done
if [ "$changed" = 0 ]; then
    echo "deps-update: nothing newer; the lock is as it was"
else
    cat "$tmp/lock" >"$lock"
    echo "deps-update: $lock rewritten. Read the changes (git diff), then: make test"
fi
