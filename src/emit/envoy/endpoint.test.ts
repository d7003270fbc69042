import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { ClusterLoadAssignmentSchema } from "../../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { addressText, must } from "../../../test/simulate/proxy.ts";
import { port, service } from "../../../test/support/stacks.ts";
import { versionBackends } from "../../compile/backends.ts";
import type { Endpoint } from "../../model/world.ts";
import { loadAssignment } from "./endpoint.ts";

/** Where traffic for a port of `80:8080/http`, `443:8443/tcp` goes. */
function addresses(to: number, endpoints: readonly Endpoint[]): readonly string[] {
  const backends = versionBackends(service("web", { ports: [port("80:8080/http"), port("443:8443/tcp")] }));
  const backend = must(
    backends.find((one) => one.port === to),
    "no such port",
  );
  if (backend.kind !== "version") throw new Error("not a version");
  const { endpoints: groups } = fromBinary(ClusterLoadAssignmentSchema, loadAssignment(backend, endpoints).body);
  return groups
    .flatMap(({ lbEndpoints }) => lbEndpoints)
    .map(({ hostIdentifier }) => addressText(hostIdentifier.case === "endpoint" ? hostIdentifier.value.address : undefined));
}

const plain: Endpoint = { id: "a", address: "10.0.0.1", ready: true };

test("an endpoint listens at the version's container port, in the order of ids", () => {
  const endpoints = [{ ...plain, id: "b", address: "10.0.0.2" }, plain];
  assert.deepEqual(addresses(80, endpoints), ["10.0.0.1:8080", "10.0.0.2:8080"]);
  assert.deepEqual(addresses(443, endpoints), ["10.0.0.1:8443", "10.0.0.2:8443"]);
});

test("an endpoint with ports of its own listens there; a port that it does not have leads elsewhere", () => {
  const endpoints: readonly Endpoint[] = [plain, { id: "b", address: "10.0.0.2", ready: true, ports: new Map([[80, 9090]]) }];
  assert.deepEqual(addresses(80, endpoints), ["10.0.0.1:8080", "10.0.0.2:9090"]);
  assert.deepEqual(addresses(443, endpoints), ["10.0.0.1:8443"]);
});
