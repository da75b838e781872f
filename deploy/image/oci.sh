#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Packs the static binary as a container image, with nothing but tar, gzip and sha256sum: an OCI archive that
# `docker load`, `kind load image-archive`, `ctr images import`, skopeo and buildah take. The same binary gives the same
# bytes, everywhere and always.
#
#   oci.sh BINARY OUT.tar [NAME:TAG]
#   ARCH=amd64|arm64     of the binary (this machine's)
#   VERSION              its version (what it says itself)
#   SOURCE_DATE_EPOCH    the time that everything in it carries (0)
set -eu
umask 022

binary=$(realpath "$1") out=$2 name=${3:-outrider:latest}
epoch=${SOURCE_DATE_EPOCH:-0}
case ${ARCH:=$(uname -m)} in
    x86_64 | amd64) arch=amd64 variant= ;;
    aarch64 | arm64) arch=arm64 variant=',"variant":"v8"' ;;
    *) echo "oci: no image for the architecture $ARCH" >&2; exit 1 ;;
esac
version=${VERSION:-$("$binary" version 2>/dev/null | sed 's/^outrider //' || true)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
pack() { # pack FOLDER: a tar of it on standard output, the same for the same content
    tar -C "$1" --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -cf - .
}
blob() { # blob FILE: puts it among the blobs; its digest and size
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    size=$(stat -c %s "$1")
    mv "$1" "$work/oci/blobs/sha256/$digest"
}

mkdir -p "$work/root/etc/outrider" "$work/oci/blobs/sha256"
"${STRIP:-strip}" -o "$work/root/sidecar" "$binary"
ln -s sidecar "$work/root/certrotate"
chmod 755 "$work/root" "$work/root/etc" "$work/root/etc/outrider" "$work/root/sidecar"

pack "$work/root" >"$work/layer.tar"
diff_id=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
gzip -9 -n "$work/layer.tar"
blob "$work/layer.tar.gz"
layer="{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:$digest\",\"size\":$size}"

labels="\"org.opencontainers.image.title\":\"outrider\",\"org.opencontainers.image.version\":\"$version\",\"org.opencontainers.image.licenses\":\"GPL-3.0-or-later\""
printf '%s' "{\"created\":\"$created\",\"architecture\":\"$arch\"$variant,\"os\":\"linux\",\"config\":{\"User\":\"65532:65532\",\"Entrypoint\":[\"/sidecar\"],\"Cmd\":[\"run\",\"-c\",\"/etc/outrider/outrider.ini\"],\"WorkingDir\":\"/\",\"Labels\":{$labels}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$diff_id\"]},\"history\":[{\"created\":\"$created\",\"created_by\":\"deploy/image/oci.sh\"}]}" >"$work/config.json"
blob "$work/config.json"
config="{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size}"

printf '%s' "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":$config,\"layers\":[$layer]}" >"$work/manifest.json"
blob "$work/manifest.json"
printf '%s' "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size,\"platform\":{\"architecture\":\"$arch\"$variant,\"os\":\"linux\"},\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/$name\",\"org.opencontainers.image.ref.name\":\"${name##*:}\"}}]}" >"$work/oci/index.json"
printf '%s' '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"

mkdir -p "$(dirname "$out")"
pack "$work/oci" >"$out"
echo "oci: $out, $(stat -c %s "$out") bytes, sha256:$digest" >&2
