#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# On a cluster: what changes under live traffic. By tests/kind/run.sh; each test leaves things as it found them.
load lib

serial() { openssl x509 -noout -serial -in "$OUTRIDER_WORK/$1/tls.crt" | cut -d= -f2; }
request() { from_client curl -s --max-time 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:9001$1"; }
request_is() { [ "$(request "$1")" = "$2" ]; }
serves() { request /hostname >/dev/null && [ "$(served_serial)" = "$1" ]; }

@test "a rule added to the ConfigMap holds without a restart" {
    before=$(restarts server)
    request_is /echo?msg=x 200
    ini=$(kubectl -n $NS get configmap server -o jsonpath='{.data.outrider\.ini}')
    put() { kubectl -n $NS create configmap server --from-literal=outrider.ini="$1" --dry-run=client -o yaml | kubectl apply -f - >/dev/null; }
    put "$ini
[rule no-echo]
expression = http.request.uri.path eq \"/echo\"
action = block"
    until_true 180 request_is '/echo?msg=x' 403
    request_is /hostname 200
    put "$ini"
    until_true 180 request_is '/echo?msg=x' 200
    [ "$(restarts server)" = "$before" ]
}

@test "a Secret is rotated under load: not one request fails" {
    before=$(restarts server)
    load
    issue server
    new=$(serial server)
    put_secret server
    until_true 180 serves "$new"
    run load_end
    echo "$output; the new certificate: $new"
    [[ $output =~ made\ ([0-9]+)\ failed\ 0$ ]]
    [ "${BASH_REMATCH[1]}" -gt 20 ]
    [ "$(restarts server)" = "$before" ]
}

@test "a Deployment rolls under load: not one request fails" {
    load
    kubectl -n $NS rollout restart deployment/server
    kubectl -n $NS rollout status deployment/server --timeout=240s
    run load_end
    echo "$output"
    [[ $output =~ made\ ([0-9]+)\ failed\ 0$ ]]
    [ "${BASH_REMATCH[1]}" -gt 20 ]
}

@test "revocation by the Secret's CRL cuts a live connection, and lets no new one in" {
    # A connection that says nothing for a while, through TCP: it lives until it is cut.
    from_client sh -c '(sleep 240) | nc 127.0.0.1 9003; echo ended' >"$BATS_TEST_TMPDIR/held" &
    held=$!
    until_true 20 request_is /hostname 200
    "$OUTRIDER_BIN/certrotate" revoke --ca "$OUTRIDER_WORK/ca" "$OUTRIDER_WORK/client/tls.crt"
    "$OUTRIDER_BIN/certrotate" crl --ca "$OUTRIDER_WORK/ca" --into "$OUTRIDER_WORK/server"
    put_secret server
    until_true 180 log_has server '"end":"untrusted".*revoked|revoked.*"end":"untrusted"'
    until_true 20 request_is /hostname 000
    # A new certificate mends it.
    issue client
    put_secret client
    until_true 180 request_is /hostname 200
    kill "$held" 2>/dev/null || true
}
