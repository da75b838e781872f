#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Start, reload, drain, end; readiness and figures.
load lib
setup() { begin; }
teardown() { finish; }

alive_session() { # an open session through the pair that waits
    spawn "$1" "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 100 --end hold
}

@test "ready and healthy; every family of figures is there; other paths are not" {
    inbound
    [ "$(get server /healthz)" = ok ]
    [ "$(get server /readyz)" = ok ]
    [ "$(get_status server /nothing)" = 404 ]
    get server /metrics >metrics
    for family in connections_accepted_total connections_open handshakes_total sessions_ended_total bytes_total reloads_total; do
        grep -q "^# TYPE outrider_$family " metrics
    done
    # Every sample has a family and a number.
    ! grep -vE '^(#|[a-z_0-9]+(\{[^}]*\})? [0-9.e+-]+$)' metrics
}

@test "not ready without credentials, and why; ready once they are there" {
    ports IN SERVICE
    mkdir creds
    config server <<INI
[tls]
directory = $T/creds
poll = 1s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    launch_sidecar server
    wait_until 5 not_ready server
    run curl -sS "http://$(health_of server)/readyz"
    echo "$output"
    [[ $output == *credentials* || $output == *certificate* ]]
    [ "$(get_status server /healthz)" = 200 ]
    ! listening "$IN" || [ "$(ask "$IN" client | grep -c hello)" = 0 ]
    hello_service "$SERVICE"
    cp "$PKI"/server/* creds/
    wait_until 8 ready server
    run ask "$IN" client
    [[ $output == *hello-from-service* ]]
}
not_ready() { [ "$(get_status "$1" /readyz 2>/dev/null)" = 503 ]; }

@test "start_timeout without credentials: ends with status 1 and says so" {
    ports IN
    mkdir creds
    config server <<INI
[sidecar]
start_timeout = 300ms
[tls]
directory = $T/creds
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:1
protocol = tcp
INI
    launch_sidecar server
    status=0
    ended server || status=$?
    [ "$status" = 1 ]
    killed_sidecar server
    grep -q 'start_timeout' server.log
}

@test "exit status: usage 2, bad configuration 1, no such file 1, taken port 1" {
    run "$OUTRIDER_BIN/sidecar"
    [ "$status" = 2 ]
    run "$OUTRIDER_BIN/sidecar" nonsense
    [ "$status" = 2 ]
    run "$OUTRIDER_BIN/sidecar" run
    [ "$status" = 2 ]
    run "$OUTRIDER_BIN/sidecar" run -c "$T/nothing.conf"
    [ "$status" = 1 ]
    [[ $output == *nothing.conf* ]]
    echo '[inbound x]' >bad.conf
    run "$OUTRIDER_BIN/sidecar" run -c "$T/bad.conf"
    [ "$status" = 1 ]
    run "$OUTRIDER_BIN/sidecar" version
    [ "$status" = 0 ]
    [[ $output == outrider* ]]
    ports IN
    spawn taken socat "TCP-LISTEN:$IN,bind=127.0.0.1,fork" /dev/null
    wait_until 5 listening "$IN"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:1
protocol = tcp
INI
    launch_sidecar server
    status=0
    ended server || status=$?
    [ "$status" = 1 ]
    killed_sidecar server
    grep -q 'address already in use' server.log
}

@test "SIGHUP under load: not one failure" {
    ports SERVICE
    echo_service "$SERVICE"
    pair
    seconds=4
    "$OUTRIDER_TOOLS/load" new --plain --connect "$OUT" --connections 8 --seconds $seconds >load.json 2>load.err 3>&- &
    load=$!
    "$OUTRIDER_TOOLS/load" echo --plain --connect "$OUT" --connections 4 --seconds $seconds >kept.json 2>kept.err 3>&- &
    kept=$!
    hups=0
    while alive $load; do
        kill -HUP "$(pid_of server)" "$(pid_of client)"
        hups=$((hups + 1))
        sleep 0.1
    done
    failed=0
    wait $load || failed=1
    wait $kept || failed=1
    cat load.json load.err kept.json kept.err
    echo "$hups SIGHUPs"
    [ $failed = 0 ]
    [ $hups -ge 10 ]
    wait_until 3 metric_at_least server 'outrider_reloads_total{what="config",result="ok"}' 10
}

@test "SIGHUP takes a changed configuration; a bad one leaves the old in service and says so" {
    ports SERVICE IN2
    hello_service "$SERVICE"
    inbound_conf() {
        config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 100ms
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$1
forward = 127.0.0.1:$SERVICE
protocol = tcp
${2:-}
INI
    }
    ports HEALTH IN
    inbound_conf "$IN"
    start_sidecar server
    inbound_conf "$IN2" 'allow_san = spiffe://cluster.local/ns/shop/sa/client'
    kill -HUP "$PID"
    wait_until 5 listening "$IN2"
    wait_until 5 not_listening "$IN"
    run ask "$IN2" client
    [[ $output == *hello-from-service* ]]
    run ask "$IN2" client2
    [[ $output != *hello-from-service* ]]
    failures=$(metric server 'outrider_reloads_total{what="config",result="failed"}')
    inbound_conf "$IN" 'nonsense = 1'
    kill -HUP "$PID"
    wait_until 5 metric_at_least server 'outrider_reloads_total{what="config",result="failed"}' $((failures + 1))
    wait_for_log server 'nonsense'
    run ask "$IN2" client
    [[ $output == *hello-from-service* ]]
    ! listening "$IN"
    ready server
}
not_listening() { ! listening "$1"; }

# piped_sidecar COMMAND: starts `server` with a configuration that it reads from a pipe, $T/server.conf; COMMAND happens
# when it has begun to read and before it comes to the end.
piped_sidecar() {
    mv server.conf text.conf
    mkfifo server.conf
    exec 8<>server.conf
    cat text.conf >&8
    launch_sidecar server 8>&-
    wait_until 5 reads_configuration
    "$@"
    exec 8>&-
}
reads_configuration() { readlink "/proc/$PID/fd/"* | grep -qx "$T/server.conf"; }

@test "a configuration that changes while the sidecar starts, after it was read, is taken at once" {
    ports IN IN2 SERVICE HEALTH
    hello_service "$SERVICE"
    conf() {
        config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 100ms
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$1
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    }
    conf "$IN2"
    mv server.conf server.new
    conf "$IN"
    piped_sidecar mv server.new server.conf
    wait_until 5 listening "$IN2"
    run ask "$IN2" client
    [[ $output == *hello-from-service* ]]
    wait_for_log server '"message":"started"'
    wait_for_log server 'configuration changed'
}

@test "a configuration that comes through a pipe is read once" {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    piped_sidecar true
    wait_until 5 ready text
    wait_until 5 listening "$IN"
    run ask "$IN" client
    [[ $output == *hello-from-service* ]]
    ! grep -q 'not taken' server.log
}

@test "SIGHUP that takes a caller out of allow_san ends its live session, and no other" {
    ports SERVICE HEALTH IN
    tcp_service far --listen "$SERVICE" --echo
    for allowed in '*' 'sa/client'; do
        config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 100ms
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
allow_san = spiffe://cluster.local/ns/shop/$allowed
INI
        if [ "$allowed" = '*' ]; then
            start_sidecar server
            for who in client client2; do
                mkfifo "$who.in"
                "$OUTRIDER_TOOLS/load" hold --connect "$IN" --ca "$PKI/ca.crt" --cert "$PKI/$who.crt" --key "$PKI/$who.key" \
                    --seconds 20 <"$who.in" >"$who.held" 2>&1 3>&- &
                echo $! >"$who.pid"
            done
            exec 6>client.in 7>client2.in
            wait_until 5 grep -q 'held 1' client.held
            wait_until 5 grep -q 'held 1' client2.held
        fi
    done
    kill -HUP "$(pid_of server)"
    wait_until 5 metric_is server 'outrider_connections_open{direction="inbound"}' 1
    echo >&6
    echo >&7
    wait_until 5 grep -q again client.held
    wait_until 5 grep -q again client2.held
    exec 6>&- 7>&-
    wait_until 5 gone_or_zombie "$(cat client.pid)"
    wait_until 5 gone_or_zombie "$(cat client2.pid)"
    cat client.held client2.held
    grep -q 'again 1 failed 0' client.held
    grep -q 'again 0 failed 1' client2.held
    wait_for_log server '"end":"untrusted".*client2|client2.*"end":"untrusted"'
}

@test "SIGTERM: readiness first, inbound stops, what runs is finished, status 0" {
    ports SERVICE HEALTH
    echo_service "$SERVICE"
    ports IN OUT
    config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 20s
drain_delay = 3s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
INI
    start_sidecar server
    start_sidecar client
    # A session that takes about two seconds.
    spawn slow "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 3000000 --check 1 --expect 3000000 --read-rate 1500000
    wait_until 5 metric_at_least server 'outrider_bytes_total{direction="inbound",from="client"}' 1000
    kill -TERM "$(pid_of server)"
    wait_until 2 not_ready server
    listening "$IN" # for drain_delay
    wait_until 8 not_listening "$IN"
    ended slow 20
    cat slow.out
    status=0
    ended server 10 || status=$?
    [ "$status" = 0 ]
    killed_sidecar server
    grep -q '"event":"drain"' server.log
}

@test "SIGTERM: outbound keeps serving while the application drains" {
    ports SERVICE
    echo_service "$SERVICE"
    ports IN OUT IN2
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config both client <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
drain_timeout = 15s
drain_delay = 0s
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
[inbound mine]
listen = 127.0.0.1:$IN2
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    start_sidecar both
    # An inbound session that goes on holds the drain open.
    mkfifo in
    load_tls hold "$IN2" --seconds 30 <in >held 2>&1 3>&- &
    load=$!
    exec 6>in
    wait_until 5 grep -q 'held 1' held
    kill -TERM "$(pid_of both)"
    wait_until 5 not_listening "$IN2"
    run "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 1000 --check 1 --expect 1000
    echo "$output"
    [ "$status" = 0 ]
    exec 6>&-
    wait $load
    status=0
    ended both 10 || status=$?
    [ "$status" = 0 ]
    killed_sidecar both
}

@test "drain_timeout is the end, whatever still runs, with status 0" {
    ports SERVICE
    echo_service "$SERVICE"
    DRAIN=700ms pair
    alive_session held
    wait_until 5 metric_at_least server 'outrider_bytes_total{direction="inbound",from="service"}' 100
    start=$(date +%s%N)
    kill -TERM "$(pid_of server)"
    status=0
    ended server 10 || status=$?
    took=$((($(date +%s%N) - start) / 1000000))
    echo "status $status after $took ms"
    [ "$status" = 0 ]
    [ $took -ge 600 ]
    killed_sidecar server
    ! grep -qE 'Sanitizer|runtime error' server.log
}

@test "a second SIGTERM ends at once" {
    ports SERVICE HEALTH IN OUT
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
drain_timeout = 60s
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
INI
    start_sidecar server
    start_sidecar client
    alive_session held
    wait_until 5 metric_at_least server 'outrider_bytes_total{direction="inbound",from="service"}' 100
    pid=$(pid_of server)
    kill -TERM "$pid"
    wait_until 5 not_ready server
    kill -TERM "$pid"
    wait_until 3 gone_or_zombie "$pid"
    killed_sidecar server
}

@test "several workers share the load and reload together" {
    ports SERVICE HEALTH IN
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
workers = 4
health = 127.0.0.1:$HEALTH
drain_timeout = 1s
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    load_tls new "$IN" --connections 16 --seconds 2 >load.json 2>load.err 3>&- &
    load=$!
    while alive $load; do
        kill -HUP "$(pid_of server)"
        get server /metrics >/dev/null
        sleep 0.1
    done
    failed=0
    wait $load || failed=1
    cat load.json load.err
    [ $failed = 0 ]
}

@test "logs: JSON lines are JSON, text lines are readable, level holds" {
    inbound
    ask "$IN" client >/dev/null || true
    ask "$IN" stranger >/dev/null || true
    wait_for_log server '"event":"refused"'
    python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' server.log
    stop_sidecar server
    rm server.ended
    ports IN
    config server <<INI
[sidecar]
log_format = text
health = 127.0.0.1:$(free_port)
drain_timeout = 100ms
drain_delay = 0s
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    ask "$IN" client >/dev/null || true
    wait_for_log server '^[0-9T:.Z-]+ info +session.* inbound=web .*end=closed'
}

@test "a peer cannot forge log lines" {
    inbound
    ask "$IN" client -servername $'a"b' >/dev/null || true
    openssl s_client -connect "127.0.0.1:$IN" -servername $'x\n{"level":"info"}' -cert "$PKI/client.crt" -key "$PKI/client.key" \
        </dev/null >/dev/null 2>&1 || true
    wait_until 3 metric_at_least server 'outrider_connections_accepted_total{direction="inbound"}' 2
    sleep 0.2
    python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' server.log
    ! grep -q '^{"level":"info"}' server.log
}
