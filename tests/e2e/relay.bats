#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Bytes: none lost, reordered or made up, whatever the two ends do; and memory that stays bounded. Through a pair of
# sidecars: client -> plaintext -> outbound -> mutual TLS -> inbound -> plaintext -> service.
load lib
setup() { begin; }
teardown() { finish; }

MIB=$((1024 * 1024))
tcp() { timeout $((80 * OUTRIDER_PATIENCE)) "$OUTRIDER_TOOLS/tcp" --connect "$OUT" "$@"; }

# both BYTES: so many each way at once, checked byte by byte.
both() {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send "$1" --seed 7 --check 9 --expect "$1" --connections 1
    pair
    run tcp --send "$1" --seed 9 --check 7 --expect "$1"
    echo "$output"
    [ "$status" = 0 ]
    ended far
    [ "$(cat far.out | tail -n 1)" = "sent=$1 received=$1 end=eof check=ok" ]
}

@test "1 GiB each way at once, every byte at its place" {
    size=$((1024 * MIB))
    [ -z "$OUTRIDER_SANITIZER" ] || size=$((96 * MIB))
    both $size
    # The figures of both sidecars agree with what went through.
    wait_until 3 metric_is client 'outrider_bytes_total{direction="outbound",from="client"}' $size
    wait_until 3 metric_is server 'outrider_bytes_total{direction="inbound",from="service"}' $size
    for name in client server; do
        kb=$(rss_kb "$(pid_of $name)")
        echo "$name holds $kb kB"
        [ -n "$OUTRIDER_SANITIZER" ] || [ "$kb" -lt 16384 ]
    done
}

@test "sizes around a record and around nothing" {
    for size in 0 1 16383 16384 16385 32769 131073; do
        both $size
        stop_sidecar client
        stop_sidecar server
        rm -f ./*.ended
        STARTED=()
        unset SERVICE
    done
}

@test "half-close by the client: the answer still comes" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send 3000000 --seed 7 --send-after-eof --expect 1000 --check 1 --connections 1
    pair
    run tcp --send 1000 --expect 3000000 --check 7
    echo "$output"
    [ "$status" = 0 ]
    ended far
}

@test "half-close by the service: the client still sends" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send 1000 --expect 3000000 --check 9 --connections 1
    pair
    run tcp --send 3000000 --seed 9 --send-after-eof --expect 1000 --check 1
    echo "$output"
    [ "$status" = 0 ]
    ended far
}

@test "tiny writes" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send 30000 --chunk 1 --seed 7 --check 9 --expect 30000 --connections 1
    pair
    run tcp --send 30000 --chunk 1 --seed 9 --check 7 --expect 30000
    echo "$output"
    [ "$status" = 0 ]
    ended far
}

@test "the server speaks first" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send 100 --end hold
    pair
    start=$(date +%s%N)
    run timeout 5 head -c 100 <"/dev/tcp/127.0.0.1/$OUT"
    took=$((($(date +%s%N) - start) / 1000000))
    echo "$took ms"
    [ "${#output}" -gt 0 ]
    [ $took -lt $((1000 * OUTRIDER_PATIENCE)) ]
}

@test "200 connections at once" {
    ports SERVICE
    echo_service "$SERVICE"
    pair
    run tcp --connections 200 --send 300000 --check 1 --expect 300000
    [ "$status" = 0 ]
    [ "$(grep -c 'check=ok' <<<"$output")" = 200 ]
}

@test "a slow reader holds the sender back, and memory stays bounded" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --check 9 --read-rate 1000000 --end hold
    pair
    c=$(pid_of client) s=$(pid_of server)
    before_c=$(rss_kb "$c") before_s=$(rss_kb "$s")
    spawn sender "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send $((200 * MIB)) --seed 9
    # It sends until all buffers are full; watch both sidecars meanwhile.
    most_c=0 most_s=0
    for _ in {1..60}; do
        now=$(rss_kb "$c"); [ "$now" -le "$most_c" ] || most_c=$now
        now=$(rss_kb "$s"); [ "$now" -le "$most_s" ] || most_s=$now
        sleep 0.05
    done
    echo "client $before_c -> $most_c kB, server $before_s -> $most_s kB"
    limit=2048
    [ -z "$OUTRIDER_SANITIZER" ] || limit=40960
    [ $((most_c - before_c)) -lt $limit ]
    [ $((most_s - before_s)) -lt $limit ]
    # What the sender could push is what kernel buffers hold, not all.
    sent=$(metric client 'outrider_bytes_total{direction="outbound",from="client"}')
    echo "relayed $sent"
    [ "$sent" -lt $((100 * MIB)) ]
}

@test "many slow readers at once: memory per session is capped" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send $((4 * MIB)) --seed 7 --end hold
    pair
    c=$(pid_of client) s=$(pid_of server)
    before_c=$(rss_kb "$c") before_s=$(rss_kb "$s")
    spawn readers "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --connections 100 --read-after 4000 --check 7 --expect $((4 * MIB))
    wait_until 5 metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 100
    most_c=0 most_s=0
    for _ in {1..30}; do
        now=$(rss_kb "$c"); [ "$now" -le "$most_c" ] || most_c=$now
        now=$(rss_kb "$s"); [ "$now" -le "$most_s" ] || most_s=$now
        sleep 0.05
    done
    echo "client $before_c -> $most_c kB, server $before_s -> $most_s kB"
    [ -n "$OUTRIDER_SANITIZER" ] || [ $((most_c - before_c)) -lt 35000 ]
    [ -n "$OUTRIDER_SANITIZER" ] || [ $((most_s - before_s)) -lt 35000 ]
    ended readers 30
}

@test "RST after data: the data first, then the reset" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --check 9 --end hold --connections 1
    pair
    run tcp --send 2000000 --seed 9 --end rst
    ! ended far
    cat far.out
    # The reset is passed on; what came before it was in order.
    grep -q 'end=reset check=ok' far.out
}

@test "a service that resets: the client sees a reset, not an end" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --rst-after 5000 --end hold
    pair
    run tcp --send 5000 --end hold
    echo "$output"
    [[ $output == *"end=reset"* ]]
    wait_for_log server '"end":"reset"'
    wait_for_log client '"end":"(reset|truncated)"'
}

@test "kill -9 of the service in mid-stream: sessions end, the sidecar does not" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --echo
    pair
    spawn sender "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send $((4096 * MIB)) --connections 5
    wait_until 5 metric_at_least server 'outrider_bytes_total{direction="inbound",from="client"}' 1000000
    kill -KILL "$(pid_of far)"
    ! ended sender
    cat sender.out
    [ "$(grep -c 'end=\(reset\|eof\|error\)' sender.out)" = 5 ]
    wait_until 3 metric_is server 'outrider_connections_open{direction="inbound"}' 0
    wait_until 3 metric_is client 'outrider_connections_open{direction="outbound"}' 0
    echo_service "$SERVICE" again
    run tcp --send 1000 --check 1 --expect 1000
    [ "$status" = 0 ]
}

@test "kill -9 of the peer's sidecar: cut, and told as truncated rather than as a good end" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --send 1000 --end hold
    pair
    spawn holder "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --end hold --expect 1000
    wait_until 5 metric_at_least client 'outrider_bytes_total{direction="outbound",from="service"}' 1000
    kill -KILL "$(pid_of server)"
    killed_sidecar server
    ! ended holder
    grep -q 'end=reset' holder.out
    wait_for_log client '"end":"(reset|truncated)"'
}

@test "idle sessions hold no buffers" {
    ports SERVICE
    echo_service "$SERVICE"
    pair
    c=$(pid_of client)
    run tcp --connections 50 --send 1000000 --check 1 --expect 1000000
    before=$(rss_kb "$c")
    spawn idle "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --connections 500 --end hold --send 1000
    wait_until 10 metric_at_least client 'outrider_bytes_total{direction="outbound",from="service"}' 50500000
    after=$(rss_kb "$c")
    echo "$before -> $after kB"
    [ -n "$OUTRIDER_SANITIZER" ] || [ $((after - before)) -lt 6000 ]
}

# probes PORT SECONDS...: whether the idle sidecars' ends of connections to or from PORT are probed after so many each, or "off".
probes() {
    local port=$1 found
    shift
    found=$(ss -Htnop state established "( sport = :$port or dport = :$port )" | grep '"sidecar"' |
        awk '{t = match($0, /keepalive,[0-9]+/) ? substr($0, RSTART + 10, RLENGTH - 10) : "off"; print t}' | sort -n | xargs)
    for want in "$@"; do
        [[ " $want $((want - 1)) $((want - 2)) " = *" ${found%% *} "* ]] || return 1
        found=${found#* }
    done
}

@test "keepalive probes are as configured on every leg, and a reload changes them for who comes then" {
    ports SERVICE
    echo_service "$SERVICE"
    pair "keepalive = 47s" "keepalive = 38s"
    spawn first "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --end hold --send 1000
    wait_until 5 metric_is client 'outrider_bytes_total{direction="outbound",from="service"}' 1000
    wait_until 2 probes "$SERVICE" 47
    wait_until 2 probes "$OUT" 38
    wait_until 2 probes "$IN" 38 47
    stop first
    wait_until 5 metric_is client 'outrider_connections_open{direction="outbound"}' 0
    sed -i 's/^keepalive = .*/keepalive = off/' server.conf client.conf
    kill -HUP "$(pid_of server)" "$(pid_of client)"
    for name in server client; do
        wait_until 5 metric_at_least $name 'outrider_reloads_total{what="config",result="ok"}' 1
    done
    spawn second "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --end hold --send 1000
    wait_until 5 metric_at_least client 'outrider_bytes_total{direction="outbound",from="service"}' 2000
    wait_until 2 probes "$SERVICE" off
    wait_until 2 probes "$OUT" off
    wait_until 2 probes "$IN" off off
}
