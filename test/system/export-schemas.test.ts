/** Everything that `weir export` can print, against the schemas of Kubernetes 1.37, Gateway API, Istio and what Linkerd reads. Needs Go once, to fetch them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { parseAllDocuments } from "yaml";
import { emitters, printStack } from "../../src/emit/export.ts";
import type { Mesh } from "../../src/emit/kubernetes/refusal.ts";
import { features } from "../contract/feature-stacks.ts";
import { builtInSchemas, type Check, type Checked, checkOf, crdSchemas, goModule, hasGo } from "./support/kube-schemas.ts";

const goldenDir = path.resolve(import.meta.dirname, "../golden");
const withoutGo = hasGo() ? false : "Go is not installed, so the schemas of the meshes cannot be fetched";

/** Versions that the emitters are written for. Linkerd 2.20 drops whole routes with fields newer than Gateway API 1.2.1. */
const versions = { kubernetes: "v0.37.2", gatewayApi: "v1.6.3", linkerdGatewayApi: "v1.2.1", istio: "v1.30.3" } as const;

function yamlFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("gateway.networking.k8s.io_") && !name.includes("_vap_"))
    .map((name) => path.join(folder, name));
}

function loadChecks(): Readonly<Record<Mesh, Check>> {
  const core = builtInSchemas(goModule("k8s.io/client-go", versions.kubernetes), {
    "v1 Namespace": "io.k8s.api.core.v1.Namespace",
    "v1 ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "v1 ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "batch/v1 Job": "io.k8s.api.batch.v1.Job",
    "batch/v1 CronJob": "io.k8s.api.batch.v1.CronJob",
    "v1 Service": "io.k8s.api.core.v1.Service",
    "discovery.k8s.io/v1 EndpointSlice": "io.k8s.api.discovery.v1.EndpointSlice",
  });
  const gatewayApi = goModule("sigs.k8s.io/gateway-api", versions.gatewayApi);
  const older = goModule("sigs.k8s.io/gateway-api", versions.linkerdGatewayApi);
  const istio = path.join(goModule("istio.io/api", versions.istio), "kubernetes/customresourcedefinitions.gen.yaml");
  return {
    istio: checkOf(new Map([...core, ...crdSchemas([istio])])),
    linkerd: checkOf(new Map([...core, ...crdSchemas(yamlFiles(path.join(older, "config/crd/experimental")))])),
    "gateway-api": checkOf(new Map([...core, ...crdSchemas(yamlFiles(path.join(gatewayApi, "config/crd/standard")))])),
  };
}

function objectsIn(yaml: string): readonly Checked[] {
  return parseAllDocuments(yaml, { version: "1.1" }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Checked;
  });
}

function goldenFiles(mesh: Mesh): readonly string[] {
  return readdirSync(goldenDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .flatMap((name) =>
      readdirSync(path.join(goldenDir, name))
        .filter((file) => file === `${mesh}.yaml`)
        .map((file) => path.join(goldenDir, name, file)),
    );
}

test("exported objects and the meshes' own schemas", { skip: withoutGo }, async (t) => {
  const checks = loadChecks();
  for (const mesh of Object.keys(emitters) as readonly Mesh[]) {
    await t.test(`${mesh}: every feature it can express`, () => {
      let checked = 0;
      for (const { name, stack } of features) {
        const printed = printStack(stack, mesh);
        for (const object of printed.ok ? objectsIn(printed.value.yaml) : []) {
          assert.deepEqual(checks[mesh](object), [], `${name}: ${JSON.stringify(object)}`);
          checked += 1;
        }
      }
      assert.ok(checked > 100, `${checked} objects`);
    });
    await t.test(`${mesh}: every golden file`, () => {
      const files = goldenFiles(mesh);
      assert.ok(files.length > 0);
      for (const file of files)
        for (const object of objectsIn(readFileSync(file, "utf8"))) assert.deepEqual(checks[mesh](object), [], `${file}: ${JSON.stringify(object)}`);
    });
  }

  await t.test("the checks find what is wrong", () => {
    const route = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: { name: "a", namespace: "default" } };
    const withRule = (rule: object): Checked => ({ ...route, spec: { rules: [rule] } });
    const header = { name: "x", value: "1" };
    assert.deepEqual(checks["gateway-api"](withRule({ matches: [{ method: "GET" }] })), []);
    assert.match(checks["gateway-api"](withRule({ retrys: {} })).join(), /retrys/);
    assert.match(checks["gateway-api"](withRule({ retry: {} })).join(), /retry/, "experimental");
    assert.match(checks["gateway-api"](withRule({ matches: [{ method: "PURGE" }] })).join(), /allowed values/);
    assert.match(checks["gateway-api"](withRule({ matches: [{ headers: [header, header] }] })).join(), /stands twice/);
    const redirect = (statusCode: number) => withRule({ filters: [{ type: "RequestRedirect", requestRedirect: { statusCode } }] });
    assert.deepEqual(checks["gateway-api"](redirect(308)), []);
    assert.match(checks.linkerd(redirect(308)).join(), /allowed values/);
    assert.match(checks.istio(route).join(), /there is no/);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "a" } };
    assert.match(checks.istio({ ...service, spec: { port: [] } }).join(), /port/);
    const ports = [80, 80].map((port) => ({ name: `p${port}`, port, protocol: "TCP" }));
    assert.match(checks.istio({ ...service, spec: { ports } }).join(), /stands twice/);
  });
});
