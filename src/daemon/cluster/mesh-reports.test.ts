import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { NodeReport } from "../../agent/cluster/contract.ts";
import { certificatesOf } from "../../agent/cluster/whole-report.ts";
import { bundlePem } from "../../identity/bundle.ts";
import { openCertificateAuthority } from "../../identity/certificate-authority.ts";
import { createKeyPair } from "../../identity/keys.ts";
import { createRequest, verifyRequest } from "../../identity/request.ts";
import { defaultTrustDomain, type SpiffeId } from "../../model/spiffe.ts";
import { meshReportObject, readMeshReport } from "../../providers/kubernetes/mesh-report-object.ts";
import type { KubeNode } from "../../providers/kubernetes/objects.ts";
import type { MeshPod } from "../../providers/kubernetes/translate-pods.ts";
import { type MeshFacts, meshReports } from "./mesh-reports.ts";

const web = "spiffe://weir.local/ns/shop/sa/web" as SpiffeId;
const clock = new VirtualClock();
const authority = await openCertificateAuthority({
  clock,
  trustDomain: defaultTrustDomain,
  store: { load: async () => undefined, save: async () => undefined },
});

async function held(): Promise<Pick<NodeReport, "certificates" | "authorities">> {
  const pair = await createKeyPair();
  const spki = await verifyRequest(await createRequest(pair));
  assert.ok(spki.ok);
  const [svid] = await authority.issue("one", [{ id: web, spki: spki.value }]);
  assert.ok(svid !== undefined);
  return certificatesOf({ revision: 1, svids: new Map([[web, { ...svid, key: pair.privatePem }]]), bundle: authority.bundle.get() });
}

const pod = (name: string, more: Partial<MeshPod> = {}): MeshPod => ({
  uid: `uid-${name}`,
  namespace: "shop",
  name,
  node: "one",
  address: "10.1.0.1",
  serviceAccount: "web",
  app: "web",
  mode: "strict",
  probePorts: [],
  ready: true,
  terminating: false,
  ...more,
});
const node = (name: string): KubeNode => ({
  kind: "Node",
  uid: name,
  name,
  namespace: "",
  labels: {},
  annotations: {},
  terminating: false,
  addresses: [],
  podRanges: [],
  ready: true,
});

async function someFacts(more: Partial<MeshFacts> = {}): Promise<MeshFacts> {
  const report: NodeReport = {
    node: "one",
    generation: 1,
    pods: [{ uid: "uid-web-2", phase: "failed", reason: "nft says no" }],
    guard: { state: "absent", reason: "NRI: no socket" },
    envoy: { phase: "running", version: "1.40.0" },
    ...(await held()),
  };
  const joined = { pod: { ...pod("web-1"), namespace: "shop", identity: web } as never, stage: "joined", since: 1 } as const;
  return {
    pods: new Map([pod("web-1"), pod("web-2", { mode: "permissive" })].map((one) => [one.uid, one])),
    members: new Map([["uid-web-1", joined]]),
    meshNamespaces: ["empty", "shop"],
    modes: new Map([["empty", "permissive"]]),
    problems: [{ code: "kube-mesh-label", message: 'namespace x: weir.dev/mesh is "yes"', hint: 'it can be "on" or "off"' }],
    nodes: new Map([node("one"), node("two")].map((one) => [one.name, one])),
    reports: new Map([["one", report]]),
    connected: new Set(["one"]),
    proxies: new Map([["one", { connected: true, refusal: "web: bad regex" }]]),
    ...more,
  };
}

const context = {
  version: "1.2.3",
  trustDomain: defaultTrustDomain,
  namespace: "weir-system",
  leader: "weir-control-1",
  authority: authority.state.get(),
  refused: "",
};

test("each namespace is told of its own pods only: who they are, whether they joined, and what their node holds", async () => {
  const facts = await someFacts();
  const reports = meshReports(facts, context);
  assert.deepEqual([...reports.keys()], ["empty", "shop", "weir-system"]);
  const shop = reports.get("shop");
  const [one, two] = shop?.pods ?? [];
  assert.deepEqual([one?.name, one?.identity, one?.state, one?.reason], ["web-1", web, "joined", undefined]);
  assert.deepEqual([two?.name, two?.state, two?.reason, two?.mode], ["web-2", "joining", "nft says no", "permissive"]);
  const [known] = facts.reports.get("one")?.certificates ?? [];
  assert.equal(one?.certificate?.serial, known?.serial);
  assert.equal(shop?.authorities.length, 2, "intermediate and root");
  assert.equal(shop?.system, undefined);
  assert.deepEqual(reports.get("empty")?.pods, []);
  assert.equal(reports.get("empty")?.mode, "permissive");
});

test("our own namespace has what concerns all: nodes, the authority, who takes plain text, who is not in", async () => {
  const system = meshReports(await someFacts(), context).get("weir-system")?.system;
  assert.deepEqual(system?.nodes, [
    { name: "one", agent: "connected", proxy: "connected", envoy: "1.40.0", refused: "web: bad regex", guard: "absent", reason: "NRI: no socket", pods: 2 },
    { name: "two", agent: "unknown", proxy: "away", guard: "unknown", pods: 0 },
  ]);
  assert.deepEqual(system?.permissive, ["shop/web-2"], "a namespace without pods takes nothing");
  assert.deepEqual(system?.waiting, [{ pod: "shop/web-2", reason: "nft says no" }]);
  assert.deepEqual(system?.problems, ['namespace x: weir.dev/mesh is "yes" (it can be "on" or "off")']);
  assert.deepEqual([system?.authority.rotation, system?.authority.plugIn], ["stable", false]);
});

test("why a pod is not in: what its node says, else where it stands", async () => {
  const reasonOf = async (more: Partial<MeshFacts>): Promise<string | undefined> =>
    meshReports(await someFacts({ members: new Map(), ...more }), context)
      .get("shop")
      ?.pods.find(({ name }) => name === "web-1")?.reason;
  assert.equal(await reasonOf({ pods: new Map([["uid-web-1", pod("web-1", { address: undefined as never })]]) }), "it has no IPv4 address yet");
  assert.match((await reasonOf({ connected: new Set() })) ?? "", /agent of its node one is not heard of/);
  assert.match((await reasonOf({ reports: new Map() })) ?? "", /agent of its node one is not heard of/);
});

test("no report holds a key, and what is written is read back as it was", async () => {
  const reports = meshReports(await someFacts(), { ...context, refused: "not its key" });
  assert.equal(reports.get("weir-system")?.system?.authority.refused, "not its key");
  const text = JSON.stringify([...reports].map(([namespace, report]) => meshReportObject(namespace, report)));
  assert.doesNotMatch(text, /PRIVATE|BEGIN/);
  assert.ok(!text.includes(bundlePem(authority.bundle.get()).slice(30, 60)));
  for (const [namespace, report] of reports) assert.deepEqual(readMeshReport(JSON.parse(JSON.stringify(meshReportObject(namespace, report)))), report);
});
