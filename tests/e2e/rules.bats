#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Rules, lists and rate limits with real certificates, over TCP and HTTP.
load lib
load http
setup() { begin; }
teardown() { finish; }

# tcp_house SECTIONS [KEYS]: an inbound of TCP before a service that says hello.
tcp_house() {
    ports IN SERVICE
    hello_service "$SERVICE"
    house "${2:-}" "$1" tcp
}

# passes, refused IDENTITY [OPTIONS...]: over TCP.
passes() {
    run ask "$IN" "$@"
    echo "$1: $output"
    [[ $output == *hello-from-service* ]]
}
refused() {
    run ask "$IN" "$@"
    echo "$1: $output"
    [[ $output != *hello-from-service* && $output == *"access denied"* ]]
}
# as IDENTITY STATUS PATH [OPTIONS...]: over HTTP.
as() {
    local got
    got=$(AS=$1 status_of "${@:3}")
    [ "$got" = "$2" ] || { echo "${*:0:200}: got $got"; return 1; }
}
colons() { sed 's/../&:/g; s/:$//'; }

# --- certificates ------------------------------------------------------------------------------------------

@test "TCP: one serial, one fingerprint, one issuer, one SPIFFE ID" {
    tcp_house "[rule pin]
expression = cf.tls_client_auth.cert_serial ne \"$(serial client)\""
    passes client
    refused client2
    wait_for_log server '"event":"refused".*rule pin refuses'
    reconfigure '' "[rule pin]
expression = cf.tls_client_auth.cert_fingerprint_sha256 eq \"$(fingerprint client)\"" tcp
    refused client
    passes client2
    # The specification's recipe by the issuer's key identifier; ca2 is trusted, too.
    cp -r "$PKI/server" both
    cat "$PKI/ca2.crt" >>both/ca.crt
    ski=$(openssl x509 -in "$PKI/ca.crt" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :')
    CREDENTIALS=$T/both reconfigure '' "[rule one-ca]
expression = not (cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski eq \"$ski\")" tcp
    passes client
    refused client_ca2
    # Whatever that one writes into its certificates.
    printf 'basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=DER:30168014%s\n' "$ski" >liar.ext
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/liar.key" -subj /CN=liar |
        openssl x509 -req -CA "$PKI/ca2.crt" -CAkey "$PKI/ca2.key" -extfile liar.ext -out "$PKI/liar.crt"
    cat "$PKI"/liar.{crt,key} >"$PKI/liar.pem"
    openssl x509 -in "$PKI/liar.crt" -noout -ext authorityKeyIdentifier | tr -d ': ' | grep -q "$ski"
    refused liar
    reconfigure '' '[rule one-service]
expression = not outrider.spiffe_id in {"spiffe://cluster.local/ns/shop/sa/client2"}' tcp
    passes client2
    refused client
}

@test "TCP and HTTP: a revoked certificate, left to the rules" {
    cp -r "$PKI/server" creds
    cp "$PKI/crl-client.pem" creds/crl.pem
    CREDENTIALS=$T/creds
    tcp_house '' 'revoked = rule'
    # Nobody asked about it: the default does not let it pass.
    refused client
    passes client2
    reconfigure 'revoked = rule' '[rule leavers]
expression = cf.tls_client_auth.cert_revoked and cf.tls_client_auth.cert_verified
action = allow' tcp
    passes client
    reconfigure 'revoked = refuse' '[rule leavers]
expression = cf.tls_client_auth.cert_revoked
action = allow' tcp
    run ask "$IN" client
    [[ $output == *revoked* && $output != *hello-from-service* ]]
    stop hello
    STARTED=(server)
    http_service
    reconfigure 'revoked = rule' '[rule revoked]
expression = http.host in {"server.test"} and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)
[rule others]
expression = true
action = allow'
    HOST=server.test
    as client 403 / -H 'Host: server.test'
    as client 200 / -H 'Host: other.test'
    as client2 200 / -H 'Host: server.test'
}

@test "TCP: callers without a certificate, and with one of a stranger" {
    tcp_house '' 'client_auth = request'
    refused none
    wait_for_log server 'not verified: no certificate presented'
    passes client
    reconfigure 'client_auth = request' '[rule guests]
expression = not cf.tls_client_auth.cert_presented and ip.src in {127.0.0.0/8}
action = allow' tcp
    passes none
    passes client
    run ask "$IN" stranger
    [[ $output != *hello-from-service* ]]
    reconfigure 'client_auth = request' '[rule strangers]
expression = not cf.tls_client_auth.cert_verified
[rules]
default = allow' tcp
    refused none
    passes client
}

@test "HTTP: the specification's recipes: a host, a path, one certificate for a host" {
    house 'client_auth = request' "[rules]
default = allow
[rule host]
expression = (http.host in {\"api.example.com\"} and not cf.tls_client_auth.cert_verified)
[rule path]
expression = ((not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked) and http.request.uri.path in {\"/admin\"})
[rule one]
expression = (http.host in {\"mtls.example.com\"} and cf.tls_client_auth.cert_serial ne \"$(serial client)\")
[rule print]
expression = (http.host eq \"print.example.com\" and cf.tls_client_auth.cert_fingerprint_sha256 ne \"$(fingerprint client2)\")"
    as none 200 /
    as none 403 / -H 'Host: api.example.com'
    as client 200 / -H 'Host: api.example.com'
    as none 403 /admin
    as none 403 /x/../admin
    as client 200 /admin
    as client 200 / -H 'Host: mtls.example.com'
    as client2 403 / -H 'Host: mtls.example.com'
    as none 403 / -H 'Host: mtls.example.com'
    as client 403 / -H 'Host: print.example.com'
    as client2 200 / -H 'Host: print.example.com'
    # One connection, each request judged by itself.
    run request 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\nPOST /admin HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcdeGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' --identity none
    echo "$output"
    [ "$(grep -oE '^HTTP/1.1 [0-9]+' <<<"$output" | tr '\n' ' ')" = "HTTP/1.1 200 HTTP/1.1 403 HTTP/1.1 403 HTTP/1.1 200 " ]
    not reached 'POST /admin'
}

# --- actions and order -------------------------------------------------------------------------------------

@test "default auto, allow, deny; allow, skip, log, order, enabled, inbound" {
    house 'client_auth = request' ''
    as client 200 /
    as none 403 /
    reconfigure 'client_auth = request' '[rules]
default = allow'
    as none 200 /
    reconfigure '' '[rules]
default = deny'
    as client 403 /
    reconfigure '' "[rules]
default = deny
[rule first]
expression = http.request.uri.path eq \"/a\"
action = allow
[rule skipped]
expression = http.request.uri.path eq \"/b\"
action = skip
[rule told]
expression = starts_with(http.request.uri.path, \"/\")
action = log
[rule off]
expression = true
enabled = false
[rule elsewhere]
expression = true
inbound = other
[rule teapot]
expression = http.request.uri.path eq \"/tea\"
status = 418
body = short and stout
[rule never]
expression = http.request.uri.path eq \"/a\"
[rule who]
expression = cf.tls_client_auth.cert_serial eq \"$(serial client)\"
action = allow
[inbound other]
listen = 127.0.0.1:$(free_port)
forward = 127.0.0.1:$SERVICE
protocol = http"
    as client 200 /a
    as client2 200 /a
    # skip leaves out the rules behind it: the default is what is left.
    as client 403 /b
    as client 200 /c
    as client2 403 /c
    run call /tea -w ' %{http_code} %{content_type}'
    [ "$output" = "short and stout 418 text/plain; charset=utf-8" ]
    wait_for_log server '"event":"rule","message":"matches","rule":"told"'
    not grep -q '"rule":"told".*"dry_run":true' server.log
    wait_until 3 grep -q '"status":403,"outcome":"answered","rule":"\[rules\] default"' server.log
}

@test "a rule on the connection alone answers with its own status and body" {
    house '' "[rule gone]
expression = cf.tls_client_auth.cert_serial eq \"$(serial client)\"
status = 451
body = {\"error\":\"ask legal\"}"
    run call / -w ' %{http_code} %{content_type}'
    echo "$output"
    [ "$output" = '{"error":"ask legal"} 451 application/json' ]
    as client2 200 /
}

@test "dry_run: told and counted, not done" {
    house '' '[rule try]
expression = http.request.uri.path eq "/try"
dry_run = true'
    as client 200 /try
    wait_for_log server '"message":"would refuse","rule":"try","dry_run":true'
    metric_is server 'outrider_requests_refused_total{by="rule"}' 0
}

@test "the answer to a refused request: text or JSON by Accept; nothing of the rule shows; the connection goes on" {
    house '' '[rule secret-name]
expression = http.request.uri.path eq "/no"'
    run call /no -i
    echo "$output"
    [[ $output == *"HTTP/1.1 403"*"text/plain"*"access denied"* && $output != *secret* ]]
    run call /no -H 'Accept: text/html, application/json;q=0.9'
    [ "$output" = '{"error":"access denied"}' ]
    run call /no -I
    [[ $output == *"HTTP/1.1 403"* ]]
    # A body that is not wanted is read past.
    run request 'POST /no HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\nGET /yes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    [[ $output == *" 403 "*"hello from /yes"* ]]
    # One that is large costs the connection, and the answer still arrives.
    head -c 30000000 /dev/zero >large
    run call /no --data-binary @large -o /dev/null -w '%{http_code}'
    [[ $output == *403* ]]
    not reached 'POST /no'
}

@test "more arguments or cookies than can be held are no way around a rule on them" {
    house '' '[rule args]
expression = any(http.request.uri.args["evil"][*] eq "1")
[rule cookies]
expression = any(http.request.cookies["evil"][*] eq "1")
[rule allowed]
expression = not any(http.request.uri.args.names[*] eq "x")
action = allow
[rules]
default = deny'
    as client 200 '/?a'
    as client 403 '/?evil=1'
    as client 403 /plain -H 'Cookie: evil=1'
    many=$(printf '&a%.0s' {1..8000})
    as client 403 "/?evil=1$many"
    as client 403 "/?$many&evil=1"
    # Of what cannot be held nothing is known: no rule can allow it.
    as client 403 "/?$many"
    many=$(printf ';a%.0s' {1..16000})
    as client 403 /plain -H "Cookie: evil=1$many"
    as client 200 '/?a'
}

# --- lists -------------------------------------------------------------------------------------------------

@test "list files: in every spelling, followed as they change; a mistake keeps the old list" {
    mkdir lists
    echo '# nobody' >lists/serials.txt
    tcp_house "[list leavers]
file = $T/lists/serials.txt
[rule leavers]
expression = cf.tls_client_auth.cert_serial in \$leavers" ''
    passes client
    printf '%s\n' "# leavers" "0x00$(serial client | tr A-F a-f | colons)" >lists/new
    mv lists/new lists/serials.txt
    wait_for_log server '"message":"list changed"'
    refused client
    passes client2
    # Written in place.
    serial client2 >>lists/serials.txt
    wait_until 5 refused client2
    # A mistake, and which.
    before=$(metric server 'outrider_reloads_total{what="config",result="failed"}')
    echo 'not a serial' >>lists/serials.txt
    wait_for_log server 'serials.txt, line 4: .*; what was in service stays|serials.txt, line 4'
    wait_until 3 metric_at_least server 'outrider_reloads_total{what="config",result="failed"}' $((before + 1))
    metric_is server 'outrider_reload_failing{what="config"}' 1
    refused client
    # Mended to what it was.
    sed -i '$d' lists/serials.txt
    wait_until 5 metric_is server 'outrider_reload_failing{what="config"}' 0
    : >lists/serials.txt
    wait_until 5 passes client
}

@test "a list as a ConfigMap mounts it; fingerprints; a reload under load fails no request" {
    mkdir -p volume/..one volume/..two
    fingerprint client2 | tr a-f A-F | colons >volume/..one/prints
    printf '%s\n%s\n' "$(fingerprint client)" "$(fingerprint client2)" >volume/..two/prints
    ln -s ..one volume/..data
    ln -s ..data/prints volume/prints
    house '' "[list prints]
kind = fingerprint
file = $T/volume/prints
[rule prints]
expression = cf.tls_client_auth.cert_fingerprint_sha256 in \$prints and http.request.uri.path eq \"/print\""
    as client 200 /print
    as client2 403 /print
    mkfifo stop.fifo
    exec 7<>stop.fifo
    "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" keepalive "$IN" --pause 0.001 <&7 >load.out 2>load.log &
    for i in 1 2 3; do
        for to in two one; do
            ln -s ..$to volume/..tmp
            mv -T volume/..tmp volume/..data
            [ $to = two ] && want=403 || want=200
            wait_until 5 as client $want /print
        done
    done
    echo >&7
    wait_until 5 test -s load.out
    exec 7>&-
    cat load.out load.log
    grep -q 'connections 1 failed 0' load.out
}

# --- live sessions -----------------------------------------------------------------------------------------

@test "a list's new member cuts a live TCP session after trust_grace, by access_denied; so does a rule; others stay" {
    ports IN SERVICE
    echo_service "$SERVICE"
    TLS='trust_grace = 400ms'
    : >out
    house '' "[list out]
kind = fingerprint
file = $T/out
[rule out]
expression = cf.tls_client_auth.cert_fingerprint_sha256 in \$out" tcp
    mkfifo client.fifo client2.fifo
    for name in client client2; do
        spawn $name "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --identity $name --fifo $name.fifo
        echo one >$name.fifo
        wait_until 5 grep -q one $name.out
    done
    fingerprint client >out
    wait_for_log server '"message":"list changed"'
    echo two >client.fifo
    wait_until 5 grep -q -- '-- end' client.out
    cat client.out
    # Within the grace it still worked.
    grep -q two client.out
    grep -qi -- '-- end .*access_denied' client.out
    wait_for_log server '"event":"session".*rule out refuses'
    echo three >client2.fifo
    wait_until 5 grep -q three client2.out
    # A rule that goes away within the grace: the session stays.
    TLS='trust_grace = 6s' reconfigure '' "[rule out]
expression = cf.tls_client_auth.cert_fingerprint_sha256 eq \"$(fingerprint client2)\"" tcp
    TLS='trust_grace = 6s' reconfigure '' '' tcp
    echo four >client2.fifo
    wait_until 5 grep -q four client2.out
    sleep 6.3
    echo five >client2.fifo
    wait_until 5 grep -q five client2.out
}

@test "a rule added drains a live HTTP connection: what is in work is finished, the next is told" {
    house
    mkfifo busy.fifo idle.fifo
    for name in idle busy; do
        spawn $name "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo $name.fifo
        echo 'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' >$name.fifo
        wait_until 5 grep -q 'hello from /one' $name.out
    done
    echo 'GET /slow?1500 HTTP/1.1\r\nHost: x\r\n\r\n' >busy.fifo
    wait_until 5 reached 'GET /slow'
    reconfigure '' "[rule out]
expression = cf.tls_client_auth.cert_serial eq \"$(serial client)\""
    wait_until 2 grep -q -- '-- end eof' idle.out
    wait_until 5 grep -q -- '-- end eof' busy.out
    cat busy.out
    grep -q late busy.out
    grep -qi '^connection: close' busy.out
    as client 403 /
    as client2 200 /
    # A rule on requests applies to the next request of a live connection.
    reconfigure
    mkfifo next.fifo
    spawn next "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo next.fifo
    echo 'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' >next.fifo
    wait_until 5 grep -q 'hello from /one' next.out
    reconfigure '' '[rule path]
expression = http.request.uri.path eq "/two"'
    echo 'GET /two HTTP/1.1\r\nHost: x\r\n\r\n' >next.fifo
    wait_until 5 grep -q ' 403 ' next.out
    echo 'GET /three HTTP/1.1\r\nHost: x\r\n\r\n' >next.fifo
    wait_until 5 grep -q 'hello from /three' next.out
}

@test "a live connection that began as bytes is drained once its requests are to be looked at" {
    TLS='trust_grace = 300ms'
    house '' '' auto
    mkfifo caller.fifo
    spawn caller "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" hold "$IN" --fifo caller.fifo
    echo 'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' >caller.fifo
    wait_until 5 grep -q 'hello from /one' caller.out
    reconfigure 'tcp_fallback = allow' '[rule path]
expression = http.request.uri.path eq "/two"' auto
    wait_until 5 grep -q -- '-- end' caller.out
}

# --- rate limits -------------------------------------------------------------------------------------------

@test "a rate limit per certificate, by fingerprint and by the sidecar's own header, whatever the caller writes" {
    for characteristic in cf.tls_client_auth.cert_fingerprint_sha256 'http.request.headers["cf-client-cert-sha256"]'; do
        house '' "[headers]
forward = cloudflare
[ratelimit each]
expression = http.request.uri.path eq \"/limited\"
characteristics = $characteristic
requests = 3
period = 60s"
        for i in 1 2 3; do
            as client 200 /limited
        done
        run call /limited -i -H "Cf-Client-Cert-Sha256: $i"
        echo "$output"
        [[ $output == *"HTTP/1.1 429"*"too many requests"* ]]
        [[ $(tr -d '\r' <<<"$output" | sed -n 's/^Retry-After: //p') =~ ^([1-9]|[1-5][0-9]|6[01])$ ]]
        as client2 200 /limited
        as client 200 /other
        [ "$(call /limited -H 'Accept: application/json')" = '{"error":"too many requests"}' ]
        wait_until 3 metric_is server 'outrider_requests_refused_total{by="ratelimit"}' 2
        stop_sidecar server
        STARTED=(service)
        rm server.ended
    done
}

@test "a rate limit: the window slides, mitigation_timeout holds, own status and body, log" {
    house '' '[ratelimit slides]
expression = http.request.uri.path eq "/slides"
characteristics = ip.src
requests = 2
period = 2s
[ratelimit held]
expression = http.request.uri.path eq "/held"
characteristics = ip.src
requests = 1
period = 1s
mitigation_timeout = 1m
status = 503
body = later
[ratelimit told]
expression = http.request.uri.path eq "/told"
characteristics = ip.src
requests = 1
period = 60s
action = log'
    as client 200 /slides
    as client 200 /slides
    as client 429 /slides
    wait_until 4 as client 200 /slides
    as client 200 /held
    run call /held -i
    [[ $output == *" 503 "*later* ]]
    [[ $(tr -d '\r' <<<"$output" | sed -n 's/^Retry-After: //p') =~ ^(5[0-9]|6[01])$ ]]
    sleep 1.2
    as client 503 /held
    as client 200 /told
    as client 200 /told
    as client 200 /told
    wait_for_log server '"event":"ratelimit","message":"over the limit","ratelimit":"told"'
}

@test "a rate limit that counts by the answer: failed log-ins" {
    house '' '[ratelimit logins]
expression = http.request.uri.path eq "/status"
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
counting_expression = http.request.uri.path eq "/status" and http.response.code eq 401
requests = 2
period = 60s'
    for i in 1 2 3 4; do
        as client 202 /status?202
    done
    as client 401 /status?401
    as client 401 /status?401
    as client 401 /status?401
    as client 429 /status?202
    as client2 202 /status?202
}

# --- mistakes ----------------------------------------------------------------------------------------------

@test "a rule with a mistake: the old rules stay, the log and sidecar check point at it" {
    house '' '[rule path]
expression = http.request.uri.path eq "/no"'
    as client 403 /no
    house_config '' '[rule path]
expression = http.request.uri.path eq "/other"
[rule wrong]
expression = cf.tls_client_auth.cert_seriel eq "1"'
    wait_for_log server 'not taken; what was in service stays'
    wait_for_log server 'server.conf:[0-9]+:14: .*cert_seriel'
    as client 403 /no
    as client 200 /other
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *'cf.tls_client_auth.cert_seriel eq "1"'* ]]
    [[ $output == *'^^^^'* ]]
    [[ $output == *cf.tls_client_auth.cert_serial* ]]
    # The caret stands below the word.
    at=$(grep -n 'cert_seriel eq' <<<"$output" | tail -n 1 | cut -d: -f1)
    line=$(sed -n "${at}p" <<<"$output") caret=$(sed -n "$((at + 1))p" <<<"$output")
    before=${line%%cf.tls*}
    [ "${#before}" = "$(($(expr index "$caret" '^') - 1))" ]
    reconfigure '' '[rule path]
expression = http.request.uri.path eq "/other"'
    as client 200 /no
    as client 403 /other
    # http.* at an inbound of TCP draws a warning, and never matches there.
    house_config '' '[rule path]
expression = http.request.uri.path eq "/other"' tcp
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *warning* ]]
}

@test "sidecar check warns of rules that never match, match everything, or are never reached {
    ports IN SERVICE
    : >nobody
    house_config '' "[list nobody]
file = $T/nobody
[rule nobody]
expression = cf.tls_client_auth.cert_serial in \$nobody
[rule two-hosts]
expression = http.host eq \"a\" and http.host eq \"b\"
[rule small-serial]
expression = cf.tls_client_auth.cert_serial eq \"0a\"
[rule ssl]
expression = ssl
[rule ssl-again]
expression = ssl and http.host eq \"a\"
[rule all]
expression = true"
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"[rule nobody]: the list is empty: this matches nothing now"* ]]
    [[ $output == *"[rule two-hosts]: never together with the other value"* ]]
    [[ $output == *"[rule small-serial]: the field has capital hexadecimal digits: this never matches"* ]]
    [[ $output == *"[rule ssl-again]: never reached: the rule ssl before it"* ]]
    [[ $output == *"[rule all]: matches everything"* ]]
    [ "$(grep -c ': warning:' <<<"$output")" = 5 ]
}

@test "[rules] expression_max, regexes_max and regex_max hold" {
    ports IN SERVICE
    long=$(printf 'ssl or %.0s' {1..700})ssl
    house_config '' "[rule long]
expression = $(fold -w 150 -s <<<"$long" | sed '2,$s/^/    /')"
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    [[ $status = 1 && $output == *long* ]]
    sed -i 's/^\[rule long\]/[rules]\nexpression_max = 8KiB\n&/' server.conf
    run "$OUTRIDER_BIN/sidecar" check -c server.conf -q
    [ "$status" = 0 ]
    house_config '' '[rule two]
expression = http.host matches "a" or http.host matches "b[0-9]{500}"'
    "$OUTRIDER_BIN/sidecar" check -c server.conf -q
    sed -i 's/^\[rule two\]/[rules]\nregexes_max = 1\n&/' server.conf
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    [[ $status = 1 && $output == *'more than 1 regular expressions'* ]]
    sed -i 's/^regexes_max = 1$/regex_max = 8KiB/' server.conf
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [[ $status = 1 && $output == *'bad regular expression: '*large* ]]
}
