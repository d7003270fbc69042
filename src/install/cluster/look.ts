/** Looks at all of Weir on a cluster with the rights of whoever asks; what may not be seen is said to be hidden, and hinders nothing else. */

import { clusterKinds } from "../../model/declared-kinds.ts";
import { type MeshReport, meshReportKind, meshReportName } from "../../model/mesh-report.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { readLease } from "../../providers/kubernetes/lease.ts";
import { readMeshReport } from "../../providers/kubernetes/mesh-report-object.ts";
import { list, record, text, textMap } from "../../providers/kubernetes/readers.ts";
import type { ClusterFacts, Sight } from "../checks.ts";
import { definedKinds, definitionObjects } from "../crds.ts";
import { missingFields } from "../difference.ts";
import { controlName, type InstallObject, nodeName, systemNamespace } from "../objects.ts";
import { readComponent } from "../read-state.ts";
import { reportDefinition } from "../report-crd.ts";
import { commandRights, type Right } from "../rights.ts";
import { webhookName } from "../validation.ts";
import { placeOf } from "./apply.ts";
import { mayI } from "./connect.ts";
import { podsOf } from "./pods.ts";

export interface LookOptions {
  readonly server: string;
  readonly version: string;
  /** The user's. */
  readonly namespace: string;
}

/** Everything at once. What does not answer is hidden, with the reason. */
export async function lookAtCluster(client: KubeClient, { server, version, namespace }: LookOptions): Promise<ClusterFacts> {
  const apps = (resource: string) => ({ group: "apps", version: "v1", resource });
  const core = (resource: string) => ({ group: "", version: "v1", resource });
  const [info, installed, missing, others, control, agents, pods, leader, nodes, system, own, commands, validation] = await Promise.all([
    client.read("/version"),
    see(
      client,
      { kind: core("namespaces"), name: systemNamespace },
      (object) => textMap(record(record(object)["metadata"])["annotations"])["weir.dev/version"] ?? "",
    ),
    missingKinds(client),
    otherDefinitions(client),
    see(client, { kind: apps("deployments"), namespace: systemNamespace, name: controlName }, readComponent),
    see(client, { kind: apps("daemonsets"), namespace: systemNamespace, name: nodeName }, readComponent),
    weirPods(client),
    leaderOf(client),
    nodeNames(client),
    reportOf(client, systemNamespace),
    reportOf(client, namespace),
    rightsIn(client, namespace),
    tryValidation(client, namespace),
  ]);
  const report: ClusterFacts["system"] = system.kind === "seen" ? (system.value.system === undefined ? { kind: "absent" } : seen(system.value.system)) : system;
  return {
    server,
    serverVersion: info.ok ? (text(record(info.value)["gitVersion"]) ?? "") : "",
    version,
    namespace,
    installed,
    missingKinds: missing,
    otherDefinitions: others,
    control,
    agents,
    pods,
    leader,
    nodes,
    system: report,
    own,
    commands,
    validation,
  };
}

function seen<T>(value: T): Sight<T> {
  return { kind: "seen", value };
}

function sightOf<T>(answer: ApiResult<T>): Sight<T> {
  if (answer.ok) return seen(answer.value);
  return answer.error.kind === "notFound" ? { kind: "absent" } : { kind: "hidden", reason: answer.error.message };
}

async function see<T>(client: KubeClient, place: ObjectPlace, read: (object: unknown) => T): Promise<Sight<T>> {
  const sight = sightOf(await client.get(place));
  return sight.kind === "seen" ? seen(read(sight.value)) : sight;
}

/** Whoever may talk with the API server at all may ask what it serves. */
async function missingKinds(client: KubeClient): Promise<readonly string[]> {
  const { group, version } = meshReportKind;
  const served = await client.read(`/apis/${group}/${version}`);
  const names = served.ok ? list(record(served.value)["resources"]).map((one) => text(record(one)["name"])) : [];
  return [...definedKinds, meshReportKind].map(({ resource }) => resource).filter((resource) => !names.includes(resource));
}

async function otherDefinitions(client: KubeClient): Promise<Sight<readonly string[]>> {
  const wanted = [...definitionObjects(), reportDefinition()];
  const lives = await Promise.all(wanted.map(async (object) => ({ object, live: sightOf(await client.get(placeOf(object))) })));
  const hidden = lives.find(({ live }) => live.kind === "hidden");
  if (hidden?.live.kind === "hidden") return hidden.live;
  return seen(lives.filter(({ object, live }) => live.kind === "seen" && isOther(object, live.value)).map(({ object }) => object.metadata.name));
}

function isOther(wanted: InstallObject, live: unknown): boolean {
  return missingFields(record(live)["spec"], wanted["spec"]).length > 0;
}

async function weirPods(client: KubeClient): Promise<ClusterFacts["pods"]> {
  const found = await Promise.all([controlName, nodeName].map((component) => podsOf(client, component)));
  const [problem] = found.flatMap((pods) => (pods.ok ? [] : pods.problems));
  return problem === undefined ? seen(found.flatMap((pods) => (pods.ok ? pods.value : []))) : { kind: "hidden", reason: problem.message };
}

async function leaderOf(client: KubeClient): Promise<Sight<string>> {
  const lease = sightOf(await readLease(client, { namespace: systemNamespace, name: controlName }));
  return lease.kind === "seen" ? seen(lease.value?.holder ?? "") : lease;
}

async function nodeNames(client: KubeClient): Promise<ClusterFacts["nodes"]> {
  const page = sightOf(await client.list({ group: "", version: "v1", resource: "nodes" }));
  if (page.kind !== "seen") return page;
  // What runs elsewhere than on Linux has no agent, and needs none.
  const linux = page.value.items.filter((node) => (textMap(record(record(node)["metadata"])["labels"])["kubernetes.io/os"] ?? "linux") === "linux");
  return seen(linux.map((node) => text(record(record(node)["metadata"])["name"]) ?? "").toSorted());
}

function reportOf(client: KubeClient, namespace: string): Promise<Sight<MeshReport>> {
  return see(client, { kind: meshReportKind, namespace, name: meshReportName }, readMeshReport);
}

/** Tried for real, and kept by nobody: a router with a host that none can be, which only the webhook knows. */
async function tryValidation(client: KubeClient, namespace: string): Promise<ClusterFacts["validation"]> {
  const { group, version, kind } = clusterKinds.router;
  const spec = { hosts: ["not a host"], rules: [{ action: { destinations: [{ to: { name: "weir-check" } }] } }] };
  const object = { apiVersion: `${group}/${version}`, kind, metadata: { name: "weir-check", namespace }, spec };
  const answer = await client.create({ kind: clusterKinds.router, namespace }, object, { dryRun: true });
  if (answer.ok) return seen("accepts");
  return answer.error.message.includes(webhookName) ? seen("refuses") : { kind: "hidden", reason: answer.error.message };
}

async function rightsIn(client: KubeClient, namespace: string): Promise<ClusterFacts["commands"]> {
  const rights = commandRights(namespace);
  const all = [...new Map(rights.flatMap(({ needs }) => needs).map((right) => [keyOf(right), right])).values()];
  const answers = await Promise.all(all.map(async (right) => [keyOf(right), await mayI(client, right)] as const));
  const [problem] = answers.flatMap(([, answer]) => (answer.ok ? [] : answer.problems));
  if (problem !== undefined) return { kind: "hidden", reason: problem.message };
  const may = new Map(answers.map(([key, answer]) => [key, answer.ok && answer.value]));
  const [can, cannot] = [true, false].map((wanted) =>
    rights.filter(({ needs }) => needs.every((right) => may.get(keyOf(right)) === true) === wanted).map(({ command }) => command),
  );
  return seen({ may: can ?? [], mayNot: cannot ?? [] });
}

function keyOf({ verb, group, resource, subresource }: Right): string {
  return `${verb} ${group}/${resource}/${subresource ?? ""}`;
}
