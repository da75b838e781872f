#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# issue.sh [NAMESPACE [SERVICE_ACCOUNT]]: a fresh certificate for the overlay, in tls/, from the authority in ca/, which
# it makes the first time. Keep ca/ out of the cluster and out of version control. To renew: run it again (before half of
# the lifetime is over: from cron, or a pipeline), then `kubectl apply -k .`
set -eu
cd "$(dirname "$0")"
namespace=${1:-default} account=${2:-app}
[ -d ca ] || certrotate ca init --ca ca --cn "Outrider $namespace"
certrotate crl --ca ca >/dev/null
certrotate issue --ca ca --out issued --cn "$account" --dns "$account.$namespace.svc" \
    --dns "$account.$namespace.svc.cluster.local" --uri "spiffe://cluster.local/ns/$namespace/sa/$account" --lifetime 7d
rm -rf tls
mkdir -m 700 tls
for f in tls.crt tls.key ca.crt crl.pem; do
    cat "issued/$f" >"tls/$f"
done
