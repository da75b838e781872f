#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# deploy/prometheus and deploy/grafana: alerts as promtool wants them, and tested; every expression parses and names only
# families that config/metrics.md has; the dashboard has a shape that Grafana takes.
set -eu
cd "$(dirname "$0")/../.."
work=build/check/prometheus
mkdir -p "$work"
promtool check rules deploy/prometheus/alerts.yaml
(cd deploy/prometheus && promtool test rules alerts.test.yaml)
python3 - deploy/grafana/outrider.json >"$work/dashboard.yaml" <<'PY'
import json, sys
board = json.load(open(sys.argv[1]))
variables = {v["name"] for v in board["templating"]["list"]}
ids, places, expressions = set(), set(), []
for panel in board["panels"]:
    assert panel["id"] not in ids, panel["title"]
    ids.add(panel["id"])
    at = panel["gridPos"]
    assert at["x"] + at["w"] <= 24, panel["title"]
    for x in range(at["x"], at["x"] + at["w"]):
        for y in range(at["y"], at["y"] + at["h"]):
            assert (x, y) not in places, "panels overlap: " + panel["title"]
            places.add((x, y))
    if panel["type"] == "row":
        continue
    assert panel["targets"], panel["title"]
    for target in panel["targets"]:
        expressions.append(target["expr"])
assert {"datasource", "job", "instance"} <= variables
print("groups:\n  - name: dashboard\n    rules:")
for i, expression in enumerate(expressions):
    # What Grafana puts in.
    expression = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
    assert "$" not in expression, expression
    print(f"      - record: panel:{i}\n        expr: {json.dumps(expression)}")
PY
promtool check rules "$work/dashboard.yaml"
# The families that are named, without the suffixes that a histogram's samples have.
known=$work/known
sed -n 's/^| `\(outrider_[a-z_]*\)`.*/\1/p' config/metrics.md >"$known"
[ -s "$known" ]
grep -oh 'outrider_[a-z_]*' deploy/grafana/outrider.json "$work/dashboard.yaml" deploy/prometheus/*.yaml README.md k8s -r |
    sed 's/\(_seconds\)_\(bucket\|sum\|count\)$/\1/' | sort -u >"$work/named"
[ "$(wc -l <"$work/named")" -gt 20 ]
unknown=$(grep -vxFf "$known" "$work/named" || true)
[ -z "$unknown" ] || { echo "no such families: $unknown"; exit 1; }
