/** Whatever dies, nothing is lost and nothing is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceView, SystemView } from "../../src/api/contract.ts";
import { eventually, request } from "./support/http.ts";
import { apps, processesOf, useWeir } from "./support/weir.ts";

const echo = ["-p", "80:8080/http", "--", process.execPath, `${apps}/echo.mjs`];

test("kill -9 of the daemon: what is declared stays, what runs goes on and is found again", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  await weir.ok("run", "-n", "echo@v1", "-e", "VERSION=v1", ...echo);
  await weir.ok("run", "-n", "echo@v2", "-e", "VERSION=v2", ...echo);
  const host = `echo.localhost:${weir.port}`;
  await eventually(async () => assert.equal((await request(weir.port, host)).status, 200));
  const before = await weir.json<readonly ServiceView[]>("ps");
  let held = 0;
  for (let round = 0; round < 5; round += 1) {
    const system = await weir.json<SystemView>("system", "status");
    const change = weir.run("weight", `echo@v2=${round * 10}`);
    await new Promise((resolve) => setTimeout(resolve, round * 20));
    process.kill(system.pid, "SIGKILL");
    const accepted = (await change).code === 0;
    assert.equal((await request(weir.port, host)).status, 200, "traffic goes on without a daemon");
    const after = await weir.json<readonly ServiceView[]>("ps");
    const weight = after.find((service) => service.version === "v2")?.weight;
    if (accepted) assert.equal(weight, round * 1_000, "what was accepted is not lost");
    else assert.ok(weight === round * 1_000 || weight === held, `never half applied: ${weight}, it was ${held}`);
    held = weight ?? 0;
  }
  const after = await weir.json<readonly ServiceView[]>("ps");
  assert.deepEqual(
    after.map((service) => [service.version, service.ready, service.restarts]),
    before.map((service) => [service.version, service.ready, service.restarts]),
  );
  assert.deepEqual(
    after.flatMap((service) => service.workloads.map((workload) => workload.id)),
    before.flatMap((service) => service.workloads.map((workload) => workload.id)),
    "the same workloads",
  );
});

test("kill -9 of the agent or an Envoy: it comes back by itself", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  await weir.ok("run", "-n", "echo@v1", ...echo);
  const host = `echo.localhost:${weir.port}`;
  const works = () => eventually(async () => assert.equal((await request(weir.port, host)).status, 200), 30_000);
  await works();
  const victims = async (): Promise<Record<string, number | undefined>> => {
    const system = await weir.json<SystemView>("system", "status");
    return { ...Object.fromEntries(system.proxies.map((proxy) => [proxy.name, proxy.pid])), inner: system.agent.innerPid, outer: system.agent.outerPid };
  };
  for (const name of ["gateway", "node", "inner", "outer"] as const) {
    const pid = (await victims())[name];
    assert.ok(pid, `${name} has a pid`);
    process.kill(pid, "SIGKILL");
    await works();
    await eventually(async () => assert.notEqual((await victims())[name], pid), 30_000);
    t.diagnostic(`${name} came back`);
  }
  await weir.ok("down", "--all");
  await weir.ok("system", "stop");
  assert.deepEqual(await processesOf(weir.home), []);
});
