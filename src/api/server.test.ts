/** The edges: streams that are slow, broken or left; requests that mean harm. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { startFakeDaemon } from "../../test/support/fake-daemon.ts";
import { silentLog } from "../../test/support/real.ts";
import { runs } from "../../test/support/runs.ts";
import type { Clock } from "../lib/clock.ts";
import { heartbeatMs, ndjson } from "./ndjson.ts";
import { Refusal } from "./refusal.ts";
import { allRoutes } from "./routes.ts";

const decoder = new TextDecoder();

/** A clock whose sleeps end when the test says. */
function handClock(): Clock & { readonly sleeping: { readonly ms: number; readonly wake: () => void }[] } {
  const sleeping: { readonly ms: number; readonly wake: () => void }[] = [];
  return { sleeping, now: () => 0, sleep: (ms) => new Promise((resolve) => sleeping.push({ ms, wake: resolve })) };
}

test("values are made only when somebody reads, and no more after the reader left", async () => {
  let made = 0;
  let ended = false;
  async function* numbers(): AsyncGenerator<number> {
    try {
      for (;;) yield (made += 1);
    } finally {
      ended = true;
    }
  }
  const response = await ndjson(numbers(), { signal: new AbortController().signal, clock: handClock(), log: silentLog });
  const reader = response.body?.getReader();
  assert.equal(made, 1);
  assert.equal(decoder.decode((await reader?.read())?.value), "1\n");
  assert.equal(decoder.decode((await reader?.read())?.value), "2\n");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(made <= 2, `${made} made, 2 read`);
  await reader?.cancel();
  assert.equal(ended, true);
});

test("silence has a heartbeat, and no value is lost to it", async () => {
  const clock = handClock();
  let say = (): void => {};
  async function* slow(): AsyncGenerator<string> {
    yield "first";
    await new Promise<void>((resolve) => (say = resolve));
    yield "second";
  }
  const response = await ndjson(slow(), { signal: new AbortController().signal, clock, log: silentLog });
  const reader = response.body?.getReader();
  assert.equal(decoder.decode((await reader?.read())?.value), '"first"\n');
  const beat = reader?.read();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(clock.sleeping.at(-1)?.ms, heartbeatMs);
  clock.sleeping.at(-1)?.wake();
  assert.equal(decoder.decode((await beat)?.value), "\n");
  const next = reader?.read();
  say();
  assert.equal(decoder.decode((await next)?.value), '"second"\n');
  assert.equal((await reader?.read())?.done, true);
});

test("a refusal before the first value has its status; what breaks later breaks the stream only", async () => {
  const options = { signal: new AbortController().signal, clock: handClock(), log: silentLog };
  async function* refusing(known: readonly number[]): AsyncGenerator<number> {
    if (known.length === 0) throw new Refusal(404, [{ code: "not-found", message: "no" }]);
    yield* known;
  }
  await assert.rejects(ndjson(refusing([]), options), Refusal);
  async function* breaking(): AsyncGenerator<number> {
    yield 1;
    throw new Error("broken");
  }
  const response = await ndjson(breaking(), options);
  const reader = response.body?.getReader();
  await reader?.read();
  await assert.rejects(async () => await reader?.read(), /broken/);
});

test("no body, query or path makes the daemon fail", { timeout: 60_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const posts = allRoutes.filter((route) => route.method === "POST").map((route) => route.path);
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        namespace: fc.string(),
        app: fc.string(),
        refs: fc.array(fc.string()),
        weights: fc.dictionary(fc.string(), fc.integer()),
        wait: fc.constant(false),
        source: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...posts), value, async (path, body) => {
      const { status, body: answer } = await daemon.post<{ problems?: readonly unknown[] }>(path, body);
      assert.ok(status < 500, `${path} ${JSON.stringify(body)}: ${status}`);
      if (status !== 200) assert.ok((answer.problems?.length ?? 0) > 0);
    }),
    { numRuns: runs(300) },
  );
  const text = fc.string({ maxLength: 30 }).map(encodeURIComponent);
  await fc.assert(
    fc.asyncProperty(text, text, async (a, b) => {
      for (const path of [
        `/v1/inspect/${a}/${b}`,
        `/v1/apps/${a}/${b}/history`,
        `/v1/services?namespace=${a}`,
        `/v1/logs?ref=${a}&tail=${b}`,
        `/v1/exec/default/${a}`,
      ]) {
        const response = await daemon.api.request(path);
        assert.ok(response.status < 500, `${path}: ${response.status}`);
      }
    }),
    { numRuns: runs(100) },
  );
  assert.deepEqual(daemon.complaints, []);
});

test("a stack file can be anything", { timeout: 60_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const piece = fc.constantFrom(
    "services:",
    "  web:",
    "    command: x",
    "    ports: 80",
    "    env: {A: {secret: s, key: k}}",
    "routers:",
    "  r: {rules: [{to: web}]}",
    "stack: shop",
    "stack: [1]",
    "- a",
    "  &a *a",
    "'",
    "{",
    "\t",
    "\0",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), async (lines) => {
      const source = { file: "weir.yaml", text: lines.join("\n"), dir: "/srv/app", files: {}, env: {} };
      const { status } = await daemon.post("/v1/plan", { source });
      assert.ok(status === 200 || (status >= 400 && status < 500), `${status} for ${JSON.stringify(lines)}`);
    }),
    { numRuns: runs(200) },
  );
});
