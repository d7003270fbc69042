import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeDaemon } from "../../test/support/fake-daemon.ts";
import type { ApiError, IdentitiesView } from "./contract.ts";

const hello = {
  namespace: "default",
  app: "hello",
  version: "v1",
  command: ["node", "hello.js"],
  dir: "/srv",
  env: {},
  ports: ["80:9000"],
  scale: 2,
  egress: false,
  wait: true,
};

test("on one machine a workload is known by its network namespace, and the answer says so", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  const all = await daemon.get<IdentitiesView>("/v1/identities");
  assert.equal(all.body.workloads.length, 2);
  assert.match(all.body.meaning, /network namespace/);
  assert.equal(all.body.trustDomain, undefined);
  const [first] = all.body.workloads;
  assert.deepEqual([first?.identity, first?.version, first?.proof.kind], ["hello.default", "v1", "network-namespace"]);
  const one = await daemon.get<IdentitiesView>(`/v1/identities?ref=${first?.workload}`);
  assert.deepEqual(one.body.workloads, [first]);
  assert.equal((await daemon.get<IdentitiesView>("/v1/identities?ref=hello@v1")).body.workloads.length, 2);
  assert.deepEqual((await daemon.get<IdentitiesView>("/v1/identities?namespace=other")).body.workloads, []);
  const { status, body } = await daemon.get<ApiError>("/v1/identities?ref=helo");
  assert.deepEqual([status, body.problems[0]?.code], [404, "not-found"]);
  assert.match(body.problems[0]?.hint ?? "", /hello/);
});
