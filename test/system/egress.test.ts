/** Out of the mesh: only who may. Runs in a network namespace of its own, in which 10.99.0.1 is "the outside". */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { apps, execute, root, useWeir } from "./support/weir.ts";

const outside = "10.99.0.1";

test("egress: allowed where a service says so, closed elsewhere, open for what is declared", { timeout: 120_000 }, async (t) => {
  if (process.env["WEIR_TEST_NAMESPACE"] === undefined) return inNamespace();
  const server = http.createServer((request, response) => response.end(`outside says hello to ${request.headers.host}`));
  await new Promise<void>((resolve) => server.listen(9_555, outside, resolve));
  t.after(() => server.close());
  const weir = await useWeir(t);
  const dir = await mkdtemp("/tmp/weir-app-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  const echo = `command: ["${process.execPath}", "${apps}/echo.mjs"], ports: "80:8080"`;
  await writeFile(
    path.join(dir, "weir.yaml"),
    `services:\n  open: {${echo}, egress: true}\n  closed: {${echo}}\nexternalServices:\n  declared: {address: "${outside}:9555", ports: 80/http}\n`,
  );
  await weir.ok("up", dir);
  const fetchFrom = async (app: string, url: string) => {
    const code = `fetch("${url}",{signal:AbortSignal.timeout(4000)}).then(async r=>console.log(r.status,await r.text()),e=>console.log("failed",e.cause?.code??e.name))`;
    return (await weir.run("exec", app, "--", process.execPath, "-e", code)).stdout.trim();
  };
  assert.equal(await fetchFrom("open", `http://${outside}:9555/`), `200 outside says hello to ${outside}:9555`);
  assert.match(await fetchFrom("closed", `http://${outside}:9555/`), /^failed /);
  assert.match(await fetchFrom("closed", "http://declared/"), /^200 outside says hello/);
  assert.match(await fetchFrom("open", "http://closed/"), /^200 /, "names of the mesh still go through the mesh");
});

/** The same file once more, where an address of "the outside" can be had without touching the machine's own network. */
async function inNamespace(): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = `ip link set lo up && ip addr add ${outside}/32 dev lo && exec "$0" --test "$1"`;
  const words = ["-rn", "--", "sh", "-c", script, process.execPath, path.join(root, "test/system/egress.test.ts")];
  const result = await execute("unshare", words, {
    env: { ...env, WEIR_TEST_NAMESPACE: "1", PATH: `${root}/.cache/tools/bin:${env["PATH"]}:/usr/sbin:/sbin` },
  });
  assert.equal(result.code, 0, result.stdout + result.stderr);
}
