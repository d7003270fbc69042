/** The requests that an API server sees, and what its answers become. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { eventually } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { type ClusterAccess, directAccess } from "./access.ts";
import { apiError, connectionError } from "./api-error.ts";
import { KubeClient, type WatchNews } from "./client.ts";

const pods = { group: "", version: "v1", resource: "pods" };
const deployments = { group: "apps", version: "v1", resource: "deployments" };

interface Rig {
  readonly api: FakeKubeApi;
  readonly client: KubeClient;
  readonly clock: VirtualClock;
}

async function started(t: TestContext, makeAccess: (url: string) => ClusterAccess = (url) => directAccess(url, { token: "t0" })): Promise<Rig> {
  const api = new FakeKubeApi();
  await api.start();
  const access = makeAccess(api.url);
  const clock = new VirtualClock();
  t.after(async () => {
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return { api, client: new KubeClient({ access, clock }), clock };
}

test("every request says what it must", async (t) => {
  const { api, client } = await started(t);
  api.answer = () => ({ status: 200, body: { kind: "Answer" } });
  const web = { kind: deployments, namespace: "shop", name: "web" };
  const object = { apiVersion: "apps/v1", kind: "Deployment" };
  await client.get(web);
  await client.get({ kind: { ...pods, resource: "nodes" }, name: "n1", subresource: "status" });
  await client.apply(web, object, { force: true });
  await client.apply(web, object, { dryRun: true });
  await client.create({ kind: deployments, namespace: "shop" }, object, { dryRun: true });
  await client.create({ kind: { group: "authentication.k8s.io", version: "v1", resource: "tokenreviews" } }, { spec: { token: "x" } });
  await client.create({ kind: { ...pods, resource: "serviceaccounts" }, namespace: "shop", name: "web", subresource: "token" }, {});
  await client.delete(web, { propagation: "Foreground", uid: "u1" });
  await client.list(pods, { namespace: "shop", labels: "app=web", fields: "spec.nodeName=n1", limit: 5, next: "more" });
  await client.read("/version");
  await client.delete(web, { dryRun: true });
  assert.deepEqual(
    api.requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`),
    [
      "GET /apis/apps/v1/namespaces/shop/deployments/web",
      "GET /api/v1/nodes/n1/status",
      "PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=weir&force=true",
      "PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=weir&force=false&dryRun=All",
      "POST /apis/apps/v1/namespaces/shop/deployments?fieldManager=weir&dryRun=All",
      "POST /apis/authentication.k8s.io/v1/tokenreviews?fieldManager=weir",
      "POST /api/v1/namespaces/shop/serviceaccounts/web/token?fieldManager=weir",
      "DELETE /apis/apps/v1/namespaces/shop/deployments/web",
      "GET /api/v1/namespaces/shop/pods?labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dn1&limit=5&continue=more",
      "GET /version",
      "DELETE /apis/apps/v1/namespaces/shop/deployments/web?dryRun=All",
    ],
  );
  assert.ok(api.requests.every(({ headers }) => headers.authorization === "Bearer t0" && headers["user-agent"] === "weir"));
  const bodies = api.requests.map(({ headers, body }) => [headers["content-type"], body === "" ? undefined : (JSON.parse(body) as unknown)]);
  assert.deepEqual(bodies[2], ["application/apply-patch+yaml", object]);
  assert.deepEqual(bodies[7], ["application/json", { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground", preconditions: { uid: "u1" } }]);
  assert.deepEqual(bodies[10]?.[1], { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", dryRun: ["All"] });
});

test("an API server below a path of its host is found there", async (t) => {
  const { api, client } = await started(t, (url) => directAccess(`${url}/k8s/clusters/c1/`));
  api.answer = () => ({ status: 200, body: {} });
  await client.get({ kind: pods, namespace: "shop", name: "a" });
  assert.equal(api.requests[0]?.url.pathname, "/k8s/clusters/c1/api/v1/namespaces/shop/pods/a");
});

test("refusals are values", () => {
  const status = (code: number, reason: string, details = {}) => apiError(code, { kind: "Status", code, reason, message: "no", details });
  const causes = [{ reason: "FieldManagerConflict", message: 'conflict with "kubectl"', field: ".spec.replicas" }];
  assert.deepEqual(status(404, "NotFound"), { kind: "notFound", message: "no" });
  assert.deepEqual(status(401, "Unauthorized"), { kind: "unauthorized", message: "no" });
  assert.deepEqual(status(403, "Forbidden"), { kind: "forbidden", message: "no" });
  assert.deepEqual(status(409, "AlreadyExists"), { kind: "exists", message: "no" });
  assert.deepEqual(status(409, "Conflict", { causes }), { kind: "conflict", message: "no", causes });
  assert.deepEqual(status(410, "Expired"), { kind: "gone", message: "no" });
  assert.deepEqual(status(422, "Invalid", { causes }), { kind: "invalid", message: "no", causes });
  assert.deepEqual(status(400, "BadRequest"), { kind: "invalid", message: "no", causes: [] });
  assert.deepEqual(status(504, "Timeout", { retryAfterSeconds: 1 }), { kind: "unavailable", message: "no", retryAfterMs: 1_000 });
  assert.deepEqual(apiError(503, "not JSON", "7"), { kind: "unavailable", message: "the API server answered with status 503", retryAfterMs: 7_000 });
  assert.deepEqual(apiError(418, {}), { kind: "other", status: 418, message: "the API server answered with status 418" });
  assert.deepEqual(connectionError(new AggregateError([new Error("connect ECONNREFUSED ::1:6443")])), {
    kind: "unavailable",
    message: "connect ECONNREFUSED ::1:6443",
  });
});

test("a server that is not there, that says nothing, or a caller that goes away: a value, never an exception", async (t) => {
  const { api, client, clock } = await started(t);
  api.listGate = new Promise(() => {});
  const slow = client.list(pods);
  await eventually(() => api.requests.length === 1, "asked");
  await clock.advance(61_000);
  assert.deepEqual(await slow, { ok: false, error: { kind: "silent", message: "the API server said nothing for 60 s" } });
  const leaving = new AbortController();
  const left = client.list(pods, { signal: leaving.signal });
  await eventually(() => api.requests.length === 2, "asked");
  leaving.abort();
  assert.equal((await left).ok, false);
  assert.equal((await client.list(pods, { signal: AbortSignal.abort() })).ok, false);
  await api.stop();
  const refused = await client.get({ kind: pods, name: "a", namespace: "b" });
  assert.equal(refused.ok ? "" : refused.error.kind, "unavailable");
});

test("refused credentials are renewed once, for requests and for watches", async (t) => {
  let token = "old";
  const asked: boolean[] = [];
  const { api, client } = await started(t, (url) => {
    const direct = directAccess(url);
    return {
      ...direct,
      credentials: async (refused) => {
        asked.push(refused);
        if (refused) token = "new";
        return { ...(await direct.credentials(refused)), headers: { authorization: `Bearer ${token}` } };
      },
    };
  });
  api.answer = ({ headers }) => (headers.authorization === "Bearer new" ? { status: 200, body: { ok: 1 } } : { status: 401, body: { message: "who?" } });
  assert.deepEqual(await client.read("/version"), { ok: true, value: { ok: 1 } });
  api.answer = () => ({ status: 401, body: { message: "who?" } });
  const refused = await client.read("/version");
  assert.deepEqual(refused, { ok: false, error: { kind: "unauthorized", message: "who?" } });
  assert.deepEqual(asked, [false, true, false, true]);
});

test("connections are used again", async (t) => {
  const { api, client } = await started(t);
  let connections = 0;
  api.onConnection = () => {
    connections += 1;
  };
  for (let i = 0; i < 5; i += 1) assert.equal((await client.list(pods)).ok, true);
  assert.equal(connections, 1);
});

test("a watch says that it is open, then events, and ends with what went wrong; a reader that leaves ends it", async (t) => {
  const { api, client } = await started(t);
  const stop = new AbortController();
  const watch = (signal: AbortSignal) => client.watch(pods, { namespace: "shop", resourceVersion: "0", seconds: 30, patienceMs: 90_000, signal });
  const news: WatchNews[] = [];
  const read = (async () => {
    for await (const one of watch(stop.signal)) news.push(one);
  })();
  await eventually(() => news.length === 1, "open");
  assert.equal(api.requests[0]?.url.search, "?watch=true&resourceVersion=0&timeoutSeconds=30&allowWatchBookmarks=true");
  api.put("pods", { metadata: { namespace: "shop", name: "ä" } });
  await eventually(() => news.length === 2, "event");
  api.expireWatches();
  await read;
  assert.deepEqual(
    news.map((one) => (one.kind === "events" ? one.events.map(({ type }) => type) : one.kind === "failed" ? one.error.kind : one.kind)),
    ["open", ["added"], "gone"],
  );
  for await (const one of watch(stop.signal)) {
    assert.equal(one.kind, "open");
    break;
  }
  await eventually(() => api.watching === 0, "ended by its reader");
});
