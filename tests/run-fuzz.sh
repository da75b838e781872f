#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs each fuzz target for SECONDS over its corpus (tests/fuzz/corpus/NAME, kept as it is): run-fuzz.sh SECONDS TARGET...
set -u
seconds=$1
shift
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for t in "$@"; do
    name=$(basename "$t")
    mkdir -p "$work/$name" "tests/fuzz/corpus/$name"
    if "$t" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/" "$work/$name" "tests/fuzz/corpus/$name" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        printf '  %-6s %s (%s inputs)\n' ok "$name" "$(sed -n 's/stat::number_of_executed_units: *//p' "$work/log")"
    else
        failed=$((failed + 1))
        printf '  %-6s %s\n' FAILED "$name"
        tail -n 40 "$work/log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
