#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Certificates, CA bundles and revocation lists that change under a running sidecar, as Kubernetes changes them: a new
# folder, and the symlink ..data moved to it.
load lib
setup() { begin; }
teardown() { finish; }

# publish IDENTITY CA_FILES... [-- CRL_FILE]: a new generation in $T/mount.
GENERATION=0
publish() {
    local identity=$1 dir
    shift
    GENERATION=$((GENERATION + 1))
    dir=$T/mount/..2026_$GENERATION
    mkdir -p "$dir"
    cp "$PKI/$identity.crt" "$dir/tls.crt"
    cp "$PKI/$identity.key" "$dir/tls.key"
    : >"$dir/ca.crt"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        cat "$1" >>"$dir/ca.crt"
        shift
    done
    [ "${1:-}" != -- ] || cp "$2" "$dir/crl.pem"
    swap "$dir"
}
swap() {
    local f
    ln -sfn "$(basename "$1")" "$T/mount/..data_tmp"
    mv -T "$T/mount/..data_tmp" "$T/mount/..data"
    for f in tls.crt tls.key ca.crt crl.pem; do
        [ -e "$T/mount/$f" ] || ln -sfn "..data/$f" "$T/mount/$f"
    done
}

# mounted [INBOUND_KEYS]: sidecar `server` on "$IN" with its credentials in $T/mount, before an echo.
mounted() {
    ports SERVICE IN
    echo_service "$SERVICE"
    config server <<INI
[tls]
directory = $T/mount
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
${1:-}
INI
    start_sidecar server
}

# held NAME IDENTITY: an open session of that caller; echo_on NAME asks it for one more echo.
held() {
    local fd
    mkfifo "$1.in"
    "$OUTRIDER_TOOLS/load" hold --connect "$IN" --cert "$PKI/$2.crt" --key "$PKI/$2.key" --seconds 30 <"$1.in" >"$1.out" \
        2>"$1.log" 3>&- &
    echo $! >"$1.pid"
    STARTED+=("$1")
    exec {fd}>"$1.in"
    eval "FD_$1=$fd"
    wait_until 5 grep -q 'held 1 failed 0' "$1.out"
}
echo_on() {
    local fd=FD_$1 before
    before=$(grep -c again "$1.out") || true
    echo >&"${!fd}"
    wait_until 5 more_lines "$1" "$before"
    tail -n 1 "$1.out"
}
more_lines() { [ "$(grep -c again "$1.out")" -gt "$2" ]; }
let_go() {
    local fd
    for fd in ${!FD_*}; do
        exec {fd}>&-
        eval "exec ${!fd}>&-"
    done
}
reloads() { metric server "outrider_reloads_total{what=\"credentials\",result=\"$1\"}"; }
reloads_over() { [ "$(reloads "$1")" -gt "$2" ]; }
open_is() { metric_is server 'outrider_connections_open{direction="inbound"}' "$1"; }
subject() { openssl s_client -connect "127.0.0.1:$IN" -cert "$PKI/client.crt" -key "$PKI/client.key" </dev/null 2>/dev/null |
    openssl x509 -noout -subject -issuer; }

@test "a new certificate takes effect live; the session that was open goes on" {
    publish server "$PKI/ca.crt"
    mounted
    [[ $(subject) == *"CN = server"* ]]
    held old client
    publish chained "$PKI/ca.crt"
    wait_until 5 eval '[[ $(subject) == *"CN = chained"* ]]'
    [ "$(echo_on old)" = 'again 1 failed 0' ]
    wait_for_log server '"event":"reload".*CN=chained'
    let_go
}

@test "under load: not one failure across ten rotations" {
    publish server "$PKI/ca.crt"
    mounted
    "$OUTRIDER_TOOLS/load" new --connect "$IN" --ca "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" \
        --connections 8 --seconds 4 >load.json 2>load.err 3>&- &
    load=$!
    n=0
    while alive $load; do
        n=$((n + 1))
        before=$(reloads ok)
        if [ $((n % 2)) = 0 ]; then publish server "$PKI/ca.crt"; else publish p384 "$PKI/ca.crt"; fi
        wait_until 3 reloads_over ok "$before" || break
    done
    failed=0
    wait $load || failed=1
    cat load.json load.err
    echo "$n rotations"
    [ $failed = 0 ]
    [ $n -ge 5 ]
}

@test "CA roll-over: old, both, new; live sessions go when their CA goes" {
    publish server "$PKI/ca.crt"
    mounted
    held old client
    run load_tls new "$IN" --count 1
    [ "$status" = 0 ]
    # Both are trusted.
    before=$(reloads ok)
    publish server "$PKI/ca.crt" "$PKI/ca2.crt"
    wait_until 5 reloads_over ok "$before"
    held new client_ca2
    [ "$(echo_on old)" = 'again 1 failed 0' ]
    # The old one goes, and its sessions with it.
    publish server2 "$PKI/ca2.crt"
    wait_until 5 open_is 1
    [ "$(echo_on old)" = 'again 0 failed 1' ]
    [ "$(echo_on new)" = 'again 1 failed 0' ]
    wait_for_log server '"end":"untrusted".*CN=client'
    run load_tls new "$IN" --count 1 --seconds 2
    [ "$status" != 0 ]
    let_go
}

@test "revocation cuts the live session within a second, and no other" {
    publish server "$PKI/ca.crt" -- "$PKI/crl-none.pem"
    mounted
    held client client
    held client2 client2
    start=$(date +%s%N)
    publish server "$PKI/ca.crt" -- "$PKI/crl-client.pem"
    wait_until 5 open_is 1
    took=$((($(date +%s%N) - start) / 1000000))
    echo "$took ms"
    [ $took -lt $((2000 * OUTRIDER_PATIENCE)) ]
    [ "$(echo_on client)" = 'again 0 failed 1' ]
    [ "$(echo_on client2)" = 'again 1 failed 0' ]
    wait_for_log server '"end":"untrusted".*revoked.*|revoked.*"end":"untrusted"'
    run ask "$IN" client
    [[ $output == *"certificate revoked"* ]]
    wait_for_log server '"event":"refused".*revoked'
    # Taken back: the list without it lets in again.
    before=$(reloads ok)
    publish server "$PKI/ca.crt" -- "$PKI/crl-none.pem"
    wait_until 5 reloads_over ok "$before"
    run load_tls new "$IN" --count 1
    [ "$status" = 0 ]
    let_go
}

@test "a bad set keeps the old one in service, says why, and is mended by a good one" {
    publish server "$PKI/ca.crt"
    mounted
    held old client
    bad() { # bad WHAT: the generation was prepared in $dir
        local before
        before=$(reloads failed)
        swap "$dir"
        wait_until 8 reloads_over failed "$before"
        echo "$1: $(grep -E '"level":"error"' server.log | tail -n 1)"
        ready server
        [[ $(subject) == *"CN = server"* ]]
        [ "$(echo_on old)" = 'again 1 failed 0' ]
    }
    prepare() {
        GENERATION=$((GENERATION + 1))
        dir=$T/mount/..2026_$GENERATION
        mkdir "$dir"
        cp "$PKI/server/"* "$dir/"
    }
    prepare; cp "$PKI/client.key" "$dir/tls.key"; bad 'key of another'
    prepare; head -c 200 "$PKI/server.crt" >"$dir/tls.crt"; bad 'torn certificate'
    prepare; : >"$dir/tls.key"; bad 'empty key'
    prepare; rm "$dir/ca.crt"; bad 'no CA'
    prepare; echo nonsense >"$dir/ca.crt"; bad 'nonsense CA'
    prepare; cp "$PKI/expired.crt" "$dir/tls.crt"; cp "$PKI/expired.key" "$dir/tls.key"; bad 'expired'
    prepare; echo nonsense >"$dir/crl.pem"; bad 'nonsense CRL'
    before=$(reloads ok)
    publish p384 "$PKI/ca.crt"
    wait_until 8 reloads_over ok "$before"
    wait_until 5 eval '[[ $(subject) == *"CN = p384"* ]]'
    let_go
}

@test "files written in place, one after the other, settle into the new set" {
    mkdir mount
    cp "$PKI/server/"* mount/
    mounted
    cp "$PKI/p384.crt" mount/tls.crt
    sleep 0.2
    cp "$PKI/p384.key" mount/tls.key
    wait_until 8 eval '[[ $(subject) == *"CN = p384"* ]]'
}

@test "the outbound follows too: own certificate and whom it trusts" {
    publish client "$PKI/ca.crt"
    ports SERVICE IN OUT
    echo_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config client <<INI
[tls]
directory = $T/mount
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
INI
    start_sidecar server
    start_sidecar client
    run "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --expect 100
    [ "$status" = 0 ]
    publish client2 "$PKI/ca.crt"
    wait_until 8 eval '"$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --expect 100 >/dev/null; grep -q CN=client2 server.log'
    publish client2 "$PKI/other.crt"
    wait_until 8 eval '! "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --expect 100 >/dev/null'
    wait_for_log client 'issuer not trusted: .*CN=Test CA'
}
