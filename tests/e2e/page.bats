#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The status page in Chromium (tests/e2e/page.py): of a real sidecar, and before a listener that plays states
# (tests/e2e/admin_fake.py).
load lib
load http

setup_file() {
    "$BATS_TEST_DIRNAME/../../deploy/deps/packages.sh" browser
}
setup() { begin; }
teardown() { finish; }

# page CASE: in front of a listener of its own.
page() {
    [ -z "$OUTRIDER_SANITIZER" ] || skip "no sidecar takes part"
    ports ADMIN
    spawn fake python3 "$BATS_TEST_DIRNAME/admin_fake.py" "$ADMIN" --page "$BATS_TEST_DIRNAME/../../sidecar/admin/page.html"
    wait_until 10 grep -q ready "$T/fake.out"
    python3 "$BATS_TEST_DIRNAME/page.py" "$1" "http://127.0.0.1:$ADMIN/" "$T"
}

@test "status page: every part shows what the listener says" {
    page contents
}

@test "status page: a thousand peers, sorted and filtered, by keyboard" {
    page many
}

@test "status page: names from outside are text" {
    page hostile
}

@test "status page: no answer, not ready, empty, paused" {
    page away
}

@test "status page: phone, light and dark, accessible names, nothing jumps" {
    page looks
}

# hold IDENTITY: a connection that stays open without a word.
hold() {
    spawn "held_$1" openssl s_client -connect "127.0.0.1:$IN" -CAfile "$PKI/ca.crt" -cert "$PKI/$1.crt" -key "$PKI/$1.key" \
        -quiet -ign_eof
}

@test "status page: of a sidecar with callers" {
    ports ADMIN
    SIDECAR="admin = 127.0.0.1:$ADMIN
drain_timeout = 100ms
drain_delay = 0s" house '' '[rule no-admin]
expression = http.request.uri.path eq "/admin"
action = block
[ratelimit plenty]
expression = cf.tls_client_auth.cert_verified
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
requests = 1000
period = 60s'
    # As it is served: its policy is proved by the browser; it refers to nothing else.
    curl -sS -D head -o page.gz -H 'Accept-Encoding: gzip' "http://127.0.0.1:$ADMIN/"
    cat head
    grep -q '^HTTP/1.1 200' head
    grep -qi '^content-type: text/html; charset=utf-8' head
    grep -qi '^cache-control: no-store' head
    grep -qi '^x-content-type-options: nosniff' head
    gzip -dc page.gz >page.html
    run grep -noE '(src|href)=.?(https?:)?//|@import|url\(' page.html
    [ -z "$output" ]
    run curl -sS -w ' %{http_code}' "http://127.0.0.1:$ADMIN/"
    [[ $output == *'curl --compressed'*406 ]]
    # A page of another name, led here by its DNS, does not get it.
    run curl -sS -o /dev/null -w '%{http_code}' --compressed -H 'Host: evil.example' "http://127.0.0.1:$ADMIN/"
    [[ $output == 4* ]]
    for path in / / / /admin; do
        AS=client status_of "$path"
    done
    # A stranger whose name is a trap.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout trap.key -out trap.crt -days 1 \
        -subj '/CN=<img src=x onerror="window.hurt=1">' 2>/dev/null
    openssl s_client -connect "127.0.0.1:$IN" -cert trap.crt -key trap.key -brief </dev/null >/dev/null 2>&1 || true
    hold client2
    python3 "$BATS_TEST_DIRNAME/page.py" real "http://127.0.0.1:$ADMIN/" "$T"
}
