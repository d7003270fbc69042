/** Flow control: what a proxy does not read is not kept for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { acked, encode, mesh, start, useAds } from "../../test/support/ads-streams.ts";
import { resource } from "../../test/support/fake-proxy.ts";
import { eventually } from "../../test/support/real.ts";
import { createSnapshot, type Snapshot } from "./snapshot.ts";
import { typeUrls } from "./type-urls.ts";

const { cluster } = typeUrls;

test("a proxy that never reads costs no more with every change, and holds up nobody else", async (t) => {
  const { ads, connect } = await useAds(t);
  const large = (content: string): Snapshot => createSnapshot([resource(cluster, "web", [], content.repeat(500_000))]);
  ads.publish("node", large("a"));
  const deaf = connect();
  await deaf.write([encode({ nodeId: "node", typeUrl: cluster, subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: "" })]);
  await eventually(() => ads.status()[0]?.connected === true, "it is there");
  const { proxy } = start(connect, { nodeId: "other" });
  const before = process.memoryUsage().rss;
  for (let at = 0; at < 300; at += 1) {
    ads.publish("node", large(String.fromCharCode(97 + (at % 26))));
    assert.deepEqual(await acked(ads, ads.publish("other", mesh(String(at))), "other"), { kind: "acked" });
  }
  const grown = (process.memoryUsage().rss - before) / 1e6;
  // Kept, they would be 300 MB: each once as it is and once framed.
  assert.ok(grown < 150, `${grown} MB more for 300 changes of 0.5 MB`);
  assert.deepEqual(proxy.faults, []);
  assert.deepEqual(await ads.waitAcked("node", 300, AbortSignal.timeout(20)), { kind: "pending", connected: true });
});
