#!/bin/sh
# fetch.sh LOCK DIR: bring every file of the lock into DIR and verify it.
# With DEPS_DIR set the files come from that directory and the network is not touched.
# A file gets its final name in DIR only after its SHA-256 has matched, so whatever has that name is verified;
# it is verified again on every call, since a build tree is no safe place.
set -eu
lock=$1 dir=$2
mkdir -p "$dir"
mirrors=

matches() { # FILE SHA256
    [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status
}

download() { # PATH SHA256 FILE
    [ -n "$mirrors" ] || mirrors=$(sh "$(dirname "$0")/mirror.sh")
    [ -n "$mirrors" ] || {
        echo "fetch: apt on this host names no Debian mirror. Give the files with DEPS_DIR=directory instead." >&2
        exit 1
    }
    : >"$3.log"
    for mirror in $mirrors; do
        rm -f "$3"
        if /usr/lib/apt/apt-helper download-file "$mirror$1" "$3" "SHA256:$2" >>"$3.log" 2>&1; then
            rm -f "$3.log"
            return 0
        fi
    done
    return 1
}

sed -e 's/#.*//' "$lock" | while read -r name version suite sha path; do
    [ -n "$path" ] || continue
    file=${path##*/}
    matches "$dir/$file" "$sha" && continue
    rm -f "$dir/$file"
    if [ -n "${DEPS_DIR:-}" ]; then
        [ -f "$DEPS_DIR/$file" ] || {
            echo "fetch: $DEPS_DIR has no $file ($name $version). Make the directory with: make deps-bundle" >&2
            exit 1
        }
        cp "$DEPS_DIR/$file" "$dir/$file.part"
    elif ! download "$path" "$sha" "$dir/$file.part"; then
        cat >&2 <<END
fetch: could not get $name $version ($path) from the mirror of this host. apt said:
$(grep '^E: Failed' "$dir/$file.part.log" | sed 's/^/    /')
  No such file any more (404)?  The mirror has moved on to another version:
    make deps-update   shows old and new version and hash, and rewrites sbom/sources.lock
  No network?  Build from a directory made elsewhere with \`make deps-bundle\`:
    make DEPS_DIR=that-directory
END
        rm -f "$dir/$file.part" "$dir/$file.part.log"
        exit 1
    fi
    matches "$dir/$file.part" "$sha" || {
        echo "fetch: $file is not the file that sbom/sources.lock names: SHA-256 differs. It was not used." >&2
        echo "  wanted $sha" >&2
        echo "  got    $(sha256sum "$dir/$file.part" | cut -c1-64)" >&2
        rm -f "$dir/$file.part"
        exit 1
    }
    mv "$dir/$file.part" "$dir/$file"
    echo "verified $name $version: $file"
done
