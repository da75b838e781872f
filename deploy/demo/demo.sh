#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# demo.sh BIN_DIR: Outrider at work on this machine, in less than twenty seconds. A CA and its certificates (by certrotate), a service
# (`orders`) and a caller (`shop`), each with a sidecar; then a request across mutual TLS, a stranger, a rotation and a
# revocation. Everything stays on loopback and in a folder that is removed at the end. Exit status 0 only when all of
# it went as the captions say.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$(realpath "$1"):$PATH
"$here/../deps/packages.sh" demo

T=$(mktemp -d "${TMPDIR:-/tmp}/outrider-demo.XXXXXX")
pids=()
cleanup() {
    local p
    for p in ${pids[@]+"${pids[@]}"}; do
        kill "$p" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$T"

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
caption() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
show() { sed "s/^/    $dim/; s/\$/$off/" | cut -c1-400; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    tail -n 5 ./*.log >&2 || true
    exit 1
}
wait_until() { # wait_until SECONDS COMMAND...
    local end=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$end" ] || return 1
        sleep 0.05
    done
}
# A log line, without what is long and says little here.
log_show() { sed -E 's/ (serial|sha256|bytes_in|bytes_out|duration_ms)=[^ ]*//g' | show; }
logged() { tail -n "+$(($2 + 1))" "$1.log" | grep -E -- "$3"; } # logged NAME AFTER_LINE WORDS
lines() { wc -l <"$1.log"; }

# Runs a command and shows it.
run() {
    printf '$ %s\n' "$*" | show
    "$@" | show
}
serial() { openssl x509 -noout -serial -in "$1/tls.crt" | cut -d= -f2; }

# --- certificates ------------------------------------------------------------------------------------------
caption '1. A CA, and certificates for the service "orders" and its caller "shop"'
run certrotate ca init --ca ca --cn 'Demo CA'
for name in orders shop; do
    run certrotate issue --ca ca --out $name --dns $name --uri spiffe://demo/$name
done
certrotate ca init --ca other --cn 'Somebody else' >/dev/null
certrotate issue --ca other --out stranger --dns shop --uri spiffe://demo/shop >/dev/null

# --- the service and the two sidecars ----------------------------------------------------------------------
cat >service.py <<'PY'
import http.server, sys
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        caller = self.headers.get("X-Caller", "nobody")
        body = f"three orders, all paid; asked by {caller}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Orders)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 service.py >service.port 2>service.log &
pids+=($!)
wait_until 5 test -s service.port || fail 'the service does not start'
service=$(cat service.port)
read -r inbound outbound health_a health_b < <(python3 -c '
import socket
s = [socket.socket() for _ in range(4)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')

config() { # config NAME HEALTH_PORT: the section that follows comes from standard input
    cat >"$1.conf" <<INI
[sidecar]
health = 127.0.0.1:$2
log_format = text
drain_timeout = 1s
drain_delay = 0s

[tls]
directory = $T/$1

$(cat)
INI
}
config orders "$health_a" <<INI
[inbound orders]
listen = 127.0.0.1:$inbound
forward = 127.0.0.1:$service
protocol = http
allow_san = spiffe://demo/shop

[headers]
forward = xfcc
request.X-Caller = outrider.spiffe_id
INI
config shop "$health_b" <<INI
[outbound orders]
listen = 127.0.0.1:$outbound
connect = 127.0.0.1:$inbound
server_name = orders
INI
for name in orders shop; do
    sidecar run -c $name.conf 2>$name.log &
    pids+=($!)
done
wait_until 5 curl -sf "http://127.0.0.1:$health_a/readyz" || fail 'the sidecar of orders is not ready'
wait_until 5 curl -sf "http://127.0.0.1:$health_b/readyz" || fail 'the sidecar of shop is not ready'

caption '2. A request: shop -> its sidecar ==mutual TLS==> the sidecar of orders -> orders'
printf 'shop$ curl -H "X-Caller: somebody else" http://127.0.0.1:%s/\n' "$outbound" | show
curl -sS --max-time 5 -H 'X-Caller: somebody else' "http://127.0.0.1:$outbound/" >answer ||
    fail 'the request did not get through'
show <answer
grep -q 'three orders, all paid; asked by spiffe://demo/shop' answer || fail 'the service does not know who asked'
wait_until 3 logged orders 0 'session.*spiffe://demo/shop' || fail 'no session line with the identity'
echo '    the header is the sidecar'\''s own word, whatever the caller sent; and its log has:'
logged orders 0 'session.*spiffe://demo/shop' | tail -n 1 | log_show

caption '3. A stranger: the same names, but from another CA. Refused, and told why'
before=$(lines orders)
if curl -sS --max-time 5 --connect-to "orders:443:127.0.0.1:$inbound" --cacert ca/ca.crt --cert stranger/tls.crt \
    --key stranger/tls.key https://orders/ >answer 2>error; then
    fail 'the stranger got in'
fi
show <error
wait_until 3 logged orders "$before" 'refused.*issuer not trusted' || fail 'no line says why'
logged orders "$before" 'refused' | tail -n 1 | log_show

caption '4. Rotation: orders gets a new certificate; nobody restarts, nothing is cut'
python3 - "$outbound" >held 2>&1 <<'PY' &
import http.client, select, sys, time
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
def get():
    c.request("GET", "/")
    return c.getresponse().read().decode().strip()
c.connect()
port = c.sock.getsockname()[1]
print("open", get(), flush=True)
while c.sock and not select.select([c.sock], [], [], 0.2)[0]:  # readable: somebody ends it
    if c.sock.getsockname()[1] != port:
        break
    print("alive", get(), flush=True)
print("cut", flush=True)
PY
pids+=($!)
wait_until 5 grep -q open held || fail 'no connection to hold open'
seen() { openssl s_client -connect "127.0.0.1:$inbound" -cert shop/tls.crt -key shop/tls.key </dev/null 2>/dev/null |
    openssl x509 -noout -serial 2>/dev/null | cut -d= -f2; }
old=$(seen)
before=$(lines orders)
run certrotate issue --ca ca --out orders --dns orders --uri spiffe://demo/orders
new=$(serial orders)
seen_is() { [ "$(seen)" = "$1" ]; }
wait_until 10 seen_is "$new" || fail 'the new certificate is not served'
printf 'callers saw serial %s\nand now see    %s\n' "$old" "$new" | show
[ "$old" != "$new" ] || fail 'the serial did not change'
alive=$(grep -c alive held || true)
more_alive() { [ "$(grep -c alive held)" -gt "$((alive + 1))" ]; }
wait_until 3 more_alive || fail 'the open connection did not survive the rotation'
echo '    the connection that was open all the while still answers'

caption '5. Revocation: shop is put on the revocation list; its live connection ends'
before=$(lines orders)
run certrotate revoke --ca ca --into orders shop/tls.crt
start=$(date +%s%N)
wait_until 10 grep -q cut held || fail 'the live connection was not cut'
printf 'cut within %d ms\n' $((($(date +%s%N) - start) / 1000000)) | show
wait_until 3 logged orders "$before" 'revoked' || fail 'no line says why'
logged orders "$before" 'revoked' | head -n 1 | log_show
if curl -sf --max-time 3 "http://127.0.0.1:$outbound/" >/dev/null; then
    fail 'a revoked caller got in'
fi
echo '    and it does not get in again'

caption 'All as it should be.'
