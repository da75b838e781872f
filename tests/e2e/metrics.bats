#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2034,SC2119,SC2120,SC2154
# What /metrics tells, in both formats, by real scrapes; and the ledger of callers behind it.

load lib
load http
setup() { begin; }
teardown() { finish; }

openmetrics() { # openmetrics NAME: a scrape as Prometheus makes it
    curl -sS --max-time 5 -f -D headers \
        -H 'Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1' \
        "http://$(health_of "$1")/metrics"
}

# Both formats as their own checkers want them.
sound() {
    get "$1" /metrics >text
    promtool check metrics <text >problems 2>&1 || { cat problems; return 1; }
    [ ! -s problems ] || { cat problems; return 1; }
    openmetrics "$1" >open
    grep -qi '^content-type: application/openmetrics-text; version=1.0.0' headers
    "$PYTHON" "$BATS_TEST_DIRNAME/openmetrics.py" <open >samples || { cat samples; return 1; }
    [ "$(tail -n 1 open)" = '# EOF' ]
    # The same samples in both.
    diff <(grep -v '^#' text | sed 's/ [^ ]*$//' | sort) <(grep -v '^#' open | sed 's/ [^ ]*$//' | sort)
    # Every family is in the reference, and but for a few that stand for what is not there, every one is served.
    sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' text | sort >served
    sed -n 's/^| `\([^`]*\)`.*/\1/p' "$BATS_TEST_DIRNAME/../../config/metrics.md" | sort >known
    [ -z "$(comm -23 served known)" ] || { comm -23 served known; return 1; }
    [ "$(comm -13 served known | grep -v '_scrape_up$' | tr '\n' ' ')" = '' ] || { comm -13 served known; return 1; }
    [ -z "$(uniq -d served)" ]
}

@test "both formats are sound: at rest, and with everything there is to tell" {
    house '' "[ca partners]
file = $PKI/partners.crt
hostnames = partners.test
[rule admin]
expression = http.request.uri.path eq \"/admin\"
[ratelimit few]
expression = http.request.uri.path eq \"/few\"
characteristics = cf.tls_client_auth.cert_fingerprint_sha256
requests = 1
period = 60s
[quarantine scanners]
threshold = 4
period = 60s
duration = 60s
[list known]
values = a, b
kind = string"
    sound server
    [ "$(status_of /)" = 200 ]
    [ "$(status_of /admin)" = 403 ]
    [ "$(status_of /few)" = 200 ]
    [ "$(status_of /few)" = 429 ]
    [ "$(AS=client2 status_of /)" = 200 ]
    HOST=partners.test AS=partner call / >/dev/null || true
    AS=stranger call / >/dev/null 2>&1 || true
    wait_until 3 metric_is server 'outrider_connections_open{direction="inbound"}' 0
    sound server
    for line in 'outrider_requests_total{code="2xx"}' 'outrider_rule_acted_total{rule="admin"}' \
        'outrider_ratelimit_acted_total{ratelimit="few"}' 'outrider_handshake_versions_total{version="TLSv1.3"}' \
        'outrider_handshake_failures_total{cause="issuer_unknown"}' 'outrider_table_entries{table="ratelimit"}' \
        'outrider_request_duration_seconds_count{direction="inbound"}' 'outrider_memory_bytes{purpose="peers"}' \
        'outrider_caller_requests_total{caller="spiffe://cluster.local/ns/shop/sa/client"}' 'outrider_process_open_fds'; do
        [ "$(metric server "$line")" != 0 ] || { echo "$line"; return 1; }
    done
}

@test "a client that does not ask for OpenMetrics gets the text format" {
    inbound
    get server /metrics -D - >/dev/null
    curl -sS -D headers -o body -H 'Accept: text/plain' "http://$(health_of server)/metrics"
    grep -qi '^content-type: text/plain; version=0.0.4' headers
    not grep -q '^# EOF' body
    curl -sS -D headers -o body -H 'Accept: application/openmetrics-text;q=0' "http://$(health_of server)/metrics"
    grep -qi '^content-type: text/plain; version=0.0.4' headers
}

@test "handshakes by version, cipher, group and cause of failure" {
    inbound
    ask "$IN" client -tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384 -groups X25519 >/dev/null
    ask "$IN" client -tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305 -groups P-256 >/dev/null
    wait_until 3 metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 2
    metric_is server 'outrider_handshake_versions_total{version="TLSv1.3"}' 1
    metric_is server 'outrider_handshake_versions_total{version="TLSv1.2"}' 1
    metric_is server 'outrider_handshake_ciphers_total{cipher="TLS_AES_256_GCM_SHA384"}' 1
    metric_is server 'outrider_handshake_ciphers_total{cipher="ECDHE-ECDSA-CHACHA20-POLY1305"}' 1
    metric_is server 'outrider_handshake_groups_total{group="X25519"}' 1
    metric_is server 'outrider_handshake_groups_total{group="P-256"}' 1
    metric_is server 'outrider_handshake_duration_seconds_count{direction="inbound"}' 2
    failed() { # failed CAUSE COMMAND...: the command makes exactly that failure
        local cause=$1 before all
        before=$(metric server "outrider_handshake_failures_total{cause=\"$cause\"}")
        all=$(metric server 'outrider_handshakes_total{direction="inbound",result="failed"}')
        shift
        "$@" >said 2>&1 || true
        wait_until 3 metric_is server "outrider_handshake_failures_total{cause=\"$cause\"}" $((before + 1)) ||
            { cat said; get server /metrics | grep handshake_failures; return 1; }
        metric_is server 'outrider_handshakes_total{direction="inbound",result="failed"}' $((all + 1))
    }
    failed none_presented ask "$IN" none -tls1_3
    failed none_presented ask "$IN" none -tls1_2
    failed issuer_unknown ask "$IN" stranger
    failed expired ask "$IN" expired
    failed not_yet_valid ask "$IN" future
    failed constrained ask "$IN" wrongeku
    failed weak ask "$IN" weak -cipher DEFAULT@SECLEVEL=0
    failed bad_signature ask "$IN" forged
    failed nothing_common ask "$IN" client -tls1_3 -groups P-521
    failed nothing_common ask "$IN" client -tls1_2 -cipher AES128-SHA
    failed not_tls curl -s -m 2 "http://127.0.0.1:$IN/"
    failed peer_closed timeout 3 "$PYTHON" -c "
import socket, struct
s = socket.create_connection(('127.0.0.1', $IN)); s.send(b'\x16\x03\x01\x02\x00\x01\x00'); s.close()"
    # Somebody who says that our certificate is no good.
    failed peer_alert curl -sS -m 5 --cert "$PKI/client.crt" --key "$PKI/client.key" --cacert "$PKI/other.crt" "https://127.0.0.1:$IN/"
    # The sum by cause is the number of those that failed, and a probe of the port is none.
    all=$(metric server 'outrider_handshakes_total{direction="inbound",result="failed"}')
    nc -z 127.0.0.1 "$IN"
    sleep 0.2
    [ "$(get server /metrics | awk '/^outrider_handshake_failures_total/ {n += $NF} END {print n}')" = "$all" ]
}

@test "names that are not allowed, and handshakes that take too long" {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server <<INI
[tls]
directory = $PKI/server
handshake_timeout = 500ms
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
allow_san = nobody.test
INI
    start_sidecar server
    ask "$IN" client >/dev/null || true
    wait_until 3 metric_is server 'outrider_handshake_failures_total{cause="name_not_allowed"}' 1
    spawn idle nc 127.0.0.1 "$IN"
    wait_until 5 metric_is server 'outrider_handshake_failures_total{cause="timeout"}' 1
}

@test "requests and connections by what refused them; durations" {
    house '' '[rules]
default = deny
[rule bad]
expression = http.request.uri.path eq "/bad"
[rule never-mind]
expression = cf.tls_client_auth.cert_subject_dn contains "client2"
[rule good]
expression = http.request.uri.path ne "/other"
action = allow'
    [ "$(status_of /)" = 200 ]
    [ "$(status_of /bad)" = 403 ]
    [ "$(status_of /other)" = 403 ]
    [ "$(AS=client2 status_of /)" = 403 ]
    [ "$(status_of '/a%2fb')" = 400 ]
    wait_until 3 metric_is server 'outrider_requests_refused_total{by="rule"}' 2
    metric_is server 'outrider_requests_refused_total{by="default"}' 1
    metric_is server 'outrider_requests_refused_total{by="path"}' 1
    metric_is server 'outrider_request_duration_seconds_count{direction="inbound"}' 5
    # 0.3 s are in the bucket of 0.5 and not in that of 0.25.
    bucket() { metric server "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"$1\"}"; }
    was=$(bucket 0.25)
    [ "$(status_of '/slow?300')" = 200 ]
    wait_until 3 metric_is server 'outrider_request_duration_seconds_count{direction="inbound"}' 6
    [ "$(bucket +Inf)" = 6 ]
    [ "$(bucket 10.0)" = 6 ]
    [ "$(bucket 0.25)" = "$was" ]
}

@test "a TCP connection that a rule refuses" {
    inbound '[rule nobody]
expression = cf.tls_client_auth.cert_verified'
    ask "$IN" client >/dev/null || true
    wait_until 3 metric_is server 'outrider_connections_refused_total{by="rule"}' 1
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
    metric_is server 'outrider_handshakes_total{direction="inbound",result="failed"}' 0
    metric_is server 'outrider_caller_refused_total{caller="spiffe://cluster.local/ns/shop/sa/client"}' 1
}

@test "callers by name, of bounded number; strangers choose no label" {
    SIDECAR="drain_timeout = 100ms
drain_delay = 0s
metrics_peers = 1"
    house
    for _ in 1 2 3 4 5 6 7 8; do [ "$(status_of /)" = 200 ]; done
    AS=stranger call / >/dev/null 2>&1 || true
    peer=spiffe://cluster.local/ns/shop/sa/client
    wait_until 3 metric_is server "outrider_caller_requests_total{caller=\"$peer\"}" 8
    [ "$(AS=client2 status_of /)" = 200 ]
    wait_until 3 metric_is server 'outrider_caller_requests_total{caller="other"}' 1
    metric_is server "outrider_caller_connections_total{caller=\"$peer\"}" 8
    metric_is server 'outrider_caller_refused_total{caller="other"}' 1
    metric_is server 'outrider_peers_tracked{verified="true"}' 2
    metric_is server 'outrider_peers_tracked{verified="false"}' 1
    [ "$(metric server "outrider_caller_sent_bytes_total{caller=\"$peer\"}")" -gt 100 ]
    [ "$(get server /metrics | grep -c '^outrider_caller_requests_total')" = 2 ]
}

@test "who was refused is no caller that is known, however good the chain" {
    inbound 'allow_san = spiffe://cluster.local/ns/shop/sa/client'
    [[ $(ask "$IN" client) == *hello* ]]
    ask "$IN" client2 >/dev/null || true
    wait_until 3 metric_is server 'outrider_caller_refused_total{caller="other"}' 1
    metric_is server 'outrider_peers_tracked{verified="true"}' 1
    metric_is server 'outrider_peers_tracked{verified="false"}' 1
}

@test "rules see how many connections and requests a certificate has made, over all workers" {
    WORKERS=3
    house '' '[rule eager]
expression = outrider.cert_requests gt 20
status = 418
[rule often]
expression = outrider.cert_connections gt 5 and http.request.uri.path eq "/often"
status = 451'
    # Five connections, whichever worker they come to, then the sixth.
    for _ in 1 2 3 4 5; do [ "$(status_of /often)" = 200 ]; done
    [ "$(status_of /often)" = 451 ]
    # Others are counted for themselves.
    [ "$(AS=client2 status_of /often)" = 200 ]
    for n in {7..20}; do [ "$(status_of /)" = 200 ] || { echo "request $n"; return 1; }; done
    [ "$(status_of /)" = 418 ]
    # And several requests of one connection.
    AS=client2 call '/[1-19]' -o /dev/null -w '%{http_code}\n' >codes
    [ "$(sort codes | uniq -c | tr -s ' ')" = ' 19 200' ]
    [ "$(AS=client2 status_of /)" = 418 ]
}

@test "/peers: what each certificate did, sorted as asked; who was refused, and why; the rest in one" {
    SIDECAR="admin = unix:$T/admin.sock
drain_timeout = 100ms
drain_delay = 0s"
    house '' '[rule admin]
expression = http.request.uri.path eq "/admin"
[quarantine scanners]
threshold = 2
period = 60s
duration = 60s'
    for _ in 1 2 3; do [ "$(status_of /)" = 200 ]; done
    [ "$(AS=client2 status_of /admin)" = 403 ]
    [ "$(AS=client2 status_of /admin)" = 403 ]
    AS=stranger call / >/dev/null 2>&1 || true
    wait_until 3 metric_is server 'outrider_connections_open{direction="inbound"}' 0
    peers() { curl -sS --max-time 5 --unix-socket admin.sock "http://localhost/peers${1:-}"; }
    wait_until 3 eval '[ "$(peers | "$PYTHON" -c "import json,sys; print(len(json.load(sys.stdin)[\"peers\"]))")" = 3 ]'
    peers >all.json
    peers '?top=1&by=refused' >refused.json
    CLIENT=$(fingerprint client) CLIENT2=$(fingerprint client2) STRANGER=$(fingerprint stranger) SERIAL=$(serial client) "$PYTHON" - <<'PY'
import json, os
def load(name):
    return json.load(open(name))
keys = {"subject", "issuer", "serial", "sha256", "sans", "not_before_at", "not_after_at", "key", "verified", "last_inbound",
        "connections", "open", "requests", "bytes_in", "bytes_out", "blocked", "refused", "first_seen_at", "last_seen_at",
        "last_reason", "quarantined", "error_at_most"}
d = load("all.json")
assert d["capacity"] == 1250 and d["tracked"] == 3, d
by = {p["sha256"]: p for p in d["peers"]}
for p in d["peers"]:
    assert set(p) == keys, set(p) ^ keys
# Requests decide: three of client's, two of client2's.
assert [p["sha256"] for p in d["peers"]][:2] == [os.environ["CLIENT"], os.environ["CLIENT2"]]
c = by[os.environ["CLIENT"]]
assert c["subject"] == "CN=client,O=Outrider tests" and c["issuer"] == "CN=Test CA,O=Outrider tests", c
assert c["serial"] == os.environ["SERIAL"] and c["key"] == "EC P-256", c
assert c["sans"] == ["DNS:client.test", "URI:spiffe://cluster.local/ns/shop/sa/client"], c
assert c["not_before_at"] == 1577836800 and c["last_inbound"] == "web", c
assert (c["connections"], c["open"], c["requests"], c["blocked"], c["refused"]) == (3, 0, 3, 0, 0), c
assert c["bytes_in"] > 0 and c["bytes_out"] > 0 and c["verified"] and c["last_reason"] is None and not c["quarantined"], c
assert 0 < c["first_seen_at"] <= c["last_seen_at"] and c["error_at_most"] == 0, c
c = by[os.environ["CLIENT2"]]
assert (c["requests"], c["blocked"], c["last_reason"], c["quarantined"]) == (2, 2, "rule admin refuses", True), c
s = by[os.environ["STRANGER"]]
assert (s["connections"], s["refused"], s["verified"]) == (0, 1, False) and "not trusted" in s["last_reason"], s
assert set(d["others"]) == {"sha256", "connections", "open", "requests", "bytes_in", "bytes_out", "blocked", "refused"}
assert d["others"]["sha256"] is None and d["others"]["requests"] == 0
r = load("refused.json")
assert [p["sha256"] for p in r["peers"]] == [os.environ["CLIENT2"]], r
assert r["others"]["requests"] == 3 and r["others"]["refused"] == 1, r["others"]
PY
    [ "$(curl -sS --unix-socket admin.sock -o /dev/null -w '%{http_code}' 'http://localhost/peers?by=age')" = 400 ]
    [ "$(curl -sS --unix-socket admin.sock -o /dev/null -w '%{http_code}' 'http://localhost/peers?top=0')" = 400 ]
    [ "$(get_status server /peers)" = 404 ]
}
