/** What an installation is made from. */
import type { TrustDomain } from "../model/spiffe.ts";

export interface InstallSettings {
  /** Of Weir. */
  readonly version: string;
  /** As a node pulls it. */
  readonly image: string;
  readonly trustDomain: TrustDomain;
  /** Whether the user brings the certificate authority; else there is one of our own. */
  readonly plugIn: boolean;
  /** The last wish for a new root of our own. */
  readonly rootWish?: string;
  /** Below which what is public has its names; absent: below `localhost`, for who forwards a port. */
  readonly domain?: string;
}

/** The image that belongs to a version. */
export function imageOf(version: string): string {
  return `weir.dev/weir:${version}`;
}
