#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The pages under deploy/examples: their commands run as they stand there.
load lib
setup() { begin; }
teardown() { finish; }

examples=$BATS_TEST_DIRNAME/../../deploy/examples

@test "examples: certrotate's page, command by command" {
    cp "$examples"/certrotate/{orders.ini,policy} .
    sed -i 's/^\[sidecar\]$/&\ndrain_delay = 0s\ndrain_timeout = 100ms/' orders.ini # of this test's own haste
    ports IN SERVICE HEALTH
    {
        # What it starts ends with it.
        echo "set -eu; trap 'kill \$(jobs -p) 2>/dev/null || true; wait' EXIT"
        sed -n '/^```sh$/,/^```$/p' "$examples/certrotate/README.md" | grep -v '^```'
    } | sed "s/ORDERS_PORT=8443 SERVICE_PORT=8080 HEALTH_PORT=9902/ORDERS_PORT=$IN SERVICE_PORT=$SERVICE HEALTH_PORT=$HEALTH/" \
        >page.sh
    grep -q "HEALTH_PORT=$HEALTH" page.sh
    run env PATH="$OUTRIDER_BIN:$PATH" timeout 60 bash page.sh 3>&-
    echo "$output"
    cat orders.log
    [ "$status" = 0 ]
    # The caller: let in, refused when revoked, let in again, let in after the roll-over.
    [ "$(grep -cx 200 <<<"$output")" = 3 ]
    grep -qx refused <<<"$output"
    grep -q 'revoked.*keyCompromise' orders.log
    grep -q 'outrider_crl_entries{ca=""}' <<<"$output"
    [[ $(openssl x509 -in credentials/orders/tls.crt -noout -issuer) == *G2* ]]
    [ "$(grep -c BEGIN credentials/orders/ca.crt)" = 1 ]
}
