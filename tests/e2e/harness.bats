#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The test programs against each other and against nginx: what the other files lean on must itself be able to fail.
load lib
setup() { begin; }
teardown() { finish; }

@test "tcp: both directions at once, every byte at its place" {
    ports p
    tcp_service far --listen "$p" --send 3000001 --seed 7 --check 9 --expect 2000003 --connections 1
    run "$OUTRIDER_TOOLS/tcp" --connect "$p" --send 2000003 --seed 9 --check 7 --expect 3000001
    [ "$status" = 0 ]
    [ "$output" = "sent=2000003 received=3000001 end=eof check=ok" ]
    ended far
}

@test "tcp: a wrong stream, a missing byte and a reset are told" {
    ports p
    tcp_service far --listen "$p" --send 1000 --seed 7
    run "$OUTRIDER_TOOLS/tcp" --connect "$p" --check 8 --expect 1000
    [ "$status" = 1 ]
    [[ $output == *"check=bad"* ]]
    run "$OUTRIDER_TOOLS/tcp" --connect "$p" --check 7 --expect 1001
    [ "$status" = 1 ]
    ports q
    tcp_service rst --listen "$q" --rst-after 10 --end hold
    run "$OUTRIDER_TOOLS/tcp" --connect "$q" --send 10 --expect 0
    [ "$status" = 1 ]
    [[ $output == *"end=reset"* ]]
}

@test "tcp: half-closed first, answered after" {
    ports p
    tcp_service far --listen "$p" --send 500000 --send-after-eof --expect 100 --connections 1
    run "$OUTRIDER_TOOLS/tcp" --connect "$p" --send 100 --expect 500000 --check 1
    [ "$status" = 0 ]
    ended far
}

@test "load: through nginx with a client certificate, and refused without" {
    ports backend front
    echo_service "$backend"
    cat >nginx.conf <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid $T/nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 512; }
stream { server {
    listen 127.0.0.1:$front ssl; proxy_pass 127.0.0.1:$backend; ssl_protocols TLSv1.3;
    ssl_certificate $PKI/server.crt; ssl_certificate_key $PKI/server.key;
    ssl_client_certificate $PKI/ca.crt; ssl_verify_client on;
} }
CONF
    [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || skip "nginx has no stream module here"
    spawn nginx nginx -c "$T/nginx.conf" -e stderr
    wait_until 5 listening "$front"
    run load_tls new "$front" --count 20 --connections 4 --sni server.test
    echo "$output"
    [ "$status" = 0 ]
    [ "$(field done "$output")" -ge 20 ]
    run "$OUTRIDER_TOOLS/load" new --connect "$front" --ca "$PKI/ca.crt" --count 2
    [ "$status" = 1 ]
    run load_tls new "$front" --count 1 --sni wrong.test
    [ "$status" = 1 ]
}

@test "certificates: openssl agrees which are good" {
    for name in server client rsa p384 ed25519 chained serveronly; do
        run openssl verify -purpose sslserver -CAfile "$PKI/ca.crt" -untrusted "$PKI/$name.crt" "$PKI/$name.crt"
        echo "$output"
        [ "$status" = 0 ]
    done
    for name in expired future stranger forged wrongeku selfsigned leafca evil clientonly; do
        run openssl verify -purpose sslserver -CAfile "$PKI/ca.crt" -untrusted "$PKI/$name.crt" "$PKI/$name.crt"
        [ "$status" != 0 ]
    done
    run openssl verify -crl_check -CAfile <(cat "$PKI/ca.crt" "$PKI/crl-client.pem") "$PKI/client.crt"
    [[ $output == *revoked* ]]
}
