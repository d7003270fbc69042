/** Cables: a bridge in the control plane's network namespace, and one veth pair to each node. Nothing is added to the machine's own network. */
import { network, nodeAddress, podRange } from "./places.ts";
import { run } from "./run.ts";
import { networkOf, type Sandbox } from "./sandbox.ts";

/** Joins the control plane and its nodes; every one of them then has a route to every node's pods. */
export async function connect(control: Sandbox, nodes: readonly Sandbox[]): Promise<void> {
  await inNetwork(control, [
    "link add bridge0 type bridge",
    `addr add ${network.control}/${network.nodePrefix} dev bridge0`,
    "link set bridge0 up",
    ...nodes.flatMap((node, at) => [
      `link add node${at + 1} type veth peer name eth0 netns ${node.init.pid}`,
      `link set node${at + 1} master bridge0 up`,
      `route add ${podRange(at + 1)} via ${nodeAddress(at + 1)}`,
    ]),
  ]);
  await Promise.all(
    nodes.map((node, own) =>
      inNetwork(node, [
        `addr add ${nodeAddress(own + 1)}/${network.nodePrefix} dev eth0`,
        "link set eth0 up",
        `route add default via ${network.control}`,
        ...nodes.flatMap((_, other) => (other === own ? [] : [`route add ${podRange(other + 1)} via ${nodeAddress(other + 1)}`])),
      ]),
    ),
  );
}

/** Only the network namespace is entered: `netns PID` is a pid as we see it. */
async function inNetwork(sandbox: Sandbox, lines: readonly string[]): Promise<void> {
  const enter = ["nsenter", `--net=${networkOf(sandbox)}`, "--"];
  await run([...enter, "ip", "-batch", "-"], { input: `${lines.join("\n")}\n` });
  await run([...enter, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
}
