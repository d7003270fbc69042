import type { Command, Invocation } from "../command.ts";
import { execPlanOf } from "./exec.ts";

export const attach: Command = {
  path: ["attach"],
  summary: "what one replica says from now on, straight from its container, on a cluster; `logs -f` shows all, with the past",
  args: [{ syntax: "<ref>", description: "APP or APP@VERSION" }],
  options: [{ flags: "--workload <id>", description: "which replica (default: a ready one)" }],
  where: "cluster",
  examples: ["attach web", "attach web@v2 --workload web-v2-7d9f-x2x7c"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const plan = await execPlanOf(invocation);
  if (plan.kind !== "pod") throw new Error("only clusters have pods");
  const { attachToPod } = await import("../cluster/pod-streams.ts");
  return attachToPod(invocation.place, plan);
}
