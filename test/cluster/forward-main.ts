/**
 * Program that runs inside a sandbox and accepts connections outside of it: a socket belongs to the network namespace it was made in, and the parent sends
 * one that listens on the machine's loopback.
 *   forward-main.ts ADDRESS PORT
 */
import type { Server, Socket } from "node:net";
import { connect } from "node:net";

const [address = "", port = ""] = process.argv.slice(2);

process.once("message", (_, listening: unknown) => {
  (listening as Server).on("connection", forward);
  process.send?.("ready", () => process.disconnect?.());
});

function forward(client: Socket): void {
  const upstream = connect(Number(port), address);
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.setNoDelay(true);
    one.pipe(other);
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}
