import type { ProxyView, SystemView } from "../../api/contract.ts";
import type { Check } from "./check.ts";

/** What the proxies make of their configuration. */
export function proxyChecks(system: SystemView): readonly Check[] {
  const agent: Check = { name: "agent", ok: system.agent.state === "running", detail: system.agent.reason ?? system.agent.state, fix: "see its log: weir system logs" };
  return [agent, ...system.proxies.map(proxyCheck)];
}

function proxyCheck(proxy: ProxyView): Check {
  const rejected = proxy.rejected?.map(({ type, message }) => `${type}: ${message}`).join("; ");
  return {
    name: `proxy ${proxy.name}`,
    ok: proxy.state === "synced" || proxy.state === "pending",
    detail: rejected === undefined || rejected === "" ? `${proxy.state}${proxy.version === undefined ? "" : `, Envoy ${proxy.version}`}` : `Envoy refused a change; the last good one is in force: ${rejected}`,
    fix: rejected === undefined || rejected === "" ? "see its log: weir system logs" : "this is a fault of Weir's: please report it with the message above",
  };
}
