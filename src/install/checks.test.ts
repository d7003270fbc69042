import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshReport, SystemReport } from "../model/mesh-report.ts";
import { type ClusterFacts, clusterChecks, type Sight } from "./checks.ts";
import { definedKinds, definitionObjects } from "./crds.ts";
import { missingFields } from "./difference.ts";

const now = Date.UTC(2027, 0, 1);
const day = 86_400_000;
const seen = <T>(value: T): Sight<T> => ({ kind: "seen", value });
const hidden = { kind: "hidden", reason: "alice may not" } as const;

const system: SystemReport = {
  leader: "weir-control-a",
  authority: { plugIn: false, rotation: "stable", notAfter: now + 90 * day, rootNotAfter: now + 3_000 * day },
  nodes: [
    { name: "one", agent: "connected", proxy: "connected", envoy: "1.40.0", guard: "active", pods: 2 },
    { name: "two", agent: "connected", proxy: "connected", envoy: "1.40.0", guard: "absent", reason: "NRI: no socket", pods: 0 },
  ],
  permissive: [],
  waiting: [],
  problems: [],
};
const own: MeshReport = { version: "1.0.0", trustDomain: "weir.local", joins: true, mode: "strict", pods: [], authorities: [] };
const podOn = (node: string) => ({ name: `weir-node-${node}`, node, ready: true, ending: false, restarts: 0, reason: "", annotations: {}, labels: {} });
const healthy: ClusterFacts = {
  server: "https://cluster.example",
  serverVersion: "v1.37.2",
  version: "1.0.0",
  namespace: "shop",
  installed: seen("1.0.0"),
  missingKinds: [],
  otherDefinitions: seen([]),
  control: seen({ name: "weir-control", ready: 2, wanted: 2, done: true }),
  agents: seen({ name: "weir-node", ready: 2, wanted: 2, done: true }),
  pods: seen([podOn("one"), podOn("two")]),
  leader: seen("weir-control-a_1234"),
  nodes: seen(["one", "two"]),
  system: seen(system),
  own: seen(own),
  commands: seen({ may: ["ps"], mayNot: [] }),
  validation: seen("refuses"),
};

function failures(more: Partial<ClusterFacts>): readonly string[] {
  return clusterChecks({ ...healthy, ...more }, now).flatMap(({ name, ok, detail, fix }) => (ok ? [] : [`${name}: ${detail} → ${fix ?? "?"}`]));
}

test("all is well", () => {
  const checks = clusterChecks(healthy, now);
  assert.deepEqual(
    checks.filter(({ ok }) => !ok),
    [],
  );
  const text = checks.map(({ name, detail }) => `${name}: ${detail}`).join("\n");
  assert.match(text, /control plane: 2 of 2 ready, weir-control-a leads/);
  assert.match(text, /node one: agent ready, Envoy 1\.40\.0, 2 pods of the mesh; pods are captured before they start/);
  assert.match(text, /node two: .*moments after they start \(NRI: no socket\)/);
  assert.match(text, /mesh: 2 of 2 pods joined/);
});

test("each fault is one line with what to do", () => {
  const cases: readonly (readonly [Partial<ClusterFacts>, RegExp])[] = [
    [{ serverVersion: "v1.30.1" }, /^api server: .*older than 1\.35/],
    [{ installed: seen("0.9.0") }, /^weir: version 0\.9\.0 is installed, this program is 1\.0\.0 → .*weir install/],
    [{ missingKinds: ["routers"] }, /^definitions: .*routers/],
    [{ otherDefinitions: seen(["apps.weir.dev"]) }, /^definitions: apps\.weir\.dev/],
    [{ control: { kind: "absent" } }, /^control plane: there is none/],
    [{ leader: seen("") }, /^control plane: .*nobody leads/],
    [{ agents: { kind: "absent" } }, /^nodes: there are no node agents/],
    [{ pods: seen([podOn("one")]) }, /^node two: no agent runs there/],
    [{ pods: seen([podOn("one"), { ...podOn("two"), ready: false, reason: "ImagePullBackOff" }]) }, /^node two: .*not ready: ImagePullBackOff/],
    [{ system: seen({ ...system, nodes: [{ ...system.nodes[0], agent: "away" } as never, system.nodes[1] as never] }) }, /^node one: its agent does not talk/],
    [
      { system: seen({ ...system, nodes: [{ ...system.nodes[0], refused: "web: bad" } as never, system.nodes[1] as never] }) },
      /^node one: Envoy refused a change.*web: bad/,
    ],
    [{ system: seen({ ...system, authority: { ...system.authority, notAfter: now - 1 } }) }, /^authority: .*no new certificate is signed/],
    [{ system: seen({ ...system, authority: { ...system.authority, plugIn: true, notAfter: now + 20 * day } }) }, /^authority: yours; .*soon → .*--ca-dir/],
    [
      { system: seen({ ...system, authority: { ...system.authority, refused: "ca-key-mismatch: not its key" } }) },
      /^authority: .*not taken: ca-key-mismatch: not its key → give one that is: weir install --ca-dir DIR/,
    ],
    [{ system: seen({ ...system, waiting: [{ pod: "shop/web-0", reason: "nft says no" }] }) }, /^mesh: 1 of 2 pods did not join: shop\/web-0: nft says no/],
    [{ system: seen({ ...system, problems: ["a label"] }) }, /^objects: a label/],
    [{ validation: seen("accepts") }, /^validation: the API server does not ask/],
  ];
  for (const [more, wanted] of cases) {
    const found = failures(more);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", wanted);
  }
});

test("what somebody wanted is told, and no failure", () => {
  const checks = clusterChecks(
    { ...healthy, system: seen({ ...system, permissive: ["shop", "team/web-0"] }), commands: seen({ may: ["ps"], mayNot: ["up", "rm, down"] }) },
    now,
  );
  assert.ok(checks.every(({ ok }) => ok));
  assert.match(checks.find(({ name }) => name === "plain text")?.detail ?? "", /permissive.*shop, team\/web-0/);
  assert.match(checks.find(({ name }) => name === "your rights")?.detail ?? "", /in shop you may not: up, rm, down; you may: ps/);
});

test("whoever may see one namespace only hears of that, and of what is hidden that it is", () => {
  const late = {
    uid: "1",
    name: "web-0",
    node: "one",
    app: "web",
    serviceAccount: "web",
    identity: "",
    mode: "permissive",
    state: "joining",
    reason: "it has no IPv4 address yet",
  } as const;
  const facts = {
    ...healthy,
    installed: hidden,
    otherDefinitions: hidden,
    control: hidden,
    agents: hidden,
    pods: hidden,
    leader: hidden,
    nodes: hidden,
    system: hidden,
  };
  const checks = clusterChecks({ ...facts, own: seen({ ...own, pods: [late] }) }, now);
  const text = checks.map(({ name, ok, unseen, detail }) => `${unseen === true ? "?" : ok ? "ok" : "FAIL"} ${name}: ${detail}`);
  assert.deepEqual(
    text.filter((line) => line.startsWith("?")).map((line) => line.split(":")[0]),
    ["? control plane", "? nodes", "? authority"],
  );
  assert.ok(text.includes("FAIL mesh: 1 of 1 pods in shop did not join: web-0: it has no IPv4 address yet"), text.join("\n"));
  assert.ok(text.includes("ok weir: version 1.0.0, as this program"), "the report of the namespace says it, too");
  assert.ok(
    clusterChecks({ ...facts, own: hidden }, now).every(({ ok }) => ok),
    "to see nothing is no failure",
  );
});

test("a cluster without Weir is one failure, with the one thing to do", () => {
  assert.deepEqual(failures({ missingKinds: [...definedKinds.map(({ resource }) => resource), "meshreports"], installed: { kind: "absent" } }), [
    "weir: it is not on this cluster → weir install --wait",
  ]);
});

test("a definition on the cluster may have more than we say (defaults), and nothing less or else", () => {
  const [wanted] = definitionObjects();
  const spec = wanted?.["spec"] as { readonly names: object };
  assert.deepEqual(missingFields({ ...spec, conversion: { strategy: "None" } }, spec), []);
  assert.deepEqual(missingFields({ ...spec, scope: "Cluster" }, spec), ["scope"]);
  assert.deepEqual(missingFields({ ...spec, names: { ...spec.names, shortNames: [] } }, spec), ["names.shortNames[0]"]);
});
