#!/bin/sh
# verify.sh [OPTION]... KIT: is this kit of Postern what was released, whole and unaltered, and not older than what is here already?
#
#   KIT              the directory postern-VERSION, or postern-VERSION.tar with its .sigstore.json beside it
#   --key FILE       the release key that you trust, or
#   --fingerprint X  its fingerprint (SHA-256 of the DER form, 64 hex digits). One of the two must come to you by another way than the kit.
#   --state FILE     which releases this site has accepted (default: ${XDG_STATE_HOME:-~/.local/state}/postern/releases)
#   --no-record      check against that file, but do not write to it
#   --allow-older    accept an older release than the newest accepted: a roll-back that you have decided on
#   --revoked FILE   fingerprints of keys that you do not trust any more, one a line
#
# Needs a POSIX shell with its usual tools, openssl, sha256sum and tar. A cosign on the PATH (or in $COSIGN) is asked as well.
# Exit: 0 PASS, 1 something is wrong (each is said in a line that begins with FAIL), 2 it could not be checked.
set -u
LC_ALL=C
export LC_ALL
umask 077

stop() { echo "verify: $*" >&2; exit 2; }
usage() { sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

key='' fingerprint='' record=1 older='' revoked=''
state=${XDG_STATE_HOME:-${HOME:-/var/lib}/.local/state}/postern/releases
while [ $# -gt 0 ]; do
    case $1 in
    --key | --fingerprint | --state | --revoked)
        [ $# -ge 2 ] || usage
        case $1 in --key) key=$2 ;; --fingerprint) fingerprint=$2 ;; --state) state=$2 ;; --revoked) revoked=$2 ;; esac
        shift 2 ;;
    --no-record) record=''; shift ;;
    --allow-older) older=1; shift ;;
    -*) usage ;;
    *) break ;;
    esac
done
[ $# = 1 ] || usage
kit=$1
for tool in openssl sha256sum tar awk sed find sort cmp; do command -v $tool >/dev/null || stop "there is no $tool here"; done
fingerprint=$(printf '%s' "${fingerprint#SHA256:}" | tr 'A-F' 'a-f')
[ -n "$key$fingerprint" ] || stop "give --key or --fingerprint: keys that come in the kit prove nothing about the kit"
[ -z "$key" ] || [ -f "$key" ] || stop "there is no key $key"
[ -z "$revoked" ] || [ -f "$revoked" ] || stop "there is no list $revoked"
[ -e "$kit" ] || stop "there is no $kit"
tmp=$(mktemp -d) || stop "no room for temporary files"
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM

fails=0 passed=0
fail() { fails=$((fails + 1)); printf 'FAIL  %s\n' "$*"; }
good() { passed=$((passed + 1)); printf 'ok    %s\n' "$*"; }

# ---------------------------------------------------------------- tools: none of them believes what it reads
hash_of() { sha256sum <"$1" | cut -c1-64; }
print_of() { openssl pkey -pubin -in "$1" -outform DER 2>/dev/null | sha256sum | cut -c1-64; }
p256() { openssl pkey -pubin -in "$1" -noout -text 2>/dev/null | grep -q 'prime256v1'; }
# The one string member NAME of a JSON file; fails if there is none or more than one.
member() { # FILE NAME
    awk -v k="\"$2\":\"" '{ s = s $0 } END { if (split(s, part, k) != 2) exit 1; v = part[2]; sub(/".*/, "", v); print v }' "$1"
}
# Every digest that a descriptor in FILE names, in order, in hex.
digests() {
    awk '{ s = s $0 } END {
        while (match(s, /"digest":"sha256:[0-9a-f]+"/)) { print substr(s, RSTART + 17, RLENGTH - 18); s = substr(s, RSTART + RLENGTH) } }' "$1" 2>/dev/null
}
unbase64() { openssl base64 -d -A; }
is_signed() { # DATA SIGNATURE-BASE64 KEY
    printf '%s' "$2" | unbase64 >"$tmp/sig" 2>/dev/null || return 1
    [ -s "$tmp/sig" ] && [ -s "$3" ] && openssl dgst -sha256 -verify "$3" -signature "$tmp/sig" "$1" >/dev/null 2>&1
}
# A bundle with a signature over a file.
check_blob() { # WHAT FILE BUNDLE
    [ -f "$3" ] || { fail "$1: its signature is missing (${3##*/})"; return 1; }
    s=$(member "$3" signature) || { fail "$1: ${3##*/} holds no signature"; return 1; }
    is_signed "$2" "$s" "$tmp/release.pub" || { fail "$1: the signature in ${3##*/} is not one of the release key over this file"; return 1; }
    good "$1: signed by the release key"
}
# A bundle with a DSSE envelope; the payload goes to $tmp/payload if KEY has signed it.
open_envelope() { # BUNDLE KEY
    [ "$(member "$1" payloadType)" = application/vnd.in-toto+json ] || return 1
    member "$1" payload >"$tmp/payload.b64" && unbase64 <"$tmp/payload.b64" >"$tmp/payload" 2>/dev/null || return 1
    s=$(member "$1" sig) || return 1
    { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(($(wc -c <"$tmp/payload")))"; cat "$tmp/payload"; } >"$tmp/pae"
    is_signed "$tmp/pae" "$s" "$2"
}
# The statement that must have been signed, byte for byte.
expect_statement() { # SUBJECT-HEX TYPE FILE
    printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}],"predicateType":"%s","predicate":' \
        "$identity" "$1" "$2"
    cat "$3"
    printf '}'
}
# Why a signed statement is another than expected.
differs() { # SUBJECT-HEX TYPE FILE
    head -c 4096 "$tmp/payload" | awk -v hex="$1" -v type="$2" -v file="$3" '{ s = s $0 } END {
        if (match(s, /"predicateType":"[^"]*"/)) t = substr(s, RSTART + 17, RLENGTH - 18)
        if (t != type) { printf "its type is %s, not %s\n", t, type; exit }
        if (!index(s, "{\"sha256\":\"" hex "\"}")) { print "it speaks of another image"; exit }
        printf "it was made over another %s\n", file }'
}
type_of() { # NAME of an attestation
    case $1 in sbom-*) echo https://cyclonedx.org/bom ;; provenance) echo https://slsa.dev/provenance/v1 ;; vex) echo https://openvex.dev/ns ;; esac
}
file_of() {
    case $1 in sbom-*) echo "sbom/postern-${1#sbom-}.cdx.json" ;; provenance) echo provenance/postern.slsa.json ;; vex) echo vex/postern.openvex.json ;; esac
}
names_for() { # index | ARCH
    case $1 in index) echo sbom-image provenance vex ;; *) echo "sbom-$1" ;; esac
}

# ---------------------------------------------------------------- an archive is looked at before it is unpacked
archive=''
case $kit in
*.tar)
    archive=$kit
    tar -tvf "$archive" >"$tmp/list" 2>/dev/null || { fail "${archive##*/}: no readable tar archive"; echo "FAIL: do not use this kit"; exit 1; }
    tar -tf "$archive" >"$tmp/names" 2>/dev/null
    if grep -qv '^[-d]' "$tmp/list" || grep -qE '(^|/)\.\.(/|$)|^/|[^A-Za-z0-9._/-]' "$tmp/names" ||
        [ "$(sed 's|/.*||' "$tmp/names" | sort -u | wc -l)" != 1 ] || [ -n "$(sort "$tmp/names" | uniq -d)" ]; then
        fail "${archive##*/}: holds what no kit holds (a link, a name twice, a path that leads out); it was not unpacked"
        echo "FAIL: do not use this kit"
        exit 1
    fi
    mkdir "$tmp/unpacked"
    tar -xf "$archive" -C "$tmp/unpacked" || stop "could not unpack $archive"
    kit=$tmp/unpacked/$(sed -n '1s|/.*||p' "$tmp/names")
    ;;
esac
[ -d "$kit" ] || stop "$kit is neither a directory nor a .tar"
case $state in /*) ;; *) state=$(pwd)/$state ;; esac
case $revoked in /* | '') ;; *) revoked=$(pwd)/$revoked ;; esac
case $key in /* | '') ;; *) key=$(pwd)/$key ;; esac
case $archive in /* | '') ;; *) archive=$(pwd)/$archive ;; esac
case ${COSIGN:-} in */*) COSIGN=$(cd "$(dirname "$COSIGN")" && pwd)/${COSIGN##*/} ;; esac
cd "$kit" || stop "cannot enter $kit"

# ---------------------------------------------------------------- keys
: >"$tmp/release.pub"
if [ -n "$key" ]; then
    cp "$key" "$tmp/release.pub"
    if [ -n "$fingerprint" ] && [ "$(print_of "$key")" != "$fingerprint" ]; then fail "keys: --key and --fingerprint name two different keys"; fi
    if [ ! -f keys/release.pub ]; then fail "keys: keys/release.pub is missing"
    elif [ "$(print_of keys/release.pub)" != "$(print_of "$key")" ]; then
        fail "keys: the kit's release key (SHA256:$(print_of keys/release.pub)) is not the one you trust (SHA256:$(print_of "$key"))"
    else good "keys: the release key is the one you trust"; fi
elif [ -f keys/release.pub ] && [ "$(print_of keys/release.pub)" = "$fingerprint" ]; then
    cp keys/release.pub "$tmp/release.pub"
    good "keys: the release key has the fingerprint you trust"
else
    fail "keys: the kit's release key has not the fingerprint you trust"
fi
chmod 600 "$tmp/release.pub"
p256 "$tmp/release.pub" || fail "keys: no release key on the curve P-256"
: >"$tmp/attest.pub"
[ ! -f keys/attest.pub ] || cat keys/attest.pub >"$tmp/attest.pub"
p256 "$tmp/attest.pub" || fail "keys: no attestation key on the curve P-256"
if [ "$(print_of "$tmp/attest.pub")" = "$(print_of "$tmp/release.pub")" ]; then fail "keys: release key and attestation key are the same"; fi
for which in release attest; do
    p=$(print_of "$tmp/$which.pub")
    if [ -n "$revoked" ] && grep -qi "$p" "$revoked"; then fail "keys: the $which key SHA256:$p is on your list of revoked keys"; fi
    if [ -f "$state" ] && grep -qx "revoked $p" "$state"; then fail "keys: the $which key SHA256:$p was revoked by a release accepted here"; fi
done

# ---------------------------------------------------------------- the archive, and each file of the kit
if [ -n "$archive" ]; then check_blob "${archive##*/}" "$archive" "$archive.sigstore.json"; fi
sums=''
if [ ! -f SHA256SUMS ]; then
    fail "SHA256SUMS: missing"
    : >"$tmp/sums"
else
    check_blob SHA256SUMS SHA256SUMS SHA256SUMS.sigstore.json && sums=1
    cat SHA256SUMS >"$tmp/sums"
fi
odd=$(find . ! -type f ! -type d; find . -name '*[!A-Za-z0-9._-]*')
[ -z "$odd" ] || fail "files: neither files nor directories, or with odd names: $(echo $odd)"
find . -type f ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sigstore.json | sed 's|^\./||' | sort >"$tmp/have"
sed -n 's/^[0-9a-f]\{64\}  //p' "$tmp/sums" | sort >"$tmp/want"
before=$fails
[ "$(wc -l <"$tmp/want")" = "$(wc -l <"$tmp/sums")" ] || fail "SHA256SUMS: lines that are none"
if grep -qE '(^|/)\.\.(/|$)|^/' "$tmp/want"; then fail "SHA256SUMS: names files outside the kit"; fi
for f in $(comm -23 "$tmp/want" "$tmp/have" 2>/dev/null || grep -vxF -f "$tmp/have" "$tmp/want"); do fail "$f: missing"; done
for f in $(comm -13 "$tmp/want" "$tmp/have" 2>/dev/null || grep -vxF -f "$tmp/want" "$tmp/have"); do fail "$f: in no list; it was added"; done
grep -vE '  /|\.\.' "$tmp/sums" >"$tmp/sums.inside"
sha256sum -c "$tmp/sums.inside" 2>/dev/null | sed -n 's/: FAILED$//p' >"$tmp/altered"
while read -r f; do fail "$f: altered (its SHA-256 is not the one in SHA256SUMS)"; done <"$tmp/altered"
[ $fails != $before ] || good "files: all $(($(wc -l <"$tmp/have"))) are there, none is added, each hashes to what SHA256SUMS says"

# ---------------------------------------------------------------- RELEASE: which image this is meant to be
release() { sed -n "s/^$1=//p" RELEASE 2>/dev/null; }
version=$(release version) number=$(release number) issue=$(release issue) identity=$(release identity) index=$(release index)
hex='[0-9a-f]\{64\}'
if [ ! -f RELEASE ]; then
    fail "RELEASE: missing"
elif sed -e '/^format=postern-kit-1$/d; /^version=[0-9]\{1,3\}\.[0-9]\{1,3\}\.[0-9]\{1,3\}$/d; /^number=[0-9]\{1,12\}$/d; /^issue=[0-9]\{1,2\}$/d' \
    -e '/^identity=[a-z0-9.:\/-]*$/d; /^revision=[0-9a-z-]*$/d' -e "/^\(index\|amd64\|arm64\)=sha256:$hex\$/d; /^\(release\|attest\)-key=$hex\$/d" \
    RELEASE | grep -q . || [ "$(sed 's/=.*//' RELEASE | sort -u | wc -l)" != 11 ] || [ "$(wc -l <RELEASE)" != 11 ]; then
    fail "RELEASE: not the form of a kit"
    version='' number=''
else
    plain() { v=$1; while :; do case $v in 0?*) v=${v#0} ;; *) break ;; esac; done; echo "$v"; } # 010 is no octal number
    rest=${version#*.}
    n=$(((($(plain "${version%%.*}") * 1000 + $(plain "${rest%%.*}")) * 1000 + $(plain "${rest#*.}")) * 100 + $(plain "$issue")))
    [ "$n" = "$number" ] || fail "RELEASE: release number $number is not that of version $version, issue $issue"
    [ "$(release release-key)" = "$(print_of "$tmp/release.pub")" ] || fail "RELEASE: names another release key"
    [ "$(release attest-key)" = "$(print_of "$tmp/attest.pub")" ] || fail "RELEASE: names another attestation key"
    case $identity in *:"$version") ;; *) fail "RELEASE: identity $identity is not of version $version" ;; esac
fi

# ---------------------------------------------------------------- the image layout: every blob, and what leads to it
oci=image/oci
blob() { echo "$oci/blobs/sha256/$1"; }
: >"$tmp/reached"
# Every blob is hashed once, whatever its name claims.
find $oci/blobs -type f -exec sha256sum {} + 2>/dev/null | sed 's|  .*/|  |' >"$tmp/blobs"
reach() { # HEX WHAT: there, and what its name says
    echo "$1" >>"$tmp/reached"
    [ -f "$(blob "$1")" ] || { fail "image: $2 (blob $1) is missing"; return 1; }
    grep -qxF "$1  $1" "$tmp/blobs" || { fail "image: $2 (blob $1) was altered: it does not hash to its name"; return 1; }
}
named() { sed -n "s/^{\"annotations\":{\"org.opencontainers.image.ref.name\":\"$1\"},\"digest\":\"sha256:\($hex\)\",.*}\$/\1/p" "$tmp/index.json"; }
before=$fails
: >"$tmp/index.json"
if [ -f $oci/index.json ]; then sed 's/,$//' $oci/index.json >"$tmp/index.json"; else fail "image: $oci/index.json is missing"; fi
[ "$(cat $oci/oci-layout 2>/dev/null)" = '{"imageLayoutVersion":"1.0.0"}' ] || fail "image: $oci/oci-layout is not that of a layout"
sed -e '1{/^{"schemaVersion":2,"mediaType":"application\/vnd.oci.image.index.v1+json","manifests":\[$/d;}' -e '${/^\]}$/d;}' "$tmp/index.json" |
    grep -v "^{\"annotations\":{\"org.opencontainers.image.ref.name\":\"[0-9a-z.-]*\"},\"digest\":\"sha256:$hex\",\"mediaType\":\"application/vnd.oci.image.[a-z]*.v1+json\",\"size\":[0-9]*}\$" |
    grep -q . && fail "image: $oci/index.json is not as kits write it"
ih=${index#sha256:}
tagged=$(named "$version")
if [ -z "$tagged" ]; then fail "image: the layout has no tag $version"
elif [ "$tagged" != "$ih" ]; then fail "image: the tag $version was moved: it leads to sha256:$tagged, released was $index"; fi
subjects=${ih:+index=$ih}
if [ -n "$ih" ] && reach "$ih" "the image index"; then
    [ "$(digests "$(blob "$ih")")" = "$(release amd64 | sed 's/sha256://'; release arm64 | sed 's/sha256://')" ] ||
        fail "image: the index names other manifests than RELEASE does"
fi
for arch in amd64 arm64; do
    h=$(release $arch)
    h=${h#sha256:}
    [ -n "$h" ] || continue
    subjects="$subjects $arch=$h"
    reach "$h" "the $arch manifest" || continue
    for part in $(digests "$(blob "$h")"); do reach "$part" "a layer or the configuration of $arch"; done
done
[ $fails != $before ] || good "image: index $index and all it names"

# ---------------------------------------------------------------- signatures and attestations, for the index and each architecture
check_simple() { # WHAT HEX PAYLOAD SIGNATURE
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' \
        "$identity" "$2" >"$tmp/expected"
    if ! is_signed "$3" "$4" "$tmp/release.pub"; then fail "$1: not a signature of the release key"
    elif ! cmp -s "$3" "$tmp/expected"; then fail "$1: signed by the release key, but for another image or another name than $identity"
    else return 0; fi
    return 1
}
check_attestation() { # WHAT NAME SUBJECT-HEX BUNDLE
    a_file=$(file_of "$2") a_type=$(type_of "$2")
    [ -f "$a_file" ] || { fail "$1: there is no $a_file to compare it with"; return 1; }
    open_envelope "$4" "$tmp/attest.pub" || { fail "$1: not a signature of the attestation key"; return 1; }
    expect_statement "$3" "$a_type" "$a_file" | cmp -s - "$tmp/payload" || { fail "$1: $(differs "$3" "$a_type" "$a_file")"; return 1; }
}
for subject in $subjects; do
    what=${subject%%=*} h=${subject#*=}
    # The older format, for policy.json and cosign 2: a manifest named after the image.
    sig=$(named "sha256-$h.sig")
    if [ -z "$sig" ]; then fail "$what: unsigned: the layout has no signature sha256-$h.sig"
    elif reach "$sig" "the signature of $what"; then
        p=''
        for part in $(digests "$(blob "$sig")"); do reach "$part" "a part of the signature of $what" && p=$part; done
        if [ "$(digests "$(blob "$sig")" | wc -l)" != 2 ] || ! s=$(member "$(blob "$sig")" dev.cosignproject.cosign/signature); then
            fail "$what: its signature has not the form of one"
        elif [ -n "$p" ]; then check_simple "$what (signature)" "$h" "$(blob "$p")" "$s" && good "$what: signed for policy.json and cosign 2"; fi
    fi
    # The same in dir:.
    f=image/dir/$h.signature-1 m=image/dir/$h.manifest.json
    [ "$what" != index ] || f=image/dir/signature-1 m=image/dir/manifest.json
    if [ ! -f "$m" ] || [ "$(hash_of "$m")" != "$h" ]; then fail "$what: $m is missing or another manifest"; fi
    if [ ! -f "$f" ]; then fail "$what: unsigned: $f is missing"
    elif [ "$(head -n 1 "$f" | tr -d '\000')" != sigstore-json ] || ! sed 1d "$f" >"$tmp/sj" || ! s=$(member "$tmp/sj" dev.cosignproject.cosign/signature) ||
        ! member "$tmp/sj" payload >"$tmp/payload.b64"; then fail "$what: $f has not the form of a signature"
    else
        unbase64 <"$tmp/payload.b64" >"$tmp/simple"
        check_simple "$what ($f)" "$h" "$tmp/simple" "$s" && good "$what: signed in dir: form"
    fi
    for part in $(if [ -f "$m" ] && [ "$what" != index ]; then digests "$m"; fi); do
        if [ ! -f "image/dir/$part" ] || [ "$(hash_of "image/dir/$part")" != "$part" ]; then fail "$what: image/dir/$part is missing or altered"; fi
    done
    # Bundles, for cosign 3: an index named after the image leads to them.
    wanted="signature $(names_for "$what")" found=''
    refs=$(named "sha256-$h")
    if [ -z "$refs" ]; then fail "$what: the layout has no bundles sha256-$h"
    elif reach "$refs" "the list of bundles of $what"; then
        for manifest in $(digests "$(blob "$refs")"); do
            reach "$manifest" "a bundle of $what" || continue
            set -- $(digests "$(blob "$manifest")")
            if [ $# != 3 ] || [ "$3" != "$h" ]; then fail "$what: bundle $manifest belongs to another image"; continue; fi
            reach "$1" "a bundle of $what" && reach "$2" "a bundle of $what" || continue
            b=$(blob "$2") t=$(member "$(blob "$manifest")" dev.sigstore.bundle.predicateType)
            if [ "$t" = https://sigstore.dev/cosign/sign/v1 ]; then
                found="$found signature "
                printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"},"annotations":{}}],"predicateType":"%s","predicate":{}}' \
                    "$h" "$t" >"$tmp/expected"
                if ! open_envelope "$b" "$tmp/release.pub"; then fail "$what (bundle): not a signature of the release key"
                elif ! cmp -s "$tmp/payload" "$tmp/expected"; then fail "$what (bundle): signed by the release key, but for another image"
                else good "$what: signed for cosign 3"; fi
                continue
            fi
            n=''
            for candidate in $(names_for "$what"); do [ "$(type_of "$candidate")" != "$t" ] || n=$candidate; done
            if [ -z "$n" ]; then fail "$what: a bundle of the wrong type: $t"; continue; fi
            found="$found $n "
            check_attestation "$what (bundle $n)" "$n" "$h" "$b" && good "$what: $n attested in the layout"
        done
    fi
    for n in $wanted; do
        case " $found " in
        *" $n "*" $n "*) fail "$what: two bundles of $n" ;;
        *" $n "*) ;;
        *) fail "$what: the layout has no bundle with the $n" ;;
        esac
    done
    for n in $(names_for "$what"); do
        f=attestations/$n.sigstore.json
        if [ ! -f "$f" ]; then fail "$f: missing"; else check_attestation "$f" "$n" "$h" "$f" && good "$f: $(file_of "$n") is what was attested"; fi
    done
    # For docker load: the same configuration and the same layers, unpacked.
    [ "$what" != index ] || continue
    t=image/postern-$version-$what.docker.tar
    rm -rf "$tmp/docker"
    mkdir "$tmp/docker"
    if [ ! -f "$t" ] || ! tar -tvf "$t" >"$tmp/list" 2>/dev/null; then fail "$t: missing, or no tar archive"; continue; fi
    if grep -qv '^-' "$tmp/list" || tar -tf "$t" | grep -qv '^[0-9a-z.]*$'; then fail "$t: holds more than files"; continue; fi
    tar -xf "$t" -C "$tmp/docker"
    c=$(digests "$(blob "$h")" | sed -n 1p)
    set -- $(awk '{ s = s $0 } END { if (!match(s, /"diff_ids":\[[^]]*\]/)) exit; s = substr(s, RSTART, RLENGTH); gsub(/"diff_ids":\[|[]",]|sha256/, "", s)
        gsub(/:/, " ", s); print s }' "$(blob "$c")" 2>/dev/null)
    layers=''
    for d; do layers="$layers${layers:+,}\"$d.tar\""; done
    before=$fails
    printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}]' "$c" "$identity" "$layers" | cmp -s - "$tmp/docker/manifest.json" ||
        fail "$t: its manifest.json names another image"
    [ "$(hash_of "$tmp/docker/$c.json" 2>/dev/null)" = "$c" ] || fail "$t: its configuration is not that of the signed image"
    for d; do [ "$(hash_of "$tmp/docker/$d.tar" 2>/dev/null)" = "$d" ] || fail "$t: its layer is not that of the signed image"; done
    [ "$(($(wc -l <"$tmp/list")))" = $((2 + $#)) ] || fail "$t: holds more than the image"
    [ $fails != $before ] || good "$t: the signed image"
done
if [ -d $oci/blobs ]; then
    sort -u "$tmp/reached" >"$tmp/reached.sorted"
    find $oci/blobs -type f | sed 's|.*/||' | sort | grep -vxF -f "$tmp/reached.sorted" >"$tmp/stray"
    while read -r b; do fail "image: blob $b belongs to nothing"; done <"$tmp/stray"
fi

# ---------------------------------------------------------------- a second opinion
cosign=${COSIGN:-cosign}
if command -v "$cosign" >/dev/null && [ -n "$sums" ]; then
    printf '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' >"$tmp/root.json"
    opinion() { HOME=$tmp "$cosign" "$@" --new-bundle-format --trusted-root "$tmp/root.json" --insecure-ignore-tlog=true >"$tmp/cosign" 2>&1; }
    if opinion verify-blob --key "$tmp/release.pub" --bundle SHA256SUMS.sigstore.json SHA256SUMS; then good "cosign agrees: SHA256SUMS"
    else fail "cosign does not agree: SHA256SUMS: $(tail -n 1 "$tmp/cosign")"; fi
    for n in $(names_for index); do
        [ -f "$(blob "$ih")" ] || continue
        if opinion verify-blob-attestation --key "$tmp/attest.pub" --type "$(type_of "$n")" --bundle "attestations/$n.sigstore.json" "$(blob "$ih")"; then
            good "cosign agrees: $n"
        else fail "cosign does not agree: $n: $(tail -n 1 "$tmp/cosign")"; fi
    done
fi

# ---------------------------------------------------------------- not older than what this site has accepted
if [ -n "$number" ]; then
    if [ -f "$state" ]; then
        newest=$(awk '$1 == "release" && $2 + 0 > n { n = $2 + 0; v = $3 } END { print n + 0, v }' "$state")
        if [ "$number" -lt "${newest%% *}" ] && [ -z "$older" ]; then
            fail "release: $version (number $number) is older than ${newest#* } (number ${newest%% *}), which was accepted here; --allow-older if you mean it"
        fi
        other=$(awk -v v="$version" -v i="$index" '$1 == "release" && $3 == v && $4 != i { print $4; exit }' "$state")
        [ -z "$other" ] || fail "release: $version was accepted here before with another image, $other"
        [ -n "$other" ] || [ "$number" -lt "${newest%% *}" ] || good "release: number $number, not older than what was accepted here"
    else
        good "release: number $number, the first on record here ($state)"
    fi
fi

if [ $fails -gt 0 ]; then
    echo "FAIL: $fails of $((fails + passed)) checks; do not use this kit"
    exit 1
fi
if [ -n "$record" ]; then
    mkdir -p "$(dirname "$state")" &&
        {
            [ ! -f "$state" ] || cat "$state"
            echo "release $number $version $index"
            [ ! -f keys/revoked.txt ] || sed -n "s/^\($hex\).*/revoked \1/p" keys/revoked.txt
        } | awk '!seen[$0]++' >"$state.new" && mv "$state.new" "$state" || stop "all is right, but $state cannot be written; --no-record to do without"
fi
[ ! -f keys/next-release.pub ] || echo "note  the next release key will be SHA256:$(print_of keys/next-release.pub) (keys/next-release.pub)"
echo "PASS: Postern $version ($identity, $index), $passed checks"
