/**
 * Writes several objects as one change: each must still be what the snapshot said, the API server tries them all without keeping any, then they are
 * written one after the other, and when one fails those before it are taken back. Objects are replaced whole, with the resource version that was read:
 * so what a put says is what is there afterwards, and nobody's change is lost. (Server-side apply would leave fields that another manager wrote.)
 */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import type { Declared } from "../../model/declared.ts";
import { type ClusterKind, clusterKinds, dataKindLabel, stackLabel } from "../../model/declared-kinds.ts";
import type { ApiError, ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { type Raw, record, text, textMap } from "../../providers/kubernetes/readers.ts";
import {
  type ClusterPut,
  type DeclaredObject,
  declaredObject,
  declaredReaders,
  type KubeDeclared,
  namespaceOf,
  objectName,
  putOf,
  sameObject,
} from "../../providers/kubernetes/translate-declared.ts";
import { problemOfApi } from "./api-problem.ts";

/** One object's change: from what the snapshot knows of it to what it should be. */
export interface ObjectWrite {
  readonly kind: ClusterKind;
  readonly key: string;
  /** Absent: it did not exist. */
  readonly known?: KubeDeclared;
  /** Absent: it is deleted. */
  readonly put?: ClusterPut;
}

/** What a write left behind. */
export interface Written {
  readonly write: ObjectWrite;
  /** Of the object, also of one that was deleted. */
  readonly uid: string;
  /** Resource version of the object as it was written; absent: it was deleted. */
  readonly version?: string;
}

type Client = Pick<KubeClient, "get" | "create" | "replace" | "delete">;

/** A write with the object as it is. */
interface Prepared {
  readonly write: ObjectWrite;
  readonly live: Raw | undefined;
}

const mostTries = 5;
const atATime = 10;

/** Carries out all of `writes`, or nothing. Problems: `conflict`, `object-foreign`, those of the API server, `undo-incomplete`. */
export async function writeObjects(client: Client, writes: readonly ObjectWrite[]): Promise<Result<readonly Written[]>> {
  const prepared = await forAll(writes, (write) => prepare(client, write));
  if (!prepared.ok) return prepared;
  const tried = await forAll(prepared.value, (one) => trial(client, one));
  if (!tried.ok) return tried;
  const done: { readonly prepared: Prepared; readonly written: Written }[] = [];
  for (const one of inOrder(prepared.value)) {
    const result = await carryOut(client, one);
    if (!result.ok) return failed(...result.problems, ...(await takeBack(client, done)));
    done.push({ prepared: one, written: result.value });
  }
  return ok(done.map(({ written }) => written));
}

/** What others need comes first and goes last. */
function inOrder(all: readonly Prepared[]): readonly Prepared[] {
  const kinds = Object.keys(clusterKinds);
  const sorted = all.toSorted((a, b) => kinds.indexOf(a.write.kind) - kinds.indexOf(b.write.kind));
  return [...sorted.filter(({ write }) => write.put !== undefined), ...sorted.filter(({ write }) => write.put === undefined).toReversed()];
}

/** Some at a time; all problems at once. */
async function forAll<T, R>(items: readonly T[], work: (item: T) => Promise<Result<R>>): Promise<Result<readonly R[]>> {
  const results: Result<R>[] = [];
  for (let at = 0; at < items.length; at += atATime) results.push(...(await Promise.all(items.slice(at, at + atATime).map(work))));
  const problems = results.flatMap((result) => (result.ok ? [] : result.problems));
  return problems.length > 0 ? failed(...problems) : ok(results.flatMap((result) => (result.ok ? [result.value] : [])));
}

function placeOf({ kind, key }: ObjectWrite): ObjectPlace {
  return { kind: clusterKinds[kind], namespace: namespaceOf(key), name: objectName(key) };
}

function nameOf({ kind, key }: ObjectWrite): string {
  return `${clusterKinds[kind].kind} ${namespaceOf(key)}/${objectName(key)}`;
}

/** Reads the object and checks that it still is what the snapshot knows. */
async function prepare(client: Client, write: ObjectWrite): Promise<Result<Prepared>> {
  const live = await client.get(placeOf(write));
  if (!live.ok && live.error.kind !== "notFound") return failed(problemOfApi(live.error, `reading ${nameOf(write)}`));
  const now = live.ok ? record(live.value) : undefined;
  const problem = whyNotThatOne(write, now);
  return problem === undefined ? ok({ write, live: now }) : failed(problem);
}

function whyNotThatOne(write: ObjectWrite, live: Raw | undefined): Problem | undefined {
  const { known, kind } = write;
  if (known === undefined) return live === undefined ? undefined : isOurs(kind, live) ? conflict(write, "exists already") : foreign(write);
  if (live === undefined) return conflict(write, "was removed meanwhile");
  const now = declaredReaders[kind](live);
  if (now.terminating) return conflict(write, "is being deleted");
  // What only its status or others' metadata says is no change of what is declared.
  return now.uid === known.uid && (now.resourceVersion === known.resourceVersion || sameWish(now, known))
    ? undefined
    : conflict(write, "has changed meanwhile");
}

function sameWish(a: KubeDeclared, b: KubeDeclared): boolean {
  const of = ({ object }: { readonly object?: Declared }): string => canonicalJson({ stack: object?.stack ?? "", value: object?.value ?? null });
  return a.object !== undefined && of(a) === of(b);
}

function isOurs(kind: ClusterKind, live: Raw): boolean {
  return (kind !== "config" && kind !== "secret") || textMap(record(live["metadata"])["labels"])[dataKindLabel] === kind;
}

function conflict(write: ObjectWrite, what: string): Problem {
  return { code: "conflict", message: `${nameOf(write)} ${what}`, hint: "look at it again, then repeat the command" };
}

function foreign(write: ObjectWrite): Problem {
  const [resource, namespace, name] = [clusterKinds[write.kind].kind.toLowerCase(), namespaceOf(write.key), objectName(write.key)];
  return {
    code: "object-foreign",
    message: `there is a ${nameOf(write)} already, which is not Weir's`,
    hint: `choose another name, or hand it over: kubectl label -n ${namespace} ${resource} ${name} ${dataKindLabel}=${write.kind}`,
  };
}

async function trial(client: Client, prepared: Prepared): Promise<Result<void>> {
  const result = await send(client, prepared, true);
  // Whoever changed its status between reading and trying is no reason to refuse; writing reads again.
  if (result.ok || (result.error.kind === "conflict" && prepared.live !== undefined)) return ok(undefined);
  return failed(refusal(prepared.write, result.error));
}

async function carryOut(client: Client, first: Prepared): Promise<Result<Written>> {
  let prepared = first;
  for (let tries = 1; ; tries += 1) {
    const result = await send(client, prepared, false);
    if (result.ok) return ok(writtenBy(prepared, result.value));
    const arrived = isSilence(result.error) ? await whatArrived(client, prepared) : undefined;
    if (arrived !== undefined) return ok(arrived);
    if (result.error.kind !== "conflict" || prepared.live === undefined || tries === mostTries) return failed(refusal(first.write, result.error));
    const again = await prepare(client, first.write);
    if (!again.ok) return again;
    prepared = again.value;
  }
}

function isSilence({ kind }: ApiError): boolean {
  return kind === "unavailable" || kind === "silent";
}

/** A request whose answer was lost may have been carried out: then the object is as it was to be. */
async function whatArrived(client: Client, prepared: Prepared): Promise<Written | undefined> {
  const { write } = prepared;
  const now = await client.get(placeOf(write));
  if (write.put === undefined) return !now.ok && now.error.kind === "notFound" ? writtenBy(prepared, undefined) : undefined;
  const read = now.ok ? declaredReaders[write.kind](now.value).object : undefined;
  return now.ok && read !== undefined && sameObject(putOf(read), write.put) ? writtenBy(prepared, now.value) : undefined;
}

function refusal(write: ObjectWrite, error: ApiError): Problem {
  const gone = error.kind === "notFound" && write.put === undefined;
  return gone ? conflict(write, "was removed meanwhile") : problemOfApi(error, `${write.put === undefined ? "deleting" : "writing"} ${nameOf(write)}`);
}

function writtenBy({ write, live }: Prepared, answer: unknown): Written {
  const { uid, resourceVersion } = record(record(write.put === undefined ? live : answer)["metadata"]);
  return { write, uid: text(uid) ?? "", ...(write.put === undefined ? {} : { version: text(resourceVersion) ?? "" }) };
}

function send(client: Client, { write, live }: Prepared, dryRun: boolean): Promise<ApiResult<unknown>> {
  const place = placeOf(write);
  if (write.put === undefined) return client.delete(place, { dryRun, uid: text(record(live?.["metadata"])["uid"]) ?? "" });
  const object = declaredObject(write.put);
  const { kind, namespace = "" } = place;
  return live === undefined ? client.create({ kind, namespace }, object, { dryRun }) : client.replace(place, replaced(live, object), { dryRun });
}

/** The object as it is, with what is declared in it: whatever else others wrote into its metadata stays. */
function replaced(live: Raw, { apiVersion, kind, metadata, ...content }: DeclaredObject): object {
  const { status: _status, data: _data, type, ...rest } = live;
  const own = record(live["metadata"]);
  const { [stackLabel]: _stack, ...labels } = textMap(own["labels"]);
  return {
    ...rest,
    apiVersion,
    kind,
    ...content,
    // A Secret's type cannot change.
    ...(type === undefined ? {} : { type }),
    metadata: { ...own, labels: { ...labels, ...metadata.labels } },
  };
}

/** Brings back what was there before. Problem: `undo-incomplete`, for what could not be. */
async function takeBack(client: Client, done: readonly { readonly prepared: Prepared; readonly written: Written }[]): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const { prepared, written } of done.toReversed()) {
    const result = await takeBackOne(client, prepared, written);
    if (!result.ok) problems.push(incomplete(prepared.write, result.error.message));
  }
  return problems;
}

async function takeBackOne(client: Client, { write, live }: Prepared, { version, uid }: Written): Promise<ApiResult<unknown>> {
  const place = placeOf(write);
  const { kind, namespace = "" } = place;
  if (live === undefined) return client.delete(place, { uid });
  const old = record(live["metadata"]);
  if (write.put === undefined) {
    const { uid: _uid, resourceVersion: _version, creationTimestamp: _time, generation: _generation, managedFields: _fields, ...metadata } = old;
    return client.create({ kind, namespace }, { ...live, metadata });
  }
  return client.replace(place, { ...live, metadata: { ...old, resourceVersion: version } });
}

function incomplete(write: ObjectWrite, why: string): Problem {
  const left = write.put === undefined ? "is deleted" : "has what was just written";
  return {
    code: "undo-incomplete",
    message: `${nameOf(write)} ${left}, and could not be brought back: ${why}`,
    hint: "repeat the command, or mend it by hand",
  };
}
