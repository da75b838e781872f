#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The status page in Chromium (tests/e2e/page.py): of a real sidecar, and before a listener that plays states
# (tests/e2e/admin_fake.py).
load lib

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

# admin KEYS: a sidecar `server` with an admin listener on "$ADMIN".
admin_sidecar() {
    ports IN ADMIN HEALTH SERVICE
    echo_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
admin = 127.0.0.1:$ADMIN
drain_timeout = 100ms
drain_delay = 0s
workers = $WORKERS

[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
}

@test "status page: as the sidecar serves it" {
    admin_sidecar
    curl -sS -D head -o page.gz -H 'Accept-Encoding: gzip' "http://127.0.0.1:$ADMIN/"
    cat head
    grep -q '^HTTP/1.1 200' head
    grep -qi '^content-type: text/html; charset=utf-8' head
    grep -qi '^cache-control: no-store' head
    grep -qi '^x-content-type-options: nosniff' head
    gzip -dc page.gz >page.html
    # It refers to nothing else.
    run grep -noE '(src|href)=.?(https?:)?//|@import|url\(' page.html
    [ -z "$output" ]
    run curl -sS -w ' %{http_code}' "http://127.0.0.1:$ADMIN/"
    [[ $output == *'curl --compressed'*406 ]]
    # A page of another name, led here by its DNS, does not get it.
    run curl -sS -o /dev/null -w '%{http_code}' --compressed -H 'Host: evil.example' "http://127.0.0.1:$ADMIN/"
    [[ $output == 4* ]]
    python3 "$BATS_TEST_DIRNAME/page.py" real "http://127.0.0.1:$ADMIN/" "$T"
}
