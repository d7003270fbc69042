/** The cluster that a command means, connected to. */

import type { KubeconfigOptions } from "../../front/connect.ts";
import { type ClusterConnection, connectCluster } from "../../install/cluster/connect.ts";
import type { Problem, Result } from "../../lib/problem.ts";
import type { Options, Place } from "../command.ts";
import { readChosen } from "../context-store.ts";
import { type ExitCode, exitCode } from "../exit-code.ts";
import { Failure } from "../failure.ts";

export interface MeantCluster extends ClusterConnection {
  /** How messages call it. */
  readonly label: string;
}

/** Connects to the cluster of `--context` and `--kubeconfig`, else of the chosen context, else of the kubeconfig's own. Throws a `Failure`. */
export async function connectMeant(options: Options): Promise<MeantCluster> {
  const chosen = readChosen();
  const given = { context: options.text("context"), file: options.text("kubeconfig") };
  const remembered = chosen.kind === "cluster" && given.context === undefined && given.file === undefined ? chosen : undefined;
  const context = given.context ?? remembered?.context;
  const file = given.file ?? remembered?.kubeconfig;
  const connection = orFail(await connectCluster({ env: process.env, ...(context === undefined ? {} : { context }), ...(file === undefined ? {} : { file }) }));
  return { ...connection, label: context === undefined ? connection.server : `${context} (${connection.server})` };
}

/** The cluster of a place, as the providers want it said. This machine has none: a caller that asks has a bug. */
export function clusterOf(place: Place): KubeconfigOptions {
  if (place.kind === "local") throw new Error("this machine is no cluster");
  const { context, kubeconfig } = place;
  return { env: process.env, ...(context === undefined ? {} : { context }), ...(kubeconfig === undefined ? {} : { file: kubeconfig }) };
}

const exits: Readonly<Record<string, ExitCode>> = {
  "cluster-unreachable": exitCode.unavailable,
  "install-not-ready": exitCode.timeout,
  "install-object-ending": exitCode.conflict,
  "install-object-foreign": exitCode.conflict,
  "kube-context-unknown": exitCode.notFound,
  "kubeconfig-invalid": exitCode.badInput,
  "kubeconfig-missing": exitCode.badInput,
  "pod-unreachable": exitCode.unavailable,
  "trust-domain-differs": exitCode.conflict,
  "uninstall-in-use": exitCode.conflict,
  "uninstall-not-gone": exitCode.timeout,
  "uninstall-not-released": exitCode.timeout,
  "weir-not-installed": exitCode.unavailable,
};

/** The value. Throws a `Failure` with the exit status that belongs to the first problem. */
export function orFail<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Failure(result.problems, exitOf(result.problems));
}

function exitOf([problem]: readonly Problem[]): ExitCode {
  const code = problem?.code ?? "";
  return exits[code] ?? (code.startsWith("ca-") ? exitCode.badInput : exitCode.failed);
}
