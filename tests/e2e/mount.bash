# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# For tests whose certificates change under a running sidecar: `load lib`, then `load mount`. The sidecar `server` has its
# credentials in $T/mount (generations of openssl's, put there by publish) or in a directory that certrotate keeps.

C=$OUTRIDER_BIN/certrotate
export CERTROTATE_CA=ca # in $T

# put NAME=FILE[+FILE...] ...: a new generation in $T/mount of these files, as the kubelet does it: a new folder, the
# symlink ..data moved to it by one rename, the old folder removed.
GENERATION=0
fresh() { # the folder of a generation, not in place yet: $DIR
    GENERATION=$((GENERATION + 1))
    DIR=$T/mount/..2026_$GENERATION
    mkdir -p "$DIR"
}
put() {
    local file sources
    fresh
    for file in "$@"; do
        IFS=+ read -ra sources <<<"${file#*=}"
        cat "${sources[@]}" >"$DIR/${file%%=*}"
    done
    swap "$DIR"
}
swap() {
    local f old
    old=$(readlink "$T/mount/..data" || true)
    ln -sfn "$(basename "$1")" "$T/mount/..data_tmp"
    mv -T "$T/mount/..data_tmp" "$T/mount/..data"
    for f in "$1"/*; do
        f=$(basename "$f")
        [ -L "$T/mount/$f" ] || ln -sfn "..data/$f" "$T/mount/$f"
    done
    [ -z "$old" ] || rm -rf "${T:?}/mount/$old"
}

# publish IDENTITY CA_FILES... [-- CRL_FILE]: a Secret with an identity of openssl's.
publish() {
    local identity=$1 roots=() crl=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        roots+=("$1")
        shift
    done
    [ "${1:-}" != -- ] || crl=(crl.pem="$2")
    put tls.crt="$PKI/$identity.crt" tls.key="$PKI/$identity.key" \
        ca.crt="$(IFS=+ && echo "${roots[*]}")" ${crl[@]+"${crl[@]}"}
}

# mounted [INBOUND_KEYS [TLS_KEYS [DIRECTORY]]]: sidecar `server` on "$IN" with its credentials in DIRECTORY ($T/mount),
# before an echo.
mounted() {
    mounted_config "$@"
    start_sidecar server
}
mounted_config() {
    ports SERVICE IN
    echo_service "$SERVICE"
    config server <<INI
[tls]
directory = ${3:-$T/mount}
${2:-}
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
${1:-}
INI
}

# held NAME IDENTITY [COUNT [OPTIONS...]]: open sessions of that caller (a name in the PKI, or a directory of credentials)
# to "$IN"; echo_on NAME asks each for one more echo: "again N failed N".
held() {
    local fd name=$1 identity=$2 count=${3:-1} crt key
    shift 2
    [ $# = 0 ] || shift
    crt=$PKI/$identity.crt key=$PKI/$identity.key
    [ ! -d "$identity" ] || crt=$identity/tls.crt key=$identity/tls.key
    mkfifo "$name.in"
    "$OUTRIDER_TOOLS/load" hold --connect "$IN" --cert "$crt" --key "$key" --seconds 60 --connections "$count" "$@" \
        <"$name.in" >"$name.out" 2>"$name.log" 3>&- &
    echo $! >"$name.pid"
    STARTED+=("$name")
    exec {fd}>"$name.in"
    eval "FD_$name=$fd"
    wait_until 60 grep -q "held $count failed 0" "$name.out"
}
echo_on() {
    local fd=FD_$1 before
    before=$(grep -c again "$1.out") || true
    echo >&"${!fd}"
    wait_until 5 more_lines "$1" "$before"
    tail -n 1 "$1.out"
}
more_lines() { [ "$(grep -c again "$1.out")" -gt "$2" ]; }
let_go() {
    local fd
    for fd in ${!FD_*}; do
        exec {fd}>&-
        eval "exec ${!fd}>&-"
    done
}

# reloads RESULT [NAME], reloads_over RESULT COUNT [NAME]: ok or failed, of credentials.
reloads() { metric "${2:-server}" "outrider_reloads_total{what=\"credentials\",result=\"$1\"}"; }
reloads_over() { [ "$(reloads "$1" "${3:-server}")" -gt "$2" ]; }
generation() { metric "$1" outrider_snapshot_generation; }
generation_over() { [ "$(generation "$1")" -gt "$2" ]; }
open_is() { metric_is "${2:-server}" 'outrider_connections_open{direction="inbound"}' "$1"; }
failing_is() { metric_is "${2:-server}" 'outrider_reload_failing{what="credentials"}' "$1"; }

# served [s_client options]: the certificate that "$IN" shows. served_serial; subject: its subject and issuer.
served() {
    timeout 5 openssl s_client -connect "127.0.0.1:$IN" -cert "$PKI/client.crt" -key "$PKI/client.key" "$@" \
        </dev/null 2>/dev/null
}
served_serial() { served | openssl x509 -noout -serial 2>/dev/null | sed 's/serial=//'; }
serves() { [ "$(served_serial)" = "$1" ]; }
serial_of() { openssl x509 -in "$1" -noout -serial | sed 's/serial=//'; }
subject() { served | openssl x509 -noout -subject -issuer; }

# figure TEXT: a figure worth to be seen in the TAP of a test that passes, too.
figure() { echo "# $*" | tee -a /dev/fd/3; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# took_less MS SINCE WHAT: prints how long it took.
took_less() {
    local took=$(($(now_ms) - $2))
    figure "${3:-it}: $took ms"
    [ $took -lt $(($1 * OUTRIDER_PATIENCE)) ]
}

# Descriptors that are no sockets, and what inotify watches: nothing of it may grow.
fds_but_sockets() {
    local fd
    for fd in /proc/"$1"/fd/*; do readlink "$fd"; done | grep -vc '^socket:'
}
inotify_watches() { cat /proc/"$1"/fdinfo/* 2>/dev/null | grep -c '^inotify'; }
