#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Outbounds with protocol = http: the local service's requests, connections to the peer kept for the next one, and
# what comes back.
load lib
load http
setup() { begin; }
teardown() { finish; }

# peer [NAME [IDENTITY]]: http_service.py over mutual TLS on "$PEER".
peer() {
    ports PEER
    spawn "${1:-service}" "$PYTHON" "$BATS_TEST_DIRNAME/http_service.py" "$PEER" "${2:-server}"
    wait_until 5 listening "$PEER"
}

# outbound [KEYS [SECTIONS]]: sidecar `client` (or $CREDENTIALS) from "$OUT" to the peer.
outbound() {
    [ -n "${OUT:-}" ] || ports OUT
    outbound_config "$@"
    start_sidecar client
}

stop_client() { # to be started again
    stop_sidecar client
    rm client.ended
}

outbound_config() {
    : "${HEALTH:=$(free_port)}"
    config client <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
workers = $WORKERS
drain_timeout = ${DRAIN:-2s}
drain_delay = 0s
${SIDECAR:-}
[tls]
directory = ${CREDENTIALS:-$PKI/client}
poll = 1s
${TLS:-}
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$PEER
server_name = server.test
protocol = http
${1:-}
${2:-}
INI
}

get_local() { # PATH [OPTIONS...]: curl through the outbound
    local path=$1
    shift
    curl -sS --max-time $((20 * OUTRIDER_PATIENCE)) --path-as-is "$@" "http://127.0.0.1:$OUT$path"
}
code() { get_local "$@" -o /dev/null -w '%{http_code}\n'; }
apart() { "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" apart "$OUT" --plain "$@"; }
plain() { "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" raw "$OUT" --plain "$@"; }
handshakes() { metric client 'outrider_handshakes_total{direction="outbound",result="ok"}'; }
reused() { metric client 'outrider_peer_connections_total{from="pool"}'; }
idle() { metric client outrider_pool_idle_connections; }
closed() { metric client "outrider_pool_closed_total{reason=\"$1\"}"; }
closed_at_least() { [ "$(closed "$1")" -ge "$2" ]; }
idle_is() { [ "$(idle)" = "$1" ]; }

@test "a connection per request: one handshake for each worker serves them all" {
    peer
    outbound
    run apart --count 300
    echo "$output"
    [ "$output" = "requests 300 failed 0" ]
    [ "$(handshakes)" -le $WORKERS ]
    [ "$(reused)" -ge $((300 - WORKERS)) ]
    [ "$(grep -c 'GET /k' service.out)" = 300 ]
    [ "$(get_local /k)" = "hello from /k" ]
    # A method that may not be repeated has a connection of its own, which then serves the others.
    before=$(handshakes)
    run apart --count 5 --method POST
    [ "$output" = "requests 5 failed 0" ]
    [ "$(handshakes)" = $((before + 5)) ]
}

@test "pool_for = any, pool_size = off, pool_size, pool_idle, pool_age" {
    peer
    outbound 'pool_for = any'
    run apart --count 20 --method POST
    [ "$output" = "requests 20 failed 0" ]
    [ "$(handshakes)" -le $WORKERS ]
    stop_client
    outbound 'pool_size = off'
    run apart --count 5
    [ "$output" = "requests 5 failed 0" ]
    [ "$(handshakes)" = 5 ]
    [ "$(idle)" = 0 ]
    stop_client
    outbound 'pool_size = 2
pool_idle = 1s'
    for i in 1 2 3 4 5; do get_local /slow?1500 >"slow$i" & done
    for i in 1 2 3 4 5; do wait_until 5 grep -q late "slow$i"; done
    wait_until 5 idle_at_most $((2 * WORKERS))
    wait_until 5 idle_is 0
    [ $(($(closed full) + $(closed age))) = 5 ]
    stop_client
    outbound 'pool_age = 1s'
    get_local /k
    sleep 1.2
    get_local /slow?10 # begins on the old one, which is not kept again
    wait_until 5 idle_at_most $((WORKERS - 1))
}
idle_at_most() { [ "$(idle)" -le "$1" ]; }

@test "the peer closes an idle connection just as it is used again, a thousand times: no 502" {
    peer
    outbound
    # Always: the second request finds the connection closed, after it was sent.
    run apart --count 1000 --path /second
    echo "$output" | tail -n 5
    [ "${lines[-1]}" = "requests 1000 failed 0" ]
    repeated=$(metric client outrider_requests_repeated_total)
    echo "repeated $repeated"
    [ "$repeated" -ge 300 ]
    # A body that is at hand is sent again as well; what may not be repeated never meets the race.
    run apart --count 100 --path /second --method PUT
    [ "${lines[-1]}" = "requests 100 failed 0" ]
    run apart --count 50 --path /second --method POST
    [ "${lines[-1]}" = "requests 50 failed 0" ]
    # About then: in the same moment, before, after.
    for us in 0 100 300 1000; do
        run apart --count 250 --path "/moment?$us"
        echo "$us: $output" | tail -n 5
        [ "${lines[-1]}" = "requests 250 failed 0" ]
    done
    # No request was sent more than twice, none that may not be repeated more than once.
    [ "$(grep -c 'GET /second' service.out)" -le 2000 ]
    [ "$(grep -c 'POST /second' service.out)" = 50 ]
    # A connection that was made for the request is not given a second chance.
    [ "$(code /die)" = 502 ]
    [ "$(grep -c 'GET /die' service.out)" -le 2 ]
}

@test "connections that are not clean are not kept" {
    peer
    outbound
    for path in /close /once /open?100 /stray /early /cut?5 /die; do
        for i in 1 2 3; do
            get_local "$path" >got 2>/dev/null || true
            not grep -q stray got
        done
    done
    wait_until 5 idle_is 0
    # The caller goes in mid-answer, and in mid-request after an early one.
    timeout 0.5 curl -s "http://127.0.0.1:$OUT/trickle?100" -o /dev/null || true
    printf 'POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc' | plain --wait 0.3 >/dev/null
    wait_until 5 idle_is 0
    # Upgrades never come back.
    printf 'GET /k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | plain --wait 1 >close
    grep -q 'hello from /k' close
    wait_until 5 idle_is 1
    [ "$(get_local /k)" = "hello from /k" ]
}

@test "pipelined requests, bodies both ways, a response without length, HEAD, an early answer" {
    peer
    outbound
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" pipeline "$OUT" --plain --count 500
    [ "$output" = "pipelined 500" ]
    head -c 3000000 /dev/urandom >payload
    run get_local /sum --data-binary @payload
    [ "$output" = "3000000 $(sha256sum <payload | cut -d' ' -f1)" ]
    run get_local /sum -T - <payload
    [ "$output" = "3000000 $(sha256sum <payload | cut -d' ' -f1)" ]
    get_local /bytes?1000000 >down
    get_local /open?1000000 | cmp - down
    get_local /chunked?1000000 | cmp - down
    get_local /k -I | grep -q 'HTTP/1.1 200'
    [ "$(code /early -d @payload)" = 413 ]
    [ "$(code /status?204)" = 204 ]
    # Nothing of the caller's own is taken away: these headers are its word.
    run get_local /head -H 'X-Forwarded-For: 10.0.0.1' -H 'Client-Cert: :abc:'
    [[ $output == *"X-Forwarded-For: 10.0.0.1"* ]]
    [[ $output == *"Client-Cert: :abc:"* ]]
}

@test "outbounds do not share connections, and a reload empties the pool" {
    peer
    ports OUT OTHER
    other="[outbound other]
listen = 127.0.0.1:$OTHER
connect = 127.0.0.1:$PEER
server_name = server.test
protocol = http
allow_san = spiffe://cluster.local/ns/shop/sa/server"
    outbound '' "$other"
    get_local /k
    wait_until 5 idle_is 1
    OUT=$OTHER get_local /k
    wait_until 5 idle_is 2
    [ "$(handshakes)" = 2 ]
    [ "$(reused)" = 0 ]
    before=$(metric client 'outrider_reloads_total{what="config",result="ok"}')
    outbound_config 'idle_timeout = 1h' "$other"
    wait_until 5 metric_at_least client 'outrider_reloads_total{what="config",result="ok"}' $((before + 1))
    wait_until 5 idle_is 0
    [ "$(closed reload)" = 2 ]
    get_local /k
    [ "$(handshakes)" = 3 ]
    # Drain: what is idle goes first.
    wait_until 5 idle_is 1
    kill -TERM "$(pid_of client)"
    wait_until 2 grep -q '"drain"' client.log
    ended client 5
    killed_sidecar client
}

@test "trust changes while connections lie idle: they are closed, and the next request learns why it cannot be" {
    peer
    cp -rL "$PKI/client" credentials
    CREDENTIALS=$T/credentials outbound
    get_local /k
    wait_until 5 idle_is 1
    # The local connection of a caller that keeps it outlives its peer's.
    mkfifo fifo
    spawn caller "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$OUT" --plain --fifo fifo
    echo 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q 'hello from /a' caller.out
    cp "$PKI/other.crt" credentials/ca.crt
    wait_until 5 idle_is 0
    wait_until 5 grep -q 'issuer not trusted' client.log
    [ "$(code /k)" = 502 ]
    echo 'GET /b HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q '502 Bad Gateway' caller.out
    grep -q 'TLS handshake with the upstream server failed' caller.out
    cp "$PKI/ca.crt" credentials/ca.crt
    wait_until 5 served
    echo 'GET /c HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q 'hello from /c' caller.out
    not grep -q -- '-- end' caller.out
}
served() { [ "$(code /k)" = 200 ]; }

@test "a connection that had asked for nothing when trust changed is served by what holds now" {
    peer
    cp -rL "$PKI/client" credentials
    CREDENTIALS=$T/credentials outbound
    mkfifo fifo
    spawn caller "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$OUT" --plain --fifo fifo
    wait_until 5 metric_is client 'outrider_connections_open{direction="outbound"}' 1
    cp "$PKI/other.crt" credentials/ca.crt
    wait_until 5 metric_is client outrider_snapshot_generation 2
    echo 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q '^HTTP/1.1' caller.out
    grep -q '502 Bad Gateway' caller.out
    wait_for_log client 'issuer not trusted'
}

@test "the peer's end comes with its answer: what was sent ahead goes to a new connection" {
    peer
    outbound
    for ((i = 0; i < 5; i++)); do printf 'GET /farewell HTTP/1.1\r\nHost: x\r\n\r\n'; done >ahead
    printf 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >>ahead
    plain <ahead >told
    cat told
    not grep -q ' 502 ' told
    [ "$(grep -c '^farewell' told)" = 5 ]
    grep -q 'hello from /last' told
}

# soon_peer SECONDS: the peer with a certificate that runs out then, at $UNTIL.
soon_peer() {
    mkdir pki
    cp "$PKI/ca.crt" "$PKI/ca.key" pki/
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pki/soon.key -subj /CN=soon -out soon.csr 2>/dev/null
    printf 'subjectAltName=DNS:server.test\nextendedKeyUsage=serverAuth\n' >ext
    UNTIL=$(($(date +%s) + $1 * OUTRIDER_PATIENCE))
    mkdir ca && : >ca/index && echo 7001 >ca/serial
    cat >ca.cnf <<CNF
[ca]
default_ca = d
[d]
new_certs_dir = ca
database = ca/index
serial = ca/serial
default_md = sha256
policy = p
[p]
commonName = supplied
CNF
    openssl ca -batch -config ca.cnf -cert "$PKI/ca.crt" -keyfile "$PKI/ca.key" -in soon.csr -extfile ext -notext \
        -startdate 20200101000000Z -enddate "$(date -u -d "@$UNTIL" +%Y%m%d%H%M%SZ)" -out pki/soon.crt 2>err || cat err
    ports PEER
    PKI=$T/pki spawn service "$PYTHON" "$BATS_TEST_DIRNAME/http_service.py" "$PEER" soon
    wait_until 5 listening "$PEER"
}

@test "a peer whose certificate runs out while its connection lies idle" {
    soon_peer 6
    outbound 'pool_idle = 10m'
    [ "$(code /k)" = 200 ]
    wait_until 5 idle_is 1
    wait_until 10 closed_at_least untrusted 1
    [ "$(date +%s)" -ge "$UNTIL" ]
    wait_for_log client '"event":"upstream".*expired'
}

@test "a peer whose certificate runs out while it answers: who is let finish leaves no connection behind" {
    local how
    for how in drain keep; do
        rm -rf pki ca
        soon_peer 4
        TLS=$'trust_grace = 10m\non_untrusted = '$how outbound 'pool_idle = 10m'
        [ "$(code "/slow?$((6000 * OUTRIDER_PATIENCE))")" = 200 ]
        [ "$(date +%s)" -gt "$UNTIL" ]
        [ "$(idle)" = 0 ]
        [ "$(code /k)" = 502 ]
        stop_client
        stop service
    done
}

@test "what failed is told: refused, no such name, no answer, TLS; as text and as JSON" {
    ports PEER
    outbound 'connect_timeout = 500ms'
    run get_local /k -w '%{http_code} %{content_type}'
    [ "$output" = "the upstream server refused the connection
502 text/plain; charset=utf-8" ]
    run get_local /k -H 'Accept: application/json' -w '%{http_code} %{content_type}'
    [ "$output" = '{"error":"the upstream server refused the connection"}
502 application/json' ]
    wait_for_log client 'connection refused'
    # A listening socket whose queue is full: connections to it hang.
    spawn full "$PYTHON" -c "
import socket, time
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(('127.0.0.1', $PEER)); l.listen(0)
keep = []
for _ in range(3):
    s = socket.socket(); s.setblocking(False)
    try: s.connect(('127.0.0.1', $PEER))
    except BlockingIOError: pass
    keep.append(s)
print('ready', flush=True)
time.sleep(60)"
    wait_until 5 grep -q ready full.out
    run get_local /k -H 'Accept: application/json' -w '%{http_code}'
    [ "$output" = '{"error":"the upstream server did not accept the connection in time"}
504' ]
    stop full
    # Nobody there knows TLS; the wrong certificate; a peer that says nothing.
    http_service "$PEER" plain
    run get_local /k -w '%{http_code}'
    [ "$output" = "the TLS handshake with the upstream server failed
502" ]
    stop plain
    wait_until 5 not listening "$PEER"
    spawn wrong "$PYTHON" "$BATS_TEST_DIRNAME/http_service.py" "$PEER" wrongsan
    wait_until 5 listening "$PEER"
    run get_local /k -w '%{http_code}'
    [ "$output" = "the TLS handshake with the upstream server failed
502" ]
    wait_for_log client 'elsewhere.test'
    stop_client
    ports SILENT
    spawn silent "$PYTHON" -c "
import socket, time
l = socket.create_server(('127.0.0.1', $SILENT))
time.sleep(60)"
    wait_until 5 listening "$SILENT"
    PEER=$SILENT TLS='handshake_timeout = 500ms' outbound
    run get_local /k -w '%{http_code}'
    [ "$output" = "the TLS handshake with the upstream server timed out
504" ]
    stop_client
    outbound_config
    sed -i 's/^connect = .*/connect = nowhere.invalid:443/' client.conf
    start_sidecar client
    run get_local /k -w '%{http_code}'
    [ "$output" = "the name of the upstream server cannot be looked up
503" ]
}

@test "response.NAME tells of the server's certificate; traceparent and X-Request-Id" {
    peer
    outbound '' '[headers]
outbounds = web
response.X-Server = cf.tls_client_auth.cert_subject_dn
response.X-Server-Verified = cf.tls_client_auth.cert_verified
response.X-Asked = http.request.uri.path
request.X-Nothing = "only for inbounds"
traceparent = sampled
request_id = make'
    run get_local /head -i -H 'X-Server-Verified: caller'
    echo "$output"
    [[ $output == *"X-Server: "*"CN=server"* ]]
    [[ $output == *"X-Server-Verified: true"* ]]
    [[ $output == *"X-Asked: /head"* ]]
    [[ $output != *X-Nothing* ]]
    grep -qE '^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01' <<<"$output"
    grep -qE '^X-Request-Id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}' <<<"$output"
    # What the peer itself sends under such a name goes, and another peer's does not come by reuse.
    run get_local '/set?X-Server-Verified=peer' -i
    [[ $output == *"X-Server-Verified: true"* ]]
    [[ $output != *"X-Server-Verified: peer"* ]]
    trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00
    run get_local /head -H "traceparent: $trace" -H 'tracestate: a=b' -H 'X-Request-Id: mine-1'
    [[ $output == *"traceparent: $trace"* ]]
    [[ $output == *"tracestate: a=b"* ]]
    [[ $output == *"X-Request-Id: mine-1"* ]]
    wait_until 3 grep -qE '"event":"request".*"outbound":"web".*"decision":"pass".*"san":"[^"]*server.test.*"request_id":"mine-1","traceparent":"'$trace client.log
    run get_local /head -H "traceparent: 00-0-0-0" -H 'tracestate: a=b' -H 'X-Request-Id: two words'
    [[ $output != *"00-0-0-0"* ]]
    [[ $output != *tracestate* ]]
    [[ $output != *"two words"* ]]
}

@test "through two sidecars: the server's verdicts come back, errors keep their sender" {
    ports IN SERVICE
    http_service
    house_config '' '[headers]
forward = cloudflare
[rule no]
expression = http.request.uri.path eq "/no"
action = block
body = not for you'
    start_sidecar server
    PEER=$IN HEALTH='' outbound
    run get_local /head
    [[ $output == *"Cf-Client-Cert-Sha256: $(fingerprint client)"* ]]
    run get_local /no -w '%{http_code}'
    [ "$output" = "not for you403" ]
    run apart --count 200
    [ "$output" = "requests 200 failed 0" ]
    [ "$(handshakes)" -le $((2 * WORKERS)) ]
}
