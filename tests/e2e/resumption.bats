#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Session resumption: off unless asked for; on, it never lets in who would not be let in anew. The clients are
# OpenSSL's, wolfSSL's (load) and the sidecar itself.
load lib
load mount
setup() { begin; }
teardown() { finish; }

# house KEYS: an inbound whose credentials are mounted, with these keys in [tls].
house() {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[tls]
directory = $T/mount
${1:-resumption = on}
[ca partners]
file = $PKI/partners.crt
hostnames = partners.example.com
inbounds = web
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[inbound other]
listen = 127.0.0.1:${2:-$(free_port)}
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
}

# call OPTIONS...: openssl's client as `client`, whose session goes to the file `session` where it gets one; prints
# all that it has to say.
call() {
    local name=(-servername server.test)
    [[ " $* " != *" -noservername "* && " $* " != *" -servername "* ]] || name=()
    timeout $((10 * OUTRIDER_PATIENCE)) openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" \
        -cert "$PKI/client.crt" -key "$PKI/client.key" ${name[@]+"${name[@]}"} -ign_eof "$@" 2>&1 <>"$T/never"
}

first() { # first OPTIONS...: by a full handshake
    [ -p "$T/never" ] || mkfifo "$T/never"
    rm -f session
    run call -sess_out session "$@"
    echo "$output"
    [[ $output == *"New, TLSv1"* ]]
    [[ $output == *hello-from-service* ]]
    [ -s session ]
}

reused() { # reused OPTIONS...: goes on from it
    run call -sess_in session "$@"
    echo "$output"
    [[ $output == *"Reused, TLSv1"* ]]
    [[ $output == *hello-from-service* ]]
}

anew() { # anew OPTIONS...: must not, and is let in by a full handshake
    run call -sess_in session "$@"
    echo "$output"
    [[ $output == *"New, TLSv1"* ]]
    [[ $output == *hello-from-service* ]]
}

resumed() { metric server 'outrider_handshakes_resumed_total{direction="inbound"}'; }

@test "off: no ticket is given" {
    publish server "$PKI/ca.crt"
    house 'resumption = off'
    mkfifo never
    for version in -tls1_3 -tls1_2; do
        run call $version -sess_out session
        [[ $output == *hello-from-service* ]]
        # OpenSSL saves a session of TLS 1.2 by its id; it is of no use.
        [ $version = -tls1_2 ] || [ ! -e session ]
        [ ! -s session ] || anew $version
    done
    [ "$(resumed)" = 0 ]
}

@test "on: resumed with the same identity, TLS 1.3 and 1.2" {
    publish server "$PKI/ca.crt"
    house
    for version in -tls1_3 -tls1_2; do
        first $version
        reused $version
        reused $version
    done
    [ "$(resumed)" = 4 ]
    wait_until 5 eval '[ "$(grep -c "\"resumed\":true" server.log)" = 4 ]'
    [ "$(grep '"resumed":true' server.log | grep '"verified":true' | grep -c 'subject":"CN=client,')" = 4 ]
    [ "$(grep '"event":"session"' server.log | grep -c '"verified":true')" = 6 ]
}

@test "no early data, ever" {
    publish server "$PKI/ca.crt"
    house
    first -tls1_3
    [[ $output == *"Max Early Data: 0"* ]]
    echo hello >early
    run call -sess_in session -early_data early
    [[ $output != *"Early data was accepted"* ]]
}

@test "not past a revocation" {
    publish server "$PKI/ca.crt" -- "$PKI/crl-none.pem"
    house
    for version in -tls1_3 -tls1_2; do
        before=$(reloads ok)
        publish server "$PKI/ca.crt" -- "$PKI/crl-none.pem"
        [ $version = -tls1_3 ] || wait_until 5 reloads_over ok "$before"
        first $version
        reused $version
        was=$(resumed)
        before=$(reloads ok)
        publish server "$PKI/ca.crt" -- "$PKI/crl-client.pem"
        wait_until 5 reloads_over ok "$before"
        run call -sess_in session $version
        echo "$output"
        [[ $output != *hello-from-service* ]]
        [[ $output == *"certificate revoked"* ]]
        [ "$(resumed)" = "$was" ]
    done
}

@test "not past a change of the CA, be it trusted still" {
    publish server "$PKI/ca.crt"
    house
    for version in -tls1_3 -tls1_2; do
        before=$(reloads ok)
        publish server "$PKI/ca.crt"
        [ $version = -tls1_3 ] || wait_until 5 reloads_over ok "$before"
        first $version
        reused $version
        before=$(reloads ok)
        publish server "$PKI/ca.crt" "$PKI/ca2.crt"
        wait_until 5 reloads_over ok "$before"
        anew $version
        first $version
        was=$(resumed)
        before=$(reloads ok)
        publish server "$PKI/ca2.crt"
        wait_until 5 reloads_over ok "$before"
        run call -sess_in session $version
        echo "$output"
        [[ $output != *hello-from-service* ]]
        [[ $output == *"unknown ca"* ]]
        [ "$(resumed)" = "$was" ]
    done
}

@test "not at another host, another association, another inbound" {
    publish server "$PKI/ca.crt"
    ports OTHER
    house 'resumption = on' "$OTHER"
    for version in -tls1_3 -tls1_2; do
        first $version
        anew $version -servername localhost
        anew $version -noservername
        run call -sess_in session $version -servername partners.example.com
        [[ $output != *hello-from-service* ]]
        anew $version -connect "127.0.0.1:$OTHER"
        reused $version
    done
    [ "$(resumed)" = 2 ]
}

@test "load: all but the first of each connection, also among several workers" {
    publish server "$PKI/ca.crt"
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
drain_timeout = 100ms
drain_delay = 0s
workers = 3
[tls]
directory = $T/mount
resumption = on
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    for version in '' --tls12; do
        run load_tls resume "$IN" --connections 4 --count 200 $version
        echo "$output"
        [ "$status" = 0 ]
        # Each worker must have seen the client once; the connections that run side by side see that together.
        [ "$(field resumed "$output")" -ge $(($(field done "$output") - 4 - 3 * 4)) ]
    done
}

@test "between two sidecars, and the server judged again" {
    publish client "$PKI/ca.crt"
    ports SERVICE IN OUT
    echo_service "$SERVICE"
    config server <<INI
[tls]
directory = $PKI/server
resumption = on
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config client <<INI
[tls]
directory = $T/mount
resumption = on
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
INI
    start_sidecar server
    start_sidecar client
    for _ in 1 2 3; do
        run "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --expect 100
        [ "$status" = 0 ]
    done
    wait_until 3 metric_is client 'outrider_handshakes_resumed_total{direction="outbound"}' 2
    wait_until 3 metric_is server 'outrider_handshakes_resumed_total{direction="inbound"}' 2
    was=$(metric client 'outrider_handshakes_resumed_total{direction="outbound"}')
    before=$(metric client 'outrider_reloads_total{what="credentials",result="ok"}')
    publish client "$PKI/other.crt"
    wait_until 5 metric_at_least client 'outrider_reloads_total{what="credentials",result="ok"}' $((before + 1))
    run "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --expect 100
    [ "$status" != 0 ]
    wait_for_log client 'issuer not trusted: .*CN=Test CA'
    wait_until 3 metric_is client 'outrider_handshakes_resumed_total{direction="outbound"}' "$was"
}

# OpenSSL's tickets carry the client's certificate and are long.
@test "outbound: to a server of OpenSSL's" {
    for version in -tls1_3 -tls1_2; do
        ports SERVER OUT
        spawn "openssl$version" openssl s_server -accept "127.0.0.1:$SERVER" -cert "$PKI/server.crt" -key "$PKI/server.key" \
            -CAfile "$PKI/ca.crt" -Verify 1 -rev "$version"
        wait_until 5 listening "$SERVER"
        config "client$version" client <<INI
[tls]
directory = $PKI/client
resumption = on
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$SERVER
server_name = server.test
INI
        start_sidecar "client$version"
        for _ in 1 2 3 4; do
            run socat -t 2 - "TCP:127.0.0.1:$OUT" <<<desserts
            [ "$output" = stressed ]
        done
        # In TLS 1.2 it gives no new ticket when one is used, and none is used twice.
        [ "$version" = -tls1_3 ] && expected=3 || expected=2
        wait_until 3 metric_is "client$version" 'outrider_handshakes_resumed_total{direction="outbound"}' $expected
    done
}
