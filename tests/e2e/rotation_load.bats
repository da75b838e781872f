#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Rotations and the roll-over of a CA under constant load, of new connections and of long-lived ones, at both sidecars of
# a pair. With OUTRIDER_LONG 200 rotations in two minutes, else 40 in twenty seconds.
load lib
load mount
setup() {
    begin
    "$C" ca init --cn 'Load CA'
}
teardown() { finish; }

issue() { # issue DIR
    "$C" issue --out "$1" --cn "$1" --dns "$1.test" --ip 127.0.0.1 >/dev/null
}

# both_mounted: sidecar `server` with its credentials in server/, `client` with those in client/.
both_mounted() {
    issue server
    issue client
    issue caller
    ports SERVICE IN OUT
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
drain_timeout = 100ms
drain_delay = 0s
workers = 2
[tls]
directory = $T/server
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    config client <<INI
[tls]
directory = $T/client
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
INI
    start_sidecar server
    start_sidecar client
}

# loaded NAME MODE TO OPTIONS...: constant load; TO is "direct" (mutual TLS of its own to "$IN") or "pair" (plain to "$OUT").
# unloaded ends all of it: not one failure.
LOADS=()
loaded() {
    local name=$1 mode=$2 to=$3
    shift 3
    if [ "$to" = direct ]; then
        set -- --connect "$IN" --ca caller/ca.crt --cert caller/tls.crt --key caller/tls.key "$@"
    else
        set -- --connect "$OUT" --plain "$@"
    fi
    spawn "$name" "$OUTRIDER_TOOLS/load" "$mode" --seconds 600 "$@"
    LOADS+=("$name")
}
unloaded() {
    local name failed=0
    for name in "${LOADS[@]}"; do kill -TERM "$(pid_of "$name")"; done
    for name in "${LOADS[@]}"; do
        ended "$name" || failed=1
        figure "$name: $(cat "$name.out" "$name.log")"
        [ "$(field failed "$(cat "$name.out")")" = 0 ] || failed=1
        [ "$(field done "$(cat "$name.out")")" -gt 20 ] || failed=1
    done
    [ $failed = 0 ]
}

# figures NAME: RSS in kB, descriptors that are no sockets, inotify watches.
figures() {
    local pid
    pid=$(pid_of "$1")
    echo "$(rss_kb "$pid") $(fds_but_sockets "$pid") $(inotify_watches "$pid")"
}

@test "rotations under load: not one failure, each live within a second, nothing grows" {
    both_mounted
    start=$(fd_count "$(pid_of server)")
    loaded new_direct new direct --connections 2 --pause 25
    loaded new_pair new pair --connections 2 --pause 25
    loaded long_direct echo direct --connections 20 --pause 100
    loaded long_pair echo pair --connections 20 --pause 100
    rotations=40 every=500
    [ -z "${OUTRIDER_LONG:-}" ] || rotations=200 every=600
    slowest=0
    began=$(now_ms)
    for ((i = 1; i <= rotations; i++)); do
        due=$((began + i * every))
        who=server
        [ $((i % 2)) = 0 ] || who=client
        before=$(generation $who)
        issue $who
        swapped=$(now_ms)
        wait_until 1 generation_over $who "$before"
        took=$(($(now_ms) - swapped))
        [ $took -le $slowest ] || slowest=$took
        [ $i != $((rotations / 4)) ] || warm=("$(figures server)" "$(figures client)")
        left=$((due - $(now_ms)))
        [ $left -le 0 ] || sleep "$(printf '0.%03d' $left)"
    done
    end=("$(figures server)" "$(figures client)")
    figure "$rotations rotations in $(($(now_ms) - began)) ms, the slowest live after $slowest ms"
    figure "RSS in kB, descriptors, watches; server: ${warm[0]} -> ${end[0]}, client: ${warm[1]} -> ${end[1]}"
    unloaded
    wait_until 5 open_is 0
    serves "$(serial_of server/tls.crt)" || { served -cert caller/tls.crt; false; }
    for i in 0 1; do
        read -r rss fds watches <<<"${warm[$i]}"
        read -r rss2 fds2 watches2 <<<"${end[$i]}"
        [ "$fds" = "$fds2" ]
        [ "$watches" = "$watches2" ]
        # A sanitizer keeps what was freed.
        [ -n "$OUTRIDER_SANITIZER" ] || [ $((rss2 - rss)) -lt 1024 ]
    done
    [ "$(fd_count "$(pid_of server)")" -le $((start + 1 + WORKERS)) ] # each worker keeps a descriptor in reserve
    [ "$(reloads failed server)$(reloads failed client)" = 00 ]
}

@test "CA roll-over in three steps under load: not one failure of who follows; who does not is cut at the third" {
    both_mounted
    "$C" issue --out laggard --cn laggard --dns laggard.test >/dev/null
    held laggard laggard 3
    held early client
    loaded new_pair new pair --connections 4 --pause 10
    # follow ROOTS: both directories follow the authority; each sidecar has taken it.
    follow() {
        local who
        for who in server client; do
            before[$who]=$(generation $who)
            "$C" rotate --once --out $who
        done
        for who in server client; do
            wait_until 2 generation_over $who "${before[$who]}"
            [ "$(grep -c BEGIN $who/ca.crt)" = "$1" ]
        done
        sleep 0.5 # under load
    }
    declare -A before
    old=$(serial_of server/tls.crt)
    # One: the new root is trusted beside the old one; certificates stay.
    "$C" ca prepare
    follow 2
    [ "$(serial_of server/tls.crt)" = "$old" ]
    # Two: new certificates, by the new authority. Whoever still has an old one is let in.
    "$C" ca switch
    follow 2
    [ "$(serial_of server/tls.crt)" != "$old" ]
    serves "$(serial_of server/tls.crt)"
    [ "$(openssl x509 -in server/tls.crt -noout -issuer)" != "$(openssl x509 -in laggard/tls.crt -noout -issuer)" ]
    [ "$(echo_on laggard)" = 'again 3 failed 0' ]
    run "$OUTRIDER_TOOLS/load" new --connect "$IN" --cert laggard/tls.crt --key laggard/tls.key --count 1 --seconds 2
    [ "$status" = 0 ]
    # Long-lived ones of the new certificates, which are to outlive the third step.
    loaded long_pair echo pair --connections 20 --pause 50
    held late client
    sleep 0.3
    # Three: the old root goes.
    "$C" ca retire
    follow 1
    cut() { [ "$(grep -c '"end":"untrusted".*CN=laggard' server.log)" = 3 ]; }
    wait_until 1 cut
    [ "$(echo_on laggard)" = 'again 0 failed 3' ]
    [ "$(echo_on late)" = 'again 1 failed 0' ]
    # One that was opened with the old certificate is judged by it, whoever has a new one now.
    [ "$(echo_on early)" = 'again 0 failed 1' ]
    run "$OUTRIDER_TOOLS/load" new --connect "$IN" --cert laggard/tls.crt --key laggard/tls.key --count 1 --seconds 2
    [ "$status" != 0 ]
    wait_for_log server '"event":"refused".*issuer not trusted.*CN=laggard'
    unloaded
    let_go
}
