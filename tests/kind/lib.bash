# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Helpers of the tests on a cluster. Nothing sleeps for a fixed time to let something happen: until_true polls; a
# kubelet's swap of a Secret or ConfigMap can take over a minute, so these waits are long.
NS=outrider-tests
: "${OUTRIDER_AGNHOST:=registry.k8s.io/e2e-test-images/agnhost:2.53}"
: "${OUTRIDER_GRPC_PROBE:=ghcr.io/grpc-ecosystem/grpc-health-probe:v0.4.37}"
export OUTRIDER_AGNHOST OUTRIDER_GRPC_PROBE

say() { echo "# $*" >&"${BATS_OUT:-2}"; }

until_true() { # until_true SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "waited in vain for: $*"
            return 1
        fi
        sleep 1
    done
}

# render FILE: with the images of this run.
render() { sed -e "s|AGNHOST|$OUTRIDER_AGNHOST|g" -e "s|GRPC_PROBE|$OUTRIDER_GRPC_PROBE|g" "$1"; }

# issue NAME [CA]: a fresh certificate into $OUTRIDER_WORK/NAME.
issue() {
    "$OUTRIDER_BIN/certrotate" issue --ca "$OUTRIDER_WORK/${2:-ca}" --out "$OUTRIDER_WORK/$1" --cn "$1" \
        --dns "$1.$NS.svc" --uri "spiffe://cluster.local/ns/$NS/sa/$1" >/dev/null
}

# put_secret NAME: $OUTRIDER_WORK/NAME as the Secret NAME-tls.
put_secret() {
    local d=$OUTRIDER_WORK/$1
    kubectl -n $NS create secret generic "$1-tls" --from-file="$d/tls.crt" --from-file="$d/tls.key" \
        --from-file="$d/ca.crt" --from-file="$d/crl.pem" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
}

# injects: whether the API server injects a pod, without making it.
injects() {
    kubectl -n $NS run probe --image=x --dry-run=server -o jsonpath='{.spec.initContainers[0].name}' \
        --overrides='{"spec":{"securityContext":{"runAsNonRoot":true,"runAsUser":1000,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"probe","image":"x","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}' |
        grep -qx outrider
}

pod_of() { kubectl -n $NS get pods -l "app=$1" --field-selector=status.phase=Running -o name | head -n 1; }
# from_client COMMAND...: in the client's application container.
from_client() { kubectl -n $NS exec deploy/client -c app -- "$@"; }
# log_of APP: what its sidecars have said.
log_of() { kubectl -n $NS logs -l "app=$1" -c outrider --tail=-1 --prefix=false; }
log_has() { log_of "$1" | grep -qE -- "$2"; }
# served_serial: of the certificate that server's sidecar shows.
served_serial() {
    log_of client | grep '"outbound":"from-9001"' | tail -n 1 | sed -n 's/.*"serial":"\([0-9A-F]*\)".*/\1/p'
}
restarts() { kubectl -n $NS get pods -l "app=$1" -o jsonpath='{.items[*].status.initContainerStatuses[?(@.name=="outrider")].restartCount}{.items[*].metadata.uid}'; }

# load NAME: requests one after the other from the client, each on a connection of its own, in the background, until
# load_end, which prints how many were made and how many failed.
load() {
    # shellcheck disable=SC2016  # for the shell within
    from_client sh -c 'ok=0; bad=0; rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do
        if curl -sf --max-time 5 -o /dev/null http://127.0.0.1:9001/hostname; then ok=$((ok+1)); else bad=$((bad+1)); fi; done
        echo "made $((ok+bad)) failed $bad"' >"$BATS_TEST_TMPDIR/load" &
    LOAD=$!
}
load_end() {
    from_client touch /tmp/stop
    wait "$LOAD"
    cat "$BATS_TEST_TMPDIR/load"
}
