/** Something to look at while a command waits. */
import { stripVTControlCharacters, styleText } from "node:util";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** Shows on stderr, if that is a terminal, that (and how long) a command waits for `work`. Answers what `work` answers. */
export async function whileWaiting<T>(text: string, work: Promise<T>): Promise<T> {
  const screen = createScreen();
  const startedAt = performance.now();
  const timer = setInterval(() => screen.show([`${text} (${Math.floor((performance.now() - startedAt) / 1_000)} s)`]), 100);
  try {
    return await tellWhenInterrupted(screen.clear, () => work);
  } finally {
    clearInterval(timer);
    screen.clear();
  }
}

/** Does `work`; Ctrl-C meanwhile calls `tell` first, then ends the process as it always does. */
export async function tellWhenInterrupted<T>(tell: () => void, work: () => Promise<T>): Promise<T> {
  const interrupted = (): void => {
    tell();
    process.off("SIGINT", interrupted);
    process.kill(process.pid, "SIGINT");
  };
  process.on("SIGINT", interrupted);
  try {
    return await work();
  } finally {
    process.off("SIGINT", interrupted);
  }
}

/** Lines on stderr that are written over; without a terminal they are not shown at all. */
export interface Screen {
  show(lines: readonly string[]): void;
  clear(): void;
}

/** A screen on stderr. */
export function createScreen(): Screen {
  const stream = process.stderr;
  let height = 0;
  let frame = 0;
  const clear = (): void => {
    if (height > 0) stream.write(`\x1b[${height}A\x1b[J`);
    height = 0;
  };
  if (!stream.isTTY) return { show: () => undefined, clear: () => undefined };
  return {
    show: (lines) => {
      clear();
      frame += 1;
      const width = (stream.columns || 80) - 2;
      const spinner = styleText("cyan", frames[frame % frames.length] ?? "", { stream });
      stream.write(lines.map((line) => `${spinner} ${stripVTControlCharacters(line).slice(0, width)}\n`).join(""));
      height = lines.length;
    },
    clear,
  };
}
