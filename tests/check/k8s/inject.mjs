// SPDX-License-Identifier: GPL-3.0-or-later
//
// inject.mjs POLICY.yaml OUT.yaml: what the injection policy does to pods of all sorts, by evaluating its CEL here. Writes
// the pods that come out, for validate.mjs. The API server's own constructors (Object.spec.x{...}, JSONPatch{...}) are
// read as maps: types are checked by the API server alone (and, for the pods that come out, by the schema).
import fs from "node:fs";
import yaml from "js-yaml";
import {Environment} from "@marcbachmann/cel-js";

const [policyFile, outFile] = process.argv.slice(2);
const objects = yaml.loadAll(fs.readFileSync(policyFile, "utf8"));
const policy = objects.find((o) => o.kind === "MutatingAdmissionPolicy");
const settings = objects.find((o) => o.kind === "ConfigMap");
const env = new Environment({enableOptionalTypes: true, unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false});
env.registerFunction("jsonpatch_escapeKey(string): string", (s) => s.replaceAll("~", "~0").replaceAll("/", "~1"));

// Object.spec.a{name: x} -> {"name": x}; text within quotes stays.
function plain(expression) {
  let out = "", stack = [];
  for (let i = 0; i < expression.length;) {
    const rest = expression.slice(i);
    const string = /^'(?:[^'\\]|\\.)*'|^"(?:[^"\\]|\\.)*"/.exec(rest);
    const constructor = /^(?:Object(?:\.\w+)*|JSONPatch)\{/.exec(rest);
    const key = stack.at(-1) === "typed" && /^([A-Za-z]\w*)(\s*:)/.exec(rest);
    if (string) { out += string[0]; i += string[0].length; continue; }
    if (constructor) { stack.push("typed"); out += "{"; i += constructor[0].length; continue; }
    if (key && /[{,]\s*$/.test(out)) { out += `"${key[1]}"${key[2]}`; i += key[0].length; continue; }
    const word = /^\w+/.exec(rest);
    if (word) { out += word[0]; i += word[0].length; continue; }
    if ("{[(".includes(rest[0])) stack.push("plain");
    if ("}])".includes(rest[0])) stack.pop();
    out += rest[0];
    i++;
  }
  return out.replaceAll("jsonpatch.escapeKey", "jsonpatch_escapeKey");
}
const number = (v) => typeof v === "bigint" ? Number(v) : Array.isArray(v) ? v.map(number)
  : v instanceof Map ? Object.fromEntries([...v].map(([k, x]) => [k, number(x)]))
  : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, number(x)])) : v;
const big = (v) => typeof v === "number" && Number.isInteger(v) ? BigInt(v) : Array.isArray(v) ? v.map(big)
  : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, big(x)])) : v;

function patch(object, operations) {
  for (const {op, path, value} of operations) {
    if (op !== "add") throw new Error(`operation ${op}`);
    const keys = path.split("/").slice(1).map((k) => k.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop();
    const parent = keys.reduce((o, k) => {
      if (o[k] === undefined) throw new Error(`no ${path}`);
      return o[k];
    }, object);
    if (Array.isArray(parent)) parent.splice(last === "-" ? parent.length : Number(last), 0, value);
    else parent[last] = value;
  }
}

const bindings = objects.filter((o) => o.kind === "MutatingAdmissionPolicyBinding");
const selects = (selector, labels) => selector.matchExpressions.every(({key, operator, values}) =>
  operator === "In" ? values.includes(labels[key]) : operator === "NotIn" && !values.includes(labels[key]));

// null: not touched. As in the API server, match conditions know neither the namespace nor variables.
function admit(pod, namespaceLabels) {
  const namespace = {metadata: {name: "shop", labels: {"kubernetes.io/metadata.name": "shop", ...namespaceLabels}}};
  const bound = bindings.filter((b) => selects(b.spec.matchResources.namespaceSelector, namespace.metadata.labels) &&
    selects(b.spec.matchResources.objectSelector, pod.metadata.labels ?? {}));
  if (bound.length > 1) throw new Error(`${pod.metadata.name}: ${bound.length} bindings`);
  if (bound.length === 0) return null;
  for (const c of policy.spec.matchConditions)
    if (env.evaluate(plain(c.expression), {object: big(pod), params: settings}) !== true) return null;
  const context = {namespaceObject: namespace, params: settings};
  let result = structuredClone(pod);
  for (const m of policy.spec.mutations) {
    context.object = big(result);
    context.variables = {};
    for (const v of policy.spec.variables) context.variables[v.name] = env.evaluate(plain(v.expression), context);
    patch(result, number(env.evaluate(plain(m.jsonPatch.expression), context)));
  }
  return result;
}

const pod = (name, metadata = {}, spec = {}) => ({apiVersion: "v1", kind: "Pod", metadata: {name, ...metadata},
  spec: {containers: [{name: "app", image: "app"}], ...spec}});
const on = {"outrider.mesh/inject": "enabled"}, off = {"outrider.mesh/inject": "disabled"};
let failures = 0;
const expect = (condition, what) => { if (!condition) { failures++; console.error("inject: " + what); } };

// Who takes part.
expect(admit(pod("a"), undefined) === null, "an unlabelled pod of an unlabelled namespace was touched");
expect(admit(pod("a"), on) !== null, "the namespace's label does not hold");
expect(admit(pod("a", {labels: off}), on) === null, "a pod cannot opt out");
expect(admit(pod("a", {labels: on}), undefined) !== null, "a pod cannot opt in");
expect(admit(pod("a", {labels: on}), off) !== null, "a pod's own label does not decide");
expect(admit(pod("a", {labels: on}, {hostNetwork: true}), undefined) === null, "a pod on the host's network was touched");

const made = [
  pod("plain"),
  pod("with-everything", {labels: {app: "x"}, annotations: {other: "1"}},
    {initContainers: [{name: "migrate", image: "m"}], volumes: [{name: "v", emptyDir: {}}], terminationGracePeriodSeconds: 60}),
  pod("ports", {annotations: {"outrider.mesh/inbound": "8443:8080, 9443:9090", "outrider.mesh/protocol": "http",
    "outrider.mesh/allow-san": "spiffe://cluster.local/ns/shop/*, b.example",
    "outrider.mesh/outbound": "9001=orders.shop.svc:8443,9002=db.shop.svc:8443", "outrider.mesh/tls-secret": "web-tls",
    "outrider.mesh/metrics": "8080/metrics?x=/"}}),
  pod("own-config", {annotations: {"outrider.mesh/config": "mine"}}),
  pod("own-ini", {annotations: {"outrider.mesh/ini": "[tls]\ndirectory = /run/outrider/tls\n[inbound x]\nlisten = 0.0.0.0:8443\nforward = 127.0.0.1:1\nprotocol = tcp\n"}}),
  pod("outbound-only", {annotations: {"outrider.mesh/inbound": "", "outrider.mesh/outbound": "9001=orders.shop.svc:8443"}}),
  pod("short-grace", {}, {terminationGracePeriodSeconds: 2}),
  pod("transparent", {annotations: {"outrider.mesh/transparent": "10.0.0.0/8, fd00::/8"}}, {initContainers: [{name: "migrate", image: "m"}]}),
  pod("transparent-ports", {annotations: {"outrider.mesh/transparent": "10.0.0.0/8", "outrider.mesh/mesh-ports": "8080, 5432",
    "outrider.mesh/peer-san": "*.db.example"}}),
  pod("transparent-config", {annotations: {"outrider.mesh/transparent": "enabled", "outrider.mesh/config": "mine"}}),
].map((p) => admit(p, on));
const by = Object.fromEntries(made.map((p) => [p.metadata.name, p]));
for (const p of made) {
  const names = p.spec.initContainers.map((c) => c.name);
  expect(names.filter((n) => n !== "outrider-redirect")[0] === "outrider", `${p.metadata.name}: the sidecar is not first`);
  expect(names.indexOf("outrider-redirect") === (p.metadata.name.startsWith("transparent") ? 0 : -1), `${p.metadata.name}: redirection`);
  expect(admit(p, on) === null, `${p.metadata.name}: injected twice`);
}
expect(by["with-everything"].spec.initContainers[1].name === "migrate", "its own init container is gone");
expect(by["with-everything"].metadata.labels.app === "x" && by["with-everything"].metadata.annotations.other === "1", "labels or annotations are gone");
expect(by["with-everything"].spec.volumes.length === 3, "volumes");
expect(/drain_timeout = 55s/.test(by["with-everything"].metadata.annotations["outrider.mesh/ini"]), "drain_timeout does not follow the grace period");
expect(by.ports.metadata.annotations["outrider.mesh/ini"].includes("[inbound to-9090]\nlisten = 0.0.0.0:9443\nforward = 127.0.0.1:9090\nprotocol = http\nallow_san = spiffe://cluster.local/ns/shop/*, b.example\n"), "inbound by annotation");
expect(by.ports.metadata.annotations["outrider.mesh/ini"].includes("[outbound from-9002]\nlisten = 127.0.0.1:9002\nconnect = db.shop.svc:8443\n"), "outbound by annotation");
expect(by.ports.spec.volumes.at(-1).secret.secretName === "web-tls", "the Secret by annotation");
expect(by.ports.metadata.annotations["outrider.mesh/ini"].endsWith("[scrape app]\nconnect = 127.0.0.1:8080\nrequest = /metrics?x=/\n"), "the service's figures");
expect(by.transparent.metadata.annotations["outrider.mesh/ini"].includes("[outbound mesh]\ndestinations = 10.0.0.0/8, fd00::/8\nports = 8080\nallow_san = spiffe://cluster.local/ns/shop/sa/*\n"), "transparent mode's outbound");
expect(by["transparent-ports"].metadata.annotations["outrider.mesh/ini"].includes("ports = 8080, 5432\nallow_san = *.db.example\n"), "transparent mode's ports and peers");
expect(!by.plain.metadata.annotations["outrider.mesh/ini"].includes("capture"), "capture without being asked");
expect(by["own-config"].spec.volumes[0].configMap?.name === "mine" && !by["own-config"].metadata.annotations["outrider.mesh/ini"], "the ConfigMap by annotation");
expect(by["own-ini"].metadata.annotations["outrider.mesh/ini"].startsWith("[tls]"), "the pod's own ini was replaced");
expect(by.plain.spec.initContainers[0].image === settings.data.image, "the image is not that of the settings");

fs.writeFileSync(outFile, made.map((p) => yaml.dump(p)).join("---\n"));
console.log(`${made.length} pods injected, ${failures} failures`);
process.exit(failures ? 1 : 0);
