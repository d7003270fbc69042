/** How often a property test draws: `count` times, and a fifth of it in the quick check (`npm run check`), which people wait for; `npm test` draws all. */
export function runs(count: number): number {
  return process.env["WEIR_QUICK"] === undefined ? count : Math.ceil(count / 5);
}
