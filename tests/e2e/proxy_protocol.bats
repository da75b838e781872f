#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The PROXY protocol: demanded of callers, believed only from proxy_from, and sent to the service.
load lib
setup() { begin; }
teardown() { finish; }

# catcher: a service on "$SERVICE" that keeps the first bytes of each connection in $T/caught.N and says hello.
catcher() {
    ports SERVICE
    cat >catch.py <<'PY'
import socket, sys
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", int(sys.argv[1]))); l.listen(50); print("ready", flush=True)
n = 0
while True:
    s, _ = l.accept()
    s.settimeout(1)
    n += 1
    data = b""
    try:
        while len(data) < 4096 and b"PAYLOAD" not in data:
            more = s.recv(4096)
            if not more:
                break
            data += more
    except OSError:
        pass
    open(f"caught.{n}", "wb").write(data)
    try:
        s.sendall(b"hello-from-service\n")
    except OSError:
        pass
    s.close()
PY
    spawn catcher python3 catch.py "$SERVICE"
    wait_until 5 grep -q ready catcher.out
}

# caller.py PORT HEADER_HEX: mutual TLS as `client` behind this header; prints the answer.
caller() {
    cat >caller.py <<'PY'
import os, socket, ssl, sys
pki = os.environ["PKI"]
ctx = ssl.create_default_context(cafile=pki + "/ca.crt")
ctx.load_cert_chain(pki + "/client.crt", pki + "/client.key")
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
header = bytes.fromhex(sys.argv[2])
if len(sys.argv) > 3:
    for b in header:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(bytes([b]))
else:
    s.sendall(header)
try:
    t = ctx.wrap_socket(s, server_hostname="server.test")
    t.sendall(b"PAYLOAD")
    print(t.recv(100).decode())
except OSError as e:
    print("refused:", e)
PY
    run python3 caller.py "$@"
    echo "$output"
}

hex() { od -An -v -tx1 | tr -d ' \n'; }
V2_SIGNATURE=0d0a0d0a000d0a515549540a

inbound_with() { # KEYS
    catcher
    ports IN
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
$1
INI
    start_sidecar server
}

@test "demanded: v1 and v2 are read, and the address they tell is the peer's" {
    inbound_with $'proxy_protocol = require\nproxy_from = 127.0.0.0/8'
    caller "$IN" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.9 4711 443\r\n' | hex)"
    [[ $output == hello-from-service* ]]
    wait_for_log server '"peer":"192.0.2.7:4711"'
    # v2, PROXY, TCP over IPv4, 12 bytes: 198.51.100.8 -> 198.51.100.9, ports 1111 and 443.
    caller "$IN" "${V2_SIGNATURE}2111000cc6336408c6336409045701bb"
    [[ $output == hello-from-service* ]]
    wait_for_log server '"peer":"198.51.100.8:1111"'
    # v2 over IPv6 with a TLV that nobody knows.
    caller "$IN" "${V2_SIGNATURE}2121002920010db800000000000000000000000120010db80000000000000000000000020457 01bbEA000274 74"
    [[ $output == hello-from-service* ]]
    wait_for_log server '"peer":"\[2001:db8::1\]:1111"'
    # v2 LOCAL: a probe of the proxy itself; the real address counts.
    caller "$IN" "${V2_SIGNATURE}20000000"
    [[ $output == hello-from-service* ]]
}

@test "a header byte by byte is ordinary" {
    inbound_with $'proxy_protocol = require\nproxy_from = 127.0.0.1/32'
    caller "$IN" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.9 4711 443\r\n' | hex)" slowly
    [[ $output == hello-from-service* ]]
    caller "$IN" "${V2_SIGNATURE}2111000cc6336408c6336409045701bb" slowly
    [[ $output == hello-from-service* ]]
}

@test "demanded but absent or malformed: refused, in words" {
    inbound_with $'proxy_protocol = require\nproxy_from = 127.0.0.0/8'
    for header in '' "$(printf 'PROXY TCP4 192.0.2.7 x 4711 443\r\n' | hex)" "$(printf 'PROXY TCP4 1.2.3.4 1.2.3.4 70000 1\r\n' | hex)" \
        "${V2_SIGNATURE}31110000" "${V2_SIGNATURE}21110004c6336408"; do
        caller "$IN" "$header"
        [[ $output == refused* ]]
    done
    wait_for_log server '"event":"refused".*PROXY header'
    metric_is server 'outrider_handshakes_total{direction="inbound",result="ok"}' 0
}

@test "from an address outside of proxy_from: refused" {
    inbound_with $'proxy_protocol = require\nproxy_from = 10.0.0.0/8'
    caller "$IN" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.9 4711 443\r\n' | hex)"
    [[ $output == refused* ]]
    wait_for_log server 'outside of proxy_from'
}

@test "not demanded: a header is no TLS, and refused" {
    inbound_with ''
    caller "$IN" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.9 4711 443\r\n' | hex)"
    [[ $output == refused* ]]
}

@test "sent to the service: v1" {
    inbound_with 'send_proxy = v1'
    caller "$IN" ''
    [[ $output == hello-from-service* ]]
    head -n 1 caught.1
    [[ $(head -n 1 caught.1) =~ ^PROXY\ TCP4\ 127\.0\.0\.1\ 127\.0\.0\.1\ [0-9]+\ $IN.$ ]]
    [[ $(tail -n 1 caught.1) == PAYLOAD ]]
}

@test "sent to the service: v2 with what is known of TLS; a told address goes on" {
    inbound_with $'send_proxy = v2\nproxy_protocol = require\nproxy_from = 127.0.0.1'
    caller "$IN" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.9 4711 443\r\n' | hex)"
    [[ $output == hello-from-service* ]]
    run python3 - <<'PY'
import socket, struct
d = open("caught.1", "rb").read()
assert d[:12] == b"\r\n\r\n\0\r\nQUIT\n", d[:12]
assert d[12] == 0x21 and d[13] == 0x11, d[12:14]
size, = struct.unpack(">H", d[14:16])
body, rest = d[16:16 + size], d[16 + size:]
assert rest == b"PAYLOAD", rest
src, dst = socket.inet_ntoa(body[:4]), socket.inet_ntoa(body[4:8])
ports = struct.unpack(">HH", body[8:12])
print(src, dst, *ports)
assert (src, ports[0]) == ("192.0.2.7", 4711)
def tlvs(b):
    while b:
        t, n = b[0], struct.unpack(">H", b[1:3])[0]
        yield t, b[3:3 + n]
        b = b[3 + n:]
seen = dict(tlvs(body[12:]))
print(seen)
ssl = seen[0x20]
client, verify = ssl[0], struct.unpack(">I", ssl[1:5])[0]
assert client & 1 and client & 2, client   # PP2_CLIENT_SSL, PP2_CLIENT_CERT_CONN
assert verify == 0
sub = dict(tlvs(ssl[5:]))
print(sub)
assert sub[0x21] == b"TLSv1.3"
assert sub[0x22] == b"client"              # PP2_SUBTYPE_SSL_CN
assert b"AES" in sub[0x23] or b"CHACHA" in sub[0x23]
PY
    echo "$output"
    [ "$status" = 0 ]
}

@test "v2 to a real reader: haproxy takes the address from it" {
    command -v haproxy >/dev/null || skip "no haproxy here"
    ports SERVICE IN
    cat >haproxy.conf <<CONF
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    bind 127.0.0.1:$SERVICE accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[fc_pp_authority]\n"
CONF
    spawn haproxy haproxy -f "$T/haproxy.conf"
    wait_until 5 listening "$SERVICE"
    config server <<INI
[inbound web]
listen = 127.0.0.1:$IN
forward = 127.0.0.1:$SERVICE
protocol = tcp
send_proxy = v2
proxy_protocol = require
proxy_from = 127.0.0.1
INI
    start_sidecar server
    cat >get.py <<'PY'
import os, socket, ssl, sys
pki = os.environ["PKI"]
ctx = ssl.create_default_context(cafile=pki + "/ca.crt")
ctx.load_cert_chain(pki + "/client.crt", pki + "/client.key")
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"PROXY TCP4 192.0.2.77 192.0.2.9 4711 443\r\n")
t = ctx.wrap_socket(s, server_hostname="server.test")
t.sendall(b"GET / HTTP/1.0\r\n\r\n")
print(t.recv(4096).decode())
PY
    run python3 get.py "$IN"
    echo "$output"
    [[ $output == *192.0.2.77* ]]
}
