/** Capture of pods with the real agents, Envoys and kernel, in namespaces of its own. */
import path from "node:path";
import { test } from "node:test";
import { runInside } from "./support/inside.ts";

const inner = path.join(import.meta.dirname, "pod-capture/inner.ts");

test("pods join and leave the mesh through their namespaces", { timeout: 180_000 }, (t) => runInside(t, inner, 170_000));
