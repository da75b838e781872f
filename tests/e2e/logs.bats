#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The log as an operator needs it: who was refused and why, in one line; floods counted; changes with what was before;
# and a reader who does not read.
load lib
load mount
setup() { begin; }
teardown() { finish; }

fact() { # fact CERTIFICATE -serial|-fingerprint ...
    openssl x509 -in "$1" -noout "${@:2}" | sed 's/.*=//'
}
events() { grep -c "\"event\":\"$1\"" server.log; }
events_are() { [ "$(events "$1")" = "$2" ]; }
events_at_least() { [ "$(events "$1")" -ge "$2" ]; }

@test "a refused handshake is one line that tells all" {
    inbound 'allow_san = spiffe://cluster.local/ns/shop/*'
    ask "$IN" stranger -tls1_3 >/dev/null || true
    wait_until 3 events_are refused 1
    ask "$IN" wrongsan -tls1_2 >/dev/null || true
    wait_until 3 events_are refused 2
    python3 - "$(fact "$PKI/stranger.crt" -serial)" "$(fact "$PKI/stranger.crt" -fingerprint -sha256)" <<'PY'
import json, sys
lines = [json.loads(l) for l in open("server.log") if '"event":"refused"' in l]
a, b = lines
assert a["level"] == "warn" and a["inbound"] == "web" and a["end"] == "refused", a
assert a["message"].startswith("issuer not trusted: CN=Other CA"), a
assert a["subject"].startswith("CN=stranger") and a["issuer"].startswith("CN=Other CA"), a
assert a["serial"] == sys.argv[1] and a["sha256"] == sys.argv[2].replace(":", "").lower(), a
assert "URI:spiffe://cluster.local/ns/shop/sa/client" in a["san"], a
assert (a["tls"], a["cipher"], a["group"], a["verified"]) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519", False), a
assert a["alert_sent"] == "unknown_ca" and a["peer"].startswith("127.0.0.1:"), a
assert "lacks the name demanded" in b["message"] and b["alert_sent"] == "access_denied", b
assert (b["tls"], b["group"], b["verified"]) == ("TLSv1.2", "X25519", False), b
PY
}

@test "a rule that refuses is named, for connections and for requests that are not logged one by one" {
    ports IN PORT SERVICE
    hello_service "$SERVICE"
    config server <<INI
[sidecar]
health = 127.0.0.1:$(free_port)
drain_timeout = 100ms
drain_delay = 0s
log_requests = off
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[inbound http]
listen = 127.0.0.1:$PORT
forward = 127.0.0.1:$SERVICE
protocol = http
client_auth = request
[rule out]
expression = cf.tls_client_auth.cert_subject_dn contains "client2"
inbound = web
[rule closed]
expression = http.request.uri.path eq "/closed"
inbound = http
INI
    start_sidecar server
    ask "$IN" client2 >/dev/null || true
    wait_for_log server '"event":"refused","message":"rule out refuses".*"verified":true.*"rule":"out"'
    since=$SECONDS
    for _ in {1..30}; do
        [ "$(curl -sk --max-time 5 --cert "$PKI/client.crt" --key "$PKI/client.key" -o out -w '%{http_code}' \
            "https://127.0.0.1:$PORT/closed")" = 403 ]
    done
    wait_for_log server '"event":"blocked".*"rule":"closed"'
    # Those of one caller and one rule are ten lines in ten seconds at most; the metrics have all thirty.
    [ "$(events blocked)" -le $(((SECONDS - since) / 10 * 10 + 10)) ]
    wait_until 3 metric_is server 'outrider_requests_refused_total{by="rule"}' 30
    # Where no rule speaks, it is the default that refuses.
    [ "$(curl -sk --max-time 5 -o out -w '%{http_code}' "https://127.0.0.1:$PORT/")" = 403 ]
    wait_for_log server '"event":"blocked".*"rule":"\[rules\] default"'
}

@test "who has just had all the lines of a second leaves room for another kind" {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[sidecar]
workers = 1
health = 127.0.0.1:$(free_port)
drain_timeout = 100ms
drain_delay = 0s
log_refused_per_second = 1
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    ask "$IN" stranger >/dev/null || true
    ask "$IN" expired >/dev/null || true
    wait_for_log server '"event":"refused","message":"issuer not trusted'
    wait_for_log server '"event":"refused","message":"certificate expired'
}

@test "a flood of one kind is counted, and hides no other" {
    inbound
    since=$SECONDS
    for i in {1..40}; do
        ask "$IN" stranger >/dev/null || true
        [ "$i" != 30 ] || ask "$IN" expired >/dev/null || true
    done
    wait_for_log server '"event":"refused","message":"certificate expired'
    lines=$(grep -c 'issuer not trusted' server.log)
    [ "$lines" -ge 10 ]
    [ "$lines" -le $(((SECONDS - since) / 10 * 10 + 10)) ] # a busy machine takes more than ten seconds for them
    wait_until 3 metric_is server 'outrider_handshakes_total{direction="inbound",result="failed"}' 41
    # Once their ten seconds are over, the next one tells how many there were.
    sleep 10
    ask "$IN" stranger >/dev/null || true
    wait_until 5 grep -q 'issuer not trusted.*"repeated":' server.log
    wait_until 5 told_or_counted 41
}

# told_or_counted N: so many strangers have a line or are counted in one.
told_or_counted() {
    [ "$(awk '/issuer not trusted/ {n++; if (match($0, /"repeated":[0-9]+/)) n += substr($0, RSTART + 11, RLENGTH - 11)} END {print n + 0}' server.log)" = "$1" ]
}

@test "what is put in service: own certificate and configuration, and those before" {
    authority() { "$C" ca init --ca "$1" --cn "CA $1" >/dev/null; }
    authority one
    "$C" issue --ca one --out web --cn web --dns web.test >/dev/null
    cp -rL web first
    put tls.crt=web/tls.crt tls.key=web/tls.key ca.crt=one/ca.crt
    mounted
    wait_for_log server '"event":"reload"'
    "$C" issue --ca one --out web --cn web --dns web.test >/dev/null
    put tls.crt=web/tls.crt tls.key=web/tls.key ca.crt=one/ca.crt
    wait_until 5 events_at_least reload 2
    printf '[rule r]\nexpression = ssl and ip.src eq 192.0.2.1\n' >>server.conf
    kill -HUP "$(pid_of server)"
    wait_until 5 events_at_least reload 3
    python3 - "$(fact first/tls.crt -serial)" "$(fact first/tls.crt -fingerprint -sha256)" "$(fact web/tls.crt -serial)" <<'PY'
import json, sys
started, rotated, changed = [json.loads(l) for l in open("server.log") if '"event":"reload"' in l][:3]
old = sys.argv[2].replace(":", "").lower()
assert started["serial"] == sys.argv[1] and started["sha256"] == old and "old_serial" not in started, started
assert len(started["config"]) == 16 and "old_config" not in started, started
assert rotated["serial"] == sys.argv[3] and rotated["old_serial"] == sys.argv[1] and rotated["old_sha256"] == old, rotated
assert "config" not in rotated, rotated
assert changed["config"] != started["config"] and changed["old_config"] == started["config"], changed
assert "old_serial" not in changed and changed["generation"] > rotated["generation"], changed
PY
    let_go
}

@test "a reader who does not read: lines are dropped and counted, and nobody waits" {
    ports IN SERVICE
    echo_service "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    mkfifo full
    # shellcheck disable=SC2217  # it holds the pipe open, and reads nothing
    sleep 60 <full 3>&- &
    sleeper=$!
    "$OUTRIDER_BIN/sidecar" run -c server.conf 2>full >server.out </dev/null 3>&- &
    sidecar=$!
    wait_until 10 ready server
    load_tls new "$IN" --count 1500 --seconds $((60 * OUTRIDER_PATIENCE)) --sni server.test >load.out
    cat load.out
    wait_until 5 metric_at_least server outrider_log_lines_dropped_total 1
    # Still alive, still serving, in no more time than usual.
    run load_tls new "$IN" --count 20 --seconds $((2 * OUTRIDER_PATIENCE)) --sni server.test
    echo "$output"
    [ "$status" = 0 ]
    kill "$sleeper"
    # With nobody there at all, either; and it ends when it is told to.
    run load_tls new "$IN" --count 20 --seconds $((2 * OUTRIDER_PATIENCE)) --sni server.test
    [ "$status" = 0 ]
    kill -TERM $sidecar
    wait_until 5 gone_or_zombie $sidecar
    wait $sidecar
}
