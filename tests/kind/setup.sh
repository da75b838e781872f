#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests share: the injection policy, a namespace under Pod Security "restricted", an authority and Secrets from
# certrotate, a server and a client with injected sidecars. KUBECONFIG, OUTRIDER_WORK, OUTRIDER_BIN, OUTRIDER_TOP are set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.bash"

# v1 where the server has it.
if kubectl api-resources --api-group=admissionregistration.k8s.io -o name | grep -q '^mutatingadmissionpolicies' &&
    kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep -q '"MutatingAdmissionPolicy"'; then
    kubectl apply -k "$OUTRIDER_TOP/k8s/injection/v1"
elif kubectl get --raw /apis/admissionregistration.k8s.io/v1beta1 2>/dev/null | grep -q '"MutatingAdmissionPolicy"'; then
    kubectl apply -k "$OUTRIDER_TOP/k8s/injection/v1beta1"
else
    echo "test-kind: the cluster has no MutatingAdmissionPolicy (Kubernetes 1.36, or 1.34 with the gate and v1beta1 on)" >&2
    exit 1
fi
kubectl apply -f "$here/manifests/namespace.yaml"

PATH=$OUTRIDER_BIN:$PATH
certrotate ca init --ca "$OUTRIDER_WORK/ca" --cn "kind tests" >/dev/null
certrotate ca init --ca "$OUTRIDER_WORK/other" --cn "somebody else" >/dev/null
for name in server client; do
    issue "$name"
    put_secret "$name"
done

render "$here/manifests/server.yaml" | kubectl apply -f -
render "$here/manifests/client.yaml" | kubectl apply -f -
kubectl apply -f "$here/manifests/networkpolicy.yaml"
kubectl apply -f <(render "$here/manifests/plain.yaml")
# The policy holds a moment after it was made: pods from before it are made again.
until_true 60 injects
kubectl -n $NS rollout restart deployment/server deployment/client
kubectl -n $NS rollout status deployment/server --timeout=180s
kubectl -n $NS rollout status deployment/client --timeout=180s
kubectl -n $NS wait --for=condition=Ready pod/plain --timeout=120s
