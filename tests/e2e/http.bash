# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2119,SC2120,SC2154
#
# Helpers of the end-to-end tests of HTTP and rules; loaded after lib. The programs are http_service.py and
# http_client.py beside this file: Debian's Python, not whichever comes first in PATH.

PYTHON=/usr/bin/python3

# not COMMAND...: fails when the command succeeds. (A plain "!" would not fail a test.)
not() {
    if "$@"; then
        echo "unwanted: $*"
        return 1
    fi
}

# http_service [PORT [NAME]]: http_service.py; the requests that reached it are in $T/NAME.out.
http_service() {
    spawn "${2:-service}" "$PYTHON" "$BATS_TEST_DIRNAME/http_service.py" "${1:-$SERVICE}"
    wait_until 5 listening "${1:-$SERVICE}"
}

# house KEYS SECTIONS [PROTOCOL]: sidecar `server`: the inbound on "$IN", before the service on "$SERVICE" (started
# unless something listens there already).
house() {
    [ -n "${IN:-}" ] || ports IN
    [ -n "${SERVICE:-}" ] || ports SERVICE
    house_config "$@"
    listening "$SERVICE" || http_service
    start_sidecar server
}

# The same, only the configuration. $SIDECAR: keys for [sidecar]; $TLS: for [tls].
house_config() {
    : "${HEALTH:=$(free_port)}"
    config server <<INI
[sidecar]
health = 127.0.0.1:$HEALTH
workers = $WORKERS
${SIDECAR:-drain_timeout = ${DRAIN:-100ms}
drain_delay = 0s}
[tls]
directory = ${CREDENTIALS:-$PKI/server}
poll = 1s
${TLS:-}
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = ${3:-http}
${1:-}
${2:-}
INI
}

# reconfigure KEYS SECTIONS [PROTOCOL]: writes the configuration anew and waits until it is taken.
reconfigure() {
    local before
    before=$(metric server 'outrider_reloads_total{what="config",result="ok"}')
    house_config "$@"
    wait_until 5 metric_at_least server 'outrider_reloads_total{what="config",result="ok"}' $((before + 1))
}

# call PATH [OPTIONS...]: curl as `client` (or $AS; none: without a certificate) to https://server.test$PATH.
call() {
    local path=$1 as=${AS:-client} own=()
    shift
    [ "$as" = none ] || own=(--cert "$PKI/$as.crt" --key "$PKI/$as.key")
    curl -sS --max-time $((20 * OUTRIDER_PATIENCE)) --path-as-is --resolve "*:$IN:127.0.0.1" --cacert "$PKI/ca.crt" \
        "${own[@]}" "$@" "https://${HOST:-server.test}:$IN$path"
}

# status PATH [OPTIONS...]: the status alone.
status_of() {
    local path=$1
    shift
    call "$path" -o /dev/null -w '%{http_code}\n' "$@"
}

# raw [OPTIONS...] <<<REQUEST: http_client.py raw.
raw() { "$PYTHON" "$BATS_TEST_DIRNAME/http_client.py" raw "$IN" "$@"; }

# request TEXT: printf of TEXT (\r\n where it says so) through raw.
request() {
    local text=$1
    shift
    # shellcheck disable=SC2059  # the text is meant as a format: it has escapes, and no %
    printf "$text" | raw "$@"
}

# reached TEXT: whether the service saw a request whose line begins with TEXT.
reached() { grep -qF -- "$1" "$T/service.out"; }

# requests NAME: the access lines in its log.
access() { grep '"event":"request"' "$T/${1:-server}.log"; }
access_at_least() { [ "$(access | wc -l)" -ge "$1" ]; }

fingerprint() { openssl x509 -in "$PKI/$1.crt" -outform DER | sha256sum | cut -d' ' -f1; }
serial() { openssl x509 -in "$PKI/$1.crt" -noout -serial | cut -d= -f2; }
