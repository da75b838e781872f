#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run.sh BIN_DIR TOOLS_DIR IMAGE: sidecar beside haproxy, nginx, hitch and stunnel; bench.py says what is
# measured and how, report.py makes the tables, which go to standard output and with figures (JSON) and plot (SVG) to build/bench/.
#
#   BENCH_SECONDS  length of one measurement (2)       BENCH_ROUNDS  how often each is repeated (3)
#   BENCH_ONLY     names of proxies, space-separated: only these
#   BENCH_PARTS    of: memory tcp http watched sizes rules reload (all)
#   BENCH_PUBLISH  not empty: the README's figures and plot are replaced by these
#
# reload: what reloads cost a sidecar with thousands of live sessions, see reload.py.
#   BENCH_SESSIONS (8000)  BENCH_IDENTITIES (1000)  BENCH_RELOADS of each kind (8)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../build/bench
export BENCH_PARTS="${BENCH_PARTS:-memory tcp http watched sizes rules reload}"
"$here/../../deploy/deps/packages.sh" bench
work=$(mktemp -d "${TMPDIR:-/tmp}/outrider-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"
"$here/../e2e/pki.sh" "$work/pki"
chmod -R a+rX "$work"
mkdir -p "$out"
rm -f "$out"/*
python3 "$here/bench.py" --bin "$1" --tools "$2" --image "$3" --work "$work" --out "$out"
case " $BENCH_PARTS " in *" rules "*) "$2/bench_rules" 0.1 >"$out/rules.txt" ;; esac
case " $BENCH_PARTS " in *" reload "*) python3 "$here/reload.py" --bin "$1" --tools "$2" --work "$work" --out "$out" || bad=1 ;; esac
if [ -n "${BENCH_PUBLISH:-}" ]; then set -- "$here/../../README.md" tests/bench/bench.svg; else set --; fi
python3 "$here/report.py" "$out" "$@"
exit "${bad:-0}"
