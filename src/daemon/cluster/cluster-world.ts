/** What a cluster has and what is declared there = World, at one moment. */
import { publicPort } from "../../compile/public-gateway.ts";
import { sameFields, shareMap } from "../../lib/memoize.ts";
import type { AppKey } from "../../model/names.ts";
import type { App, World } from "../../model/world.ts";
import type { ClusterTranslation } from "../../providers/kubernetes/translate.ts";
import type { DeclaredVersions } from "../../providers/kubernetes/translate-declarations.ts";
import { nextTickAt, weightsAt } from "../../release/rollout.ts";

/** The World at `now`; the identical one when nothing in it changed. `gateway` says what names public hosts have. */
export function clusterWorld(translation: ClusterTranslation, now: number, gateway: World["gateway"], before: World | undefined): World {
  const { endpoints, addresses, serviceRoutes, routers, externals, declaredApps } = translation;
  const declared = [...declaredApps].map(([key, one]) => [key, appAt(one, now, before?.apps.get(key))] as const);
  const apps = shareMap(before?.apps, declared.length === 0 ? translation.apps : new Map([...translation.apps, ...declared]));
  const next = { apps, routers, externals, endpoints, addresses, serviceRoutes, captures: noCaptures, gateway };
  if (before !== undefined && sameFields({ ...next, revision: before.revision }, before)) return before;
  return { ...next, revision: (before?.revision ?? 0) + 1 };
}

/** When the World changes next by itself; undefined: never. */
export function nextChangeAt(declaredApps: ReadonlyMap<AppKey, DeclaredVersions>, now: number): number | undefined {
  const ticks = [...declaredApps.values()].flatMap(({ app }) => nextTickAt(app, now) ?? []);
  return ticks.length === 0 ? undefined : Math.min(...ticks);
}

function appAt({ app: declared, versions }: DeclaredVersions, now: number, before: App | undefined): App {
  const { namespace, app: name } = declared;
  const app: App = { namespace, name, versions: shareMap(before?.versions, versions), weights: shareMap(before?.weights, weightsAt(declared, now)) };
  return before !== undefined && sameFields(before, app) ? before : app;
}

/** Pods' listeners are the nodes' own business. */
const noCaptures: World["captures"] = [];

/** Of the cluster's own gateway only what names it gives counts: its sockets are those of its pods. */
export function clusterGateway(domain: string): World["gateway"] {
  return { address: "", port: publicPort, socketDir: "", domain };
}
