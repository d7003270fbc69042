import type { Command, Invocation } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { out } from "../output.ts";

export const completion: Command = {
  path: ["completion"],
  summary: "a script that completes commands and names in your shell",
  args: [{ syntax: "<shell>", description: "bash, zsh or fish" }],
  namespaced: false,
  where: "anywhere",
  examples: ["completion bash > ~/.local/share/bash-completion/completions/weir", "completion fish > ~/.config/fish/completions/weir.fish"],
  run,
};

/**
 * All ask `weir completion words -- WORD…`, where the last word is the one in progress.
 * Bash splits words at @, : and =, which our names contain: the words are taken from the line, and what Bash keeps of the last one is cut off again.
 */
const scripts = {
  bash: `_weir() {
  local line=\${COMP_LINE:0:COMP_POINT} cur="" typed words
  read -ra typed <<<"$line"
  if [[ $line == *[[:space:]] ]]; then typed+=(""); fi
  cur=\${typed[\${#typed[@]}-1]}
  mapfile -t words < <(weir completion words -- "\${typed[@]:1}" 2>/dev/null)
  COMPREPLY=("\${words[@]#"\${cur%"\${cur##*[@:=]}"}"}")
}
complete -o default -F _weir weir
`,
  zsh: `#compdef weir
_weir() {
  local -a found
  found=(\${(f)"$(weir completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
compdef _weir weir
`,
  fish: `function __weir_words
  set -l typed (commandline -opc)
  weir completion words -- $typed[2..-1] (commandline -ct | string collect --allow-empty) 2>/dev/null
end
complete -c weir -a '(__weir_words)'
`,
} as const;

async function run({ args, rest }: Invocation): Promise<number> {
  const [shell = ""] = args;
  if (shell === "words") {
    const { completionWords } = await import("./completion-words.ts");
    out((await completionWords(rest)).map((word) => `${word}\n`).join(""));
    return exitCode.ok;
  }
  const script = Object.entries(scripts).find(([name]) => name === shell)?.[1];
  if (script === undefined)
    throw failure("unknown-shell", `there is no completion for "${shell}"`, { hint: `one of ${Object.keys(scripts).join(", ")}`, exit: exitCode.badInput });
  out(script);
  return exitCode.ok;
}
