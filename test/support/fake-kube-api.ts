/** An API server that keeps objects in memory and can be made to misbehave: lists, pages, watches, bookmarks, expired versions. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

interface Happened {
  readonly version: number;
  readonly resource: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: FakeObject;
}

interface Watcher {
  readonly resource: string;
  readonly response: ServerResponse;
  /** Nothing is sent any more, as over a connection whose other end has vanished. */
  deaf: boolean;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export class FakeKubeApi {
  #server: Server | undefined;
  #port = 0;
  #version = 100;
  #oldest = 0;
  #uids = 0;
  readonly #objects = new Map<string, Map<string, FakeObject>>();
  #history: Happened[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly requests: SeenRequest[] = [];
  /** Every event is sent so many times. */
  copies = 1;
  onConnection: () => void = () => {};
  /** Lists wait for it. */
  listGate: Promise<void> = Promise.resolve();
  /** Answers other requests, or instead of the usual answer. */
  answer: (request: SeenRequest) => { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> } | undefined = () =>
    undefined;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get watching(): number {
    return this.#watchers.size;
  }

  /** Lists and watches so far. */
  count(kind: "list" | "watch"): number {
    return this.requests.filter(({ method, url }) => method === "GET" && url.searchParams.has("watch") === (kind === "watch")).length;
  }

  /** Listens, on the port of before if there was one. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#handle(request, response));
    server.on("connection", () => this.onConnection());
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  put(resource: string, object: FakeObject): void {
    const objects = this.#of(resource);
    const key = keyOf(object);
    const before = objects.get(key);
    this.#version += 1;
    const uid = object.metadata.uid ?? before?.metadata.uid ?? `uid-${(this.#uids += 1)}`;
    const kept = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(this.#version) } };
    objects.set(key, kept);
    this.#happen(resource, before === undefined ? "ADDED" : "MODIFIED", kept);
  }

  remove(resource: string, key: string): void {
    const before = this.#of(resource).get(key);
    if (before === undefined) return;
    this.#of(resource).delete(key);
    this.#version += 1;
    this.#happen(resource, "DELETED", { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } });
  }

  all(resource: string): readonly FakeObject[] {
    return [...this.#of(resource).values()];
  }

  bookmark(): void {
    this.#version += 1;
    for (const watcher of this.#watchers) this.#send(watcher, "BOOKMARK", { metadata: { name: "", resourceVersion: String(this.#version) } });
  }

  /** Forgets what happened: older versions are gone. */
  compact(): void {
    this.#history = [];
    this.#oldest = this.#version;
  }

  /** Tells watchers that their version is gone, as servers do in the middle of a watch. */
  expireWatches(): void {
    for (const watcher of this.#watchers) this.#send({ ...watcher, deaf: false }, "ERROR", { ...gone, metadata: { name: "" } });
    this.endWatches();
  }

  /** Ends watches as a server does when their time is over. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  /** Cuts watches off in the middle of a line. */
  breakWatches(): void {
    for (const { response } of this.#watchers) {
      response.write('{"type":"ADD');
      response.destroy();
    }
    this.#watchers.clear();
  }

  /** The watches of now stay open and get nothing any more. */
  deafen(): void {
    for (const watcher of this.#watchers) watcher.deaf = true;
  }

  #of(resource: string): Map<string, FakeObject> {
    const objects = this.#objects.get(resource) ?? new Map<string, FakeObject>();
    this.#objects.set(resource, objects);
    return objects;
  }

  #happen(resource: string, type: Happened["type"], object: FakeObject): void {
    this.#history.push({ version: this.#version, resource, type, object });
    for (const watcher of this.#watchers) if (watcher.resource === resource) this.#send(watcher, type, object);
  }

  #send({ response, deaf }: Watcher, type: string, object: FakeObject): void {
    if (!deaf) response.write(`${JSON.stringify({ type, object })}\n`.repeat(this.copies));
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of incoming) body += String(piece);
    const request = { method: incoming.method ?? "", url: new URL(incoming.url ?? "/", this.url), headers: incoming.headers, body };
    this.requests.push(request);
    const said = this.answer(request);
    if (said !== undefined) respond(outgoing, said.status, said.body, said.headers);
    else if (request.url.searchParams.has("watch")) this.#watch(request.url, outgoing);
    else await this.#list(request.url, outgoing);
  }

  async #list(url: URL, outgoing: ServerResponse): Promise<void> {
    const all = [...this.#of(resourceOf(url)).values()];
    const version = this.#version;
    await this.listGate;
    const [from, snapshot] = (url.searchParams.get("continue") ?? `0 ${version}`).split(" ").map(Number) as [number, number];
    if (snapshot < this.#oldest) return respond(outgoing, 410, gone);
    const limit = Number(url.searchParams.get("limit") ?? all.length);
    const more = from + limit < all.length ? { continue: `${from + limit} ${snapshot}` } : {};
    respond(outgoing, 200, { metadata: { resourceVersion: String(snapshot), ...more }, items: all.slice(from, from + limit) });
  }

  #watch(url: URL, outgoing: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    if (from < this.#oldest) return respond(outgoing, 410, gone);
    const watcher: Watcher = { resource: resourceOf(url), response: outgoing, deaf: false };
    outgoing.writeHead(200, { "content-type": "application/json" });
    outgoing.flushHeaders();
    this.#watchers.add(watcher);
    outgoing.on("close", () => this.#watchers.delete(watcher));
    for (const { version, resource, type, object } of this.#history) if (version > from && resource === watcher.resource) this.#send(watcher, type, object);
  }
}

const gone = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };

function respond(outgoing: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  outgoing.writeHead(status, { "content-type": "application/json", ...headers });
  outgoing.end(JSON.stringify(body));
}

function resourceOf(url: URL): string {
  return url.pathname.split("/").at(-1) ?? "";
}

function keyOf({ metadata }: FakeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
