#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# guard.sh BIN_DIR [--record]: instruction counts beside the recorded ones; see guard.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
shift
"$here/../../deploy/deps/packages.sh" guard
work=$(mktemp -d "${TMPDIR:-/tmp}/outrider-guard.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$here/../e2e/pki.sh" "$work/pki"
python3 "$here/guard.py" --bin "$bin" --work "$work" "$@"
