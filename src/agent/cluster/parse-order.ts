/** Reads orders. Addresses, ports and names end in rules and paths, so each is checked, although only the control plane can send them. */
import { isIPv4 } from "node:net";
import type { NodeOrder, PodOrder } from "./contract.ts";

/** Reads an order out of parsed JSON. Throws an Error that says what is wrong with it. */
export function parseOrder(value: unknown): NodeOrder {
  const order = record(value, "order");
  const generation = order["generation"];
  if (typeof generation !== "number" || !Number.isSafeInteger(generation) || generation < 0) throw new Error("order: generation is no number of an order");
  const uids = new Set<string>();
  const pods = list(order["pods"], "pods").map((pod) => parsePod(pod));
  for (const { uid } of pods) {
    if (uids.has(uid)) throw new Error(`order: ${uid} is there twice`);
    uids.add(uid);
  }
  const texts = (name: string): readonly string[] => list(order[name] ?? [], name).map((one) => text(one, name));
  return { generation, pods, meshNamespaces: texts("meshNamespaces"), gateways: texts("gateways") };
}

function parsePod(value: unknown): PodOrder {
  const pod = record(value, "pod");
  const uid = text(pod["uid"], "uid");
  if (!isPodUid(uid)) throw new Error(`order: ${JSON.stringify(uid)} is no pod's UID`);
  const address = text(pod["address"], "address");
  // An IPv6 address is told to the user by whoever applies it; what is neither is a bug.
  if (!isIPv4(address) && !/^[0-9a-f:.]+$/i.test(address)) throw new Error(`order: ${JSON.stringify(address)} is no address`);
  const { mode, capture } = pod;
  if (mode !== "strict" && mode !== "permissive") throw new Error(`order: ${uid} has no mode`);
  if (typeof capture !== "boolean") throw new Error(`order: ${uid} does not say whether it is captured`);
  const probePorts = list(pod["probePorts"], "probePorts").map(port);
  return {
    uid,
    namespace: text(pod["namespace"], "namespace"),
    name: text(pod["name"], "name"),
    address,
    identity: text(pod["identity"], "identity"),
    mode,
    probePorts,
    capture,
  };
}

/** Says whether a text can be a pod's UID (also that of a static pod), and so the name of a file. */
export function isPodUid(text: string): boolean {
  return /^[0-9a-f][0-9a-f-]{7,63}$/.test(text);
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`order: ${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`order: ${what} is no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "") throw new Error(`order: ${what} is no text`);
  return value;
}

function port(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 65_535) throw new Error(`order: ${String(value)} is no port`);
  return value;
}
