import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { service } from "../../../test/support/declared.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import type { Service } from "../../model/types.ts";
import { contentNames, podTemplate, podText, portNames } from "./translate-pod-template.ts";
import { runnerObjects } from "./translate-runners.ts";
import { appObjects, externalService, routerService, versionService, whyNotHere } from "./translate-workloads.ts";

const namespace = "shop" as Namespace;
const owner = (kind: "App" | "Version" | "Router" | "ExternalService", name: string) => [{ kind, name, uid: `uid-${name}` }];
const noContents = new Map<string, string>();

function image(ref: string, changes: Partial<Service> = {}): Service {
  return service(ref, { namespace, image: "example.com/web:1", command: [], stopSignal: "SIGTERM", ...changes });
}

const full = image("web@v2", {
  command: ["serve", "--price", "$(PRICE)", "$5"],
  scale: 3,
  ports: [
    { port: 80, containerPort: 8080, protocol: "http" },
    { port: 8080, containerPort: 8080, protocol: "http" },
    { port: 81, containerPort: 8081, protocol: "http" },
    { port: 9000, containerPort: 9000, protocol: "grpc" },
    { port: 5432, containerPort: 5432, protocol: "tcp" },
  ],
  env: {
    MODE: { kind: "literal", value: "fast" },
    LEVEL: { kind: "config", name: "settings", key: "level" },
    TOKEN: { kind: "secret", name: "keys", key: "token" },
  },
  mounts: [
    { kind: "config", name: "settings", path: "/etc/settings" },
    { kind: "secret", name: "keys", key: "tls.pem", path: "/etc/tls.pem" },
  ],
  health: {
    start: {
      check: { kind: "exec", command: ["test", "-e", "/tmp/up"] },
      initialDelayMs: 0,
      intervalMs: 500,
      timeoutMs: 100,
      failureThreshold: 30,
      successThreshold: 2,
    },
    ready: {
      check: { kind: "http", path: "/ready", port: 8080, headers: { "x-probe": "1" } },
      initialDelayMs: 1_500,
      intervalMs: 2_000,
      timeoutMs: 1_000,
      failureThreshold: 3,
      successThreshold: 2,
    },
    live: {
      check: { kind: "grpc", port: 9000, service: "shop.Web" },
      initialDelayMs: 0,
      intervalMs: 10_000,
      timeoutMs: 1_000,
      failureThreshold: 3,
      successThreshold: 1,
    },
  },
  drainMs: 20_000,
  graceMs: 2_500,
});
const small = image("web@v1", { scale: 1, ports: [{ port: 80, containerPort: 3000, protocol: "http" }], drainMs: 0 });

const database = image("db", {
  scale: 3,
  ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }],
  mounts: [{ kind: "config", name: "settings", path: "/etc/settings" }],
  volumes: [
    { name: "data", path: "/var/lib/db", size: "10Gi", class: "fast" },
    { name: "scratch", path: "/scratch", size: "1Gi" },
  ],
});
const elastic = image("api", { scale: 2, autoscale: { max: 5, cpu: 70 }, resources: { cpu: "250m", memory: "128Mi" } });

test("the objects are as in workloads.golden.yaml (WEIR_GOLDEN=update writes it)", () => {
  const [app, v1, v2] = [owner("App", "web"), owner("Version", "web-v1"), owner("Version", "web-v2")];
  const objects = [
    ...appObjects({ namespace, app: "web" as AppName, versions: [full, small], hasService: false }, { owners: app, stack: "shop" }),
    ...runnerObjects({ service: small, restarts: 0, contents: noContents }, "00000000", { owners: v1, stack: "shop" }),
    versionService(small, { owners: v1, stack: "shop" }),
    ...runnerObjects({ service: full, restarts: 2, contents: new Map([["config/settings", "abc"]]) }, "11111111", { owners: v2 }),
    versionService(full, { owners: v2 }),
    ...runnerObjects({ service: database, restarts: 0, contents: noContents }, "22222222", { owners: owner("Version", "db-v1"), stack: "shop" }),
    ...runnerObjects({ service: image("logs", { perNode: true, ports: [] }), restarts: 0, contents: noContents }, "33333333", {
      owners: owner("Version", "logs-v1"),
    }),
    ...runnerObjects({ service: elastic, restarts: 0, contents: noContents }, "44444444", { owners: owner("Version", "api-v1") }),
    routerService({ namespace, name: "www", hosts: ["www.example.com"], public: true, rules: [] }, { owners: owner("Router", "www") }),
    externalService(
      { namespace, name: "db", endpoints: [{ host: "db.example.com", port: 5432 }], ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }] },
      { owners: owner("ExternalService", "db") },
    ),
  ];
  const now = objects.map((object) => stringify(object, { lineWidth: 120, aliasDuplicateObjects: false })).join("---\n");
  const file = path.join(import.meta.dirname, "workloads.golden.yaml");
  if (process.env["WEIR_GOLDEN"] === "update") writeFileSync(file, now);
  assert.equal(now, readFileSync(file, "utf8"));
});

test("what makes pods has the same labels, whatever it is", () => {
  for (const service of [small, database, elastic, image("logs", { perNode: true })]) {
    const [runner] = runnerObjects({ service, restarts: 0, contents: noContents }, "0", { owners: owner("Version", "x") });
    const spec = runner?.["spec"] as {
      readonly selector: { readonly matchLabels: object };
      readonly template: { readonly metadata: { readonly labels: Record<string, string> } };
    };
    assert.deepEqual(spec.selector.matchLabels, { "weir.dev/app": service.app, "weir.dev/version": service.version });
    assert.equal(spec.template.metadata.labels["weir.dev/mesh"], "on");
    assert.equal(spec.template.metadata.labels["weir.dev/hash"], "0");
  }
});

test("how many pods there are is said by one alone: the version, the nodes, or the autoscaler", () => {
  const replicas = (service: Service): unknown => {
    const [runner] = runnerObjects({ service, restarts: 0, contents: noContents }, "0", { owners: owner("Version", "x") });
    return (runner?.["spec"] as { readonly replicas?: number } | undefined)?.replicas;
  };
  assert.deepEqual([full, database, elastic, image("logs", { perNode: true })].map(replicas), [3, 3, undefined, undefined]);
});

test("a budget counts what an autoscaler may make, and none counts what is one for each node", () => {
  const budget = (...versions: readonly Service[]): boolean =>
    appObjects({ namespace, app: "web" as AppName, versions, hasService: false }, { owners: owner("App", "web") }).some(
      ({ kind }) => kind === "PodDisruptionBudget",
    );
  assert.deepEqual([budget({ ...elastic, scale: 1 }), budget(image("web", { perNode: true }), full), budget(database)], [true, false, true]);
});

test("an app of one replica has no budget, one without ports no Service", () => {
  const kinds = (versions: readonly Service[]): readonly string[] =>
    appObjects({ namespace, app: "web" as AppName, versions, hasService: false }, { owners: owner("App", "web") }).map(({ kind }) => kind);
  assert.deepEqual(kinds([small]), ["ServiceAccount", "Service"]);
  assert.deepEqual(kinds([image("web", { ports: [], scale: 2 })]), ["ServiceAccount", "PodDisruptionBudget"]);
  assert.equal(versionService(image("web", { ports: [] }), { owners: owner("Version", "web-v1") }), undefined);
});

test("the ports of the first version count where versions differ; the others' follow", () => {
  const grpc = image("web@v3", {
    ports: [
      { port: 80, containerPort: 7000, protocol: "grpc" },
      { port: 90, containerPort: 90, protocol: "tcp" },
    ],
  });
  const [, found] = appObjects({ namespace, app: "web" as AppName, versions: [small, grpc], hasService: false }, { owners: owner("App", "web") });
  const spec = found?.["spec"] as { readonly ports: readonly { readonly name: string; readonly targetPort: string }[] } | undefined;
  assert.deepEqual(
    spec?.ports.map(({ name, targetPort }) => [name, targetPort]),
    [
      ["http-80", "http"],
      ["tcp-90", "tcp"],
    ],
  );
});

test("a container port keeps its name when its number changes", () => {
  const moved = full.ports.map((port) => ({ ...port, containerPort: port.containerPort + 1 }));
  assert.deepEqual([...portNames(moved).values()], [...portNames(full.ports).values()]);
});

test("new pods are needed for what they are made from, not for scale, callers' ports or being public", () => {
  const source = (changes: Partial<Service>, restarts = 0, contents = noContents) => ({ service: { ...small, ...changes }, restarts, contents });
  const text = (said: ReturnType<typeof source>): string => podText(podTemplate(said), said);
  const now = text(source({}));
  for (const changes of [
    { scale: 9 },
    { public: false },
    { autoscale: { max: 9, cpu: 1 } },
    { ports: [{ port: 81, containerPort: 3000, protocol: "http" as const }] },
  ])
    assert.equal(text(source(changes)), now);
  for (const other of [source({ image: "example.com/web:2" }), source({}, 1), source({}, 0, new Map([["config/a", "1"]])), source({ graceMs: 1 })])
    assert.notEqual(text(other), now);
});

test("what a version refers to", () => {
  assert.deepEqual(contentNames(full), ["config/settings", "secret/keys"]);
});

test("why a version cannot run here", () => {
  assert.match(whyNotHere(service("web", { command: ["serve"] })) ?? "", /no image/);
  assert.match(whyNotHere(image("web", { stopSignal: "SIGINT" })) ?? "", /SIGINT is not possible/);
  assert.equal(whyNotHere(small), undefined);
});
