/** docs/tutorial.md on one machine; test/kubernetes/verbs.test.ts runs it on a cluster. */
import { test } from "node:test";
import { runTutorial } from "../support/tutorial.ts";
import { execute, useWeir } from "./support/weir.ts";

test("every command of the tutorial works", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const env = { ...process.env, WEIR_HOME: weir.home, WEIR_LISTEN: `127.0.0.1:${weir.port}`, NO_COLOR: "1" };
  await runTutorial("one machine", (command) => execute("sh", ["-c", command], { env }));
});
