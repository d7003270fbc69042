/**
 * The few protobuf messages of ttrpc and NRI (api.proto, v1alpha1) that a plugin for pod sandboxes needs, by their field numbers.
 * Unknown fields are skipped, so later versions of both can be read.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Values by field number; numbers for varints, bytes for all that has a length. */
type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

function readFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType !== WireType.Varint && wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number);
      continue;
    }
    const value = wireType === WireType.Varint ? Number(reader.int64()) : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function all(fields: Fields, number: number): readonly Uint8Array[] {
  return (fields.get(number) ?? []).filter((value) => typeof value !== "number");
}

function text(fields: Fields, number: number): string {
  return new TextDecoder().decode(all(fields, number).at(-1) ?? new Uint8Array());
}

function count(fields: Fields, number: number): number {
  const value = fields.get(number)?.at(-1);
  return typeof value === "number" ? value : 0;
}

function texts(fields: Fields, number: number): Readonly<Record<string, string>> {
  return Object.fromEntries(all(fields, number).map((entry) => [text(readFields(entry), 1), text(readFields(entry), 2)]));
}

export interface TtrpcRequest {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
}

export type TtrpcResponse = { readonly ok: true; readonly payload: Uint8Array } | { readonly ok: false; readonly code: number; readonly message: string };

/** ttrpc.Request, without metadata. */
export function encodeRequest({ service, method, payload }: TtrpcRequest): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(service)
    .tag(2, WireType.LengthDelimited)
    .string(method)
    .tag(3, WireType.LengthDelimited)
    .bytes(payload)
    .finish();
}

/** Reads what `encodeRequest` writes. */
export function decodeRequest(bytes: Uint8Array): TtrpcRequest {
  const fields = readFields(bytes);
  return { service: text(fields, 1), method: text(fields, 2), payload: all(fields, 3).at(-1) ?? new Uint8Array() };
}

/** ttrpc.Response with a google.rpc.Status. */
export function encodeResponse(response: TtrpcResponse): Uint8Array {
  if (response.ok) return new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(response.payload).finish();
  const status = new BinaryWriter().tag(1, WireType.Varint).int32(response.code).tag(2, WireType.LengthDelimited).string(response.message).finish();
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(status).finish();
}

/** Reads what `encodeResponse` writes. Throws for bytes that are no message. */
export function decodeResponse(bytes: Uint8Array): TtrpcResponse {
  const fields = readFields(bytes);
  const status = readFields(all(fields, 1).at(-1) ?? new Uint8Array());
  const code = count(status, 1);
  return code === 0 ? { ok: true, payload: all(fields, 2).at(-1) ?? new Uint8Array() } : { ok: false, code, message: text(status, 2) };
}

/** RegisterPluginRequest. Plugins are called in the order of their indexes (two digits). */
export function registerPlugin(name: string, index: string): Uint8Array {
  return new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).tag(2, WireType.LengthDelimited).string(index).finish();
}

/** Events that a plugin may ask for. */
export const podEvents = { run: 1, stop: 2 } as const;

/** ConfigureResponse. */
export function configured(events: readonly number[]): Uint8Array {
  return new BinaryWriter()
    .tag(2, WireType.Varint)
    .int32(events.reduce((mask, event) => mask | (1 << (event - 1)), 0))
    .finish();
}

/** How long the runtime waits for an answer before it drops the plugin, out of a ConfigureRequest; 0 when it does not say. */
export function requestTimeoutMs(configureRequest: Uint8Array): number {
  return count(readFields(configureRequest), 5);
}

/** SynchronizeResponse to a SynchronizeRequest that may be only a part. */
export function synchronized(synchronizeRequest: Uint8Array): Uint8Array {
  const more = count(readFields(synchronizeRequest), 3) !== 0;
  return more ? new BinaryWriter().tag(2, WireType.Varint).bool(true).finish() : new Uint8Array();
}

/** What NRI tells of a pod sandbox. */
export interface Sandbox {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent with some runtimes. */
  readonly pid: number | undefined;
  /** As the runtime's mount namespace knows it; absent for a pod on the node's own network. */
  readonly networkNamespace: string | undefined;
  readonly addresses: readonly string[];
}

/** The pod of a RunPodSandboxRequest or StopPodSandboxRequest. Throws when there is none. */
export function decodeSandbox(request: Uint8Array): Sandbox {
  const [pod] = all(readFields(request), 1);
  if (pod === undefined) throw new Error("a request without a pod");
  const fields = readFields(pod);
  const linux = readFields(all(fields, 8).at(-1) ?? new Uint8Array());
  const namespaces = Object.fromEntries(all(linux, 5).map((entry) => [text(readFields(entry), 1), text(readFields(entry), 2)]));
  const networkNamespace = namespaces["network"];
  const pid = count(fields, 9);
  return {
    name: text(fields, 2),
    uid: text(fields, 3),
    namespace: text(fields, 4),
    labels: texts(fields, 5),
    pid: pid === 0 ? undefined : pid,
    networkNamespace: networkNamespace === "" ? undefined : networkNamespace,
    addresses: all(fields, 10).map((bytes) => new TextDecoder().decode(bytes)),
  };
}
