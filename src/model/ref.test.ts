import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Result } from "../lib/problem.ts";
import type { Namespace } from "./names.ts";
import { formatPort, parsePortArg, parseRef, parseWeightArg } from "./ref.ts";
import type { Protocol } from "./types.ts";

function said<T>(result: Result<T>): T | readonly string[] {
  return result.ok ? result.value : result.problems.map(({ code, message, hint }) => `${code}: ${message} (${hint ?? ""})`);
}

test("refs", () => {
  assert.deepEqual(said(parseRef("web")), { namespace: "default", name: "web" });
  assert.deepEqual(said(parseRef("web@v2", "team-a" as Namespace)), { namespace: "team-a", name: "web", version: "v2" });
  assert.deepEqual(said(parseRef("team-b:router/www")), { namespace: "team-b", kind: "router", name: "www" });
  assert.deepEqual(said(parseRef("service/web@v1")), { namespace: "default", kind: "service", name: "web", version: "v1" });
});

test("refs that name nothing say why, all at once", () => {
  const hint = "use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends";
  assert.deepEqual(said(parseRef("Web App@V2")), [
    `name-invalid: "Web App" is not a name (${hint}: "web-app")`,
    `name-invalid: "V2" is not a version (${hint}: "v2")`,
  ]);
  assert.deepEqual(said(parseRef("routre/www")), ['ref-kind-unknown: "routre" is not a kind of object (did you mean "router"?)']);
  assert.deepEqual(said(parseRef("router/www@v1")), ['ref-invalid: "router/www@v1": only apps have versions (write router/www)']);
  assert.deepEqual(said(parseRef("")), [`name-invalid: "" is not a name (${hint})`]);
  for (const text of ["a:b:c", "a/b/c", "a@b@c", "a@b:c", "web@"]) assert.ok(!parseRef(text).ok, text);
});

test("weights", () => {
  assert.deepEqual(said(parseWeightArg("web@v2=10%")), { namespace: "default", app: "web", version: "v2", weight: 1000 });
  assert.deepEqual(said(parseWeightArg("a:web@v2=0.5")), { namespace: "a", app: "web", version: "v2", weight: 50 });
  assert.deepEqual(said(parseWeightArg("web@v2")), ['weight-arg-invalid: "web@v2" says no weight (write APP@VERSION=PERCENT, like web@v2=10%)']);
  assert.deepEqual(said(parseWeightArg("web=10")), ['weight-arg-invalid: "web=10" names no version of an app (write web@VERSION=PERCENT, like web@v2=10%)']);
  assert.deepEqual(said(parseWeightArg("web@v2=110")), [
    'weight-invalid: "110" is not a weight (a percentage from 0 to 100 with at most two decimals: 10, 12.5 or 10%)',
  ]);
  assert.ok(!parseWeightArg("router/www@v2=10").ok);
});

test("ports", () => {
  assert.deepEqual(said(parsePortArg("8080")), { port: 8080, containerPort: 8080, protocol: "http" });
  assert.deepEqual(said(parsePortArg("80:9000/grpc")), { port: 80, containerPort: 9000, protocol: "grpc" });
  assert.deepEqual(said(parsePortArg("0:70000/htp")), [
    "port-invalid: there is no port 0 (ports are 1 to 65535)",
    "port-invalid: there is no port 70000 (ports are 1 to 65535)",
    'protocol-unknown: "htp" is not a protocol (did you mean "http"?)',
  ]);
  assert.deepEqual(said(parsePortArg("eighty")), [
    'port-invalid: "eighty" is not a port (write PORT[:CONTAINERPORT][/http|http2|grpc|tcp], like 80:8080/http)',
  ]);
});

test("ports are read back as they are written; nothing makes a reader throw", () => {
  const port = fc.record({
    port: fc.integer({ min: 1, max: 65_535 }),
    containerPort: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom<Protocol[]>("http", "http2", "grpc", "tcp"),
  });
  fc.assert(fc.property(port, (value) => assert.deepEqual(said(parsePortArg(formatPort(value))), { ...value })));
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const read of [parseRef, parseWeightArg, parsePortArg]) read(text);
    }),
  );
});
