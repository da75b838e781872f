#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The static binary, which the image is made of: `make STATIC=1`. Alone in a folder, as another user, without /dev and
# /proc, it runs, resolves names and carries traffic.
load lib

setup_file() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    # Not with the variables of the make that runs the tests.
    env -u MAKEFLAGS -u MAKEOVERRIDES -u BUILD -u V make -s -C "$root" -j2 STATIC=1 >"$BATS_FILE_TMPDIR/make.log" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/make.log"; return 1; }
    export STATIC_BIN=$root/build/release-static/bin
    strip -o "$BATS_FILE_TMPDIR/sidecar" "$STATIC_BIN/sidecar"
}
setup() {
    [ -z "$OUTRIDER_SANITIZER" ] || skip "there is one static binary, of the release build"
    begin
}
teardown() { finish; }

# house: $T/root holds the binary and what a pod would have of /etc; nothing else.
house() {
    [ "$(id -u)" = 0 ] || skip "needs root for chroot"
    mkdir -p "$T/root/etc/outrider/tls"
    cp "$BATS_FILE_TMPDIR/sidecar" "$T/root/sidecar"
    ln -s sidecar "$T/root/certrotate"
    cp "$PKI"/client/* "$T/root/etc/outrider/tls/"
    chown -R 65532:65532 "$T/root/etc/outrider"
}

within() { chroot --userspec=65532:65532 "$T/root" "$@"; }

# live: runs it with $T/root/etc/outrider/outrider.ini until it is ready.
live() {
    cp "$T/root/etc/outrider/outrider.ini" "$T/client.conf"
    chown 65532 "$T/root/etc/outrider/outrider.ini"
    : >"$T/client.sidecar"
    spawn client chroot --userspec=65532:65532 "$T/root" /sidecar run -c /etc/outrider/outrider.ini
    wait_until 10 ready_or_gone client
    ready client || { cat "$T/client.log"; return 1; }
}

@test "it is a static position-independent executable, and small" {
    run file -L "$STATIC_BIN/sidecar"
    echo "$output"
    [[ $output == *static-pie* ]]
    run ldd "$STATIC_BIN/sidecar"
    [[ $output == *"statically linked"* ]]
    run readelf -lW "$STATIC_BIN/sidecar"
    [[ $output != *INTERP* ]]
    [[ $output == *GNU_RELRO* ]]
    [[ $output != *RWE* ]]
    size=$(stat -c %s "$BATS_FILE_TMPDIR/sidecar")
    echo "stripped: $size bytes"
    [ "$size" -lt 4000000 ]
}

@test "alone in its folder, as another user, it answers" {
    house
    run within /sidecar version
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == outrider* ]]
    run within /certrotate --help
    [ "$status" = 0 ]
}

@test "names: the hosts file, DNS with search and ndots; no library is looked for" {
    house
    ports PEER OUT OUT2 OUT3 HEALTH
    spawn peer openssl s_server -accept "127.0.0.1:$PEER" -cert "$PKI/server.crt" -key "$PKI/server.key" \
        -cert_chain "$PKI/server.crt" -CAfile "$PKI/ca.crt" -Verify 3 -verify_return_error -rev
    wait_until 5 listening "$PEER"
    # A DNS server on an address of loopback that nothing else has.
    cat >"$T/dns.py" <<'PY'
import socket, struct, sys
known = {"far.outrider.test": "127.0.0.1", "orders.shop.svc.cluster.test": "127.0.0.1"}
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.26.0.53", 53))
print("ready", flush=True)
while True:
    q, who = s.recvfrom(1500)
    name, at = [], 12
    while q[at]:
        name.append(q[at + 1:at + 1 + q[at]].decode().lower())
        at += 1 + q[at]
    kind = struct.unpack(">H", q[at + 1:at + 3])[0]
    name = ".".join(name)
    print(name, kind, flush=True)
    ip = known.get(name)
    answers = 1 if ip and kind == 1 else 0
    reply = q[:2] + struct.pack(">HHHHH", 0x8580 | (0 if ip else 3), 1, answers, 0, 0) + q[12:at + 5]
    if answers:
        reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(ip)
    s.sendto(reply, who)
PY
    spawn dns python3 "$T/dns.py"
    wait_until 5 grep -q ready "$T/dns.out"
    echo '127.0.0.1 near.outrider.test' >"$T/root/etc/hosts"
    printf '%s\n' 'nameserver 127.26.0.53' 'search shop.svc.cluster.test svc.cluster.test' 'options ndots:5' >"$T/root/etc/resolv.conf"
    {
        printf '[sidecar]\nhealth = 127.0.0.1:%s\ndrain_timeout = 100ms\ndrain_delay = 0s\n[tls]\ndirectory = /etc/outrider/tls\n' "$HEALTH"
        i=0
        for to in "$OUT near.outrider.test" "$OUT2 far.outrider.test" "$OUT3 orders"; do
            i=$((i + 1))
            printf '[outbound o%d]\nlisten = 127.0.0.1:%s\nconnect = %s:%s\nserver_name = server.test\n' $i $to "$PEER"
        done
    } >"$T/root/etc/outrider/outrider.ini"
    live
    for out in "$OUT" "$OUT2" "$OUT3"; do
        run timeout 10 socat -t 5 - "TCP:127.0.0.1:$out" < <(echo abcdef)
        echo "$out: $output"
        cat "$T/dns.out"
        [ "$output" = fedcba ]
    done
    # The name from the hosts file went to no server; the short one was searched for.
    [ "$(grep -c near "$T/dns.out")" = 0 ]
    grep -q '^orders.shop.svc.cluster.test 1' "$T/dns.out"
}

@test "the demo runs with it" {
    run timeout 80 "$BATS_TEST_DIRNAME/../../deploy/demo/demo.sh" "$STATIC_BIN"
    echo "$output"
    [ "$status" = 0 ]
}
