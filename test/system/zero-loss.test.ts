/**
 * Under 500 requests/s through the gateway and 500/s between services, every operation of an operator's day loses nothing.
 * WEIR_LOAD_COUNT (default 2 500 each way; the load suite of CI uses 20 000) bounds every load.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ServiceView, SystemView } from "../../src/api/contract.ts";
import { eventually, request } from "./support/http.ts";
import { apps, type LoadResult, loadFromInside, loadFromOutside, useWeir, type Weir } from "./support/weir.ts";

const count = Number(process.env["WEIR_LOAD_COUNT"] ?? 2_500);
const rate = 500;
const seconds = count / rate;

async function start(t: TestContext): Promise<Weir> {
  const weir = await useWeir(t);
  const echo = ["-p", "80:8080/http", "-e", "DELAY_MS=5", "--", process.execPath, `${apps}/echo.mjs`];
  await weir.ok("run", "-n", "echo@v1", "--scale", "2", "-e", "VERSION=v1", ...echo);
  await weir.ok("run", "-n", "echo@v2", "--scale", "2", "-e", "VERSION=v2", ...echo);
  await weir.ok("run", "-n", "caller@v1", "--", "sleep", "3600");
  await eventually(async () => {
    const services = await weir.json<readonly ServiceView[]>("ps");
    assert.ok(
      services.every((service) => service.state === "ready"),
      JSON.stringify(services),
    );
    assert.equal((await request(weir.port, `echo.localhost:${weir.port}`)).status, 200);
  }, 30_000);
  return weir;
}

/** Both loads, with `work` beginning when they are well under way; answers outside's and inside's results. */
async function underLoad(weir: Weir, work: () => Promise<void>): Promise<readonly [LoadResult, LoadResult]> {
  const loads = Promise.all([loadFromOutside(weir, "echo", { count, rate }), loadFromInside(weir, "caller", { url: "http://echo/", count, rate })]);
  await new Promise((resolve) => setTimeout(resolve, Math.min(1_500, seconds * 200)));
  const [results] = await Promise.all([loads, work()]);
  return results;
}

function assertNoneFailed(t: TestContext, results: readonly [LoadResult, LoadResult]): void {
  for (const [where, result] of [
    ["gateway", results[0]],
    ["between services", results[1]],
  ] as const) {
    t.diagnostic(`${where}: ${result.ok} ok, ${result.failed} failed, p50 ${result.p50} ms, p99 ${result.p99} ms, max ${result.max} ms`);
    assert.deepEqual(result.failures, [], where);
    assert.equal(result.ok, count, where);
  }
}

test("nothing is lost", { timeout: 1_200_000 }, async (t) => {
  const weir = await start(t);
  const idle = () => new Promise((resolve) => setTimeout(resolve, seconds * 100));

  await t.test("weight changes", async (t) => {
    const results = await underLoad(weir, async () => {
      for (const percent of [1, 10, 50, 90, 33.3, 0]) {
        await weir.ok("weight", `echo@v2=${percent}`, "--wait");
        await idle();
      }
    });
    assertNoneFailed(t, results);
  });

  await t.test("promote and rollback", async (t) => {
    const results = await underLoad(weir, async () => {
      for (const command of [
        ["promote", "echo@v2"],
        ["rollback", "echo"],
        ["promote", "echo@v2"],
      ]) {
        await weir.ok(...command, "--wait");
        await idle();
      }
    });
    assertNoneFailed(t, results);
  });

  await t.test("scale 1 → 5 → 1", async (t) => {
    await weir.ok("scale", "echo@v2=1", "--wait");
    const results = await underLoad(weir, async () => {
      await weir.ok("scale", "echo@v2=5", "--wait");
      await idle();
      await weir.ok("scale", "echo@v2=1", "--wait");
    });
    assertNoneFailed(t, results);
  });

  await t.test("restart of a version", async (t) => {
    await weir.ok("scale", "echo@v2=2", "--wait");
    assertNoneFailed(t, await underLoad(weir, async () => void (await weir.ok("restart", "echo@v2", "--wait"))));
  });

  await t.test("Envoy replaced", async (t) => {
    const before = await weir.json<SystemView>("system", "status");
    assertNoneFailed(t, await underLoad(weir, async () => void (await weir.ok("system", "replace-envoy"))));
    const after = await weir.json<SystemView>("system", "status");
    for (const proxy of before.proxies)
      assert.notEqual(after.proxies.find((other) => other.name === proxy.name)?.pid, proxy.pid, `${proxy.name} is a new process`);
  });

  await t.test("daemon killed", async (t) => {
    const results = await underLoad(weir, async () => {
      for (let i = 0; i < 3; i += 1) {
        const { pid } = await weir.json<SystemView>("system", "status");
        process.kill(pid, "SIGKILL");
        await idle();
        await weir.ok("weight", `echo@v1=${10 * i}`, "--wait");
      }
    });
    assertNoneFailed(t, results);
  });
});

test("10 % is 10 % ± 1 %, and a staged version gets exactly none", { timeout: 600_000 }, async (t) => {
  const weir = await start(t);
  const [stagedOutside, stagedInside] = await underLoad(weir, async () => {});
  assert.deepEqual(stagedOutside.versions, { v1: count });
  assert.deepEqual(stagedInside.versions, { v1: count });

  await weir.ok("weight", "echo@v2=10", "--wait");
  const results = await underLoad(weir, async () => {});
  assertNoneFailed(t, results);
  // ± 1 % is 4.7 standard deviations at 20 000 requests; the bound widens as the load shrinks, so that chance alone does not fail the test.
  const tolerance = Math.max(0.01, 4.7 * Math.sqrt((0.1 * 0.9) / count));
  for (const result of results) {
    const share = (result.versions["v2"] ?? 0) / count;
    t.diagnostic(`share of v2: ${(share * 100).toFixed(2)} %`);
    assert.ok(Math.abs(share - 0.1) <= tolerance, `share ${share}`);
  }
});
