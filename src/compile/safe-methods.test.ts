import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteMatch } from "../model/types.ts";
import { safeRetries } from "./defaults.ts";
import type { Route } from "./mesh-plan.ts";
import { splitBySafety } from "./safe-methods.ts";

const nothing = { add: [], set: [], remove: [] };
const any: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

function route(match: readonly RouteMatch[], retries = safeRetries): Route {
  return { name: "web", match, requestHeaders: nothing, responseHeaders: nothing, action: { kind: "forward", destinations: [], timeoutMs: 0, retries } };
}

/** Methods → when it is tried again. */
function shown(one: Route): readonly (readonly [string, boolean])[] {
  assert.ok(one.action.kind === "forward");
  const triesResets = one.action.retries?.on.includes("reset") ?? false;
  return one.match.map(({ methods }) => [methods.join(), triesResets] as const);
}

test("requests that change nothing are tried again when their connection ends; the others, as before", () => {
  assert.deepEqual(splitBySafety(route([])).map(shown), [[["GET,HEAD,OPTIONS,TRACE", true]], []]);
  assert.deepEqual(splitBySafety(route([{ ...any, methods: ["GET", "POST"] }, any])).map(shown), [
    [
      ["GET", true],
      ["GET,HEAD,OPTIONS,TRACE", true],
    ],
    [
      ["GET,POST", false],
      ["", false],
    ],
  ]);
});

test("what has no safe method, or retries of its own, stays as it is", () => {
  const posts = route([{ ...any, methods: ["POST"] }]);
  const own = route([], { attempts: 1, on: ["5xx"] });
  assert.deepEqual([splitBySafety(posts), splitBySafety(own)], [[posts], [own]]);
});
