import assert from "node:assert/strict";
import { test } from "node:test";
import { statePaths } from "./state-paths.ts";

test("WEIR_HOME, then XDG, then the home folder", () => {
  assert.equal(statePaths({ WEIR_HOME: "/w/", XDG_STATE_HOME: "/x", HOME: "/h" }, 1).stateDir, "/w");
  assert.equal(statePaths({ XDG_STATE_HOME: "/x", HOME: "/h" }, 1).stateDir, "/x/weir");
  assert.equal(statePaths({ WEIR_HOME: "/w/" }, 1).versionFile, "/w/daemon.version");
  assert.equal(statePaths({ XDG_STATE_HOME: "", HOME: "/h" }, 1).stateDir, "/h/.local/state/weir");
});

test("sockets are near the state, unless their path would be too long for the kernel", () => {
  assert.equal(statePaths({ WEIR_HOME: "/w" }, 1).apiSocket, "/w/run/api.sock");
  const deep = `/home/${"x".repeat(90)}`;
  const { runDir } = statePaths({ WEIR_HOME: deep, XDG_RUNTIME_DIR: "/run/user/7" }, 7);
  assert.match(runDir, /^\/run\/user\/7\/weir-7-[0-9a-f]{8}$/);
  assert.notEqual(runDir, statePaths({ WEIR_HOME: `${deep}y`, XDG_RUNTIME_DIR: "/run/user/7" }, 7).runDir);
});
