#!/bin/sh
# The supply line refuses what it must: a changed archive, a missing one, and an install nobody asked for.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; sed 's/^/# /' "$tmp/log" >&2; fi
}
fetch() { DEPS_DIR=$1 sh sbom/fetch.sh sbom/sources.lock "$2" >"$tmp/log" 2>&1; }

awk '!/^#/ && NF && !(NF == 5 && $4 ~ /^[0-9a-f]+$/ && length($4) == 64 && $5 ~ /^pool\//) { bad = 1; print }
    END { exit bad }' sbom/sources.lock >"$tmp/log"
ok $? "sbom/sources.lock: name, version, suite, SHA-256 and path on every line"

sh sbom/bundle.sh sbom/sources.lock build/deps "$tmp/good" >"$tmp/log" 2>&1
ok $? "deps-bundle writes a directory"
fetch "$tmp/good" "$tmp/out"
ok $? "which is enough to build from"

one=$(ls "$tmp/good" | grep -v SHA256SUMS | head -n 1)
cp -r "$tmp/good" "$tmp/changed"
printf x >>"$tmp/changed/$one"
! fetch "$tmp/changed" "$tmp/out2" && grep -q "$one is not the file" "$tmp/log" && [ ! -e "$tmp/out2/$one" ]
ok $? "a changed archive is refused by name and never gets its name"
cp -r "$tmp/good" "$tmp/missing"
rm "$tmp/missing/$one"
! fetch "$tmp/missing" "$tmp/out3" && grep -q "has no $one" "$tmp/log"
ok $? "a missing archive is named"

# An archive changed in the build tree after it was verified is taken anew, or refused where it cannot be.
printf x >>"$tmp/out/$one"
fetch "$tmp/good" "$tmp/out" && cmp -s "$tmp/good/$one" "$tmp/out/$one"
ok $? "an archive changed later is replaced"
printf x >>"$tmp/out/$one"
mkdir -p "$tmp/build"
! sh sbom/sysroot.sh sbom/sources.lock "$tmp/out" "$tmp/build" >"$tmp/log" 2>&1 && grep -q "not verified" "$tmp/log"
ok $? "and nothing is unpacked from one that does not match"

! NO_INSTALL=1 sh sbom/setup.sh no-such-package-here >"$tmp/log" 2>&1 && grep -q 'apt-get install.*no-such-package-here' "$tmp/log"
ok $? "NO_INSTALL=1 names what is missing and stops"
sh sbom/setup.sh dpkg 'no-such-package-here?sh>=0' >"$tmp/log" 2>&1 && [ ! -s "$tmp/log" ]
ok $? "nothing missing: nothing said"

# The day that is built in, before which no clock is believed, is that of the change log.
sed -n 's/^VERSION *:= *//p; s/^DATE *:= *//p' Makefile | paste -sd ' ' | sed 's/^\([^ ]*\) /## \1 – /' >"$tmp/log"
[ "$(cat "$tmp/log")" = "$(grep -m1 '^## ' CHANGELOG.md)" ]
ok $? "version and day in the Makefile are those of CHANGELOG.md"
echo "1..$n"
exit $failed
