#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# teardown.sh KUBECONFIG: what setup.sh put on a cluster.
export KUBECONFIG="$1"
kubectl delete namespace outrider-tests outrider-system --ignore-not-found --wait=false
kubectl delete mutatingadmissionpolicybinding outrider-inject-namespaces outrider-inject-pods --ignore-not-found
kubectl delete mutatingadmissionpolicy outrider-inject --ignore-not-found
