#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# certrotate's certificates, lists and requests before OpenSSL, GnuTLS and curl; the command as a user meets it.
load lib
setup() {
    begin
    C=$OUTRIDER_BIN/certrotate
    export CERTROTATE_CA=ca
}
teardown() { finish; }

# accepted DIR: OpenSSL and GnuTLS take the chain in DIR up to its ca.crt, and OpenSSL finds it not revoked.
accepted() {
    openssl verify -x509_strict -CAfile "$1/ca.crt" -untrusted "$1/tls.crt" -crl_check_all -CRLfile "$1/crl.pem" \
        "$1/tls.crt" && certtool --verify --load-ca-certificate "$1/ca.crt" --infile "$1/tls.crt" &&
        openssl pkey -in "$1/tls.key" -check -noout &&
        [ "$(openssl x509 -in "$1/tls.crt" -noout -pubkey)" = "$(openssl pkey -in "$1/tls.key" -pubout)" ]
}

# `! command` alone never fails a test.
fails() { ! "$@"; }

serial() { openssl x509 -in "$1/tls.crt" -noout -serial | sed 's/serial=//'; }

@test "certrotate: issue makes its directory and those above it" {
    "$C" ca init --cn Root
    "$C" issue --out deep/er/web --dns web.example
    accepted deep/er/web
    "$C" issue --out "$T/./other//place/" --dns web.example
    accepted other/place
    : >file
    run "$C" issue --out file/web --dns web.example
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *file*"Not a directory"* ]]
}

@test "certrotate: every kind of key is accepted by OpenSSL and GnuTLS, with and without an intermediate" {
    for key in p256 p384 p521 rsa2048 rsa3072 ed25519; do
        for intermediate in '' --intermediate; do
            rm -rf ca web
            "$C" ca init --key $key $intermediate --cn "Root $key" --o Shop
            "$C" issue --out web --key $key --cn web --o Shop --ou A --ou B --dns web.example --dns '*.web.example' \
                --uri spiffe://td/ns/a/sa/b --ip 192.0.2.1 --ip 2001:db8::1 --email me@example.com
            accepted web || { echo "$key $intermediate"; return 1; }
            [ "$(stat -Lc %a web/tls.key ca/issuer/issuer.key ca)" = $'600\n600\n700' ]
        done
    done
}

@test "certrotate: OpenSSL reads back what was asked for" {
    "$C" ca init --cn Root --country DE
    "$C" issue --out web --cn 'Müller, "x"' --o Shop --dns web.example --uri spiffe://td/a --ip 2001:db8::1 \
        --email me@example.com --lifetime 2h --usage server
    run openssl x509 -in web/tls.crt -noout -subject -issuer -nameopt RFC2253 -ext \
        subjectAltName,extendedKeyUsage,keyUsage,basicConstraints
    echo "$output"
    [[ $output == *'subject=CN=M\C3\BCller\, \"x\",O=Shop'* ]]
    [[ $output == *'issuer=CN=Root,C=DE'* ]]
    [[ $output == *'DNS:web.example, URI:spiffe://td/a, IP Address:2001:DB8:0:0:0:0:0:1, email:me@example.com'* ]]
    [[ $output == *'TLS Web Server Authentication'* && $output != *'Client Authentication'* ]]
    [[ $output == *'Key Usage: critical'* && $output == *'CA:FALSE'* ]]
    openssl x509 -in web/tls.crt -noout -checkend 7100
    fails openssl x509 -in web/tls.crt -noout -checkend 7201
}

@test "certrotate: show says of any certificate what OpenSSL says" {
    "$C" ca init --intermediate
    "$C" issue --out web --cn 'a+b <c>' --dns web.example
    cp -L web/tls.crt own.pem
    alike=0
    for f in own.pem "$PKI"/*.crt; do
        [ $alike -lt 15 ] || break
        openssl x509 -in "$f" -noout 2>/dev/null || continue
        run "$C" show --json "$f"
        [ "$status" = 0 ] || continue # some are made to be refused
        x() { openssl x509 -in "$f" -noout "$@" | sed '1s/^[^=]*=//'; }
        ours=$(echo "$output" | python3 -c 'import json, sys
c = json.load(sys.stdin)[0]
for field in sys.argv[1:]: print(c[field])' subject_dn issuer_dn serial fingerprint_sha256 fingerprint_sha1 not_before \
            not_after)
        theirs=$(x -subject -nameopt RFC2253
            x -issuer -nameopt RFC2253
            x -serial
            x -fingerprint -sha256 | tr -d : | tr A-F a-f
            x -fingerprint -sha1 | tr -d : | tr A-F a-f
            x -startdate
            x -enddate)
        [ "$ours" = "$theirs" ]
        alike=$((alike + 1))
    done
    [ $alike -ge 5 ]
}

@test "certrotate: requests are good before OpenSSL, and OpenSSL's requests are signed" {
    "$C" ca init
    for key in p256 p384 p521 rsa2048 ed25519; do
        "$C" csr --key "$key" --key-out "$key.key" --out "$key.csr" --cn web --dns web.example --uri spiffe://td/a
        openssl req -in "$key.csr" -verify -noout
        [[ $(openssl req -in "$key.csr" -noout -text) == *'DNS:web.example, URI:spiffe://td/a'* ]]
        "$C" sign --out "$key.crt" "$key.csr"
        openssl verify -x509_strict -CAfile ca/ca.crt "$key.crt"
        [ "$(openssl x509 -in "$key.crt" -noout -pubkey)" = "$(openssl pkey -in "$key.key" -pubout)" ]
    done
    openssl req -new -newkey rsa:2048 -nodes -keyout o.key -out o.csr -subj '/O=Shop/CN=web' \
        -addext 'subjectAltName=DNS:o.example,IP:10.0.0.1' 2>/dev/null
    "$C" sign o.csr >o.crt
    openssl verify -x509_strict -CAfile ca/ca.crt o.crt
    [[ $(openssl x509 -in o.crt -noout -ext subjectAltName) == *'DNS:o.example, IP Address:10.0.0.1'* ]]
    openssl req -in o.csr -outform DER -out o.der
    "$C" sign o.der | openssl verify -x509_strict -CAfile ca/ca.crt
}

@test "certrotate: what the policy does not allow is refused with the reason" {
    "$C" ca init
    cat >ca/policy <<'P'
max_lifetime = 1h
keys = p256, rsa2048
dns = *.shop.example
uri = spiffe://td/ns/shop/*
subject = CN=*, O=Shop
P
    no() { # no REASON OPTION...
        local why=$1
        shift
        run "$C" issue --out web "$@"
        [ "$status" = 1 ] && [[ $output == *"$why"* ]] && [ ! -e web ] || { echo "$status $output"; return 1; }
    }
    no 'allow the dns web.example' --dns web.example
    no 'allow the dns a.b.shop.example' --dns a.b.shop.example
    no 'allow the uri spiffe://td/ns/bank/sa/x' --dns a.shop.example --uri spiffe://td/ns/bank/sa/x
    no 'allow the ip 10.0.0.1' --ip 10.0.0.1
    no 'O=Bank' --dns a.shop.example --o Bank
    no 'key of type p384' --dns a.shop.example --key p384
    no 'a lifetime of 3600 s, not of 7200 s' --dns a.shop.example --lifetime 2h
    "$C" issue --out web --dns a.shop.example --uri spiffe://td/ns/shop/sa/x --o Shop --cn x
    accepted web

    # What a request asks for beyond names.
    req() {
        openssl req -new -newkey rsa:2048 -nodes -keyout r.key -out r.csr -subj /CN=x "$@" 2>/dev/null
        run "$C" sign r.csr
        [ "$status" = 1 ]
        echo "$output"
    }
    [[ $(req -addext basicConstraints=critical,CA:TRUE -addext subjectAltName=DNS:a.shop.example) == \
        *'to be a certificate authority'* ]]
    [[ $(req -addext 'subjectAltName=DNS:a.shop.example,otherName:1.2.3.4;UTF8:x') == *'alternative name'* ]]
    [[ $(req -addext '1.2.3.4=critical,DER:0500') == *'not supported'* ]]
    # A broken signature.
    openssl req -new -newkey rsa:2048 -nodes -keyout r.key -subj /CN=abcdefgh -outform DER 2>/dev/null |
        sed 's/abcdefgh/abcdefgi/' >r.der
    run "$C" sign r.der
    [ "$status" = 1 ]
    [[ $output == *'the request is refused: '* ]]
}

@test "certrotate: a revocation is in the list, by serial, fingerprint and file" {
    "$C" ca init --intermediate
    for d in a b c d; do "$C" issue --out $d --dns $d.example; done
    "$C" revoke --reason keyCompromise "$(serial a)"
    "$C" revoke --reason superseded "$(openssl x509 -in b/tls.crt -noout -fingerprint -sha256 | sed 's/.*=//')"
    "$C" revoke c/tls.crt --into d
    openssl crl -in ca/crl.pem -noout -CAfile ca/issuer/issuer.crt 2>&1 | grep -q 'verify OK'
    crl=$(openssl crl -in ca/crl.pem -noout -text)
    for d in a b c; do
        [[ $crl == *"Serial Number: $(serial $d)"* ]]
        run openssl verify -CAfile ca/ca.crt -untrusted $d/tls.crt -crl_check -CRLfile ca/crl.pem $d/tls.crt
        [[ $status != 0 && $output == *'certificate revoked'* ]]
    done
    [[ $crl == *'Key Compromise'* && $crl == *'Superseded'* ]]
    accepted d
    cmp ca/crl.pem d/crl.pem
    # A directory that cannot be written keeps none of the others from it; the first mistake is told.
    echo >file
    run "$C" revoke "$(serial d)" --into file/x --into a --into nowhere/y --into b
    [[ $status = 1 && $output == *file* ]]
    cmp ca/crl.pem a/crl.pem
    cmp ca/crl.pem b/crl.pem
    openssl crl -in b/crl.pem -noout -text | grep -q "$(serial d)"
    # Numbers go up; GnuTLS reads it too.
    first=$(openssl crl -in ca/crl.pem -noout -crlnumber)
    "$C" crl --out copy.pem --next-update 1h
    cmp ca/crl.pem copy.pem
    [ "$first" != "$(openssl crl -in ca/crl.pem -noout -crlnumber)" ]
    certtool --crl-info --infile ca/crl.pem | grep -q 'Revoked certificates (4)'
    # A list of OpenSSL's is shown alike.
    for f in "$PKI"/crl*.pem; do
        run "$C" show "$f"
        [ "$status" = 0 ]
        openssl crl -in "$f" -noout -text | sed -n 's/ *Serial Number: //p' | while read -r s; do
            [[ $output == *"$s"* ]]
        done
    done
}

@test "certrotate: expired authorities and certificates are refused" {
    faketime '2020-01-01' "$C" ca init --lifetime 30d
    faketime '2020-01-02' "$C" issue --out web --dns a.example
    run "$C" issue --out new --dns a.example
    [ "$status" = 1 ]
    [[ $output == *'has expired'* ]]
    run "$C" verify web
    [ "$status" = 1 ]
    [[ $output == *'expired'* ]]
    faketime '2020-01-02' "$C" verify web
    # Never beyond the authority's own end.
    faketime '2020-01-25' "$C" issue --out late --dns a.example --lifetime 30d
    [ "$(openssl x509 -in late/tls.crt -noout -enddate)" = "$(openssl x509 -in ca/ca.crt -noout -enddate)" ]
}

@test "certrotate: curl and OpenSSL speak mutual TLS with what it makes" {
    local p
    ports p
    "$C" ca init --intermediate
    "$C" issue --out server --ip 127.0.0.1 --usage server
    "$C" issue --out client --uri spiffe://td/client --usage client --key ed25519
    spawn server openssl s_server -accept "127.0.0.1:$p" -cert server/tls.crt -cert_chain server/tls.crt \
        -key server/tls.key -CAfile server/ca.crt -Verify 5 -verify_return_error -www -quiet
    wait_until 10 curl -sf --cacert client/ca.crt --cert client/tls.crt --key client/tls.key \
        "https://127.0.0.1:$p/" -o out
    [ -s out ]
    fails curl -sf --cacert client/ca.crt "https://127.0.0.1:$p/"
    fails curl -sf --cacert client/ca.crt --cert server/tls.crt --key server/tls.key "https://127.0.0.1:$p/"
}

@test "certrotate: rotate renews in time, follows the authority, and ends when told" {
    "$C" ca init
    spawn rotator "$C" rotate --out web --dns a.example --lifetime 6s --at 1/3 --jitter 0 --interval 1s \
        --exec 'echo x >>ran'
    wait_until 5 test -e web/tls.crt
    first=$(serial web)
    renewed() { [ "$(serial web)" != "$first" ]; }
    wait_until 10 renewed
    accepted web
    "$C" ca prepare
    both() { [ "$(grep -c BEGIN web/ca.crt)" = "$1" ]; }
    wait_until 5 both 2
    "$C" ca switch
    by_new() { openssl x509 -in web/tls.crt -noout -issuer | grep -q 'G2'; }
    wait_until 5 by_new
    "$C" ca retire
    wait_until 5 both 1
    accepted web
    [ "$(find web -maxdepth 1 -name '..2*' | wc -l)" = 1 ]
    [ "$(wc -l <ran)" -ge 4 ]
    pid=$(cat rotator.pid)
    kill -TERM "$pid"
    wait_until 5 gone "$pid"
}

@test "certrotate: killed at random, nothing is lost or half-written" {
    "$C" ca init
    "$C" issue --out web --dns a.example
    acknowledged=()
    for i in {1..16}; do
        "$C" issue --out other --dns b.example >/dev/null
        s=$(serial other)
        "$C" rotate --once --out web --at 0 >/dev/null &
        a=$!
        "$C" revoke "$s" >/dev/null &
        b=$!
        sleep "0.00$((RANDOM % 10))"
        kill -9 $a 2>/dev/null || true
        [ $((i % 2)) = 0 ] || kill -9 $b 2>/dev/null || true
        wait $a || true
        if wait $b; then acknowledged+=("$s"); fi
        "$C" verify web >/dev/null
    done
    "$C" crl
    crl=$(openssl crl -in ca/crl.pem -noout -text)
    for s in "${acknowledged[@]}"; do [[ $crl == *"$s"* ]]; done
    [ ${#acknowledged[@]} -ge 8 ]
    "$C" rotate --once --out web --at 0
    accepted web
    [ "$(find web -maxdepth 1 -name '..2*' | wc -l)" = 1 ]
}

@test "certrotate: help is there for every command, and wrong usage is told" {
    for c in '' 'ca init' 'ca prepare' csr sign issue revoke crl show verify rotate; do
        # shellcheck disable=SC2086
        run "$C" $c --help
        [ "$status" = 0 ]
        [[ $output == Usage:* ]]
    done
    run "$C" issue --nonsense
    [ "$status" = 2 ]
    [[ $output == *'--nonsense'*'--help'* ]]
    run "$C" version
    [[ $output == certrotate* ]]
    run "$OUTRIDER_BIN/sidecar" certrotate version
    [[ $output == certrotate* ]]
}
