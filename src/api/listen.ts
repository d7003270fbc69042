import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { failed, ok, type Result } from "../lib/problem.ts";

/**
 * Serves `app` on a Unix socket with mode 0600. The file of a server that died is replaced; one that still answers is left alone.
 * Problem: `api-socket-in-use`.
 */
export async function listenOnSocket(app: Hono, socketPath: string): Promise<Result<Server>> {
  if (await answers(socketPath))
    return failed({ code: "api-socket-in-use", message: `somebody serves ${socketPath} already`, hint: "one state folder has one daemon" });
  rmSync(socketPath, { force: true });
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  // A stream lives as long as somebody reads it.
  server.requestTimeout = 0;
  server.headersTimeout = 10_000;
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socketPath, resolve));
  } finally {
    process.umask(mask);
  }
  chmodSync(socketPath, 0o600);
  return ok(server);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
