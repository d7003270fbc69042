import { didYouMean } from "../../lib/did-you-mean.ts";
import type { ProblemEntry } from "../../model/problem-codes.ts";
import type { Command, Invocation } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { emphasis, out, printList, printValue } from "../output.ts";

export const explain: Command = {
  path: ["explain"],
  summary: "what the code of a problem means and what to do; without a code: all of them",
  args: [{ syntax: "[code]", description: "what stands in brackets: error[CODE]" }],
  namespaced: false,
  output: true,
  where: "anywhere",
  examples: ["explain weights-sum", "explain"],
  run,
};

interface Explanation extends ProblemEntry {
  readonly code: string;
}

async function run({ args, format }: Invocation): Promise<number> {
  // Lazy: these are long texts that no other command needs.
  const { problemCodes } = await import("../../model/problem-codes.ts");
  const all: readonly Explanation[] = [...problemCodes].map(([code, entry]) => ({ code, ...entry }));
  const [code] = args;
  if (code === undefined) {
    const columns = [
      { title: "CODE", value: (item: Explanation) => item.code },
      { title: "MEANS", value: (item: Explanation) => item.title },
    ];
    await printList({ items: all, columns, name: (item) => item.code, empty: "there are no problems" }, format);
    return exitCode.ok;
  }
  const found = all.find((item) => item.code === code);
  if (found === undefined) {
    const hint = didYouMean(code, problemCodes.keys());
    throw failure("unknown-problem", `there is no problem "${code}"`, { ...(hint === undefined ? {} : { hint }), exit: exitCode.notFound });
  }
  if (format === "name") out(`${found.code}\n`);
  else if (format === "json" || format === "yaml") await printValue(found, format);
  else out(`${emphasis("bold", found.code)}: ${found.title}\n\n${found.explanation}\n${found.next}\n`);
  return exitCode.ok;
}
