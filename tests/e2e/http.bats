#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# HTTP/1.1 through the sidecar: real servers behind it, real clients before it, and what breaks on either side.
load lib
load http
setup() { begin; }
teardown() { finish; }

# --- real servers ------------------------------------------------------------------------------------------

SIZE=20000003

payload() { [ -e payload ] || head -c $SIZE /dev/urandom >payload; }

nginx_service() {
    mkdir -p www tmp
    cat >nginx.conf <<CONF
daemon off; pid $T/nginx.pid; error_log stderr; worker_processes 1; user root;
events { worker_connections 256; }
http {
    access_log off; client_max_body_size 0; client_body_temp_path $T/tmp; keepalive_requests ${1:-1000};
    server { listen 127.0.0.1:$SERVICE; root $T/www; location / { dav_methods PUT; } }
}
CONF
    spawn nginx nginx -c "$T/nginx.conf" -e stderr
    wait_until 5 listening "$SERVICE"
}

@test "nginx: large files up and down, by length and in chunks; a thousand requests and more on one connection" {
    ports SERVICE
    nginx_service 400
    house
    payload
    run call /up -T payload -w '%{http_code}'
    [ "$output" = 201 ]
    cmp payload www/up
    run call /chunks -T - -w '%{http_code}' <payload
    [ "$output" = 201 ]
    cmp payload www/chunks
    call /up | cmp - payload
    call /up -r 1000-2999 | cmp - <(tail -c +1001 payload | head -c 2000)
    echo small >www/k
    # nginx ends its connection after 400 requests; the caller's goes on.
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --count 1001
    [ "$output" = "requests 1001 connections 1 failed 0" ]
}

@test "Apache: large files up and down" {
    ports SERVICE
    mkdir -p www dav
    chown www-data www dav
    cat >apache.conf <<CONF
ServerRoot $T
ServerName server.test
Listen 127.0.0.1:$SERVICE
PidFile $T/apache.pid
Mutex file:$T/dav default
ErrorLog /dev/stderr
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
DavLockDB $T/dav/lock
DocumentRoot $T/www
<Directory $T/www>
    Dav On
    Require all granted
</Directory>
CONF
    [ "$(id -u)" = 0 ] || skip "Apache wants root here, to become www-data"
    spawn apache apache2 -f "$T/apache.conf" -DFOREGROUND
    wait_until 5 listening "$SERVICE"
    house
    payload
    run call /up -T payload -o /dev/null -w '%{http_code}'
    [ "$output" = 201 ]
    cmp payload www/up
    run call /chunks -T - -o /dev/null -w '%{http_code}' <payload
    [ "$output" = 201 ]
    cmp payload www/chunks
    call /up | cmp - payload
}

@test "Node: large bodies up and down, by length and in chunks, with trailers" {
    ports SERVICE
    spawn node node "$BATS_TEST_DIRNAME/http_service.js" "$SERVICE"
    wait_until 10 listening "$SERVICE"
    house
    payload
    sum="$(stat -c %s payload) $(sha256sum <payload | cut -d' ' -f1)"
    run call /sum --data-binary @payload
    [ "$output" = "$sum {}" ]
    run call /sum -T - <payload
    [ "$output" = "$sum {}" ]
    call /bytes?$SIZE >down
    call /chunked?$SIZE >chunked
    cmp down chunked
    [ "$(stat -c %s down)" = $SIZE ]
    run request "GET /chunked?5000 HTTP/1.1\r\nHost: server.test\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n"
    grep -qi "^X-Sum: $(head -c 5000 down | sha256sum | cut -d' ' -f1)" <<<"$output"
    run request "POST /sum HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Last\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Last: word\r\n\r\n"
    [[ $output == *'{"x-last":"word"}'* ]]
}

@test "Python's http.server, which speaks HTTP/1.0: the caller's connection ends with each answer" {
    ports SERVICE
    mkdir www
    payload
    ln payload www/file
    spawn python "$PYTHON" -m http.server -d "$T/www" -b 127.0.0.1 "$SERVICE"
    wait_until 10 listening "$SERVICE"
    house
    call /file | cmp - payload
    run call /file -I
    [[ $output == *"HTTP/1.1 200 OK"* ]]
    [[ $output == *"Content-Length: $SIZE"* ]]
    [ "$(status_of /nothing)" = 404 ]
}

# --- messages ----------------------------------------------------------------------------------------------

@test "bodies both ways: by length, in chunks, to the end; sizes around every buffer; trailers both ways" {
    house
    for n in 0 1 16383 16384 16385 65536 131072 131073 3000000; do
        head -c $n /dev/urandom >up
        sum="$n $(sha256sum <up | cut -d' ' -f1)"
        [ "$(call /sum --data-binary @up)" = "$sum" ]
        [ "$(call /sum -T - <up)" = "$sum" ]
        call /bytes?$n >a
        call /chunked?$n >b
        call /open?$n >c
        cmp a b
        cmp a c
        [ "$(stat -c %s a)" = $n ]
    done
    run request 'POST /sum HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Last: word\r\nx-other: b\r\n\r\n'
    [[ $output == *"X-Last: word"* && $output == *"x-other: b"* ]]
    run request 'GET /chunked?10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    [[ $output == *"X-Who: service"* ]]
    [[ $output == *"-- end eof"* ]]
}

@test "a thousand pipelined requests, answered in their order" {
    house
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" pipeline "$IN" --count 1000
    echo "$output"
    [ "$output" = "pipelined 1000" ]
    # One caller, one connection to the service.
    [ "$(grep -c 'connection 1 request' service.out)" = 1000 ]
}

@test "WebSocket: texts, a binary message in frames, ping, close with its code; other upgrades are not passed on" {
    ports SERVICE
    spawn service "$PYTHON" "$BATS_TEST_DIRNAME/websocket.py" serve "$SERVICE"
    wait_until 10 listening "$SERVICE"
    house '' '[headers]
forward = cloudflare'
    run "$PYTHON" "$BATS_TEST_DIRNAME/websocket.py" call "$IN"
    echo "$output"
    [ "$output" = "websocket ok" ]
    wait_until 3 access_at_least 1
    line=$(access)
    echo "$line"
    [[ $line == *'"status":101'* && $line == *'"outcome":"complete"'* ]]
    stop service
    STARTED=(server)
    http_service
    run request 'GET /head HTTP/1.1\r\nHost: x\r\nConnection: upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n'
    echo "$output"
    [[ $output == *"200 OK"* ]]
    not grep -qi 'upgrade\|http2-settings' <<<"$output"
}

@test "Expect: 100-continue by curl; HEAD; 204 and 304; 103" {
    house
    head -c 2000000 /dev/zero >up
    run call /sum -v -H 'Expect: 100-continue' --data-binary @up
    [[ $output == *"100 Continue"* ]]
    [[ $output == *"2000000 $(sha256sum <up | cut -d' ' -f1)"* ]]
    # Keep-alive over all of them: each answer's end must be seen by both.
    run request 'HEAD /bytes?77 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /chunked?5 HTTP/1.1\r\nHost: x\r\n\r\nGET /status?204 HTTP/1.1\r\nHost: x\r\n\r\nGET /status?304 HTTP/1.1\r\nHost: x\r\n\r\nGET /hints HTTP/1.1\r\nHost: x\r\n\r\nGET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    echo "$output"
    [ "$(grep -c '^HTTP/1.1 ' <<<"$output")" = 7 ]
    [[ $output == *"Content-Length: 77"* ]]
    [[ $output == *"204 "* && $output == *"304 "* && $output == *"103 Early Hints"* && $output == *"Link: </a.css>"* ]]
    [[ $output == *"hello from /last"* && $output == *"-- end eof"* ]]
    [ "$(wc -l <service.out)" = 7 ]
}

@test "HTTP/1.0: answered without chunks, and the connection ends" {
    house
    run request 'GET /chunked?10 HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n'
    echo "$output"
    [[ $output != *[Cc]hunked* ]]
    [[ $output == *"-- end eof"* ]]
    run request 'GET /head HTTP/1.0\r\n\r\n'
    [[ $output == *"200 OK"* && $output == *"GET /head HTTP/1.1"* ]]
}

# --- what breaks -------------------------------------------------------------------------------------------

@test "the service dies in mid-answer: the caller sees a truncation, never an end" {
    house
    for path in /cut?100000 /reset?100000; do
        run request "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        echo "${output: -80}"
        [[ $output == *"-- end truncated"* || $output == *"-- end reset"* ]]
        [[ $output == *xxxxxxxx* ]]
    done
    # In mid-chunk, and where the process is killed.
    request 'GET /trickle?100 HTTP/1.1\r\nHost: x\r\n\r\n' >trickle &
    caller=$!
    wait_until 5 grep -q drop trickle
    kill -KILL "$(pid_of service)"
    wait $caller
    tail -n 1 trickle
    [[ $(tail -n 1 trickle) == "-- end truncated" || $(tail -n 1 trickle) == "-- end reset" ]]
    wait_until 3 access_at_least 3
    [ "$(access | grep -c '"outcome":"service_lost"')" = 3 ]
    # A body without length or chunks ends by the service's end: that is no truncation.
    wait_until 5 not_listening "$SERVICE"
    http_service "$SERVICE" service2
    run request 'GET /open?1000 HTTP/1.1\r\nHost: x\r\n\r\n' --wait 1
    [[ $output == *"-- end waits"* || $output == *"-- end eof"* ]]
}
not_listening() { ! listening "$1"; }

@test "the service closes idle connections: no request suffers" {
    house
    # /once closes after its answer without a word.
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --count 50 --path /once
    echo "$output"
    [ "${lines[-1]}" = "requests 50 connections 1 failed 0" ]
    # What may not be repeated is not; what may is sent once more, and no more.
    [ "$(status_of /die -X POST)" = 502 ]
    [ "$(grep -c 'POST /die' service.out)" = 1 ]
    [ "$(status_of /die)" = 502 ]
    [ "$(grep -c 'GET /die' service.out)" = 2 ]
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --count 20 --path /close
    echo "$output"
    [[ ${lines[-1]} == "requests 20 connections "*" failed 0" ]]
}

@test "the service is away: 502 that says so; it is back: 200 on the same connection" {
    ports IN SERVICE
    mkfifo fifo
    house_config
    start_sidecar server
    run call / -w '%{http_code}'
    echo "$output"
    [[ $output == *"upstream server"*502 ]]
    spawn caller "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo fifo
    echo 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q ' 502 ' caller.out
    http_service
    echo 'GET /b HTTP/1.1\r\nHost: x\r\n\r\n' >fifo
    wait_until 5 grep -q 'hello from /b' caller.out
    not grep -q -- '-- end' caller.out
}

@test "a service that accepts nothing is 504, one that is away 502: as text and as JSON" {
    ports IN SERVICE
    house_config 'connect_timeout = 400ms'
    start_sidecar server
    run call / -H 'Accept: application/json' -w '%{http_code} %{content_type}'
    [ "$output" = '{"error":"the upstream server refused the connection"}
502 application/json' ]
    spawn full "$PYTHON" -c "
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
    run call / -w '%{http_code} %{content_type}'
    [ "$output" = 'the upstream server did not accept the connection in time
504 text/plain; charset=utf-8' ]
    run call / -H 'Accept: text/html, application/json' -w '%{http_code} %{content_type}'
    [ "$output" = '{"error":"the upstream server did not accept the connection in time"}
504 application/json' ]
    wait_for_log server '"event":"upstream","message":"connect to .*timed out'
    stop full
    http_service "$SERVICE"
    run call /die -X POST -H 'Accept: application/json' -w '%{http_code}'
    [ "$output" = '{"error":"the upstream server closed the connection before it responded"}
502' ]
    reconfigure 'response_timeout = 200ms'
    run call /slow?3000 -H 'Accept: application/json' -w '%{http_code}'
    [ "$output" = '{"error":"the upstream server did not respond in time"}
504' ]
}

@test "bytes that are no HTTP are refused at once, without a line's end" {
    house 'request_timeout = 60s'
    start=$(date +%s%N)
    run request '\001\002\003\004'
    [[ $output == *"HTTP/1.1 400 "*"-- end eof"* ]]
    run request '{"json":1}'
    [[ $output == *"HTTP/1.1 400 "*"-- end eof"* ]]
    [ $(($(date +%s%N) - start)) -lt $((15000000000 * OUTRIDER_PATIENCE)) ]
}

@test "timeouts: a slow answer is 504, a slow head or body 408, an idle connection ends" {
    house 'request_timeout = 600ms
response_timeout = 600ms
keepalive_timeout = 600ms'
    [ "$(status_of /slow?5000)" = 504 ]
    [ "$(status_of /slow?50)" = 200 ]
    run request 'GET / HTTP/1.1\r\nHost: x\r\n'
    [[ $output == *" 408 "*"-- end eof"* ]]
    # Nor may who has not even said what is spoken stay for ever.
    run request 'GE'
    [[ $output == *" 408 "*"-- end eof"* ]]
    run request ''
    [ "$(tail -n 1 <<<"$output")" = '-- end eof' ]
    # Slow loris: a byte now and then does not help.
    printf 'GET / HTTP/1.1\r\nHost: a-long-name-of-a-host.example.com\r\n\r\n' >slow
    start=$(date +%s%N)
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" slow "$IN" --pause 0.05 <slow
    echo "$output"
    [[ $output == *" 408 "* ]]
    [ $(($(date +%s%N) - start)) -lt $((3000000000 * OUTRIDER_PATIENCE)) ]
    run request 'POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'
    echo "$output"
    [[ $output == *" 408 "*"-- end eof"* ]]
    run request 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    [[ $output == *" 200 "*"-- end eof"* ]]
    # An answer that has begun and stalls is cut.
    reconfigure 'response_timeout = 300ms'
    run request 'GET /trickle?3 HTTP/1.1\r\nHost: x\r\n\r\n' --wait 1
    [[ $output == *"-- end waits"* ]]
}

@test "an early answer reaches a caller that still sends" {
    house
    head -c 5000000 /dev/zero >up
    run call /early --data-binary @up -w '%{http_code}'
    echo "$output"
    [[ $output == *413* ]]
}

# --- hostile input -----------------------------------------------------------------------------------------

@test "smuggling and other malformed requests are refused and the connection ends" {
    house
    cat >samples <<'SAMPLES'
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 5\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4 4\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 4\r\n\r\nabcd
400 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n
400 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n
501 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n
501 POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n
400 POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n
400 GET / HTTP/1.1\nHost: x\n\n
400 GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\nX Y: a\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\nXY\r\n\r\n
400 GET / HTTP/1.1\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n
400 GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n
400 GET / HTTP/1.1\r\nHost: x/y\r\n\r\n
400 GET / HTTP/1.1\r\nHost: a b\r\n\r\n
400 GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n
400 GET  / HTTP/1.1\r\nHost: x\r\n\r\n
400 GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n
400 GET /a b HTTP/1.1\r\nHost: x\r\n\r\n
400 GET /#a HTTP/1.1\r\nHost: x\r\n\r\n
400 GET /\r\n\r\n
505 GET / HTTP/2.0\r\nHost: x\r\n\r\n
505 GET / HTTP/3.7\r\nHost: x\r\n\r\n
400 GET / http/1.1\r\nHost: x\r\n\r\n
400 G@T / HTTP/1.1\r\nHost: x\r\n\r\n
501 CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n
400 \x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n
# Requests that are fine, each in its way.
200+ GET / HTTP/1.1\r\nHost: x\r\n\r\n
200+ GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n
200+ POST /sum HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nabcde\r\n0\r\n\r\n
200+ OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n
200+ \r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n
SAMPLES
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" each "$IN" <samples
    echo "$output"
    [[ ${lines[-1]} == "checked "*", wrong 0" ]]
    not grep -q smuggled service.out
}

@test "chunks: what is not one ends the connection, and the service never sees a whole request" {
    house
    for chunk in 'x\r\nabc\r\n0\r\n\r\n' '-1\r\nabc\r\n' '3 \r\nabc\r\n0\r\n\r\n' '3\nabc\n0\n\n' '0x3\r\nabc\r\n0\r\n\r\n' \
        '3\r\nabcd\r\n0\r\n\r\n' '10000000000000000\r\n' '3;a=\x01\r\nabc\r\n0\r\n\r\n' '0\r\nX : y\r\n\r\n'; do
        run request "POST /sum HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n$chunk" --wait 3
        echo "$chunk: $output"
        [[ $output != *" 200 "* && $output != *"-- end waits"* ]]
    done
}

@test "answers that are no answer: 502, and nothing of them reaches the caller" {
    house
    hex() { printf "$1" | od -An -v -tx1 | tr -d ' \n'; }
    for evil in 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc' \
        'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd' 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n' \
        'HTTP/1.1 200 OK\nContent-Length: 3\n\nabc' 'nonsense\r\n\r\n' 'HTTP/1.1 2000 OK\r\n\r\n' 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n'; do
        run call "/evil?$(hex "$evil")" -w '%{http_code}'
        echo "$evil: $output"
        [[ $output == *502 ]]
        [[ $output != *abc* ]]
    done
    # What follows an answer answers nothing.
    run request "GET /evil?$(hex 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison') HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    echo "$output"
    [[ $output != *poison* && $output == *"hello from /next"* ]]
}

# --- headers -----------------------------------------------------------------------------------------------

@test "spoofed identity headers of every spelling arrive as nothing, even where none is set" {
    house
    cat >spoofed <<'NAMES'
Cf-Client-Cert-Der-Base64
cf-client-cert-sha256
CF-CLIENT-CERT-SHA256
Cf_Client_Cert_Sha256
cf.client.cert.sha256
Cf-Cert-Verified
cf-cert-presented
Cf-Cert-Subject-Dn-Legacy
Client-Cert
CLIENT_CERT
client-cert-chain
X-Forwarded-Client-Cert
x-forwarded_client-cert
X~Forwarded~Client~Cert
NAMES
    {
        printf 'GET /head HTTP/1.1\r\nHost: x\r\nX-Harmless: yes\r\n'
        while read -r name; do
            printf '%s: evil\r\n' "$name"
        done <spoofed
        printf 'Connection: close, Cf-Client-Cert-Sha256, Client-Cert\r\n\r\n'
    } >request
    for sections in '' '[headers]
forward = cloudflare, xfcc, rfc9440'; do
        [ -z "$sections" ] || reconfigure '' "$sections"
        run raw <request
        echo "$output"
        [[ $output == *"X-Harmless: yes"* && $output != *evil* ]]
    done
    # Nominated by Connection, the sidecar's own still arrive.
    grep -q "^Cf-Client-Cert-Sha256: $(fingerprint client)" <<<"$output"
    grep -q '^Client-Cert: :MII' <<<"$output"
    # In trailers.
    run request 'POST /sum HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nClient-Cert: evil\r\nX_Forwarded_Client_Cert: evil\r\ncf-cert-verified: evil\r\nX-Kept: yes\r\n\r\n'
    echo "$output"
    [[ $output == *"X-Kept: yes"* && $output != *evil* ]]
    # A blank before the colon, or a folded line, is no header.
    for bad in 'Client-Cert : evil' 'X: a\r\n Client-Cert: evil' '\tClient-Cert: evil'; do
        run request "GET /head HTTP/1.1\r\nHost: x\r\n$bad\r\n\r\n"
        [[ $output == *" 400 "* && $output != *evil* ]]
    done
}

@test "the caller's certificate, as Cloudflare, Envoy and RFC 9440 write it: the very bytes" {
    house '' '[headers]
forward = cloudflare, xfcc, rfc9440
xfcc_details = subject, uri, dns, cert, chain'
    call /head >head
    base64=$(openssl x509 -in "$PKI/client.crt" -outform DER | base64 -w0)
    ca=$(openssl x509 -in "$PKI/ca.crt" -outform DER | base64 -w0)
    grep -qxF "Cf-Client-Cert-Der-Base64: $base64"$'\r' head
    grep -qxF "Cf-Client-Cert-Sha256: $(fingerprint client)"$'\r' head
    grep -qxF "Client-Cert: :$base64:"$'\r' head
    # curl sends the root after the leaf, too.
    grep -qxF "Client-Cert-Chain: :$ca:"$'\r' head
    spiffe=spiffe://cluster.local/ns/shop/sa
    grep -qF "X-Forwarded-Client-Cert: By=$spiffe/server;Hash=$(fingerprint client);Cert=\"-----BEGIN%20CERTIFICATE-----%0A" head
    grep -qF "Subject=\"CN=client,O=Outrider tests\";URI=$spiffe/client;DNS=client.test" head
    # The PEM in it is the certificate.
    sed -n 's/.*;Cert="\([^"]*\)".*/\1/p' head | "$PYTHON" -c 'import sys, urllib.parse; print(urllib.parse.unquote(sys.stdin.read().strip()))' |
        openssl x509 -outform DER | cmp - <(openssl x509 -in "$PKI/client.crt" -outform DER)
}

@test "identity goes out only for verified, unrevoked callers" {
    house 'client_auth = request' '[headers]
forward = cloudflare, xfcc, rfc9440
[rules]
default = allow'
    AS=none call /head >head
    not grep -qiE '^(cf-|client-cert|x-forwarded-client)' head
    AS=stranger call /head -H 'Client-Cert: evil' >head || true
    not grep -qiE '^(cf-|client-cert|x-forwarded-client)' head
    cp -r "$PKI/server" creds
    cp "$PKI/crl-client.pem" creds/crl.pem
    CREDENTIALS=$T/creds reconfigure 'revoked = rule' '[headers]
forward = cloudflare, xfcc, rfc9440
[rules]
default = allow'
    AS=client call /head >head
    grep -q '^GET /head' head
    not grep -qiE '^(cf-|client-cert|x-forwarded-client)' head
    AS=client2 call /head | grep -q '^Cf-Client-Cert-Sha256: '
}

@test "X-Forwarded-Client-Cert: every mode, believed only from a trusted proxy" {
    given='By=spiffe://a/b;Hash=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef;URI=spiffe://far/caller'
    house '' '[headers]
forward = xfcc'
    xfcc() { AS=$1 call /head -H "X-Forwarded-Client-Cert: $given" | sed -n 's/\r$//; s/^X-Forwarded-Client-Cert: //Ip'; }
    own() { echo "By=spiffe://cluster.local/ns/shop/sa/server;Hash=$(fingerprint "$1")*"; }
    # shellcheck disable=SC2053  # patterns
    [[ $(xfcc client) == $(own client) ]]
    for mode in sanitize append_forward forward_only always_forward_only; do
        trusted=
        [ $mode = sanitize ] || trusted='trusted_proxy_san = spiffe://cluster.local/ns/shop/sa/client'
        reconfigure '' "[headers]
forward = xfcc
xfcc_mode = $mode
$trusted"
        far=$(xfcc client) near=$(xfcc client2)
        echo "$mode: $far | $near"
        # shellcheck disable=SC2053  # patterns
        case $mode in
            sanitize) [ -z "$far" ] && [ -z "$near" ] ;;
            append_forward) [[ $far == "$given,"$(own client) ]] && [[ $near == $(own client2) ]] ;;
            forward_only | always_forward_only) [ "$far" = "$given" ] && [ -z "$near" ] ;;
        esac
    done
    # What is not well-formed is not appended to.
    reconfigure '' '[headers]
forward = xfcc
xfcc_mode = append_forward
trusted_proxy_san = spiffe://cluster.local/ns/shop/sa/client'
    given='URI=x;Subject="open'
    # shellcheck disable=SC2053  # patterns
    [[ $(xfcc client) == $(own client) ]]
    # Whoever keeps it must say from whom.
    house_config '' '[headers]
forward = xfcc
xfcc_mode = append_forward'
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *trusted_proxy_san* ]]
}

@test "X-Forwarded-For, X-Forwarded-Proto, Forwarded; request.NAME and response.NAME" {
    house '' '[headers]
x_forwarded_for = true
x_forwarded_proto = true
forwarded = true
request.X-Serial = cf.tls_client_auth.cert_serial
request.X-Verified = cf.tls_client_auth.cert_verified
request.X-Path = concat(http.request.method, " ", http.request.uri.path)
request.X-None = http.request.headers["nothing"][0]
response.X-Served-By = outrider.inbound
response.X-Caller = cf.tls_client_auth.cert_fingerprint_sha256
response.Server = outrider.inbound'
    call /head -H 'X-Forwarded-For: 6.6.6.6' -H 'Forwarded: for=6.6.6.6' -H 'X-Serial: evil' -H 'x_path: evil' -H 'X-None: evil' -D answer >head
    cat head answer
    grep -qx $'X-Forwarded-For: 127.0.0.1\r' head
    grep -qx $'X-Forwarded-Proto: https\r' head
    grep -qiE '^Forwarded: for="?127.0.0.1"?;(proto=https;)?host="?server.test' head
    grep -qx "X-Serial: $(serial client)"$'\r' head
    grep -qx $'X-Verified: true\r' head
    grep -qx $'X-Path: GET /head\r' head
    not grep -q 'evil\|6\.6\.6\.6\|X-None' head
    grep -qix $'x-served-by: web\r' answer
    grep -qi "^x-caller: $(fingerprint client)" answer
    # The service's own copy of such a header gives way.
    call '/set?Server=theirs' -D answer -o /dev/null
    [ "$(grep -ci '^server:' answer)" = 1 ]
    grep -qix $'server: web\r' answer
}

@test "[headers NAME] by hostname and inbound; what is over max_value is left out and counted" {
    house '' '[headers]
request.X-Which = http.host
[headers shop]
hostnames = shop.test, *.shop.test
forward = cloudflare
max_value = 256B
response.X-Shop = http.host'
    HOST=server.test call /head -k >head
    grep -q '^X-Which: server.test' head
    not grep -q '^Cf-' head
    for name in shop.test a.shop.test SHOP.test; do
        HOST=$name call /head -k -D answer -H 'X-Which: evil' >head
        cat head
        not grep -q '^X-Which' head
        grep -q '^Cf-Client-Cert-Sha256' head
        # The whole certificate is larger than 256 bytes.
        not grep -q '^Cf-Client-Cert-Der' head
        grep -qi "^x-shop: " answer
    done
    wait_until 3 metric_is server 'outrider_headers_left_out_total' 3
}

# --- where requests are refused ----------------------------------------------------------------------------

@test "421: a host that belongs to another CA than the connection's" {
    cp "$PKI/partners.crt" partners.crt
    house '' "[ca partners]
file = $T/partners.crt
hostnames = partners.test, *.partners.test"
    [ "$(status_of /a)" = 200 ]
    [ "$(HOST=server.test status_of /b -H 'Host: partners.test')" = 421 ]
    [ "$(HOST=server.test status_of /c -H 'Host: A.Partners.Test:8443')" = 421 ]
    [ "$(HOST=server.test status_of /c -H 'Host: partners.test.')" = 421 ]
    [ "$(AS=partner HOST=partners.test status_of /d -k)" = 200 ]
    [ "$(AS=partner HOST=partners.test status_of /e -k -H 'Host: server.test')" = 421 ]
    [ "$(AS=partner HOST=partners.test status_of /e -k -H 'Host: x.partners.test')" = 200 ]
    not reached 'GET /b'
    [ "$(grep -c 'GET /e' service.out)" = 1 ]
    run call /b -H 'Host: partners.test' -H 'Accept: application/json'
    echo "$output"
    [[ $output == '{"error":"'*'"}' ]]
}

@test "paths that servers read in different ways, where a rule looks at the path" {
    rule='[rule admin]
expression = http.request.uri.path eq "/admin"'
    house '' "$rule"
    for path in /admin //admin /./admin /x/../admin /%61dmin /%61%64min '/admin?x=/b' /x/%2e%2e/admin; do
        [ "$(status_of "$path")" = 403 ] || { echo "$path"; false; }
    done
    for path in /%2fadmin '/x\..\admin' /%00admin /x%5c..%5cadmin '/..;/admin' /%252e/admin /../admin /%zz; do
        [ "$(status_of "$path")" = 400 ] || { echo "$path: $(status_of "$path")"; false; }
    done
    for path in /Admin /admin/ /adminx / '/a?path=%2fadmin%00'; do
        [ "$(status_of "$path")" = 200 ] || { echo "$path"; false; }
    done
    reconfigure 'path_ambiguity = pass' "$rule"
    [ "$(status_of /%2fadmin)" = 200 ]
    [ "$(status_of /x/../admin)" = 403 ]
    # What is passed on is as it came.
    reached 'GET /%2fadmin '
}

@test "protocol = auto: who speaks first decides; what is not HTTP is refused where rules for HTTP apply" {
    rule='[rule x]
expression = http.request.uri.path eq "/x"'
    ports SERVICE
    hello_service "$SERVICE" first
    house 'tcp_fallback = allow' "$rule" auto
    start=$(date +%s%N)
    run ask "$IN" client
    [[ $output == *hello-from-service* ]]
    [ $(($(date +%s%N) - start)) -lt $((2000000000 * OUTRIDER_PATIENCE)) ]
    # The caller speaks first, and not HTTP.
    stop first
    STARTED=(server)
    echo_service "$SERVICE"
    run raw --wait 1 < <(printf '\x00\x01\x02binary')
    [[ $output == *binary* ]]
    # And HTTP, all the same.
    stop echo
    STARTED=(server)
    http_service
    [ "$(status_of /x)" = 403 ]
    [ "$(status_of /y)" = 200 ]
    # In pieces: METHOD, blank, target.
    run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" slow "$IN" --pause 0.001 --wait 2 < <(printf 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    [[ $output == *" 403 "* ]]
    # Without tcp_fallback, auto would be a way around the rule: it is no configuration.
    house_config '' "$rule" auto
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"[rule x]"*"protocol = http, or tcp_fallback = allow"* ]]
    # And where HTTP is demanded, nothing else comes through.
    reconfigure '' "$rule"
    run raw < <(printf '\x00\x01\x02binary\r\n\r\n')
    [[ $output == *" 400 "* && $output != *hello* ]]
}

@test "protocol = auto without rules for HTTP: bytes pass as they are" {
    ports SERVICE
    echo_service "$SERVICE"
    house '' '' auto
    run raw --wait 1 < <(printf 'GET / HTTP/9.9\r\n\r\n')
    [[ $output == *HTTP/9.9* ]]
}

@test "the service is away: all that was sent ahead is answered, one after the other" {
    ports IN SERVICE
    house_config
    start_sidecar server
    count=6000
    [ "$OUTRIDER_SANITIZER" != tsan ] || count=1000
    for ((i = 0; i < count; i++)); do printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'; done >ahead
    printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >>ahead
    raw <ahead >told
    [ "$(grep -c '^HTTP/1.1 502' told)" = $((count + 1)) ]
    [ "$(tail -n 1 told)" = '-- end eof' ]
}

# --- drain and reload --------------------------------------------------------------------------------------

@test "SIGTERM: idle connections end, requests in work are finished with Connection: close" {
    SIDECAR='drain_timeout = 10s
drain_delay = 0s' house
    mkfifo idle.fifo busy.fifo
    for name in idle busy; do
        spawn $name "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo $name.fifo
        echo 'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' >$name.fifo
        wait_until 5 grep -q 'hello from /one' $name.out
    done
    echo 'GET /slow?800 HTTP/1.1\r\nHost: x\r\n\r\n' >busy.fifo
    wait_until 5 reached 'GET /slow'
    kill -TERM "$(pid_of server)"
    wait_until 3 grep -q -- '-- end eof' idle.out
    not grep -qi 'connection: close' idle.out
    wait_until 3 grep -q -- '-- end eof' busy.out
    cat busy.out
    grep -q late busy.out
    grep -qi '^connection: close' busy.out
    ended server 5
    killed_sidecar server
}

@test "SIGTERM: a connection that has asked for nothing yet ends; where it may still be anything, its first request is the last" {
    ports AUTO SERVICE
    SIDECAR='drain_timeout = 10s
drain_delay = 0s' house '' "[inbound auto]
listen = 127.0.0.1:$AUTO
forward = 127.0.0.1:$SERVICE
tcp_fallback = allow
[rule x]
expression = http.request.uri.path eq \"/x\""
    mkfifo silent.fifo auto.fifo
    spawn silent "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo silent.fifo
    spawn auto "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$AUTO" --fifo auto.fifo
    wait_until 5 metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 2
    kill -TERM "$(pid_of server)"
    wait_until 3 grep -q -- '-- end eof' silent.out
    echo 'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' >auto.fifo
    wait_until 3 grep -q -- '-- end eof' auto.out
    grep -qi '^connection: close' auto.out
    grep -q 'hello from /one' auto.out
    ended server 5
    killed_sidecar server
}

@test "reloads under load on kept connections: no request fails" {
    house '' '[headers]
forward = cloudflare'
    mkfifo stop.fifo
    exec 7<>stop.fifo
    for i in 1 2 3; do
        "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --pause 0.002 <&7 >load$i.out 2>load$i.log &
    done
    for i in 1 2 3 4 5; do
        reconfigure '' "[headers]
forward = xfcc
[rule r$i]
expression = http.request.uri.path eq \"/r$i\""
        [ "$(status_of /r$i)" = 403 ]
        cp "$PKI/client2.crt" ignored
        kill -HUP "$(pid_of server)"
    done
    echo >&7 && echo >&7 && echo >&7
    wait_until 10 all_ended
    exec 7>&-
    cat load*.out load*.log
    [ "$(grep -c 'failed 0$' load1.out load2.out load3.out | grep -c ':1')" = 3 ]
}
all_ended() { [ -s load1.out ] && [ -s load2.out ] && [ -s load3.out ]; }

# --- the access log ----------------------------------------------------------------------------------------

@test "a line per request, and what it says" {
    house '' '[rule no]
expression = http.request.uri.path eq "/no"
[ratelimit few]
expression = http.request.uri.path eq "/few"
characteristics = ip.src
requests = 1
period = 60s'
    call /yes?a=b --data-binary hello >/dev/null
    call /no >/dev/null
    call /few >/dev/null
    call /few >/dev/null
    request 'NONSENSE\r\n\r\n' >/dev/null
    call /die -X POST >/dev/null
    wait_until 3 access_at_least 6
    access >lines
    cat lines
    line() { sed -n "$1p" lines; }
    for part in '"message":"POST server.test:'"$IN"' /yes?a=b"' '"inbound":"web"' '"status":200' '"outcome":"complete"' '"protocol":"HTTP/1.1"' '"peer":"127.0.0.1:' \
        'spiffe://cluster.local/ns/shop/sa/client' "\"sha256\":\"$(fingerprint client)\"" '"bytes_in":5' '"bytes_out":20' '"first_byte_ms":' '"duration_ms":'; do
        [[ $(line 1) == *"$part"* ]] || { echo "1: $part"; false; }
    done
    [[ $(line 2) == *'"status":403,"outcome":"answered","rule":"no"'* ]]
    [[ $(line 3) == *'"status":200,"outcome":"complete"'* ]]
    [[ $(line 4) == *'"status":429,"outcome":"answered","ratelimit":"few"'* ]]
    [[ $(line 5) == *'"status":400,"outcome":"bad_request","why":"'* ]]
    [[ $(line 6) == *'"status":502,"outcome":"answered"'* && $(line 6) == *'"why":"'* ]]
    wait_until 3 metric_is server 'outrider_requests_total{code="2xx"}' 2
    metric_is server 'outrider_requests_total{code="4xx"}' 3
    metric_is server 'outrider_requests_total{code="5xx"}' 1
    metric_is server 'outrider_requests_refused_total{by="rule"}' 1
    metric_is server 'outrider_requests_refused_total{by="ratelimit"}' 1
    SIDECAR='log_requests = false
drain_delay = 0s' reconfigure
    call /silent >/dev/null
    call /silent >/dev/null
    not grep -q silent server.log
}

@test "log_requests_every: a line for some of those that went well, for all others always" {
    rule='[rule no]
expression = http.request.uri.path eq "/no"
action = block'
    for format in json text; do
        SIDECAR="log_requests_every = 10
log_format = $format
drain_delay = 0s" house '' "$rule"
        run "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --count 25 --path /fine
        [ "$output" = "requests 25 connections 1 failed 0" ]
        for i in 1 2 3; do call /no >/dev/null; done
        call /die -X POST >/dev/null
        wait_until 3 grep -q "POST.*/die" server.log
        [ "$(grep -c 'GET.*/fine' server.log)" -le 2 ]
        [ "$WORKERS" != 1 ] || [ "$(grep 'GET.*/fine' server.log | grep -cE 'not_logged(":|=)9')" = 2 ]
        [ "$(grep -c 'GET.*/no' server.log)" = 3 ]
        [ "$(grep 'GET.*/no' server.log | grep -cE 'decision(":"|=)rule')" = 3 ]
        stop_sidecar server
        rm server.ended
    done
}

@test "traceparent and X-Request-Id are passed on or made, and stand in the log, for HTTP/1.1 and HTTP/2" {
    house '' '[headers]
traceparent = unsampled
request_id = make'
    trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    run call /head
    grep -qE '^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00' <<<"$output"
    made=$(grep -oE '^X-Request-Id: [0-9a-f-]{36}' <<<"$output" | cut -d' ' -f2)
    [ -n "$made" ]
    wait_until 3 grep -q "\"request_id\":\"$made\",\"traceparent\":\"00-" server.log
    run call /head -H "Traceparent: $trace" -H 'X-Request-Id: mine'
    grep -qi "^traceparent: $trace" <<<"$output"
    grep -qi "^x-request-id: mine" <<<"$output"
    wait_until 3 grep -q "\"request_id\":\"mine\",\"traceparent\":\"$trace\"" server.log
    reconfigure
    run call /head -H 'traceparent: what' -H 'X-Request-Id: two words'
    grep -qi '^traceparent: what' <<<"$output"
    grep -qi '^x-request-id: two words' <<<"$output"
    run call /head
    [[ ${output,,} != *x-request-id* ]]
    stop_sidecar server
    rm server.ended
    ports SERVICE
    mkdir -p www
    echo hello >www/h2
    spawn h2 stdbuf -oL nghttpd --no-tls -v -a 127.0.0.1 -d "$T/www" "$SERVICE"
    wait_until 5 listening "$SERVICE"
    house 'alpn = h2' '[headers]
traceparent = sampled
request_id = make'
    [ "$(call /h2 --http2)" = hello ]
    wait_until 3 grep -qE '"protocol":"HTTP/2".*"request_id":"[0-9a-f-]{36}","traceparent":"00-[0-9a-f-]*-01"' server.log
    made=$(sed -n 's/.*"request_id":"\([^"]*\)".*/\1/p' server.log)
    grep -q "x-request-id: $made" h2.out
    grep -qE 'traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01' h2.out
}

@test "a caller that goes without close_notify: an end between requests, a truncation within one" {
    ports SERVICE
    nginx_service
    echo here >www/k
    house
    cat >go.py <<'PY'
import socket, ssl, sys
pki, port = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context(cafile=pki + "/ca.crt")
context.load_cert_chain(pki + "/client.crt", pki + "/client.key")
def connect():
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="server.test")
s = connect()
s.sendall(b"GET /k HTTP/1.1\r\nHost: server.test\r\n\r\n")
answer = b""
while not answer.endswith(b"here\n"):
    answer += s.recv(4096)
s.close()  # no unwrap(): FIN alone
s = connect()
s.sendall(b"PUT /up HTTP/1.1\r\nHost: server.test\r\nContent-Length: 10\r\n\r\nabc")
s.close()
PY
    python3 go.py "$PKI" "$IN"
    wait_for_log server '"event":"session".*"end":"closed"'
    wait_for_log server '"event":"session".*"end":"truncated"'
    [ "$(grep -c '"end":"truncated"' "$T/server.log")" = 1 ]
}
