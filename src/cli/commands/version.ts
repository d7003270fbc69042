import type { SystemView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectIfRunning } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out, printValue } from "../output.ts";
import { version } from "../version.ts";

/** What `weir version -o json` prints; the daemon and the proxies only when they run. */
interface Versions {
  readonly weir: string;
  readonly node: string;
  readonly daemon?: string;
  readonly envoy?: string;
}

export const versionCommand: Command = {
  path: ["version"],
  summary: "versions of this program and of what runs",
  namespaced: false,
  output: true,
  where: "anywhere",
  examples: ["version", "version -o json"],
  run,
};

async function run({ format }: Invocation): Promise<number> {
  const system = await (await connectIfRunning())?.get<SystemView>("/v1/system");
  const envoy = system?.proxies.find((proxy) => proxy.version !== undefined)?.version;
  const versions: Versions = {
    weir: version,
    node: process.versions.node,
    ...(system === undefined ? {} : { daemon: system.version }),
    ...(envoy === undefined ? {} : { envoy }),
  };
  if (format === "json" || format === "yaml") await printValue(versions, format);
  else
    out(
      Object.entries(versions)
        .map(([name, value]) => `${name.padEnd(8)}${String(value)}\n`)
        .join(""),
    );
  return exitCode.ok;
}
