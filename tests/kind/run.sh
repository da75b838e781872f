#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Outrider on a real cluster.
#
#   run.sh                                            makes a kind cluster, tests on it, removes it
#   run.sh --kubeconfig FILE --image-loader CMD       on a cluster that exists: `CMD ARCHIVE` brings the image (an OCI
#                                                     archive) to its nodes
#   --keep                                            leaves the cluster and what is on it
#   --filter REGEX                                    only tests whose name matches
#
# The tests need to pull agnhost and grpc-health-probe (OUTRIDER_AGNHOST, OUTRIDER_GRPC_PROBE name other places), and
# Kubernetes 1.34 or newer. Exit status 0: all passed; 1: not; 3: something to run it with is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
usage() { sed -n 's/^# \{0,1\}//; 4,15p' "$0" >&2; exit 2; }
kubeconfig='' loader='' keep='' filter=''
while [ $# -gt 0 ]; do
    case $1 in
        --kubeconfig) kubeconfig=$2; shift 2 ;;
        --image-loader) loader=$2; shift 2 ;;
        --keep) keep=1; shift ;;
        --filter) filter=$2; shift 2 ;;
        *) usage ;;
    esac
done
if { [ -n "$kubeconfig" ] && [ -z "$loader" ]; } || { [ -z "$kubeconfig" ] && [ -n "$loader" ]; }; then usage; fi

missing=()
need() { command -v "$1" >/dev/null || missing+=("$1"); }
need kubectl
need bats
need openssl
if [ -z "$kubeconfig" ]; then
    need kind
    need docker
    if command -v docker >/dev/null && ! docker info >/dev/null 2>&1; then missing+=("a running Docker engine"); fi
fi
if [ ${#missing[@]} -gt 0 ]; then
    printf 'test-kind: cannot run, missing: %s\n' "$(printf '%s, ' "${missing[@]}" | sed 's/, $//')"
    [ -n "$kubeconfig" ] || echo 'test-kind: a cluster that exists will do as well: tests/kind/run.sh --kubeconfig FILE --image-loader CMD'
    exit 3
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/outrider-kind.XXXXXX")
cluster=outrider-$$
made=''
cleanup() {
    if [ -n "$keep" ]; then
        echo "test-kind: kept: KUBECONFIG=$kubeconfig, $work"
        return
    fi
    if [ -n "$made" ]; then
        kind delete cluster --name "$cluster" >/dev/null 2>&1 || true
    elif [ -n "$kubeconfig" ]; then
        "$here/teardown.sh" "$kubeconfig" || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

make -s -C "$top" oci >/dev/null
archive=$top/build/image/outrider-oci.tar
if [ -z "$kubeconfig" ]; then
    kubeconfig=$work/kubeconfig
    made=1
    kind create cluster --name "$cluster" --config "$here/kind.yaml" --kubeconfig "$kubeconfig" --wait 180s \
        ${KIND_IMAGE:+--image "$KIND_IMAGE"}
    kind load image-archive "$archive" --name "$cluster"
else
    kubeconfig=$(realpath "$kubeconfig")
    $loader "$archive"
fi

export KUBECONFIG=$kubeconfig OUTRIDER_WORK=$work OUTRIDER_BIN=$top/build/release-static/bin OUTRIDER_TOP=$top
"$here/setup.sh"
status=0
bats ${filter:+--filter "$filter"} --print-output-on-failure "$here"/*.bats || status=1
exit $status
