/** The reflector against an API server over real HTTP that misbehaves; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { eventually, silentLog } from "../../../test/support/real.ts";
import { runs } from "../../../test/support/runs.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { directAccess } from "./access.ts";
import { KubeClient } from "./client.ts";
import { record, text } from "./readers.ts";
import { Reflector } from "./reflector.ts";

const kind = { group: "", version: "v1", resource: "pods" };

interface Seen {
  readonly name: string;
  readonly color: string;
}
const read = (raw: unknown): Seen => ({ name: text(record(record(raw)["metadata"])["name"]) ?? "", color: text(record(raw)["color"]) ?? "" });
const pod = (name: string, color = "red") => ({ metadata: { name, namespace: "default" }, color });

interface Rig {
  readonly api: FakeKubeApi;
  readonly clock: VirtualClock;
  readonly reflector: Reflector<Seen>;
  readonly end: () => Promise<void>;
  /** `a=red b=blue` */
  readonly now: () => string;
}

async function rig(setUp: (api: FakeKubeApi) => void = () => {}): Promise<Rig> {
  const api = new FakeKubeApi();
  setUp(api);
  await api.start();
  const clock = new VirtualClock();
  const access = directAccess(api.url);
  const reflector = new Reflector({ client: new KubeClient({ access, clock }), kind, read, clock, log: silentLog, random: () => 0.5 });
  const stop = new AbortController();
  const work = reflector.start(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await work;
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  };
  const now = (): string =>
    [...reflector.state.get().objects.values()]
      .map(({ name, color }) => `${name}=${color}`)
      .toSorted()
      .join(" ");
  return { api, clock, reflector, end, now };
}

async function started(t: TestContext, setUp?: (api: FakeKubeApi) => void): Promise<Rig> {
  const made = await rig(setUp);
  t.after(made.end);
  await eventually(() => made.reflector.state.get().connected && made.api.watching === 1, "listed and watching");
  return made;
}

test("lists page by page, then follows what happens", async (t) => {
  const { api, now } = await started(t, (api) => {
    for (let i = 0; i < 1_200; i += 1) api.put("pods", pod(`p${i}`));
  });
  assert.equal(now().split(" ").length, 1_200);
  assert.equal(api.count("list"), 3, "pages of 500");
  for (let i = 2; i < 1_200; i += 1) api.remove("pods", `default/p${i}`);
  api.put("pods", pod("p1", "blue"));
  await eventually(() => now() === "p0=red p1=blue", "events");
  assert.equal(api.count("list"), 3);
});

test("objects that did not change, as far as we read them, are the identical values, and so is their map", async (t) => {
  const { api, clock, reflector } = await started(t, (api) => {
    api.put("pods", pod("a"));
    api.put("pods", pod("b"));
  });
  const before = reflector.state.get();
  api.put("pods", { ...pod("a"), heartbeat: 1 });
  api.put("pods", { ...pod("a"), heartbeat: 2 });
  api.compact();
  api.expireWatches();
  await clock.until(() => api.count("list") === 2 && api.watching === 1, "listed anew");
  assert.equal(reflector.state.get(), before);
  api.put("pods", pod("b", "blue"));
  await eventually(() => reflector.state.get() !== before, "a real change");
  assert.equal(reflector.state.get().objects.get("default/a"), before.objects.get("default/a"));
});

test("a watch that ends or breaks is resumed where it was: nothing is lost, nothing listed again", async (t) => {
  const { api, clock, now } = await started(t, (api) => api.put("pods", pod("a")));
  for (const [i, interrupt] of [() => api.endWatches(), () => api.breakWatches()].entries()) {
    interrupt();
    await eventually(() => api.watching === 0, "ended");
    api.put("pods", pod("b", `color${i}`));
    await clock.until(() => now() === `a=red b=color${i}`, "what happened meanwhile");
  }
  assert.equal(api.count("list"), 1);
});

for (const how of ["when the watch starts", "in the middle of a watch"]) {
  test(`a version that is gone ${how}: everything is listed anew, what vanished meanwhile vanishes`, async (t) => {
    const { api, clock, reflector, now } = await started(t, (api) => {
      api.put("pods", pod("a"));
      api.put("pods", pod("b"));
    });
    api.deafen();
    api.remove("pods", "default/a");
    api.put("pods", pod("c"));
    api.compact();
    if (how === "when the watch starts") api.breakWatches();
    else api.expireWatches();
    await clock.until(() => now().includes("c=red"), "listed anew");
    assert.equal(reflector.state.get().objects.has("default/a"), false);
    assert.equal(api.count("list"), 2);
    assert.equal(reflector.state.get().connected, true);
  });
}

test("a connection that went dead without a word is replaced after 90 s, and nobody notices", async (t) => {
  const { api, clock, reflector, now } = await started(t, (api) => api.put("pods", pod("a")));
  const states: boolean[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  void (async () => {
    for await (const { connected } of reflector.state.watch(stop.signal)) states.push(connected);
  })();
  await clock.advance(80_000);
  api.bookmark();
  await eventually(() => api.watching === 1, "bookmark");
  await new Promise((resolve) => setTimeout(resolve, 20));
  await clock.advance(80_000);
  assert.equal(api.count("watch"), 1, "a bookmark is a sign of life");
  api.deafen();
  api.put("pods", pod("b"));
  await clock.until(() => now() === "a=red b=red", "the lost event", 1_000);
  assert.equal(api.count("watch"), 2);
  assert.equal(api.count("list"), 1);
  assert.equal(states.includes(false), false);
});

test("a kind of which nothing happens stays connected: its watch is renewed now and then", async (t) => {
  const { api, clock, reflector } = await started(t, (api) => api.put("pods", pod("a")));
  const before = reflector.state.get();
  for (const times of [2, 3, 4, 5]) await clock.until(() => api.count("watch") === times && api.watching === 1, "renewed", 5_000);
  assert.equal(reflector.state.get(), before);
  assert.equal(api.count("list"), 1);
});

test("events that come twice change nothing", async (t) => {
  const { api, now } = await started(t, (api) => {
    api.copies = 3;
  });
  api.put("pods", pod("a"));
  api.put("pods", pod("a", "blue"));
  api.remove("pods", "default/a");
  api.put("pods", pod("a", "green"));
  api.put("pods", pod("end"));
  await eventually(() => now() === "a=green end=red", "events");
});

test("a slow list shows nothing until it is whole", async (t) => {
  let open = (): void => {};
  const made = await rig((api) => {
    api.listGate = new Promise((resolve) => {
      open = resolve;
    });
    for (let i = 0; i < 600; i += 1) api.put("pods", pod(`p${i}`));
  });
  t.after(made.end);
  await eventually(() => made.api.count("list") === 1, "asked");
  await made.clock.advance(30_000);
  assert.deepEqual([made.reflector.state.get().synced, made.reflector.state.get().objects.size], [false, 0]);
  open();
  await eventually(() => made.reflector.state.get().synced, "whole");
  assert.equal(made.reflector.state.get().objects.size, 600);
});

test("a list that says nothing for 60 s is given up and asked again", async (t) => {
  const made = await rig((api) => {
    api.listGate = new Promise(() => {});
    api.put("pods", pod("a"));
  });
  t.after(made.end);
  await eventually(() => made.api.count("list") === 1, "asked");
  made.api.listGate = Promise.resolve();
  await made.clock.until(() => made.reflector.state.get().synced, "asked again", 5_000);
});

test("while the server is gone for 60 s the last known state stays, with a reason; then it goes on where it was", async (t) => {
  const { api, clock, reflector, now } = await started(t, (api) => api.put("pods", pod("a")));
  await api.stop();
  await clock.until(() => !reflector.state.get().connected, "lost", 1);
  const { objects, synced, reason } = reflector.state.get();
  assert.deepEqual([objects.size, synced], [1, true]);
  assert.match(reason ?? "", /broke off|ECONNREFUSED/);
  const asked = api.requests.length;
  for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
  assert.equal(api.requests.length, asked);
  assert.equal(now(), "a=red");
  assert.match(reflector.state.get().reason ?? "", /ECONNREFUSED/);
  api.put("pods", pod("b"));
  await api.start();
  await clock.until(() => reflector.state.get().connected && now() === "a=red b=red", "back", 1_000);
  assert.equal(api.count("list"), 1);
  assert.equal(reflector.state.get().reason, undefined);
});

test("a server that comes back without its memory is listed anew at once", async (t) => {
  const { api, clock, reflector, now } = await started(t, (api) => api.put("pods", pod("a")));
  await api.stop();
  await clock.until(() => !reflector.state.get().connected, "lost", 1);
  api.put("pods", pod("b"));
  api.compact();
  await api.start();
  await clock.until(() => api.count("watch") === 2, "asked for a version that is gone", 100);
  await eventually(() => reflector.state.get().connected && now() === "a=red b=red", "no more time passed");
});

test("a server that refuses is asked again and again, more and more seldom, and as late as it wants", async (t) => {
  const made = await rig((api) => {
    api.answer = () => ({ status: 403, body: { kind: "Status", code: 403, message: "pods is forbidden" } });
  });
  t.after(made.end);
  await eventually(() => made.reflector.state.get().reason === "pods is forbidden", "refused");
  for (let i = 0; i < 600; i += 1) await made.clock.advance(1_000);
  assert.ok(made.api.requests.length < 40, `asked ${made.api.requests.length} times in 10 minutes`);
  made.api.answer = () => ({ status: 429, body: {}, headers: { "retry-after": "120" } });
  const before = made.api.requests.length;
  await made.clock.until(() => made.api.requests.length > before, "asked", 1_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await made.clock.advance(110_000);
  assert.equal(made.api.requests.length, before + 1);
  made.api.answer = () => undefined;
  await made.clock.until(() => made.reflector.state.get().connected, "accepted", 1_000);
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("put" as const), name: fc.constantFrom("a", "b", "c", "d"), color: fc.constantFrom("red", "blue", "green") }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), name: fc.constantFrom("a", "b", "c", "d") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("break" as const, "end" as const, "expire" as const, "compact" as const, "bookmark" as const, "deafen" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const) }) },
);

test("whatever happens, in the end everything is as the server has it", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.constantFrom(1, 2), async (steps, copies) => {
      const { api, clock, reflector, end, now } = await rig((api) => {
        api.copies = copies;
      });
      try {
        for (const action of steps) await act(api, clock, action);
        api.put("pods", pod("end"));
        const want = api
          .all("pods")
          .map(({ metadata, ...rest }) => `${metadata.name}=${String(rest["color"])}`)
          .toSorted()
          .join(" ");
        await clock.until(() => now() === want && reflector.state.get().connected, want, 10_000);
      } finally {
        await end();
      }
    }),
    { numRuns: runs(25) },
  );
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function act(api: FakeKubeApi, clock: VirtualClock, action: Step): Promise<void> {
  switch (action.do) {
    case "put":
      return api.put("pods", pod(action.name, action.color));
    case "remove":
      return api.remove("pods", `default/${action.name}`);
    case "break":
      return api.breakWatches();
    case "end":
      return api.endWatches();
    case "expire":
      return api.expireWatches();
    case "compact":
      return api.compact();
    case "bookmark":
      return api.bookmark();
    case "deafen":
      return api.deafen();
    case "wait":
      return clock.advance(500);
  }
}

test("a kind that the cluster does not have is empty, and is found when it comes; when it goes it is empty again", async (t) => {
  const api = new FakeKubeApi();
  let refused: number | undefined = 403;
  api.answer = () => (refused === undefined ? undefined : { status: refused, body: { message: `refused with ${refused}` } });
  await api.start();
  const clock = new VirtualClock();
  const access = directAccess(api.url);
  const reflector = new Reflector({ client: new KubeClient({ access, clock }), kind, read, clock, log: silentLog, random: () => 0.5, mayBeMissing: true });
  const stop = new AbortController();
  const work = reflector.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
    access.close();
    await api.stop();
  });
  await eventually(() => reflector.state.get().synced, "taken for missing");
  assert.deepEqual([reflector.state.get().connected, reflector.state.get().objects.size], [true, 0]);
  refused = 404;
  await clock.advance(20_000);
  assert.deepEqual([reflector.state.get().connected, reflector.state.get().objects.size], [true, 0]);
  refused = undefined;
  api.put("pods", pod("a"));
  await clock.until(() => reflector.state.get().objects.size === 1, "found", 1_000);
  refused = 403;
  api.endWatches();
  await clock.until(() => !reflector.state.get().connected, "hidden", 1_000);
  assert.equal(reflector.state.get().objects.size, 1, "what was seen stays");
  refused = 404;
  await clock.until(() => reflector.state.get().objects.size === 0, "gone", 1_000);
  assert.equal(reflector.state.get().connected, true);
});
