/** What this room produces: encoded resources. Versions (hashes) are the discovery server's business. */
import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema, type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

export interface EnvoyResource {
  /** `type.googleapis.com/envoy.config.cluster.v3.Cluster` */
  readonly typeUrl: string;
  readonly name: string;
  /** The encoded message. */
  readonly body: Uint8Array;
}

/** Fields of a message as a plain object, for parts that are put together before the message is made. */
export type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, MessageShape<Schema>>;

const prefix = "type.googleapis.com/";

/** Encodes a message as a named resource. */
export function resource<Schema extends DescMessage>(schema: Schema, name: string, init: MessageInitShape<Schema>): EnvoyResource {
  return { typeUrl: prefix + schema.typeName, name, body: toBinary(schema, create(schema, init)) };
}

/** Packs a message into an Any, as Envoy's `typed_config` wants it. */
export function any<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): Any {
  return create(AnySchema, { typeUrl: prefix + schema.typeName, value: toBinary(schema, create(schema, init)) });
}

/** Milliseconds as a protobuf Duration. */
export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 });
}

/** Envoy's formatters read `%`; a text of the user's has it doubled. */
export function literal(text: string): string {
  return text.replaceAll("%", "%%");
}
