#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Certificates, CA bundles and revocation lists that change under a running sidecar, as Kubernetes changes them: a new
# folder, and the symlink ..data moved to it.
load lib
load mount
setup() { begin; }
teardown() { finish; }

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
