import assert from "node:assert/strict";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import type { HistoryEntry, WeightsView } from "../../api/contract.ts";

const daemon = await startCannedDaemon();
const view: WeightsView = { namespace: "default", app: "web", before: { v1: 10_000 }, target: { v1: 9_000, v2: 1_000 }, durationMs: 0 };

function answer(path: string, json: unknown): void {
  daemon.requests.length = 0;
  daemon.answers = { [path]: { json } };
}

test("weight says what moves, over which time, and whether it is true", async () => {
  answer("POST /v1/weight", view);
  assert.equal((await daemon.weir(["weight", "web@v2=10"])).stdout, "web@v1 100% → 90%, web@v2 0% → 10%\n");
  assert.deepEqual(daemon.requests[0]?.body, { namespace: "default", app: "web", weights: { v2: 1_000 }, durationMs: 0, wait: false });
  answer("POST /v1/weight", { ...view, durationMs: 10_000, inEnvoyMs: 12 });
  assert.equal(
    (await daemon.weir(["weight", "web@v2=10%", "--duration", "10s", "--wait"])).stdout,
    "web@v1 100% → 90%, web@v2 0% → 10% over 10s (true in Envoy)\n",
  );
  assert.deepEqual(daemon.requests[0]?.body, { namespace: "default", app: "web", weights: { v2: 1_000 }, durationMs: 10_000, wait: true });
});

test("promote and rollback say the same; JSON is the answer as it is", async () => {
  answer("POST /v1/promote", { ...view, target: { v1: 0, v2: 10_000 } });
  assert.equal((await daemon.weir(["promote", "web@v2"])).stdout, "web@v1 100% → 0%, web@v2 0% → 100%\n");
  answer("POST /v1/rollback", { ...view, target: { v1: 10_000 } });
  assert.equal((await daemon.weir(["rollback", "web", "--to", "3", "-n", "prod"])).stdout, "web@v1 100%\n");
  assert.deepEqual(daemon.requests[0]?.body, { namespace: "prod", app: "web", wait: false, revision: 3 });
  assert.equal((JSON.parse((await daemon.weir(["rollback", "web", "-o", "json"])).stdout) as WeightsView).app, "web");
});

test("history is a table, newest first as it comes", async () => {
  const at = Date.now() - 60_500;
  const entries: readonly HistoryEntry[] = [
    { revision: 2, at, change: "weight v2=10%", weights: { v1: 9_000, v2: 1_000 }, durationMs: 300_000 },
    { revision: 1, at, change: "up shop", weights: { v1: 10_000 }, durationMs: 0 },
  ];
  answer("GET /v1/apps/default/web/history", entries);
  assert.equal(
    (await daemon.weir(["history", "web"])).stdout,
    "REVISION  AGE  CHANGE                 WEIGHTS\n2         60s  weight v2=10% over 5m  v1 90%, v2 10%\n1         60s  up shop                v1 100%\n",
  );
  assert.equal((await daemon.weir(["history", "web", "-o", "name"])).stdout, "2\n1\n");
});
