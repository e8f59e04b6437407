#!/bin/sh
# make release runs its gates in order and refuses at the first that fails, saying which. The gates are tried with a make that only writes
# down what it was asked; what each of them does is tested where it belongs.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; sed 's/^/# /' "$tmp/log" >&2; fi
}
version=$(sed -n 's/^VERSION := //p' Makefile)
unset MAKEFLAGS MFLAGS MAKELEVEL DB KEY ATTEST_KEY DRY_RUN RELEASE_GATES

# A copy of what the script looks at, a git of its own, and stand-ins for make and prove.
mkdir -p "$tmp/tree/image" "$tmp/tree/build/image" "$tmp/tree/build/kit" "$tmp/bin"
cp image/release.sh "$tmp/tree/image/"
cp CHANGELOG.md "$tmp/tree/"
cp build/postern "$tmp/tree/build/"
cp build/image/digest build/image/source.json "$tmp/tree/build/image/"
echo kit >"$tmp/tree/build/kit/postern-$version.tar"
cat >"$tmp/bin/make" <<'END'
#!/bin/sh
echo "$*" >>"$ASKED"
case " $* " in *" $FAILS "*) echo "this is why"; exit 3 ;; esac
END
cat >"$tmp/bin/prove" <<'END'
#!/bin/sh
echo prove >>"$ASKED"
echo "${PROVED:-ok 1 - it runs}"
END
chmod 755 "$tmp/bin/make" "$tmp/bin/prove"
export ASKED="$tmp/asked"
(cd "$tmp/tree" && git init -q && printf '/build/\n' >.gitignore && git add . && git -c user.name=t -c user.email=t@example.com commit -qm t) >"$tmp/log" 2>&1
ok $? "a tree to try it in"
release() { # VARIABLE=VALUE...
    : >"$ASKED"
    (cd "$tmp/tree" && env MAKE="$tmp/bin/make" PATH="$tmp/bin:$PATH" DB=advisories KEY=k ATTEST_KEY=a "$@" sh image/release.sh "$version") >"$tmp/log" 2>&1
}
record=$tmp/tree/build/release/postern-$version.txt

release DRY_RUN=1 && [ ! -s "$ASKED" ] && [ "$(wc -l <"$tmp/log")" = 14 ]
ok $? "DRY_RUN=1 shows fourteen gates and runs none"
make -s release DRY_RUN=1 >"$tmp/log" 2>&1 && grep -q '^verify  *make verify' "$tmp/log"
ok $? "so does make release DRY_RUN=1"

release FAILS=none && [ "$(grep -c 'passed$' "$tmp/log")" = 14 ] && grep -q "^index $(cat build/image/digest)$" "$record"
ok $? "all gates pass: released, and it is written down what"
cat >"$tmp/want" <<END
build/image/digest
test
san
fuzz
reproduce
reproduce-image
sbom
vulncheck DB=advisories
prove
sign KEY=k ATTEST_KEY=a
kit KEY=k ATTEST_KEY=a
verify KIT=build/kit/postern-$version STATE=build/release/accepted
END
cp "$ASKED" "$tmp/log"
cmp -s "$tmp/want" "$ASKED"
ok $? "each gate ran once, in order, with what it needs"

for gate in test san fuzz reproduce reproduce-image sbom vulncheck sign kit verify; do
    ! release FAILS=$gate && grep -q "^release: refused at the gate \"$gate\"" "$tmp/log" && grep -q '^    this is why$' "$tmp/log" &&
        [ "$(tail -n 1 "$ASKED" | cut -d' ' -f1)" = $gate ] && [ ! -e "$record" ]
    ok $? "$gate fails: refused there, named, nothing after it, nothing released"
done
refuses() { # GATE WORDS NAME, with the log of the run
    grep -q "^release: refused at the gate \"$1\"" "$tmp/log" && grep -q "$2" "$tmp/log" && [ ! -e "$record" ]
    ok $? "$3"
}
release FAILS=none DB=
refuses vulncheck 'DB= is not given' "without advisories: refused"
release FAILS=none KEY=
refuses sign 'KEY= and ATTEST_KEY=' "without a key: refused"
release FAILS=none PROVED='ok 3 - podman # SKIP not here'
refuses smoke 'skipped here' "a smoke test that was skipped: refused"
release FAILS=none PROVED='1..0 # SKIP runc is not installed'
refuses smoke 'skipped here' "a smoke test that ran nothing: refused"

echo >>"$tmp/tree/image/release.sh"
release FAILS=none
refuses tree 'image/release.sh' "a change that is not committed: refused, and which"
(cd "$tmp/tree" && git checkout -q image/release.sh)
jq '.version = "9.9.9"' build/image/source.json >"$tmp/tree/build/image/source.json"
release FAILS=none
refuses version "the Makefile says $version, the binary $version, the image 9.9.9" "an image of another version: refused"
cp build/image/source.json "$tmp/tree/build/image/"
for wrong in "s/^## $version /## 9.9.9 /" "s/^\(## $version\) .*/\1 – unreleased/" '/^- /d'; do
    sed "$wrong" CHANGELOG.md >"$tmp/tree/CHANGELOG.md"
    release FAILS=none
    refuses changelog 'the first heading must be' "CHANGELOG.md after $wrong: refused"
done
cp CHANGELOG.md "$tmp/tree/"

release FAILS=none RELEASE_GATES="version changelog" && grep -q 'Nothing was released' "$tmp/log" && [ ! -e "$record" ]
ok $? "some of the gates are no release"
release RELEASE_GATES="version nonsense"
[ $? = 2 ] && grep -q 'there is no gate "nonsense"' "$tmp/log"
ok $? "an unknown gate is wrong usage"

# The version stands in one place.
git grep -nF "$version" -- . ':!CHANGELOG.md' ':!README.md' ':!*.lock' ':!*/package*.json' ':!docs' ':!tests' ':!src/README.md' |
    grep -v '^Makefile:[0-9]*:VERSION := ' >"$tmp/log"
[ ! -s "$tmp/log" ]
ok $? "the version stands in the Makefile only"
RELEASE_OUT=$tmp/out RELEASE_GATES=changelog sh image/release.sh "$version" >"$tmp/log" 2>&1
ok $? "CHANGELOG.md of this tree speaks of $version"
echo "1..$n"
exit $failed
