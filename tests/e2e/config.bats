#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# `sidecar check`: every mistake with its place, and the exit status.
load lib
setup() { begin; }
teardown() { finish; }

check() { run "$OUTRIDER_BIN/sidecar" check -c "$@"; echo "$output"; }

@test "a good file: status 0" {
    config good server <<INI
[inbound web]
listen = 127.0.0.1:8443
forward = 127.0.0.1:8080
INI
    check "$T/good.conf"
    [ "$status" = 0 ]
}

@test "every mistake is reported, with file, line, column, the line, a caret and a suggestion" {
    cat >bad.conf <<'INI'
[sidecar]
workes = 2
drain_timeout = soon

[inbound web]
listen = 127.0.0.1:99999
forward = 127.0.0.1:8080
protocol = htpt

[inbond typo]
listen = 127.0.0.1:1
INI
    check "$T/bad.conf"
    [ "$status" = 1 ]
    for place in bad.conf:2: bad.conf:3: bad.conf:6: bad.conf:8: bad.conf:10:; do
        [[ $output == *"$place"* ]]
    done
    [[ $output == *'workes = 2'* ]]
    [[ $output == *'^'* ]]
    [[ $output == *'"workers"'* || $output == *'workers?'* || $output == *'`workers`'* || $output == *"workers"* ]]
    [[ $output == *inbound* ]]
}

@test "usage: status 2; a file that is not there: status 1" {
    run "$OUTRIDER_BIN/sidecar" check
    [ "$status" = 2 ]
    run "$OUTRIDER_BIN/sidecar" check --nonsense
    [ "$status" = 2 ]
    check "$T/not-there.conf"
    [ "$status" = 1 ]
    [[ $output == *not-there.conf* ]]
}

@test "standard input" {
    run "$OUTRIDER_BIN/sidecar" check -c - <<<'[sidecar]
nonsense = 1'
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *nonsense* ]]
}

@test "inih's silent cuts are errors: 200 characters, a long name, ' ;' in a value" {
    printf '[inbound web]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:%0300d\n' 1 >long.conf
    check "$T/long.conf"
    [ "$status" = 1 ]
    [[ $output == *long.conf:3:* ]]
    printf '[inbound %s]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:2\n' "$(printf 'x%.0s' {1..60})" >name.conf
    check "$T/name.conf"
    [ "$status" = 1 ]
    [[ $output == *name.conf:1:* ]]
    printf '[inbound web]\nlisten = 127.0.0.1:1 ; here\nforward = 127.0.0.1:2\n' >comment.conf
    check "$T/comment.conf"
    [ "$status" = 1 ]
    [[ $output == *comment.conf:2:* ]]
}

@test "what cannot be combined, and names that nothing has" {
    config bad server <<INI
[inbound web]
listen = 127.0.0.1:1
forward = 127.0.0.1:2
proxy_protocol = require
[ca x]
file = $PKI/ca.crt
hostnames = a.example.com
inbounds = nowhere
INI
    check "$T/bad.conf"
    [ "$status" = 1 ]
    [[ $output == *proxy_from* ]]
    [[ $output == *nowhere* ]]
}

@test "unknown ciphers and groups, bad patterns, bad rules: all at once, whatever else is wrong" {
    config bad server <<INI
[tls]
directory = $PKI/server
ciphers = TLS_NONSENSE
groups = X25518
[sidecar]
workes = 1
[rule r]
expression = http.hots eq "x"
[inbound web]
listen = 127.0.0.1:1
forward = 127.0.0.1:2
allow_san = spiffe://a b
INI
    check "$T/bad.conf"
    [ "$status" = 1 ]
    for word in TLS_NONSENSE X25518 allow_san workes http.hots; do
        [[ $output == *"$word"* ]]
    done
}

@test "more headers of a kind than a section may have" {
    {
        printf '[inbound web]\nlisten = 127.0.0.1:8443\nforward = 127.0.0.1:8080\nprotocol = http\n[headers]\n'
        for ((i = 0; i < 65; i++)); do echo "request.X-$i = cf.tls_client_auth.cert_serial"; done
    } >many
    config many server <many
    check "$T/many.conf"
    [ "$status" = 1 ]
    [[ $output == *'64 at most'*'request.X-64'* ]]
    sed -i '/X-64/d' many.conf
    check "$T/many.conf"
    [ "$status" = 0 ]
}

@test "a bad file cannot be run, and the same words say why" {
    printf '[sidecar]\nworkes = 2\n' >bad.conf
    run "$OUTRIDER_BIN/sidecar" run -c "$T/bad.conf"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *bad.conf:2:* ]]
}

@test "variables of the environment are expanded" {
    config env server <<'INI'
[inbound web]
listen = ${POD_IP}:8443
forward = 127.0.0.1:8080
INI
    POD_IP=127.0.0.1 check "$T/env.conf"
    [ "$status" = 0 ]
    POD_IP=nonsense: check "$T/env.conf"
    [ "$status" = 1 ]
    check "$T/env.conf"
    [ "$status" = 1 ]
    [[ $output == *POD_IP* ]]
}
