/** What every emitter owes: express a feature exactly or refuse it with its place; objects that hang together; the same choice of rule as Weir's. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { emitters } from "../../src/emit/export.ts";
import { emitJobs, jobProblems } from "../../src/emit/kubernetes/jobs.ts";
import type { KubeObject } from "../../src/emit/kubernetes/object.ts";
import { type Mesh, meshTitle } from "../../src/emit/kubernetes/refusal.ts";
import type { RouteMatch, RouteRule, Stack } from "../../src/model/types.ts";
import { at, objectsOf, weightLists } from "../support/objects.ts";
import { runs } from "../support/runs.ts";
import { anything, planOf, router, rule, service } from "../support/stacks.ts";
import { features } from "./feature-stacks.ts";
import { type Reached, type Request, walkHttpRoutes, walkPlan, walkVirtualService } from "./route-walk.ts";

const meshes = Object.keys(emitters) as readonly Mesh[];

for (const mesh of meshes) {
  for (const feature of features) {
    const expected = feature.refusedBy.includes(mesh) ? "refuses" : "expresses";
    test(`${mesh} ${expected}: ${feature.name}`, () => {
      const { jobs } = feature.stack;
      const result = emitters[mesh](planOf(feature.stack));
      const problems = [...(result.ok ? [] : result.problems), ...jobProblems(jobs, mesh)];
      assert.equal(problems.length === 0 ? "expresses" : "refuses", expected, JSON.stringify(problems));
      if (result.ok && problems.length === 0) return checkObjects([...result.value.objects, ...emitJobs(jobs, mesh)]);
      for (const { message, where, hint } of problems) {
        assert.ok(message.startsWith(`${meshTitle(mesh)} `), message);
        assert.ok((where?.line ?? 0) > 0, `no place: ${message}`);
        assert.ok((hint ?? "").length > 0, `no hint: ${message}`);
      }
    });
  }

  test(`${mesh}: equal plans give equal objects`, () => {
    for (const { stack, refusedBy } of features) {
      if (!refusedBy.includes(mesh)) assert.deepEqual(objectsOf(emitters[mesh](planOf(stack))), objectsOf(emitters[mesh](planOf(stack))));
    }
  });
}

/** Objects of one emission name each other correctly, and weights are whole and complete. */
function checkObjects(objects: readonly KubeObject[]): void {
  const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  assert.equal(new Set(keys).size, keys.length, "two objects of one name");
  for (const object of objects) {
    for (const weights of weightLists(object))
      assert.ok([100, 1_000, 10_000].includes(weights.reduce((sum, weight) => sum + weight, 0)), JSON.stringify(weights));
    const parents = ((at(object, "spec.parentRefs") ?? []) as readonly Reference[]).map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
    assert.equal(new Set(parents).size, parents.length, "the standard channel takes one parent once");
    for (const wanted of referencesOf(object))
      assert.ok(offered(objects, wanted), `${object.kind} ${object.metadata.name} leads to ${wanted}, which is not there`);
  }
}

/** What an object leads to or hangs on: `web-v2.default:80`, or `Gateway default/weir`. */
function referencesOf(object: KubeObject): readonly string[] {
  const namespace = object.metadata.namespace ?? "";
  const found: string[] = [];
  const visit = (value: unknown, key: string): void => {
    if (Array.isArray(value)) {
      for (const inner of value) visit(inner, key);
    } else if (typeof value === "object" && value !== null) {
      const reference = referenceOf(value, key, namespace);
      if (reference !== undefined) found.push(reference);
      else for (const [name, inner] of Object.entries(value)) visit(inner, name);
    }
  };
  visit(object.spec, "");
  for (const gateway of (object.spec?.["gateways"] ?? []) as readonly string[]) found.push(`Gateway ${gateway}`);
  return found;
}

interface Reference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly host?: string;
  readonly port?: number | { readonly number: number };
}

function referenceOf(value: Reference, key: string, own: string): string | undefined {
  const port = typeof value.port === "object" ? value.port.number : value.port;
  if (key === "destination") return `${value.host?.replace(".svc.cluster.local", "")}:${port}`;
  if (key === "parentRefs" && value.kind !== "Service") return `Gateway ${value.namespace ?? own}/${value.name}`;
  return key === "backendRefs" || key === "parentRefs" ? `${value.name}.${value.namespace ?? own}${port === undefined ? "" : `:${port}`}` : undefined;
}

function offered(objects: readonly KubeObject[], wanted: string): boolean {
  return objects.some((object) => {
    const { name, namespace } = object.metadata;
    if (object.kind === "Gateway") return wanted === `Gateway ${namespace}/${name}`;
    const ports = (at(object, "spec.ports") ?? []) as readonly { readonly port?: number; readonly number?: number }[];
    if (object.kind === "Service" && wanted === `${name}.${namespace}`) return true;
    if (object.kind === "Service") return ports.some(({ port }) => wanted === `${name}.${namespace}:${port}`);
    if (object.kind !== "ServiceEntry") return false;
    return ports.some(({ number }) => wanted === `${((at(object, "spec.hosts") ?? []) as readonly string[])[0]}:${number}`);
  });
}

const paths = ["/", "/a", "/a/b", "/ab", "/b"];
const match: fc.Arbitrary<RouteMatch> = fc.record({
  path: fc.oneof(
    fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const), value: fc.constantFrom(...paths) }),
    fc.record({ kind: fc.constant("regex" as const), value: fc.constantFrom("/a.*", "/[ab]") }),
  ),
  methods: fc.subarray(["GET", "POST"]),
  headers: fc.array(
    fc.record({
      name: fc.constantFrom("x", "y"),
      value: fc.oneof(
        fc.constant({ kind: "present" as const }),
        fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const), value: fc.constantFrom("1", "12") }),
      ),
    }),
    { maxLength: 1 },
  ),
  query: fc.constant([]),
  cookies: fc.constant([]),
});
const rules: fc.Arbitrary<readonly RouteRule[]> = fc
  .array(fc.tuple(fc.array(match, { maxLength: 2 }), fc.constantFrom("web@v1", "web@v2", "web"), fc.constantFrom(0, 1)), { minLength: 1, maxLength: 4 })
  .map((all) => all.map(([matches, to, attempts]) => rule(to, { match: matches }, attempts === 0 ? {} : { retries: { attempts, on: ["5xx"] } })));
const request: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom("GET", "POST"),
  path: fc.constantFrom(...paths, "/a/b/c", "/c"),
  headers: fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "12", "2"), { maxKeys: 2 }),
});

/** How many random routers an emitter must accept for the comparison to mean something. */
const enough = runs(40);
const walks: readonly (readonly [Mesh, (objects: readonly KubeObject[], given: Request) => Reached])[] = [
  ["istio", (objects, given) => walkVirtualService(objects, "www", given)],
  ["linkerd", (objects, given) => walkHttpRoutes(objects, "www", given)],
  ["gateway-api", (objects, given) => walkHttpRoutes(objects, "www", given)],
];

for (const [mesh, walk] of walks) {
  test(`${mesh}: a router that is accepted sends every request where Weir sends it`, () => {
    let accepted = 0;
    fc.assert(
      fc.property(rules, fc.array(request, { minLength: 10, maxLength: 10 }), (all, requests) => {
        const stack: Partial<Stack> = { services: [service("web"), service("web@v2")], routers: [router("www", all, { public: false })] };
        const plan = planOf(stack);
        const result = emitters[mesh](plan);
        if (!result.ok) return;
        accepted += 1;
        const host = plan.hosts.find(({ name }) => name === "www");
        assert.ok(host);
        for (const given of requests) assert.deepEqual(walk(result.value.objects, given), walkPlan(host, given), JSON.stringify(given));
      }),
      { numRuns: runs(600) },
    );
    assert.ok(accepted >= enough, `only ${accepted} routers were accepted`);
  });
}

test("the walks themselves tell rules apart", () => {
  const plan = planOf({
    services: [service("web"), service("web@v2")],
    routers: [router("www", [rule("web@v2", { match: [{ ...anything, path: { kind: "prefix", value: "/a" } }] }), rule("web@v1")], { public: false })],
  });
  for (const [mesh, walk] of walks) {
    const objects = objectsOf(emitters[mesh](plan));
    const reached = (path: string): Reached => walk(objects, { method: "GET", path, headers: {} });
    assert.deepEqual([reached("/a/x"), reached("/ab")], [["web-v2:80 100"], ["web-v1:80 100"]], mesh);
  }
});
