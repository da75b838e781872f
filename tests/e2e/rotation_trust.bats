#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Trust that changes under live sessions: revocation, lists and certificates that expire, and what becomes of the
# sessions.
load lib
load mount
setup() { begin; }
teardown() { finish; }

authority() { "$C" ca init --ca "$1" --cn "CA $1" "${@:2}" >/dev/null; }
# member CA NAME [OPTIONS]: credentials in NAME/
member() { "$C" issue --ca "$1" --out "$2" --cn "$2" --dns "$2.test" "${@:3}" >/dev/null; }
# trusting CA...: the identity `web` with the roots and revocation lists of these, in $T/mount.
trusting() {
    local roots crls
    printf -v roots '%s/ca.crt+' "$@"
    printf -v crls '%s/crl.pem+' "$@"
    put tls.crt=web/tls.crt tls.key=web/tls.key ca.crt="${roots%+}" crl.pem="${crls%+}"
}
cut_are() { [ "$(grep -c '"end":"untrusted"' "${2:-server}.log")" = "$1" ]; }
# comes IDENTITY: a new session of this caller is let in.
comes() {
    "$OUTRIDER_TOOLS/load" new --connect "$IN" --cert "$1/tls.crt" --key "$1/tls.key" --count 1 --seconds 2 \
        >/dev/null 2>&1
}
fails() { ! "$@"; }

@test "revocation cuts the one peer within a second, and no other" {
    authority one
    authority two
    member one web
    member one a
    member one b
    member two c
    trusting one two
    mounted
    for peer in a b c; do held $peer $peer 2; done
    held older a 1 --tls12
    "$C" revoke --ca one --reason keyCompromise a/tls.crt
    since=$(now_ms)
    trusting one two
    wait_until 1 cut_are 3
    took_less 1000 "$since" 'revoked peer cut after'
    [ "$(echo_on a)" = 'again 0 failed 2' ]
    [ "$(echo_on older)" = 'again 0 failed 1' ]
    [ "$(echo_on b)" = 'again 2 failed 0' ]
    [ "$(echo_on c)" = 'again 2 failed 0' ]
    line=$(grep '"end":"untrusted"' server.log | tail -n 1)
    figure "$line"
    [[ $line == *'revoked'*'keyCompromise'*'CN=a'*"$(serial_of a/tls.crt)"* ]]
    # It was verified when it was let in, whatever became of it.
    [[ $line == *'"verified":true'*'"alert_sent":"certificate_revoked"'* ]]
    [ "$(grep '"end":"untrusted"' server.log | grep -vc 'CN=a"')" = 0 ]
    metric_is server 'outrider_sessions_ended_total{reason="untrusted"}' 3
    metric_is server 'outrider_crl_entries{ca=""}' 1
    fails comes a
    comes b
    comes c
    let_go
}

@test "a revoked intermediate cuts all below it, and no other" {
    authority deep --intermediate
    authority one
    member one web
    member deep x
    member deep y
    member one z
    trusting one deep
    mounted
    for peer in x y z; do held $peer $peer; done
    "$C" revoke --ca deep --reason cACompromise deep/issuer/issuer.crt
    since=$(now_ms)
    trusting one deep
    wait_until 1 cut_are 2
    took_less 1000 "$since" 'all below the revoked intermediate cut after'
    [ "$(echo_on x)" = 'again 0 failed 1' ]
    [ "$(echo_on y)" = 'again 0 failed 1' ]
    [ "$(echo_on z)" = 'again 1 failed 0' ]
    fails comes x
    comes z
    let_go
}

@test "a list that runs out under live sessions: reject cuts them, warn does not; a fresh one lets in again" {
    authority one
    member one web
    member one a
    "$C" crl --ca one --next-update 3s
    expires=$(($(date -d "$(openssl crl -in one/crl.pem -noout -nextupdate | sed 's/.*=//')" +%s) * 1000))
    trusting one
    mounted '' 'crl_expired = reject'
    reject=$IN
    ports WARN
    sed "s/crl_expired.*/crl_expired = warn/; s/^listen.*/listen = 127.0.0.1:$WARN/" server.conf |
        sed "s/^health.*/health = 127.0.0.1:$(free_port)/" >warn.conf
    start_sidecar warn
    held strict a
    IN=$WARN held lax a
    [ "$(echo_on strict)" = 'again 1 failed 0' ]
    wait_until 6 cut_are 1
    late=$(($(now_ms) - expires))
    figure "cut $late ms after nextUpdate"
    [ $late -ge 0 ] && [ $late -lt $((1500 * OUTRIDER_PATIENCE)) ]
    [ "$(echo_on strict)" = 'again 0 failed 1' ]
    [ "$(echo_on lax)" = 'again 1 failed 0' ]
    grep '"end":"untrusted"' server.log | grep -q 'revocation list expired'
    fails comes a
    IN=$WARN comes a
    [ "$(metric server 'outrider_crl_next_update_timestamp_seconds{ca=""}')" -le "$(date +%s)" ]
    # A line of its own, once.
    wait_until 3 grep -q '"event":"expiry".*a revocation list has expired' server.log
    sleep 1.2
    [ "$(grep -c '"event":"expiry"' server.log)" = 1 ]
    before=$(generation server)
    "$C" crl --ca one
    trusting one
    wait_until 2 generation_over server "$before"
    IN=$reject comes a
    cut_are 0 warn
    let_go
}

@test "a peer whose certificate runs out in mid-connection is cut, and no other" {
    authority one
    member one web
    member one long
    member one short --lifetime 4s
    trusting one
    mounted
    held long long
    held short short
    ends=$(($(date -d "$(openssl x509 -in short/tls.crt -noout -enddate | sed 's/.*=//')" +%s) * 1000))
    [ "$(echo_on short)" = 'again 1 failed 0' ]
    wait_until 6 cut_are 1
    late=$(($(now_ms) - ends))
    figure "cut $late ms after notAfter, whose second still counts"
    [ $late -ge 1000 ] && [ $late -lt $((2000 * OUTRIDER_PATIENCE)) ]
    [ "$(echo_on short)" = 'again 0 failed 1' ]
    [ "$(echo_on long)" = 'again 1 failed 0' ]
    grep '"end":"untrusted"' server.log | grep -q 'expired.*CN=short'
    fails comes short
    let_go
}

@test "the own certificate runs out: warned at a third, a tenth and a fiftieth; not ready when it is over; renewed" {
    [ -z "$OUTRIDER_SANITIZER" ] || skip 'a sanitizer and libfaketime do not go together'
    authority one --lifetime 30d
    member one web --lifetime 100m
    trusting one
    mounted_config
    # A clock that the test sets: an offset in a file.
    echo +0 >clock
    LD_PRELOAD=$(faketime -m -f +0 printenv LD_PRELOAD) FAKETIME_TIMESTAMP_FILE=$T/clock FAKETIME_NO_CACHE=1 \
        FAKETIME_DONT_FAKE_MONOTONIC=1 launch_sidecar server
    wait_until 5 ready server
    warnings() { [ "$(grep -c '"event":"expiry"' server.log)" = "$1" ]; }
    # In seconds, by the clock that the sidecar has.
    left() { echo $(($(metric server "outrider_$1_not_after_timestamp_seconds${2:-}") - $(date +%s) - $(tr -d +m <clock) * 60)); }
    near() { [ "$1" -gt $(($2 - 60)) ] && [ "$1" -le "$2" ]; }
    near "$(left certificate)" 6000
    near "$(left ca '{ca=""}')" $((30 * 86400))
    warnings 0
    told=0
    for minutes in 68 91 99; do # of 100: more than two thirds, nine tenths, 49 fiftieths
        echo "+${minutes}m" >clock
        told=$((told + 1))
        wait_until 3 warnings $told
        near "$(left certificate)" $((6000 - minutes * 60))
    done
    ready server
    echo +101m >clock
    wait_until 3 warnings 4
    grep '"event":"expiry"' server.log | tail -n 1 | grep -q '"level":"error".*has expired'
    [ "$(left certificate)" -lt 0 ]
    fails ready server
    [[ $(curl -s "http://$(health_of server)/readyz") == *'certificate has expired'* ]]
    # Never twice.
    sleep 1.2
    warnings 4
    member one web
    trusting one
    wait_until 2 ready server
    near "$(left certificate)" $((86400 - 6060))
}

@test "on_untrusted: close at once, drain after trust_grace, keep; a drained one whose trust comes back stays" {
    authority one
    authority two
    member two web
    member one a
    trusting one two
    mounted '' 'on_untrusted = close'
    for how in drain keep pardon; do
        declare "$how=$(free_port)"
        sed "s/on_untrusted.*/on_untrusted = ${how/pardon/drain}/; s/^listen.*/listen = 127.0.0.1:${!how}/" server.conf |
            sed "s/^health.*/health = 127.0.0.1:$(free_port)/; s/^on_untrusted = drain/&\ntrust_grace = 1500ms/" >$how.conf
        cp -rP mount "mount-$how"
        sed -i "s|$T/mount|&-$how|" $how.conf
        start_sidecar $how
    done
    shut=$IN
    held shut a
    for how in drain keep pardon; do IN=${!how} held "held_$how" a; done
    since=$(now_ms)
    trusting two
    for how in drain keep pardon; do
        rm -rf "mount-$how"
        cp -rP mount "mount-$how"
    done
    wait_until 1 cut_are 1
    took_less 1000 "$since" 'closed after'
    [ "$(echo_on shut)" = 'again 0 failed 1' ]
    for how in drain keep pardon; do
        wait_until 1 generation_over $how 1
        # Nobody new, in whichever mode; those that were there go on.
        IN=${!how} fails comes a
        [ "$(echo_on "held_$how")" = 'again 1 failed 0' ]
    done
    IN=$shut fails comes a
    # Trusted again in time.
    trusting one two
    cp -rP mount back
    rm -rf mount-pardon
    mv back mount-pardon
    wait_until 3 cut_are 1 drain
    took=$(($(now_ms) - since))
    figure "drained after $took ms"
    [ $took -ge 1500 ] && [ $took -lt $((3000 * OUTRIDER_PATIENCE)) ]
    [ "$(echo_on held_drain)" = 'again 0 failed 1' ]
    grep '"end":"untrusted"' drain.log | grep -q '"alert_sent":"unknown_ca"'
    sleep 0.5
    [ "$(echo_on held_pardon)" = 'again 1 failed 0' ]
    [ "$(echo_on held_keep)" = 'again 1 failed 0' ]
    cut_are 0 pardon
    cut_are 0 keep
    let_go
}

@test "a handshake that began before the revocation and ends after it does not get in, nor does a byte of it" {
    authority one
    member one web
    member one a
    member one b
    trusting one
    ports IN SERVICE
    spawn service socat -u "TCP-LISTEN:$SERVICE,bind=127.0.0.1,reuseaddr,fork" "OPEN:$T/received,creat,append"
    config server <<INI
[tls]
directory = $T/mount
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
    for peer in a b; do
        mkfifo $peer.in
        python3 "$BATS_TEST_DIRNAME/halfway.py" "$IN" $peer/tls.crt $peer/tls.key one/ca.crt <$peer.in >$peer.out 2>$peer.log 3>&- &
        echo $! >$peer.pid
        STARTED+=($peer)
    done
    exec {a}>a.in {b}>b.in
    for peer in a b; do wait_until 5 grep -q halfway $peer.out; done
    before=$(generation server)
    "$C" revoke --ca one a/tls.crt
    trusting one
    wait_until 2 generation_over server "$before"
    echo >&$b
    wait_until 5 grep -q 'leaked?' received
    : >received
    echo >&$a
    wait_until 5 grep -qE '^(alert|closed|echoed)' a.out
    figure "$(tail -n 1 a.out)"
    grep -q 'alert.*CERTIFICATE_REVOKED' a.out
    wait_for_log server '"event":"refused".*revoked.*CN=a'
    sleep 0.2
    [ ! -s received ]
    exec {a}>&- {b}>&-
}

@test "the CA of one hostname changes: its callers are cut, and no other" {
    for ca in one partners; do authority $ca; done
    member one web
    member one a
    member partners p
    member partners q
    trusting one
    mkdir bundle
    cp partners/ca.crt partners/crl.pem bundle/
    mounted
    {
        cat server.conf
        printf '[ca partners]\nfile = %s\ncrl = %s\nhostnames = partners.test\n' "$T/bundle/ca.crt" "$T/bundle/crl.pem"
    } >with
    mv with server.conf
    stop_sidecar server
    rm server.ended
    start_sidecar server
    held a a
    held p p 1 --sni partners.test
    held q q 1 --sni partners.test
    "$C" revoke --ca partners p/tls.crt
    cp partners/crl.pem bundle/.new
    since=$(now_ms)
    mv bundle/.new bundle/crl.pem
    wait_until 1 cut_are 1
    took_less 1000 "$since" 'revoked caller of partners.test cut after'
    [ "$(echo_on p)" = 'again 0 failed 1' ]
    [ "$(echo_on q)" = 'again 1 failed 0' ]
    authority others
    cp others/ca.crt bundle/.new
    mv bundle/.new bundle/ca.crt
    wait_until 2 cut_are 2
    [ "$(echo_on q)" = 'again 0 failed 1' ]
    [ "$(echo_on a)" = 'again 1 failed 0' ]
    let_go
}

@test "a server that is revoked loses the callers that are connected to it" {
    authority one
    member one web
    member one other
    member one caller
    ports SERVICE IN OUT OUT2 IN2
    echo_service "$SERVICE"
    for who in web other; do
        config $who <<INI
[tls]
directory = $T/$who
[inbound $who]
listen = 127.0.0.1:$([ $who = web ] && echo "$IN" || echo "$IN2")
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
        start_sidecar $who
    done
    config caller <<INI
[tls]
directory = $T/caller
[outbound web]
listen = 127.0.0.1:$OUT
connect = 127.0.0.1:$IN
server_name = web.test
[outbound other]
listen = 127.0.0.1:$OUT2
connect = 127.0.0.1:$IN2
server_name = other.test
INI
    start_sidecar caller
    IN=$OUT held to_web caller 1 --plain
    IN=$OUT2 held to_other caller 1 --plain
    since=$(now_ms)
    "$C" revoke --ca one --into caller web/tls.crt
    wait_until 1 cut_are 1 caller
    took_less 1000 "$since" 'revoked server left after'
    [ "$(echo_on to_web)" = 'again 0 failed 1' ]
    [ "$(echo_on to_other)" = 'again 1 failed 0' ]
    grep '"end":"untrusted"' caller.log | grep -q '"outbound":"web".*CN=web'
    let_go
}

@test "a rule comes to refuse a session that still waits for its service: the grace is no longer for that" {
    cat >late.py <<'PY'
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind("late.sock")
s.listen(0)
full = []
try:
    while True: # until nobody else is let in
        full.append(socket.socket(socket.AF_UNIX))
        full[-1].setblocking(False)
        full[-1].connect("late.sock")
except BlockingIOError:
    print("full", flush=True)
open("go").close()
while True:
    full.append(s.accept()[0])
PY
    authority one
    member one web
    member one a
    trusting one
    mkfifo go
    spawn late /usr/bin/python3 late.py
    wait_until 5 grep -q full late.out
    mounted '' 'trust_grace = 1s'
    sed -i "s|^forward = .*|forward = unix:$T/late.sock|" server.conf
    before=$(generation server)
    kill -HUP "$(pid_of server)"
    wait_until 3 generation_over server "$before"
    cat >caller.py <<'PY'
import socket, ssl, sys
c = ssl.create_default_context(cafile="mount/ca.crt")
c.check_hostname = False
c.load_cert_chain("a/tls.crt", "a/tls.key")
s = c.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
s.sendall(b"waits")
s.recv(1)
PY
    spawn caller /usr/bin/python3 caller.py "$IN"
    wait_until 3 metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 1
    before=$(generation server)
    {
        cat server.conf
        printf '[rule away]\nexpression = cf.tls_client_auth.cert_subject_dn contains "CN="\naction = block\n'
    } >with
    mv with server.conf
    wait_until 3 generation_over server "$before"
    echo >go
    wait_until 3 cut_are 1
}

@test "whoever is in the grace of a rule and is then revoked is cut at once" {
    authority one
    member one web
    member one a
    member one b
    trusting one
    mounted
    held a a
    held b b
    before=$(generation server)
    {
        cat server.conf
        printf '[rule away]\nexpression = cf.tls_client_auth.cert_subject_dn contains "CN="\naction = block\n'
    } >with
    mv with server.conf
    wait_until 3 generation_over server "$before"
    [ "$(echo_on a)" = 'again 1 failed 0' ]
    fails comes a
    "$C" revoke --ca one a/tls.crt
    since=$(now_ms)
    trusting one
    wait_until 1 cut_are 1
    took_less 1000 "$since" 'cut after'
    [ "$(echo_on a)" = 'again 0 failed 1' ]
    [ "$(echo_on b)" = 'again 1 failed 0' ]
    let_go
}
