#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# arm64 on another machine: cross-compiled, then the unit tests, the handshakes end to end and the image, under
# qemu's emulation of the processor. It says nothing about speed.
set -eu
cd "$(dirname "$0")/.."
cross=aarch64-linux-gnu-
deploy/deps/packages.sh arm64
make --no-print-directory CROSS=$cross test-unit RUNNER=qemu-aarch64-static
make --no-print-directory CROSS=$cross oci
make --no-print-directory tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
for name in sidecar certrotate; do
    printf '#!/bin/sh\nexec qemu-aarch64-static -0 %s %s/build/release-static-%s/bin/sidecar "$@"\n' \
        "$name" "$PWD" "${cross%-}" >"$work/$name"
    chmod 755 "$work/$name"
done
tests/run-e2e.sh "$work" build/release/tools tests/e2e/handshake.bats
