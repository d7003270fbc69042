import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeclaredApp, DeclaredService, Shares } from "../../model/declared.ts";
import { type ClusterKind, clusterKinds, isClusterKind } from "../../model/declared-kinds.ts";
import { type AppName, appKey, type Namespace, objectKey, type VersionName, versionKey } from "../../model/names.ts";
import type {
  Config,
  DestinationRef,
  EnvValue,
  ExternalService,
  HeaderChanges,
  Port,
  Probe,
  ProbeKind,
  Redirect,
  RouteAction,
  RouteMatch,
  RouteRule,
  Router,
  Service,
  TextMatch,
} from "../../model/types.ts";
import { statusManager } from "./declared-status.ts";
import { type ClusterPut, type DeclaredObject, declaredObject, declaredReaders, declaredSelection, sameObject } from "./translate-declared.ts";

/** As an API server answers: its own fields added, a Secret's contents in base64. */
function stored(object: DeclaredObject): object {
  const { stringData, ...rest } = object;
  const data = Object.entries((stringData ?? {}) as Readonly<Record<string, string>>).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
  const metadata = {
    ...object.metadata,
    uid: "u1",
    resourceVersion: "42",
    ...(object["spec"] === undefined ? {} : { generation: 3 }),
    creationTimestamp: "2026-11-29T10:00:00Z",
    managedFields: [
      { manager: "weir", time: "2026-11-29T11:00:00Z" },
      { manager: statusManager, subresource: "status", time: "2026-11-29T12:00:00Z" },
    ],
  };
  return { ...rest, metadata, ...(stringData === undefined ? {} : { data: Object.fromEntries(data) }) };
}

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
const text = fc.string({ maxLength: 8 });
const count = fc.nat({ max: 100_000 });
const texts = fc.array(text, { maxLength: 3 });
const textMap = fc.dictionary(
  text.filter((key) => key !== "__proto__"),
  text,
  { maxKeys: 3 },
);
const namespace = label as fc.Arbitrary<Namespace>;
const versionName = label as fc.Arbitrary<VersionName>;
const some = { requiredKeys: [] };

const port: fc.Arbitrary<Port> = fc.record({ port: count, containerPort: count, protocol: fc.constantFrom("http", "http2", "grpc", "tcp") });
const check: fc.Arbitrary<ProbeKind> = fc.oneof(
  fc.record({ kind: fc.constant("http" as const), path: text, port: count, headers: textMap }),
  fc.record({ kind: fc.constant("tcp" as const), port: count }),
  fc.record({ kind: fc.constant("grpc" as const), port: count, service: text }),
  fc.record({ kind: fc.constant("exec" as const), command: texts }),
);
const probe: fc.Arbitrary<Probe> = fc.record({
  check,
  initialDelayMs: count,
  intervalMs: count,
  timeoutMs: count,
  failureThreshold: count,
  successThreshold: count,
});
const envValue: fc.Arbitrary<EnvValue> = fc.oneof(
  fc.record({ kind: fc.constant("literal" as const), value: text }),
  fc.record({ kind: fc.constantFrom("config" as const, "secret" as const), name: label, key: text }),
);
const service: fc.Arbitrary<Service> = fc.record(
  {
    namespace,
    app: label as fc.Arbitrary<AppName>,
    version: versionName,
    image: text,
    command: texts,
    dir: text,
    env: fc.dictionary(label, envValue, { maxKeys: 3 }),
    ports: fc.array(port, { maxLength: 3 }),
    public: fc.boolean(),
    health: fc.record({ start: probe, ready: probe, live: probe }, some),
    scale: count,
    mounts: fc.array(fc.record({ kind: fc.constantFrom("config", "secret"), name: label, key: text, path: text }, { requiredKeys: ["kind", "name", "path"] }), {
      maxLength: 2,
    }),
    drainMs: count,
    graceMs: count,
    stopSignal: text,
    egress: fc.boolean(),
  },
  {
    requiredKeys: [
      "namespace",
      "app",
      "version",
      "command",
      "dir",
      "env",
      "ports",
      "public",
      "health",
      "scale",
      "mounts",
      "drainMs",
      "graceMs",
      "stopSignal",
      "egress",
    ],
  },
);
const declaredService: fc.Arbitrary<DeclaredService> = fc.record({ service, origin: fc.constantFrom("file", "command"), restarts: count });

const shares: fc.Arbitrary<Shares> = fc.dictionary(label, count, { maxKeys: 3 });
const app: fc.Arbitrary<DeclaredApp> = fc.record(
  {
    namespace,
    app: label as fc.Arbitrary<AppName>,
    weights: shares,
    rollout: fc.record({ from: shares, startedAt: count, durationMs: count }),
    history: fc.array(fc.record({ revision: count, at: count, change: text, weights: shares, durationMs: count }), { maxLength: 3 }),
  },
  { requiredKeys: ["namespace", "app", "weights", "history"] },
);

const textMatch: fc.Arbitrary<Exclude<TextMatch, { kind: "present" }>> = fc.record({ kind: fc.constantFrom("exact", "prefix", "regex"), value: text });
const named = fc.array(fc.record({ name: text, value: fc.oneof(textMatch, fc.constant({ kind: "present" as const })) }), { maxLength: 2 });
const match: fc.Arbitrary<RouteMatch> = fc.record(
  { path: textMatch, methods: texts, headers: named, query: named, cookies: named },
  { requiredKeys: ["methods", "headers", "query", "cookies"] },
);
const pairs = fc.array(fc.record({ name: text, value: text }), { maxLength: 2 });
const changes: fc.Arbitrary<HeaderChanges> = fc.record({ add: pairs, set: pairs, remove: texts });
const destination: fc.Arbitrary<DestinationRef> = fc.record(
  { kind: fc.constantFrom("app", "version", "external"), namespace, name: label, version: versionName, port: count },
  { requiredKeys: ["kind", "namespace", "name"] },
);
const redirect: fc.Arbitrary<Redirect> = fc.record(
  { scheme: fc.constantFrom("http", "https"), host: text, port: count, path: text, fullPath: text, code: fc.constantFrom(301, 302, 303, 307, 308) },
  { requiredKeys: ["code"] },
);
const action: fc.Arbitrary<RouteAction> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("forward" as const),
      destinations: fc.array(
        fc.record({ to: destination, weight: count, requestHeaders: changes, responseHeaders: changes }, { requiredKeys: ["to", "weight"] }),
        {
          maxLength: 3,
        },
      ),
      rewrite: fc.record({ host: text, path: text, fullPath: text, regex: fc.record({ pattern: text, substitution: text }) }, some),
      timeoutMs: count,
      retries: fc.record({ attempts: count, perTryTimeoutMs: count, on: texts }, { requiredKeys: ["attempts", "on"] }),
      tryTimeoutMs: count,
      mirrors: fc.array(fc.record({ to: destination, share: count }), { maxLength: 2 }),
      refused: count,
    },
    { requiredKeys: ["kind", "destinations"] },
  ),
  fc.record({ kind: fc.constant("redirect" as const), redirect }),
);
const rule: fc.Arbitrary<RouteRule> = fc.record({ match: fc.array(match, { maxLength: 2 }), action, requestHeaders: changes, responseHeaders: changes });
const router: fc.Arbitrary<Router> = fc.record({ namespace, name: label, hosts: texts, public: fc.boolean(), rules: fc.array(rule, { maxLength: 2 }) });
const external: fc.Arbitrary<ExternalService> = fc.record(
  {
    namespace,
    name: label,
    endpoints: fc.array(fc.record({ host: text, port: count }), { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 2 }),
    tls: fc.record({ serverName: text }),
  },
  { requiredKeys: ["namespace", "name", "endpoints", "ports"] },
);
const config: fc.Arbitrary<Config> = fc.record({ namespace, name: label, data: textMap });

const stack = fc.option(label, { nil: undefined }).map((name) => (name === undefined ? {} : { stack: name }));
const byName = (value: { readonly namespace: Namespace; readonly name: string }): string => objectKey(value.namespace, value.name);
const puts: { readonly [K in ClusterKind]: fc.Arbitrary<ClusterPut> } = {
  service: fc.tuple(declaredService, stack).map(([value, owner]) => ({
    op: "put",
    kind: "service",
    key: versionKey(value.service.namespace, value.service.app, value.service.version),
    value,
    ...owner,
  })),
  app: fc.tuple(app, stack).map(([value, owner]) => ({ op: "put", kind: "app", key: appKey(value.namespace, value.app), value, ...owner })),
  router: fc.tuple(router, stack).map(([value, owner]) => ({ op: "put", kind: "router", key: byName(value), value, ...owner })),
  external: fc.tuple(external, stack).map(([value, owner]) => ({ op: "put", kind: "external", key: byName(value), value, ...owner })),
  config: fc.tuple(config, stack).map(([value, owner]) => ({ op: "put", kind: "config", key: byName(value), value, ...owner })),
  secret: fc.tuple(config, stack).map(([value, owner]) => ({ op: "put", kind: "secret", key: byName(value), value, ...owner })),
};

for (const kind of Object.keys(clusterKinds) as ClusterKind[]) {
  test(`what is put as ${kind} is read back the same, with what the API server knows of it`, () => {
    fc.assert(
      fc.property(puts[kind], (put) => {
        const sent = JSON.parse(JSON.stringify(stored(declaredObject(put)))) as unknown;
        const { object, problems } = declaredReaders[kind](sent);
        assert.deepEqual(problems, []);
        assert.deepEqual(object, {
          kind,
          key: put.key,
          ...(put.stack === undefined ? {} : { stack: put.stack }),
          generation: kind === "config" || kind === "secret" ? 42 : 3,
          version: 42,
          createdAt: Date.UTC(2026, 10, 29, 10),
          updatedAt: Date.UTC(2026, 10, 29, 11),
          value: JSON.parse(JSON.stringify(put.value)) as unknown,
        });
      }),
      { numRuns: 60 },
    );
  });
}

const meta = { name: "web-v1", namespace: "shop", resourceVersion: "7", generation: 1 };
const spec = {
  app: "web",
  version: "v1",
  image: "nginx",
  command: [],
  dir: "/",
  env: {},
  ports: [{ port: 80, protocol: "http" }],
  health: {},
  scale: 1,
  mounts: [],
  drainMs: 30_000,
  graceMs: 10_000,
  stopSignal: "SIGTERM",
  egress: false,
  origin: "file",
  restarts: 0,
};

test("a Version that kubectl applied gets what a CustomResourceDefinition cannot fill in", () => {
  const { object } = declaredReaders.service({ metadata: meta, spec });
  assert.deepEqual(object?.value.service.ports, [{ port: 80, containerPort: 80, protocol: "http" }]);
  assert.equal(object?.value.service.public, true);
  assert.equal(object?.key, "shop/web@v1");
  const tcp = declaredReaders.service({ metadata: meta, spec: { ...spec, ports: [{ port: 5432, containerPort: 1, protocol: "tcp" }] } });
  assert.deepEqual([tcp.object?.value.service.public, tcp.object?.value.service.ports[0]?.containerPort], [false, 1]);
});

test("a Router's destinations are of its own namespace unless they say another", () => {
  const to = (more: object): object => ({ to: { kind: "app", name: "web", ...more }, weight: 5000 });
  const noChanges = { add: [], set: [], remove: [] };
  const action = { kind: "forward", destinations: [to({}), to({ namespace: "other" })], mirrors: [{ to: { kind: "app", name: "m" }, share: 1 }] };
  const rules = [{ match: [], action, requestHeaders: noChanges, responseHeaders: noChanges }];
  const { object, problems } = declaredReaders.router({ metadata: { ...meta, name: "www" }, spec: { hosts: [], public: true, rules } });
  assert.deepEqual(problems, []);
  const read = object?.value.rules[0]?.action;
  assert.ok(read?.kind === "forward");
  assert.deepEqual(
    [...read.destinations, ...(read.mirrors ?? [])].map((destination) => destination.to.namespace),
    ["shop", "other", "shop"],
  );
});

test("what does not fit is a problem with its place, never a value", () => {
  const { object, problems } = declaredReaders.service({ metadata: { ...meta, name: "cart" }, spec: { ...spec, scale: "many" } });
  assert.equal(object, undefined);
  assert.deepEqual(
    problems.map(({ code, message }) => `${code}: ${message}`),
    ["kube-object-invalid: Version shop/cart: its name must be web-v1", "kube-object-invalid: Version shop/cart: service.scale does not fit (invalid_type)"],
  );
});

test("a Secret that is no text is a problem that shows nothing of it", () => {
  const { object, problems } = declaredReaders.secret({
    metadata: { ...meta, name: "s" },
    data: { bin: Buffer.from([255, 254, 7]).toString("base64"), ok: "aHVudGVyMg==" },
  });
  assert.equal(object, undefined);
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.message ?? "", /Secret shop\/s: data\.bin does not fit/);
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/);
});

test("status is read as it was written; before that there is none", () => {
  assert.equal(declaredReaders.service({ metadata: meta, spec }).status, undefined);
  const status = { observedGeneration: 1, hash: "abc", state: "ready", ready: 2, wanted: 2, weight: 1250, conditions: [] };
  assert.deepEqual(declaredReaders.service({ metadata: meta, spec, status: { ...status, shown: { ready: "2/2" } } }).status, status);
});

test("places in files make no difference between objects", () => {
  const put = (line: number): ClusterPut => ({
    op: "put",
    kind: "router",
    key: "shop/www",
    value: { namespace: "shop" as Namespace, name: "www", hosts: [], public: true, rules: [], where: { file: "weir.yaml", line, column: 1 } },
  });
  assert.ok(sameObject(put(1), put(2)));
  assert.doesNotMatch(JSON.stringify(declaredObject(put(1))), /where/);
});

test("of ConfigMaps and Secrets only those with our label are read; stacks and addresses are no objects", () => {
  assert.deepEqual([declaredSelection("secret"), declaredSelection("service")], [{ labels: "weir.dev/kind=secret" }, {}]);
  assert.deepEqual([isClusterKind("router"), isClusterKind("stack"), isClusterKind("address")], [true, false, false]);
});
