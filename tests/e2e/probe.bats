#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# `sidecar probe` towards openssl, nginx and sidecars: what it says of each step, and its exit status.
# shellcheck disable=SC2030,SC2031  # each test is a shell of its own
load lib
setup() { begin; }
teardown() { finish; }

# server IDENTITY [OPTIONS...]: openssl's server on "$PEER".
server() {
    local identity=$1
    shift
    ports PEER
    spawn peer openssl s_server -accept "127.0.0.1:$PEER" -cert "$PKI/$identity.crt" -key "$PKI/$identity.key" \
        -cert_chain "$PKI/$identity.crt" -CAfile "$PKI/ca.crt" -quiet "$@"
    wait_until 5 listening "$PEER"
}
demanding() { server "$@" -Verify 3 -verify_return_error; }

# probe STATUS IDENTITY [OPTIONS...]: as IDENTITY to "$PEER", unless another target is among the options.
probe() {
    local wanted=$1 identity=$2
    shift 2
    run "$OUTRIDER_BIN/sidecar" probe --cert-dir "$PKI/$identity" --wait $((300 * OUTRIDER_PATIENCE)) "$@"
    echo "$output"
    [ "$status" = "$wanted" ]
    # Nothing of a key, ever.
    [[ $output != *"PRIVATE KEY"* ]]
    [[ $output != *"$(sed -n 2p "$PKI/$identity/tls.key" | cut -c1-40)"* ]]
}
to() { probe "$1" "$2" --sni server.test "127.0.0.1:$PEER" "${@:3}"; }

says() { # says WORDS...: each is in the output
    local words
    for words in "$@"; do
        [[ $output == *"$words"* ]] || { echo "it does not say: $words"; return 1; }
    done
}

@test "all is well: every step is told" {
    demanding server
    to 0 client
    says "connected" "127.0.0.1:$PEER" "TLSv1.3, TLS_AES_128_GCM_SHA256, X25519" "asked for server.test by SNI" \
        "CN=server,O=Outrider tests" "URI:spiffe://cluster.local/ns/shop/sa/server" "trusted by CN=Test CA" \
        "of the CA bundle" "expected server.test: it is there" "demanded of us, and shown" "CN=client" \
        "yes: no refusal within" "none offered" "given: sessions may be resumed"
    [ "${lines[-1]}" = ok ]
    grep -q "$(openssl x509 -in "$PKI/server.crt" -noout -serial | sed 's/.*=//')" <<<"$output"
}

@test "all is well, as JSON" {
    demanding server
    to 0 client --json --alpn h2
    python3 - "$output" <<'PY'
import json, sys
r = json.loads(sys.argv[1])
assert (r["result"], r["words"], r["version"], r["sni"], r["alpn"]) == ("ok", None, "TLSv1.3", "server.test", None), r
assert r["handshaken"] and r["ticket"] and r["addresses"] == [] and r["resolve_seconds"] is None
assert 0 < r["handshake_seconds"] < 60
p, o = r["peer"], r["own"]
assert p["trusted"] and p["name_matches"] and p["names_expected"] == ["server.test"]
assert "URI:spiffe://cluster.local/ns/shop/sa/server" in p["chain"][0]["sans"] and p["chain"][0]["key"] == "EC P-256"
assert [c["subject"].split(",")[0] for c in p["path"]] == ["CN=server", "CN=Test CA"]
assert o["demanded"] and o["shown"] and o["accepted"] and o["certificate"]["subject"].startswith("CN=client")
PY
}

@test "names are looked up, and must be in the certificate" {
    demanding server
    probe 0 client "localhost:$PEER"
    says resolved "expected localhost: it is there"
    probe 5 client --sni elsewhere.test "127.0.0.1:$PEER"
    says "expected elsewhere.test: it is NOT there" "lacks the name demanded: wanted elsewhere.test, has DNS:server.test" \
        "trusted by CN=Test CA"
    probe 0 client "127.0.0.1:$PEER"
    says "expected 127.0.0.1: it is there" "asked for no name by SNI"
}

@test "the peer's certificate has expired" {
    demanding expired
    to 5 client
    says "which is over" "untrusted: certificate expired" "2021-01-01" "came to nothing before ours was shown"
}

@test "the peer's certificate is another CA's" {
    demanding stranger
    to 5 client
    says "issuer not trusted" "CN=Other CA"
}

@test "the peer's certificate is revoked" {
    cp -rL "$PKI/client" own
    cp "$PKI/crl-client.pem" own/crl.pem
    demanding leaver
    run "$OUTRIDER_BIN/sidecar" probe --cert-dir own --sni leaver.test "127.0.0.1:$PEER"
    echo "$output"
    [ "$status" = 5 ]
    says "certificate revoked" "on its issuer's revocation list of"
    run "$OUTRIDER_BIN/sidecar" probe --cert-dir own --sni leaver.test --json "127.0.0.1:$PEER"
    python3 -c 'import json, sys
p = json.loads(sys.argv[1])["peer"]
assert p["status"] == "revoked" and p["path"][0]["crl"]["status"] == "revoked", p' "$output"
}

@test "refused by the peer: in TLS 1.3 after our Finished, in 1.2 before" {
    for version in -tls1_3 -tls1_2; do
        demanding server $version
        to 6 stranger
        says "alert unknown_ca" "refused: peer sent alert unknown_ca"
        to 6 client --no-cert
        says "we have shown none" "alert"
        [ $version = -tls1_2 ] || says certificate_required "it demands a certificate, and we showed none"
        stop peer
    done
}

@test "no certificate is demanded of us" {
    server server
    to 0 client
    says "no certificate was demanded of us"
}

@test "TLS 1.2 only, with certificates of every kind" {
    for identity in server rsa p384 chained; do
        demanding $identity -tls1_2
        to 0 client
        says TLSv1.2 ECDHE- "demanded of us, and shown"
        stop peer
    done
}

@test "nothing in common" {
    server server -tls1_1 -cipher DEFAULT@SECLEVEL=0
    to 6 client
    says protocol_version "does not speak the TLS versions"
}

@test "unreachable: port closed, no such name, a peer that hangs" {
    ports PEER
    to 3 client
    says "connection refused"
    probe 3 client "no-such-name.invalid:443"
    says "no-such-name.invalid"
    spawn hanging socat "TCP-LISTEN:$PEER,bind=127.0.0.1,reuseaddr,fork" EXEC:'sleep 60'
    wait_until 5 listening "$PEER"
    to 3 client --timeout 300
    says "did not go on with the handshake within 300 ms"
}

@test "not TLS at all, and a peer that hangs up" {
    ports PEER
    # It reads what it is sent, else it may be gone before its greeting is.
    spawn plain socat "TCP-LISTEN:$PEER,bind=127.0.0.1,reuseaddr,fork" SYSTEM:'echo hello; cat >/dev/null'
    wait_until 5 listening "$PEER"
    to 4 client
    says "not TLS"
    stop plain
    ports PEER
    spawn mute socat "TCP-LISTEN:$PEER,bind=127.0.0.1,reuseaddr,fork" EXEC:true
    wait_until 5 listening "$PEER"
    to 4 client
    says "closed the connection in the handshake"
}

@test "nginx, with a client certificate and without" {
    ports PEER
    cat >nginx.conf <<CONF
daemon off; pid $T/nginx.pid; error_log stderr; worker_processes 1;
events { }
http {
    access_log off;
    server {
        listen 127.0.0.1:$PEER ssl http2;
        ssl_certificate $PKI/server.crt; ssl_certificate_key $PKI/server.key;
        ssl_client_certificate $PKI/ca.crt; ssl_verify_client on;
    }
}
CONF
    spawn nginx nginx -c "$T/nginx.conf" -e stderr
    wait_until 5 listening "$PEER"
    to 0 client --alpn h2 --alpn http/1.1
    says "ALPN                     h2" "demanded of us, and shown"
    # nginx tells who has no certificate only by status 400.
    to 0 client --no-cert
    says "we have shown none"
}

@test "a sidecar that requires certificates: who is admitted, and in which words the others are not" {
    inbound $'allow_san = spiffe://cluster.local/ns/shop/*\n[rule out]\nexpression = cf.tls_client_auth.cert_subject_dn contains "client2"'
    PEER=$IN
    to 0 client
    says "yes: the peer began to speak" X25519MLKEM768
    to 6 wrongsan
    says "alert access_denied" "its rules or the names that it lets in are against us"
    to 6 client2
    says "alert access_denied"
    to 6 stranger
    says "alert unknown_ca: it does not trust the CA that issued our certificate"
    to 6 client --no-cert
    says "alert certificate_required"
    # The sidecar's own credentials, which have expired, it would not use; no more does the probe.
    probe 1 expired "127.0.0.1:$PEER"
    says expired
}

@test "a sidecar that only requests certificates" {
    inbound $'client_auth = request\n[rules]\ndefault = allow'
    PEER=$IN
    to 0 client --no-cert
    says "we have shown none" "yes: the peer began to speak"
}

@test "an outbound of a configuration" {
    demanding server
    config client <<INI
[outbound web]
listen = 127.0.0.1:1
connect = localhost:$PEER
allow_san = spiffe://cluster.local/ns/shop/sa/server
alpn = h2
[outbound other]
listen = 127.0.0.1:2
connect = localhost:$PEER
server_name = orders.test
INI
    run "$OUTRIDER_BIN/sidecar" probe -c client.conf --outbound web
    echo "$output"
    [ "$status" = 0 ]
    says "expected spiffe://cluster.local/ns/shop/sa/server: it is there" "asked for localhost by SNI" "nothing agreed on"
    run "$OUTRIDER_BIN/sidecar" probe -c client.conf --outbound other
    [ "$status" = 5 ]
    says "expected orders.test"
    run "$OUTRIDER_BIN/sidecar" probe -c client.conf --sni server.test "127.0.0.1:$PEER"
    [ "$status" = 0 ]
    run "$OUTRIDER_BIN/sidecar" probe -c client.conf --outbound none
    [ "$status" = 2 ]
}

@test "wrong usage" {
    for arguments in '' 'localhost:1' '--cert-dir x' '--cert-dir x localhost' '--cert-dir x localhost:0' \
        '--cert-dir x ::1:443' '--cert-dir x --outbound y a:1' '--cert-dir x --timeout 1s a:1' '--nonsense'; do
        # shellcheck disable=SC2086  # words
        run "$OUTRIDER_BIN/sidecar" probe $arguments
        [ "$status" = 2 ]
    done
    run "$OUTRIDER_BIN/sidecar" probe --cert-dir /nonexistent localhost:1
    [ "$status" = 1 ]
    run "$OUTRIDER_BIN/sidecar" probe --help
    [ "$status" = 0 ]
}
