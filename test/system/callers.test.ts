/** One node Envoy calls in the name of several pods: every call shows its own caller's certificate and no other. In namespaces of its own. */
import path from "node:path";
import { test } from "node:test";
import { runInside } from "./support/inside.ts";

const inner = path.join(import.meta.dirname, "callers/inner.ts");

test("every call by mutual TLS is made as its caller", { timeout: 90_000 }, (t) => runInside(t, inner, 85_000));
