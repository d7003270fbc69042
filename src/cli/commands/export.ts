import type { Command, Invocation } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { Failure, failure } from "../failure.ts";
import { out, say } from "../output.ts";

const meshes = ["istio", "linkerd", "gateway-api"] as const;

export const exportCommand: Command = {
  path: ["export"],
  summary: "the plain Kubernetes resources that mean the same for another mesh",
  args: [{ syntax: "[dir]", description: "folder with a weir.yaml (default: this one)" }],
  options: [
    { flags: "--mesh <mesh>", description: `one of ${meshes.join(", ")}` },
    { flags: "-f, --file <file>", description: "another file; - is stdin" },
  ],
  where: "anywhere",
  examples: ["export --mesh istio -f examples/shop/weir.yaml", "export --mesh linkerd examples/shop | kubectl apply -f -"],
  run,
};

async function run({ args, options }: Invocation): Promise<number> {
  const mesh = meshes.find((known) => known === options.text("mesh"));
  if (mesh === undefined) throw failure("unknown-mesh", `--mesh must be one of ${meshes.join(", ")}`, { exit: exitCode.badInput });
  const [{ readSource }, { parseStack }, { printStack }] = await Promise.all([
    import("./source.ts"),
    import("../../model/parse-stack.ts"),
    import("../../emit/export.ts"),
  ]);
  const stack = parseStack(readSource(options.text("file") ?? args[0] ?? "."));
  const result = stack.ok ? printStack(stack.value, mesh) : stack;
  if (!result.ok) throw new Failure(result.problems, exitCode.badInput);
  out(result.value.yaml);
  for (const notice of result.value.notices) say(`note: ${notice}`);
  return exitCode.ok;
}
