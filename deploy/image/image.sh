#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the image by deploy/Dockerfile with buildah: no Docker engine, no privileges beyond chroot(2), and, where no
# base image can be pulled, no registry: the build stage then stands on a root made of Debian's packages, from the
# machine's own apt sources.
#
#   image.sh OUT.tar [NAME:TAG]
#   OUTRIDER_BASE=IMAGE      what to build in (docker.io/library/debian:bookworm-slim); "debian": the packages
set -eu
cd "$(dirname "$0")/../.."
out=$1 name=${2:-outrider:latest}
deploy/deps/packages.sh image

state=$PWD/build/image
cache=${OUTRIDER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/outrider}
mkdir -p "$state" "$cache"
b() { command=$1; shift; buildah --storage-driver vfs --root "$state/store" --runroot "$state/run" "$command" "$@"; }
say() { echo "image: $*" >&2; }

base=${OUTRIDER_BASE:-docker.io/library/debian:bookworm-slim}
if [ "$base" != debian ] && ! timeout 60 buildah --storage-driver vfs --root "$state/store" --runroot "$state/run" \
    pull --quiet "$base" >/dev/null 2>"$state/pull.log"; then
    say "$base cannot be pulled ($(tail -n 1 "$state/pull.log" | cut -c1-120)): building in Debian's packages"
    base=debian
fi
if [ "$base" = debian ]; then
    base=localhost/outrider-build-base
    if ! b images --quiet "$base" >/dev/null 2>&1; then
        codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
        say "making a root of Debian $codename's packages (once)"
        root=$(mktemp -d "$state/root.XXXXXX")
        trap 'rm -rf "$root"' EXIT
        # The machine's own sources, as apt here knows them.
        apt-get indextargets --format '$(SITE)|$(CODENAME)|$(COMPONENT)|$(CREATED_BY)|$(ORIGIN)' |
            awk -F'|' -v c="$codename" '$4 == "Packages" && $2 == c && $5 == "Debian" { print "deb", $1, $2, $3 }' |
            sort -u >"$state/sources"
        mmdebstrap --quiet --variant=minbase --include=ca-certificates,make "$codename" "$root/fs" "$state/sources"
        tar -C "$root/fs" -cf "$root/base.tar" .
        c=$(b from scratch)
        b add --quiet "$c" "$root/base.tar" / >/dev/null
        b commit --quiet "$c" "$base" >/dev/null
        b rm "$c" >/dev/null
    fi
fi
b bud --isolation chroot --layers --timestamp "${SOURCE_DATE_EPOCH:-0}" --build-arg "BASE=$base" \
    --volume "$cache:/root/.cache/outrider" -f deploy/Dockerfile -t "localhost/$name" .
mkdir -p "$(dirname "$out")"
rm -f "$out"
b push --quiet "localhost/$name" "oci-archive:$out:$name"
say "$out, $(stat -c %s "$out") bytes"
