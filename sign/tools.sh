#!/bin/sh
# tools.sh LOCK DEBS OUT: bring the programs of LOCK to OUT: cosign2, cosign3, skopeo, docker-registry.
# With TOOLS_DIR set the packages come from that directory (made by `make tools-bundle`), and no network is touched.
set -eu
umask 022
lock=$1 debs=$2 out=$3
here=$(dirname "$0")
[ "$(uname -m)" = x86_64 ] || { echo "sign: sign/tools.lock names programs for x86-64; this is $(uname -m)" >&2; exit 1; }
DEPS_DIR=${TOOLS_DIR:-} sh "$here/../sbom/fetch.sh" "$lock" "$debs"
rm -rf "$out" "$out.new"
mkdir -p "$out.new"
sed -e 's/#.*//' "$lock" | while read -r name version suite sha path; do
    [ -n "$path" ] || continue
    case $name:$version in
    cosign:2.*) to=cosign-2 ;;
    cosign:3.*) to=cosign-3 ;;
    docker-registry:*) to=registry ;;
    *) to=skopeo ;;
    esac
    mkdir -p "$out.new/$to"
    dpkg-deb --fsys-tarfile "$debs/${path##*/}" | tar -C "$out.new/$to" -x --no-same-owner ./usr 2>/dev/null
done
cd "$out.new"
ln -s cosign-2/usr/bin/cosign cosign2
ln -s cosign-3/usr/bin/cosign cosign3
ln -s registry/usr/bin/docker-registry docker-registry
# skopeo runs on the C library of its own suite, beside the host's.
cat >skopeo/run <<'END'
#!/bin/sh
t=$(dirname "$(readlink -f "$0")")
l=$t/usr/lib/x86_64-linux-gnu
exec "$l/ld-linux-x86-64.so.2" --library-path "$l" "$t/usr/bin/skopeo" "$@"
END
chmod 755 skopeo/run
ln -s skopeo/run skopeo.sh
for program in cosign2 cosign3 docker-registry skopeo.sh; do
    [ -x "$program" ] || { echo "sign: $program did not come out of the packages of $lock" >&2; exit 1; }
done
cd - >/dev/null
mv "$out.new" "$out"
