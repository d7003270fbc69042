import type { Command, Invocation } from "../command.ts";

export const cp: Command = {
  path: ["cp"],
  summary: "copy files and folders into a workload or out of it, by the tar that is in it",
  args: [
    { syntax: "<source>", description: "FILE, or APP[@VERSION]:PATH inside; - is a tar archive on stdin" },
    { syntax: "<target>", description: "the same; - is stdout. A folder that is there gets it inside, as with cp" },
  ],
  options: [{ flags: "--workload <id>", description: "which replica (default: a ready one)" }],
  where: "both",
  examples: ["cp settings.json web:/etc/app/", "cp web@v1:/var/log/app ./logs", "cp web:/data - | tar -tv", "cp team-a:web:/etc/hosts hosts"],
  run: async (invocation: Invocation) => {
    const { runCopy } = await import("../copy/run-copy.ts");
    return runCopy(invocation);
  },
};
