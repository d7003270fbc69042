/** Routes of whole connections in one node Envoy: shares, server names of TLS that passes through, and that callers stay who they are. In namespaces of its own. */
import path from "node:path";
import { test } from "node:test";
import { runInside } from "./support/inside.ts";

const inner = path.join(import.meta.dirname, "connection-routes/inner.ts");

test("connections go by share and by server name, as their callers", { timeout: 90_000 }, (t) => runInside(t, inner, 85_000));
