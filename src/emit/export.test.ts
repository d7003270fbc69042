import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { job } from "../../test/support/declared.ts";
import { runs } from "../../test/support/runs.ts";
import { external, place, port, router, rule, service, stack } from "../../test/support/stacks.ts";
import type { Namespace } from "../model/names.ts";
import type { Stack } from "../model/types.ts";
import { emitters, printStack } from "./export.ts";
import type { Mesh } from "./kubernetes/refusal.ts";

const meshes = Object.keys(emitters) as readonly Mesh[];
const shop: Stack = stack({
  name: "shop",
  services: [service("web"), service("web@v2", { namespace: "team-a" as Namespace }), service("db", { ports: [port("5432/tcp")], public: false })],
  routers: [router("www", [rule("web")])],
  configs: [{ namespace: "team-b" as Namespace, name: "site", data: { "index.html": "<h1>\nhello</h1>\n" } }],
  secrets: [{ namespace: "default" as Namespace, name: "db", data: { password: "hunter2", user: "u" } }],
});

interface Printed {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly data?: Record<string, string>;
}

function print(mesh: Mesh, said: Stack = shop): { readonly text: string; readonly objects: readonly Printed[]; readonly notices: readonly string[] } {
  const result = printStack(said, mesh);
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems));
  const documents = parseAllDocuments(result.value.yaml, { version: "1.1" });
  for (const document of documents) assert.deepEqual(document.errors, []);
  return { text: result.value.yaml, notices: result.value.notices, objects: documents.map((document) => document.toJS() as Printed) };
}

for (const mesh of meshes) {
  test(`${mesh}: namespaces first, configs with their text, and everything labelled with the stack`, () => {
    const { objects } = print(mesh);
    assert.deepEqual(
      objects.slice(0, 3).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      ["Namespace team-a", "Namespace team-b", "ConfigMap site"],
    );
    assert.deepEqual(objects[2]?.data, { "index.html": "<h1>\nhello</h1>\n" });
    for (const { kind, metadata } of objects) assert.equal(metadata.labels?.["app.kubernetes.io/part-of"], kind === "Namespace" ? undefined : "shop");
    assert.ok(!objects.some(({ kind }) => kind === "Deployment" || kind === "Secret"));
  });

  test(`${mesh}: a secret is named with its keys and never printed`, () => {
    const { text, notices } = print(mesh);
    assert.ok(!text.includes("hunter2"));
    assert.ok(notices.some((notice) => /Secret db in namespace default is never printed.* password, user/.test(notice)));
  });

  test(`${mesh}: every notice stands in the header`, () => {
    const { text, notices } = print(mesh);
    const header = text.slice(0, text.indexOf("---"));
    for (const notice of notices) assert.ok(header.includes(`# - ${notice}\n`), notice);
    assert.match(header, /^# Stack shop for .*without workloads/);
    assert.match(header, /app\.kubernetes\.io\/version/);
  });

  test(`${mesh}: the order in the file does not matter`, () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...shop.services], { minLength: shop.services.length }), (services) => {
        assert.equal(print(mesh, { ...shop, services }).text, print(mesh).text);
      }),
      { numRuns: runs(10) },
    );
  });
}

test("each mesh's mark is on namespaces, and default is told how to join", () => {
  assert.deepEqual(print("istio").objects[0]?.metadata.labels, { "istio-injection": "enabled", "app.kubernetes.io/managed-by": "weir" });
  assert.deepEqual(print("linkerd").objects[0]?.metadata.annotations, { "linkerd.io/inject": "enabled" });
  assert.ok(print("istio").notices.some((notice) => notice.endsWith("kubectl label namespace default istio-injection=enabled")));
  assert.ok(print("linkerd").notices.some((notice) => notice.endsWith("kubectl annotate namespace default linkerd.io/inject=enabled")));
  assert.ok(!print("gateway-api").notices.some((notice) => /joins the mesh/.test(notice)));
});

test("the names at the gateway end in the given domain", () => {
  const result = printStack(shop, "istio", { domain: "apps.example" });
  assert.ok(result.ok && result.value.yaml.includes("- web.apps.example\n") && !result.value.yaml.includes("localhost"));
});

test("what the mesh cannot say and what Kubernetes cannot hold is told together, and nothing is printed", () => {
  const configs = [{ namespace: "default" as Namespace, name: "odd", data: { "a/b": "", big: "x".repeat(1_048_577) } }];
  const result = printStack({ ...shop, configs, externals: [external("db2", ["localhost:1"])] }, "istio");
  assert.ok(!result.ok);
  assert.deepEqual(
    result.problems.map(({ code }) => code),
    ["mesh-unsupported", "kubernetes-name", "kubernetes-size"],
  );
  assert.deepEqual(result.problems[0]?.where, place(90));
});

test("what the compiler refuses is refused here, too", () => {
  const result = printStack(stack({ services: [service("web")], routers: [router("www", [rule("gone")])] }), "istio");
  assert.ok(!result.ok && result.problems[0]?.code === "destination-unknown");
});

test("a stack whose name is no label is printed without it", () => {
  const { objects } = print("istio", { ...shop, name: "my shop" });
  assert.ok(objects.every(({ metadata }) => metadata.labels?.["app.kubernetes.io/part-of"] === undefined));
});

test("the gateway of an export is not this machine's: port 8080 is free there, port 80 is not", () => {
  const withPort = (number: number): Stack => stack({ services: [service("db", { ports: [port(`${number}/tcp`)] })] });
  for (const mesh of ["gateway-api", "istio"] as const) {
    assert.ok(print(mesh, withPort(8080)).text.includes("8080"));
    const refused = printStack(withPort(80), mesh);
    assert.deepEqual(refused.ok ? [] : refused.problems.map(({ code, message }) => `${code}: ${message}`), [
      "port-clash: port 80 of the gateway belongs to HTTP; db cannot be reached through it",
    ]);
  }
});

test("jobs are printed whole, and asked for beside native sidecars; one that runs once cannot be applied twice, and that is said", () => {
  const jobs = [job("migrate", { image: "example.com/m:1" }), job("tick", { image: "example.com/t:1", schedule: { cron: "@daily", timeZone: "UTC" } })];
  const annotations = { istio: "sidecar.istio.io/nativeSidecar", linkerd: "config.beta.linkerd.io/proxy-enable-native-sidecar", "gateway-api": undefined };
  for (const mesh of meshes) {
    const { text, objects, notices } = print(mesh, stack({ ...shop, jobs }));
    const own = objects.filter(({ metadata: { name } }) => name === "migrate" || name === "tick").map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    assert.deepEqual(own, ["ServiceAccount migrate", "ServiceAccount tick", "Job migrate", "CronJob tick"]);
    assert.ok(notices.some((notice) => /A Job runs once.*\(default\/migrate\)/.test(notice)));
    const annotation = annotations[mesh];
    assert.equal(text.split(annotation ?? "nativeSidecar").length - 1, annotation === undefined ? 0 : 2);
  }
});
