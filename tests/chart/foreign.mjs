// Checks objects of kinds that operators bring along, by the types of those operators: takes them as JSON
// and prints of each what is wrong with it. The argument is the folder with the types' packages.
//
// The validators say nothing of keys that a type does not have. But they never ask for one either, so
// each object is handed over by a stand-in that notes what was asked for.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const TYPES = {
  "gateway.networking.k8s.io/v1 HTTPRoute": ["gateway-api", "IoK8sSigsGatewayApiApisV1HTTPRoute"],
  "monitoring.coreos.com/v1 ServiceMonitor": [
    "prometheus-operator", "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1ServiceMonitor",
  ],
  "monitoring.coreos.com/v1 PrometheusRule": [
    "prometheus-operator", "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1PrometheusRule",
  ],
  "external-secrets.io/v1 ExternalSecret": [
    "external-secrets", "ComGithubExternalSecretsExternalSecretsApisExternalsecretsV1ExternalSecret",
  ],
};

function noting(value, path, unasked) {
  if (typeof value !== "object" || value === null) return value;
  const inner = {};
  for (const key of Object.keys(value)) {
    unasked.add(`${path}/${key}`);
    inner[key] = noting(value[key], `${path}/${key}`, unasked);
  }
  const get = (target, key) => {
    unasked.delete(`${path}/${String(key)}`);
    return Object.hasOwn(inner, key) ? inner[key] : target[key];
  };
  return new Proxy(value, { get });
}

async function wrong(thing) {
  const type = TYPES[`${thing.apiVersion} ${thing.kind}`];
  if (!type) return [`${thing.apiVersion} ${thing.kind} is not known`];
  const file = join(resolve(process.argv[2]), "@kubernetes-models", type[0], "_schemas", `${type[1]}.js`);
  const { validate } = await import(pathToFileURL(file));
  const unasked = new Set();
  const errors = validate(noting(thing, "", unasked)) ? [] : validate.errors;
  return [
    ...errors.map((error) => `${error.instancePath}: ${error.keyword} ${JSON.stringify(error.params)}`),
    ...[...unasked].map((path) => `${path}: no such key`),
  ];
}

const things = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(things.map(wrong))));
