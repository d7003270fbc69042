/** The hand-written codec against the generated one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.js";
import { runs } from "../../test/support/runs.ts";
import { RpcError, Status } from "../rpc/status.ts";
import { encodeResource } from "./snapshot.ts";
import { decodeDeltaRequest, encodeDeltaResponse, mentions } from "./wire.ts";

const text = fc.string({ unit: "grapheme", maxLength: 30 });
const texts = fc.array(text, { maxLength: 5 });

test("a request reads as the generated code wrote it", () => {
  const fields = fc.record({
    id: text,
    typeUrl: text,
    resourceNamesSubscribe: texts,
    resourceNamesUnsubscribe: texts,
    initialResourceVersions: fc.dictionary(text, text),
    responseNonce: text,
    error: fc.option(text, { nil: undefined }),
    extensions: fc.array(fc.record({ name: text, category: text }), { maxLength: 5 }),
  });
  const check = ({ id, extensions, error, ...rest }: typeof fields extends fc.Arbitrary<infer Value> ? Value : never): void => {
    const node = { id, cluster: "c", userAgentName: "envoy", userAgentVersionType: { case: "userAgentVersion" as const, value: "1" }, extensions };
    const message = create(DeltaDiscoveryRequestSchema, { ...rest, node, ...(error === undefined ? {} : { errorDetail: { code: 13, message: error } }) });
    const read = decodeDeltaRequest(toBinary(DeltaDiscoveryRequestSchema, message));
    assert.deepEqual(read, {
      nodeId: id,
      typeUrl: rest.typeUrl,
      subscribe: rest.resourceNamesSubscribe,
      unsubscribe: rest.resourceNamesUnsubscribe,
      initialVersions: new Map(Object.entries(rest.initialResourceVersions)),
      nonce: rest.responseNonce,
      ...(error === undefined ? {} : { error }),
    });
  };
  fc.assert(fc.property(fields, check));
});

test("bytes that are no request end as invalidArgument, whatever they are", () => {
  const check = (bytes: Uint8Array): void => {
    try {
      decodeDeltaRequest(bytes);
    } catch (error) {
      assert.ok(error instanceof RpcError && error.code === Status.invalidArgument, String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { numRuns: runs(2000) });
  assert.throws(() => decodeDeltaRequest(Uint8Array.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f])), { code: Status.invalidArgument });
});

test("a response reads with the generated code as it was meant", () => {
  const check = (names: readonly string[], body: Uint8Array, removed: string[], version: string): void => {
    const updates = names.map((name) => encodeResource("type.googleapis.com/x.Y", name, body));
    const parts = encodeDeltaResponse({ typeUrl: "type.googleapis.com/x.Y", version, nonce: "7", updates, removed });
    const read = fromBinary(DeltaDiscoveryResponseSchema, Buffer.concat(parts));
    assert.deepEqual([read.typeUrl, read.nonce, read.systemVersionInfo, read.removedResources], ["type.googleapis.com/x.Y", "7", version, removed]);
    assert.deepEqual(
      read.resources.map(({ name, version, resource }) => ({ name, version, typeUrl: resource?.typeUrl, body: Buffer.from(resource?.value ?? []) })),
      updates.map(({ name, version, typeUrl, body }) => ({ name, version, typeUrl, body: Buffer.from(body) })),
    );
  };
  fc.assert(fc.property(texts, fc.uint8Array({ maxLength: 300 }), texts, text, check));
});

test("a mention is a whole field, not a part of a longer name", () => {
  const { body } = encodeResource("t", "r", Buffer.from("\n\x06web-v2"));
  assert.equal(mentions(body, "web-v2"), true);
  assert.equal(mentions(body, "web"), false);
  assert.equal(mentions(body, "v2"), false);
});
