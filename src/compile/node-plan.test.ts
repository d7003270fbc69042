/** What the proxy of a node does: whom it calls in plaintext, whom by mutual TLS and as whom; and that what says the same is the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { identityOf, meshOf, pinnedPod, planWith, replicas } from "../../test/support/node-mesh.ts";
import { runs } from "../../test/support/runs.ts";
import { port, service } from "../../test/support/stacks.ts";
import { compileNode, type NodePlan } from "./node-plan.ts";

const services = [service("web"), service("cart", { ports: [port("80:8080/http"), port("81:8081/http2")] }), service("db", { ports: [port("5432/tcp")] })];
const here = pinnedPod("web-1", "a", "10.1.0.1");
const beside = pinnedPod("cart-1", "a", "10.1.0.2");
const there = pinnedPod("cart-2", "b", "10.2.0.1");
const mesh = meshOf([here, beside, there]);
const places = [replicas("cart", [{ address: "10.1.0.2" }, { address: "10.2.0.1" }, { address: "10.2.0.99" }])];
const plan = planWith(services, places);

function endpointsOf(node: NodePlan, backend: string): readonly string[] {
  const found = node.backends.find((one) => one.backend.id === backend) ?? assert.fail(backend);
  return found.endpoints.map(({ address, port: number, peer }) => `${address}:${number} ${peer ?? "plain"}`);
}

test("on the node plaintext, elsewhere in the mesh mutual TLS as who is there, outside of the mesh plaintext", () => {
  const cart = identityOf("cart");
  assert.deepEqual(endpointsOf(compileNode(plan, mesh, "a"), "cart@v1.default:80"), ["10.1.0.2:8080 plain", `10.2.0.1:8080 ${cart}`, "10.2.0.99:8080 plain"]);
  assert.deepEqual(endpointsOf(compileNode(plan, mesh, "b"), "cart@v1.default:80"), [`10.1.0.2:8080 ${cart}`, "10.2.0.1:8080 plain", "10.2.0.99:8080 plain"]);
});

test("a pod that has not joined is called in plaintext, though its node has a hold on it", () => {
  const { joined, ...rest } = mesh;
  const early = { ...rest, joined: new Map([...joined].filter(([address]) => address !== there.address)) };
  const node = compileNode(plan, early, "a");
  assert.deepEqual(endpointsOf(node, "cart@v1.default:80")[1], "10.2.0.1:8080 plain");
  assert.deepEqual(node.remote, []);
  assert.deepEqual(
    node.backends.flatMap(({ peers }) => peers),
    [],
  );
});

test("who may answer is said once each, of what is elsewhere", () => {
  const others = meshOf([here, beside, there, pinnedPod("cart-3", "c", "10.3.0.1"), pinnedPod("odd-1", "c", "10.3.0.2")]);
  const wide = planWith(services, [
    replicas(
      "cart",
      ["10.1.0.2", "10.3.0.2", "10.3.0.1", "10.2.0.1"].map((address) => ({ address })),
    ),
  ]);
  const { backends, remote } = compileNode(wide, others, "a");
  assert.deepEqual(backends.find(({ backend }) => backend.id === "cart@v1.default:81")?.peers, [identityOf("cart"), identityOf("odd")]);
  assert.deepEqual(backends.find(({ backend }) => backend.app === "db")?.peers, []);
  assert.deepEqual(
    remote.map(({ address }) => address),
    ["10.2.0.1", "10.3.0.1", "10.3.0.2"],
  );
});

test("where a replica says its ports, each port is where it says; one without the port is left out", () => {
  const named = planWith(services, [
    replicas("cart", [
      { address: "10.1.0.2", ports: new Map([[80, 9090]]) },
      {
        address: "10.2.0.1",
        ports: new Map([
          [80, 7070],
          [81, 7171],
        ]),
      },
    ]),
  ]);
  const node = compileNode(named, mesh, "a");
  assert.deepEqual(endpointsOf(node, "cart@v1.default:80"), ["10.1.0.2:9090 plain", `10.2.0.1:7070 ${identityOf("cart")}`]);
  assert.deepEqual(endpointsOf(node, "cart@v1.default:81"), [`10.2.0.1:7171 ${identityOf("cart")}`]);
});

test("a node without pods, and a mesh without pods", () => {
  const empty = compileNode(plan, mesh, "nobody");
  assert.deepEqual(empty.pods, []);
  assert.equal(empty.remote.length, 3);
  assert.deepEqual(compileNode(plan, meshOf([]), "a").remote, []);
});

test("what says the same is the same object", () => {
  const before = compileNode(plan, mesh, "a");
  const after = compileNode(plan, { ...mesh, joined: new Map(mesh.joined) }, "a", before);
  for (const part of ["hosts", "backends", "pods", "remote"] as const) assert.equal(after[part], before[part], part);

  const moved = planWith(services, [replicas("cart", [{ address: "10.1.0.2" }])]);
  const less = compileNode({ ...plan, endpoints: moved.endpoints }, mesh, "a", before);
  const changed = less.backends.filter((one) => !before.backends.includes(one)).map(({ backend }) => backend.app);
  assert.deepEqual(new Set(changed), new Set(["cart"]));
  assert.equal(less.remote, before.remote);
});

/** A list with a random order of it. */
function shuffled<Value>(list: readonly Value[]): fc.Arbitrary<readonly Value[]> {
  return fc.shuffledSubarray([...list], { minLength: list.length });
}

const crowd = ["a", "b", "c"].flatMap((node, at) => [1, 2, 3].map((n) => pinnedPod(`${["web", "cart", "db"][n - 1]}-${node}`, node, `10.${at}.0.${n}`)));
const crowdPlaces = crowd.map(({ address }) => ({ address }));

test("for any order of pods and endpoints: an equal plan, and the very same lists beside the one before", () => {
  const first = compileNode(planWith(services, [replicas("cart", crowdPlaces)]), meshOf(crowd), "a");
  fc.assert(
    fc.property(shuffled(crowd), shuffled(crowdPlaces), (pods, endpoints) => {
      const again = compileNode(planWith(services, [replicas("cart", endpoints)]), meshOf(pods), "a");
      assert.deepEqual(again, first);
      const next = compileNode(
        { ...planWith(services, [replicas("cart", endpoints)]), backends: first.backends.map(({ backend }) => backend) },
        meshOf(pods),
        "a",
        first,
      );
      for (const part of ["backends", "pods", "remote"] as const) assert.equal(next[part], first[part], part);
    }),
    { numRuns: runs(50) },
  );
});
