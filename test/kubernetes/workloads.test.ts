/**
 * What is declared on a real cluster, by kubectl alone: versions run, callers get them by weight, every change of them loses no request, and what is deleted
 * or edited by hand is as declared. WEIR_LOAD_COUNT (default 1 500) bounds every load under which something changes, WEIR_LOAD_RATE (100) is how many requests
 * go in a second; WEIR_SHARE_COUNT (default 5 000) is how many requests shares are counted over.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { conformanceModule } from "../cluster/build.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { run } from "../cluster/run.ts";
import { startTestCluster, tryKubectl } from "./support/cluster.ts";
import { eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { pod } from "./support/objects.ts";

const usual = Number(process.env["WEIR_LOAD_COUNT"] ?? 1_500);
const shareCount = Number(process.env["WEIR_SHARE_COUNT"] ?? 5_000);
const rate = Number(process.env["WEIR_LOAD_RATE"] ?? 100);
const namespace = ["-n", "shop"];

let cluster: Cluster;
let mesh: Mesh;

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    const crds = path.join(await conformanceModule("sigs.k8s.io/gateway-api"), "config/crd/standard");
    await cluster.kubectl(["apply", "--server-side", "-f", crds]);
    await cluster.kubectl(["create", "namespace", "shop"]);
    await eventually(() => cluster.kubectl([...namespace, "get", "serviceaccount", "default"]));
    const caller = pod("caller", "node-1", { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"], labels: { "weir.dev/mesh": "on" } });
    await apply(caller, version("v1", { scale: 2 }), version("v2"), app({ v1: 9_000, v2: 1_000 }));
    await cluster.kubectl([...namespace, "wait", "--for=condition=Ready", "--timeout=120s", "pod/caller"]);
    await untilReady("v1", "v2");
  },
  { timeout: 600_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

const declared = (kind: string, name: string, spec: object): object => ({
  apiVersion: "weir.dev/v1alpha1",
  kind,
  metadata: { name, namespace: "shop" },
  spec,
});

/** The echo of the system tests, as a version of `web`. */
function version(name: string, more: object = {}): object {
  const ports = [{ port: 80, containerPort: 8080, protocol: "http" }];
  const common = { app: "web", version: name, image: "weir-test/node:1", command: ["/bin/node", "/apps/echo.mjs"], ports, drainMs: 5_000, graceMs: 5_000 };
  return declared("Version", `web-${name}`, { ...common, ...more });
}

function app(weights: Readonly<Record<string, number>>, more: object = {}): object {
  return declared("App", "web", { weights, ...more });
}

async function apply(...objects: readonly object[]): Promise<void> {
  const all = objects.map((object) => ({ ...object, metadata: { namespace: "shop", ...(object as { readonly metadata: object }).metadata } }));
  await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: all }));
}

async function field(what: string, at: string): Promise<string> {
  return cluster.kubectl([...namespace, "get", ...what.split(" "), "-o", `jsonpath=${at}`]);
}

/** `STATE READY/WANTED` of a version. */
async function stateOf(name: string): Promise<string> {
  return field(`versions.weir.dev web-${name}`, "{.status.state} {.status.ready}/{.status.wanted}");
}

async function untilReady(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await eventually(async () => {
      const at = "{.metadata.generation} {.status.observedGeneration} {.status.state}";
      const [generation, observed, state] = (await field(`versions.weir.dev web-${name}`, at)).split(" ");
      assert.deepEqual([observed, state], [generation, "ready"]);
    }, 180_000);
  }
}

/** Until what the App says is true in every Envoy. */
async function untilProgrammed(): Promise<void> {
  await eventually(async () => {
    const at = "{.metadata.generation} {.status.observedGeneration} {.status.programmed}";
    const [generation, observed, programmed] = (await field("apps.weir.dev web", at)).split(" ");
    assert.deepEqual([observed, programmed], [generation, "true"]);
  }, 120_000);
}

/** Requests from the pod `caller` to the address of a name: its DNS, on a busy machine, is not what is counted. */
async function load(url: string, count: number, more: object = {}): Promise<Load> {
  const connect = await field(`service ${new URL(url).hostname}`, "{.spec.clusterIP}");
  const options = JSON.stringify({ url, connect, rate, count, fresh: 0.33, timeoutMs: 60_000, ...more });
  const words = ["kubectl", ...namespace, "exec", "caller", "--", "/bin/node", "/apps/load.mjs", options];
  // On a machine that does much else, many requests take their time; none of them may fail for it.
  return JSON.parse(await run(words, { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 900_000 })) as Load;
}

/** Requests to `web` until `work` is done and as many as usual were sent; none may fail. */
async function underLoad(t: TestContext, work: () => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const loads = async (): Promise<number> => {
    const result = await load("http://web/", usual);
    assert.deepEqual(result.failures, []);
    return result.ok + (ended.signal.aborted ? 0 : await loads());
  };
  const [ok] = await Promise.all([loads(), work().finally(() => ended.abort())]);
  t.diagnostic(`${ok} requests, 0 failed`);
}

test("versions answer by their app's weights, and each by its own name", { timeout: 1_200_000 }, async (t) => {
  await untilProgrammed();
  assert.deepEqual(JSON.parse(await field("apps.weir.dev web", "{.status.weights}")), { v1: 9_000, v2: 1_000 });
  const { versions, failures } = await load("http://web/", shareCount, { rate: 200 });
  assert.deepEqual(failures, []);
  const share = (versions["v2"] ?? 0) / shareCount;
  t.diagnostic(`v2 got ${(share * 100).toFixed(2)} % of ${shareCount}`);
  assert.ok(Math.abs(share - 0.1) <= 0.015, `${share} of the requests went to v2`);
  assert.deepEqual((await load("http://web-v2/", 200)).versions, { v2: 200 });
  assert.deepEqual((await load("http://web-v1/", 200)).versions, { v1: 200 });
  const byName = { connect: "web-v2.shop.svc.cluster.local.", fresh: 0, rate: 1 };
  await eventually(async () => assert.deepEqual((await load("http://web-v2/", 1, byName)).versions, { v2: 1 }));
  assert.equal(
    await field("versions.weir.dev web-v2", "{.status.state} {.status.weight} {.status.conditions[0].type}={.status.conditions[0].status}"),
    "ready 1000 Ready=True",
  );
});

test("pods have their app's identity, a hash, and nothing of the API", { timeout: 240_000 }, async () => {
  const labels = "{.items[0].metadata.labels.weir\\.dev/hash} {.items[0].spec.serviceAccountName} {.items[0].spec.automountServiceAccountToken}";
  const hash = await field("versions.weir.dev web-v1", "{.status.hash}");
  assert.equal(await field("pods -l weir.dev/version=v1", labels), `${hash} web false`);
});

test("weights change, go over time, are promoted and taken back, and no request fails", { timeout: 1_200_000 }, async (t) => {
  await underLoad(t, async () => {
    const startedAt = Date.now();
    await apply(app({ v1: 5_000, v2: 5_000 }));
    await untilProgrammed();
    t.diagnostic(`true in every Envoy, and told, after ${Date.now() - startedAt} ms`);
    await apply(app({ v1: 0, v2: 10_000 }, { rollout: { from: { v1: 5_000, v2: 5_000 }, startedAt: Date.now(), durationMs: 5_000 } }));
    await untilProgrammed();
    assert.ok(Date.now() - startedAt >= 5_000, "it took its time");
    assert.deepEqual((await load("http://web/", 100)).versions, { v2: 100 });
    await apply(app({ v1: 10_000, v2: 0 }));
    await untilProgrammed();
    assert.deepEqual((await load("http://web/", 100)).versions, { v1: 100 });
  });
  await apply(app({ v1: 9_000, v2: 1_000 }));
});

test("a version is scaled to 5 and back to 1, and no request fails", { timeout: 1_200_000 }, async (t) => {
  await underLoad(t, async () => {
    await apply(version("v1", { scale: 5 }));
    await untilReady("v1");
    assert.equal(await stateOf("v1"), "ready 5/5");
    await apply(version("v1", { scale: 1 }));
    await untilReady("v1");
    await eventually(async () => assert.equal((await field("pods -l weir.dev/version=v1", "{.items[*].metadata.name}")).split(" ").length, 1), 120_000);
  });
  await apply(version("v1", { scale: 2 }));
  await untilReady("v1");
});

test("restarted, and by new contents of a config, a version's pods are replaced, and no request fails", { timeout: 1_200_000 }, async (t) => {
  const staying = async (): Promise<readonly string[]> =>
    (await field("pods -l weir.dev/version=v1", '{range .items[*]}{.metadata.uid}={.metadata.deletionTimestamp}{" "}{end}'))
      .trim()
      .split(" ")
      .filter((pod) => pod.endsWith("="));
  const before = await staying();
  const config = (level: string): object => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", labels: { "weir.dev/kind": "config" } },
    data: { level },
  });
  const uses = { scale: 2, restarts: 1, env: { LEVEL: { kind: "config", name: "settings", key: "level" } } };
  await apply(config("one"));
  await underLoad(t, async () => {
    await apply(version("v1", uses));
    await untilReady("v1");
    const hash = await field("versions.weir.dev web-v1", "{.status.hash}");
    const after = await staying();
    assert.deepEqual([after.length, after.filter((pod) => before.includes(pod))], [2, []], "the others end");
    await apply(config("two"));
    await eventually(async () => assert.notEqual(await field("versions.weir.dev web-v1", "{.status.hash}"), hash));
    await untilReady("v1");
  });
  await apply(version("v1", { scale: 2 }));
  await untilReady("v1");
});

test("an edit by hand is put back; a deleted Service comes again", { timeout: 180_000 }, async () => {
  await cluster.kubectl([...namespace, "scale", "deployment/web-v2", "--replicas=3"]);
  await eventually(async () => assert.equal(await field("deployment web-v2", "{.spec.replicas}"), "1"));
  await cluster.kubectl([...namespace, "delete", "service", "web-v2"]);
  await eventually(async () => assert.deepEqual((await load("http://web-v2/", 10)).versions, { v2: 10 }));
});

test("an HTTPRoute at the app's Service comes before its weights, and can name versions", { timeout: 180_000 }, async () => {
  const parent = { group: "", kind: "Service", name: "web", port: 80 };
  const spec = { parentRefs: [parent], rules: [{ backendRefs: [{ name: "web-v2", port: 80 }] }] };
  await apply({ apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: { name: "web" }, spec });
  await eventually(async () => assert.deepEqual((await load("http://web/", 50)).versions, { v2: 50 }));
  await cluster.kubectl([...namespace, "delete", "httproute", "web"]);
  await eventually(async () => assert.ok(((await load("http://web/", 50)).versions["v1"] ?? 0) > 0));
});

test("routers and external services have addresses, and answer", { timeout: 180_000 }, async () => {
  const headers = { add: [], set: [], remove: [] };
  const to = (kind: string, name: string, more: object = {}): object => ({ to: { kind, namespace: "shop", name, ...more }, weight: 10_000 });
  const prefix = (value: string): object => ({ path: { kind: "prefix", value }, methods: [], headers: [], query: [], cookies: [] });
  const forward = (match: readonly object[], destination: object): object => ({
    match,
    action: { kind: "forward", destinations: [destination] },
    requestHeaders: headers,
    responseHeaders: headers,
  });
  // Outside is what the mesh knows nothing of: here the address of a version's pod, of one that is not on its way out.
  const host = await field("endpointslices -l kubernetes.io/service-name=web-v2", "{.items[0].endpoints[?(@.conditions.ready==true)].addresses[0]}");
  await apply(
    declared("ExternalService", "outside", { endpoints: [{ host, port: 8080 }], ports: [{ port: 80, containerPort: 80, protocol: "http" }] }),
    declared("Router", "www", {
      hosts: [],
      public: false,
      rules: [
        forward([prefix("/two")], to("version", "web", { version: "v2" })),
        forward([prefix("/out")], to("external", "outside")),
        forward([], to("app", "web")),
      ],
    }),
  );
  for (const what of ["routers.weir.dev www", "externalservices.weir.dev outside"])
    await eventually(async () => assert.equal(await field(what, "{.status.programmed}"), "true"));
  await eventually(async () => assert.deepEqual((await load("http://www/two", 20)).versions, { v2: 20 }));
  assert.equal((await load("http://www/", 20)).ok, 20);
  // A pod of a strict version takes plaintext from its own node only.
  const permissive = ["label", "pod", "-l", "weir.dev/version=v2", "weir.dev/mtls=permissive"];
  await cluster.kubectl([...namespace, ...permissive]);
  await eventually(async () => assert.deepEqual((await load("http://outside/", 20)).versions, { v2: 20 }));
  await eventually(async () => assert.deepEqual((await load("http://www/out", 20)).versions, { v2: 20 }));
  await cluster.kubectl([...namespace, "delete", "routers.weir.dev/www", "externalservices.weir.dev/outside"]);
  await eventually(async () => assert.equal((await tryKubectl(cluster.kubeconfig, [...namespace, "get", "service", "www"])).code, 1));
});

test("what cannot run says why, and takes nothing from others", { timeout: 300_000 }, async () => {
  const reasonOf = (name: string): Promise<string> => field(`versions.weir.dev ${name}`, "{.status.state}: {.status.reason}");
  await cluster.kubectl([...namespace, "create", "deployment", "mine-v1", "--image=weir-test/node:1", "--replicas=0"]);
  const of = (name: string, more: object): object => {
    const made = version("v1", { app: name, ...more }) as { readonly metadata: object };
    return { ...made, metadata: { name: `${name}-v1`, namespace: "shop" } };
  };
  await apply(
    of("mine", {}),
    of("lost", { image: "weir-test/lost:1" }),
    of("broken", { command: ["/bin/node", "-e", "process.exit(3)"] }),
    of("bare", { stopSignal: "SIGINT" }),
  );
  await eventually(async () => assert.match(await reasonOf("mine-v1"), /^failing: there is a Deployment mine-v1 already, which Weir has not made/));
  await eventually(async () => assert.match(await reasonOf("lost-v1"), /^failing: (ErrImagePull|ImagePullBackOff): /), 120_000);
  await eventually(async () => assert.match(await reasonOf("broken-v1"), /^failing: exited with code 3, \d+ times/), 180_000);
  await eventually(async () => assert.match(await reasonOf("bare-v1"), /^failing: stopSignal SIGINT is not possible/));
  assert.equal(await field("deployment mine-v1", "{.spec.template.spec.containers[0].name}{.metadata.labels.weir\\.dev/managed-by}"), "node");
  await cluster.kubectl([...namespace, "delete", "versions.weir.dev", "mine-v1", "lost-v1", "broken-v1", "bare-v1"]);
  await cluster.kubectl([...namespace, "delete", "deployment", "mine-v1"]);
});

test("a version is removed, and no request fails; with the app goes all that is its", { timeout: 1_200_000 }, async (t) => {
  await underLoad(t, async () => {
    await cluster.kubectl([...namespace, "delete", "versions.weir.dev/web-v2"]);
    await eventually(async () => assert.equal(await field("pods -l weir.dev/version=v2", "{.items[*].metadata.name}"), ""), 120_000);
  });
  await cluster.kubectl([...namespace, "delete", "versions.weir.dev/web-v1", "apps.weir.dev/web"]);
  const kinds = "deployments,services,serviceaccounts,poddisruptionbudgets,pods";
  await eventually(async () => assert.equal(await field(`${kinds} -l weir.dev/app`, "{.items[*].metadata.name}"), ""), 180_000);
});
