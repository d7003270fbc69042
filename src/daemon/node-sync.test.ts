import assert from "node:assert/strict";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { realClock as clock, eventually, silentLog as log, temporaryFolder } from "../../test/support/real.ts";
import { type NodeOrder, type NodeReport, syncMethod } from "../agent/cluster/contract.ts";
import { runControlLink } from "../agent/cluster/control-link.ts";
import { Cell } from "../lib/cell.ts";
import { connectRpc } from "../rpc/client.ts";
import { createRpcServer } from "../rpc/server.ts";
import { RpcError, Status } from "../rpc/status.ts";
import { createNodeSync, type NodeSync } from "./node-sync.ts";

const order = (generation: number): NodeOrder => ({ generation, pods: [], meshNamespaces: [], gateways: [] });
const report = (generation: number, node = "one"): NodeReport => ({ node, generation, pods: [], guard: { state: "absent" } });

async function serve(t: TestContext, socket: string, peer: string | undefined = "one"): Promise<{ sync: NodeSync; close: () => Promise<void> }> {
  const sync = createNodeSync({ log, peerOf: () => peer });
  const server = createRpcServer({ clock, log, methods: sync.methods });
  await server.listen({ path: socket });
  t.after(() => server.close(0));
  return { sync, close: () => server.close(0) };
}

function link(t: TestContext, socket: string): { orders: NodeOrder[]; reports: Cell<NodeReport> } {
  const orders: NodeOrder[] = [];
  const reports = new Cell(report(0));
  const stop = new AbortController();
  const options = {
    connect: () => connectRpc({ clock, target: { path: socket } }),
    onOrder: (one: NodeOrder) => void orders.push(one),
    report: reports,
    clock,
    log,
  };
  const running = runControlLink(options, stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { orders, reports };
}

test("orders go out and reports come in, newest first", async (t) => {
  const socket = path.join(temporaryFolder(t), "control.sock");
  const { sync } = await serve(t, socket);
  sync.order("one", order(1));
  sync.order("two", order(9));
  const { orders, reports } = link(t, socket);
  await eventually(() => orders.length === 1, "the order that waited");
  sync.order("one", order(2));
  await eventually(() => orders.at(-1)?.generation === 2, "a newer one");
  reports.set(report(2));
  await eventually(() => sync.reports.get().get("one")?.generation === 2, "the report");
  assert.deepEqual([...sync.connected.get()], ["one"]);
  assert.deepEqual(
    orders.map((one) => one.generation),
    [1, 2],
  );
});

test("a control plane that goes and comes again is found; until then the last report holds", async (t) => {
  const socket = path.join(temporaryFolder(t), "control.sock");
  const { orders, reports } = link(t, socket);
  const first = await serve(t, socket);
  first.sync.order("one", order(1));
  await eventually(() => orders.length === 1, "first");
  await first.close();
  await eventually(() => first.sync.connected.get().size === 0, "it is away");
  assert.equal(first.sync.reports.get().get("one")?.generation, 0);
  const second = await serve(t, socket);
  second.sync.order("one", order(7));
  reports.set(report(7));
  await eventually(() => orders.at(-1)?.generation === 7 && second.sync.reports.get().get("one")?.generation === 7, "second");
  second.sync.forget("one");
  assert.equal(second.sync.reports.get().size, 0);
});

async function refusal(socket: string, message: string): Promise<number | undefined> {
  const client = connectRpc({ clock, target: { path: socket } });
  try {
    const call = client.stream(syncMethod);
    void call.write([new TextEncoder().encode(message)]).catch(() => undefined);
    for await (const _ of call.messages);
    return undefined;
  } catch (error) {
    return error instanceof RpcError ? error.code : -1;
  } finally {
    client.close();
  }
}

test("a node speaks only for itself, and nobody without a name", async (t) => {
  const folder = temporaryFolder(t);
  await serve(t, path.join(folder, "a.sock"));
  assert.equal(await refusal(path.join(folder, "a.sock"), JSON.stringify(report(1, "two"))), Status.permissionDenied);
  assert.equal(await refusal(path.join(folder, "a.sock"), "{"), Status.invalidArgument);
  assert.equal(await refusal(path.join(folder, "a.sock"), JSON.stringify({ node: "one" })), Status.invalidArgument);
  const nameless = createRpcServer({ clock, log, methods: createNodeSync({ log, peerOf: () => undefined }).methods });
  await nameless.listen({ path: path.join(folder, "b.sock") });
  t.after(() => nameless.close(0));
  assert.equal(await refusal(path.join(folder, "b.sock"), "{}"), Status.unauthenticated);
});

test("an order that cannot be read changes nothing, and the stream goes on", async (t) => {
  const socket = path.join(temporaryFolder(t), "control.sock");
  const { sync } = await serve(t, socket);
  sync.order("one", { generation: 1 } as NodeOrder);
  const { orders } = link(t, socket);
  await eventually(() => sync.connected.get().size === 1, "connected");
  sync.order("one", order(2));
  await eventually(() => orders.at(-1)?.generation === 2, "the next one");
  assert.equal(orders.length, 1);
});
