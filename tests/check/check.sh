#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Static analysis: format, warnings of clang, clang-tidy, cppcheck, shellcheck. CPPFLAGS comes from the Makefile.
# Clang-tidy takes minutes: files that have not changed since they passed are not looked at again (build/check/).
set -u
cd "$(dirname "$0")/../.." || exit 1
deploy/deps/packages.sh check || exit 1
mkdir -p build/check
failed=0

step() {
    name=$1
    shift
    if "$@" >"build/check/$name.log" 2>&1; then
        printf '  %-6s %s\n' ok "$name"
    else
        printf '  %-6s %s\n' FAILED "$name"
        tail -n 40 "build/check/$name.log"
        failed=$((failed + 1))
    fi
}

sources=$(git ls-files 'config/*.c' 'certrotate/*.c' 'sidecar/*.c')
headers=$(git ls-files 'config/*.h' 'certrotate/*.h' 'sidecar/*.h')
tests=$(git ls-files 'tests/*.c' 'tests/*.h')
scripts=$(git ls-files '*.sh' '.ci/run' | grep -v '^tests/e2e/')

# shellcheck disable=SC2086  # one file a word, here and below
formatted() { clang-format --dry-run -Werror $sources $headers $tests; }

# shellcheck disable=SC2086
warnings_of_clang() {
    for f in $sources; do
        clang $CPPFLAGS -std=gnu11 -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion \
            -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Werror "$f" || return 1
    done
}

# A file's key: its own content, all headers, the rules, the flags.
key() { cat "$1" $headers .clang-tidy | sha256sum | cut -c1-32; }

tidy_one() {
    stamp=build/check/tidy/$(key "$1")
    [ -e "$stamp" ] && return 0
    # shellcheck disable=SC2086
    clang-tidy --quiet "$1" -- $CPPFLAGS -std=gnu11 || return 1
    : >"$stamp"
}

tidy() {
    mkdir -p build/check/tidy
    bad=0
    # Two at a time: each is one process of half a gigabyte.
    for f in $sources; do
        if [ -n "${waiting:-}" ]; then
            tidy_one "$f" || bad=1
            wait "$waiting" || bad=1
            waiting=
        else
            tidy_one "$f" &
            waiting=$!
        fi
    done
    [ -z "${waiting:-}" ] || wait "$waiting" || bad=1
    return $bad
}

# Uninitialised values are gcc's, clang-tidy's and the sanitizers' to find: cppcheck 2.10 guesses there.
# shellcheck disable=SC2086
cpp_check() {
    cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 -j 2 \
        --suppress=missingIncludeSystem --suppress=nullPointerOutOfMemory --suppress=nullPointerArithmeticOutOfMemory \
        --suppress=ctunullpointerOutOfMemory --suppress=uninitvar --suppress=uninitStructMember -D_GNU_SOURCE '-DOUTRIDER_VERSION=""' -I. $sources
}

# shellcheck disable=SC2086
shell_check() { shellcheck -S warning $scripts; }

step format formatted
step clang warnings_of_clang
step tidy tidy
step cppcheck cpp_check
step shellcheck shell_check
step manifests tests/check/manifests.sh
step prometheus tests/check/prometheus.sh
echo "$((7 - failed)) passed, $failed failed"
[ "$failed" = 0 ]
