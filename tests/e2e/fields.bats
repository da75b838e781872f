#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Every field of the rule language with its value on a real connection, as the service is told it in a header, beside
# what openssl and curl say of the same thing.
load lib
load http
setup() { begin; }
teardown() { finish; }

# fields EXPRESSION...: house whose service gets each as a header F0, F1, ... (or with $TO=response, the caller).
fields() {
    local text='[headers]' i=0
    for e in "$@"; do
        text+=$'\n'"${TO:-request}.F$i = $e"
        i=$((i + 1))
    done
    house "${KEYS:-}" "$text"$'\n'"${SECTIONS:-}"
}

# is N TEXT: header FN in the file `head`.
is() {
    local got
    got=$(sed -n "s/^F$1: \(.*\)\r$/\1/Ip" head)
    [ "$got" = "$2" ] || { echo "F$1 is <$got>, not <$2>"; return 1; }
}
x509() { openssl x509 -in "$PKI/$1.crt" -noout "${@:2}"; }
print() { x509 "$1" -fingerprint "$2" | cut -d= -f2 | tr -d : | tr A-F a-f; }
ski() { x509 "$1" -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :'; }
base64_of() { openssl x509 -in "$PKI/$1.crt" -outform DER | base64 -w0; }

@test "the caller's certificate" {
    local a=cf.tls_client_auth.cert
    fields ${a}_presented ${a}_verified ${a}_revoked ${a}_subject_dn ${a}_subject_dn_rfc2253 ${a}_subject_dn_legacy \
        ${a}_issuer_dn ${a}_issuer_dn_rfc2253 ${a}_issuer_dn_legacy ${a}_serial ${a}_issuer_serial \
        ${a}_fingerprint_sha256 ${a}_fingerprint_sha1 ${a}_not_before ${a}_not_after ${a}_ski ${a}_issuer_ski \
        ${a}_rfc9440 ${a}_rfc9440_too_large ${a}_chain_rfc9440 ${a}_chain_rfc9440_too_large \
        outrider.spiffe_id outrider.trust_domain 'join(outrider.san.dns, "|")' 'join(outrider.san.uri, "|")' \
        'join(outrider.subject.cn, "|")' 'join(outrider.subject.o, "|")' 'len(outrider.subject.ou)' \
        'join(outrider.chain_fingerprints, "|")' outrider.key_type outrider.key_bits \
        'outrider.seconds_to_expiry gt 86400' outrider.verify_error
    call /head >head
    cat head
    is 0 true && is 1 true && is 2 false
    for i in 3 4; do is $i 'CN=client,O=Outrider tests'; done
    is 5 '/O=Outrider tests/CN=client'
    for i in 6 7; do is $i 'CN=Test CA,O=Outrider tests'; done
    is 8 '/O=Outrider tests/CN=Test CA'
    is 9 "$(serial client)"
    is 10 "$(serial ca)"
    is 11 "$(print client -sha256)"
    is 12 "$(print client -sha1)"
    is 13 "$(x509 client -startdate | cut -d= -f2)"
    is 14 "$(x509 client -enddate | cut -d= -f2)"
    is 15 "$(ski client)"
    is 16 "$(ski ca)"
    is 17 ":$(base64_of client):"
    is 18 false
    is 19 ":$(base64_of ca):" # curl sends the root as well
    is 20 false
    is 21 spiffe://cluster.local/ns/shop/sa/client
    is 22 cluster.local
    is 23 client.test
    is 24 spiffe://cluster.local/ns/shop/sa/client
    is 25 client
    is 26 'Outrider tests'
    is 27 0
    is 28 "$(print ca -sha256)"
    is 29 EC
    is 30 256
    is 31 true
    is 32 ''
}

@test "no certificate: false and empty, not missing; one that is not verified, and why" {
    local a=cf.tls_client_auth.cert
    KEYS='client_auth = request' SECTIONS=$'[rules]\ndefault = allow' \
        fields ${a}_presented ${a}_verified ${a}_revoked "concat(\"<\", ${a}_serial, ${a}_fingerprint_sha256, \">\")" \
        "${a}_subject_dn eq \"\"" 'len(outrider.san.dns)' 'concat("<", outrider.spiffe_id, ">")' outrider.verify_error
    AS=none call /head >head
    is 0 false && is 1 false && is 2 false && is 3 '<>' && is 4 true && is 5 0 && is 6 '<>'
    AS=expired call /head >head
    is 0 true && is 1 false && is 2 false && is 4 false
    grep -q '^F7: .*expired' head
}

@test "the connection" {
    KEYS='alpn = http/1.1' fields ssl ip.src cf.edge.server_ip cf.edge.server_port cf.edge.client_tcp cf.tls_version \
        cf.tls_cipher outrider.inbound outrider.direction outrider.sni outrider.alpn outrider.src_port outrider.resumed \
        'concat("<", outrider.ca, ">")'
    call /head --local-port 30000-30999 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256 --tls-max 1.2 -w '%{local_port}' >head
    cat head
    is 0 true
    is 1 127.0.0.1
    is 2 127.0.0.1
    is 3 "$IN"
    is 4 true
    is 5 TLSv1.2
    is 6 ECDHE-ECDSA-AES128-GCM-SHA256
    is 7 web
    is 8 inbound
    is 9 server.test
    is 10 http/1.1
    is 11 "$(tail -n 1 head)"
    is 12 false
    is 13 '<>'
    call /head --tlsv1.3 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256 >head
    is 5 TLSv1.3
    is 6 AEAD-CHACHA20-POLY1305-SHA256
}

@test "what is known of the ClientHello, where a rule asks for it" {
    local hello='cf.tls_client_hello_length gt 100 and len(cf.tls_client_random) eq 44 and len(cf.tls_ciphers_sha1) eq 28 and
    len(cf.tls_client_extensions_sha1) eq 28 and len(cf.tls_client_extensions_sha1_le) eq 28 and
    not cf.tls_client_extensions_sha1 eq cf.tls_client_extensions_sha1_le'
    house '' "[rules]
default = deny
[rule hello]
expression = $hello
action = allow"
    [ "$(status_of /)" = 200 ]
}

@test "the request, over HTTP/1.1 and HTTP/2" {
    local r=http.request
    TO=response KEYS='alpn = h2, http/1.1' fields http.host $r.method $r.version $r.full_uri $r.uri $r.uri.path $r.uri.path.extension \
        $r.uri.query "$r.uri.args[\"a\"][1]" "join($r.uri.args.names, \"|\")" "join($r.uri.args.values, \"|\")" \
        "join($r.headers[\"x-two\"], \"|\")" "$r.headers.truncated" "$r.cookies[\"c d\"][0]" http.cookie \
        http.user_agent http.referer http.x_forwarded_for "join($r.accepted_languages, \"|\")" \
        "$r.timestamp.sec gt 1700000000 and $r.timestamp.msec lt 1000" raw.$r.full_uri raw.$r.uri raw.$r.uri.path \
        raw.$r.uri.path.extension raw.$r.uri.query "$r.headers[\"host\"][0]" 'concat("<", cf.ray_id, ">")'
    for version in 1.1 2; do
        if [ $version = 2 ]; then
            stop service
            spawn service nghttpd --no-tls -a 127.0.0.1 -d "$T" "$SERVICE"
            wait_until 5 listening "$SERVICE"
        fi
        call '/x/../A.Txt?a=1&b=x%20y&a=2' "--http$version" -X POST -H 'X-Two: p' -H 'X-Two: q' -A agent -e referer \
            -H 'Cookie: x=1; c%20d=e%20f' -H 'X-Forwarded-For: 10.1.1.1' -H 'Accept-Language: de;q=0.5, fr, *;q=0.1' \
            -D head -o /dev/null
        cat head
        host=server.test:$IN
        is 0 "$host"
        is 1 POST
        is 2 HTTP/$version
        is 3 "https://$host/A.Txt?a=1&b=x%20y&a=2"
        is 4 '/A.Txt?a=1&b=x%20y&a=2'
        is 5 /A.Txt
        is 6 txt
        is 7 'a=1&b=x%20y&a=2'
        is 8 2
        is 9 'a|b|a'
        is 10 '1|x%20y|2'
        is 11 'p|q'
        is 12 false
        is 13 e%20f
        is 14 'x=1; c%20d=e%20f'
        is 15 agent
        is 16 referer
        is 17 10.1.1.1
        is 18 'fr|de'
        is 19 true
        is 20 "https://$host/x/../A.Txt?a=1&b=x%20y&a=2"
        is 21 '/x/../A.Txt?a=1&b=x%20y&a=2'
        is 22 /x/../A.Txt
        is 23 txt
        is 24 'a=1&b=x%20y&a=2'
        is 25 "$host"
        is 26 '<>'
    done
}
