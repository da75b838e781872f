#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run-e2e.sh BIN_DIR TOOLS_DIR [--threads] [FILE...]: runs tests/e2e/*.bats, or the FILEs, against the binaries in
# BIN_DIR with the test programs of TOOLS_DIR; two files at a time. --threads takes only the files that exercise more
# than one worker thread (listed in tests/e2e/threads.list): what a run under ThreadSanitizer is worth its time for.
#
#   E2E_JOBS       files at a time (2)
#   E2E_ONLY       only tests whose name matches this regular expression
#   OUTRIDER_LONG  set: the long variants too
#
# The output of files that fail is printed whole; the last line says "N passed, N failed". Exit status 0: all passed,
# and something ran.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=$(realpath "$1") tools=$(realpath "$2") || exit 2
for p in "$bin/sidecar" "$tools/tcp" "$tools/load"; do
    [ -x "$p" ] || { echo "run-e2e.sh: there is no $p"; exit 2; }
done
shift 2
threads=0
[ "${1:-}" = --threads ] && { threads=1; shift; }

"$here/../deploy/deps/packages.sh" test || exit 1

files=("$@")
if [ ${#files[@]} = 0 ] && [ $threads = 1 ]; then
    while read -r name; do
        [ -e "$here/e2e/$name" ] && files+=("$here/e2e/$name")
    done < <(grep -v '^#' "$here/e2e/threads.list")
elif [ ${#files[@]} = 0 ]; then
    files=("$here"/e2e/*.bats)
fi

run=$(mktemp -d "${TMPDIR:-/tmp}/outrider-e2e.XXXXXX")
chmod 755 "$run" # services that tests start as another user look into it
pids=()
# shellcheck disable=SC2317,SC2329  # called by the traps
stop() {
    for p in ${pids[@]+"${pids[@]}"}; do
        kill -TERM "$p" 2>/dev/null
    done
    wait
    rm -rf "$run"
}
trap stop EXIT
trap 'exit 130' INT TERM

export OUTRIDER_BIN=$bin OUTRIDER_TOOLS=$tools OUTRIDER_RUN=$run OUTRIDER_PKI=$run/pki
# A sidecar built with a sanitizer is slower and larger: helpers stretch their patience by this factor.
if grep -qas __asan_init "$bin/sidecar"; then
    export OUTRIDER_SANITIZER=asan OUTRIDER_PATIENCE=4
elif grep -qas __tsan_init "$bin/sidecar"; then
    export OUTRIDER_SANITIZER=tsan OUTRIDER_PATIENCE=6
else
    export OUTRIDER_SANITIZER='' OUTRIDER_PATIENCE=1
fi
# faketime comes by LD_PRELOAD: before ASan's runtime.
export ASAN_OPTIONS=detect_leaks=1:exitcode=99:verify_asan_link_order=0 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
export TSAN_OPTIONS=exitcode=99:suppressions=$here/e2e/tsan.supp
export BATS_TEST_TIMEOUT=$((90 * OUTRIDER_PATIENCE))
mkdir "$run/ports"
"$here/e2e/pki.sh" "$OUTRIDER_PKI" || { echo "could not make the certificates"; exit 1; }
chmod -R a+rX "$run"

one() { # one FILE: runs it; its TAP goes to $run/NAME.tap, its duration to $run/NAME.time
    local name start=$SECONDS
    name=$(basename "$1" .bats)
    bats ${E2E_ONLY:+--filter "$E2E_ONLY"} --timing --tap "$1" >"$run/$name.tap" 2>&1 </dev/null
    echo $((SECONDS - start)) >"$run/$name.time"
}

passed=0 failed=0 skipped=0
report() { # report FILE
    local name ok notok skip plan
    name=$(basename "$1" .bats)
    ok=$(grep -c '^ok ' "$run/$name.tap")
    notok=$(grep -c '^not ok ' "$run/$name.tap")
    skip=$(grep -cE '^ok .* # skip' "$run/$name.tap")
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$run/$name.tap")
    # A file that broke off, or holds nothing, must not look like one that passed.
    if [ "${plan:-0}" -ne $((ok + notok)) ] || { [ "${plan:-0}" = 0 ] && [ -z "${E2E_ONLY:-}" ]; }; then
        notok=$((notok + 1))
    fi
    passed=$((passed + ok - skip))
    skipped=$((skipped + skip))
    failed=$((failed + notok))
    printf '  %-6s %s (%d tests%s, %d s)\n' "$([ "$notok" = 0 ] && echo ok || echo FAILED)" "$name" $((ok - skip + notok)) \
        "$([ "$skip" = 0 ] || echo ", $skip skipped")" "$(cat "$run/$name.time")"
    [ "$notok" = 0 ] || cat "$run/$name.tap"
}

# As many at a time as E2E_JOBS; each is reported when it ends.
declare -A of
for f in ${files[@]+"${files[@]}"} ''; do
    while [ ${#pids[@]} -ge "${E2E_JOBS:-2}" ] || { [ -z "$f" ] && [ ${#pids[@]} -gt 0 ]; }; do
        wait -n -p done_pid "${pids[@]}"
        report "${of[$done_pid]}"
        for i in "${!pids[@]}"; do
            [ "${pids[$i]}" != "$done_pid" ] || unset "pids[$i]"
        done
        pids=(${pids[@]+"${pids[@]}"})
    done
    [ -n "$f" ] || break
    one "$f" &
    pids+=($!)
    of[$!]=$f
done

[ $skipped = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
