#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Inbound handshakes with openssl as the caller: who gets in, which alert the others get, what the log says in words.
load lib
setup() { begin; }
teardown() { finish; }

# refused IDENTITY ALERT WORDS [OPTIONS...]: does not reach the service; openssl is told ALERT (a regular expression),
# the log says WORDS on one line of event "refused".
refused() {
    local identity=$1 alert=$2 words=$3 before
    shift 3
    before=$(grep -c '"event":"refused"' "$T/server.log") || true
    run ask "$IN" "$identity" "$@"
    echo "$identity: $output"
    [[ $output != *hello-from-service* ]]
    grep -qiE "$alert" <<<"$output"
    wait_until 3 more_refused "$before"
    tail -n 1 "$T/server.log"
    grep '"event":"refused"' "$T/server.log" | tail -n 1 | grep -qE "$words"
}
more_refused() { [ "$(grep -c '"event":"refused"' "$T/server.log")" -gt "$1" ]; }

admitted() { # admitted IDENTITY [OPTIONS...]
    run ask "$IN" "$@"
    echo "$*: $output"
    [[ $output == *hello-from-service* ]]
}

@test "a good certificate gets in, and the session line says who" {
    inbound
    admitted client -servername server.test
    [[ $output == *TLSv1.3* ]]
    wait_for_log server '"event":"session"'
    line=$(grep '"event":"session"' "$T/server.log")
    echo "$line"
    for part in '"inbound":"web"' '"end":"closed"' '"peer":"127.0.0.1:' 'CN=client' 'spiffe://cluster.local/ns/shop/sa/client' \
        '"tls":"TLSv1.3"' '"cipher":"TLS_' '"group":"' '"sni":"server.test"' '"verified":true' '"bytes_out":19' '"duration_ms":'; do
        [[ $line == *"$part"* ]]
    done
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
}

@test "no certificate, TLS 1.3 and 1.2" {
    inbound
    refused none 'certificate required' 'no certificate presented' -tls1_3
    refused none 'handshake failure' 'no certificate presented' -tls1_2
    wait_until 3 metric_is server 'outrider_handshakes_total{direction="inbound",result="failed"}' 2
}

@test "expired, and since when" {
    inbound
    refused expired 'certificate expired' 'expired [0-9]+ days ago \(2021-01-01' -tls1_3
    refused expired 'certificate expired' 'expired' -tls1_2
}

@test "not yet valid" {
    inbound
    refused future 'certificate (expired|unknown)|bad certificate' 'valid only in [0-9]+ days \(2100-01-01'
}

@test "another CA, and its name" {
    inbound
    refused stranger 'unknown ca' 'issuer not trusted: .*CN=Other CA'
    [[ $(grep '"event":"refused"' "$T/server.log" | tail -n 1) == *'"alert_sent":"unknown_ca"'* ]]
}

@test "a CA of the same name with another key" {
    inbound
    refused forged 'unknown ca|bad certificate|decrypt error|certificate unknown' 'signature|issuer not trusted'
}

@test "extended key usage that forbids it" {
    inbound
    refused wrongeku 'unsupported certificate|bad certificate|certificate unknown' 'usage|clientAuth'
    refused serveronly 'unsupported certificate|bad certificate|certificate unknown' 'usage|clientAuth'
}

@test "a certificate that plays authority" {
    inbound
    refused leafca 'unknown ca|bad certificate|certificate unknown' 'not a CA|CA certificate|basicConstraints|may not (issue|sign)'
}

@test "self-signed" {
    inbound
    refused selfsigned 'unknown ca|bad certificate' 'selfsigned'
}

@test "a name that allow_san does not list" {
    inbound 'allow_san = spiffe://cluster.local/ns/shop/*'
    refused wrongsan 'access denied' 'spiffe://other/x'
    admitted client
}

@test "RSA of 1024 bits is too weak" {
    inbound
    run ask "$IN" weak -cipher DEFAULT@SECLEVEL=0
    [[ $output != *hello-from-service* ]]
    wait_for_log server '"event":"refused".*(RSA|bits|weak)'
}

@test "RSA, P-384, Ed25519 and a chain with an intermediate get in" {
    inbound
    for identity in rsa p384 ed25519 chained; do
        admitted "$identity" -tls1_3
        admitted "$identity" -tls1_2
    done
}

@test "own certificates of every kind are served, with their chain" {
    for identity in rsa p384 ed25519 chained; do
        inbound '' "$identity"
        admitted client -verify_return_error -verify_hostname server.test
        stop_sidecar server
        STARTED=(hello)
        stop hello
        rm "$T/server.ended"
        STARTED=()
    done
}

@test "an extra root and unrelated certificates in the caller's chain do no harm" {
    inbound
    cat "$PKI/client.crt" "$PKI/other.crt" "$PKI/ca.crt" "$PKI/partner.crt" >"$T/chain.crt"
    run openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$PKI/client.crt" -key "$PKI/client.key" \
        -cert_chain "$T/chain.crt" -brief -ign_eof </dev/null
    echo "$output"
    [[ $output == *hello-from-service* ]]
}

@test "an evil intermediate is refused, and so is its leaf alone ever after" {
    inbound
    refused evil 'unknown ca' 'issuer not trusted'
    cp "$PKI/evil_leaf.crt" "$T/lone.crt"
    for _ in 1 2 3; do
        run openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$T/lone.crt" -key "$PKI/evil.key" -brief \
            -ign_eof </dev/null
        echo "$output"
        [[ $output != *hello-from-service* ]]
        [[ $output == *"unknown ca"* ]]
    done
    admitted client
}

@test "a root renewed with the same key counts" {
    mkdir "$T/renewed"
    cp "$PKI/server/tls.crt" "$PKI/server/tls.key" "$T/renewed/"
    cp "$PKI/renewed.crt" "$T/renewed/ca.crt"
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[tls]
directory = $T/renewed
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    admitted client
}

@test "TLS 1.0 and 1.1 are refused, 1.2 only where min_version lets it" {
    inbound
    refused client 'protocol version|unsupported protocol|handshake failure' 'version' -tls1 -cipher DEFAULT@SECLEVEL=0
    refused client 'protocol version|unsupported protocol|handshake failure' 'version' -tls1_1 -cipher DEFAULT@SECLEVEL=0
    admitted client -tls1_2
    [[ $output == *TLSv1.2* ]]
}

@test "min_version = 1.3 refuses 1.2" {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[tls]
directory = $PKI/server
min_version = 1.3
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    refused client 'protocol version' 'version' -tls1_2
    admitted client -tls1_3
}

@test "weak suites find no taker; every AEAD one with ephemeral keys does" {
    inbound
    for suite in AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA AES128-SHA DHE-RSA-AES128-GCM-SHA256; do
        refused client 'handshake failure' 'cipher' -tls1_2 -cipher "$suite:@SECLEVEL=0"
    done
    for suite in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305; do
        admitted client -tls1_2 -cipher "$suite"
    done
    for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
        admitted client -tls1_3 -ciphersuites "$suite"
    done
}

@test "groups: X25519, P-256, hybrid by default; others not" {
    inbound
    admitted client -curves X25519
    admitted client -curves P-256
    refused client 'handshake failure|illegal parameter' 'group|handshake' -curves P-521
    "$OUTRIDER_TOOLS/load" new --connect "$IN" --ca "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" \
        --count 1 --size 1 --group X25519MLKEM768 --seconds 5 || true # the service says hello instead of an echo
    wait_for_log server '"group":"X25519MLKEM768"'
}

@test "renegotiation is refused" {
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    mkfifo in
    timeout 10 openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$PKI/client.crt" -key "$PKI/client.key" \
        -tls1_2 -msg <in >out 2>&1 3>&- &
    exec 7>in
    echo before >&7
    wait_until 5 grep -q '^before' out
    echo R >&7
    wait_until 5 grep -q RENEGOTIATING out
    (echo after >&7) 2>/dev/null || true # whoever reads may be gone
    exec 7>&-
    wait $! || true
    # Not a second ServerHello.
    [ "$(grep -c 'ServerHello$' out)" = 1 ]
    ! sed '1,/RENEGOTIATING/d' out | grep -q ServerHello
}

@test "client_auth = request: known callers are verified, others let in as not verified only by rule" {
    inbound $'client_auth = request\n[rules]\ndefault = allow'
    admitted client
    wait_for_log server '"verified":true'
    admitted none
    wait_for_log server '"verified":false'
    admitted none -tls1_2
}

@test "client_auth = none asks for nothing" {
    inbound $'client_auth = none\n[rules]\ndefault = allow'
    run ask "$IN" none -msg
    [[ $output == *hello-from-service* ]]
    [[ $output != *CertificateRequest* ]]
}

@test "plaintext = allow tells TLS from plaintext by the first bytes" {
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
plaintext = allow
[rules]
default = allow
INI
    start_sidecar server
    run load_tls new "$IN" --count 5 --sni server.test
    echo "$output"
    [ "$status" = 0 ]
    run "$OUTRIDER_TOOLS/tcp" --connect "$IN" --send 100000 --check 1 --expect 100000
    echo "$output"
    [ "$status" = 0 ]
}

@test "plaintext is refused otherwise, in words" {
    inbound
    run curl -sS --max-time 5 "http://127.0.0.1:$IN/"
    [ "$status" != 0 ]
    wait_for_log server '"event":"refused".*TLS'
    run "$OUTRIDER_TOOLS/tcp" --connect "$IN" --send 10000
    wait_until 3 metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 0
}

@test "a ClientHello in many small segments is ordinary" {
    inbound
    python3 - "$IN" "$PKI" <<'PY'
import socket, ssl, sys, time
port, pki = int(sys.argv[1]), sys.argv[2]
ctx = ssl.create_default_context(cafile=pki + "/ca.crt")
ctx.load_cert_chain(pki + "/client.crt", pki + "/client.key")
for size in (1, 7, 200):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = ctx.wrap_bio(i, o, server_hostname="server.test")
    got = b""
    while True:
        try:
            got = t.read(100)
            break
        except ssl.SSLWantReadError:
            pass
        out = o.read()
        for k in range(0, len(out), size):
            s.sendall(out[k:k + size])
            time.sleep(0.0005)
        data = s.recv(65536)
        assert data, "closed"
        i.write(data)
    assert got == b"hello-from-service\n", got
    s.close()
PY
}

@test "curl: HTTP through mutual TLS, a large body both ways, and through a pair in plaintext" {
    ports SERVICE
    cat >web.py <<'PY'
import http.server, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
PY
    spawn http python3 web.py "$SERVICE"
    wait_until 5 listening "$SERVICE"
    pair
    head -c 5000000 /dev/urandom >body
    curl -sS --max-time 20 --connect-to "server.test:443:127.0.0.1:$IN" --cacert "$PKI/ca.crt" --cert "$PKI/client.crt" \
        --key "$PKI/client.key" --data-binary @body -o back https://server.test/
    cmp body back
    curl -sS --max-time 20 --data-binary @body -o back2 "http://127.0.0.1:$OUT/"
    cmp body back2
    run curl -sS --max-time 20 --connect-to "server.test:443:127.0.0.1:$IN" --cacert "$PKI/ca.crt" -d x https://server.test/
    [ "$status" != 0 ]
    wait_for_log server '"event":"refused".*no certificate presented'
}
