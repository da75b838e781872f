#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Requests of one certificate in the order that is expected, and what becomes of others.
load lib
load http
setup() { begin; }
teardown() { finish; }

steps='[expression login]
expression = http.request.method eq "POST" and http.request.uri.path eq "/login"
[expression cart]
expression = http.request.uri.path eq "/cart"
[expression pay]
expression = http.request.uri.path eq "/pay"'

as() { # as IDENTITY STATUS PATH [OPTIONS...]
    local got
    got=$(AS=$1 status_of "${@:3}")
    [ "$got" = "$2" ] || { echo "$*: got $got"; return 1; }
}

@test "a step without its predecessor is refused; each certificate for itself, over connections and protocols" {
    house 'client_auth = request' "[rules]
default = allow
$steps
[sequence checkout]
sequence = login -> cart -> pay
window = $((4 * OUTRIDER_PATIENCE))s
status = 409
body = not so fast"
    as client 200 /
    run call /pay -w ' %{http_code}'
    [ "$output" = 'not so fast 409' ]
    as client 409 /cart
    as client 200 /login -d x
    as client 409 /pay --http2
    as client 200 /cart --http2
    as client2 409 /cart
    as client 200 /pay
    as client 200 /pay --http2
    # Without a certificate there is nobody whose steps could be remembered.
    as none 200 /login -d x
    as none 409 /cart
    # The window is over.
    sleep $((4 * OUTRIDER_PATIENCE)).2
    as client 409 /pay
    not reached 'GET /pay' || [ "$(grep -c 'GET /pay' service.out)" = 2 ]
    access | grep '"status":409' | tail -n 1 | grep -q '"sequence":"checkout","step":"pay"'
    wait_until 3 metric_is server 'outrider_requests_refused_total{by="sequence"}' 6
    metric_is server 'outrider_sequence_matched_total{sequence="checkout"}' 6
    metric_is server 'outrider_sequence_acted_total{sequence="checkout"}' 6
    metric_at_least server 'outrider_sequence_evaluated_total{sequence="checkout"}' 12
}

@test "what was done outlives a reload; a request that a rule or a limit refuses is no step" {
    limits='[rule no-robots]
expression = http.user_agent eq "robot"
[ratelimit logins]
expression = http.request.uri.path eq "/login"
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
requests = 1
period = 60s'
    house '' "$steps
$limits
[sequence checkout]
sequence = login -> cart"
    as client 403 /login -d x -A robot
    as client 403 /cart
    as client 200 /login -d x
    reconfigure '' "$steps
[sequence checkout]
sequence = login -> cart
body = reloaded"
    as client 200 /cart
    [ "$(AS=client2 call /cart)" = reloaded ]
    # Another order of the same name: what was done then does not count.
    reconfigure '' "$steps
[sequence checkout]
sequence = login -> cart -> pay"
    as client 403 /cart
}

@test "log and dry_run let it pass; log counts for quarantine, dry_run does not" {
    house '' "$steps
[sequence tried]
sequence = login -> pay
dry_run = true
[sequence told]
sequence = login -> cart
action = log
[quarantine strange]
threshold = 2
period = 60s
duration = 60s"
    for _ in 1 2 3; do as client 200 /pay; done
    wait_for_log server '"event":"sequence","message":"would refuse","sequence":"tried","step":"pay","dry_run":true'
    metric_is server 'outrider_sequence_matched_total{sequence="tried"}' 3
    metric_is server 'outrider_sequence_acted_total{sequence="tried"}' 0
    as client 200 /cart
    wait_for_log server '"event":"sequence","message":"broken","sequence":"told","step":"cart","dry_run":false'
    as client 200 /cart
    wait_for_log server '"event":"quarantine".*"quarantine":"strange"'
    as client 403 /
    as client2 200 /
    wait_until 3 metric_is server 'outrider_sequence_acted_total{sequence="told"}' 2
    metric_is server 'outrider_requests_refused_total{by="sequence"}' 0
}

@test "mistakes point at their place; what is doubtful is warned of" {
    ports IN SERVICE
    house_config '' "$steps
[expression spare]
expression = ssl
[sequence checkout]
sequence = login -> crat
    -> pay"
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"there is no [expression crat]"* && $output == *"cart"* ]]
    line=$(grep -n '^sequence = ' server.conf | cut -d: -f1)
    [[ $output == *"server.conf:$line:21:"* ]]
    # A mistake in an expression is told once, not by whoever names it as well.
    house_config '' "$steps
[expression wrong]
expression = http.hst eq 1
[sequence checkout]
sequence = login -> wrong"
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *http.host* && $output != *"there is no [expression"* ]]
    house_config '' "$steps
[expression spare]
expression = ssl
[expression all]
expression = http.request.uri.path eq \"/pay\" or ssl
[sequence checkout]
sequence = pay -> all
inbound = wbe"
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [[ $output == *"there is no [inbound wbe]"* ]]
    sed -i '/^inbound = wbe/d' server.conf
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"[expression spare]: no sequence uses it"* ]]
    [[ $output == *"[sequence checkout]: nobody can keep to this: whatever is pay is all as well"* ]]
    # At an inbound of TCP there are no requests.
    house_config '' "$steps
[sequence checkout]
sequence = login -> cart -> pay" tcp
    run "$OUTRIDER_BIN/sidecar" check -c server.conf
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"[sequence checkout] has no effect on [inbound web]: its protocol is tcp"* ]]
}
