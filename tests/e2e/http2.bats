#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# HTTP/2 and gRPC through the sidecar: real services behind it, real clients before it.
load lib
load http
setup() { begin; }
teardown() { finish; }

KEYS='alpn = h2, http/1.1'
CLOUDFLARE='[headers]
forward = cloudflare'

# house2 [SECTIONS [KEYS]]: the inbound speaks h2 and http/1.1; the service must be there.
house2() { house "$KEYS"$'\n'"${2:-}" "$CLOUDFLARE"$'\n'"${1:-}"; }

# nghttpd_service [OPTIONS...]: serves $T/www; what it saw is in service.out when -v is given.
nghttpd_service() {
    mkdir -p www
    echo hello >www/hello
    echo closed >www/closed
    echo limited >www/limited
    [ -n "${SERVICE:-}" ] || ports SERVICE
    spawn service stdbuf -oL nghttpd --no-tls -a 127.0.0.1 -d "$T/www" "$@" "$SERVICE"
    wait_until 5 listening "$SERVICE"
}

grpc_service() {
    [ -n "${SERVICE:-}" ] || ports SERVICE
    spawn service "$PYTHON" "$BATS_TEST_DIRNAME/grpc_peer.py" serve "$SERVICE"
    wait_until 10 listening "$SERVICE"
}

# grpc SPEC...: calls on one channel.
grpc() { timeout $((25 * OUTRIDER_PATIENCE)) "$PYTHON" "$BATS_TEST_DIRNAME/grpc_peer.py" call "$IN" "$PKI" "$@"; }

# several PATH... [-- OPTIONS...]: one curl, one after the other; a line for each: version, status, new connections.
several() {
    local args=()
    while [ $# -gt 1 ] && [ "$2" != -- ]; do
        args+=("https://server.test:$IN$1" -o /dev/null)
        shift
    done
    call "$1" --http2 "${args[@]}" -o /dev/null -w '%{http_version} %{http_code} %{num_connects}\n' "${@:3}"
}

# --- HTTP/2 ------------------------------------------------------------------------------------------------

@test "curl: a body, large files down and up, on one connection" {
    nghttpd_service --echo-upload
    house2
    head -c 3000001 /dev/urandom >www/large
    run call /hello --http2 -w '%{http_version} %{http_code}'
    [ "$output" = $'hello\n2 200' ]
    call /large --http2 >down
    cmp down www/large
    call /echo --http2 --data-binary @www/large >echoed
    cmp echoed www/large
    run several /hello /large /nothing /hello
    echo "$output"
    [ "$output" = $'2 200 1\n2 200 0\n2 404 0\n2 200 0' ]
}

@test "the caller's certificate arrives, and what a caller says of it does not" {
    nghttpd_service -v
    house2
    run call /hello --http2 -H 'Cf-Client-Cert-Sha256: evil' -H 'cf_client_cert_sha256: evil' -H 'Client-Cert: evil' \
        -H 'X-Forwarded-Client-Cert: evil' -H 'CF-Cert-Verified: evil' -H 'X-Harmless: yes'
    [ "$output" = hello ]
    wait_until 3 grep -q 'x-harmless: yes' service.out
    cat service.out
    not grep -q evil service.out
    grep -qE "cf-client-cert-sha256: $(fingerprint client)\$" service.out
    grep -qF "cf-client-cert-der-base64: $(openssl x509 -in "$PKI/client.crt" -outform DER | base64 -w0)" service.out
    wait_until 3 access_at_least 1
    [[ $(access) == *'"status":200,"outcome":"complete"'* ]]
}

@test "a rule and a rate limit answer on their stream, the connection lives" {
    nghttpd_service -v --echo-upload
    house2 '[rule closed]
expression = http.request.uri.path eq "/closed"
[ratelimit few]
expression = http.request.uri.path eq "/limited"
characteristics = ip.src
requests = 2
period = 60s'
    run several /hello /closed /limited /limited /limited /hello
    echo "$output"
    [ "$output" = $'2 200 1\n2 403 0\n2 200 0\n2 200 0\n2 429 0\n2 200 0' ]
    run call /closed --http2 -w '%{http_code}'
    [ "$output" = $'access denied\n403' ]
    run call /limited --http2 -i
    [[ $(tr -d '\r' <<<"$output" | sed -n 's/^retry-after: //p') =~ ^([1-9]|[1-5][0-9]|6[01])$ ]]
    # Bodies of refused requests take nothing from the connection's window.
    head -c 300000 /dev/urandom >up
    run several /closed /closed /closed /closed /hello -- --data-binary @up
    echo "$output"
    [ "$output" = $'2 403 1\n2 403 0\n2 403 0\n2 403 0\n2 200 0' ]
    not grep -q ':path: /closed' service.out
    [ "$(grep -c ':path: /limited' service.out)" = 2 ]
    wait_until 3 metric_is server 'outrider_requests_refused_total{by="rule"}' 6
    wait_until 3 metric_is server 'outrider_requests_refused_total{by="ratelimit"}' 2
}

@test "h2load: two thousand requests over a hundred streams" {
    nghttpd_service
    # h2load has no certificate to show.
    house2 '[rules]
default = allow' 'client_auth = request'
    for shape in '-c 1 -m 100' '-c 10 -m 10'; do
        # shellcheck disable=SC2086  # words
        run timeout $((20 * OUTRIDER_PATIENCE)) h2load -n 2000 $shape "https://127.0.0.1:$IN/hello"
        echo "$output"
        [[ $output == *"Application protocol: h2"* ]]
        [[ $output == *"2000 succeeded, 0 failed, 0 errored, 0 timeout"* ]]
        [[ $output == *"status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"* ]]
    done
    wait_until 5 metric_is server 'outrider_requests_total{code="2xx"}' 4000
}

@test "421 for an authority of another CA; 502 while the service is away" {
    nghttpd_service
    house2 "[ca partners]
file = $PKI/partners.crt
hostnames = partners.example.com"
    run call /hello --http2 -H 'Host: partners.example.com' -w '%{http_version} %{http_code}'
    [ "$output" = $'misdirected request\n2 421' ]
    run call /hello --http2 -H 'Host: other.example.com' -w '%{http_version} %{http_code}'
    [ "$output" = $'hello\n2 200' ]
    stop service
    # nghttp sends its request along with the preface, curl a moment later, and both are told on their stream.
    run nghttp -v --cert="$PKI/client.crt" --key="$PKI/client.key" "https://127.0.0.1:$IN/hello"
    echo "$output"
    [[ $output == *":status: 502"*"the upstream server refused the connection"* ]]
    for _ in 1 2 3 4 5; do
        run call /hello --http2 -w '%{http_version} %{http_code}'
        echo "$output"
        [[ $output == "the upstream server refused the connection"*"2 502" ]]
    done
    nghttpd_service
    run call /hello --http2 -w '%{http_version} %{http_code}'
    [ "$output" = $'hello\n2 200' ]
}

@test "ALPN chooses: HTTP/1.1 on the same inbound" {
    nghttpd_service
    house2
    [ "$(status_of /hello --http2 -w '%{http_version}')" = 2 ]
    stop service
    http_service
    run call /a --http1.1 -w '%{http_version} %{http_code}'
    echo "$output"
    [[ $output == *"hello from /a"*"1.1 200" ]]
    run call /b --no-alpn -w '%{http_version} %{http_code}'
    echo "$output"
    [[ $output == *"hello from /b"*"1.1 200" ]]
}

@test "SIGTERM: GOAWAY, and the open stream comes to its end" {
    grpc_service
    DRAIN=20s
    house2
    # One message of gRPC: not compressed, eight bytes long.
    printf '\0\0\0\0\010%s' 0004,400 >body
    spawn caller stdbuf -oL nghttp -v --cert="$PKI/client.crt" --key="$PKI/client.key" -d body \
        -H 'content-type: application/grpc' -H 'te: trailers' -H ':method: POST' "https://127.0.0.1:$IN/test.Peer/Down"
    wait_until 5 grep -q 'recv DATA' caller.out
    not grep -q 'recv GOAWAY' caller.out
    kill -TERM "$(pid_of server)"
    wait_until 3 grep -q 'recv GOAWAY' caller.out
    not grep -q 'grpc-status' caller.out
    ended caller
    cat caller.out
    grep -q 'grpc-status: 0' caller.out
    [ "$(grep -ao 'message [0-9]' caller.out | tr '\n' ' ')" = "message 0 message 1 message 2 message 3 " ]
    # Long before the drain's time is over.
    ended server 5
    killed_sidecar server
}

# raw2 NAME [TEXT]: a client that sends the preface and SETTINGS, what printf makes of TEXT once it has been greeted, and
# then nothing; what it gets is in NAME.out.
raw2() {
    # shellcheck disable=SC2016  # bash -c expands these
    spawn "$1" bash -c '{
        printf "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
        for ((i = 0; i < 50 && $(stat -c %s "$0.out") < 18; i++)); do sleep 0.1; done
        printf "$1"
        sleep 15
    } | openssl s_client -connect "127.0.0.1:$2" -alpn h2 -quiet -cert "$3.crt" -key "$3.key"' \
        "$1" "${2:-}" "$IN" "$PKI/client"
}
ACK='\0\0\0\4\1\0\0\0\0'

# goaway NAME CODE: NAME was told GOAWAY with this error code.
goaway() { od -An -v -tx1 "$1.out" | tr -d ' \n' | grep -qE "0700000000000000000[0-9]000000$2"; }

@test "who dawdles is let go: SETTINGS without ACK, a header block, a body; and a service that hangs" {
    grpc_service
    house2 '' 'request_timeout = 2s
response_timeout = 3s'
    local began=$SECONDS
    raw2 ack
    # HEADERS without an end.
    raw2 block "$ACK"'\0\0\1\1\0\0\0\0\1\202'
    wait_until 5 goaway ack 04
    wait_until 5 goaway block 01
    run grpc Hang Echo
    echo "$output"
    [[ $output == *"Hang UNAVAILABLE the upstream server does not answer"*"Echo OK same"* ]]
    wait_until 3 grep -q cancelled service.out
    stop service
    nghttpd_service --echo-upload
    # POST / with a body of which no more comes.
    raw2 body "$ACK"'\0\0\6\1\4\0\0\0\1\203\207\204\101\1a\0\0\3\0\0\0\0\0\1abc'
    wait_until 5 grep -q '"message":"POST a /".*"status":408,"outcome":"answered"' server.log
    [ $((SECONDS - began)) -lt 20 ]
}

@test "SIGTERM: a client that does not answer the PING does not hold up the drain" {
    nghttpd_service
    DRAIN=20s
    house2
    raw2 deaf "$ACK"
    wait_until 5 metric_is server 'outrider_connections_open{direction="inbound"}' 1
    kill -TERM "$(pid_of server)"
    wait_until 3 goaway deaf 00
    ended server 5
    killed_sidecar server
}

# --- gRPC --------------------------------------------------------------------------------------------------

@test "gRPC: unary and every kind of stream; metadata; deadlines" {
    grpc_service
    house2
    run grpc Who Echo Echo=3000000 Down=500,0 Up=200 Chat=200 Hang=300 Echo
    grep -v '^got' <<<"$output" || true
    [[ $output == *"Who OK "* && $output != *evil* ]]
    [[ $output == *"[\"cf-client-cert-sha256\", \"$(fingerprint client)\"]"* ]]
    [[ $output == *'["own-bin", "01fe"]'* && $output == *"trailer 00ff80"* ]]
    [ "$(grep -c '^got message' <<<"$output")" = 500 ]
    [ "$(grep -Ev '^(got|Who)' <<<"$output")" = "Echo OK same
Echo OK same
Down OK whole
Up OK 200 of 2000000
Chat OK over
Hang DEADLINE_EXCEEDED Deadline Exceeded
Echo OK same" ]
    # The service is told that nobody waits any more.
    wait_until 3 grep -q cancelled service.out
    # All was one connection.
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
}

@test "gRPC: a blocked method is PERMISSION_DENIED, one too many RESOURCE_EXHAUSTED, the others go on" {
    grpc_service
    house2 '[rule closed]
expression = http.request.uri.path eq "/test.Peer/Closed"
[ratelimit few]
expression = http.request.uri.path eq "/test.Peer/Limited"
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
requests = 2
period = 60s'
    run grpc Echo Closed Closed=3000000 Limited Limited Limited Limited=3000000 Echo=3000000
    echo "$output"
    [ "$(grep . <<<"$output" | cut -d' ' -f1,2)" = "Echo OK
Closed PERMISSION_DENIED
Closed PERMISSION_DENIED
Limited OK
Limited OK
Limited RESOURCE_EXHAUSTED
Limited RESOURCE_EXHAUSTED
Echo OK" ]
    [[ $output == *"Closed PERMISSION_DENIED access denied"* ]]
    [[ $output == *"Limited RESOURCE_EXHAUSTED too many requests"* ]]
    [ "$(sort service.out | uniq -c | tr -s ' ' | tr '\n' ' ')" = " 2 call Echo  2 call Limited " ]
}

@test "gRPC: the service is killed: UNAVAILABLE where no response began, an error in mid-stream; it is back: OK" {
    grpc_service
    house2
    spawn caller timeout 25 "$PYTHON" "$BATS_TEST_DIRNAME/grpc_peer.py" call "$IN" "$PKI" Hang
    spawn reader timeout 25 "$PYTHON" "$BATS_TEST_DIRNAME/grpc_peer.py" call "$IN" "$PKI" Down=2,20000
    wait_until 10 grep -q hangs service.out
    wait_until 10 grep -q 'got message 0' reader.out
    kill -KILL "$(pid_of service)"
    ended caller
    ended reader
    cat caller.out reader.out
    [[ $(cat caller.out) == "Hang UNAVAILABLE "* ]]
    [[ $(tail -n 1 reader.out) == "Down "* ]]
    not grep -q 'Down OK' reader.out
    not grep -q DEADLINE reader.out
    for _ in 1 2 3; do
        run grpc Echo
        echo "$output"
        [ "$output" = "Echo UNAVAILABLE the upstream server refused the connection" ]
    done
    grpc_service
    run grpc Echo
    [ "$output" = "Echo OK same" ]
}
