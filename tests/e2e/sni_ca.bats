#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Bring your own CA: which trust judges a caller is chosen by the hostname it asks for.
load lib
setup() { begin; }
teardown() { finish; }

house() {
    ports IN IN2 SERVICE
    hello_service "$SERVICE"
    config server <<INI
[ca partners]
file = $PKI/partners.crt
hostnames = partners.example.com, *.partners.example.com
inbounds = web
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
[inbound other]
listen = 127.0.0.1:$IN2
forward = 127.0.0.1:$SERVICE
protocol = tcp
INI
    start_sidecar server
}

admitted() {
    run ask "$@"
    echo "$*: $output"
    [[ $output == *hello-from-service* ]]
}

refused() {
    run ask "$@"
    echo "$*: $output"
    [[ $output != *hello-from-service* ]]
    [[ $output == *"unknown ca"* ]]
}

@test "the hostname chooses the CA, each way round" {
    house
    admitted "$IN" partner -servername partners.example.com
    admitted "$IN" partner -servername eu.partners.example.com
    refused "$IN" client -servername partners.example.com
    refused "$IN" client -servername eu.partners.example.com
    admitted "$IN" client -servername server.test
    refused "$IN" partner -servername server.test
    wait_for_log server 'issuer not trusted: .*CN=Partners CA'
}

@test "no SNI and an unknown one get the CA of [tls]" {
    house
    admitted "$IN" client -noservername
    refused "$IN" partner -noservername
    admitted "$IN" client -servername unknown.example.com
    refused "$IN" partner -servername unknown.example.com
    refused "$IN" partner -servername a.b.partners.example.com
    refused "$IN" partner -servername example.com
}

@test "case does not matter, and TLS 1.2 is no way round" {
    house
    admitted "$IN" partner -servername PARTNERS.Example.COM
    admitted "$IN" partner -servername partners.example.com -tls1_2
    refused "$IN" client -servername partners.example.com -tls1_2
}

@test "a [ca] serves only the inbounds it names" {
    house
    admitted "$IN2" client -servername partners.example.com
    refused "$IN2" partner -servername partners.example.com
}

@test "a session of one CA cannot be taken to the hostname of another" {
    house
    admitted "$IN" client -servername server.test -sess_out "$T/session" -tls1_2
    [ ! -s session ] || refused "$IN" client -servername partners.example.com -sess_in "$T/session" -tls1_2
    admitted "$IN" client -servername server.test -sess_out "$T/session3" -tls1_3
    [ ! -s session3 ] || refused "$IN" client -servername partners.example.com -sess_in "$T/session3" -tls1_3
}
