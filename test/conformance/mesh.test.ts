/**
 * Gateway API's own conformance suite, its profiles for meshes, against Weir on a real cluster:
 *
 *   npm run test:kubernetes -- test/conformance/mesh.test.ts
 *
 * WEIR_CONFORMANCE_TEST=NAME runs one test of it; WEIR_CONFORMANCE_REPORT=1 puts the report of a whole run into conformance/.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, parseAllDocuments } from "yaml";
import { buildConformance } from "../cluster/build.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { writeImage } from "../cluster/image.ts";
import { issue, makeAuthority } from "../cluster/pki.ts";
import { binDir, root } from "../cluster/places.ts";
import { startTestCluster } from "../kubernetes/support/cluster.ts";
import { type Mesh, startMesh } from "../kubernetes/support/mesh.ts";
import { applyCrds, assertPassed, type ProfileReport, runSuite, suiteFolder } from "./suite.ts";

/** What Weir says that it does, beyond the core of the profiles. */
const features = [
  "Mesh",
  "HTTPRoute",
  "GRPCRoute",
  "MeshClusterIPMatching",
  "MeshConsumerRoute",
  "MeshHTTPRouteBackendRequestHeaderModification",
  "MeshHTTPRouteNamedRouteRule",
  "MeshHTTPRouteQueryParamMatching",
  "MeshHTTPRouteRedirectPath",
  "MeshHTTPRouteRedirectPort",
  "MeshHTTPRouteRewritePath",
  "MeshHTTPRouteSchemeRedirect",
  // Gateways' features that mesh tests ask for, too.
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteParentRefPort",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
];

let cluster: Cluster;
let mesh: Mesh;

before(
  async () => {
    await buildConformance((line) => console.error(`cluster: ${line}`));
    cluster = await startTestCluster();
    await cluster.importImage(await echoImage());
    await applyCrds(cluster);
    mesh = await startMesh(cluster);
    await makeNamespaces();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

async function suiteManifests(): Promise<string> {
  return readFileSync(path.join(await suiteFolder(), "mesh/manifests.yaml"), "utf8");
}

/**
 * The suite makes a namespace and its pods within the same 100 ms, before nodes know that the namespace is in the mesh; such pods join only when they
 * already run, and the suite does not wait for that. So its namespaces are there before it.
 */
async function makeNamespaces(): Promise<void> {
  const objects = parseAllDocuments(await suiteManifests()).map((document) => document.toJS() as { readonly kind: string; readonly metadata: object } | null);
  const labels = { "weir.dev/mesh": "on" };
  const namespaces = objects.filter((object) => object?.kind === "Namespace").map((object) => ({ ...object, metadata: { ...object?.metadata, labels } }));
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: namespaces }));
  await sleep(3_000);
}

/** The image that the suite's own manifests name. */
async function echoImage(): Promise<string> {
  const name = /image: (\S+)/.exec(await suiteManifests())?.[1];
  assert.ok(name !== undefined, "the manifests name an image");
  const dir = path.join(cluster.dir, "conformance");
  mkdirSync(dir, { recursive: true });
  await makeAuthority(dir);
  const { cert, key } = await issue(dir, "echo", { name: "echo", at: ["DNS:echo"] });
  const programs = Object.fromEntries(["server", "client"].map((program) => [`/usr/local/bin/${program}`, path.join(binDir, "meshecho", program)]));
  const tar = path.join(dir, "echo.tar");
  await writeImage({ name, files: { ...programs, "/cert.crt": cert, "/cert.key": key }, entrypoint: ["/usr/local/bin/server"] }, tar);
  return tar;
}

test("the suite's profiles for meshes pass, core and extended", { timeout: 1_800_000 }, async (t) => {
  const flags = ["namespace-labels=weir.dev/mesh=on"];
  const suite = await runSuite({ cluster, profiles: ["MESH-HTTP", "MESH-GRPC"], features, flags, name: "mesh" });
  for (const result of suite.results) t.diagnostic(result);
  assertPassed(suite);
  if (process.env["WEIR_CONFORMANCE_TEST"] !== undefined) return;
  const { profiles } = parse(readFileSync(suite.report, "utf8")) as { readonly profiles: readonly ProfileReport[] };
  for (const { name, core, extended } of profiles) assert.deepEqual([name, core.result, extended?.result ?? "success"], [name, "success", "success"]);
  if (process.env["WEIR_CONFORMANCE_REPORT"] === undefined) return;
  mkdirSync(path.join(root, "conformance"), { recursive: true });
  copyFileSync(suite.report, path.join(root, "conformance/mesh-report.yaml"));
});
