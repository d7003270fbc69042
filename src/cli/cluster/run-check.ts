/** Carries out `weir check` on a cluster. */
import { type ClusterCheck, clusterChecks } from "../../install/checks.ts";
import { connectCluster } from "../../install/cluster/connect.ts";
import { lookAtCluster } from "../../install/cluster/look.ts";
import type { Invocation } from "../command.ts";
import { version } from "../version.ts";
import { clusterOf } from "./connect.ts";

/** One line each. A cluster that does not answer is a failed check, not a failed command. */
export async function checkCluster({ place, namespace }: Invocation): Promise<readonly ClusterCheck[]> {
  const connection = await connectCluster(clusterOf(place));
  if (!connection.ok)
    return connection.problems.map(({ message, hint }) => ({ name: "api server", ok: false, detail: message, ...(hint === undefined ? {} : { fix: hint }) }));
  const { client, server, clock, close } = connection.value;
  try {
    return clusterChecks(await lookAtCluster(client, { server, version, namespace }), clock.now());
  } finally {
    close();
  }
}
