#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# `sidecar drain`: over the admin socket and by the process's number, with and without waiting.
load lib
load mount
setup() { begin; }
teardown() { finish; }

# house [DRAIN_TIMEOUT]: sidecar `server` with an admin socket, before an echo.
house() {
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
admin = unix:$T/admin.sock
drain_timeout = ${1:-10s}
drain_delay = 0s
workers = $WORKERS
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
}
drain() { run "$OUTRIDER_BIN/sidecar" drain "$@"; echo "$output"; }
ended_well() { # it has ended by now, and well
    local pid
    pid=$(pid_of server)
    gone_or_zombie "$pid"
    wait "$pid"
    killed_sidecar server
}
# held SECONDS: one session that lasts so long, in the background
held() {
    mkfifo held.in
    "$OUTRIDER_TOOLS/load" hold --connect "$IN" --ca "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" \
        --connections 1 --seconds "$1" <>held.in >held.out 2>&1 3>&- &
    HOLDER=$!
    wait_until 5 metric_is server 'outrider_connections_open{direction="inbound"}' 1
}

@test "over the admin socket, waiting: it has ended when the command returns" {
    house
    drain --admin "unix:$T/admin.sock" --wait
    [ "$status" = 0 ]
    ended_well
    grep -q 'asked for over the admin socket' server.log
}

@test "by the configuration; without waiting it goes on by itself, and SIGTERM behind it does no harm" {
    house
    held 60
    drain -c server.conf
    [ "$status" = 0 ]
    wait_for_log server 'inbound accepts no more; 1 sessions open'
    kill -TERM "$(pid_of server)" # as the kubelet does after a hook
    drain -c server.conf # again: goes on with that
    [ "$status" = 0 ]
    alive "$(pid_of server)"
    kill $HOLDER
    wait_until 10 gone_or_zombie "$(pid_of server)"
    ended_well
}

@test "a session that stays is cut when drain_timeout is over, and so long the command waits" {
    house 2s
    held 60
    drain --admin "unix:$T/admin.sock" --wait --timeout 1
    [ "$status" = 3 ]
    drain --admin "unix:$T/admin.sock" --wait
    [ "$status" = 0 ]
    ended_well
    grep -q 'drain_timeout is over: 1 sessions are cut' server.log
    kill $HOLDER 2>/dev/null || true
}

@test "files are followed no more: the kernel has let go of them when the process ends" {
    house
    held 60
    [ "$(inotify_watches "$(pid_of server)")" -gt 0 ]
    drain -c server.conf
    [ "$status" = 0 ]
    wait_for_log server 'inbound accepts no more; 1 sessions open'
    [ "$(inotify_watches "$(pid_of server)")" = 0 ]
    kill $HOLDER
    wait_until 10 gone_or_zombie "$(pid_of server)"
    ended_well
}

@test "by the process's number, which must be a sidecar's" {
    house
    sleep 60 3>&- &
    drain --pid $!
    [ "$status" = 1 ]
    [[ $output == *"not this program"* ]]
    alive $!
    kill $!
    drain --pid "$(pid_of server)" --wait
    [ "$status" = 0 ]
    ended_well
    drain --pid "$(pid_of server)"
    [ "$status" = 1 ]
}

# A process that takes the order, closes its socket, and lives on for a second; $1: the answer's status line, $2: its body.
lives_on() {
    cat >lives_on.py <<'PY'
import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("admin.sock")
listener.listen()
while True:
    peer, _ = listener.accept()
    if peer.recv(4096).startswith(b"POST /drain "):
        body = sys.argv[2].encode().decode("unicode_escape").encode()
        peer.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (sys.argv[1].encode(), len(body), body))
        break
listener.close()
os.unlink("admin.sock")
time.sleep(1)
open("ended", "w").close()
PY
    spawn lives_on python3 lives_on.py "$@"
    wait_until 5 [ -S admin.sock ]
}

@test "waiting is for the process, which may live on when its socket has gone" {
    lives_on '200 OK' '{"timeout_seconds":60}'
    drain --admin "unix:$T/admin.sock" --wait
    [ "$status" = 0 ]
    [ -e ended ]
}

@test "what another process says instead cannot steer the terminal" {
    lives_on '403 Forbidden' 'no\x1b[2J\x07\n'
    drain --admin "unix:$T/admin.sock"
    [ "$status" = 1 ]
    [ "$output" = 'sidecar drain: no\x1b[2J\x07' ]
}

@test "nobody to ask, and wrong usage" {
    drain --admin "unix:$T/nobody.sock" --wait
    [ "$status" = 1 ]
    config server <<<$'[inbound web]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:2'
    drain -c server.conf
    [ "$status" = 1 ]
    [[ $output == *"no address under admin"* ]]
    for arguments in '' '--wait' '--pid 0' '--pid x' "--pid 1 -c server.conf" '-c server.conf more' '--timeout 0 -c x'; do
        # shellcheck disable=SC2086  # words
        run "$OUTRIDER_BIN/sidecar" drain $arguments
        [ "$status" = 2 ]
    done
    run "$OUTRIDER_BIN/sidecar" drain --help
    [ "$status" = 0 ]
}
