export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** How long to wait after so many failures in a row: not at all after none, then twice as long each time. */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number): number {
  if (failures === 0) return 0;
  // More doublings than this are out of the range of numbers that count.
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
}
