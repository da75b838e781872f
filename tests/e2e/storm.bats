#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything at once: callers and services at random, while configuration, trust and rules change under them. What counts
# is the end: every session is over, no sanitizer has complained, and it serves as before. $STORM_SECONDS: for how long.
load lib
load http
setup() { begin; }
teardown() { finish; }

# variant NAME TLS KEYS SECTIONS: a configuration of the same listeners.
variant() {
    cat >"variant.$1" <<INI
[sidecar]
workers = 2
drain_timeout = 5s
drain_delay = 0s
health = 127.0.0.1:$HEALTH
log_level = warn
[tls]
directory = $T/credentials
trust_grace = 300ms
$2
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = http
alpn = h2, http/1.1
$3
[inbound dead]
listen = 127.0.0.1:$DEAD
forward = unix:$T/nobody
protocol = http
[inbound tcp]
listen = 127.0.0.1:$TCP
forward = 127.0.0.1:$STREAM
protocol = tcp
$3
[outbound out]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
protocol = http
$3
$4
INI
}

@test "a storm: whatever callers and services do while everything changes, all of it ends well" {
    ports IN OUT TCP DEAD SERVICE STREAM HEALTH
    cp -rL "$PKI/server" credentials
    cp "$PKI/ca.crt" ca.own
    cat "$PKI/ca.crt" "$PKI/other.crt" >ca.both
    cp "$PKI/other.crt" ca.foreign
    variant plain '' '' ''
    variant short 'on_untrusted = drain' 'request_timeout = 300ms
response_timeout = 300ms
keepalive_timeout = 300ms' '[headers]
forward = cloudflare, xfcc, rfc9440
request_id = make'
    variant idle 'resumption = on' 'idle_timeout = 300ms' '[quarantine q]
threshold = 20
period = 10s
duration = 1s
[rule a]
expression = http.request.uri.path contains "/blocked"'
    variant few 'on_untrusted = drain' 'max_connections = 10' '[rule b]
expression = cf.tls_client_auth.cert_subject_dn contains "CN=chained"'
    cp variant.plain server.conf
    start_sidecar server
    run timeout 120 "$PYTHON" "$BATS_TEST_DIRNAME/storm.py" "${STORM_SEED:-1}" "${STORM_SECONDS:-8}" "$(pid_of server)" "$SERVICE" \
        "$STREAM" "$IN,$DEAD" "$OUT" "$TCP"
    echo "$output"
    [ "$status" = 0 ]
    [ "${output#connections }" -ge 50 ]
    # The weather clears.
    cp variant.plain server.conf
    cp ca.own credentials/ca.crt
    http_service
    wait_until 10 served
    wait_until 20 metric_is server 'outrider_connections_open{direction="inbound"}' 0
    metric_is server 'outrider_connections_open{direction="outbound"}' 0
}
served() { [ "$(status_of /a --http1.1)" = 200 ]; }
