/** Finds out what an installation would change: the API server tries everything without keeping it. */
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import { gatewayLabel } from "../../model/gateway.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { list, record, text, textMap } from "../../providers/kubernetes/readers.ts";
import { differences, type FieldDifference } from "../difference.ts";
import { gatewayKinds, type InstallKind, installKind, installKinds } from "../kinds.ts";
import { type InstallObject, nameOf, ownLabel, ownSelector, systemNamespace } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";

export type InstallAction = "create" | "update" | "delete" | "keep";

export interface InstallChange {
  readonly action: InstallAction;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  /** Of an update. */
  readonly fields: readonly FieldDifference[];
}

/** One step: the change, and what to send for it. */
export interface InstallStep {
  readonly change: InstallChange;
  readonly kind: InstallKind;
  readonly object: InstallObject;
  /** Made when it is missing, and left alone when it is there. */
  readonly once: boolean;
}

/** All steps in their order, those that delete last. Problems: `install-object-foreign`, and what the API server refuses. */
export async function planInstall(
  client: KubeClient,
  applied: readonly InstallObject[],
  seeds: readonly InstallObject[],
): Promise<Result<readonly InstallStep[]>> {
  const [first, ...others] = applied;
  const ordered = first === undefined ? [] : [first, ...seeds, ...others];
  const results = await Promise.all(ordered.map((object) => planObject(client, object, seeds.includes(object))));
  const problems = results.flatMap((result) => (result.ok ? [] : result.problems));
  if (problems.length > 0) return failed(...problems);
  const steps = results.flatMap((result) => (result.ok ? [result.value] : []));
  const stale = await findOwn(client);
  if (!stale.ok) return stale;
  const wanted = new Set(ordered.map(keyOf));
  // A definition takes everything that is declared with it: only an uninstallation may.
  const isStale = (object: InstallObject): boolean => object.kind !== "CustomResourceDefinition" && !wanted.has(keyOf(object));
  const deletions = stale.value.filter(isStale).map((object) => stepOf("delete", object, []));
  return ok([...steps, ...deletions.toReversed()]);
}

function keyOf({ apiVersion, kind, metadata: { namespace = "", name } }: InstallObject): string {
  return [apiVersion, kind, namespace, name].join(" ");
}

function stepOf(action: InstallAction, object: InstallObject, fields: readonly FieldDifference[], once = false): InstallStep {
  const { name, namespace } = object.metadata;
  const change = { action, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }), fields };
  return { change, kind: installKind(object), object, once };
}

async function planObject(client: KubeClient, object: InstallObject, once: boolean): Promise<Result<InstallStep>> {
  const kind = installKind(object);
  const { name, namespace } = object.metadata;
  const place = { kind, name, ...(namespace === undefined ? {} : { namespace }) };
  const before = await client.get(place);
  if (!before.ok && before.error.kind !== "notFound") return failed(problemOfApi(before.error, `reading ${nameOf(object)}`));
  if (before.ok) {
    const inTheWay = problemOfLive(object, before.value);
    if (inTheWay !== undefined) return failed(inTheWay);
    if (once) return ok(stepOf("keep", object, [], once));
  }
  const after = await client.apply(place, object, { dryRun: true, force: true });
  // In a namespace that is still to be made nothing can be tried.
  if (!after.ok && after.error.kind === "notFound" && !before.ok && namespace === systemNamespace) return ok(stepOf("create", object, [], once));
  if (!after.ok) return failed(problemOfApi(after.error, `trying ${nameOf(object)}`));
  if (!before.ok) return ok(stepOf("create", object, [], once));
  const fields = differences(before.value, after.value);
  return ok(stepOf(fields.length === 0 ? "keep" : "update", object, fields, once));
}

function problemOfLive(object: InstallObject, live: unknown): Problem | undefined {
  const { name, namespace } = object.metadata;
  if (text(record(record(live)["metadata"])["deletionTimestamp"]) !== undefined)
    return { code: "install-object-ending", message: `${nameOf(object)} is being deleted`, hint: "wait until it is gone, then try again" };
  const labels = textMap(record(record(live)["metadata"])["labels"]);
  if (labels[ownLabel.key] === ownLabel.value) return undefined;
  const where = namespace === undefined ? "" : ` -n ${namespace}`;
  return {
    code: "install-object-foreign",
    message: `there is a ${nameOf(object)} already, which is not Weir's`,
    hint: `delete it, or hand it over: kubectl label${where} ${object.kind.toLowerCase()} ${name} ${ownLabel.key}=${ownLabel.value}`,
  };
}

/** Everything on the cluster with an installation's label, of every kind that one ever had. */
export function findOwn(client: KubeClient): Promise<Result<readonly InstallObject[]>> {
  // What belongs to another object (as Endpoints do to a Service) goes by itself.
  return findLabelled(client, installKinds, ownSelector, (owners) => owners === 0);
}

/** What the control plane keeps for Gateways, in all namespaces. It belongs to the Gateways, which stay when Weir goes. */
export function findGateways(client: KubeClient): Promise<Result<readonly InstallObject[]>> {
  return findLabelled(client, gatewayKinds, `${gatewayLabel.key}=${gatewayLabel.value}`, () => true);
}

async function findLabelled(
  client: KubeClient,
  kinds: readonly InstallKind[],
  labels: string,
  keep: (owners: number) => boolean,
): Promise<Result<readonly InstallObject[]>> {
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const page = await client.list(kind, { labels });
      // A cluster may lack a kind, like one of an older API server.
      if (!page.ok) return page.error.kind === "notFound" ? ok([]) : failed<readonly InstallObject[]>(problemOfApi(page.error, `listing ${kind.resource}`));
      return ok(page.value.items.flatMap((item) => readLabelled(kind, item, keep)));
    }),
  );
  const problems = lists.flatMap((result) => (result.ok ? [] : result.problems));
  return problems.length > 0 ? failed(...problems) : ok(lists.flatMap((result) => (result.ok ? result.value : [])));
}

/** Items of a list say no kind. */
function readLabelled(kind: InstallKind, item: unknown, keep: (owners: number) => boolean): readonly InstallObject[] {
  const metadata = record(record(item)["metadata"]);
  const [name, namespace] = [text(metadata["name"]), text(metadata["namespace"])];
  // What is on its way out goes by itself, too.
  if (name === undefined || text(metadata["deletionTimestamp"]) !== undefined || !keep(list(metadata["ownerReferences"]).length)) return [];
  const labels = textMap(metadata["labels"]);
  return [{ apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name, labels, ...(namespace === undefined ? {} : { namespace }) } }];
}
