#!/bin/sh
# The same source gives the same image: build/image, built here, against a second build of everything, both sysroots and both binaries, as
# another user in another directory, with another umask, time zone, locale and clock, and with no network. Only the verified source archives
# and what the labels say of the source (revision and date, which are no function of the files) are shared.
root=$(pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
other=$tmp/elsewhere/a-name-of-quite-another-length
mkdir -p "$other"
n=0 failed=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}

cp -r Makefile src sbom seccomp image "$other/"
cp -r build/deps "$tmp/deps"
# What the second build is compared with: the first one as it is at this moment, whoever builds here meanwhile.
mkdir -p "$tmp/first/arm64"
cp -r build/image build/postern build/postern.full "$tmp/first/"
cp build/arm64/postern build/arm64/postern.full "$tmp/first/arm64/"
revision=$(jq -r .revision "$tmp/first/image/source.json") epoch=$(jq -r .epoch "$tmp/first/image/source.json")

as=
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$tmp/elsewhere" "$tmp/deps"
    as='setpriv --reuid 65534 --regid 65534 --clear-groups'
fi
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
    HOME=/nonexistent TMPDIR=/tmp TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 CFLAGS=-g GZIP=-1 DEPS_DIR="$tmp/deps" \
        REVISION=$revision SOURCE_DATE_EPOCH=$epoch $cut_off $as faketime -f '+1900d' make build/image/digest
) >"$tmp/log" 2>&1
status=$?
ok $status "a second build, elsewhere${as:+, by another user}${cut_off:+, without network}"
[ $status = 0 ] || tail -n 30 "$tmp/log" | sed 's/^/# /' >&2

for file in postern.full postern arm64/postern.full arm64/postern; do
    cmp "$tmp/first/$file" "$other/build/$file" >&2
    ok $? "build/$file: the same bytes"
done
cmp "$tmp/first/image/digest" "$other/build/image/digest" >&2
ok $? "the index digest: $(cat "$tmp/first/image/digest")"
diff -r "$tmp/first/image/oci" "$other/build/image/oci" >&2
ok $? "the layout: the same files"
cmp "$tmp/first/image/oci-archive.tar" "$other/build/image/oci-archive.tar" >&2
ok $? "the archive: the same bytes"
if command -v diffoscope >/dev/null; then
    # Owners and dates of the directories on this disk are no part of the image.
    diffoscope --exclude-directory-metadata=yes "$tmp/first/image/oci" "$other/build/image/oci" >"$tmp/diff" 2>&1
    status=$?
    head -n 40 "$tmp/diff" | sed 's/^/# /' >&2
    ok $status "diffoscope finds nothing"
else
    n=$((n + 1))
    echo "ok $n - diffoscope finds nothing # SKIP diffoscope is not installed (Debian package diffoscope-minimal)"
fi
echo "1..$n"
exit $failed
