#!/bin/sh
# The same source gives the same bytes: build/postern, built here, against a second build of everything, sysroot and
# all, in another directory, with another umask, time zone, locale and clock, and with no network. Only the verified
# source archives are shared.
root=$(pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
other=$tmp/elsewhere/a-name-of-quite-another-length
mkdir -p "$other"
failed=0
ok() { # STATUS NUMBER NAME
    if [ "$1" = 0 ]; then echo "ok $2 - $3"; else echo "not ok $2 - $3"; failed=1; fi
}
echo 1..4

cp -r Makefile src sbom "$other/"
[ ! -d seccomp ] || cp -r seccomp "$other/"
cut_off=
if unshare --net true 2>/dev/null; then
    cut_off='unshare --net'
elif unshare --user --map-root-user --net true 2>/dev/null; then
    cut_off='unshare --user --map-root-user --net'
fi
[ -n "$cut_off" ] || echo "# this system lets us make no network namespace: the network is merely not used" >&2

(
    cd "$other" || exit 1
    umask 077
    unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
    TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 SOURCE_DATE_EPOCH=1 CFLAGS=-g DEPS_DIR="$root/build/deps" \
        $cut_off faketime -f '+1900d' make build/postern
) >"$tmp/log" 2>&1
status=$?
ok $status 1 "a second build, elsewhere${cut_off:+ and without network}"
[ $status = 0 ] || tail -n 30 "$tmp/log" | sed 's/^/# /' >&2

same() { # FILE: the same here and there?
    cmp -s "build/$1" "$other/build/$1" && return
    echo "# differs: build/$1" >&2
    return 1
}
status=0
for file in $(cd build && ls sysroot/usr/lib/*.a sysroot/usr/lib/*.o); do same "$file" || status=1; done
ok $status 2 "sysroot: the same bytes"
# Without the notes that the link-time optimiser leaves in objects for itself: they quote the command line, and with it the directory. They
# are not in the product, which is compared whole.
bare() { # FILE TO
    objcopy --wildcard --remove-section='.gnu.lto_*' --remove-section='.gnu.debuglto_*' "$1" "$2"
}
status=0
for file in $(cd build && find obj -name '*.o' | sort); do
    # An object whose source is gone is no part of the product.
    [ ! -e "$other/build/$file" ] && [ ! -e "src/$(echo "${file#obj/}" | sed 's/o$/c/')" ] && continue
    bare "build/$file" "$tmp/a.o" && bare "$other/build/$file" "$tmp/b.o" && cmp -s "$tmp/a.o" "$tmp/b.o" && continue
    echo "# differs: build/$file" >&2
    status=1
done
ok $status 3 "objects: the same bytes"
status=0
same postern.full || status=1
same postern || status=1
ok $status 4 "build/postern: the same bytes"
[ $failed = 0 ] || exit 1
sha256sum build/postern | sed 's/^/# /'
