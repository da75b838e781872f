#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# `sidecar explain`: what a configuration would make of a certificate; and that a running sidecar makes the same of it.
load lib
setup() { begin; }
teardown() { finish; }

# explain STATUS CERTIFICATE [OPTIONS...]: by server.conf
explain() {
    local wanted=$1 certificate=$2
    shift 2
    run "$OUTRIDER_BIN/sidecar" explain -c server.conf "$@" "$certificate"
    echo "$output"
    [ "$status" = "$wanted" ]
}
says() {
    local words
    for words in "$@"; do
        [[ $output == *"$words"* ]] || { echo "it does not say: $words"; return 1; }
    done
}

@test "explained as it is done: every certificate of the test authority, before a running sidecar" {
    cp -rL "$PKI/server" own
    cp "$PKI/crl-client.pem" own/crl.pem
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[tls]
directory = $T/own
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
allow_san = spiffe://cluster.local/ns/shop/*
[rule out]
expression = cf.tls_client_auth.cert_subject_dn contains "client2"
INI
    start_sidecar server
    for identity in client client2 leaver rsa p384 ed25519 chained expired future stranger forged wrongeku serveronly \
        wrongsan selfsigned leafca weak evil; do
        run ask "$IN" "$identity" -cipher DEFAULT@SECLEVEL=0
        admitted=3
        [[ $output != *hello-from-service* ]] || admitted=0
        explain $admitted "$PKI/$identity.crt"
        [ $admitted = 0 ] && continue
        # And in the same words.
        words=$(sed -n 's/^  not accepted: //p' <<<"$output")
        wait_for_log server "\"event\":\"refused\""
        python3 - "$words" server.log <<'PY'
import json, re, sys
lines = [json.loads(l) for l in open(sys.argv[2]) if '"event":"refused"' in l]
ago = lambda text: re.sub(r"\d+ (day|hour|minute|second)s?", "", text)
assert ago(lines[-1]["message"]) == ago(sys.argv[1]), (lines[-1]["message"], sys.argv[1])
PY
    done
}

@test "by which CA, and what its revocation list says" {
    cp -rL "$PKI/server" own
    cp "$PKI/crl-client.pem" own/crl.pem
    config server <<INI
[tls]
directory = $T/own
[ca partners]
file = $PKI/other.crt
hostnames = *.partners.test
[inbound web]
listen = 127.0.0.1:1
forward = 127.0.0.1:2
INI
    explain 0 "$PKI/server.crt"
    says "judged by [tls]" "trusted by CN=Test CA" "not on its issuer's revocation list of" "it pass"
    explain 3 "$PKI/client.crt"
    says "on its issuer's revocation list of" "not accepted: certificate revoked"
    explain 3 "$PKI/stranger.crt"
    says "not accepted: issuer not trusted: CN=Other CA"
    explain 0 "$PKI/stranger.crt" --sni A.Partners.test
    says "judged by [ca partners]" "trusted by CN=Other CA"
    explain 3 "$PKI/server.crt" --sni a.partners.test
    explain 0 "$PKI/server.crt" --json
    python3 - "$output" <<'PY'
import json, sys
r = json.loads(sys.argv[1])
f = r["findings"][0]
assert r["chain"][0]["subject"].startswith("CN=server")
assert (f["direction"], f["section"], f["ca"], f["accepted"], f["words"]) == ("inbound", "web", "", True, None)
assert f["path"][0]["crl"]["status"] == "good" and f["path"][1]["crl"] is None
assert (f["rules_verdict"], f["rule"], f["rules"]) == ("pass", None, [])
PY
}

@test "rules: which match, which decides, which depend on the request" {
    config server <<INI
[inbound web]
listen = 127.0.0.1:1
forward = 127.0.0.1:2
protocol = http
[inbound raw]
listen = 127.0.0.1:3
forward = 127.0.0.1:4
protocol = tcp
[rules]
default = deny
[rule in]
expression = any(outrider.san.dns[*] eq "client.test") or outrider.spiffe_id contains "/sa/client"
action = allow
inbound = raw
[rule dry]
expression = cf.tls_client_auth.cert_verified
dry_run = true
[rule path]
expression = http.request.uri.path eq "/open"
action = allow
inbound = web
INI
    explain 0 "$PKI/client.crt" --inbound raw
    says "rule in (allow) matches" "rule dry (block, dry run) matches" "in lets it pass"
    [[ $output != *"inbound web"* ]]
    explain 3 "$PKI/server.crt" --inbound raw
    says "rule in (allow) does not match" "no rule decides; the default refuses it"
    explain 0 "$PKI/server.crt" --inbound web
    says "rule path (allow) depends on the request" "each request is decided on"
    explain 3 "$PKI/server.crt"
    says "inbound web" "inbound raw"
}

@test "as the server of an outbound; from a directory alone; files with more in them" {
    config server <<INI
[outbound web]
listen = 127.0.0.1:1
connect = localhost:2
server_name = server.test
INI
    explain 0 "$PKI/server.crt" --outbound web
    says "server.test: it has that name"
    explain 3 "$PKI/client.crt" --outbound web
    says "server.test: no" "lacks the name demanded"
    explain 3 "$PKI/clientonly.crt" --outbound web
    says "not for servers"
    run "$OUTRIDER_BIN/sidecar" explain --cert-dir "$PKI/server" - <"$PKI/client.pem"
    echo "$output"
    [ "$status" = 0 ]
    [[ $output != *"PRIVATE KEY"* ]]
    openssl x509 -in "$PKI/client.crt" -outform DER -out client.der
    run "$OUTRIDER_BIN/sidecar" explain --cert-dir "$PKI/server" client.der
    [ "$status" = 0 ]
}

@test "what cannot be used, and wrong usage" {
    config server </dev/null
    printf '[inbound web]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:2\n' >>server.conf
    explain 1 nowhere.crt
    says "No such file"
    explain 1 server.conf
    says "no certificate"
    explain 2 "$PKI/client.crt" --inbound other
    explain 2 "$PKI/client.crt" --outbound web
    printf '[rule r]\nexpression = nonsense\n' >>server.conf
    explain 1 "$PKI/client.crt"
    says nonsense
    run "$OUTRIDER_BIN/sidecar" explain "$PKI/client.crt"
    [ "$status" = 2 ]
    run "$OUTRIDER_BIN/sidecar" explain --help
    [ "$status" = 0 ]
}

@test "a certificate's words are shown so that no terminal obeys them, or shows others" {
    inbound
    # ESC, the C1 code for the same, what turns text around.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout sly.key -out sly.crt -days 1 -utf8 \
        -subj $'/CN=a\u202etxt\u009b2J\x1b[2Jb' 2>err || cat err
    explain 3 sly.crt
    says 'CN=a\E2\80\AEtxt\C2\9B2J\1B[2Jb'
    [[ $output != *[$'\x1b\u202e\u009b']* ]]
}
