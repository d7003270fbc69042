import type { ServiceView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectIfRunning } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { out } from "../output.ts";

export const completion: Command = {
  path: ["completion"],
  summary: "a script that completes commands and names in your shell",
  args: [{ syntax: "<shell>", description: "bash, zsh or fish" }],
  namespaced: false,
  examples: ["completion bash > ~/.local/share/bash-completion/completions/weir", "completion fish > ~/.config/fish/completions/weir.fish"],
  run,
};

const scripts = {
  bash: `_weir() { COMPREPLY=($(compgen -W "$(weir completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}")); }
complete -F _weir weir
`,
  zsh: `#compdef weir
_weir() { compadd -- \${(f)"$(weir completion words -- "\${words[@]:1:$((CURRENT-2))}" 2>/dev/null)"}; }
compdef _weir weir
`,
  fish: `complete -c weir -f -a '(weir completion words -- (commandline -opc)[2..-1] 2>/dev/null)'
`,
} as const;

async function run({ args, rest }: Invocation): Promise<number> {
  const [shell = ""] = args;
  if (shell === "words") {
    out((await words(rest)).map((word) => `${word}\n`).join(""));
    return exitCode.ok;
  }
  const script = Object.entries(scripts).find(([name]) => name === shell)?.[1];
  if (script === undefined)
    throw failure("unknown-shell", `there is no completion for "${shell}"`, { hint: `one of ${Object.keys(scripts).join(", ")}`, exit: exitCode.badInput });
  out(script);
  return exitCode.ok;
}

/** What may come after the words typed so far: commands first, then names of what runs. */
async function words(typed: readonly string[]): Promise<readonly string[]> {
  const { commands } = await import("../commands.ts");
  const following = commands.filter((command) => typed.every((word, index) => command.path[index] === word) && command.path.length > typed.length);
  if (following.length > 0) return [...new Set(following.map((command) => command.path[typed.length] ?? ""))];
  const services = await (await connectIfRunning())?.get<readonly ServiceView[]>("/v1/services?namespace=default");
  return [...new Set((services ?? []).flatMap((service) => [service.app, `${service.app}@${service.version}`]))];
}
