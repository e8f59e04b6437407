#!/bin/sh
# release.sh VERSION: run every gate of a release, in order, and refuse at the first that fails.
#   DB=directory            advisories for the gate vulncheck
#   KEY=… ATTEST_KEY=…      keys for the gates sign and kit; passwords as for `make sign`
#   DRY_RUN=1               only show the gates
#   RELEASE_GATES="a b"     only these, to try them; that is no release, and says so
# Each gate writes build/release/GATE.log. When all have passed, build/release/postern-VERSION.txt says what was released.
# Exit: 0 released (or shown, or tried), 1 a gate failed, 2 wrong usage.
set -eu
version=$1
make=${MAKE:-make}
all="version changelog tree test san fuzz reproduce reproduce-image sbom vulncheck smoke sign kit verify"
gates=${RELEASE_GATES:-$all}
out=${RELEASE_OUT:-build/release}
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

what() {
    case $1 in
    version) echo "VERSION of the Makefile is three numbers, and build/postern and the image say the same" ;;
    changelog) echo "CHANGELOG.md begins with $version and a date, and says something about it" ;;
    tree) echo "nothing is uncommitted: the signed revision is what was built" ;;
    test) echo "make test: every test" ;;
    san) echo "make san: the system suite against the sanitizer build" ;;
    fuzz) echo "make fuzz: every fuzzer, live" ;;
    reproduce) echo "make reproduce: a second build gives the same binary" ;;
    reproduce-image) echo "make reproduce-image: and the same image" ;;
    sbom) echo "make sbom: every linked object accounted for, schema and lint" ;;
    vulncheck) echo "make vulncheck DB=${DB:-(not given)}: no known vulnerability, from a database that can be trusted" ;;
    smoke) echo "the image in containers, none of it skipped" ;;
    sign) echo "make sign: image, SBOM, VEX, provenance" ;;
    kit) echo "make kit: the release directory and archive" ;;
    verify) echo "make verify: the kit proves itself" ;;
    *) return 1 ;;
    esac
}

gate() {
    case $1 in
    version)
        echo "$version" | grep -qxE '(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})' || {
            echo "VERSION is $version; it must be three numbers"
            return 1
        }
        $make build/image/digest || return 1
        said=$(build/postern version | sed -n '1s/^postern //p')
        image=$(jq -r .version build/image/source.json)
        [ "$said" = "$version" ] && [ "$image" = "$version" ] || {
            echo "the Makefile says $version, the binary $said, the image $image"
            return 1
        } ;;
    changelog)
        awk -v version="$version" '
            /^## / && !seen { seen = 1; right = $2 == version && $4 ~ /^20[0-9][0-9]-[01][0-9]-[0-3][0-9]$/; next }
            /^## / && seen { exit }
            seen && /^- / { entries++ }
            END { exit !(right && entries) }' CHANGELOG.md || {
            echo "CHANGELOG.md: the first heading must be \"## $version – YYYY-MM-DD\", with at least one entry (\"- …\") below"
            return 1
        } ;;
    tree)
        changed=$(git status --porcelain) || return 1
        [ -z "$changed" ] || {
            echo "not committed:"
            echo "$changed"
            return 1
        } ;;
    vulncheck)
        [ -n "${DB:-}" ] || {
            echo "DB= is not given: a release is checked against advisories (docs/appliance/sbom.md)"
            return 1
        }
        $make vulncheck DB="$DB" ;;
    smoke)
        prove -v tests/appliance/11-runc.t tests/appliance/12-podman.t tests/appliance/13-arm64.t tests/appliance/42-deploy-run.t || return 1
        grep -qE '^1\.\.0|^ok .*# SKIP' "$out/smoke.log"
        [ $? = 1 ] || {
            echo "skipped here: a release needs a host where it runs"
            return 1
        } ;;
    sign | kit)
        [ -n "${KEY:-}" ] && [ -n "${ATTEST_KEY:-}" ] || {
            echo "KEY= and ATTEST_KEY= are not given (docs/appliance/keys.md)"
            return 1
        }
        $make "$1" KEY="$KEY" ATTEST_KEY="$ATTEST_KEY" ;;
    verify) $make verify KIT="build/kit/postern-$version" STATE="$out/accepted" ;;
    *) $make "$1" ;;
    esac
}

for g in $gates; do
    what "$g" >/dev/null || {
        echo "release: there is no gate \"$g\"; there are: $all" >&2
        exit 2
    }
done
if [ -n "${DRY_RUN:-}" ]; then
    for g in $gates; do printf '%-16s %s\n' "$g" "$(what "$g")"; done
    exit 0
fi

mkdir -p "$out"
rm -f "$out"/*.log "$out/postern-$version.txt" "$out/accepted"
for g in $gates; do
    printf 'release: %-16s ' "$g"
    if gate "$g" >"$out/$g.log" 2>&1 </dev/null; then
        echo passed
    else
        echo FAILED
        tail -n 15 "$out/$g.log" | sed 's/^/    /' >&2
        echo "release: refused at the gate \"$g\": $(what "$g"). All it said: $out/$g.log" >&2
        exit 1
    fi
done
if [ "$gates" != "$all" ]; then
    echo "release: these gates passed. Nothing was released: that takes all of them: $all"
    exit 0
fi
{
    echo "version $version"
    echo "revision $(git rev-parse HEAD)"
    echo "index $(cat build/image/digest)"
    echo "kit $(sha256sum <"build/kit/postern-$version.tar" | cut -c1-64)"
    echo "gates $gates"
} >"$out/postern-$version.txt"
echo "release: $version, all gates passed; build/kit/postern-$version.tar is ready to be carried. Its facts: $out/postern-$version.txt"
