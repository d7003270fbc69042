/** Words for a person who waits. */
export type Say = (line: string) => void;

/** Puts the seconds since this call in front of each line. */
export function sayWithTime(say: Say): Say {
  const startedAt = Date.now();
  return (line) => say(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
}
