/** Runs docs/tutorial.md as a reader would, on whatever platform. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";

const file = path.resolve(import.meta.dirname, "../../docs/tutorial.md");

export type TutorialPlatform = "one machine" | "a cluster";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The commands of the page, in order: all but those below a heading that names another platform. */
export function tutorialCommands(platform: TutorialPlatform): readonly string[] {
  const sections = readFileSync(file, "utf8").split(/^## /m).slice(1);
  const meant = sections.filter((section) => {
    const only = /^.*\((one machine|a cluster)\)$/m.exec(section.slice(0, section.indexOf("\n")))?.[1];
    return only === undefined || only === platform;
  });
  return meant.flatMap((section) => [...section.matchAll(/```sh\n(.*?)```/gs)].flatMap((block) => (block[1] ?? "").trim().split("\n")));
}

/** What the shop's front page shows. */
const page = /"banner": "Welcome to the shop"[^]*"Green tea"/;
const shownTimeoutMs = 120_000;

/** On a machine that is short of breath a ready check of the shop may fail for a moment, and nobody answers: a reader would ask again. */
async function untilShown(ask: () => Promise<Outcome>, wanted: RegExp): Promise<Outcome> {
  const until = Date.now() + shownTimeoutMs;
  for (;;) {
    const outcome = await ask();
    if ((outcome.code === 0 && wanted.test(outcome.stdout)) || Date.now() > until) return outcome;
  }
}

/** Runs every command with `sh`, and looks at what the shop answers. */
export async function runTutorial(platform: TutorialPlatform, sh: (command: string) => Promise<Outcome>): Promise<void> {
  const commands = tutorialCommands(platform);
  assert.ok(commands.length > 15);
  for (const command of commands) {
    const asks = command.includes('fetch("http://web/")');
    const result = asks ? await untilShown(() => sh(command), page) : await sh(command);
    assert.equal(result.code, 0, `${command}\n${result.stdout}\n${result.stderr}`);
    if (asks) assert.match(result.stdout, page, command);
    if (command.endsWith("router ls")) assert.match(result.stdout, /^shop +shop\.example /m);
    if (command.endsWith("history web")) assert.match(result.stdout, /rollback to \d+ .*\n.*promote v2.*\n.*weight v2=10% over 2s/);
  }
}
