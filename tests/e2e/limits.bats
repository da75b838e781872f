#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# More than is good for it: thousands of connections, no descriptors left, floods, stalls, flapping services.
load lib
setup() { begin; }
teardown() { finish; }

open_is() { metric_is "$1" "outrider_connections_open{direction=\"$2\"}" "$3"; }

# hold NAME COUNT PORT [SECONDS]: COUNT connections of mutual TLS stay open until NAME's input is closed (descriptor 6);
# those that do not come about within SECONDS have failed.
hold() {
    mkfifo "$1.in"
    load_tls hold "$3" --connections "$2" --seconds "${4:-$((40 * OUTRIDER_PATIENCE))}" --size 100 <"$1.in" >"$1.out" 2>"$1.log" 3>&- &
    echo $! >"$1.pid"
    STARTED+=("$1")
    exec 6>"$1.in"
    wait_until 40 grep -q held "$1.out"
    cat "$1.out" "$1.log"
}

server_before_echo() { # server_before_echo [SIDECAR_KEYS [INBOUND_KEYS]]
    ports SERVICE IN HEALTH
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
workers = $WORKERS
health = 127.0.0.1:$HEALTH
drain_timeout = 100ms
drain_delay = 0s
${1:-}
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
${2:-}
INI
    start_sidecar server
}

@test "5,000 connections at once, each still works, and memory comes back" {
    count=5000
    case $OUTRIDER_SANITIZER in asan) count=1000 ;; tsan) count=400 ;; esac
    [ "$(ulimit -Hn)" -gt $((count * 2 + 200)) ] || skip "too few descriptors here"
    ulimit -n "$(ulimit -Hn)"
    server_before_echo
    pid=$(pid_of server)
    before=$(rss_kb "$pid")
    hold many $count "$IN"
    grep -q "held $count failed 0" many.out
    held=$(rss_kb "$pid")
    echo >&6
    wait_until 20 grep -q "again" many.out
    grep -q "again $count failed 0" many.out
    exec 6>&-
    wait_until 10 open_is server inbound 0
    echo "$before kB at start, $held kB with $count: $(((held - before) * 1024 / count)) bytes each"
    if [ -z "$OUTRIDER_SANITIZER" ]; then
        [ $(((held - before) * 1024 / count)) -le 8192 ]
        wait_until 8 rss_below "$pid" $((before + 4096))
    fi
    load_tls new "$IN" --count 10
}
rss_below() { [ "$(rss_kb "$1")" -lt "$2" ]; }

@test "out of descriptors: neither dies nor spins, and accepts again afterwards" {
    ULIMIT_N=64 server_before_echo
    pid=$(pid_of server)
    hold many 100 "$IN" 3 # what is not accepted waits, for ever
    kill -0 "$pid"
    ticks=$(cpu_ticks "$pid")
    sleep 1
    ticks=$(($(cpu_ticks "$pid") - ticks))
    echo "$ticks ticks in a second of want"
    [ $ticks -lt 30 ]
    exec 6>&-
    wait_until 10 open_is server inbound 0
    wait_until 5 works
    kill -0 "$pid"
}
works() { load_tls new "$IN" --count 3 --seconds 5 >/dev/null 2>&1; }

@test "max_connections holds, and lets in again" {
    server_before_echo '' 'max_connections = 20'
    hold many 20 "$IN"
    grep -q 'held 20 failed 0' many.out
    load_tls new "$IN" --count 1 --seconds 1 >extra 2>&1 || true
    cat extra
    [ "$(field done "$(cat extra)")" = 0 ]
    exec 6>&-
    wait_until 10 works
}

@test "max_connections of the whole process" {
    server_before_echo 'max_connections = 10'
    hold many 10 "$IN"
    grep -q 'held 10 failed 0' many.out
    load_tls new "$IN" --count 1 --seconds 1 >extra 2>&1 || true
    [ "$(field done "$(cat extra)")" = 0 ]
    [ "$(get_status server /readyz)" = 200 ] # health is not one of them
    exec 6>&-
    wait_until 10 works
}

@test "a flood of handshakes that nobody finishes leaves room for those who do" {
    server_before_echo $'max_handshakes = 50' ''
    cat >flood.py <<'PY'
import socket, sys, time
port = int(sys.argv[1])
held = []
end = time.time() + 4
while time.time() < end:
    if len(held) < 45:
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"\x16\x03\x01\x02\x00\x01")  # begins a ClientHello, and leaves it at that
        held.append(s)
    else:
        time.sleep(0.05)
PY
    spawn flood python3 flood.py "$IN"
    wait_until 5 metric_at_least server 'outrider_connections_open{direction="inbound"}' 40
    run load_tls new "$IN" --count 20 --seconds 5
    echo "$output"
    [ "$status" = 0 ]
}

@test "handshakes at full speed from many callers: all of them served, log bounded" {
    server_before_echo
    run load_tls new "$IN" --connections 200 --seconds 3
    echo "$output"
    [ "$status" = 0 ]
    "$OUTRIDER_TOOLS/load" new --connect "$IN" --ca "$PKI/ca.crt" --connections 50 --seconds 1 || true # none has a certificate
    wait_until 5 open_is server inbound 0
    lines=$(grep -c '"event":"refused"' server.log)
    refused=$(metric server 'outrider_handshakes_total{direction="inbound",result="failed"}')
    echo "$refused refused, $lines lines"
    [ "$refused" -gt 50 ]
    [ "$lines" -le 60 ]
}

@test "handshake_timeout ends who stalls in mid-handshake" {
    ports SERVICE IN
    echo_service "$SERVICE"
    config server <<INI
[tls]
directory = $PKI/server
handshake_timeout = 400ms
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    # Nothing at all; half a ClientHello; a whole one and then silence.
    for bytes in '' '\x16\x03\x01\x02\x00\x01\x00' hello; do
        run python3 - "$IN" "$bytes" <<'PY'
import socket, ssl, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
if sys.argv[2] == "hello":
    i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
    ctx = ssl.create_default_context()
    t = ctx.wrap_bio(i, o, server_hostname="server.test")
    try:
        t.do_handshake()
    except ssl.SSLWantReadError:
        pass
    s.sendall(o.read())
else:
    s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin1"))
start = time.time()
s.settimeout(20)
try:
    while s.recv(65536):
        pass
except ConnectionResetError:
    pass
took = time.time() - start
print(took)
assert 0.2 < took < 15, took
PY
        echo "$output"
        [ "$status" = 0 ]
    done
    wait_until 3 metric_at_least server 'outrider_sessions_ended_total{reason="timeout"}' 3
    wait_for_log server 'handshake timed out'
}

@test "idle_timeout, total_timeout, half_close_timeout" {
    ports SERVICE
    tcp_service far --listen "$SERVICE" --echo
    ports IDLE TOTAL HALF FOREVER DEAF
    tcp_service deaf --listen "$DEAF" --end never
    config client server <<INI
[inbound idle]
listen = 127.0.0.1:$IDLE
forward = 127.0.0.1:$SERVICE
protocol = tcp
idle_timeout = 300ms
[inbound total]
listen = 127.0.0.1:$TOTAL
forward = 127.0.0.1:$SERVICE
protocol = tcp
total_timeout = 500ms
[inbound half]
listen = 127.0.0.1:$HALF
forward = 127.0.0.1:$DEAF
protocol = tcp
half_close_timeout = 300ms
[inbound forever]
listen = 127.0.0.1:$FOREVER
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar client
    cat >timeouts.py <<'PY'
import socket, ssl, sys, time
pki = sys.argv[1]
ctx = ssl.create_default_context(cafile=pki + "/ca.crt")
ctx.load_cert_chain(pki + "/client.crt", pki + "/client.key")
def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    return ctx.wrap_socket(s, server_hostname="server.test", suppress_ragged_eofs=True)
def ends(t, limit):
    t.settimeout(limit)
    start = time.time()
    try:
        while t.recv(1000):
            pass
    except socket.timeout:
        return None
    except OSError:
        pass
    return time.time() - start
idle, total, half, forever = map(int, sys.argv[2:])
t = connect(idle)
t.sendall(b"x")
took = ends(t, 20)
print("idle", took)
assert took and took > 0.2
t = connect(total)
start = time.time()
try: # never idle
    while time.time() - start < 20:
        t.sendall(b"x")
        t.recv(10)
        time.sleep(0.02)
except OSError:
    pass
took = time.time() - start
print("total", took)
assert 0.4 < took < 15
t = connect(half)
try:
    t.unwrap() # close_notify: half-closed; the service says nothing and does not close
except OSError:
    pass
t = connect(forever)
t.sendall(b"x")
assert ends(t, 1.5) is None
PY
    run python3 timeouts.py "$PKI" "$IDLE" "$TOTAL" "$HALF" "$FOREVER"
    echo "$output"
    [ "$status" = 0 ]
    wait_until 5 metric_is client 'outrider_sessions_ended_total{reason="timeout"}' 3
    wait_for_log client 'idle timeout'
    wait_for_log client 'total timeout'
}

@test "a service that flaps: failures while it is away, none once it is back" {
    server_before_echo
    for _ in 1 2 3; do
        works
        stop echo
        ! works
        kill -0 "$(pid_of server)"
        echo_service "$SERVICE" echo
        works
    done
    wait_for_log server '"end":"connect_failed"'
    wait_until 5 open_is server inbound 0
}

@test "connect_timeout towards a service that does not answer" {
    ports SERVICE IN
    # A listening socket whose queue is full: connections to it hang.
    spawn full python3 -c "
import socket, time
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(('127.0.0.1', $SERVICE)); l.listen(0)
keep = []
for _ in range(3):
    s = socket.socket(); s.setblocking(False)
    try: s.connect(('127.0.0.1', $SERVICE))
    except BlockingIOError: pass
    keep.append(s)
print('ready', flush=True)
time.sleep(60)"
    wait_until 5 grep -q ready full.out
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
connect_timeout = 400ms
INI
    start_sidecar server
    start=$(date +%s%N)
    run ask "$IN" client
    took=$((($(date +%s%N) - start) / 1000000))
    echo "$output; $took ms"
    [ $took -ge 300 ]
    [ $took -lt $((5000 * OUTRIDER_PATIENCE)) ]
    wait_for_log server '"end":"(timeout|connect_failed)"'
}

@test "descriptors do not leak: refused, failed, reset and finished sessions" {
    server_before_echo
    pid=$(pid_of server)
    load_tls new "$IN" --count 60 --connections 10 --seconds 20 # every worker has had a turn
    wait_until 5 open_is server inbound 0
    before=$(fd_count "$pid")
    for _ in 1 2 3 4 5; do
        ask "$IN" stranger >/dev/null || true
        ask "$IN" none >/dev/null || true
        "$OUTRIDER_TOOLS/tcp" --connect "$IN" --send 1000 >/dev/null || true
        "$OUTRIDER_TOOLS/tcp" --connect "$IN" --send 1000 --end rst >/dev/null || true
        works
    done
    stop echo
    works || true
    wait_until 5 open_is server inbound 0
    wait_until 5 fd_is "$pid" "$before"
}
fd_is() { [ "$(fd_count "$1")" -le "$2" ]; }
