/** Where one installation keeps its state and its sockets. */
import { fnv1aHex } from "./fnv.ts";

export interface StatePaths {
  /** Absolute; mode 0700. */
  readonly stateDir: string;
  /** Folder of the sockets. */
  readonly runDir: string;
  readonly apiSocket: string;
  readonly logDir: string;
  /** Holds the version of the daemon that started last: cheaper to read than to ask it. */
  readonly versionFile: string;
}

/** The variables that decide. */
export interface StateEnvironment {
  readonly WEIR_HOME?: string | undefined;
  readonly XDG_STATE_HOME?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly HOME?: string | undefined;
}

/** `sun_path` of a Unix socket has 108 bytes with its final zero (unix(7)); the longest name that we put into the folder is `/gateway-tcp-65535.sock`. */
const longestFolder = 107 - "/gateway-tcp-65535.sock".length;

/**
 * `$WEIR_HOME`, else `$XDG_STATE_HOME/weir`, else `~/.local/state/weir`. Sockets are in `run/` below, or, where that path is too long for a socket, in a short
 * folder of the user's (`$XDG_RUNTIME_DIR`, else /tmp) named after the state folder. `uid` is the user's number.
 */
export function statePaths(env: StateEnvironment, uid: number): StatePaths {
  const stateDir = withoutSlash(given(env.WEIR_HOME) ?? `${given(env.XDG_STATE_HOME) ?? `${given(env.HOME) ?? "/root"}/.local/state`}/weir`);
  const near = `${stateDir}/run`;
  const short = `${given(env.XDG_RUNTIME_DIR) ?? "/tmp"}/weir-${uid}-${fnv1aHex(stateDir)}`;
  const runDir = new TextEncoder().encode(near).length <= longestFolder ? near : short;
  return { stateDir, runDir, apiSocket: `${runDir}/api.sock`, logDir: `${stateDir}/logs`, versionFile: `${stateDir}/daemon.version` };
}

/** An empty variable counts as absent (XDG base directory specification). */
function given(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}
