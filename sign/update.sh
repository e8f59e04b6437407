#!/bin/sh
# update.sh LOCK: ask the mirror for the newest version of each program of the lock in its suite, say what is new, rewrite LOCK.
# Version, path and hash come from the Packages indexes, which apt has checked against Debian's signature. The host's apt set-up is only read.
set -eu
lock=$1
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || { echo "tools-update: $keyring is missing (package debian-archive-keyring)" >&2; exit 1; }
mirror=$(sh "$(dirname "$0")/../sbom/mirror.sh" | head -n 1)
[ -n "$mirror" ] || { echo "tools-update: apt on this host names no Debian mirror" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

apt_of() { # SUITE PROGRAM ARGUMENT...
    of=$tmp/$1 program=$2
    shift 2
    "$program" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$of/parts" -o Dir::State::Lists="$of/lists" \
        -o Dir::Cache="$of/cache" -o Dir::State::status=/dev/null -o Acquire::Languages=none "$@"
}
newest() { # SUITE NAME -> VERSION SHA256 PATH
    if [ ! -d "$tmp/$1" ]; then
        mkdir -p "$tmp/$1/parts" "$tmp/$1/lists/partial" "$tmp/$1/cache/archives/partial"
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$1" "$keyring" >"$tmp/$1/parts/one.sources"
        apt_of "$1" apt-get update -qq >&2
    fi
    # apt-cache shows the newest version first.
    apt_of "$1" apt-cache show "$2" | awk '$1 == "Version:" { v = $2 } $1 == "Filename:" { f = $2 } $1 == "SHA256:" { s = $2 }
        $0 == "" { exit } END { if (f) print v, s, f }'
}

while IFS= read -r line; do
    set -- ${line%%#*}
    if [ $# != 5 ]; then
        printf '%s\n' "$line"
        continue
    fi
    found=$(newest "$3" "$1")
    [ -n "$found" ] || { echo "tools-update: $3 has no $1; the lock was not changed" >&2; exit 1; }
    new="$1 ${found%% *} $3 ${found#* }"
    if [ "$new" = "$line" ]; then
        echo "same  $1 $2 ($3)" >&2
    else
        echo "old   $line" >&2
        echo "new   $new" >&2
    fi
    printf '%s\n' "$new"
done <"$lock" >"$tmp/lock"
if cmp -s "$tmp/lock" "$lock"; then
    echo "tools-update: nothing newer; the lock is as it was"
else
    cat "$tmp/lock" >"$lock"
    echo "tools-update: $lock rewritten. Read the changes (git diff), then: make test"
fi
