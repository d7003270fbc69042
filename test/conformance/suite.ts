/** Gateway API's own conformance suite, as a program that tests run. */
import assert from "node:assert/strict";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { conformanceModule } from "../cluster/build.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { binDir, network, root } from "../cluster/places.ts";

export interface SuiteOptions {
  readonly cluster: Cluster;
  readonly profiles: readonly string[];
  /** What Weir says that it does. */
  readonly features: readonly string[];
  /** More of the suite's own, without the first dash. */
  readonly flags?: readonly string[];
  /** Names the log and the report. */
  readonly name: string;
}

export interface SuiteResult {
  /** `PASS HTTPRouteWeight`, in the order in which they ended. */
  readonly results: readonly string[];
  readonly log: string;
  readonly logFile: string;
  readonly report: string;
}

const timeoutMs = 3_600_000;

/** The folder of the suite's module, with the manifests that it applies. */
export function suiteFolder(): Promise<string> {
  return conformanceModule("sigs.k8s.io/gateway-api/conformance");
}

/** The channel of the CRDs: `standard`, or `experimental` where WEIR_CONFORMANCE_CHANNEL says so. */
export const channel = process.env["WEIR_CONFORMANCE_CHANNEL"] ?? "standard";

/** Installs the CRDs that belong to the suite. */
export async function applyCrds(cluster: Cluster): Promise<void> {
  const folder = path.join(await conformanceModule("sigs.k8s.io/gateway-api"), "config/crd", channel);
  const files = globSync("gateway.networking.*.yaml", { cwd: folder }).flatMap((file) => ["-f", path.join(folder, file)]);
  await cluster.kubectl(["apply", "--server-side", ...files]);
}

/**
 * Runs the suite on a node of the cluster: Services' addresses lead somewhere only there. WEIR_CONFORMANCE_TEST=NAME runs one test of it.
 * Its log is in .cache/cluster.
 */
export async function runSuite({ cluster, profiles, features, flags = [], name }: SuiteOptions): Promise<SuiteResult> {
  const dir = path.join(cluster.dir, "conformance");
  mkdirSync(dir, { recursive: true });
  const report = path.join(dir, `${name}-report.yaml`);
  const only = process.env["WEIR_CONFORMANCE_TEST"];
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { readonly version: string };
  const about = ["organization=weir", "project=weir", "url=https://weir.dev", `version=v${version}`, "contact=https://weir.dev"];
  const all = [
    `conformance-profiles=${profiles.join(",")}`,
    `supported-features=${features.join(",")}`,
    `report-output=${report}`,
    ...about,
    ...flags,
    ...(only === undefined ? [] : [`run-test=${only}`]),
  ];
  const program = path.join(binDir, "gateway-api-conformance");
  const words = ["env", `KUBECONFIG=${insideKubeconfig(cluster, dir)}`, program, "-test.v", "-test.timeout=55m", ...all.map((flag) => `-${flag}`)];
  const ended = await cluster.inNamespace(words, cluster.nodes[0]?.name, timeoutMs);
  const log = ended.stdout + ended.stderr;
  const logFile = path.join(root, `.cache/cluster/conformance-${name}.log`);
  writeFileSync(logFile, log);
  const results = [...log.matchAll(/^ {4}--- (PASS|FAIL|SKIP): TestConformance\/(\S+)/gm)].map(([, result, test]) => `${result} ${test}`);
  return { results, log, logFile, report };
}

/** The cluster's kubeconfig, with the API server as it is called from inside. */
function insideKubeconfig(cluster: Cluster, dir: string): string {
  const file = path.join(dir, "inside.json");
  const text = readFileSync(cluster.kubeconfig, "utf8").replace(/https:\/\/127\.0\.0\.1:\d+/, `https://${network.control}:${network.apiPort}`);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** What a report says of one profile. */
export interface ProfileReport {
  readonly name: string;
  readonly core: { readonly result: string; readonly failedTests?: readonly string[] };
  readonly extended?: { readonly result: string; readonly failedTests?: readonly string[] };
}

/** Nothing failed, and something passed. */
export function assertPassed({ results, log, logFile }: SuiteResult): void {
  const failed = results.filter((result) => result.startsWith("FAIL"));
  assert.deepEqual(failed, [], `see ${logFile}`);
  assert.ok(
    results.some((result) => result.startsWith("PASS")),
    `nothing ran:\n${log.slice(-4_000)}`,
  );
}
