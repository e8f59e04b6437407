#!/bin/sh
# bundle.sh LOCK DEPS OUT: write to OUT all that a build without network needs. Use it with: make DEPS_DIR=OUT
set -eu
umask 022
here=$(dirname "$0")
sh "$here/fetch.sh" "$1" "$2"
rm -rf "$3"
mkdir -p "$3"
sed -e 's/#.*//' "$1" | while read -r name version suite sha path; do
    [ -n "$path" ] || continue
    cp "$2/${path##*/}" "$3/"
    printf '%s  %s\n' "$sha" "${path##*/}"
done >"$3/SHA256SUMS"
(cd "$3" && sha256sum --check --quiet SHA256SUMS)
echo "deps-bundle: $(wc -l <"$3/SHA256SUMS") files, $(du -sk "$3" | cut -f1) KiB in $3"
echo "deps-bundle: build from it with: make DEPS_DIR=$3"
