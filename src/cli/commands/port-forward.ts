import type { Command, Invocation } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

export const portForward: Command = {
  path: ["port-forward"],
  summary: "a port of this machine leads to a replica on a cluster, until Ctrl-C; past the mesh, through the API server",
  args: [
    { syntax: "<ref>", description: "APP or APP@VERSION" },
    { syntax: "<port>", description: "[LOCALPORT:]PORT; a local port of 0 is any free one (default: PORT)" },
  ],
  options: [
    { flags: "--workload <id>", description: "which replica (default: a ready one, for each connection anew)" },
    { flags: "--address <address>", description: "where to listen (default: 127.0.0.1)" },
  ],
  where: "cluster",
  examples: ["port-forward web 8080:80", "port-forward stock@v1 7000"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const [local, remote] = ports(invocation.args[1] ?? "");
  const { forwardPort } = await import("../cluster/forward-port.ts");
  await forwardPort(invocation, { local, remote, address: invocation.options.text("address") ?? "127.0.0.1" });
  return exitCode.ok;
}

function ports(text: string): readonly [number, number] {
  const [, local, remote = ""] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const [from, to] = [Number(local ?? remote), Number(remote)];
  if (remote === "" || to < 1 || Math.max(from, to) > 65_535)
    throw failure("port-invalid", `"${text}" is no port`, { hint: "write [LOCALPORT:]PORT, like 8080:80", exit: exitCode.badInput });
  return [from, to];
}
