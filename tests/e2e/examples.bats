#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# What is under deploy/examples: commands run as they stand there, each configuration shows what it is for.
load lib
load http
setup() { begin; }
teardown() { finish; }

examples=$BATS_TEST_DIRNAME/../../deploy/examples

@test "examples: certrotate's page, command by command" {
    cp "$examples"/certrotate/{orders.ini,policy} .
    sed -i 's/^\[sidecar\]$/&\ndrain_delay = 0s\ndrain_timeout = 100ms/' orders.ini # of this test's own haste
    ports IN SERVICE HEALTH
    {
        # What it starts ends with it.
        echo "set -eu; trap 'kill \$(jobs -p) 2>/dev/null || true; wait' EXIT"
        sed -n '/^```sh$/,/^```$/p' "$examples/certrotate/README.md" | grep -v '^```'
    } | sed "s/ORDERS_PORT=8443 SERVICE_PORT=8080 HEALTH_PORT=9902/ORDERS_PORT=$IN SERVICE_PORT=$SERVICE HEALTH_PORT=$HEALTH/" \
        >page.sh
    grep -q "HEALTH_PORT=$HEALTH" page.sh
    run env PATH="$OUTRIDER_BIN:$PATH" timeout 60 bash page.sh 3>&-
    echo "$output"
    cat orders.log
    [ "$status" = 0 ]
    # The caller: let in, refused when revoked, let in again, let in after the roll-over.
    [ "$(grep -cx 200 <<<"$output")" = 3 ]
    grep -qx refused <<<"$output"
    grep -q 'revoked.*keyCompromise' orders.log
    grep -q 'outrider_crl_entries{ca=""}' <<<"$output"
    [[ $(openssl x509 -in credentials/orders/tls.crt -noout -issuer) == *G2* ]]
    [ "$(grep -c BEGIN credentials/orders/ca.crt)" = 1 ]
}

# --- one file per feature ----------------------------------------------------------------------------------

# example NAME: $T/server.conf is the example as it stands, but for this test's folders, ports and haste; it is valid,
# and there is nothing to warn of. The service of http_service.py is on "$SERVICE", callers come to "$IN".
example() {
    ports IN OUT SERVICE HEALTH
    mkdir -p etc/lists etc/partners
    echo 01:02:03 >etc/lists/leavers.txt
    cp "$PKI/partners.crt" etc/partners/ca.crt
    cp -r "$PKI/server" etc/tls
    sed -e "s|/etc/outrider|$T/etc|; s|/run/outrider|$T|" \
        -e "s|0\.0\.0\.0:8443|127.0.0.1:$IN|; s|127\.0\.0\.1:8080|127.0.0.1:$SERVICE|; s|0\.0\.0\.0:9902|127.0.0.1:$HEALTH|" \
        -e "s|[a-z]*\.shop\.svc:8443|127.0.0.1:$IN|; s|127\.0\.0\.1:9001|127.0.0.1:$OUT|" \
        -e "s|^\[sidecar\]\$|&\ndrain_delay = 0s\ndrain_timeout = 100ms\nworkers = $WORKERS|" \
        "$examples/$1.ini" >server.conf
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$output" = "server.conf: valid" ]
}
serve() {
    http_service
    start_sidecar server
}
as() { # as IDENTITY STATUS PATH [OPTIONS...]
    local got
    got=$(AS=$1 status_of "${@:3}") || true
    [ "$got" = "$2" ] || { echo "$*: got $got"; return 1; }
}

@test "examples: every file is one of those tested here" {
    for file in "$examples"/*.ini; do
        grep -q "example $(basename "$file" .ini)\$" "$BATS_TEST_FILENAME" || { echo "$file"; return 1; }
    done
}

@test "examples: tcp" {
    example tcp
    # The way out leads to this sidecar's own way in.
    sed -i 's|sa/orders|sa/server|' server.conf
    echo_service "$SERVICE"
    start_sidecar server
    "$OUTRIDER_TOOLS/tcp" --connect "$OUT" --send 1000000 --check 1 --expect 1000000
    wait_for_log server '"inbound":"database","end":"closed".*"verified":true'
    run ask "$IN" wrongsan
    [[ $output == *"access denied"* ]]
}

@test "examples: sni-ca" {
    example sni-ca
    serve
    as client 200 /
    # curl's -k: the certificate of this test's server has another name.
    HOST=partners.example.com as partner 200 /api/x -k
    HOST=partners.example.com as partner 403 / -k
    not as partner 200 /
    HOST=partners.example.com not as client 200 /api/x -k
}

@test "examples: rules" {
    example rules
    sed -i 's|sa/billing|sa/client2|' server.conf
    serve
    as none 200 /
    run call /admin/users
    [ "$output" = 'hello from /admin/users' ]
    AS=none run call /admin/users -w ' %{http_code}'
    [ "$output" = 'a client certificate is needed here 401' ]
    as client 403 /reports
    as client2 200 /reports
    serial leaver >etc/lists/leavers.txt
    wait_until 5 as leaver 403 /
    call / --tls-max 1.2
    wait_for_log server '"message":"would refuse","rule":"old-tls"'
}

@test "examples: headers" {
    example headers
    serve
    call /head -H 'X-Caller: evil' -D answer >head
    cat head answer
    grep -qx $'X-Caller: spiffe://cluster.local/ns/shop/sa/client\r' head
    grep -qx $'X-Caller-Names: client.test\r' head
    grep -q '^Cf-Client-Cert-Sha256: ' head && grep -q '^X-Forwarded-Client-Cert: ' head && grep -q '^Client-Cert: :' head
    grep -q '^X-Forwarded-For: 127.0.0.1' head
    grep -qi '^X-Served-By: web' answer
    HOST=legacy.shop.svc call /head -k >head
    grep -qx "X-Client-Serial: $(serial client)"$'\r' head
    not grep -q '^Cf-Client-Cert\|^X-Caller' head
}

@test "examples: ratelimit" {
    example ratelimit
    serve
    for _ in 1 2 3 4 5; do as client 200 /orders -d x; done
    as client 429 /orders -d x
    as client 200 /orders
    as client2 200 /orders -d x
    # /status?401 stands for the service's log-in.
    sed -i 's|"/login"|"/status"|g' server.conf
    kill -HUP "$(pid_of server)"
    wait_until 5 metric_at_least server 'outrider_reloads_total{what="config",result="ok"}' 1
    for _ in 1 2 3 4; do as client 401 '/status?401'; done
    as client 429 '/status?202'
    as client2 202 '/status?202'
}

@test "examples: sequence" {
    example sequence
    serve
    for step in cart address pay pay; do as client 200 /$step; done
    [ "$(AS=client2 call /pay)" = 'one step after the other' ]
    as client2 409 /address
    as client2 409 /pay
    wait_for_log server '"event":"quarantine".*"quarantine":"scanners"'
    as client2 403 /
    as client 200 /
}

@test "examples: http2" {
    example http2
    mkdir -p www
    echo hello >www/hello
    spawn service nghttpd --no-tls -a 127.0.0.1 -d "$T/www" "$SERVICE"
    wait_until 5 listening "$SERVICE"
    start_sidecar server
    run call /hello --http2 -w '%{http_version}'
    [ "$output" = $'hello\n2' ]
    run call /shop.Orders/Delete --http2 -H 'content-type: application/grpc' -H 'te: trailers' -d x -D - -o /dev/null
    echo "$output"
    [[ $output == *'HTTP/2 200'*'grpc-status: 7'* ]]
}

@test "examples: outbound" {
    example outbound
    # Who answers is another sidecar, as orders; for billing it is nobody.
    sed -i 's|sa/orders|sa/server|' server.conf
    cp server.conf client.conf
    config server <<INI
[inbound orders]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = http
[headers]
request.X-Caller = outrider.spiffe_id
INI
    sed -i "s|$T/etc/tls|$PKI/client|" client.conf
    serve
    start_sidecar client
    run curl -sS --max-time 10 "http://127.0.0.1:$OUT/head"
    [[ $output == *'X-Caller: spiffe://cluster.local/ns/shop/sa/client'* ]]
    run curl -sS --max-time 10 --unix-socket billing.sock http://billing/
    [ "$status" != 0 ]
    wait_for_log client '"outbound":"billing".*spiffe://cluster.local/ns/shop/sa/server'
}

@test "examples: revocation" {
    example revocation
    cp "$PKI/crl-none.pem" etc/tls/crl.pem
    echo_service "$SERVICE"
    start_sidecar server
    mkfifo caller.fifo
    spawn caller "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --identity client --fifo caller.fifo
    echo one >caller.fifo
    wait_until 5 grep -q one caller.out
    # A new certificate, and the connection that is open stays.
    before=$(openssl s_client -connect "127.0.0.1:$IN" -cert "$PKI/client2.crt" -key "$PKI/client2.key" </dev/null 2>/dev/null | openssl x509 -noout -serial)
    cat "$PKI/p384.crt" >etc/tls/tls.crt
    cat "$PKI/p384.key" >etc/tls/tls.key
    wait_until 5 served p384
    [ "$before" = "serial=$(serial server)" ]
    echo two >caller.fifo
    wait_until 5 grep -q two caller.out
    # Revoked: it ends, and another caller is let in.
    cp "$PKI/crl-client.pem" etc/tls/crl.pem
    wait_until 5 grep -q -- '-- end' caller.out
    grep -qi -- '-- end .*revoked' caller.out
    served p384
}

served() { # served NAME: to another caller
    openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$PKI/client2.crt" -key "$PKI/client2.key" \
        </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null | grep -q "serial=$(serial "$1")"
}

# transparent.bats has its outbounds drive three pods.
@test "examples: transparent" {
    example transparent
    run "$OUTRIDER_BIN/sidecar" redirect --print -c server.conf
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *15001* && $output == *65532* && $output == *8443* ]]
}
