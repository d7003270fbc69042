/** Matches, as the file means them, against what Envoy does with what is emitted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RouteMatchSchema, VirtualHostSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import { chooseRoute, type Request } from "../../../test/simulate/route.ts";
import { anything } from "../../../test/support/stacks.ts";
import type { NamedMatch, RouteMatch, TextMatch } from "../../model/types.ts";
import { routeMatch, withoutSlash } from "./match.ts";

const get: Request = { method: "GET", authority: "www", path: "/", headers: {} };

function fits(match: Partial<RouteMatch>, request: Partial<Request>): boolean {
  const virtualHost = create(VirtualHostSchema, {
    name: "www",
    routes: [{ name: "it", match: create(RouteMatchSchema, routeMatch({ ...anything, ...match })) }],
  });
  return chooseRoute(virtualHost, { ...get, ...request }) !== undefined;
}

const exact = (value: string): TextMatch => ({ kind: "exact", value });
const named = (name: string, value: TextMatch): readonly NamedMatch[] => [{ name, value }];

test("paths", () => {
  const rows: readonly (readonly [RouteMatch["path"], readonly string[], readonly string[]])[] = [
    [undefined, ["/", "/x", "/x?q"], []],
    [{ kind: "exact", value: "/a" }, ["/a", "/a?q=1"], ["/a/", "/A", "/a/b", "/"]],
    [{ kind: "prefix", value: "/" }, ["/", "/x", "//"], []],
    [{ kind: "prefix", value: "/api" }, ["/api", "/api/", "/api/x", "/api?q"], ["/apix", "/ap", "/x/api"]],
    [{ kind: "prefix", value: "/api/" }, ["/api", "/api/", "/api/x"], ["/apix"]],
    [{ kind: "prefix", value: "/a/b" }, ["/a/b", "/a/b/c"], ["/a", "/a/bc"]],
    [{ kind: "regex", value: "/u/[0-9]+" }, ["/u/7", "/u/42?q=/x"], ["/u/", "/u/7/x", "/x/u/7"]],
    [{ kind: "regex", value: "/a|/b" }, ["/a", "/b"], ["/ab", "/a/b"]],
  ];
  for (const [path, inside, outside] of rows) {
    const match = path === undefined ? {} : { path };
    for (const one of inside) assert.ok(fits(match, { path: one }), `${one} is in ${JSON.stringify(path)}`);
    for (const one of outside) assert.ok(!fits(match, { path: one }), `${one} is not in ${JSON.stringify(path)}`);
  }
});

test("methods: one, several, none said; never a part of a word", () => {
  assert.ok(fits({ methods: [] }, { method: "PURGE" }));
  assert.deepEqual(
    ["GET", "HEAD", "POST", "GETS", "get"].map((method) => fits({ methods: ["GET", "HEAD"] }, { method })),
    [true, true, false, false, false],
  );
  assert.deepEqual(
    ["PUT", "PUTS"].map((method) => fits({ methods: ["PUT"] }, { method })),
    [true, false],
  );
});

test("headers, query and cookies: each kind of text; what is absent fits nothing", () => {
  const carriers: readonly (readonly [string, (value: TextMatch) => Partial<RouteMatch>, (text: string) => Partial<Request>])[] = [
    ["header", (value) => ({ headers: named("x-user", value) }), (text) => ({ headers: { "x-user": text } })],
    ["query", (value) => ({ query: named("user", value) }), (text) => ({ path: `/?a=1&user=${text}` })],
    ["cookie", (value) => ({ cookies: named("user", value) }), (text) => ({ headers: { cookie: `a=1; user=${text}` } })],
  ];
  const rows: readonly (readonly [TextMatch, readonly string[], readonly string[]])[] = [
    [exact("beta"), ["beta"], ["beta2", "Beta", ""]],
    [{ kind: "regex", value: "beta-.*" }, ["beta-", "beta-1"], ["xbeta-1", "beta"]],
    [{ kind: "present" }, ["x", ""], []],
  ];
  for (const [name, matching, carrying] of carriers) {
    for (const [value, inside, outside] of rows) {
      for (const text of inside) assert.ok(fits(matching(value), carrying(text)), `${name} ${text} is in ${JSON.stringify(value)}`);
      for (const text of outside) assert.ok(!fits(matching(value), carrying(text)), `${name} ${text} is not in ${JSON.stringify(value)}`);
      assert.ok(!fits(matching(value), {}), `no ${name} is not in ${JSON.stringify(value)}`);
    }
  }
});

test("a prefix is a number of whole segments, for any prefix and path", () => {
  const segments = fc.array(fc.constantFrom("a", "b", "ab", "a.b", "%20"), { maxLength: 4 });
  fc.assert(
    fc.property(segments, segments, fc.boolean(), (prefix, path, slash) => {
      const expected = prefix.every((segment, index) => path[index] === segment);
      const value = `/${prefix.join("/")}${slash && prefix.length > 0 ? "/" : ""}`;
      assert.equal(fits({ path: { kind: "prefix", value } }, { path: `/${path.join("/")}` }), expected, `${value} of /${path.join("/")}`);
    }),
  );
});

test("everything that is said must hold: leaving out any one part of a request is seen", () => {
  const match = { path: exact("/a") as RouteMatch["path"] & object, methods: ["PUT"], headers: named("x", exact("1")), query: named("q", exact("2")) };
  const whole: Request = { ...get, method: "PUT", path: "/a?q=2", headers: { x: "1" } };
  assert.ok(fits(match, whole));
  for (const part of [{ method: "GET" }, { path: "/b?q=2" }, { path: "/a?q=3" }, { path: "/a" }, { headers: {} }])
    assert.ok(!fits(match, { ...whole, ...part }), JSON.stringify(part));
});

test("slashes at the end do not count", () => {
  assert.deepEqual(["/", "/a", "/a/", "/a/b//", ""].map(withoutSlash), ["", "/a", "/a", "/a/b", ""]);
});
