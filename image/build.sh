#!/bin/sh
# build.sh VERSION REVISION EPOCH OUT ARCH=BINARY...: write the container image as an OCI layout.
#   OUT/oci/               layout: one image index, named VERSION, with one manifest per ARCH (amd64, arm64)
#   OUT/oci-archive.tar    the same in one file
#   OUT/digest             digest of the image index: what to sign, compare and pin
#   OUT/manifests.json     ARCH -> digests and sizes of its manifest, configuration, layer
#   OUT/source.json        version, revision and date the image speaks of
# The bytes are a function of the binaries, VERSION, REVISION and EPOCH (seconds, the only date in the image). Whoever runs it, where, when,
# in which locale or umask, leaves no trace. Needs GNU tar, gzip, sha256sum, jq; no daemon, no root, no network.
set -eu
umask 022
export LC_ALL=C TZ=UTC
unset TAR_OPTIONS GZIP POSIXLY_CORRECT 2>/dev/null || :
version=$1 revision=$2 epoch=$3 out=$4
shift 4
date=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
uid=65532

mkdir -p "$out"
out=$(realpath "$out")
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
blobs=$work/oci/blobs/sha256
mkdir -p "$blobs"

tar_of() { # TAR OWNER [OPTION]: append the names on standard input, below the current directory, as they are but for owner and date
    tar --append --file="$1" --no-recursion --format=ustar --owner="$2" --group="$2" --numeric-owner --mtime="@$epoch" ${3:-} \
        --verbatim-files-from --files-from=-
}
blob() { # FILE: move it among the blobs and print its digest
    sum=$(sha256sum <"$1" | cut -c1-64)
    chmod 644 "$1"
    mv "$1" "$blobs/$sum"
    echo "sha256:$sum"
}
json() { # FILE ARGUMENTS...: write what jq makes, in canonical form and without a line's end
    file=$1
    shift
    jq -ncSj "$@" >"$file"
}
size() { wc -c <"$blobs/${1#sha256:}" | tr -d ' '; }

# The same words as annotations (index and manifests) and as labels (configurations).
# Two thirds of the licences are those of linked code: musl, BearSSL and jsmn (MIT), start files and helpers of libgcc.
labels=$(jq -nc --arg version "$version" --arg revision "$revision" --arg date "$date" '{
    "org.opencontainers.image.title": "postern",
    "org.opencontainers.image.description": "Hardened MCP server and gateway: one static binary",
    "org.opencontainers.image.version": $version,
    "org.opencontainers.image.revision": $revision,
    "org.opencontainers.image.created": $date,
    "org.opencontainers.image.licenses":
        "LicenseRef-Postern AND MIT AND (GPL-3.0-or-later WITH GCC-exception-3.1)"
}')

for pair; do
    arch=${pair%%=*} binary=${pair#*=}
    root=$work/root.$arch
    mkdir -p "$root"
    install -m 0555 "$binary" "$root/postern"
    # Mount points: configuration, what the server `files` may show, and state, which a volume takes its owner from.
    install -d -m 0755 "$root/etc" "$root/etc/postern" "$root/srv" "$root/var" "$root/var/lib"
    install -d -m 0700 "$root/var/lib/postern"
    (
        cd "$root"
        find . -mindepth 1 -type d ! -path ./var/lib/postern -printf '%P\n' | sort | tar_of "$work/layer.tar" 0
        echo var/lib/postern | tar_of "$work/layer.tar" $uid
        echo postern | tar_of "$work/layer.tar" 0 --mode=0111 # whoever builds must still be able to read it
    )
    diff_id=sha256:$(sha256sum <"$work/layer.tar" | cut -c1-64)
    gzip -9n <"$work/layer.tar" >"$work/layer.gz"
    rm -rf "$root" "$work/layer.tar"
    layer=$(blob "$work/layer.gz")

    # Healthcheck is Docker's addition to the OCI configuration: Docker obeys it, the others ignore it.
    json "$work/config" --arg arch "$arch" --arg diff_id "$diff_id" --arg date "$date" --arg user "$uid:$uid" \
        --argjson labels "$labels" '{
            created: $date, architecture: $arch, os: "linux",
            config: {
                User: $user,
                Entrypoint: ["/postern"],
                Cmd: ["serve", "-c", "/etc/postern/postern.json"],
                WorkingDir: "/",
                StopSignal: "SIGTERM",
                Labels: $labels,
                Healthcheck: {
                    Test: ["CMD", "/postern", "health", "-c", "/etc/postern/postern.json"],
                    Interval: 10000000000, Timeout: 5000000000, StartPeriod: 5000000000, Retries: 3
                }
            },
            rootfs: { type: "layers", diff_ids: [$diff_id] },
            history: [{ created: $date, created_by: "image/build.sh", comment: "/postern and empty mount points" }]
        }'
    config=$(blob "$work/config")
    json "$work/manifest" --arg layer "$layer" --argjson layer_size "$(size "$layer")" --arg config "$config" \
        --argjson config_size "$(size "$config")" --argjson labels "$labels" '{
            schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
            config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size },
            layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $layer, size: $layer_size }],
            annotations: $labels
        }'
    manifest=$(blob "$work/manifest")
    jq -nc --arg arch "$arch" --arg manifest "$manifest" --argjson manifest_size "$(size "$manifest")" --arg config "$config" \
        --arg layer "$layer" --argjson layer_size "$(size "$layer")" --arg diff_id "$diff_id" \
        --arg binary "sha256:$(sha256sum <"$binary" | cut -c1-64)" '{ ($arch): {
            manifest: $manifest, manifest_size: $manifest_size, config: $config, layer: $layer, layer_size: $layer_size,
            diff_id: $diff_id, binary: $binary } }' >>"$work/arches"
done
jq -sS add "$work/arches" >"$work/manifests.json"

json "$work/index" --slurpfile m "$work/manifests.json" --argjson labels "$labels" '{
    schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [$m[0] | to_entries | sort_by(.key)[] | {
        mediaType: "application/vnd.oci.image.manifest.v1+json", digest: .value.manifest, size: .value.manifest_size,
        platform: { architecture: .key, os: "linux" } }],
    annotations: $labels
}'
index=$(blob "$work/index")
json "$work/oci/index.json" --arg index "$index" --argjson size "$(size "$index")" --arg version "$version" '{
    schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ mediaType: "application/vnd.oci.image.index.v1+json", digest: $index, size: $size,
        annotations: { "org.opencontainers.image.ref.name": $version } }]
}'
json "$work/oci/oci-layout" '{ imageLayoutVersion: "1.0.0" }'
(cd "$work/oci" && find . -mindepth 1 -printf '%P\n' | sort | tar_of "$work/oci-archive.tar" 0)
echo "$index" >"$work/digest"
jq -nS --arg version "$version" --arg revision "$revision" --argjson epoch "$epoch" --arg created "$date" \
    '{ version: $version, revision: $revision, epoch: $epoch, created: $created }' >"$work/source.json"

chmod 644 "$work"/*.json "$work"/*.tar "$work/digest"
rm -rf "$out/oci"
for part in oci oci-archive.tar manifests.json source.json digest; do mv "$work/$part" "$out/$part"; done
echo "image: $index"
jq -r 'to_entries[] | "image: \(.key): layer of \(.value.layer_size) bytes"' "$out/manifests.json"
