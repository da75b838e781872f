#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# A certificate that is refused too often is refused altogether, for a time; nobody else is.

load lib
setup() { begin; }
teardown() { finish; }

ask() { # ask IDENTITY PATH: prints the status
    curl -s -m 5 --cacert "$PKI/ca.crt" --cert "$PKI/$1.crt" --key "$PKI/$1.key" -o /dev/null -w '%{http_code}' \
        --connect-to "server.test:443:127.0.0.1:$IN" "https://server.test/$2"
}

@test "three refusals lead to quarantine, which ends by itself" {
    ports IN SERVICE
    spawn service python3 -m http.server "$SERVICE" --bind 127.0.0.1 --directory "$T"
    wait_until 5 listening "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = http
[rule admin]
expression = http.request.uri.path eq "/admin"
[quarantine scanners]
threshold = 3
period = 60s
duration = $((3 * OUTRIDER_PATIENCE))s
INI
    start_sidecar server
    [ "$(ask client '')" = 200 ]
    for _ in 1 2 3; do [ "$(ask client admin)" = 403 ]; done
    [ "$(ask client '')" = 403 ]
    [ "$(ask client2 '')" = 200 ]
    metric_is server 'outrider_table_entries{table="quarantine"}' 1
    metric_at_least server 'outrider_table_bytes{table="quarantine"}' 1000
    wait_for_log server '"event":"quarantine".*"quarantine":"scanners"'
    wait_for_log server '"event":"request".*"quarantine":"scanners"'
    metric_is server 'outrider_rule_acted_total{rule="admin"}' 3
    wait_until 10 eval '[ "$(ask client "")" = 200 ]'
    # What is over is forgotten.
    wait_until 12 metric_is server 'outrider_table_entries{table="quarantine"}' 0
    metric_is server outrider_quarantine_entries 0
}

@test "on TCP too: the third refused connection, then every one of that certificate" {
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[rule client]
expression = cf.tls_client_auth.cert_subject_dn contains "CN=client,"
[quarantine scanners]
threshold = 3
period = 60s
duration = 60s
INI
    start_sidecar server
    for _ in 1 2 3 4; do
        run openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$PKI/client.crt" \
            -key "$PKI/client.key" -ign_eof </dev/null
        [[ $output == *"alert access denied"* ]]
    done
    wait_for_log server 'rule client refuses'
    wait_for_log server 'quarantine scanners refuses'
    wait_until 12 metric_is server outrider_quarantine_entries 1
}

@test "an administrator lifts it: the certificate gets in again, and begins from nothing" {
    ports IN SERVICE
    spawn service python3 -m http.server "$SERVICE" --bind 127.0.0.1 --directory "$T"
    wait_until 5 listening "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
admin = unix:$T/admin.sock
drain_timeout = 100ms
drain_delay = 0s
workers = $WORKERS
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = http
[rule admin]
expression = http.request.uri.path eq "/admin"
[quarantine scanners]
threshold = 2
period = 60s
duration = 1h
INI
    start_sidecar server
    admin() { curl -sS -m 5 --unix-socket "$T/admin.sock" "http://localhost$1" "${@:2}"; }
    sha256=$(openssl x509 -in "$PKI/client.crt" -outform DER | sha256sum | cut -d' ' -f1)
    for name in client client2; do
        for _ in 1 2; do [ "$(ask $name admin)" = 403 ]; done
        [ "$(ask $name '')" = 403 ]
    done
    run admin /quarantine
    echo "$output"
    [[ $output == *"\"sha256\":\"$sha256\""* ]]
    [ "$(admin "/quarantine/$sha256" -X DELETE -o /dev/null -w '%{http_code}')" = 200 ]
    [ "$(ask client '')" = 200 ]
    [ "$(ask client2 '')" = 403 ]
    [ "$(admin "/quarantine/$sha256" -X DELETE -o /dev/null -w '%{http_code}')" = 404 ]
    [[ $(admin /quarantine) != *"$sha256"* ]]
    [ "$(ask client admin)" = 403 ]
    [ "$(ask client '')" = 200 ]
    [ "$(ask client admin)" = 403 ]
    [ "$(ask client '')" = 403 ]
}

@test "a live TCP connection of a certificate that goes into quarantine ends after trust_grace; lifted in time, it stays" {
    ports IN API SERVICE WEB
    echo_service "$SERVICE"
    spawn web python3 -m http.server "$WEB" --bind 127.0.0.1 --directory "$T"
    wait_until 5 listening "$WEB"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
admin = unix:$T/admin.sock
drain_timeout = 100ms
drain_delay = 0s
workers = $WORKERS
[tls]
directory = $PKI/server
trust_grace = $((2 * OUTRIDER_PATIENCE + 3))s
[inbound tcp]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[inbound web]
listen = 127.0.0.1:$API
forward = 127.0.0.1:$WEB
protocol = http
[rule admin]
inbound = web
expression = http.request.uri.path eq "/admin"
[quarantine scanners]
threshold = 2
period = 60s
duration = 1h
INI
    start_sidecar server
    mkfifo client.fifo client2.fifo
    for name in client client2; do
        spawn $name /usr/bin/python3 "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --identity $name --fifo $name.fifo
        echo one >$name.fifo
        wait_until 5 grep -q one $name.out
    done
    enter() { for _ in 1 2; do IN=$API ask client admin; done; }
    enter
    sleep 1
    sha256=$(openssl x509 -in "$PKI/client.crt" -outform DER | sha256sum | cut -d' ' -f1)
    curl -sS -m 5 --unix-socket "$T/admin.sock" "http://localhost/quarantine/$sha256" -X DELETE
    sleep $((2 * OUTRIDER_PATIENCE + 4))
    echo two >client.fifo
    wait_until 5 grep -q two client.out
    enter
    wait_until $((3 * OUTRIDER_PATIENCE + 6)) grep -q -- '-- end' client.out
    cat client.out
    grep -qi -- '-- end .*access_denied' client.out
    wait_for_log server '"event":"session".*quarantine scanners refuses'
    echo two >client2.fifo
    wait_until 5 grep -q two client2.out
}

@test "a rule that comes to refuse live connections is no offence of their caller" {
    ports IN API SERVICE WEB
    echo_service "$SERVICE"
    spawn web python3 -m http.server "$WEB" --bind 127.0.0.1 --directory "$T"
    wait_until 5 listening "$WEB"
    config server <<INI
[inbound tcp]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[inbound web]
listen = 127.0.0.1:$API
forward = 127.0.0.1:$WEB
protocol = http
[quarantine scanners]
threshold = 3
period = 60s
duration = 1h
INI
    start_sidecar server
    mkfifo held.in
    "$OUTRIDER_TOOLS/load" hold --connect "$IN" --ca "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" \
        --connections 6 --seconds 30 <>held.in >held.out 2>held.log 3>&- &
    echo $! >held.pid
    STARTED+=(held)
    wait_until 5 metric_is server 'outrider_connections_open{direction="inbound"}' 6
    printf '[rule out]\ninbound = tcp\nexpression = cf.tls_client_auth.cert_verified\n' >>server.conf
    kill -HUP "$(pid_of server)"
    wait_until 5 metric_at_least server 'outrider_rule_acted_total{rule="out"}' 6
    [ "$(IN=$API ask client '')" = 200 ]
    metric_is server 'outrider_table_entries{table="quarantine"}' 0
}
