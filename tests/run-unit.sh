#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the given cmocka programs; prints the whole output of those that fail and one closing line.
#   RUNNER=qemu-aarch64-static   what to run them by, where they were compiled for another architecture
set -u
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for t in "$@"; do
    if ${RUNNER:-} "$t" >"$out" 2>&1; then
        n=$(grep -c '^\[       OK \]' "$out")
        passed=$((passed + n))
        printf '  %-6s %s (%s tests)\n' ok "$(basename "$t")" "$n"
        [ "$n" -gt 0 ] || { echo "$t ran no test"; failed=$((failed + 1)); }
    else
        failed=$((failed + 1))
        printf '  %-6s %s\n' FAILED "$t"
        cat "$out"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
