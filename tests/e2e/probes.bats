#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# [probe NAME]: kubelet's questions to the service, put to the health listener, so that no plaintext port need be open.
load lib
setup() { begin; }
teardown() { finish; }

# probed [KEYS]: sidecar `server` with [probe app] to "$SERVICE".
probed() {
    ports IN SERVICE
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[probe app]
connect = 127.0.0.1:$SERVICE
${1:-}
INI
    start_sidecar server
}
ask_probe() { curl -sS --max-time 10 -w '%{http_code}' "http://$(health_of server)/probes/$1"; }

web() { # web: answers /good, and nothing else well; says what it was asked
    cat >service.py <<'PY'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers["Host"], self.headers["User-Agent"], flush=True)
        self.send_response({"/good": 200, "/moved": 302}.get(self.path.split("?")[0], 500))
        self.end_headers()
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
    spawn web python3 service.py "$SERVICE"
    wait_until 5 listening "$SERVICE"
}

@test "HTTP: good, bad, gone; and only what is declared" {
    probed "request = /good?x=1"
    run ask_probe app
    echo "$output"
    [[ $output == *"connection refused"*503 ]]
    web
    run ask_probe app
    [ "$output" = $'ok\n200' ]
    grep -q '^/good?x=1 localhost outrider-probe$' web.out
    run ask_probe other
    [[ $output == *404 ]]
    run ask_probe 'app/../../x'
    [[ $output == *404 ]]
    # What is asked beside it changes nothing.
    run curl -sS --max-time 5 -o /dev/null -w '%{http_code}' "http://$(health_of server)/probes/app?path=/bad"
    [ "$output" = 200 ]
    run curl -sS --max-time 5 -I "http://$(health_of server)/probes/app"
    [[ $output == *"200 OK"* ]]
    sed -i 's|request = .*|request = /bad|' server.conf
    kill -HUP "$(pid_of server)"
    wait_until 5 bad_now
    # Quietly.
    [ "$(grep -c probe server.log)" = 0 ]
}
bad_now() { [[ $(ask_probe app) == "status 500"*503 ]]; }

@test "TCP: somebody listens, or not" {
    probed "kind = tcp"
    run ask_probe app
    [[ $output == *503 ]]
    echo_service "$SERVICE"
    run ask_probe app
    [ "$output" = $'ok\n200' ]
}

@test "a service that never answers: in time all the same; whoever asks may go" {
    probed "timeout = 300ms"
    spawn silent socat "TCP-LISTEN:$SERVICE,bind=127.0.0.1,fork,reuseaddr" 'EXEC:sleep 60'
    wait_until 5 listening "$SERVICE"
    run ask_probe app
    [ "$output" = $'no answer in time\n503' ]
    for _ in 1 2 3 4 5 6 7 8; do
        curl -s --max-time 0.1 "http://$(health_of server)/probes/app" || true
    done
    get server /healthz
}

@test "gRPC: serving, not serving, no such service, not gRPC" {
    probed "kind = grpc
request = shop.Orders"
    cat >grpc.py <<'PY'
import socket, sys, threading
def frame(kind, flags, stream, data=b""):
    return len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data
def serve(c):
    got = b""
    while b"\x0a\x0bshop.Orders" not in got:
        more = c.recv(4096)
        if not more: return
        got += more
    assert got.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") and b"/grpc.health.v1.Health/Check" in got
    state = open("state").read().strip()
    c.sendall(frame(4, 0, 0) + frame(4, 1, 0))
    if state == "none":
        c.sendall(frame(1, 5, 1, b"\x88"))
    else:
        body = bytes([8, int(state)])
        c.sendall(frame(1, 4, 1, b"\x88") + frame(0, 0, 1, b"\0" + len(body).to_bytes(4, "big") + body) + frame(1, 5, 1, b"\x88"))
    c.recv(4096); c.close()
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
PY
    echo 1 >state
    spawn grpc python3 grpc.py "$SERVICE"
    wait_until 5 listening "$SERVICE"
    [ "$(ask_probe app)" = $'ok\n200' ]
    echo 2 >state
    [ "$(ask_probe app)" = $'not serving\n503' ]
    echo none >state
    [[ $(ask_probe app) == *"no gRPC health service"*503 ]]
    stop grpc
    web
    [[ $(ask_probe app) == *503 ]]
}

@test "gRPC: a real HTTP/2 server understands what is asked" {
    command -v nghttpd >/dev/null || skip "no nghttpd"
    probed "kind = grpc"
    spawn nghttpd nghttpd --no-tls -v -a 127.0.0.1 "$SERVICE"
    wait_until 5 listening "$SERVICE"
    run ask_probe app
    echo "$output"
    [[ $output == *503 ]] # it has no such service
    sed 's/\x1b\[[0-9;]*m//g' nghttpd.out >seen
    for header in ':method: POST' ':path: /grpc.health.v1.Health/Check' 'content-type: application/grpc' 'te: trailers'; do
        grep -qF "$header" seen || { cat seen; exit 1; }
    done
}

# --- [scrape NAME]: the service's figures in the sidecar's /metrics ---

scraped() { curl -sS --max-time 10 "http://$(health_of server)/metrics"; }

@test "the service's figures are served with the sidecar's own; a service that is away or hangs costs its own alone" {
    ports IN SERVICE SLOW
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[scrape app]
connect = 127.0.0.1:$SERVICE
[scrape slow]
connect = 127.0.0.1:$SLOW
request = /figures
timeout = 300ms
INI
    start_sidecar server
    run scraped
    [[ $output == *'outrider_scrape_up{scrape="app"} 0'* ]]
    [[ $output == *outrider_build_info* ]]
    cat >figures.py <<'PY'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print(self.path, self.headers["Accept"], flush=True)
        text = b"# TYPE orders_total counter\norders_total 7\noutrider_ready 0\n"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(text), 10):
            piece = text[at:at + 10]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
    spawn figures python3 figures.py "$SERVICE"
    spawn slow socat "TCP-LISTEN:$SLOW,bind=127.0.0.1,reuseaddr,fork" EXEC:'sleep 20'
    wait_until 5 listening "$SERVICE"
    wait_until 5 listening "$SLOW"
    run scraped
    echo "$output" | grep -E 'scrape|orders|ready'
    [[ $output == *$'# TYPE orders_total counter\norders_total{scrape="app"} 7\n'* ]]
    [[ $output == *'outrider_scrape_up{scrape="app"} 1'* ]]
    [[ $output == *'outrider_scrape_up{scrape="slow"} 0'* ]]
    # It cannot speak for the sidecar.
    [[ $output == *$'\noutrider_ready 1'* ]]
    [[ $output != *$'\noutrider_ready 0'* ]]
    grep -q '^/metrics text/plain' figures.out
    # A client that does not wait leaves nothing behind.
    for _ in 1 2 3 4 5; do
        run curl -sS --max-time 0.05 "http://$(health_of server)/metrics"
    done
    wait_until 5 has_orders
    # Many at once are told to come again, so that what services say is held few times.
    for i in 1 2 3 4 5 6 7 8; do
        curl -sS --max-time 10 -o "many$i" -w '%{http_code}\n' "http://$(health_of server)/metrics" >"code$i" &
    done
    wait_until 5 answered_all
    cat code?
    [ "$(cat code? | grep -c 503)" -ge 1 ]
    [ "$(cat code? | grep -c 200)" -ge 4 ]
    wait_until 5 has_orders
}

@test "services that tell of the same families make one text that promtool takes" {
    ports IN SERVICE TWO
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[scrape app]
connect = 127.0.0.1:$SERVICE
[scrape worker]
connect = 127.0.0.1:$TWO
INI
    mkdir app
    cat >app/metrics <<'TEXT'
# HELP process_cpu_seconds_total User and system time.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 1
took_seconds_bucket{le="+Inf"} 2
took_seconds_sum 3
took_seconds_count 2
TEXT
    for port in "$SERVICE" "$TWO"; do
        spawn "app$port" python3 -m http.server --bind 127.0.0.1 --directory app "$port"
        wait_until 5 listening "$port"
    done
    start_sidecar server
    scraped >metrics
    promtool check metrics <metrics
    [ "$(grep -c '^# TYPE process_cpu_seconds_total ' metrics)" = 1 ]
    grep -q '^process_cpu_seconds_total{scrape="app"} 1.5' metrics
    grep -q '^process_cpu_seconds_total{scrape="worker"} 1.5' metrics
    grep -q '^took_seconds_bucket{scrape="worker",le="1"} 1' metrics
}
has_orders() { scraped | grep -q 'orders_total{scrape="app"} 7'; }
answered_all() { [ "$(cat code? | wc -l)" = 8 ]; }
