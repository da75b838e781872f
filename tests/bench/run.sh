#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run.sh BIN_DIR TOOLS_DIR: sidecar beside haproxy, nginx, hitch and stunnel; see bench.py for what is measured and how.
# The table goes to standard output; it, the figures (JSON) and a plot (SVG) go to build/bench/.
#
#   BENCH_SECONDS  length of one measurement (2)       BENCH_ROUNDS  how often each is repeated (3)
#   BENCH_ONLY     names of proxies, space-separated: only these
#
# Then what reloads cost a sidecar with thousands of live sessions: reload.py.
#   BENCH_SESSIONS (8000)  BENCH_IDENTITIES (1000)  BENCH_RELOADS of each kind (8)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../deploy/deps/packages.sh" bench
work=$(mktemp -d "${TMPDIR:-/tmp}/outrider-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"
"$here/../e2e/pki.sh" "$work/pki"
chmod -R a+rX "$work"
mkdir -p "$here/../../build/bench"
python3 "$here/bench.py" --bin "$1" --tools "$2" --work "$work" --out "$here/../../build/bench"
python3 "$here/reload.py" --bin "$1" --tools "$2" --work "$work" --out "$here/../../build/bench"
