/** All commands, in the order in which help shows them. */
import type { Command } from "./command.ts";
import { adopt } from "./commands/adopt.ts";
import { attach } from "./commands/attach.ts";
import { check } from "./commands/check.ts";
import { completion } from "./commands/completion.ts";
import { context } from "./commands/context.ts";
import { cp } from "./commands/cp.ts";
import { down } from "./commands/down.ts";
import { exec } from "./commands/exec.ts";
import { explain } from "./commands/explain.ts";
import { exportCommand } from "./commands/export.ts";
import { identity } from "./commands/identity.ts";
import { inspect } from "./commands/inspect.ts";
import { install, uninstall } from "./commands/install.ts";
import { lists } from "./commands/lists.ts";
import { logs } from "./commands/logs.ts";
import { portForward } from "./commands/port-forward.ts";
import { ps } from "./commands/ps.ts";
import { restart } from "./commands/restart.ts";
import { rm } from "./commands/rm.ts";
import { run } from "./commands/run.ts";
import { scale } from "./commands/scale.ts";
import { schema } from "./commands/schema.ts";
import { stage } from "./commands/stage.ts";
import { system } from "./commands/system.ts";
import { up } from "./commands/up.ts";
import { versionCommand } from "./commands/version.ts";
import { history, promote, rollback, weight } from "./commands/weight.ts";

export const commands: readonly Command[] = [
  up,
  run,
  ps,
  stage,
  adopt,
  weight,
  promote,
  rollback,
  history,
  scale,
  restart,
  logs,
  exec,
  attach,
  cp,
  portForward,
  inspect,
  identity,
  rm,
  down,
  ...lists,
  exportCommand,
  schema,
  explain,
  install,
  uninstall,
  ...context,
  check,
  ...system,
  completion,
  versionCommand,
];
