import type { ProxyView, SystemView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import type { Check } from "./check.ts";

/** What the proxies make of their configuration. */
export function proxyChecks(system: SystemView): readonly Check[] {
  const agent: Check = {
    name: "agent",
    ok: system.agent.state === "running",
    detail: system.agent.reason ?? system.agent.state,
    fix: "see its log: weir system logs",
  };
  return [agent, ...system.proxies.map(proxyCheck)];
}

function proxyCheck(proxy: ProxyView): Check {
  const rejected = proxy.rejected?.map(({ type, message }) => `${type}: ${message}`).join("; ");
  return {
    name: `proxy ${proxy.name}`,
    ok: proxy.state === "synced" || proxy.state === "pending",
    detail:
      rejected === undefined || rejected === ""
        ? `${proxy.state}${proxy.version === undefined ? "" : `, Envoy ${proxy.version}`}`
        : `Envoy refused a change; the last good one is in force: ${rejected}`,
    fix: rejected === undefined || rejected === "" ? "see its log: weir system logs" : "this is a fault of Weir's: please report it with the message above",
  };
}

/** A proxy that starts or comes back needs less. */
const slowMs = 5_000;

/** What somebody who looks at services must know about the proxies in front of them: one line each, none when all is well. `now` is in milliseconds. */
export function proxyWarnings(system: SystemView, now: number): readonly string[] {
  const { agent } = system;
  const down = agent.state === "down" ? [`agent: down${agent.reason === undefined ? "" : `: ${agent.reason}`}; see its log: weir system logs`] : [];
  return [...down, ...system.proxies.flatMap((proxy) => warningsOf(proxy, now))];
}

function warningsOf(proxy: ProxyView, now: number): readonly string[] {
  switch (proxy.state) {
    case "rejected": {
      const words = (proxy.rejected ?? []).map(({ type, message }) => `${type}: ${message}`);
      return [
        `proxy ${proxy.name}: Envoy refused a change, the last good configuration is in force${words.length === 0 ? "" : `; its words: ${words.join("; ")}`}`,
      ];
    }
    case "connecting":
      return now - proxy.since < slowMs
        ? []
        : [`proxy ${proxy.name}: not connected for ${formatAge(now - proxy.since)}, what it was told last is in force; see: weir system status`];
    case "synced":
    case "pending":
      return [];
    default:
      return proxy.state satisfies never;
  }
}
