#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Transparent mode for real: three "pods" (network namespaces on one bridge), applications that know nothing of the
# mesh, the rules put in by the sidecar itself, and the wire watched: nothing but TLS crosses it.
#
#   shop 10.26.0.1, fd26::1    orders 10.26.0.2, fd26::2    plain 10.26.0.3, fd26::3 (no sidecar)
load lib

PODS="shop orders plain"
pod() { ip netns exec "outrider-k8s-$1" "${@:2}"; }
# as USER_ID POD COMMAND...: the application's user, or the sidecar's.
as() { pod "$2" setpriv --reuid "$1" --regid "$1" --clear-groups "${@:3}"; }
APP=1000 OWN=65532

setup() {
    [ -z "$OUTRIDER_SANITIZER" ] || skip "a sanitizer's runtime is not what namespaces are for"
    [ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
    begin
    clean
    ip link add outrider-k8s type bridge || skip "no bridges here"
    ip link set outrider-k8s up
    echo 1 >/proc/sys/net/ipv6/conf/outrider-k8s/disable_ipv6
    local i=0 name
    for name in $PODS; do
        i=$((i + 1))
        ip netns add "outrider-k8s-$name"
        pod "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
        ip link add "ork8s-$i" type veth peer name eth0 netns "outrider-k8s-$name"
        ip link set "ork8s-$i" master outrider-k8s up
        pod "$name" ip link set lo up
        pod "$name" ip addr add "10.26.0.$i/24" dev eth0
        pod "$name" ip addr add "fd26::$i/64" dev eth0 nodad
        pod "$name" ip link set eth0 up
    done
    # What the sidecar's user may read.
    install -m 755 "$OUTRIDER_BIN/sidecar" "$T/sidecar"
    mkdir -p "$T/tls"
    for name in client server; do
        cp -r "$PKI/$name" "$T/tls/$name"
    done
    chown -R $OWN "$T/tls"
}

clean() {
    local name
    for name in $PODS; do
        ip netns del "outrider-k8s-$name" 2>/dev/null || true
    done
    ip link del outrider-k8s 2>/dev/null || true
}

teardown() {
    [ -n "${T:-}" ] || return 0
    finish
    local bad=$?
    clean
    return $bad
}

pod_listening() { [ -n "$(pod "$1" ss -Hltn "sport = :$2")" ]; }

# service POD PORT [NAME]: an HTTP service on all addresses that says who asked; it has never heard of a sidecar.
service() {
    cat >"$T/service.py" <<'PY'
import http.server, socket, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[2]} says hello-in-the-clear to {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
class S(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
S(("::", int(sys.argv[1])), H).serve_forever()
PY
    spawn "service-$1-$2" ip netns exec "outrider-k8s-$1" setpriv --reuid $APP --regid $APP --clear-groups \
        /usr/bin/python3 "$T/service.py" "$2" "$1"
    wait_until 5 pod_listening "$1" "$2"
}

# sidecar POD IDENTITY <<INI: its configuration after [sidecar], [tls] and [capture]; the rules, as its init container
# would put them in; then the sidecar itself, as its own user.
sidecar() {
    local pod=$1
    {
        printf '[sidecar]\nhealth = 127.0.0.1:9902\ndrain_timeout = 100ms\ndrain_delay = 0s\nworkers = 1\n'
        printf '[tls]\ndirectory = %s\n[capture]\nport = 15001\n' "$T/tls/$2"
        cat
    } >"$T/$pod.conf"
    pod "$pod" "$T/sidecar" redirect --apply -c "$T/$pod.conf"
    : >"$T/$pod.sidecar"
    spawn "$pod" ip netns exec "outrider-k8s-$pod" setpriv --reuid $OWN --regid $OWN --clear-groups \
        "$T/sidecar" run -c "$T/$pod.conf"
    wait_until 10 pod "$pod" curl -sf http://127.0.0.1:9902/readyz >/dev/null
}

# mesh: both sidecars, both services. That of orders is deploy/examples/transparent.ini.
mesh() {
    service orders 8080
    service plain 8080
    sidecar orders server < <(sed -n '/^\[inbound/,$p' "$BATS_TEST_DIRNAME/../../deploy/examples/transparent.ini")
    sidecar shop client <<INI
exclude_ports = 7777
[outbound orders]
destinations = 10.26.0.2, fd26::2
ports = 8080
server_name = server.test
[outbound plain]
destinations = 10.26.0.3, fd26::3
ports = 8080
passthrough = allow
INI
}

fetch() { as $APP shop curl -sS --max-time 5 "$1"; }

# watch: what crosses the bridge to and from orders, into $T/wire.pcap; `watched` ends it.
watch() {
    spawn tcpdump tcpdump --immediate-mode -i outrider-k8s -U -w "$T/wire.pcap" 'tcp and (host 10.26.0.2 or host fd26::2)'
    wait_until 5 grep -q 'listening on' "$T/tcpdump.log"
}
watched() {
    wait_until 5 only_tls >/dev/null
    stop tcpdump
}

# Every TCP payload that crossed, put together by direction, is TLS records and nothing else.
only_tls() {
    python3 - "$T/wire.pcap" <<'PY'
import collections, struct, sys
data = open(sys.argv[1], "rb").read()
assert data[:4] == b"\xd4\xc3\xb2\xa1"
streams, at = collections.defaultdict(dict), 24
while at < len(data):
    size = struct.unpack("<I", data[at + 8:at + 12])[0]
    frame, at = data[at + 16:at + 16 + size], at + 16 + size
    kind, ip = struct.unpack(">H", frame[12:14])[0], frame[14:]
    if kind == 0x0800:
        end, ends, l4 = struct.unpack(">H", ip[2:4])[0], ip[12:20], (ip[0] & 15) * 4
    elif kind == 0x86DD:
        end, ends, l4 = 40 + struct.unpack(">H", ip[4:6])[0], ip[8:40], 40
    else:
        continue
    tcp = ip[l4:end]
    seq, payload = struct.unpack(">I", tcp[4:8])[0], tcp[(tcp[12] >> 4) * 4:]
    if payload:
        streams[ends + tcp[:4]][seq] = payload
records = 0
for ends, parts in streams.items():
    flow, want = b"", min(parts)
    for seq in sorted(parts):
        assert seq <= want, "a gap in what was captured"
        flow += parts[seq][want - seq:]
        want = max(want, seq + len(parts[seq]))
    i = 0
    while i < len(flow):
        assert flow[i] in (20, 21, 22, 23) and flow[i + 1] == 3, f"not a TLS record at {i}: {flow[i:i+40]!r}"
        i += 5 + struct.unpack(">H", flow[i + 3:i + 5])[0]
        records += 1
    assert i == len(flow), "a record cut off"
assert b"hello-in-the-clear" not in data and b"GET /" not in data
print(len(streams), "streams,", records, "records")
assert len(streams) >= 2 and records >= 8
PY
}

@test "applications that know nothing: IPv4 and IPv6, and only TLS crosses" {
    mesh
    watch
    for to in 10.26.0.2:8080 '[fd26::2]:8080'; do
        run fetch "http://$to/"
        echo "$to: $output"
        [[ $output == "orders says hello-in-the-clear to 127.0.0.1" || $output == "orders says hello-in-the-clear to ::ffff:127.0.0.1" ]]
    done
    watched
    run only_tls
    echo "$output"
    [ "$status" = 0 ]
    wait_for_log shop '"outbound":"orders".*"destination":"10.26.0.2:8080".*"sni":"server.test"'
    wait_for_log shop '"destination":"\[fd26::2\]:8080"'
    wait_for_log orders '"inbound":"web".*spiffe://cluster.local/ns/shop/sa/client'
}

@test "whoever has no sidecar, and no certificate, does not get to the application's port" {
    mesh
    run pod plain curl -sS --max-time 5 http://10.26.0.2:8080/
    echo "$output"
    [ "$status" != 0 ]
    [[ $output != *hello-in-the-clear* ]]
    wait_for_log orders 'refused.*plaintext'
    run pod plain curl -sS --max-time 5 'http://[fd26::2]:8080/'
    [ "$status" != 0 ]
}

@test "passthrough where it is allowed; refused where no outbound fits" {
    mesh
    run fetch http://10.26.0.3:8080/
    echo "$output"
    [[ $output == *"plain says hello-in-the-clear"* ]]
    run fetch 'http://[fd26::3]:8080/'
    [[ $output == *"plain says hello-in-the-clear"* ]]
    wait_for_log shop '"outbound":"plain".*"destination":"10.26.0.3:8080"'
    service plain 9999
    run fetch http://10.26.0.3:9999/
    echo "$output"
    [ "$status" != 0 ]
    wait_for_log shop 'refused.*no \[outbound NAME\] has this destination.*10.26.0.3:9999'
}

@test "no circles: the listener by itself, loopback, the pod's own address, the sidecar's own user" {
    mesh
    service shop 8080
    # By itself: refused, whatever is said.
    for to in 127.0.0.1 '[::1]'; do
        run as $APP shop curl -sS --max-time 5 "http://$to:15001/"
        echo "$output"
        [ "$status" != 0 ]
    done
    wait_for_log shop 'refused.*it was not redirected here'
    [ "$(grep -c 'was not redirected' "$T/shop.log")" = 2 ]
    # Not from outside either: loopback alone has it.
    run pod plain curl -sS --max-time 2 http://10.26.0.1:15001/
    [ "$status" = 7 ]
    # The application to itself, by loopback and by the pod's address: untouched.
    for to in 127.0.0.1 '[::1]' 10.26.0.1 '[fd26::1]'; do
        run as $APP shop curl -sS --max-time 5 "http://$to:8080/"
        [[ $output == *"shop says hello-in-the-clear"* ]]
    done
    # The sidecar's own user goes out as he is; so does an excluded port.
    service plain 7777
    run as $OWN shop curl -sS --max-time 5 http://10.26.0.3:8080/
    [[ $output == *"plain says hello-in-the-clear to ::ffff:10.26.0.1"* ]]
    run fetch http://10.26.0.3:7777/
    [[ $output == *"plain says hello-in-the-clear"* ]]
    [ "$(grep -c '"destination":"10.26.0.3' "$T/shop.log")" = 0 ]
}

@test "DNS is not touched, over UDP and TCP" {
    mesh
    cat >"$T/dns.py" <<'PY'
import socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.26.0.3", 53))
t = socket.create_server(("10.26.0.3", 53))
def tcp():
    while True:
        c, who = t.accept()
        c.sendall(("tcp " + who[0] + "\n").encode()); c.close()
threading.Thread(target=tcp, daemon=True).start()
print("ready", flush=True)
while True:
    d, who = u.recvfrom(512)
    u.sendto(("udp " + who[0] + "\n").encode(), who)
PY
    spawn dns ip netns exec outrider-k8s-plain python3 "$T/dns.py"
    wait_until 5 grep -q ready "$T/dns.out"
    run as $APP shop socat -t 2 - UDP:10.26.0.3:53 < <(echo x; sleep 0.3)
    [ "$output" = "udp 10.26.0.1" ]
    run as $APP shop socat -t 2 - TCP:10.26.0.3:53 < <(sleep 0.3)
    [ "$output" = "tcp 10.26.0.1" ]
    [ "$(grep -c '10.26.0.3:53' "$T/shop.log")" = 0 ]
}

@test "apply is idempotent, check tells, print is what nft takes, remove leaves nothing" {
    mesh
    r() { pod shop "$T/sidecar" redirect "$@"; }
    pod shop nft list ruleset >once
    r --apply -c "$T/shop.conf"
    r --check -c "$T/shop.conf"
    pod shop nft list ruleset >twice
    diff once twice
    # The same by nft's own hand.
    r --print -c "$T/shop.conf" >script
    pod shop nft -f script
    pod shop nft list ruleset | diff once -
    r --apply -c "$T/shop.conf"
    # Somebody else's table stays.
    pod shop nft add table inet other
    pod shop nft add rule inet outrider outbound tcp dport 1 accept
    run r --check -c "$T/shop.conf"
    echo "$output"
    [ "$status" = 1 ]
    r --apply -c "$T/shop.conf"
    r --check -c "$T/shop.conf"
    sed 's/exclude_ports.*/exclude_ports = 7778/' "$T/shop.conf" >changed.conf
    run r --check -c changed.conf
    [ "$status" = 1 ]
    run as $OWN shop "$T/sidecar" redirect --apply -c "$T/shop.conf"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *CAP_NET_ADMIN* ]]
    r --remove
    r --remove
    [ "$(pod shop nft list tables)" = "table inet other" ]
    run r --check -c "$T/shop.conf"
    [ "$status" = 1 ]
    [[ $output == *"not in the kernel"* ]]
    run fetch http://10.26.0.3:8080/
    [[ $output == *"hello-in-the-clear to ::ffff:10.26.0.1"* ]]
}
