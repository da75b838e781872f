#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The outbound side, with openssl as the peer: whom it believes, what it tells the peer, names, several addresses.
load lib
setup() { begin; }
teardown() { finish; }

# server IDENTITY [OPTIONS...]: openssl's server on "$PEER" that answers every connection by echoing lines reversed.
server() {
    local identity=$1
    shift
    ports PEER
    spawn peer openssl s_server -accept "127.0.0.1:$PEER" -cert "$PKI/$identity.crt" -key "$PKI/$identity.key" \
        -cert_chain "$PKI/$identity.crt" -CAfile "$PKI/ca.crt" -Verify 3 -verify_return_error -rev -naccept 100 "$@"
    wait_until 5 listening "$PEER"
}

# outbound [KEYS]: sidecar `client` from "$OUT" to the peer.
outbound() {
    ports OUT
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$PEER
${1:-server_name = server.test}
INI
    start_sidecar client
}

say() { # one line through the outbound; what comes back
    timeout $((5 * OUTRIDER_PATIENCE)) socat -t 5 - "TCP:127.0.0.1:$OUT" < <(echo abcdef) 2>&1 || true
}

works() {
    run say
    echo "$output"
    [ "$output" = fedcba ]
}

refused() { # refused WORDS: nothing comes back, the log says why
    run say
    [[ $output != *fedcba* ]]
    wait_for_log client "$1"
    stop_sidecar client
    stop peer
    STARTED=()
    rm -f client.ended
}

@test "a good peer; the session line says who" {
    server server
    outbound
    works
    wait_for_log client '"event":"session".*"outbound":"web".*"end":"closed"'
    wait_for_log client 'spiffe://cluster.local/ns/shop/sa/server'
    wait_for_log client '"sni":"server.test"'
    wait_until 3 metric_is client 'outrider_handshakes_total{direction="outbound",result="ok"}' 1
}

@test "peers of every kind, TLS 1.2 and 1.3" {
    for identity in rsa p384 ed25519 chained; do
        for version in -tls1_2 -tls1_3; do
            server "$identity" "$version"
            # With TLS 1.2 a peer's ECDSA key must be on one of the groups offered (RFC 8422 section 5.1).
            outbound "$([ $identity$version = p384-tls1_2 ] && echo 'server_name = server.test
[tls]
directory = '"$PKI"'/client
groups = X25519, P-256, P-384')"
            works
            stop_sidecar client
            stop peer
            STARTED=()
            rm -f client.ended
        done
    done
}

@test "a peer that must not be believed, and why" {
    server stranger; outbound; refused 'issuer not trusted'
    server expired; outbound; refused 'expired'
    server future; outbound; refused 'becomes valid only'
    server selfsigned; outbound; refused 'selfsigned'
    server forged; outbound; refused 'signature|issuer not trusted'
    server clientonly; outbound; refused 'usage|serverAuth'
    server wrongsan; outbound; refused 'elsewhere.test'
}

@test "allow_san instead of server_name: URI exact, by pattern, by IP; another is refused" {
    server server
    outbound 'allow_san = spiffe://cluster.local/ns/shop/sa/server'
    works
    stop_sidecar client; STARTED=(peer); rm client.ended
    outbound 'allow_san = spiffe://cluster.local/ns/shop/*'
    works
    stop_sidecar client; STARTED=(peer); rm client.ended
    outbound 'allow_san = 127.0.0.1'
    works
    stop_sidecar client; STARTED=(peer); rm client.ended
    outbound $'server_name = server.test\nallow_san = spiffe://cluster.local/ns/shop/sa/other'
    refused 'ns/shop/sa/other'
}

@test "the peer refuses us: the log says which alert" {
    ports PEER
    spawn peer openssl s_server -accept "127.0.0.1:$PEER" -cert "$PKI/server.crt" -key "$PKI/server.key" \
        -CAfile "$PKI/partners.crt" -Verify 3 -verify_return_error -rev -naccept 10
    wait_until 5 listening "$PEER"
    outbound
    refused 'alert.*unknown_ca'
}

@test "SNI and own chain are sent" {
    # The peer knows the root alone, and takes no other name.
    server server -servername server.test -servername_fatal -cert2 "$PKI/server.crt" -key2 "$PKI/server.key"
    ports OUT
    config client chained <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$PEER
server_name = server.test
INI
    start_sidecar client
    works
    stop_sidecar client; STARTED=(peer); rm client.ended
    outbound $'server_name = other.test\nallow_san = server.test'
    refused 'unrecognized_name'
}

@test "a UNIX socket for the local service" {
    server server
    ports OUT
    config client <<INI
[outbound web]
listen = unix:$T/out.sock
connect = 127.0.0.1:$PEER
server_name = server.test
INI
    start_sidecar client
    run socat -t 5 - "UNIX-CONNECT:$T/out.sock" < <(echo abcdef)
    [ "$output" = fedcba ]
}

@test "a host name: looked up, and SNI and the SAN demanded come from it" {
    server server
    ports OUT
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = localhost:$PEER
INI
    start_sidecar client
    works
    wait_for_log client '"sni":"localhost"'
}

@test "a name that does not exist, a port where nobody listens" {
    ports OUT OUT2 nobody
    config client <<INI
[outbound nowhere]
listen = 127.0.0.1:$OUT
connect = no-such-name.invalid:443
connect_timeout = 2s
[outbound deaf]
listen = 127.0.0.1:$OUT2
connect = 127.0.0.1:$nobody
server_name = server.test
INI
    start_sidecar client
    say
    wait_for_log client '"outbound":"nowhere".*"end":"(connect_failed|timeout)"'
    OUT=$OUT2 say
    wait_for_log client '"outbound":"deaf".*"end":"connect_failed".*|connection refused.*"outbound":"deaf"'
}

@test "IPv6" {
    [ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6 || skip "no IPv6 loopback"
    ports PEER OUT
    spawn peer openssl s_server -accept "[::1]:$PEER" -6 -cert "$PKI/server.crt" -key "$PKI/server.key" -CAfile "$PKI/ca.crt" \
        -Verify 3 -verify_return_error -rev -naccept 10
    wait_until 5 listening "$PEER"
    config client <<INI
[outbound web]
listen = [::1]:$OUT
connect = [::1]:$PEER
server_name = server.test
INI
    start_sidecar client
    run socat -t 5 - "TCP6:[::1]:$OUT" < <(echo abcdef)
    [ "$output" = fedcba ]
}
