// SPDX-License-Identifier: GPL-3.0-or-later
//
// validate.mjs FILE...: every object in the YAML files against its real schema (values by the generated validators,
// unknown fields by the generated types), and what Outrider promises of every pod with a sidecar.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";
import yaml from "js-yaml";

const work = process.cwd();
const problems = [];
const wrong = (where, what) => problems.push(`${where}: ${what}`);

function moduleOf(apiVersion, kind) {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  if (group === "cert-manager.io") return `@kubernetes-models/cert-manager/${apiVersion}/${kind}`;
  if (group === "monitoring.coreos.com") return `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`;
  return `kubernetes-models/${apiVersion}/${kind}`;
}

function podSpec(object) {
  if (object.kind === "Pod") return [object.metadata, object.spec];
  const template = object.spec?.template;
  return template?.spec?.containers ? [template.metadata ?? {}, template.spec] : [null, null];
}

const seconds = (text) => ({s: 1, m: 60, h: 3600, ms: 0.001})[text.replace(/\d+/, "")] * parseInt(text);

// What holds of every pod that has a sidecar.
function promises(where, metadata, spec, inis) {
  const init = spec.initContainers ?? [];
  const at = init.findIndex((c) => c.name === "outrider");
  if (at < 0) return;
  const c = init[at], security = c.securityContext ?? {};
  const must = (condition, what) => condition || wrong(where, what);
  must(init.slice(0, at).every((o) => o.name === "outrider-redirect"), "something comes before the sidecar");
  must(c.restartPolicy === "Always", "the sidecar is not native (restartPolicy: Always)");
  must(security.runAsNonRoot && security.runAsUser === 65532 && security.readOnlyRootFilesystem &&
    security.allowPrivilegeEscalation === false && security.capabilities?.drop?.[0] === "ALL" &&
    !security.capabilities.add && security.seccompProfile?.type === "RuntimeDefault", "the sidecar is not restricted");
  must(c.startupProbe && c.readinessProbe && c.livenessProbe, "a probe is missing");
  must(c.resources?.requests?.cpu && c.resources.requests.memory && c.resources.limits?.memory && !c.resources.limits.cpu,
    "resources: requests, and a limit of memory alone");
  must(metadata.labels?.["outrider.mesh/sidecar"] === "enabled", "the label that policies go by is missing");
  const volumes = new Map((spec.volumes ?? []).map((v) => [v.name, v]));
  for (const mount of c.volumeMounts) {
    const volume = volumes.get(mount.name);
    must(volume && Object.keys(volume).length > 1, `no volume ${mount.name}`);
    must(mount.readOnly, `${mount.name} is not read-only`);
  }
  for (const o of init.slice(0, at)) {
    const s = o.securityContext;
    must(JSON.stringify(s.capabilities) === '{"drop":["ALL"],"add":["NET_ADMIN"]}' ||
      JSON.stringify(s.capabilities) === '{"add":["NET_ADMIN"],"drop":["ALL"]}', "redirect: capabilities");
  }
  const config = volumes.get("outrider-config");
  const ini = config?.configMap ? inis.get(config.configMap.name) : metadata.annotations?.["outrider.mesh/ini"];
  if (ini === undefined) return config?.configMap && metadata.annotations?.["outrider.mesh/config"] ? undefined : wrong(where, "no configuration");
  const drain = /^drain_timeout = (\S+)$/m.exec(ini)?.[1] ?? "25s";
  must(seconds(drain) < (spec.terminationGracePeriodSeconds ?? 30), `drain_timeout ${drain} is not below the grace period`);
}

const types = [], checks = [];
let count = 0;
for (const file of process.argv.slice(2)) {
  const objects = yaml.loadAll(fs.readFileSync(file, "utf8")).filter(Boolean);
  const inis = new Map();
  for (const o of objects)
    if (o.kind === "ConfigMap" && o.data?.["outrider.ini"]) inis.set(o.metadata.name, o.data["outrider.ini"]);
  for (const object of objects) {
    // The generated schemas leave the beta out; its shape is the same.
    if (object.apiVersion === "admissionregistration.k8s.io/v1beta1") object.apiVersion = "admissionregistration.k8s.io/v1";
    // Base64 over several lines, as kustomize writes it, is fine with the API server.
    if (object.kind === "Secret") for (const k in object.data) object.data[k] = object.data[k].replace(/\s/g, "");
    const where = `${path.basename(file)}: ${object.kind} ${object.metadata?.name}`;
    const from = moduleOf(object.apiVersion, object.kind);
    let Model;
    try {
      Model = (await import(from))[object.kind];
    } catch {
      wrong(where, `no schema for ${object.apiVersion}`);
      continue;
    }
    count++;
    try {
      new Model(structuredClone(object)).validate();
    } catch (e) {
      wrong(where, e.message);
    }
    types.push(`import type {I${object.kind} as T${count}} from "${from}";`);
    checks.push(`/* ${where} */ export const d${count}: T${count} = ${JSON.stringify(object)};`);
    const [metadata, spec] = podSpec(object);
    if (spec) promises(where, metadata, spec, inis);
    if (object.kind === "NetworkPolicy")
      for (const rule of object.spec.ingress)
        for (const p of rule.ports ?? [])
          if (p.port === 8080 && !file.includes("transparent")) wrong(where, "admits the application's port");
    for (const [name, text] of inis) fs.writeFileSync(path.join(work, "ini", `${path.basename(file, ".yaml")}.${name}.ini`), text);
    const ini = metadata?.annotations?.["outrider.mesh/ini"];
    if (ini) fs.writeFileSync(path.join(work, "ini", `${path.basename(file, ".yaml")}.${object.metadata.name}.ini`), ini);
  }
}

// A field that no type has is an error in a literal, however deep.
fs.writeFileSync(path.join(work, "objects.ts"), types.join("\n") + "\n" + checks.join("\n") + "\n");
try {
  execFileSync(path.join(work, "node_modules/.bin/tsc"), ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext",
    "--moduleResolution", "bundler", "--target", "es2022", "objects.ts"], {cwd: work, encoding: "utf8"});
} catch (e) {
  const lines = fs.readFileSync(path.join(work, "objects.ts"), "utf8").split("\n");
  for (const line of (e.stdout ?? String(e)).split("\n").filter((l) => l.includes("error TS"))) {
    const at = /\((\d+),/.exec(line);
    const name = at ? /^\/\* (.*?) \*\//.exec(lines[at[1] - 1])?.[1] : "";
    wrong(name ?? "types", line.replace(/^.*error /, ""));
  }
}

for (const p of problems) console.error(p);
console.log(`${count} objects, ${problems.length} problems`);
process.exit(problems.length || count === 0 ? 1 : 0);
