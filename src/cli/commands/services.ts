/** Versions in lists: shared by every command that prints services. */
import type { ServiceView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import { exitCode } from "../exit-code.ts";
import { type Column, emphasis, type Format, type Listing, printList, say } from "../output.ts";

/** Basis points as a person says them: `10%`, `33.3%`. */
export function percent(weight: number): string {
  return `${Number((weight / 100).toFixed(2))}%`;
}

function weightText(service: ServiceView): string {
  return service.weight === service.targetWeight ? percent(service.weight) : `${percent(service.weight)} → ${percent(service.targetWeight)}`;
}

const stateStyles = { ready: "green", starting: "cyan", degraded: "yellow", failing: "red", draining: "dim", stopped: "dim" } as const;

/** `web@v1`, with its namespace in front where it is not the default one. */
export function serviceName(service: Pick<ServiceView, "namespace" | "app" | "version">): string {
  return `${service.namespace === "default" ? "" : `${service.namespace}:`}${service.app}@${service.version}`;
}

function columns(now: number): readonly Column<ServiceView>[] {
  return [
    { title: "NAME", value: serviceName },
    { title: "STATE", value: (service) => emphasis(stateStyles[service.state], service.state) },
    { title: "READY", value: (service) => `${service.ready}/${service.wanted}` },
    { title: "WEIGHT", value: weightText },
    { title: "URL", value: (service) => (service.weight > 0 ? service.url : service.versionUrl) ?? service.url ?? "-" },
    { title: "AGE", value: (service) => formatAge(now - service.createdAt) },
    { title: "RESTARTS", value: (service) => String(service.restarts) },
    { title: "VERSION URL", value: (service) => service.versionUrl ?? "-", wide: true },
    { title: "PORTS", value: (service) => service.ports.join(",") || "-", wide: true },
    { title: "STACK", value: (service) => service.stack ?? "-", wide: true },
    { title: "ADDRESSES", value: (service) => service.workloads.map((workload) => workload.address ?? workload.phase).join(",") || "-", wide: true },
  ];
}

/** The listing of `ps`. */
export function serviceListing(items: readonly ServiceView[], now: number): Listing<ServiceView> {
  return {
    items,
    columns: columns(now),
    name: serviceName,
    note: (service) => (service.reason === undefined ? undefined : `why: ${service.reason}`),
    empty: "nothing runs; start with: weir up DIR, or: weir run -n NAME -p 80:8080 -- COMMAND",
  };
}

/** Prints services as the user asked. */
export function printServices(items: readonly ServiceView[], format: Format): Promise<void> {
  return printList(serviceListing(items, Date.now()), format);
}

/** Prints what a command changed. Answers its exit status: a command that waited until all runs, in vain, has failed. */
export async function printChanged(items: readonly ServiceView[], { format, waited }: { readonly format: Format; readonly waited: boolean }): Promise<number> {
  await printServices(items, format);
  return judgeServices(items, waited);
}

/** Exit status of a command that waited for these: says which of them are not as wanted. */
export function judgeServices(items: readonly ServiceView[], waited: boolean): number {
  const unfinished = waited ? items.filter(({ state }) => state === "failing" || state === "degraded" || state === "starting") : [];
  for (const service of unfinished) say(`${serviceName(service)} is not as wanted: it is ${service.state}; what it said: weir logs ${serviceName(service)}`);
  if (unfinished.length === 0) return exitCode.ok;
  return unfinished.every(({ state }) => state === "starting") ? exitCode.timeout : exitCode.failed;
}

/** One line for a service in progress: `web@v1  starting 1/2  why`. */
export function progressLine(service: ServiceView): string {
  const reason = service.reason === undefined ? "" : `  ${service.reason}`;
  return `${serviceName(service).padEnd(24)} ${service.state.padEnd(9)} ${service.ready}/${service.wanted}${reason}`;
}
