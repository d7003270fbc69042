/** What a proxy should have, immutable. */
import { createHash } from "node:crypto";
import { encodeResourceField } from "./wire.ts";

/** One resource, encoded once: the same bytes go to every proxy that holds it. */
export interface Resource {
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of type and body. */
  readonly version: string;
  /** The encoded message itself. */
  readonly body: Uint8Array;
  /** The resource as a field of a discovery response. */
  readonly chunk: Uint8Array;
}

/** All resources of one type. */
export interface TypeSnapshot {
  /** Hash of names and versions: equal content has an equal version, whoever made it. */
  readonly version: string;
  readonly resources: ReadonlyMap<string, Resource>;
}

export interface Snapshot {
  /** By type URL; a type without resources is absent. */
  readonly types: ReadonlyMap<string, TypeSnapshot>;
}

/** A snapshot with nothing in it. */
export const emptySnapshot: Snapshot = { types: new Map() };

/** Makes a resource of an encoded message. `body` must not change afterwards. */
export function encodeResource(typeUrl: string, name: string, body: Uint8Array): Resource {
  const resource = { typeUrl, name, version: shortHash(typeUrl, body), body };
  return { ...resource, chunk: encodeResourceField(resource) };
}

/**
 * Encodes each message object once, however often it is asked: for emitters that return what did not change by reference.
 * Messages that nobody holds any longer are forgotten.
 */
export function createResourceCache(): (typeUrl: string, name: string, message: object, encode: () => Uint8Array) => Resource {
  const cache = new WeakMap<object, Resource>();
  return (typeUrl, name, message, encode) => {
    const known = cache.get(message);
    if (known !== undefined && known.name === name && known.typeUrl === typeUrl) return known;
    const resource = encodeResource(typeUrl, name, encode());
    cache.set(message, resource);
    return resource;
  };
}

/**
 * Collects resources to a snapshot; of two with one type and name the later wins.
 * What equals `previous` is shared with it, so comparing an unchanged type costs nothing.
 */
export function createSnapshot(resources: Iterable<Resource>, previous: Snapshot = emptySnapshot): Snapshot {
  const byType = new Map<string, Map<string, Resource>>();
  for (const resource of resources) {
    let ofType = byType.get(resource.typeUrl);
    if (ofType === undefined) byType.set(resource.typeUrl, (ofType = new Map<string, Resource>()));
    ofType.set(resource.name, resource);
  }
  const types = new Map<string, TypeSnapshot>();
  for (const [typeUrl, ofType] of byType) {
    const before = previous.types.get(typeUrl);
    types.set(typeUrl, before !== undefined && sameResources(before.resources, ofType) ? before : { version: versionOf(ofType), resources: ofType });
  }
  return { types };
}

/** Whether two snapshots would look the same to a proxy. */
export function sameSnapshot(a: Snapshot, b: Snapshot): boolean {
  return a.types.size === b.types.size && [...a.types].every(([typeUrl, type]) => b.types.get(typeUrl)?.version === type.version);
}

function sameResources(a: ReadonlyMap<string, Resource>, b: ReadonlyMap<string, Resource>): boolean {
  return a.size === b.size && [...b].every(([name, resource]) => a.get(name)?.version === resource.version);
}

function versionOf(resources: ReadonlyMap<string, Resource>): string {
  const parts = [...resources.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map((resource) => `${resource.name}\0${resource.version}\0`);
  return shortHash(...parts);
}

/** 96 bits: far more than enough to tell the contents of one name apart. */
function shortHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("base64url").slice(0, 16);
}
