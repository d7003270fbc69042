/** The API in front of a cluster. */
import type { Result } from "../lib/problem.ts";
import type { KubeconfigOptions } from "../providers/kubernetes/kubeconfig.ts";

export type { KubeconfigOptions } from "../providers/kubernetes/kubeconfig.ts";

export interface FrontOptions {
  readonly cluster: KubeconfigOptions;
  readonly namespaces: readonly string[];
  readonly wide: boolean;
  readonly version: string;
}

export interface Front {
  fetch(request: Request): Promise<Response>;
  close(): void;
}

export async function openFront(_options: FrontOptions): Promise<Result<Front>> {
  return { ok: false, problems: [] };
}
