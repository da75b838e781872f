# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Helpers of the end-to-end tests. A .bats file begins with
#
#   load lib
#   setup() { begin; }
#   teardown() { finish; }
#
# begin makes a fresh folder $T for the test; finish stops everything that the test has started with spawn or
# start_sidecar, checks that every sidecar ended well (exit status 0, no word from a sanitizer), and shows the logs
# when the test failed. Ports are reserved for the whole run, so files can run side by side. Nothing sleeps for a fixed
# time to let something happen: wait_until polls.

# Run by hand (`bats tests/e2e/x.bats`): the release build, and certificates of its own.
: "${OUTRIDER_BIN:=$(cd "$BATS_TEST_DIRNAME/../../build/release/bin" && pwd)}"
: "${OUTRIDER_TOOLS:=$(cd "$BATS_TEST_DIRNAME/../../build/release/tools" && pwd)}"
: "${OUTRIDER_RUN:=$BATS_RUN_TMPDIR}"
: "${OUTRIDER_PKI:=$OUTRIDER_RUN/pki}"
: "${OUTRIDER_PATIENCE:=1}"
: "${OUTRIDER_SANITIZER:=}"
: "${BATS_TEST_TIMEOUT:=90}"
PKI=$OUTRIDER_PKI
export PKI
# One worker, for figures that can be foretold; several where races between them are looked for.
WORKERS=1
[ "$OUTRIDER_SANITIZER" != tsan ] || WORKERS=3

begin() {
    [ -e "$PKI/crl-client.pem" ] || "$BATS_TEST_DIRNAME/pki.sh" "$PKI"
    T=$BATS_TEST_TMPDIR
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$T" 2>/dev/null || true
    cd "$T" || return 1
    STARTED=() # names; $T/NAME.pid, $T/NAME.out, $T/NAME.log
    unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
}

finish() {
    local name bad=0
    for name in ${STARTED[@]+"${STARTED[@]}"}; do
        if [ -e "$T/$name.sidecar" ]; then
            stop_sidecar "$name" || bad=1
        else
            stop "$name"
        fi
    done
    # A test that failed: BATS_TEST_COMPLETED is empty.
    if [ -z "${BATS_TEST_COMPLETED:-}" ] || [ $bad = 1 ]; then
        for name in ${STARTED[@]+"${STARTED[@]}"}; do
            echo "--- $name"
            tail -n 40 "$T/$name.log" | cut -c1-600
        done
    fi
    return $bad
}

# --- waiting -----------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: polls until the command succeeds; fails after SECONDS (times the run's patience).
wait_until() {
    local until=$(($(date +%s%N) + $1 * OUTRIDER_PATIENCE * 1000000000))
    shift
    until "$@"; do
        if [ "$(date +%s%N)" -ge "$until" ]; then
            echo "waited in vain for: $*"
            return 1
        fi
        sleep 0.03
    done
}

alive() { kill -0 "$1" 2>/dev/null; }
gone() { ! alive "$1"; }

# --- ports -------------------------------------------------------------------------------------------------

# Below the ephemeral range, so that no outgoing connection takes one; a folder in $OUTRIDER_RUN/ports is a claim.
: "${OUTRIDER_PORTS:=22000}"
free_port() {
    local p tries
    mkdir -p "$OUTRIDER_RUN/ports"
    for tries in {1..2000}; do
        p=$((OUTRIDER_PORTS + RANDOM % (32000 - OUTRIDER_PORTS))) # below the ephemeral ones
        if mkdir "$OUTRIDER_RUN/ports/$p" 2>/dev/null && [ -z "$(ss -Hltn "sport = :$p")" ]; then
            echo $p
            return 0
        fi
    done
    echo "no free port after $tries tries" >&2
    return 1
}

# ports NAME...: gives each variable a free port.
ports() {
    local v
    for v in "$@"; do
        printf -v "$v" '%s' "$(free_port)"
    done
}

listening() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

# --- processes ---------------------------------------------------------------------------------------------

# spawn NAME COMMAND...: starts it in the background; output in $T/NAME.out, errors in $T/NAME.log, PID in $PID.
spawn() {
    local name=$1
    shift
    "$@" >"$T/$name.out" 2>"$T/$name.log" </dev/null 3>&- &
    PID=$!
    echo $PID >"$T/$name.pid"
    STARTED+=("$name")
}

pid_of() { cat "$T/$1.pid"; }

# stop NAME: SIGTERM, then SIGKILL after five seconds. Its exit status is thrown away.
stop() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -TERM "$pid" 2>/dev/null || { wait "$pid" 2>/dev/null; return 0; }
    wait_until 5 gone_or_zombie "$pid" >/dev/null || kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null || true
}

gone_or_zombie() { [ ! -e "/proc/$1/stat" ] || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }

# ended NAME [SECONDS]: waits for its end; its exit status. (Not within `run`: a subshell cannot wait for it.)
ended() {
    local pid
    pid=$(pid_of "$1")
    wait_until "${2:-10}" gone_or_zombie "$pid" || return 124
    wait "$pid"
}

rss_kb() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
fd_count() {
    local fds=("/proc/$1/fd"/*)
    echo ${#fds[@]}
}
cpu_ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

# --- the sidecar -------------------------------------------------------------------------------------------

# config NAME <<INI: writes $T/NAME.conf; a free health port, a short drain ($DRAIN) and the identity of NAME (or $2) come with it
# unless the text has a [sidecar] or [tls] section of its own.
config() {
    local name=$1 identity=${2:-$1} text
    text=$(cat)
    {
        if ! grep -q '^\[sidecar\]' <<<"$text"; then
            printf '[sidecar]\nhealth = 127.0.0.1:%s\ndrain_timeout = %s\ndrain_delay = 0s\nworkers = %s\n\n' "$(free_port)" "${DRAIN:-100ms}" $WORKERS
        fi
        if ! grep -q '^\[tls\]' <<<"$text"; then
            printf '[tls]\ndirectory = %s\n\n' "$PKI/$identity"
        fi
        printf '%s\n' "$text"
    } >"$T/$name.conf"
}

# pair: the usual house: "$IN" is the inbound of sidecar `server` before the service on "$SERVICE", "$OUT" the outbound
# of sidecar `client` that leads there. Further keys of the two sections come as $1 (inbound) and $2 (outbound).
pair() {
    ports IN OUT
    : "${SERVICE:=$(free_port)}"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
${1:-}
INI
    config client <<INI
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = server.test
${2:-}
INI
    start_sidecar server
    start_sidecar client
}

# inbound [KEYS [IDENTITY]]: sidecar `server` alone, with "$IN" before a service that says hello.
inbound() {
    ports IN SERVICE
    hello_service "$SERVICE"
    config server "${2:-server}" <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
${1:-}
INI
    start_sidecar server
}

health_of() { sed -n 's/^health *= *//p' "$T/$1.conf"; }

# get NAME PATH: of the health listener; the body on standard output, fails unless the status is 200.
get() { curl -sS --max-time 5 -f "http://$(health_of "$1")$2"; }
get_status() { curl -sS --max-time 5 -o /dev/null -w '%{http_code}' "http://$(health_of "$1")$2"; }
ready() { get "$1" /readyz >/dev/null 2>&1; }

# metric NAME TEXT: the value of the metric line that begins with TEXT; 0 if there is none.
metric() { get "$1" /metrics | awk -v want="$2" 'index($0, want) == 1 {v = $NF} END {print v + 0}'; }
metric_is() { [ "$(metric "$1" "$2")" = "$3" ]; }
metric_at_least() { [ "$(metric "$1" "$2")" -ge "$3" ]; }

# start_sidecar NAME: runs it with $T/NAME.conf and waits until it is ready.
start_sidecar() {
    launch_sidecar "$1"
    if ! wait_until 10 ready_or_gone "$1" || ! ready "$1"; then
        cat "$T/$1.log"
        return 1
    fi
}

# The same without waiting. $ULIMIT_N limits its descriptors.
launch_sidecar() {
    : >"$T/$1.sidecar"
    (
        [ -z "${ULIMIT_N:-}" ] || ulimit -n "$ULIMIT_N"
        exec "$OUTRIDER_BIN/sidecar" run -c "$T/$1.conf"
    ) >"$T/$1.out" 2>"$T/$1.log" </dev/null 3>&- &
    PID=$!
    echo $PID >"$T/$1.pid"
    STARTED+=("$1")
}

ready_or_gone() { ready "$1" || gone_or_zombie "$(pid_of "$1")"; }

# stop_sidecar NAME: SIGTERM; it must end with status 0 and without complaints.
stop_sidecar() {
    local pid status=0
    pid=$(pid_of "$1")
    [ ! -e "$T/$1.ended" ] || return 0
    kill -TERM "$pid" 2>/dev/null
    if ! wait_until 10 gone_or_zombie "$pid"; then
        echo "$1 does not end on SIGTERM"
        kill -KILL "$pid"
        status=1
    fi
    wait "$pid" || status=$?
    : >"$T/$1.ended"
    [ $status = 0 ] || echo "$1 ended with status $status"
    if grep -qE 'AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:' "$T/$1.log"; then
        grep -nE -A 30 -m 1 'AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:' "$T/$1.log"
        status=1
    fi
    return $status
}

# killed_sidecar NAME: the test ended it by itself and has looked at how.
killed_sidecar() { : >"$T/$1.ended"; }

# wait_for_log NAME TEXT [SECONDS]: a line of its log holds the regular expression.
wait_for_log() { wait_until "${3:-5}" grep -qE -- "$2" "$T/$1.log" || { tail -n 20 "$T/$1.log"; return 1; }; }

# --- services and clients ----------------------------------------------------------------------------------

# tcp_service NAME OPTIONS...: the scripted end of tests/tools/tcp.c in the background; waits until it listens.
tcp_service() {
    local name=$1
    shift
    spawn "$name" "$OUTRIDER_TOOLS/tcp" "$@"
    wait_until 5 grep -q ready "$T/$name.out"
}

# echo_service PORT [NAME]
echo_service() { tcp_service "${2:-echo}" --listen "$1" --echo; }

# hello_service PORT [NAME]: says one line to whoever connects, and closes: the server that speaks first.
hello_service() {
    spawn "${2:-hello}" socat "TCP-LISTEN:$1,bind=127.0.0.1,reuseaddr,fork,backlog=128" SYSTEM:'echo hello-from-service'
    wait_until 5 listening "$1"
}

# ask PORT IDENTITY [OPTIONS...]: openssl's client with this certificate ("none": without), until the other side ends
# it; prints what the service said and what openssl says, the peer's alert included.
ask() {
    local port=$1 identity=$2 own=()
    shift 2
    [ "$identity" = none ] || own=(-cert "$PKI/$identity.crt" -key "$PKI/$identity.key" -cert_chain "$PKI/$identity.crt")
    [ -p "$T/never" ] || mkfifo "$T/never" # an input that does not end, so that openssl does not either
    timeout $((10 * OUTRIDER_PATIENCE)) openssl s_client -connect "127.0.0.1:$port" -CAfile "$PKI/ca.crt" \
        "${own[@]}" -brief -ign_eof "$@" 2>&1 <>"$T/never"
}

# load_tls MODE PORT OPTIONS...: tests/tools/load.c as `client`.
load_tls() {
    local mode=$1 port=$2
    shift 2
    "$OUTRIDER_TOOLS/load" "$mode" --connect "$port" --ca "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" "$@"
}
# field NAME JSON
field() { sed -n "s/.*\"$1\": \"\{0,1\}\([^,\"}]*\).*/\1/p" <<<"$2"; }
