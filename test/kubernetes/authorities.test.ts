/**
 * Authorities that the user brings: one signs from the beginning, what its owner renews is taken up without a restart, another root comes without a failed
 * request; and identities of other trust domains are let in when their roots are known.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { IdentitiesView } from "../../src/api/contract.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { type OpensslCa, opensslCa } from "../support/openssl.ts";
import { addressOf, create, execute, publishedRoots, startTestCluster } from "./support/cluster.ts";
import { createApi, eventually, loadWhile, type Mesh, startMesh } from "./support/mesh.ts";
import { pod } from "./support/objects.ts";
import { succeed, type Weir, weirFor } from "./support/weir.ts";

/** The kubelet brings a changed Secret at its next look (10 s here, else a minute), the control plane looks every 15 s, and nodes ask once a minute. */
const takenUpMs = 180_000;
const work = mkdtempSync(path.join(tmpdir(), "weir-ca-"));
const days = 400;
const root = opensslCa(work, { name: "root-1", days });
const first = opensslCa(work, { name: "first", days, issuer: root });
const renewed = opensslCa(work, { name: "renewed", days, issuer: root });
const otherRoot = opensslCa(work, { name: "root-2", days });
const third = opensslCa(work, { name: "root-3", days });
const other = opensslCa(work, { name: "other", days, issuer: otherRoot });

const waiting = { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"] };

let cluster: Cluster;
let mesh: Mesh;
let weir: Weir;

/** As cert-manager writes a Secret. */
const filesOf = (signer: OpensslCa, above: OpensslCa) => ({ "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": above.certificate });

before(
  async () => {
    cluster = await startTestCluster();
    for (const [name, text] of Object.entries(filesOf(first, root))) writeFileSync(path.join(work, name), text);
    mesh = await startMesh(cluster, "--ca-dir", work);
    weir = weirFor(cluster.kubeconfig);
    await succeed(weir, "context", "use", "weir-test");
    await createApi(cluster, [pod("stranger", "node-1", { ...waiting, labels: { "weir.dev/mesh": "off" } })], "stranger");
  },
  { timeout: 300_000 },
);

after(async () => {
  mesh?.stop();
  rmSync(work, { recursive: true, force: true });
  if (weir !== undefined) rmSync(weir.home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

/** Who is above the certificate of a pod: names, the root last. */
async function above(name: string): Promise<readonly string[]> {
  const { workloads } = JSON.parse(await succeed(weir, "identity", "-n", "default", "-o", "json")) as IdentitiesView;
  const proof = workloads.find(({ workload }) => workload === name)?.proof;
  assert.equal(proof?.kind, "certificate", name);
  return proof.kind === "certificate" ? proof.chain.map(({ subject }) => subject.replace(/^CN=/, "")) : [];
}

/** Starts a pod with an identity of its own, which calls `api` on both nodes; answers who is above its certificate. */
async function newcomer(name: string): Promise<readonly string[]> {
  await cluster.kubectl(["create", "serviceaccount", name]);
  await create(cluster, [pod(name, "node-1", { spec: { serviceAccountName: name } })], name);
  for (let i = 0; i < 4; i += 1) await execute(cluster, name, "curl", "-sSf", "-m", "5", "http://api/");
  return eventually(() => above(name));
}

/** What its owner does. */
async function replaceSecret(signer: OpensslCa, issuer: OpensslCa): Promise<void> {
  await cluster.kubectl(["patch", "secret", "weir-plug-in-ca", "-n", "weir-system", "-p", JSON.stringify({ stringData: filesOf(signer, issuer) })]);
}

const controls = (): Promise<string> =>
  cluster.kubectl([
    "get",
    "pods",
    "-n",
    "weir-system",
    "-l",
    "app.kubernetes.io/name=weir-control",
    "-o",
    "jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}",
  ]);
const roots = (): Promise<string> => publishedRoots(cluster);

test("it signs from the beginning", { timeout: 120_000 }, async () => {
  assert.deepEqual(await newcomer("one"), ["first", "root-1"]);
  assert.equal((await roots()).trim(), root.certificate.trim());
});

test("a renewed one below the same root signs, without a restart", { timeout: takenUpMs + 120_000 }, async () => {
  const running = await controls();
  await replaceSecret(renewed, root);
  let number = 0;
  await eventually(async () => {
    number += 1;
    assert.deepEqual(await newcomer(`renewed-${number}`), ["renewed", "root-1"]);
  }, takenUpMs);
  assert.equal(await controls(), running);
  assert.deepEqual(await above("one"), ["first", "root-1"], "what there is holds until it is renewed");
});

test("one that is not fit changes nothing", { timeout: takenUpMs + 60_000 }, async () => {
  await replaceSecret({ ...renewed, key: first.key }, root);
  await eventually(
    async () => assert.match((await weir("check")).stdout, /FAIL authority: yours; .*; what you gave last is not taken: ca-key-mismatch/),
    takenUpMs,
  );
  assert.deepEqual(await newcomer("unfit"), ["renewed", "root-1"]);
});

test("another root: first everybody trusts it, then it signs, and no request fails", { timeout: takenUpMs + 240_000 }, async (t) => {
  const running = await controls();
  const { ok, failures, p99 } = await loadWhile(cluster, "web", { url: "http://api/", rate: 50 }, async () => {
    await replaceSecret(other, otherRoot);
    await eventually(async () => assert.equal((await roots()).match(/BEGIN/g)?.length, 2), takenUpMs);
    let number = 0;
    await eventually(async () => {
      number += 1;
      assert.deepEqual(await newcomer(`other-${number}`), ["other", "root-2"]);
    }, takenUpMs);
  });
  t.diagnostic(`${ok} ok, ${failures.length} failed, p99 ${p99} ms`);
  assert.deepEqual(failures, []);
  assert.equal(await controls(), running);
  assert.match(await succeed(weir, "check"), /authority: yours; .*; a new root signs, certificates below the one before are still in use/);
});

/** A certificate and its key for a client. */
function clientOf(id: string, issuer: OpensslCa): OpensslCa {
  const extensions = `basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=URI:${id}`;
  return opensslCa(work, { name: "client", days, issuer, extensions });
}

/** What a caller outside the mesh hears from a strict pod when it speaks as nodes do: the first line of the answer, or an error. */
async function callAs({ certificate, key }: OpensslCa): Promise<string> {
  const host = await addressOf(cluster, "api-2");
  const code = `const say = (text) => (console.log(text), process.exit());
    const socket = require("node:tls").connect({ host: "${host}", port: 8080, ALPNProtocols: ["weir"], rejectUnauthorized: false, ...JSON.parse(process.argv[1]) });
    socket.write("GET / HTTP/1.1\\r\\nHost: api\\r\\nConnection: close\\r\\n\\r\\n");
    socket.on("data", (piece) => say(String(piece).split("\\r")[0])).on("error", (error) => say(error.code)).on("close", () => say("closed"));`;
  return (await execute(cluster, "stranger", "/bin/node", "-e", code, JSON.stringify({ cert: certificate, key }))).trim();
}

test("identities of another trust domain are let in when its roots are known, and no longer when they are not; nobody signs for ours", {
  timeout: 2 * takenUpMs + 60_000,
}, async () => {
  const [theirs, pretended] = [clientOf("spiffe://old.example/ns/shop/sa/web", third), clientOf("spiffe://weir.local/ns/default/sa/web", third)];
  assert.notEqual(await callAs(theirs), "HTTP/1.1 200 OK");
  writeFileSync(path.join(work, "third.pem"), third.certificate);
  await succeed(weir, "install", "--trust-domain-alias", `old.example=${path.join(work, "third.pem")}`);
  await eventually(async () => assert.equal(await callAs(theirs), "HTTP/1.1 200 OK"), takenUpMs);
  assert.notEqual(await callAs(pretended), "HTTP/1.1 200 OK");
  assert.doesNotMatch(await roots(), new RegExp(third.certificate.split("\n")[1] ?? "?"), "who cannot tell trust domains apart does not trust it");
  await succeed(weir, "install", "--trust-domain-alias", "none");
  await eventually(async () => assert.notEqual(await callAs(theirs), "HTTP/1.1 200 OK"), takenUpMs);
});
