/**
 * Gateway API's own conformance suite, its profiles for gateways, against Weir on a real cluster:
 *
 *   npm run test:kubernetes -- test/conformance/gateway.test.ts
 *
 * WEIR_CONFORMANCE_TEST=NAME runs one test of it; WEIR_CONFORMANCE_REPORT=1 puts the report of a whole run into conformance/. WEIR_CONFORMANCE_MESH=1 has all
 * backends in the mesh, so that gateways reach them by mutual TLS. WEIR_CONFORMANCE_CHANNEL=experimental has the CRDs of that channel, with more to say.
 */
import assert from "node:assert/strict";
import { copyFileSync, globSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { gatewayFeatures } from "../../src/providers/kubernetes/translate-gateway-status.ts";
import { buildConformance } from "../cluster/build.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { writeImage } from "../cluster/image.ts";
import { binDir, root } from "../cluster/places.ts";
import { startTestCluster } from "../kubernetes/support/cluster.ts";
import { type Mesh, startMesh } from "../kubernetes/support/mesh.ts";
import { applyCrds, assertPassed, channel, type ProfileReport, runSuite, suiteFolder } from "./suite.ts";

let cluster: Cluster;
let mesh: Mesh;

before(
  async () => {
    await buildConformance((line) => console.error(`cluster: ${line}`));
    cluster = await startTestCluster();
    for (const tar of await echoImages(cluster)) await cluster.importImage(tar);
    await applyCrds(cluster);
    mesh = await startMesh(cluster);
    // The suite looks for it once.
    await cluster.kubectl(["wait", "--for=create", "gatewayclass/weir", "--timeout=120s"]);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

/**
 * The one program that the suite has in its pods, under each name that its manifests have for it. The suite also starts a CoreDNS that only its tests for UDP
 * ask, and waits until it runs: we have no UDP, and the same program stands there.
 */
async function echoImages({ dir }: Cluster): Promise<readonly string[]> {
  const folder = await suiteFolder();
  const manifests = globSync(["base/*.yaml", "tests/*.yaml"], { cwd: folder }).map((file) => readFileSync(path.join(folder, file), "utf8"));
  const names = [...new Set(manifests.flatMap((text) => [...text.matchAll(/image: (\S*\/(?:echo-basic|coredns):\S+)/g)].map(([, name = ""]) => name)))];
  const program = path.join(binDir, "gatewayecho/echo-basic");
  return Promise.all(
    names.map(async (name, index) => {
      const tar = path.join(dir, "conformance", `echo-${index}.tar`);
      await writeImage({ name, files: { "/echo-basic": program }, entrypoint: ["/echo-basic"] }, tar);
      return tar;
    }),
  );
}

test("the suite's profiles for gateways pass, core and extended", { timeout: 3_600_000 }, async (t) => {
  const inMesh = process.env["WEIR_CONFORMANCE_MESH"] === undefined ? [] : ["namespace-labels=weir.dev/mesh=on"];
  const flags = ["gateway-class=weir", ...inMesh];
  const profiles = ["GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP"];
  // What the standard channel has no words for no GatewayClass can claim.
  const features = channel === "experimental" ? [...gatewayFeatures, "HTTPRouteRetry"] : gatewayFeatures;
  const suite = await runSuite({ cluster, profiles, features, flags, name: "gateway" });
  for (const result of suite.results) t.diagnostic(result);
  assertPassed(suite);
  if (process.env["WEIR_CONFORMANCE_TEST"] !== undefined) return;
  const report = parse(readFileSync(suite.report, "utf8")) as { readonly profiles: readonly ProfileReport[] };
  for (const { name, core, extended } of report.profiles) assert.deepEqual([name, core.result, extended?.result ?? "success"], [name, "success", "success"]);
  if (process.env["WEIR_CONFORMANCE_REPORT"] === undefined) return;
  mkdirSync(path.join(root, "conformance"), { recursive: true });
  copyFileSync(suite.report, path.join(root, "conformance/gateway-report.yaml"));
});
