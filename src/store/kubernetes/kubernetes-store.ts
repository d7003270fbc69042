/** What is declared, kept by a cluster's API server: reading never waits, whoever else applies objects is seen, a commit is there when it resolves. */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import type { DeclaredBatch, DeclaredChange, DeclaredSnapshot, DeclaredStore, Write } from "../../model/declared.ts";
import { type ClusterKind, clusterKinds, isClusterKind } from "../../model/declared-kinds.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { Reflector } from "../../providers/kubernetes/reflector.ts";
import {
  declaredReaders,
  declaredSelection,
  type KubeDeclared,
  namespaceOf,
  objectName,
  putOf,
  sameObject,
} from "../../providers/kubernetes/translate-declared.ts";
import { ChangeLog } from "../change-log.ts";
import { applyWrites } from "../commit.ts";
import { problemOfApi } from "./api-problem.ts";
import { type Assembled, allKinds, assemble, type ClusterObjects, nothingAssembled, type SeenStatuses } from "./assemble.ts";
import { type ObjectWrite, type Written, writeObjects } from "./write-objects.ts";

export interface KubernetesStoreOptions {
  readonly client: Pick<KubeClient, "list" | "watch" | "get" | "create" | "replace" | "delete">;
  /** Absent: the whole cluster, which takes the right to list everywhere. */
  readonly namespaces?: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1: spreads the retries of many. */
  readonly random: () => number;
}

/** The store's objects at one moment, with what the control plane says of them. */
export interface StoreView {
  readonly declared: DeclaredSnapshot;
  readonly statuses: SeenStatuses;
  /** Of objects that do not fit, which are not in the snapshot. */
  readonly problems: readonly Problem[];
  /** Why the API server is not heard of now; undefined: it is. */
  readonly silentBecause?: string;
}

interface KindReflector {
  readonly kind: ClusterKind;
  readonly reflector: Reflector<KubeDeclared>;
}

/** What a commit starts from. */
interface Base {
  readonly snapshot: DeclaredSnapshot;
  readonly objects: ClusterObjects;
}

/** After one look at what changed the next takes so long; what happens meanwhile is in it. */
const restMs = 20;
const syncTimeoutMs = 30_000;
/** Longest wait for our own writes to come back to us. */
const seenTimeoutMs = 30_000;

/**
 * Connects to what is declared and returns when all of it is known; it stays current until `signal` aborts.
 * Problems: `weir-not-installed` (the cluster does not know weir.dev), `cluster-forbidden`, `cluster-unauthorized`, `cluster-unreachable`.
 */
export async function openKubernetesStore(options: KubernetesStoreOptions, signal: AbortSignal): Promise<Result<KubernetesStore>> {
  const store = new KubernetesStore(options);
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  void store.start(either);
  const synced = store.untilSynced(AbortSignal.any([either, AbortSignal.timeout(syncTimeoutMs)]));
  const refused = await tryToList(options);
  if (refused === undefined && (await synced)) return ok(store);
  end.abort();
  const silent = store.trouble ?? "the API server does not answer";
  return failed(refused ?? { code: "cluster-unreachable", message: silent, hint: "see whether `kubectl version` answers" });
}

/** One request that says at once why none of them can succeed. */
async function tryToList({ client, namespaces }: KubernetesStoreOptions): Promise<Problem | undefined> {
  const [namespace] = namespaces ?? [];
  const page = await client.list(clusterKinds.service, { limit: 1, ...(namespace === undefined ? {} : { namespace }) });
  if (page.ok) return undefined;
  if (page.error.kind !== "notFound") return problemOfApi(page.error, "listing versions");
  return { code: "weir-not-installed", message: "the cluster does not know weir.dev", hint: "`weir install` puts Weir on it" };
}

export class KubernetesStore implements DeclaredStore {
  readonly #options: KubernetesStoreOptions;
  readonly #reflectors: readonly KindReflector[];
  readonly #snapshot = new Cell<DeclaredSnapshot>(nothingAssembled.declared);
  readonly #view = new Cell<StoreView>({ declared: nothingAssembled.declared, statuses: nothingAssembled.statuses, problems: [] });
  #assembled: Assembled = nothingAssembled;
  /** What it was assembled from. */
  #objects: ClusterObjects = {
    config: new Map(),
    secret: new Map(),
    external: new Map(),
    service: new Map(),
    app: new Map(),
    job: new Map(),
    router: new Map(),
  };
  #log: ChangeLog | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KubernetesStoreOptions) {
    this.#options = options;
    this.#reflectors = (options.namespaces ?? [undefined]).flatMap((namespace) =>
      allKinds.map((kind) => ({ kind, reflector: this.#reflect(kind, namespace) })),
    );
  }

  get snapshot(): Readable<DeclaredSnapshot> {
    return this.#snapshot;
  }

  /** The snapshot and what the control plane says of its objects, of the same moment. */
  get view(): Readable<StoreView> {
    return this.#view;
  }

  /** One line why not everything can be read now; undefined: it can. */
  get trouble(): string | undefined {
    const silent = this.#reflectors.find(({ reflector }) => !reflector.state.get().connected);
    return silent === undefined ? undefined : `${clusterKinds[silent.kind].resource}: ${silent.reflector.state.get().reason ?? "not connected"}`;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const reflectors = this.#reflectors.map(({ reflector }) => reflector);
    const step = async (): Promise<void> => {
      if (this.#look()) await clock.sleep(restMs, signal);
    };
    const looks = runLoop({ sources: reflectors.map(({ state }) => state), clock, log, step }, signal);
    await Promise.all([...reflectors.map((reflector) => reflector.start(signal)), looks]);
  }

  /** Whether everything was listed once before `signal` aborted. */
  async untilSynced(signal: AbortSignal): Promise<boolean> {
    for await (const _ of this.#view.watch(signal)) if (this.#log !== undefined) return true;
    return false;
  }

  /** One after the other. Problems: those of `DeclaredStore`, `object-foreign`, `undo-incomplete`, and the API server's. */
  commit(writes: readonly Write[]): Promise<Result<DeclaredSnapshot>> {
    // Of now: what the writes were planned with, however long they wait for their turn.
    const base = { snapshot: this.#snapshot.get(), objects: this.#objects };
    const mine = this.#last.then(() => this.#commit(writes, base));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  watch(from: number, signal: AbortSignal): AsyncGenerator<DeclaredBatch, void, void> {
    return (this.#log ?? new ChangeLog(this.#assembled.declared.version)).watch(from, signal);
  }

  #reflect(kind: ClusterKind, namespace: string | undefined): Reflector<KubeDeclared> {
    const selection = { ...declaredSelection(kind), ...(namespace === undefined ? {} : { namespace }) };
    const { client, clock, log, random } = this.#options;
    const read: (raw: unknown) => KubeDeclared = declaredReaders[kind];
    // Who may only look may not look at Secrets.
    const mayBeMissing = kind === "secret" || kind === "config";
    return new Reflector({ client, kind: clusterKinds[kind], read, selection, mayBeMissing, clock, log, random });
  }

  /** Takes in what the reflectors know; whether there was anything new. */
  #look(): boolean {
    if (!this.#reflectors.every(({ reflector }) => reflector.state.get().synced)) return false;
    const before = this.#assembled;
    this.#objects = this.#reflected();
    const next = assemble(before, this.#objects);
    this.#assembled = next;
    if (this.#log === undefined) this.#log = new ChangeLog(next.declared.version);
    else if (next.changes.length > 0) this.#log.append({ snapshot: next.declared, changes: next.changes });
    if (next.declared !== before.declared) this.#snapshot.set(next.declared);
    const reason = this.trouble;
    this.#view.set({
      declared: next.declared,
      statuses: next.statuses,
      problems: next.problems,
      ...(reason === undefined ? {} : { silentBecause: reason }),
    });
    return true;
  }

  #reflected(): ClusterObjects {
    const byKind = Map.groupBy(this.#reflectors, ({ kind }) => kind);
    const of = (kind: ClusterKind): ReadonlyMap<string, KubeDeclared> =>
      new Map((byKind.get(kind) ?? []).flatMap(({ reflector }) => [...reflector.state.get().objects]));
    return {
      config: of("config"),
      secret: of("secret"),
      external: of("external"),
      service: of("service"),
      app: of("app"),
      job: of("job"),
      router: of("router"),
    };
  }

  async #commit(writes: readonly Write[], { snapshot, objects }: Base): Promise<Result<DeclaredSnapshot>> {
    const wanted = applyWrites(snapshot, writes, this.#options.clock.now());
    if (!wanted.ok) return wanted;
    const unseen = this.#unseenNamespaces(wanted.value.changes);
    if (unseen.length > 0) return failed(...unseen);
    const written = await writeObjects(
      this.#options.client,
      wanted.value.changes.flatMap((change) => objectWrite(objects, change)),
    );
    if (!written.ok) return written;
    return this.#untilSeen(written.value);
  }

  /** What this store does not look at it cannot change: nobody would know what was there. */
  #unseenNamespaces(changes: readonly DeclaredChange[]): readonly Problem[] {
    const { namespaces } = this.#options;
    if (namespaces === undefined) return [];
    const touched = new Set(changes.filter(({ kind }) => isClusterKind(kind)).map(({ key }) => namespaceOf(key)));
    return [...touched].filter((name) => !namespaces.includes(name)).map((name) => unseenNamespace(name, namespaces));
  }

  /** Waits until what was written has come back. */
  async #untilSeen(written: readonly Written[]): Promise<Result<DeclaredSnapshot>> {
    for await (const _ of this.#view.watch(AbortSignal.timeout(seenTimeoutMs))) {
      const objects = this.#reflected();
      if (!written.every((one) => isSeen(objects, one))) continue;
      // The reflectors know it; the next look has it at the latest.
      this.#look();
      return ok(this.#snapshot.get());
    }
    return failed({ code: "cluster-behind", message: "it is written, but the API server does not show it yet", hint: "look again in a moment" });
  }
}

function unseenNamespace(name: string, namespaces: readonly string[]): Problem {
  return {
    code: "namespace-unseen",
    message: `it would change the namespace ${name}, and you may not look at all namespaces, only at ${namespaces.join(", ")}`,
    hint: `do it in one command for each namespace (-n ${name}), or ask for the right to list weir.dev in all of them`,
  };
}

function nameIn(key: string): string {
  return `${namespaceOf(key)}/${objectName(key)}`;
}

/** What a change of the snapshot is on the cluster: nothing for stacks and addresses, and where only places in files differ. */
function objectWrite(objects: ClusterObjects, { kind, key, object }: DeclaredChange): readonly ObjectWrite[] {
  if (!isClusterKind(kind)) return [];
  const known = objects[kind].get(nameIn(key));
  const put = object === undefined ? undefined : putOf(object);
  if (put === undefined) return known === undefined ? [] : [{ kind, key, known }];
  const now = known?.object === undefined ? undefined : putOf(known.object);
  if (now !== undefined && sameObject(now, put)) return [];
  return [{ kind, key, put, ...(known === undefined ? {} : { known }) }];
}

function isSeen(objects: ClusterObjects, { write, version, uid }: Written): boolean {
  const now = objects[write.kind].get(nameIn(write.key));
  if (version === undefined) return now === undefined || now.terminating || now.uid !== uid;
  return now !== undefined && Number(now.resourceVersion) >= Number(version);
}
