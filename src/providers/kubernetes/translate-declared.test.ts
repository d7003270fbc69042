import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clusterPuts } from "../../../test/support/declared-arbitraries.ts";
import { runs } from "../../../test/support/runs.ts";
import { type ClusterKind, clusterKinds, isClusterKind } from "../../model/declared-kinds.ts";
import type { Namespace } from "../../model/names.ts";
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

for (const kind of Object.keys(clusterKinds) as ClusterKind[]) {
  test(`what is put as ${kind} is read back the same, with what the API server knows of it`, () => {
    fc.assert(
      fc.property(clusterPuts[kind], (put) => {
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
      { numRuns: runs(60) },
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

test("checks need no headers and no service's name", () => {
  const probe = { initialDelayMs: 0, intervalMs: 1, timeoutMs: 1, failureThreshold: 1, successThreshold: 1 };
  const health = { ready: { ...probe, check: { kind: "http", path: "/", port: 80 } }, live: { ...probe, check: { kind: "grpc", port: 90 } } };
  const { object, problems } = declaredReaders.service({ metadata: meta, spec: { ...spec, health } });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [object?.value.service.health.ready?.check, object?.value.service.health.live?.check],
    [
      { kind: "http", path: "/", port: 80, headers: {} },
      { kind: "grpc", port: 90, service: "" },
    ],
  );
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
