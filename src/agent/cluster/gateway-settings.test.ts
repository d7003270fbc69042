/** A gateway's settings: who it is, where its control plane is, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readGatewaySettings } from "./gateway-settings.ts";

const needed = { WEIR_NAMESPACE: "shop", WEIR_SERVICE_ACCOUNT: "web-weir", WEIR_CONTROL: "weir-control.weir-system.svc:15012" };

test("a gateway is its ServiceAccount, for the authority and for the discovery server", () => {
  const settings = readGatewaySettings(["--trust-domain", "example.com"], needed);
  assert.equal(settings.own, "spiffe://example.com/ns/shop/sa/web-weir");
  assert.equal(settings.proxyId, "ns/shop/sa/web-weir");
  assert.deepEqual([settings.control.host, settings.control.port], ["weir-control.weir-system.svc", 15_012]);
});

const bad: Readonly<Record<string, readonly [args: readonly string[], env: NodeJS.ProcessEnv]>> = {
  "no account": [[], { ...needed, WEIR_SERVICE_ACCOUNT: "" }],
  "no namespace": [[], { ...needed, WEIR_NAMESPACE: "" }],
  "a control plane on a socket": [["--control", "unix:/run/x"], needed],
  "no control plane": [[], { ...needed, WEIR_CONTROL: "" }],
  "a count that is none": [["--drain-seconds", "soon"], needed],
  "an unknown flag": [["--node", "n1"], needed],
};

for (const [what, [args, env]] of Object.entries(bad)) {
  test(`refused: ${what}`, () => assert.throws(() => readGatewaySettings(args, env), /usage: gateway/));
}
