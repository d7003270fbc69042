/** Make before break, as data: what a type waits for, and whose references keep its resources alive. */
import { typeUrls } from "./type-urls.ts";

interface TypeOrder {
  /** New and changed resources go out once the proxy has these types of the same snapshot. */
  readonly after: readonly string[];
  /** Resources are taken away once the proxy has the newest of these types, which may use them. */
  readonly usedBy: readonly string[];
  /** A request without names means "everything" (the protocol's legacy wildcard). */
  readonly wildcard: boolean;
  /** The proxy asks for every resource of a snapshot by name once it has those that use them. */
  readonly asked: boolean;
}

const { cluster, endpoints, listener, route, secret } = typeUrls;

/** In the order in which they are looked at; a type only waits for earlier ones. */
export const typeOrder: ReadonlyMap<string, TypeOrder> = new Map<string, TypeOrder>([
  [secret, { after: [], usedBy: [cluster, listener], wildcard: false, asked: false }],
  [cluster, { after: [], usedBy: [listener, route], wildcard: true, asked: false }],
  // Not after clusters: Envoy takes a cluster in at once, asks for its endpoints, and acknowledges the cluster only once it has them.
  [endpoints, { after: [], usedBy: [cluster], wildcard: false, asked: true }],
  [listener, { after: [cluster, endpoints], usedBy: [], wildcard: true, asked: false }],
  [route, { after: [cluster, endpoints, listener], usedBy: [listener], wildcard: false, asked: true }],
]);

const unordered: TypeOrder = { after: [], usedBy: [], wildcard: true, asked: false };

/** The rules for a type; types we do not know have none. */
export function orderOf(typeUrl: string): TypeOrder {
  return typeOrder.get(typeUrl) ?? unordered;
}

/** Sorts type URLs into the order of the table, unknown ones last. */
export function inOrder(types: Iterable<string>): string[] {
  const rank = [...typeOrder.keys()];
  const place = (typeUrl: string): number => (rank.includes(typeUrl) ? rank.indexOf(typeUrl) : rank.length);
  return [...types].sort((a, b) => place(a) - place(b));
}
