#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds wolfSSL once into a cache outside the tree, keyed by version, options, compiler and CPU architecture,
# and prints the folder it is installed in.
#
#   wolfssl.sh                   build if need be, print the prefix
#   WOLFSSL_TARBALL=FILE         take the source from FILE instead of looking for it
#   OUTRIDER_CACHE=DIR           where builds are kept (default ~/.cache/outrider)
#   CC=COMPILER                  a cross compiler builds for its own target
#
# The source comes from, in this order: WOLFSSL_TARBALL; Debian's source package in sid or forky, by the
# machine's own apt configuration; the upstream release. Its SHA-256 must be the one below, or apt must have
# authenticated a newer 5.x.
set -eu

version=5.9.2
sha256=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114
here=$(cd "$(dirname "$0")" && pwd)
cache=${OUTRIDER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/outrider}
cc=${CC:-cc}
target=$("$cc" -dumpmachine)
arch=${target%%-*}

say() { printf 'deps: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The options that apply to this machine, without comments.
options() {
    sed -e '/^#/d' -e '/^[[:space:]]*$/d' -e "s/^@$arch //" -e '/^@/d' "$here/wolfssl.options"
}
key=$( { echo "$version $arch"; options; "$cc" -dumpfullversion -dumpversion; echo "${WOLFSSL_CFLAGS:-}"; } |
    sha256sum | cut -c1-12)
prefix=$cache/wolfssl-$version-$arch-$key

if [ -f "$prefix/lib/libwolfssl.a" ]; then
    echo "$prefix"
    exit 0
fi
mkdir -p "$cache"

# One build at a time; whoever waited finds it done.
exec 9>"$cache/.lock"
flock 9
if [ -f "$prefix/lib/libwolfssl.a" ]; then
    echo "$prefix"
    exit 0
fi
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Debian's own source archive, named by the machine's apt configuration: the same mirror, newer suites.
from_apt() {
    command -v apt-get >/dev/null || return 1
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    apt-get indextargets --format '$(ORIGIN)|$(SITE)|$(CODENAME)' 2>/dev/null |
        awk -F'|' '$1 == "Debian" && $3 !~ /-/ { print $2; exit }' >"$work/site"
    read -r site <"$work/site" || return 1
    for suite in sid forky; do
        echo "deb-src [signed-by=$keyring] $site $suite main"
    done >"$work/apt/sources.list"
    set -- -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root
    apt-get -q "$@" update >&2 || return 1
    (cd "$work" && apt-get -q "$@" source --download-only --tar-only wolfssl >&2) || return 1
    for tarball in "$work"/wolfssl_5.*.orig.tar.*z*; do
        case $tarball in *.asc) ;; *) [ -f "$tarball" ] && return 0 ;; esac
    done
    return 1
}

from_upstream() {
    command -v curl >/dev/null || return 1
    tarball=$work/upstream.tar.gz
    curl -fsSL --retry 3 --max-time 300 -o "$tarball" \
        "https://github.com/wolfSSL/wolfssl/archive/refs/tags/v$version-stable.tar.gz"
}

known() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]; }

tarball=
if [ -n "${WOLFSSL_TARBALL:-}" ]; then
    tarball=$WOLFSSL_TARBALL
    known "$tarball" || die "$tarball is not wolfSSL $version (SHA-256 differs)"
elif from_apt; then
    # apt has checked the archive's signature and the file's hash; only a newer 5.x may differ from ours.
    known "$tarball" || say "taking the newer $(basename "$tarball"), authenticated by apt"
elif from_upstream; then
    known "$tarball" || die "the upstream release's SHA-256 differs; set WOLFSSL_TARBALL"
else
    die "no source of wolfSSL $version found: set WOLFSSL_TARBALL=FILE"
fi

say "building wolfSSL from $(basename "$tarball") (once, some minutes)"
mkdir "$work/src"
tar -xf "$tarball" -C "$work/src" --strip-components=1
log=$cache/wolfssl-build.log
flags=$(options | grep -v '^-D' | tr '\n' ' ')
defines=$(options | grep '^-D' | tr '\n' ' ')
jobs=$(nproc 2>/dev/null || echo 1)
(
    cd "$work/src"
    [ -x configure ] || ./autogen.sh
    # shellcheck disable=SC2086  # one option a word is what is wanted
    ./configure --prefix="$prefix" --host="$target" $flags CC="$cc" \
        CFLAGS="-O2 -g1 -fPIC -fno-asynchronous-unwind-tables -fstack-protector-strong -ffunction-sections -fdata-sections $defines ${WOLFSSL_CFLAGS:-}"
    make -j"$jobs"
    make install-libLTLIBRARIES install-nobase_includeHEADERS DESTDIR="$work/out"
    # Only sidecar/tls/alert.c and record.c need the internal header: what they do has no public call.
    cp wolfssl/internal.h "$work/out$prefix/include/wolfssl/"
) >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "wolfSSL did not build; the whole log is $log"; }

mv "$work/out$prefix" "$prefix"
echo "$prefix"
