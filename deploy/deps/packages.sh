#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Looks for the Debian packages that a purpose needs and installs what is missing where that is possible.
#
#   packages.sh build|test|browser|check|bench|guard|image|arm64|demo
#   CROSS=aarch64-linux-gnu-     build: for that architecture
#
# As root on a Debian-like system it installs them and says so; elsewhere it stops with the one line to run.
set -eu

case "$1" in
    build) want="gcc make pkg-config libc6-dev libuv1-dev libinih-dev libc-ares-dev node-llhttp
        autoconf automake libtool ca-certificates"
        case "${CROSS:-}" in
            '') ;;
            aarch64-linux-gnu-)
                want=$(echo " $want libnghttp2-dev " | sed 's/\(libc6\|libuv1\|libinih\|libc-ares\|libnghttp2\)-dev/&:arm64/g')
                want="$want gcc-aarch64-linux-gnu" foreign=arm64 ;;
            *) echo "deps: only aarch64-linux-gnu- is known as CROSS" >&2; exit 1 ;;
        esac ;;
    test)
        want="libcmocka-dev libnghttp2-dev bats clang libclang-rt-14-dev openssl curl file groff-base procps iproute2 socat netcat-openbsd
        python3 gnutls-bin faketime nginx postgresql postgresql-client redis-server mariadb-server mariadb-client nftables tcpdump util-linux
        tmux nghttp2-client nghttp2-server apache2 python3-websockets python3-grpcio prometheus python3-prometheus-client"
        command -v npm >/dev/null || want="$want nodejs npm" ;;
    browser) want="chromium chromium-driver" ;; # for the test of the status page: 400 MB
    check)
        want="clang clang-format clang-tidy cppcheck shellcheck python3 prometheus"
        command -v npm >/dev/null || want="$want nodejs npm" ;;
    bench) want="haproxy nginx libnginx-mod-stream hitch stunnel4 wrk nghttp2-client openssl procps python3" ;;
    guard) want="valgrind openssl python3" ;;
    image) want="buildah mmdebstrap" ;;
    arm64) want="qemu-user-static libcmocka-dev:arm64" foreign=arm64 ;; # beside CROSS
    demo) want="openssl curl python3" ;;
    *) echo "usage: packages.sh build|test|browser|check|bench|guard|image|arm64|demo" >&2; exit 2 ;;
esac

missing='' foreign=${foreign:-}
for p in $want; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "deps: installing$missing" >&2
    # Servers that tests bring up themselves must not start on their own: policy-rc.d says no for this run.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    [ -z "$foreign" ] || dpkg --add-architecture "$foreign"
    # shellcheck disable=SC2086  # one package a word
    if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "deps: could not install$missing" >&2
        exit 1
    fi
    rm -f "$log"
else
    echo "deps: please run:  apt-get install$missing" >&2
    exit 1
fi
