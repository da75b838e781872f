#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Sets of credentials in all their kinds: layouts and encodings, the ways in which a directory changes, and sets that
# cannot be used.
load lib
load mount
setup() { begin; }
teardown() { finish; }

identity=(tls.crt="$PKI/server.crt" tls.key="$PKI/server.key")
good=("${identity[@]}" ca.crt="$PKI/ca.crt")

# bad_sets CALL: for each set that cannot be used, CALL FAULT WORDS, with the set prepared in $DIR: the fault's name and
# words that its log line must have.
bad_sets() {
    local call=$1
    bad() { # bad FAULT WORDS COMMAND: the good set, spoilt by COMMAND within it
        fresh
        cp "$PKI/server/"* "$DIR/"
        chmod 600 "$DIR/tls.key"
        (cd "$DIR" && eval "$3")
        "$call" "$1" "$2"
    }
    bad mismatch 'tls.key' 'cp $PKI/client.key tls.key'
    bad expired 'tls.crt: the certificate has expired on' 'cp $PKI/expired.crt tls.crt; cp $PKI/expired.key tls.key'
    bad not_yet_valid 'tls.crt: the certificate is valid from' 'cp $PKI/future.crt tls.crt; cp $PKI/future.key tls.key'
    bad unparsable 'tls.crt' 'head -c 300 $PKI/server.crt >tls.crt'
    bad unparsable 'tls.key' 'echo nonsense >tls.key'
    bad missing 'tls.key' 'rm tls.key'
    bad missing 'ca.crt' 'rm ca.crt'
    bad empty 'tls.crt' ': >tls.crt'
    bad too_large 'tls.crt: larger than' 'head -c 2000000 /dev/zero >>tls.crt'
    bad permissions 'tls.key: everybody may read or write it' 'chmod 644 tls.key'
    bad unparsable 'ca.crt' 'echo nonsense >ca.crt'
    bad bad_crl 'crl.pem' 'echo nonsense >crl.pem'
}
errors() { grep -c '"level":"error"' server.log || true; }
errors_over() { [ "$(errors)" -gt "$1" ]; }

@test "a bad set: the old one stays in service, one line says why, the metric stands; mended, it is taken" {
    put "${good[@]}"
    chmod 600 mount/..data/tls.key
    mounted '' 'strict_permissions = on'
    held old client
    turn=0
    refused() { # refused FAULT WORDS
        local before ok line
        before=$(errors) ok=$(reloads ok)
        swap "$DIR"
        wait_until 5 errors_over "$before"
        wait_until 5 failing_is 1
        # What is there is tried again each second: it must not be told again.
        case $1 in expired | mismatch) sleep 1.3 ;; esac
        [ "$(errors)" = $((before + 1)) ]
        line=$(grep '"level":"error"' server.log | tail -n 1)
        figure "$line"
        [[ $line == *"[tls]: "*"$2"*"($1); what was in service stays"* ]]
        ready server
        [ "$(reloads ok)" = "$ok" ]
        [ "$(echo_on old)" = 'again 1 failed 0' ]
        serves "$serial"
        # Mended, by another identity.
        turn=$((turn + 1))
        name=$([ $((turn % 2)) = 0 ] && echo server || echo p384)
        fresh
        cp "$PKI/$name/"* "$DIR/"
        chmod 600 "$DIR/tls.key"
        swap "$DIR"
        serial=$(serial_of "$PKI/$name.crt")
        wait_until 2 serves "$serial"
        failing_is 0
    }
    serial=$(serial_of "$PKI/server.crt")
    bad_sets refused
    [ $turn = 12 ]
    [ "$(reloads failed)" = 12 ]
    [ "$(echo_on old)" = 'again 1 failed 0' ]
    let_go
}

@test "at the start, with a bad set: not ready, says why, waits, and takes what is mended" {
    mkdir mount
    mounted_config '' 'strict_permissions = on'
    waits() { # waits FAULT WORDS
        swap "$DIR"
        launch_sidecar server
        wait_until 5 errors_over 0
        grep '"level":"error"' server.log | grep -qF "($1); waiting for better"
        grep '"level":"error"' server.log | grep -qF "$2"
        [ "$(get_status server /healthz)" = 200 ]
        [ "$(get_status server /readyz)" = 503 ]
        [[ $(curl -s "http://$(health_of server)/readyz") == *'[tls]: no valid credentials yet'* ]]
        failing_is 1
        fails listening "$IN"
        fresh
        cp "$PKI/server/"* "$DIR/"
        chmod 600 "$DIR/tls.key"
        swap "$DIR"
        wait_until 2 ready server
        serves "$(serial_of "$PKI/server.crt")"
        [ "$(errors)" = 1 ]
        stop_sidecar server
        rm server.ended
    }
    bad_sets waits
    # Nothing at all, not even the directory.
    rm -rf mount
    launch_sidecar server
    wait_until 5 errors_over 0
    [ "$(get_status server /readyz)" = 503 ]
    mkdir mount
    put "${good[@]}"
    chmod 600 mount/..data/tls.key
    wait_until 2 ready server
}
fails() { ! "$@"; }

# --- layouts and encodings ---------------------------------------------------------------------------------

# served_from TLS_KEYS: a sidecar with these, and mount/ already filled by the function `fill IDENTITY`: shows the one,
# and after a rotation the other.
served_from() {
    fill server
    mounted_config '' "$1"
    start_sidecar server
    serves "$(serial_of "$PKI/server.crt")"
    fill p384
    wait_until 2 serves "$(serial_of "$PKI/p384.crt")"
    # Its CA bundle is in force, too.
    load_tls new "$IN" --count 1 >/dev/null
    ! "$OUTRIDER_TOOLS/load" new --connect "$IN" --cert "$PKI/stranger.crt" --key "$PKI/stranger.key" --count 1 \
        --seconds 2 >/dev/null 2>&1 || return 1
    [ "$(errors)" = 0 ] || { cat server.log; return 1; }
    stop_sidecar server
    rm -rf server.ended mount
}

@test "layouts: a Kubernetes Secret, the SPIFFE helper's, podCertificate with ClusterTrustBundle, a single PEM" {
    fill() { put tls.crt="$PKI/$1.crt" tls.key="$PKI/$1.key" ca.crt="$PKI/ca.crt"; }
    served_from
    fill() { put svid.pem="$PKI/$1.crt" svid_key.pem="$PKI/$1.key" svid_bundle.pem="$PKI/ca.crt"; }
    served_from
    # Key first, as the kubelet writes it.
    fill() { put credential-bundle.pem="$PKI/$1.key+$PKI/$1.crt" trust-bundle.pem="$PKI/ca.crt"; }
    served_from
    # The ClusterTrustBundle in a volume of its own, under names that the pod gave them.
    mkdir trust
    cp "$PKI/ca.crt" trust/anchors.pem
    fill() { put bundle="$PKI/$1.key+$PKI/$1.crt"; }
    served_from "certificate = bundle
ca = $T/trust/anchors.pem"
    fill() { put web.pem="$PKI/$1.crt+$PKI/$1.key" ca.pem="$PKI/ca.crt"; }
    served_from
    fill() { put web.pem="$PKI/$1.crt+$PKI/$1.key" ca.crt="$PKI/ca.crt" crl.pem="$PKI/crl-none.pem"; }
    served_from 'layout = single'
}

@test "encodings: DER, keys in PKCS#8, SEC1 and PKCS#1, encrypted keys with a password file" {
    openssl x509 -in "$PKI/ca.crt" -outform DER -out ca.der
    fill() {
        openssl x509 -in "$PKI/$1.crt" -outform DER -out crt.der
        openssl pkey -in "$PKI/$1.key" -outform DER -out key.der
        put tls.crt=crt.der tls.key=key.der ca.crt=ca.der
    }
    served_from
    fill() { # SEC1, DER
        openssl x509 -in "$PKI/$1.crt" -outform DER -out crt.der
        openssl ec -in "$PKI/$1.key" -outform DER -out key.der 2>/dev/null
        put web.cer=crt.der web.key=key.der roots.der=ca.der
    }
    served_from "certificate = web.cer
key = web.key
ca = roots.der"
    fill() { # SEC1, PEM, with its parameters in front
        openssl ecparam -name "$([ "$1" = p384 ] && echo secp384r1 || echo prime256v1)" -out params.pem
        openssl ec -in "$PKI/$1.key" -out key.pem 2>/dev/null
        put tls.crt="$PKI/$1.crt" tls.key=params.pem+key.pem ca.crt="$PKI/ca.crt"
        grep -q 'BEGIN EC PRIVATE KEY' mount/tls.key
    }
    served_from
    echo 'open sesame' >password
    fill() { # encrypted PKCS#8
        openssl pkcs8 -topk8 -in "$PKI/$1.key" -out key.pem -v2 aes-256-cbc -passout file:password
        put tls.crt="$PKI/$1.crt" tls.key=key.pem ca.crt="$PKI/ca.crt"
        grep -q 'BEGIN ENCRYPTED PRIVATE KEY' mount/tls.key
    }
    served_from "password_file = $T/password"
    # RSA: PKCS#1 and PKCS#8, of the same key.
    openssl rsa -in "$PKI/rsa.key" -traditional -out pkcs1.pem 2>/dev/null
    grep -q 'BEGIN RSA PRIVATE KEY' pkcs1.pem
    fill() {
        if [ "$1" = server ]; then
            put tls.crt="$PKI/server.crt" tls.key="$PKI/server.key" ca.crt="$PKI/ca.crt"
        else
            put tls.crt="$PKI/rsa.crt" tls.key=pkcs1.pem ca.crt="$PKI/ca.crt"
        fi
    }
    fill p384
    mounted
    serves "$(serial_of "$PKI/rsa.crt")"
    [ "$(errors)" = 0 ]
}

@test "an encrypted key without its password, or with a wrong one, says which it is" {
    openssl pkcs8 -topk8 -in "$PKI/server.key" -out key.pem -v2 aes-256-cbc -passout pass:right
    put "${good[@]}"
    echo right >password
    mounted '' "password_file = $T/password"
    # A good key and then, first, the wrong password.
    echo wrong >password
    put tls.crt="$PKI/server.crt" tls.key=key.pem ca.crt="$PKI/ca.crt"
    wait_until 5 failing_is 1
    wait_for_log server '"level":"error".*tls.key: .*password'
    echo right >password
    wait_until 3 failing_is 0
    serves "$(serial_of "$PKI/server.crt")"
}

# --- the four ways in which a directory changes ------------------------------------------------------------

@test "four kinds of update, each live within a second, the first as the fifth" {
    "$C" ca init
    issued() { # issued: a new identity in new/
        "$C" issue --out new --cn web --dns server.test >/dev/null
        serial=$(serial_of new/tls.crt)
    }
    live() { # live KIND: the change was made just now
        local since
        since=$(now_ms)
        wait_until 1 serves "$serial" || { tail -n 5 server.log; return 1; }
        took=$(($(now_ms) - since))
        [ $took -le "$slowest" ] || slowest=$took
    }
    swapped() { put tls.crt=new/tls.crt tls.key=new/tls.key ca.crt=new/ca.crt; }
    over() { # rename over, file by file
        local f
        for f in tls.crt tls.key; do
            cp new/$f mount/.$f.new
            mv mount/.$f.new mount/$f
        done
    }
    halves() { # in place, each file in two halves
        local f size
        for f in tls.crt tls.key; do
            size=$(stat -Lc %s new/$f)
            head -c $((size / 2)) new/$f >mount/$f
            sleep 0.07
            tail -c +$((size / 2 + 1)) new/$f >>mount/$f
        done
    }
    anew() { # deleted and created
        rm mount/tls.crt mount/tls.key mount/ca.crt
        sleep 0.07
        cp new/tls.crt new/tls.key new/ca.crt mount/
    }
    issued
    swapped
    mounted
    for kind in swapped over halves anew; do
        # A directory of its own, as it is when it is new.
        if [ $kind = over ]; then
            rm -rf mount
            mkdir mount
            cp new/tls.crt new/tls.key new/ca.crt mount/
        fi
        slowest=0
        for _ in {1..5}; do
            issued
            $kind
            live $kind
        done
        figure "$kind: five times, the slowest live after $slowest ms"
        failing_is 0
    done
    # The directory itself replaced by another.
    issued
    mkdir other
    cp new/tls.crt new/tls.key new/ca.crt other/
    mv mount gone
    mv other mount
    live replaced
    ready server
}

@test "no inotify instance is left: the poll alone sees a rotation within a second and a half" {
    unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>/dev/null || skip 'user namespaces cannot be had'
    put "${good[@]}"
    mounted_config
    spawn server unshare -Ur sh -c "echo 0 >/proc/sys/user/max_inotify_instances; exec '$OUTRIDER_BIN/sidecar' run -c '$T/server.conf'"
    : >server.sidecar
    wait_until 5 ready server
    [ "$(inotify_watches "$(pid_of server)")" = 0 ]
    for name in p384 server p384; do
        since=$(now_ms)
        publish $name "$PKI/ca.crt"
        wait_until 2 serves "$(serial_of "$PKI/$name.crt")"
        took_less 1500 "$since" 'live after'
    done
}
