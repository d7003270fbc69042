/** The few requests to an API server that Weir needs. Refusals and broken connections are values. */
import type { IncomingMessage } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import type { ClusterAccess } from "./access.ts";
import { type ApiError, type ApiResult, apiError, connectionError, statusError } from "./api-error.ts";
import { readJson, send } from "./http.ts";
import { list, record, text } from "./readers.ts";
import { Watchdog } from "./watchdog.ts";
import { fieldManager } from "./workload-objects.ts";

/** A kind of object as its address has it: `{group: "apps", version: "v1", resource: "deployments"}`; the core group is "". */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface ObjectPlace {
  readonly kind: ResourceKind;
  /** Absent: of no namespace. */
  readonly namespace?: string;
  readonly name: string;
  readonly subresource?: string;
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labels?: string;
  readonly fields?: string;
}

export interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Asks for the next page; absent: this is the last. */
  readonly next?: string;
}

export interface WatchEvent {
  readonly type: "added" | "modified" | "deleted" | "bookmark";
  readonly object: unknown;
}

/** `open`: the API server accepted the watch. After `failed` nothing comes. */
export type WatchNews =
  | { readonly kind: "open" }
  | { readonly kind: "events"; readonly events: readonly WatchEvent[] }
  | { readonly kind: "failed"; readonly error: ApiError };

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface KubeClientOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  /** A request fails when nothing is heard for so long. Default 60 s. */
  readonly patienceMs?: number;
}

export interface WriteOptions {
  /** Everything is checked, nothing is kept. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

const userAgent = "weir";

export class KubeClient {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  readonly #patienceMs: number;

  constructor({ access, clock, patienceMs = 60_000 }: KubeClientOptions) {
    this.#access = access;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** One page of a kind's objects, consistent and the newest. */
  async list(
    kind: ResourceKind,
    options: Selection & { readonly limit?: number; readonly next?: string; readonly signal?: AbortSignal } = {},
  ): Promise<ApiResult<ListPage>> {
    const query = { ...selectors(options), limit: options.limit, continue: options.next };
    const result = await this.#call({ method: "GET", path: collectionPath(kind, options.namespace), query }, options.signal);
    if (!result.ok) return result;
    const body = record(result.value);
    const meta = record(body["metadata"]);
    const next = text(meta["continue"]);
    return {
      ok: true,
      value: { items: list(body["items"]), resourceVersion: text(meta["resourceVersion"]) ?? "", ...(next === undefined ? {} : { next }) },
    };
  }

  /** What happens after `resourceVersion`, until the API server ends it, which it does after `seconds`, or `signal` aborts. */
  async *watch(
    kind: ResourceKind,
    options: Selection & { readonly resourceVersion: string; readonly seconds: number; readonly patienceMs: number; readonly signal: AbortSignal },
  ): AsyncGenerator<WatchNews, void, void> {
    const { resourceVersion, seconds, patienceMs, signal } = options;
    const query = { ...selectors(options), watch: true, resourceVersion, timeoutSeconds: seconds, allowWatchBookmarks: true };
    const dog = new Watchdog(this.#clock, patienceMs, signal);
    try {
      const response = await this.#send({ method: "GET", path: collectionPath(kind, options.namespace), query }, dog.signal);
      if (response.statusCode !== 200) {
        yield { kind: "failed", error: await refusal(response) };
        return;
      }
      dog.heard();
      yield { kind: "open" };
      for await (const lines of linesOf(response)) {
        dog.heard();
        const { events, error } = readEvents(lines);
        if (events.length > 0) yield { kind: "events", events };
        if (error === undefined) continue;
        yield { kind: "failed", error };
        return;
      }
    } catch (error) {
      if (!signal.aborted) yield { kind: "failed", error: dog.expired ? silence(patienceMs) : connectionError(error) };
    } finally {
      dog.abort();
    }
  }

  /** Reads one object. */
  get(place: ObjectPlace, signal?: AbortSignal): Promise<ApiResult<unknown>> {
    return this.#call({ method: "GET", path: objectPath(place) }, signal);
  }

  /**
   * Server-side apply: `object` (with apiVersion and kind) says all fields that are Weir's; those it said before and says no longer are taken away.
   * `force` takes fields that others own; else they are a `conflict`. `manager` is who says it, `weir` if nothing is said.
   */
  apply(
    place: ObjectPlace,
    object: unknown,
    options: WriteOptions & { readonly force?: boolean; readonly manager?: string } = {},
  ): Promise<ApiResult<unknown>> {
    const query = { fieldManager: options.manager ?? fieldManager, force: options.force ?? false, ...dryRun(options) };
    // JSON is YAML, too.
    return this.#call({ method: "PATCH", path: objectPath(place), query, body: object, contentType: "application/apply-patch+yaml" }, options.signal);
  }

  /** Creates an object, or asks for a review (TokenReview, SelfSubjectAccessReview …), which answers in the object's status. */
  create(place: Omit<ObjectPlace, "name"> & { readonly name?: string }, object: unknown, options: WriteOptions = {}): Promise<ApiResult<unknown>> {
    const { kind, namespace, name } = place;
    const path = name === undefined ? collectionPath(kind, namespace) : objectPath({ ...place, name });
    return this.#call({ method: "POST", path, query: { fieldManager, ...dryRun(options) }, body: object }, options.signal);
  }

  /** Replaces an object whole; with a resourceVersion in its metadata only the one of that version, else it is a `conflict`. */
  replace(place: ObjectPlace, object: unknown, options: WriteOptions = {}): Promise<ApiResult<unknown>> {
    return this.#call({ method: "PUT", path: objectPath(place), query: { fieldManager, ...dryRun(options) }, body: object }, options.signal);
  }

  /** Deletes an object; `uid`: only if it is still that one. `propagation` says what becomes of what belongs to it (default: deleted soon after). */
  delete(
    place: ObjectPlace,
    options: WriteOptions & { readonly propagation?: "Background" | "Foreground" | "Orphan"; readonly uid?: string } = {},
  ): Promise<ApiResult<unknown>> {
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: options.propagation ?? "Background",
      ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
      // Beside a body the API server takes no notice of the query: without this it would really delete.
      ...(options.dryRun === true ? { dryRun: ["All"] } : {}),
    };
    return this.#call({ method: "DELETE", path: objectPath(place), query: dryRun(options), body }, options.signal);
  }

  /** Reads a plain path: `/version`, `/readyz`. */
  read(path: string, signal?: AbortSignal): Promise<ApiResult<unknown>> {
    return this.#call({ method: "GET", path }, signal);
  }

  /** Reads what is no JSON: `/api/v1/namespaces/NAMESPACE/pods/NAME/log`. */
  async readText(path: string, query: Query = {}, signal?: AbortSignal): Promise<ApiResult<string>> {
    const dog = new Watchdog(this.#clock, this.#patienceMs, signal);
    try {
      const response = await this.#send({ method: "GET", path, query }, dog.signal);
      if (response.statusCode !== 200) return { ok: false, error: await refusal(response) };
      response.setEncoding("utf8");
      let read = "";
      for await (const piece of response) {
        dog.heard();
        read += String(piece);
      }
      return { ok: true, value: read };
    } catch (error) {
      return { ok: false, error: dog.expired ? silence(this.#patienceMs) : connectionError(error) };
    } finally {
      dog.close();
    }
  }

  /** Reads lines as they come, for as long as the API server sends any, which may be never: until it ends, the connection breaks or `signal` aborts. A refusal has no lines. */
  async *follow(path: string, query: Query, signal: AbortSignal): AsyncGenerator<string, void, void> {
    try {
      const response = await this.#send({ method: "GET", path, query }, signal);
      if (response.statusCode !== 200) {
        response.resume();
        return;
      }
      for await (const lines of linesOf(response)) yield* lines;
    } catch {
      // Whoever wants more asks again.
    }
  }

  async #call(call: Call, signal?: AbortSignal): Promise<ApiResult<unknown>> {
    const dog = new Watchdog(this.#clock, this.#patienceMs, signal);
    try {
      const response = await this.#send(call, dog.signal);
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) return { ok: false, error: await refusal(response) };
      return { ok: true, value: await readJson(response, () => dog.heard()) };
    } catch (error) {
      return { ok: false, error: dog.expired ? silence(this.#patienceMs) : connectionError(error) };
    } finally {
      dog.close();
    }
  }

  /** Sends with the credentials of now; refused ones are replaced once. */
  async #send(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const request = { ...call, server: this.#access.server, headers: { "user-agent": userAgent } };
    const response = await send({ ...request, credentials: await this.#access.credentials(false) }, signal);
    if (response.statusCode !== 401) return response;
    response.resume();
    return send({ ...request, credentials: await this.#access.credentials(true) }, signal);
  }
}

function dryRun(options: WriteOptions): Query {
  return options.dryRun === true ? { dryRun: "All" } : {};
}

function selectors({ labels, fields }: Selection): Query {
  return { labelSelector: labels, fieldSelector: fields };
}

function collectionPath({ group, version, resource }: ResourceKind, namespace: string | undefined): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace === undefined ? `${root}/${resource}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${resource}`;
}

function objectPath({ kind, namespace, name, subresource }: ObjectPlace): string {
  const own = `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? own : `${own}/${subresource}`;
}

async function refusal(response: IncomingMessage): Promise<ApiError> {
  const body = await readJson(response, () => {}).catch(() => undefined);
  return apiError(response.statusCode ?? 0, body, response.headers["retry-after"]);
}

function silence(patienceMs: number): ApiError {
  return { kind: "silent", message: `the API server said nothing for ${Math.round(patienceMs / 1_000)} s` };
}

const eventTypes: Readonly<Record<string, WatchEvent["type"]>> = { ADDED: "added", MODIFIED: "modified", DELETED: "deleted", BOOKMARK: "bookmark" };

/** The events of some lines, up to the first error. */
function readEvents(lines: readonly string[]): { readonly events: readonly WatchEvent[]; readonly error?: ApiError } {
  const events: WatchEvent[] = [];
  for (const line of lines) {
    const raw = record(JSON.parse(line));
    const type = eventTypes[text(raw["type"]) ?? ""];
    if (type === undefined) return { events, error: statusError(raw["object"]) };
    events.push({ type, object: raw["object"] });
  }
  return { events };
}

/** The whole lines of each piece that arrives. A last line without an end was cut off, and is left out. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<readonly string[], void, void> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const piece of response) {
    const lines = (rest + String(piece)).split("\n");
    rest = lines.pop() ?? "";
    const whole = lines.filter((line) => line !== "");
    if (whole.length > 0) yield whole;
  }
}
