#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# [outbound] protocol = http: what the local client speaks is what the peer is asked for.
load lib
load http
setup() { begin; }
teardown() { finish; }

# outbound [KEYS [SECTIONS]]: sidecar `client` from "$OUT" to "$PEER".
outbound() {
    [ -n "${OUT:-}" ] || ports OUT
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$PEER
server_name = server.test
${1-protocol = http}
${2:-}
INI
    start_sidecar client
}

# peer: sidecar `server`, to which the outbound leads, before nghttpd.
peer() {
    ports SERVICE
    mkdir -p www
    echo hello >www/hello
    spawn service stdbuf -oL nghttpd --no-tls -v --echo-upload -a 127.0.0.1 -d "$T/www" "$SERVICE"
    wait_until 5 listening "$SERVICE"
    house 'alpn = h2, http/1.1' '[headers]
forward = cloudflare'
    PEER=$IN
}

# openssl_peer IDENTITY [OPTIONS...]: a peer that speaks no HTTP; its words are in peer.log.
openssl_peer() {
    ports PEER
    spawn peer openssl s_server -accept "127.0.0.1:$PEER" -cert "$PKI/$1.crt" -key "$PKI/$1.key" \
        -CAfile "$PKI/ca.crt" -Verify 3 -quiet "${@:2}"
    wait_until 5 listening "$PEER"
}

out() {
    local path=$1
    shift
    curl -sS --max-time $((10 * OUTRIDER_PATIENCE)) "$@" "http://127.0.0.1:$OUT$path"
}

# told MESSAGE: a client of HTTP/2 gets 502 and that, one of gRPC UNAVAILABLE and that.
told() {
    run out /x --http2-prior-knowledge -w '%{http_version} %{http_code}'
    echo "$output"
    [[ $output == "$1"*"2 502" ]]
    run out /x --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' --data-binary abc -D -
    output=$(tr -d '\r' <<<"$output")
    echo "$output"
    [[ $output == *"grpc-status: 14"*"grpc-message: $1"* ]]
}

@test "HTTP/2 from end to end: ALPN h2, large bodies, the caller's identity" {
    peer
    outbound
    run out /hello --http2-prior-knowledge -w '%{http_version} %{http_code}'
    echo "$output"
    [ "$output" = $'hello\n2 200' ]
    head -c 3000001 /dev/urandom >up
    out /echo --http2-prior-knowledge --data-binary @up >echoed
    cmp up echoed
    wait_for_log server '"event":"session".*"alpn":"h2"'
    wait_for_log client '"event":"session".*"end":"closed".*"alpn":"h2"'
    grep -qE "cf-client-cert-sha256: $(fingerprint client)\$" service.out
    [[ $(access client) == *'"message":"GET 127.0.0.1:'*'"outbound":"web","status":200'* ]]
    run timeout $((20 * OUTRIDER_PATIENCE)) h2load -n 2000 -c 2 -m 50 "http://127.0.0.1:$OUT/hello"
    echo "$output"
    [[ $output == *"2000 succeeded, 0 failed, 0 errored, 0 timeout"* ]]
}

@test "HTTP/1.1 on the same outbound: ALPN http/1.1" {
    ports SERVICE
    http_service
    house 'alpn = h2, http/1.1'
    PEER=$IN
    outbound
    run out /a -w '%{http_version} %{http_code}'
    echo "$output"
    [[ $output == *"hello from /a"*"1.1 200" ]]
    wait_for_log client '"event":"session".*"alpn":"http/1.1"'
}

@test "a peer that does not agree on h2 gets not a byte of it, and the client a reason" {
    ports PEER
    # It knows nothing of ALPN, and keeps what it is sent.
    spawn peer socat -u "OPENSSL-LISTEN:$PEER,fork,reuseaddr,bind=127.0.0.1,cert=$PKI/server.crt,key=$PKI/server.key,cafile=$PKI/ca.crt" STDOUT
    wait_until 5 listening "$PEER"
    outbound
    told 'the upstream server does not speak HTTP/2'
    wait_for_log client '"event":"upstream","message":"the peer chose nothing by ALPN, which the request is not"'
    # HTTP/1.1 is none of that.
    printf 'GET /one HTTP/1.1\r\nHost: a\r\n\r\n' | timeout 5 socat -t 2 - "TCP:127.0.0.1:$OUT" || true
    wait_until 3 grep -q 'GET /one HTTP/1.1' peer.out
    not grep -q PRI peer.out
    stop peer
    stop_sidecar client
    STARTED=()
    rm client.ended
    openssl_peer server -alpn http/1.1
    outbound
    told 'the TLS handshake with the upstream server failed'
    wait_for_log client 'no_application_protocol'
}

@test "a peer that is away, or not to be trusted: 502, and UNAVAILABLE for gRPC" {
    ports PEER
    outbound
    told 'the upstream server refused the connection'
    wait_for_log client '"event":"upstream","message":"connect to .*connection refused"'
    openssl_peer stranger -alpn h2
    stop_sidecar client
    STARTED=(peer)
    rm client.ended
    outbound
    told 'the TLS handshake with the upstream server failed'
    wait_for_log client '"event":"upstream","message":"issuer not trusted'
    wait_until 3 grep -q 'alert unknown ca' peer.log
    metric_is client 'outrider_connections_open{direction="outbound"}' 0
}

@test "what is not HTTP is refused, and who says nothing is let go" {
    ports PEER
    outbound 'protocol = http' '[tls]
directory = '"$PKI"'/client
handshake_timeout = 1s'
    printf '\0\1\2' | timeout 5 socat -t 3 - "TCP:127.0.0.1:$OUT" || true
    wait_for_log client 'does not speak HTTP'
    run timeout 5 socat -u "TCP:127.0.0.1:$OUT" -
    [ "$status" != 124 ]
    wait_for_log client 'the client said nothing'
}

@test "a reload while the peer shakes hands is nothing to the request that waits" {
    peer
    ports OUT
    config client <<INI
[tls]
directory = $PKI/client
on_untrusted = close
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$PEER
server_name = server.test
protocol = http
INI
    start_sidecar client
    kill -STOP "$(pid_of server)" # connects, and says nothing
    out /hello --http2-prior-knowledge >answer 2>&1 &
    caller=$!
    wait_until 5 connected "$PEER"
    kill -HUP "$(pid_of client)"
    wait_for_log client SIGHUP
    sleep 0.3
    kill -CONT "$(pid_of server)"
    wait "$caller" || true
    cat answer
    [ "$(cat answer)" = hello ]
}
connected() { [ -n "$(ss -Htn state established "dport = :$1")" ]; }
