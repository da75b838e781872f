#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# On a cluster: who gets in, what the service learns, what is refused and why. By tests/kind/run.sh.
load lib

spec() { kubectl -n $NS get "$(pod_of "$1")" -o jsonpath="$2"; }

@test "injection by label: native, first, restricted; a pod that opts out has none" {
    [ "$(spec server '{.spec.initContainers[0].name} {.spec.initContainers[0].restartPolicy}')" = "outrider Always" ]
    [ "$(spec server '{.spec.initContainers[0].securityContext.runAsUser}')" = 65532 ]
    [ "$(spec server '{.metadata.labels.outrider\.mesh/sidecar}')" = enabled ]
    [ -z "$(kubectl -n $NS get pod plain -o jsonpath='{.spec.initContainers}')" ]
    echo "the namespace enforces Pod Security restricted: $(kubectl get namespace $NS -o jsonpath='{.metadata.labels.pod-security\.kubernetes\.io/enforce}')"
}

@test "the sidecar is ready before the application starts" {
    ready=$(spec client '{.status.initContainerStatuses[0].started} {.status.initContainerStatuses[0].state.running.startedAt}')
    app=$(spec client '{.status.containerStatuses[0].state.running.startedAt}')
    echo "sidecar: $ready; application: $app"
    [[ $ready == true* ]]
    [[ ! ${ready#* } > $app ]]
}

@test "HTTP from service to service, with the caller's identity" {
    run from_client curl -sf --max-time 5 http://127.0.0.1:9001/hostname
    echo "$output"
    [[ $output == server-* ]]
    run from_client curl -sf --max-time 5 'http://127.0.0.1:9001/header?key=X-Forwarded-Client-Cert'
    echo "$output"
    [[ $output == *"spiffe://cluster.local/ns/$NS/sa/client"* ]]
    # What a caller says of himself does not get through.
    run from_client curl -sf --max-time 5 -H 'X-Forwarded-Client-Cert: By=x;URI=spiffe://forged' 'http://127.0.0.1:9001/header?key=X-Forwarded-Client-Cert'
    [[ $output != *forged* ]]
}

@test "TCP from service to service" {
    run from_client curl -sf --max-time 5 http://127.0.0.1:9003/hostname
    echo "$output"
    [[ $output == server-* ]]
    until_true 20 log_has server '"inbound":"tcp".*spiffe://cluster.local/ns/'$NS'/sa/client'
}

@test "gRPC, from a Job, which completes although its sidecar stays" {
    render "$BATS_TEST_DIRNAME/manifests/grpc.yaml" | kubectl apply -f -
    kubectl -n $NS wait --for=condition=complete job/grpc --timeout=120s
    kubectl -n $NS logs job/grpc -c app
    until_true 20 log_has server '"inbound":"grpc"'
    kubectl -n $NS delete job grpc
}

@test "a Job's request works from its first moment, and the Job completes" {
    render "$BATS_TEST_DIRNAME/manifests/job.yaml" | kubectl apply -f -
    kubectl -n $NS wait --for=condition=complete job/job --timeout=120s
    [ "$(kubectl -n $NS get pods -l app=job -o jsonpath='{.items[0].status.phase}')" = Succeeded ]
    kubectl -n $NS delete job job
}

@test "a pod without a certificate is refused, and the log says why" {
    run kubectl -n $NS exec plain -- curl -sk --max-time 5 "https://server.$NS.svc:8443/hostname"
    echo "$output"
    [ "$status" != 0 ]
    until_true 20 log_has server '"event":"refused".*(no certificate|did not present|certificate required)'
}

@test "plaintext is refused, and the log says why" {
    run kubectl -n $NS exec plain -- curl -s --max-time 5 "http://server.$NS.svc:8443/hostname"
    [ "$status" != 0 ]
    until_true 20 log_has server '"event":"refused".*plaintext'
}

@test "the application's own port is closed to the network" {
    run kubectl -n $NS exec plain -- curl -s --max-time 5 "http://server.$NS.svc:8080/hostname"
    echo "status $status: $output (a network plugin without policies lets this through)"
    [ "$status" != 0 ]
}

@test "probes under strict mTLS: everything is ready, nothing restarts" {
    kubectl -n $NS get pods -o wide
    [ "$(kubectl -n $NS get pods -l outrider.mesh/sidecar=enabled -o jsonpath='{.items[*].status.initContainerStatuses[*].restartCount}' | tr -d '0 ')" = "" ]
    kubectl -n $NS wait --for=condition=Ready pods -l app=server --timeout=30s
}

@test "metrics are scraped" {
    ip=$(spec server '{.status.podIP}')
    case $ip in *:*) ip="[$ip]" ;; esac
    run kubectl -n $NS exec plain -- curl -sf --max-time 5 "http://$ip:9902/metrics"
    echo "$output" | head -n 5
    grep -q '^outrider_handshakes_total{direction="inbound",result="ok"}' <<<"$output"
}
