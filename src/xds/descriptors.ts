/**
 * Every message type of Envoy's API, from the committed descriptor set: JSON to binary and back for any of them, extensions inside Any included.
 * Loading costs about 200 ms and 30 MB, so only what has to read or print foreign configuration (dumps, goldens, raw Envoy) calls it.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createFileRegistry, type FileRegistry, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

let loaded: FileRegistry | undefined;

/** The registry of all Envoy types; read at the first call, then kept. Throws when `gen/` is not there. */
export function envoyTypes(): FileRegistry {
  loaded ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(new URL("../../gen/envoy.binpb.gz", import.meta.url)))));
  return loaded;
}

/** Proto3 JSON of one encoded message. `type` is a full name or a type URL. Throws for an unknown type or bytes that are none. */
export function messageToJson(type: string, bytes: Uint8Array): JsonValue {
  return toJson(messageType(type), fromBinary(messageType(type), bytes), { registry: envoyTypes() });
}

/** The bytes of a message given as proto3 JSON. Throws with the wrong key's name when the JSON does not fit the type. */
export function messageFromJson(type: string, json: JsonValue): Uint8Array {
  return toBinary(messageType(type), fromJson(messageType(type), json, { registry: envoyTypes() }));
}

function messageType(type: string) {
  const name = type.slice(type.lastIndexOf("/") + 1);
  const found = envoyTypes().getMessage(name);
  if (found === undefined) throw new Error(`Envoy's API has no message ${name}`);
  return found;
}
