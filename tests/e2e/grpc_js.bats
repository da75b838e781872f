#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2034
# gRPC between two sidecars, @grpc/grpc-js at both ends: what applications do all day, and what happens to them.
load lib
load http

setup_file() {
    local here=$BATS_TEST_DIRNAME/grpc stamp
    export GRPC_JS=$BATS_TEST_DIRNAME/../../build/e2e/grpc
    mkdir -p "$GRPC_JS"
    stamp=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-32)
    if [ "$(cat "$GRPC_JS/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -f "$GRPC_JS/stamp"
        cp "$here/package.json" "$here/package-lock.json" "$GRPC_JS/"
        (cd "$GRPC_JS" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
        echo "$stamp" >"$GRPC_JS/stamp"
    fi
    cp "$here/peer.mjs" "$here/peer.proto" "$GRPC_JS/"
}

setup() { begin; }
teardown() { finish; }

grpc_service() {
    [ -n "${SERVICE:-}" ] || ports SERVICE
    spawn service node "$GRPC_JS/peer.mjs" serve "$SERVICE"
    wait_until 15 listening "$SERVICE"
}

# mesh [SECTIONS [KEYS]]: service <- sidecar `server` <==h2==> sidecar `client` on "$OUT".
mesh() {
    house 'alpn = h2, http/1.1'$'\n'"${2:-}" '[headers]
forward = cloudflare
'"${1:-}"
    outbound "$IN"
}

outbound() {
    ports OUT
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$1
server_name = server.test
protocol = http
INI
    start_sidecar client
}

# grpc SPEC...: calls on one channel to the client's sidecar.
grpc() { timeout $((${LIMIT:-30} * OUTRIDER_PATIENCE)) node "$GRPC_JS/peer.mjs" call "127.0.0.1:$OUT" "$@"; }

everything() {
    run grpc Echo Echo=3000000 Who Down=200,5000 Up=200,5000 Chat=100,1000 Fail Hang=300 Cancel Echo
    echo "$output"
    [ "$(grep -v '^Who' <<<"$output")" = "Echo OK same
Echo OK same
Down OK whole
Up OK 200 1000000
Chat OK over
Fail FAILED_PRECONDITION not now: 100 % déjà vu 080900
$(grep '^Hang DEADLINE_EXCEEDED' <<<"$output")
Cancel CANCELLED Cancelled on client 
Echo OK same" ]
    [[ $output == *'Hang DEADLINE_EXCEEDED'* ]]
    # Metadata of both directions, binary too.
    [[ $output == *'["own-bin","01fe002c"]'*'["own","text"]'*' 00ff0a 80000d0a plain'* ]]
    # The service learns that nobody waits any more.
    wait_until 5 cancelled_twice
}
cancelled_twice() { [ "$(grep -c '^cancelled' service.out)" = 2 ]; }

@test "unary and every kind of stream, metadata, details of errors, deadlines, cancellation" {
    grpc_service
    mesh
    everything
    [[ $output == *"[\"cf-client-cert-sha256\",\"$(fingerprint client)\"]"* && $output != *evil* ]]
    # All was one connection, and nothing else was spoken on it.
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
    wait_for_log server '"event":"session".*"alpn":"h2"'
}

@test "a rule blocks one method, a limit another; the rest goes on" {
    grpc_service
    mesh '[rule closed]
expression = http.request.uri.path eq "/test.Peer/Closed"
[ratelimit few]
expression = http.request.uri.path eq "/test.Peer/Limited"
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
requests = 2
period = 60s'
    run grpc Echo Closed Closed=3000000 Limited Limited=3000000 Limited Limited=3000000 Echo=3000000
    echo "$output"
    [ "$output" = "Echo OK same
Closed PERMISSION_DENIED access denied 
Closed PERMISSION_DENIED access denied 
Limited OK same
Limited OK same
Limited RESOURCE_EXHAUSTED too many requests 
Limited RESOURCE_EXHAUSTED too many requests 
Echo OK same" ]
    [ "$(sort service.out | uniq -c | tr -s ' ' | tr '\n' ' ')" = " 2 call Limited " ]
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
}

@test "100,000 calls over 100 streams" {
    local calls=100000
    [ -z "$OUTRIDER_SANITIZER" ] || calls=5000
    SIDECAR='log_requests = false
drain_timeout = 100ms
drain_delay = 0s'
    grpc_service
    mesh
    LIMIT=180 run grpc Flood=$calls,100
    echo "$output"
    [ "$output" = "Flood OK $calls of $calls" ]
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
    wait_until 5 metric_is server 'outrider_requests_total{code="2xx"}' $calls
}

# little_memory NAME: with megabytes on their way, the sidecar holds none of them.
little_memory() {
    [ -n "$OUTRIDER_SANITIZER" ] || [ "$(rss_kb "$(pid_of "$1")")" -lt $((10 * 1024)) ]
}

@test "64 MiB each way at once on one stream; in the long run 1 GiB" {
    local mib=64
    [ -z "${OUTRIDER_LONG:-}" ] || mib=1024
    grpc_service
    mesh
    DEADLINE=600000 LIMIT=600 run grpc Bulk=$mib,1048576
    echo "$output"
    [ "$output" = "Bulk OK $((mib * 1048576)) each way" ]
    little_memory server
    little_memory client
}

@test "a service that does not read holds its caller, through both sidecars; no memory grows" {
    grpc_service
    mesh
    spawn caller timeout 60 node "$GRPC_JS/peer.mjs" call "127.0.0.1:$OUT" Stuck=65536
    wait_until 10 grep -q 'call Slow' service.out
    sleep 2
    little_memory server
    little_memory client
    ended caller $((20 * OUTRIDER_PATIENCE))
    cat caller.out
    [[ $(cat caller.out) =~ ^"Stuck OK whole, held at "([0-9]+)$ ]]
    [ "${BASH_REMATCH[1]}" -lt $((4 << 20)) ]
}

@test "the service is killed: UNAVAILABLE where no response began, an error in mid-stream; it is back: OK" {
    grpc_service
    mesh
    spawn hanging timeout 30 node "$GRPC_JS/peer.mjs" call "127.0.0.1:$OUT" Hang
    spawn reading timeout 30 node "$GRPC_JS/peer.mjs" call "127.0.0.1:$OUT" Down=2,10,20000
    wait_until 10 grep -q 'call Hang' service.out
    wait_until 10 grep -q 'got 0' reading.out
    kill -KILL "$(pid_of service)"
    ended hanging
    ended reading
    cat hanging.out reading.out
    [[ $(cat hanging.out) == "Hang UNAVAILABLE the upstream server closed the connection"* ]]
    [[ $(tail -n 1 reading.out) =~ ^Down\ (INTERNAL|UNAVAILABLE)\  ]]
    run grpc Echo Echo
    echo "$output"
    [ "$output" = "Echo UNAVAILABLE the upstream server refused the connection 
Echo UNAVAILABLE the upstream server refused the connection " ]
    STARTED=(server client)
    grpc_service
    run grpc Echo
    [ "$output" = "Echo OK same" ]
    # And where the other sidecar is away.
    stop_sidecar server
    run grpc Echo
    [ "$output" = "Echo UNAVAILABLE the upstream server refused the connection " ]
}

@test "SIGTERM: the open stream comes to its end, and the drain with it" {
    DRAIN=20s
    grpc_service
    mesh
    spawn caller timeout 30 node "$GRPC_JS/peer.mjs" call "127.0.0.1:$OUT" Down=5,10,400
    wait_until 10 grep -q 'got 0' caller.out
    kill -TERM "$(pid_of server)"
    ended caller
    cat caller.out
    [ "$(tail -n 1 caller.out)" = "Down OK whole" ]
    ended server 5
    killed_sidecar server
}

# --- beside nginx ------------------------------------------------------------------------------------------

# nginx_with <<CONF: nginx with these servers; "$NGINX" is a port for them.
nginx_with() {
    mkdir -p nginx
    {
        printf 'daemon off;\nmaster_process off;\npid %s/nginx/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n' "$T"
        for what in client_body proxy fastcgi uwsgi scgi; do
            printf '%s_temp_path %s/nginx/%s;\n' $what "$T" $what
        done
        cat
        printf '}\n'
    } >nginx/conf
    spawn nginx nginx -p "$T/nginx" -c "$T/nginx/conf"
    wait_until 5 listening "$NGINX"
}

grpc_pass() { printf 'location / { client_max_body_size 0; grpc_pass grpc://127.0.0.1:%s; }\n' "$SERVICE"; }

@test "nginx's grpc_pass as the service" {
    grpc_service
    ports NGINX
    nginx_with <<CONF
server { listen 127.0.0.1:$NGINX http2; $(grpc_pass) }
CONF
    local behind=$SERVICE
    SERVICE=$NGINX mesh
    SERVICE=$behind
    everything
    [[ $output == *"[\"cf-client-cert-sha256\",\"$(fingerprint client)\"]"* && $output != *evil* ]]
}

@test "nginx as the peer: its TLS, its ALPN, its client verification, its grpc_pass" {
    grpc_service
    ports NGINX
    nginx_with <<CONF
server {
    listen 127.0.0.1:$NGINX ssl http2;
    ssl_certificate $PKI/server.crt; ssl_certificate_key $PKI/server.key;
    ssl_client_certificate $PKI/ca.crt; ssl_verify_client on;
    $(grpc_pass)
}
CONF
    outbound "$NGINX"
    everything
    wait_until 5 grep -q '"event":"session".*"alpn":"h2"' client.log
}

@test "nginx as the caller: grpc_pass with a certificate" {
    grpc_service
    ports NGINX OUT
    house 'alpn = h2' '[headers]
forward = cloudflare'
    nginx_with <<CONF
server {
    listen 127.0.0.1:$NGINX http2;
    location / {
        client_max_body_size 0;
        grpc_pass grpcs://127.0.0.1:$IN;
        grpc_ssl_certificate $PKI/client.crt; grpc_ssl_certificate_key $PKI/client.key;
        grpc_ssl_verify on; grpc_ssl_trusted_certificate $PKI/ca.crt; grpc_ssl_name server.test; grpc_ssl_server_name on;
    }
}
CONF
    OUT=$NGINX
    everything
    [[ $output == *"[\"cf-client-cert-sha256\",\"$(fingerprint client)\"]"* && $output != *evil* ]]
}
