/** Virtual addresses of names: the lowest free one of 100.100.0.0/16, kept as long as the name exists. */
import type { DeclaredAddress, Write } from "../model/declared.ts";
import type { ExternalService, Router, Service } from "../model/types.ts";

const lowest = 2;
/** The last one of a /16 is its broadcast address. */
const highest = 65_534;

/** Names that need an address, sorted: `NAMESPACE/APP`, `NAMESPACE/APP-VERSION`, `NAMESPACE/ROUTER`, `NAMESPACE/EXTERNAL`. */
export function namesOf(objects: {
  readonly services: Iterable<Service>;
  readonly routers: Iterable<Router>;
  readonly externals: Iterable<ExternalService>;
}): readonly string[] {
  const names = new Set<string>();
  for (const { namespace, app, version } of objects.services) names.add(`${namespace}/${app}`).add(`${namespace}/${app}-${version}`);
  for (const { namespace, name } of [...objects.routers, ...objects.externals]) names.add(`${namespace}/${name}`);
  return [...names].toSorted();
}

/** What to write so that exactly `names` have an address. Throws a RangeError when 65 533 names have one: nothing here can run so many. */
export function allocateAddresses(existing: ReadonlyMap<string, DeclaredAddress>, names: readonly string[]): readonly Write[] {
  const wanted = new Set(names);
  const gone = [...existing.keys()].filter((name) => !wanted.has(name));
  const taken = new Set([...existing].filter(([name]) => wanted.has(name)).map(([, address]) => address.ip));
  const writes: Write[] = gone.map((key) => ({ op: "delete", kind: "address", key }));
  let next = lowest;
  for (const key of names) {
    if (existing.has(key)) continue;
    while (taken.has(addressAt(next))) next += 1;
    if (next > highest) throw new RangeError("no virtual address is free");
    const ip = addressAt(next);
    taken.add(ip);
    writes.push({ op: "put", kind: "address", key, value: { ip } });
  }
  return writes;
}

function addressAt(index: number): string {
  return `100.100.${index >> 8}.${index & 255}`;
}
