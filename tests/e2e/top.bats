#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# `sidecar top`: one frame as text, and live on a terminal (tmux's), before a listener that plays states
# (tests/e2e/admin_fake.py) and before a sidecar.
load lib

setup() {
    begin
    unset TMUX COLUMNS
    export TZ=UTC
}
teardown() {
    [ ! -S "$T/tmux" ] || tmux -S "$T/tmux" kill-server || true
    finish
}

# fake [OPTIONS]: on "$ADMIN" and the UNIX socket $T/admin.sock.
fake() {
    ports ADMIN
    spawn fake python3 "$BATS_TEST_DIRNAME/admin_fake.py" "$ADMIN" --unix "$T/admin.sock" "$@"
    wait_until 10 grep -q ready "$T/fake.out"
}
play() { curl -sS -o /dev/null -X POST "http://127.0.0.1:$ADMIN/fake?$1"; }

# screen WIDTH HEIGHT COMMAND...: a shell on a terminal of its own, which runs it.
screen() {
    local w=$1 h=$2
    shift 2
    # A server that is about to end, after the screen before, still takes connections.
    wait_until 10 tmux -S "$T/tmux" -f /dev/null new-session -d -x "$w" -y "$h" "PS1='shell> ' LC_ALL=C.UTF-8 bash --norc"
    shows 'shell>'
    keys "$* ; echo status \$?" Enter
}
seen() { tmux -S "$T/tmux" capture-pane -p; }
has() { seen | grep -qE -- "$1"; }
lacks() { ! has "$1"; }
shows() { wait_until 10 has "$1" || { seen; return 1; }; }
keys() { tmux -S "$T/tmux" send-keys "$@"; }
alternate() { [ "$(tmux -S "$T/tmux" display-message -p '#{alternate_on}')" = "$1" ]; }

@test "top: one frame for scripts, by TCP, UNIX socket and configuration" {
    fake
    run "$OUTRIDER_BIN/sidecar" top --admin "127.0.0.1:$ADMIN" --once --interval 0.3
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *'spiffe://cluster.local/ns/shop/sa/orders   ready   certificate 60 d left'* ]]
    [[ $output =~ requests\ [1-9][0-9,.]*/s ]]
    [[ $output =~ /ns/shop/sa/stock\ .*certificate\ expired\ 3\ days\ ago ]]
    [[ $output == *'refused  revoked by CRL of CN=Mesh CA 2026 on 2026-11-20'* ]]
    [[ $output == *'dry run: block'* ]]
    [[ $output != *$'\x1b'* ]]
    [ "$(awk '{if (length > n) n = length} END {print n}' <<<"$output")" -le 160 ]
    printf '[sidecar]\nadmin = 127.0.0.1:1, unix:%s\n' "$T/admin.sock" >outrider.ini
    COLUMNS=60 run "$OUTRIDER_BIN/sidecar" top -c outrider.ini --once --sort refused --interval 0.1
    echo "$output"
    [ "$status" = 0 ]
    [[ $(grep -A 1 '^PEER' <<<"$output" | tail -n 1) == /ns/shop/sa/stock* ]]
    [ "$(awk '{if (length > n) n = length} END {print n}' <<<"$output")" -le 60 ]
}

@test "top: nobody there, no terminal, wrong usage: said so" {
    run "$OUTRIDER_BIN/sidecar" top --admin "unix:$T/none.sock" --once
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *'none.sock: No such file or directory'* ]]
    fake
    run "$OUTRIDER_BIN/sidecar" top --admin "127.0.0.1:$ADMIN" </dev/null
    [ "$status" = 2 ]
    [[ $output == *'no terminal'* ]]
    play fail=status
    run "$OUTRIDER_BIN/sidecar" top --admin "127.0.0.1:$ADMIN" --once
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *'/status answers 503: out of memory'* ]]
    for wrong in '' '--once' '--admin nowhere --once' '--admin 127.0.0.1:1 -c x --once' '--admin 127.0.0.1:1 --sort size' '--admin 127.0.0.1:1 -i 0'; do
        # shellcheck disable=SC2086  # words
        run "$OUTRIDER_BIN/sidecar" top $wrong
        echo "$wrong: $output"
        [ "$status" = 2 ]
    done
}

@test "top: live: figures move, keys sort and pause, the size follows, q restores the screen" {
    fake --peers 1000
    screen 110 30 "$OUTRIDER_BIN/sidecar" top --admin "127.0.0.1:$ADMIN" -i 0.3
    shows '^spiffe://cluster.local/ns/shop/sa/orders   ready'
    alternate 1
    shows 'requests [1-9][0-9,]*/s'
    # Just as many lines as there are: the first and the last are to be seen.
    has '^/ns/shop/sa/shop '
    has 'r requests\*'
    [ "$(seen | grep -c '^/ns/shop/sa/')" -ge 8 ]
    keys x
    shows 'x refused\*'
    shows '^/ns/shop/sa/stock '
    lacks '^/ns/shop/sa/shop '
    tmux -S "$T/tmux" resize-window -x 70 -y 40
    shows 'q quit.*sort by'
    wait_until 5 lacks 'SEEN'
    [ "$(seen | grep -c '^/ns/shop/sa/')" -ge 14 ]
    # Paused: it does not ask any more.
    keys p
    shows PAUSED
    asked=$(curl -sS "http://127.0.0.1:$ADMIN/fake")
    sleep 0.8
    [ "$asked" = "$(curl -sS "http://127.0.0.1:$ADMIN/fake")" ]
    keys p
    wait_until 5 lacks PAUSED
    # The listener goes away and comes back.
    play down=1
    shows 'NO ANSWER'
    shows 'closed before the answer had come'
    has '^/ns/shop/sa/'
    play down=0
    wait_until 5 lacks 'NO ANSWER'
    keys q
    shows '^status 0'
    alternate 0
    has 'shell>'
}

@test "top: what comes from outside cannot steer the terminal" {
    fake
    play hostile=1
    play fail=status
    run "$OUTRIDER_BIN/sidecar" top --admin "unix:$T/admin.sock" --once
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *'answers 503: <img'*'</script>\x1b[2J\x07\u{202e}' ]]
    play fail=nothing
    screen 150 40 "$OUTRIDER_BIN/sidecar" top --admin "unix:$T/admin.sock" -i 0.3
    shows '^<img src=x onerror'
    keys q
    shows '^status 0'
    run "$OUTRIDER_BIN/sidecar" top --admin "unix:$T/admin.sock" -i 0.1 --once
    echo "$output"
    [[ $output == *'</script>\x1b[2J\x07\u{202e}'* ]]
    run grep -c $'[\x01-\x08\x0b-\x1f]\|\xe2\x80\xae' <<<"$output"
    [ "$output" = 0 ]
}

@test "top: a signal restores the screen and ends it as signals do" {
    fake
    for signal in TERM HUP INT QUIT; do
        screen 100 24 "$OUTRIDER_BIN/sidecar" top --admin "127.0.0.1:$ADMIN"
        shows 'q quit'
        alternate 1
        pid=$(pgrep -P "$(tmux -S "$T/tmux" display-message -p '#{pane_pid}')")
        kill -"$signal" "$pid"
        wait_until 5 alternate 0
        [ $signal = INT ] || shows "^status $((128 + $(kill -l $signal)))"
        keys 'stty -a | grep -o " -\?icanon\| -\?echo " | xargs echo modes' Enter
        shows '^modes icanon echo'
        tmux -S "$T/tmux" kill-server
        wait_until 5 [ ! -e "/proc/$pid" ]
    done
}

@test "top: before a sidecar" {
    ports IN HEALTH SERVICE
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
admin = unix:$T/server.sock
drain_timeout = 100ms
drain_delay = 0s
workers = $WORKERS

[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    run ask "$IN" none
    run "$OUTRIDER_BIN/sidecar" top -c server.conf --once --interval 0.5
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == 'spiffe://cluster.local/ns/shop/sa/server   ready   certificate '*' left'* ]]
    [[ $output == *'connections in 0   out 0   requests 0/s'* ]]
    [[ $output == *'refused  no certificate presented'* ]]
}
