import { adoptedName } from "../../model/adopted.ts";
import type { Declared, DeclaredSnapshot, Write } from "../../model/declared.ts";
import type { VersionKey } from "../../model/names.ts";
import { settle } from "../../release/settle.ts";
import { usedData } from "../../release/template.ts";
import type { ApiContext, Observed, VolumeQuery } from "../context.ts";
import type { DownRequest, RemoveRequest, RemoveResult } from "../contract.ts";
import { areJobsGone } from "../job-views.ts";
import { type Found, findRef } from "../refs.ts";
import { need, Refusal, refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { downRequest, removeRequest } from "../schemas.ts";
import { deleteVolumes, keptVolumes, leftoverOwner, volumeOwners } from "../volumes.ts";
import { appsOf, areGone, isInEnvoy, observe } from "../waiting.ts";

type RemovableKind = "service" | "job" | "router" | "external" | "config" | "secret";
const removableKinds = ["service", "job", "router", "external", "config", "secret"] as const satisfies readonly RemovableKind[];

/** Longest drain and grace, and what it takes to say so. */
const goneTimeoutMs = 180_000;
/** `rm` answers when nobody gets there any more; replicas may still finish what they have. */
const unreachableTimeoutMs = 5000;

function objectsOf(found: Found): readonly Declared<RemovableKind>[] {
  return found.kind === "app" ? found.versions : [found.object];
}

function nameOf({ kind, key }: Declared): string {
  const name = key.slice(key.indexOf("/") + 1);
  return kind === "service" ? name : `${kind}/${name}`;
}

/** Refuses to take a config or secret from under a service that stays. */
function checkUnused(snapshot: DeclaredSnapshot, objects: readonly Declared[]): void {
  const leaving = new Set(objects.map((object) => `${object.kind} ${object.key}`));
  const users = [
    ...[...snapshot.objects.service.values()].map((object) => ({ object, made: object.value.service })),
    ...[...snapshot.objects.job.values()].map((object) => ({ object, made: object.value.job })),
  ];
  for (const { object: user, made } of users) {
    if (leaving.has(`${user.kind} ${user.key}`)) continue;
    for (const kind of ["config", "secret"] as const) {
      const used = usedData(snapshot, made, kind).find((object) => leaving.has(`${kind} ${object.key}`));
      if (used !== undefined) throw refuse("in-use", `${kind} ${used.value.name} is used by ${nameOf(user)}`, { hint: `remove ${nameOf(user)} first` });
    }
  }
}

/** Refuses to give a Service that stands in front of what was adopted back to it while other versions have the app's traffic. */
async function checkAdopted({ platform }: ApiContext, snapshot: DeclaredSnapshot, objects: readonly Declared[]): Promise<void> {
  const leaving = new Set(objects);
  const staying = [...snapshot.objects.service.values()].filter((object) => !leaving.has(object)).map(({ value }) => value.service);
  for (const object of objects) {
    if (object.kind !== "service" || !("service" in object.value) || object.value.service.adopted === undefined) continue;
    const { namespace, app, version, adopted } = object.value.service;
    const { kind, name } = adoptedName(adopted);
    const others = staying.filter((service) => service.namespace === namespace && service.app === app);
    if (others.length === 0 || others.some(({ adopted }) => adopted !== undefined)) continue;
    if ((await platform.hasOtherService?.(namespace, app)) !== true) continue;
    const message = `without ${app}@${version} the Service ${app} leads all callers to the ${kind} ${name} again, past ${others.map((one) => one.version).join(", ")}`;
    throw refuse("in-use", message, { hint: `leave it at 0 %, or first: kubectl delete service -n ${namespace} ${app}` });
  }
}

/** What was removed, and the version without it. */
interface Removal {
  readonly version: number;
  readonly removed: readonly string[];
  readonly keys: ReadonlySet<VersionKey>;
  readonly jobs: ReadonlySet<string>;
}

async function commitRemoval(context: ApiContext, objects: readonly Declared[], change: string): Promise<Removal> {
  const snapshot = context.store.snapshot.get();
  const unique = [...new Set(objects)];
  const deletes = unique.map(({ kind, key }): Write => ({ op: "delete", kind, key }));
  const settled = settle(snapshot, deletes, { now: context.clock.now(), change });
  const accepted = need(await context.store.commit([...settled, ...emptyStacks(snapshot, unique)]));
  return {
    version: accepted.version,
    removed: unique.map(nameOf).toSorted(),
    keys: new Set(unique.filter((object) => object.kind === "service").map((object) => object.key as VersionKey)),
    jobs: new Set(unique.filter((object) => object.kind === "job").map((object) => object.key)),
  };
}

/** Stacks that own nothing any more once `leaving` is gone. */
function emptyStacks(snapshot: DeclaredSnapshot, leaving: readonly Declared[]): readonly Write[] {
  const gone = new Set(leaving);
  const left = new Set(
    removableKinds.flatMap((kind) =>
      ([...snapshot.objects[kind].values()] as readonly Declared[]).filter((object) => !gone.has(object)).map((object) => object.stack),
    ),
  );
  return [...snapshot.objects.stack.keys()].filter((name) => !left.has(name)).map((key) => ({ op: "delete", kind: "stack", key }));
}

/** What the references name: objects and, with `volumes`, whose data is left of what is no longer declared. */
async function findAll(
  context: ApiContext,
  snapshot: DeclaredSnapshot,
  { namespace, refs, volumes = false }: RemoveRequest,
): Promise<{ readonly objects: readonly Declared<RemovableKind>[]; readonly leftovers: readonly VolumeQuery[] }> {
  const objects: Declared<RemovableKind>[] = [];
  const leftovers: VolumeQuery[] = [];
  for (const ref of refs) {
    try {
      objects.push(...objectsOf(findRef(snapshot, ref, namespace)));
    } catch (error) {
      const owner = volumes && error instanceof Refusal ? await leftoverOwner(context, ref, namespace) : undefined;
      if (owner === undefined) throw error;
      leftovers.push(owner);
    }
  }
  return { objects, leftovers };
}

async function remove(context: ApiContext, request: RemoveRequest, signal: AbortSignal): Promise<RemoveResult> {
  const { refs, volumes = false } = request;
  const snapshot = context.store.snapshot.get();
  const { objects, leftovers } = await findAll(context, snapshot, request);
  checkUnused(snapshot, objects);
  await checkAdopted(context, snapshot, objects);
  const owners = [...volumeOwners(objects), ...leftovers];
  if (objects.length === 0) return { removed: [], volumes: await deleteVolumes(context, owners) };
  const { version, removed, keys } = await commitRemoval(context, objects, `rm ${refs.join(" ")}`);
  if (volumes && owners.length > 0) {
    await untilGone(context, signal, (now) => areGone(now, version, keys));
    return { removed, volumes: await deleteVolumes(context, owners) };
  }
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(unreachableTimeoutMs)]);
  const left = [...keys].map((key) => `service ${key}`);
  await observe(context, deadline, (now) => now.declared.version >= version && isInEnvoy(now, [...appsOf([...keys]), ...left]));
  return { removed, volumes: await keptVolumes(context, owners) };
}

async function untilGone(context: ApiContext, signal: AbortSignal, isGone: (now: Observed) => boolean): Promise<void> {
  const gone = await observe(context, AbortSignal.any([signal, AbortSignal.timeout(goneTimeoutMs)]), isGone);
  if (gone !== undefined) return;
  throw refuse("still-ending", "removed, but not everything has ended yet; volumes are kept", { hint: "`weir system stop` ends it", status: 503 });
}

function downObjects(snapshot: DeclaredSnapshot, { stack, namespace, all }: DownRequest): readonly Declared[] {
  const objects = removableKinds.flatMap((kind) => [...snapshot.objects[kind].values()] as readonly Declared[]);
  if (all) return objects;
  if (stack !== undefined) {
    if (!snapshot.objects.stack.has(stack))
      throw refuse("stack-unknown", `there is no stack ${stack}`, { hint: `known are: ${[...snapshot.objects.stack.keys()].join(", ") || "none"}` });
    return objects.filter((object) => object.stack === stack);
  }
  const prefix = `${namespace ?? "default"}/`;
  return objects.filter((object) => object.key.startsWith(prefix));
}

async function down(context: ApiContext, request: DownRequest, signal: AbortSignal): Promise<RemoveResult> {
  const objects = downObjects(context.store.snapshot.get(), request);
  const { version, removed, keys, jobs } = await commitRemoval(context, objects, "down");
  await untilGone(context, signal, (now) => {
    if (!areGone(now, version, keys) || !areJobsGone(now, jobs)) return false;
    return !request.all || isEmpty(now.replicas.workloads, now.replicas.replicas);
  });
  const owners = volumeOwners(objects);
  return { removed, volumes: request.volumes === true ? await deleteVolumes(context, owners) : await keptVolumes(context, owners) };
}

function isEmpty(...maps: readonly ReadonlyMap<unknown, unknown>[]): boolean {
  return maps.every((map) => map.size === 0);
}

export const removeRoutes = [
  route("POST /v1/rm", {
    summary: "Removes objects; answers when nobody can reach them any more",
    body: removeRequest,
    handle: (context, { body, signal }) => remove(context, body, signal),
  }),
  route("POST /v1/down", {
    summary: "Removes a stack, a namespace or everything; answers when it is gone",
    body: downRequest,
    handle: (context, { body, signal }) => down(context, body, signal),
  }),
];
