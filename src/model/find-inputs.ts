/** What a file takes from beside it: so that whoever reads the file can bring it along. */
import { Report } from "./file/report.ts";
import { readYaml, type YamlNode } from "./file/yaml-tree.ts";

export interface Inputs {
  /** Paths as written. */
  readonly files: readonly string[];
  /** Names of environment variables. */
  readonly env: readonly string[];
}

/** Finds every `{file: PATH}` and `{env: NAME}` below `configs` and `secrets`. A text that is no YAML has none; the parser says what is wrong with it. */
export function findInputs(text: string): Inputs {
  const tree = readYaml(text, new Report("", text));
  const values = children(tree)
    .filter(({ key }) => key === "configs" || key === "secrets")
    .flatMap(({ node }) => children(node).flatMap((data) => children(data.node).map((value) => value.node)));
  const named = (name: string): readonly string[] => {
    const found = values.flatMap((value) => children(value).flatMap(({ key, node }) => (key === name && node.kind === "scalar" ? [node.text] : [])));
    return [...new Set(found)];
  };
  return { files: named("file"), env: named("env") };
}

function children(node: YamlNode | undefined): readonly { readonly key: string; readonly node: YamlNode }[] {
  return node?.kind === "map" ? node.entries : [];
}
