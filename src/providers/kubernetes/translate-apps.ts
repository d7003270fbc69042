/** Apps as they hold: every version that is declared has a weight, and no other has one, in whatever order objects were applied. */
import { type Declared, type DeclaredApp, sharesOf } from "../../model/declared.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionName } from "../../model/names.ts";

/**
 * The apps of these versions. A version that its App does not name has 0 % (100 % when it is alone), the share of one that is gone goes to the others in
 * proportion, an App that nobody declared gives its oldest version everything (its `version` is 0: it does not exist); one without versions is left out.
 * What is complete already is the identical object.
 */
export function completeApps(
  versions: ReadonlyMap<string, Declared<"service">>,
  apps: ReadonlyMap<string, Declared<"app">>,
): ReadonlyMap<AppKey, Declared<"app">> {
  const byApp = Map.groupBy(versions.values(), ({ value: { service } }) => appKey(service.namespace, service.app));
  return new Map([...byApp].map(([key, objects]) => [key, complete(key, objects, apps.get(key))]));
}

function complete(key: AppKey, objects: readonly Declared<"service">[], declared: Declared<"app"> | undefined): Declared<"app"> {
  const oldestFirst = objects.toSorted((a, b) => a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1));
  const versions = oldestFirst.map(({ value }) => value.service.version);
  if (declared !== undefined) return withVersions(declared, versions);
  const [namespace = "", app = ""] = key.split("/");
  const value: DeclaredApp = { namespace: namespace as Namespace, app: app as AppName, weights: sharesOf({}, versions), history: [] };
  const createdAt = oldestFirst[0]?.createdAt ?? 0;
  return { kind: "app", key, generation: 0, version: 0, createdAt, updatedAt: createdAt, value };
}

function withVersions(declared: Declared<"app">, versions: readonly VersionName[]): Declared<"app"> {
  const { weights, rollout } = declared.value;
  if (isExactly(weights, versions) && (rollout === undefined || isExactly(rollout.from, versions))) return declared;
  const moving = rollout === undefined ? {} : { rollout: { ...rollout, from: sharesOf(rollout.from, versions) } };
  return { ...declared, value: { ...declared.value, weights: sharesOf(weights, versions), ...moving } };
}

function isExactly(shares: Readonly<Record<string, number>>, versions: readonly VersionName[]): boolean {
  return Object.keys(shares).length === versions.length && versions.every((version) => shares[version] !== undefined);
}
