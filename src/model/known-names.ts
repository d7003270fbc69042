import type { AppName, Namespace, VersionName } from "./names.ts";
import type { Port } from "./types.ts";

interface KnownData {
  readonly namespace: Namespace;
  readonly name: string;
  readonly keys: readonly string[];
}

/**
 * What exists apart from the file: a file may refer to it, and may not take its names.
 * Leave out what the file itself owns: it may be about to go.
 */
export interface KnownNames {
  readonly services: readonly { readonly namespace: Namespace; readonly app: AppName; readonly version: VersionName; readonly ports: readonly Port[] }[];
  readonly jobs: readonly { readonly namespace: Namespace; readonly name: string }[];
  readonly routers: readonly { readonly namespace: Namespace; readonly name: string }[];
  readonly externals: readonly { readonly namespace: Namespace; readonly name: string; readonly ports: readonly Port[] }[];
  readonly configs: readonly KnownData[];
  readonly secrets: readonly KnownData[];
}

export const nothingKnown: KnownNames = { services: [], jobs: [], routers: [], externals: [], configs: [], secrets: [] };
