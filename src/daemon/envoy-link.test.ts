import assert from "node:assert/strict";
import { test } from "node:test";
import { service } from "../../test/support/declared.ts";
import { silentLog } from "../../test/support/real.ts";
import { Cell } from "../lib/cell.ts";
import { appKey, type VersionKey, type VersionName, versionKey } from "../model/names.ts";
import type { World } from "../model/world.ts";
import type { AckOutcome, AdsServer } from "../xds/server.ts";
import type { Snapshot } from "../xds/snapshot.ts";
import { typeUrls } from "../xds/type-urls.ts";
import { EnvoyLink, type EnvoyState, knowledgeOf } from "./envoy-link.ts";

const web = service("web");
const key: VersionKey = versionKey(web.namespace, web.app, web.version);

function world(revision: number, ids: readonly string[]): World {
  const app = {
    namespace: web.namespace,
    name: web.app,
    versions: new Map([[web.version, web]]),
    weights: new Map([[web.version, 10_000] as [VersionName, number]]),
  };
  const captures = ids.map((id) => ({
    workload: id,
    namespace: web.namespace,
    app: web.app,
    version: web.version,
    networkNamespace: `/ns/${id}`,
    address: `100.64.0.${id.length}`,
    port: 15_001,
    egress: false,
  }));
  return {
    revision,
    apps: new Map([[appKey(web.namespace, web.app), app]]),
    routers: new Map(),
    serviceRoutes: new Map(),
    externals: new Map(),
    endpoints: new Map([[key, ids.map((id) => ({ id, address: `100.64.0.${id.length}`, ready: true }))]]),
    captures,
    addresses: new Map([["default/web", "100.100.0.2"]]),
    gateway: { address: "127.0.0.1", port: 8080, socketDir: "/run/weir", domain: "localhost" },
  };
}

/** A discovery server whose proxies say what the test wants. */
class FakeAds implements Pick<AdsServer, "publish" | "waitAcked" | "changes"> {
  readonly changes = new Cell(0);
  readonly published = new Map<string, Snapshot[]>();
  readonly #acked = new Cell<ReadonlyMap<string, { readonly revision: number; readonly outcome: AckOutcome }>>(new Map());

  publish(node: string, snapshot: Snapshot): number {
    const all = this.published.get(node) ?? [];
    this.published.set(node, [...all, snapshot]);
    return all.length + 1;
  }
  ack(node: string, revision: number, outcome: AckOutcome = { kind: "acked" }): void {
    this.#acked.update((before) => new Map([...before, [node, { revision, outcome }]]));
    this.changes.update((count) => count + 1);
  }
  async waitAcked(node: string, revision: number, signal: AbortSignal): Promise<AckOutcome> {
    for await (const acked of this.#acked.watch(signal)) {
      const known = acked.get(node);
      if (known !== undefined && known.revision >= revision) return known.outcome;
    }
    return { kind: "pending", connected: false };
  }
}

async function started(work: (link: EnvoyLink, ads: FakeAds) => Promise<void>): Promise<void> {
  const ads = new FakeAds();
  const link = new EnvoyLink(ads as unknown as AdsServer, silentLog);
  const stop = new AbortController();
  const running = link.start(stop.signal);
  try {
    await work(link, ads);
  } finally {
    stop.abort();
    await running;
  }
}
async function until(link: EnvoyLink, holds: (state: EnvoyState) => boolean): Promise<EnvoyState> {
  for await (const state of link.state.watch(AbortSignal.timeout(8_000))) if (holds(state)) return state;
  throw new Error("never");
}
const known = (link: EnvoyLink) => {
  const { has, mayHave, mayCapture } = knowledgeOf(link.state.get(), ["a", "b", "x"]);
  return [has, mayHave, mayCapture].map((ids) => [...ids].toSorted().join(""));
};

test("what Envoy has, and what it may still have, from publishing to acknowledgement", async () => {
  await started(async (link, ads) => {
    assert.deepEqual(known(link), ["", "abx", "abx"], "before its first word it may have anything");
    link.publish(world(1, ["a"]));
    ads.ack("gateway", 9);
    ads.ack("node", 1);
    await until(link, (state) => state.ackedRevision === 1);
    assert.deepEqual(known(link), ["a", "a", "a"]);
    link.publish(world(2, ["a", "b"]));
    assert.deepEqual(known(link), ["a", "ab", "ab"], "b was sent, a is sure");
    link.publish(world(3, ["b"]));
    assert.deepEqual(known(link), ["", "ab", "ab"], "a was taken back, b is not sure yet");
    ads.ack("node", 3);
    await until(link, (state) => state.ackedRevision === 3);
    assert.deepEqual(known(link), ["b", "b", "b"]);
  });
});

test("a World counts as acknowledged when both proxies have their part", async () => {
  await started(async (link, ads) => {
    link.publish(world(1, ["a"]));
    ads.ack("node", 1);
    const state = await until(link, (now) => now.node?.world.revision === 1);
    assert.equal(state.ackedRevision, 0, "the gateway has not answered");
    ads.ack("gateway", 1);
    await until(link, (now) => now.ackedRevision === 1);
  });
});

test("a refused route is told, and holds nothing up; refused endpoints do", async () => {
  await started(async (link, ads) => {
    const refuse = (typeUrl: string): AckOutcome => {
      const rejected = [{ name: "mesh", version: "v", message: "no", at: 5 }];
      return { kind: "rejected", types: new Map([[typeUrl, { sentVersion: "2", ackedVersion: "1", rejected, heldBack: [] }]]) };
    };
    ads.ack("gateway", 9);
    link.publish(world(1, ["a"]));
    ads.ack("node", 1, refuse(typeUrls.route));
    const state = await until(link, (now) => now.ackedRevision === 1);
    assert.deepEqual(state.refusals, [{ proxy: "node", name: "mesh", message: "no", at: 5 }]);
    assert.equal(known(link)[0], "a");
    link.publish(world(2, ["b"]));
    ads.ack("node", 2, refuse(typeUrls.endpoints));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(known(link).slice(0, 2), ["", "ab"], "it may still send to a");
    ads.ack("node", 2);
    const mended = await until(link, (now) => now.ackedRevision === 2);
    assert.deepEqual(mended.refusals, []);
    assert.equal(known(link)[0], "b");
  });
});

test("what did not change is encoded once and shared between snapshots", async () => {
  await started(async (link, ads) => {
    link.publish(world(1, ["a"]));
    link.publish(world(2, ["a", "b"]));
    const [first, second] = ads.published.get("node") ?? [];
    assert.ok(first && second);
    assert.equal(second.types.get(typeUrls.cluster), first.types.get(typeUrls.cluster), "clusters are the same");
    assert.notEqual(second.types.get(typeUrls.endpoints)?.version, first.types.get(typeUrls.endpoints)?.version);
  });
});
