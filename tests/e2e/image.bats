#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The container image as deploy/image/oci.sh packs it: reproducible, small, well-formed, and its root is enough to run.
load lib

setup_file() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    env -u MAKEFLAGS -u MAKEOVERRIDES -u BUILD -u V make -s -C "$root" -j2 STATIC=1 >"$BATS_FILE_TMPDIR/make.log" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/make.log"; return 1; }
    export OCI=$root/deploy/image/oci.sh STATIC_BIN=$root/build/release-static/bin
    "$OCI" "$STATIC_BIN/sidecar" "$BATS_FILE_TMPDIR/image.tar"
}
setup() {
    [ -z "$OUTRIDER_SANITIZER" ] || skip "the image is made of the release build"
    begin
    IMAGE=$BATS_FILE_TMPDIR/image.tar
}
teardown() { finish; }

# json FILE EXPRESSION: of the Python object d that FILE holds.
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

# unpack: the layout in $T/oci, the root file system in $T/root; $CONFIG is the image's configuration.
unpack() {
    mkdir -p "$T/oci" "$T/root"
    tar -C "$T/oci" -xf "$IMAGE"
    manifest=$T/oci/blobs/sha256/$(json "$T/oci/index.json" 'd["manifests"][0]["digest"].split(":")[1]')
    CONFIG=$T/oci/blobs/sha256/$(json "$manifest" 'd["config"]["digest"].split(":")[1]')
    layer=$T/oci/blobs/sha256/$(json "$manifest" 'd["layers"][0]["digest"].split(":")[1]')
    tar -C "$T/root" -xzf "$layer"
}

@test "the same binary gives the same bytes; less than 6 MB" {
    ln -s "$STATIC_BIN/sidecar" other-name
    touch -d '2001-01-01' other-name
    (umask 077; TZ=Asia/Tokyo LC_ALL=C "$OCI" other-name "$T/again.tar")
    cmp "$IMAGE" "$T/again.tar"
    size=$(stat -c %s "$IMAGE")
    echo "image: $size bytes packed"
    [ "$size" -lt 6000000 ]
}

@test "well-formed: every blob is what its digest says; user, entry point, no shell" {
    unpack
    for f in "$T"/oci/blobs/sha256/*; do
        [ "$(sha256sum "$f" | cut -d' ' -f1)" = "$(basename "$f")" ]
    done
    [ "$(json "$CONFIG" 'd["rootfs"]["diff_ids"][0]')" = "sha256:$(gzip -dc "$layer" | sha256sum | cut -d' ' -f1)" ]
    [ "$(json "$CONFIG" 'd["config"]["User"]')" = 65532:65532 ]
    [ "$(json "$CONFIG" 'd["config"]["Entrypoint"] + d["config"]["Cmd"]')" = "['/sidecar', 'run', '-c', '/etc/outrider/outrider.ini']" ]
    (cd "$T/root" && find . | sort) >have
    printf '%s\n' . ./certrotate ./etc ./etc/outrider ./sidecar | sort | diff - have
    [ "$(du -sb --apparent-size "$T/root" | cut -f1)" -lt 6000000 ]
    if command -v buildah >/dev/null; then # other software reads it as well
        id=$(buildah --storage-driver vfs --root "$T/store" --runroot "$T/run" pull --quiet "oci-archive:$IMAGE")
        [ -n "$id" ]
    fi
}

@test "its root is enough: another user, read-only, no /dev, no /proc" {
    [ "$(id -u)" = 0 ] || skip "needs root for chroot"
    unpack
    ports HEALTH IN SERVICE
    mkdir "$T/root/tls"
    cp "$PKI"/server/* "$T/root/tls/"
    chown -R 65532:65532 "$T/root/tls"
    cat >"$T/server.conf" <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 100ms
drain_delay = 0s
[tls]
directory = /tls
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    cp "$T/server.conf" "$T/root/etc/outrider/outrider.ini"
    chown -R root:root "$T/root/etc"
    chmod -R a+rX,go-w "$T/root"
    hello_service "$SERVICE"
    mapfile -t entry < <(json "$CONFIG" '"\n".join(d["config"]["Entrypoint"] + d["config"]["Cmd"])')
    : >"$T/server.sidecar"
    spawn server chroot --userspec=65532:65532 "$T/root" "${entry[@]}"
    wait_until 10 ready_or_gone server
    ready server
    run ask "$IN" client
    echo "$output"
    [[ $output == *hello-from-service* ]]
    run chroot --userspec=65532:65532 "$T/root" /certrotate --help
    [ "$status" = 0 ]
}
