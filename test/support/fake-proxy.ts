/** A proxy as the discovery protocol sees it, without a network: for models and for streams. It notices what would break traffic. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { encodeResource, type Resource } from "../../src/xds/snapshot.ts";
import { typeUrls } from "../../src/xds/type-urls.ts";
import type { DeltaRequest } from "../../src/xds/wire.ts";

/** A response as it arrives. */
export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly updates: readonly { readonly name: string; readonly version: string; readonly body: Uint8Array }[];
  readonly removed: readonly string[];
}

/** A resource whose body says which others it uses, and something that can change. */
export function resource(typeUrl: string, name: string, uses: readonly string[] = [], content = ""): Resource {
  const body = new BinaryWriter();
  for (const used of uses) body.tag(1, WireType.LengthDelimited).string(used);
  return encodeResource(typeUrl, name, body.tag(2, WireType.LengthDelimited).string(content).finish());
}

/** What a body of `resource` uses. */
function usesOf(body: Uint8Array): string[] {
  const reader = new BinaryReader(body);
  const uses: string[] = [];
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    const text = reader.string();
    if (field === 1) uses.push(text);
  }
  return uses;
}

interface Held {
  readonly version: string;
  readonly uses: readonly string[];
}

export interface FakeProxyOptions {
  readonly nodeId?: string;
  /** Says why it refuses a resource; undefined takes it. */
  /** Acknowledges clusters at once, as Envoy does while it starts; else only once they have endpoints, as it does later. */
  readonly eager?: boolean;
  readonly refuse?: (typeUrl: string, name: string, version: string) => string | undefined;
}

export class FakeProxy {
  /** What breaks traffic, as sentences. Must stay empty. */
  readonly faults: string[] = [];
  /** Every update and removal in the order of arrival: `+Cluster web`, `-Cluster web`. */
  readonly journal: string[] = [];
  readonly #held = new Map<string, Map<string, Held>>(Object.values(typeUrls).map((typeUrl) => [typeUrl, new Map<string, Held>()]));
  /** Clusters that got endpoints since they were last changed; the others still serve with what they had, or not at all. */
  readonly #everWarm = new Set<string>();
  readonly #cold = new Set<string>();
  readonly #asked = new Map<string, Set<string>>([
    [typeUrls.endpoints, new Set<string>()],
    [typeUrls.route, new Set<string>()],
  ]);
  /** What it will say about clusters once all have endpoints. */
  #pending: DeltaRequest[] = [];
  readonly #options: FakeProxyOptions;

  constructor(options: FakeProxyOptions = {}) {
    this.#options = options;
  }

  /** Name → version of one type. */
  versions(typeUrl: string): Map<string, string> {
    return new Map([...this.#of(typeUrl)].map(([name, { version }]) => [name, version]));
  }

  /** Clusters that wait for endpoints after a change. */
  cold(): string[] {
    return [...this.#cold];
  }

  /** The first requests of a stream: everything wanted, and what it has from before. */
  connect(): DeltaRequest[] {
    const clusters = this.#request(typeUrls.cluster, { initialVersions: this.versions(typeUrls.cluster) });
    // Only Envoy's own time limit helps one that is cut off while it starts.
    if (this.#options.eager === true) this.#cold.clear();
    this.#pending = this.#isWarming() ? [clusters] : [];
    const requests = this.#isWarming() ? [] : [clusters];
    const listeners = this.#request(typeUrls.listener, { initialVersions: this.versions(typeUrls.listener) });
    for (const [typeUrl, names] of this.#asked) {
      if (names.size > 0) requests.push(this.#request(typeUrl, { subscribe: [...names], initialVersions: this.versions(typeUrl) }));
      if (typeUrl === typeUrls.endpoints) requests.push(listeners);
    }
    return requests;
  }

  /** Waits for endpoints no longer, as Envoy does after 15 s, and says what it had put off. */
  timeOut(): DeltaRequest[] {
    this.#cold.clear();
    return this.#pending.splice(0);
  }

  /** Takes a response in; returns the requests it sends then. A refused response changes what comes before the refused resource, as Envoy does. */
  receive(response: Response): DeltaRequest[] {
    const { typeUrl, nonce } = response;
    const errors: string[] = [];
    for (const { name, version, body } of response.updates) {
      const error = this.#options.refuse?.(typeUrl, name, version);
      if (error === undefined) this.#update(typeUrl, name, { version, uses: usesOf(body) });
      else {
        errors.push(error);
        // Envoy goes on without: a cluster whose endpoints are refused waits no longer.
        if (typeUrl === typeUrls.endpoints) this.#cold.delete(name);
      }
    }
    for (const name of response.removed) this.#remove(typeUrl, name);
    const answer = this.#request(typeUrl, { nonce, ...(errors.length === 0 ? {} : { error: errors.join(", ") }) });
    this.#pending.push(...(typeUrl === typeUrls.cluster ? [answer] : []));
    const requests = [...(typeUrl === typeUrls.cluster ? [] : [answer]), ...this.#askAgain(typeUrl)];
    return this.#isWarming() ? requests : [...this.#pending.splice(0), ...requests];
  }

  #isWarming(): boolean {
    return this.#cold.size > 0 && this.#options.eager !== true;
  }

  #of(typeUrl: string): Map<string, Held> {
    const held = this.#held.get(typeUrl);
    if (held === undefined) throw new Error(`no type ${typeUrl}`);
    return held;
  }

  #request(typeUrl: string, fields: Partial<DeltaRequest>): DeltaRequest {
    return { nodeId: this.#options.nodeId ?? "node", typeUrl, subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: "", ...fields };
  }

  #update(typeUrl: string, name: string, held: Held): void {
    if (this.#asked.get(typeUrl)?.has(name) === false) return;
    this.journal.push(`+${short(typeUrl)} ${name}`);
    if (typeUrl === typeUrls.cluster && this.#of(typeUrl).get(name)?.version !== held.version) this.#cold.add(name);
    if (typeUrl === typeUrls.endpoints) {
      this.#cold.delete(name);
      this.#everWarm.add(name);
    }
    const isFirst = !this.#of(typeUrl).has(name);
    this.#of(typeUrl).set(name, held);
    // What refuses clusters has to live with a first version that lacks them.
    if (typeUrl === typeUrls.route && !(isFirst && this.#options.refuse !== undefined)) this.#check(`route ${name}`, held.uses);
  }

  #remove(typeUrl: string, name: string): void {
    // Told that there are none, a cluster waits no longer: it replaces the old one, without endpoints.
    if (typeUrl === typeUrls.endpoints && this.#cold.delete(name)) {
      this.#everWarm.delete(name);
      this.#checkUsersOf(name, "without endpoints");
    }
    if (!this.#of(typeUrl).delete(name)) return;
    this.journal.push(`-${short(typeUrl)} ${name}`);
    if (typeUrl === typeUrls.cluster) {
      this.#cold.delete(name);
      this.#everWarm.delete(name);
    }
    if (typeUrl === typeUrls.cluster) this.#checkUsersOf(name, "gone");
  }

  #checkUsersOf(cluster: string, why: string): void {
    for (const [route, { uses }] of this.#of(typeUrls.route)) if (uses.includes(cluster)) this.#check(`${cluster} ${why}: route ${route}`, [cluster]);
  }

  #check(what: string, uses: readonly string[]): void {
    for (const cluster of uses) {
      if (!this.#of(typeUrls.cluster).has(cluster)) this.faults.push(`${what} uses the missing cluster ${cluster}`);
      else if (!this.#everWarm.has(cluster)) this.faults.push(`${what} uses the cluster ${cluster}, which has no endpoints`);
    }
  }

  /** Asks for what a change of clusters or listeners needs, and gives up what it no longer needs. */
  #askAgain(typeUrl: string): DeltaRequest[] {
    const asked = typeUrl === typeUrls.cluster ? typeUrls.endpoints : typeUrl === typeUrls.listener ? typeUrls.route : undefined;
    const names = this.#asked.get(asked ?? "");
    if (asked === undefined || names === undefined) return [];
    const wanted = new Set(asked === typeUrls.endpoints ? this.#of(typeUrl).keys() : [...this.#of(typeUrl).values()].flatMap(({ uses }) => uses));
    const subscribe = [...wanted].filter((name) => !names.has(name));
    const unsubscribe = [...names].filter((name) => !wanted.has(name));
    for (const name of unsubscribe) {
      names.delete(name);
      this.#of(asked).delete(name);
    }
    for (const name of subscribe) names.add(name);
    return subscribe.length + unsubscribe.length === 0 ? [] : [this.#request(asked, { subscribe, unsubscribe })];
  }
}

function short(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
}
