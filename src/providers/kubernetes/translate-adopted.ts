/** Somebody's Deployment, and the Service in front of it → what a version that adopts it says. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { Adopted, Port } from "../../model/types.ts";
import type { PortRef } from "./objects.ts";
import { readService } from "./read-objects.ts";
import { list, number, type Raw, record, text, textMap } from "./readers.ts";
import { declaredProtocol, isTcp } from "./translate-ports.ts";
import { managedLabel } from "./workload-objects.ts";

export interface Adoptable {
  readonly adopted: Adopted;
  readonly ports: readonly Port[];
  /** Pods that it should have now. */
  readonly replicas: number;
}

/**
 * Reads a Deployment as the API server has it. Callers' ports are those of `service`, when there is one, else those that its containers name.
 * Problems: `adopt-own`, `adopt-selector`, `adopt-ports`.
 */
export function adoptable(deployment: unknown, service: unknown): Result<Adoptable> {
  const raw = record(deployment);
  const [meta, spec] = [record(raw["metadata"]), record(raw["spec"])];
  const name = text(meta["name"]) ?? "";
  const selector = record(spec["selector"]);
  if (textMap(meta["labels"])[managedLabel.key] === managedLabel.value)
    return failed({ code: "adopt-own", message: `the Deployment ${name} is Weir's own: it is a version already`, hint: "`weir ps` shows which" });
  if (list(selector["matchExpressions"]).length > 0)
    return failed({
      code: "adopt-selector",
      message: `the Deployment ${name} selects its pods by expressions, which a Service cannot`,
      hint: "declare a version with its image instead: weir run -n APP@VERSION --image IMAGE",
    });
  const containers = list(record(record(spec["template"])["spec"])["containers"]).map(record);
  const ports = service === undefined ? containerPorts(containers) : servedPorts(service, containers);
  if (ports.length === 0)
    return failed({
      code: "adopt-ports",
      message: `nobody says what ports the Deployment ${name} has`,
      hint: "name them in its containers' ports, or put a Service of the app's name in front of it",
    });
  return ok({ adopted: { deployment: name, selector: textMap(selector["matchLabels"]) }, ports, replicas: number(spec["replicas"]) ?? 1 });
}

function servedPorts(service: unknown, containers: readonly Raw[]): readonly Port[] {
  return readService(service)
    .ports.filter(isTcp)
    .flatMap((port): Port[] => {
      const containerPort = resolve(port.target, containers);
      return containerPort === undefined ? [] : [{ port: port.number, containerPort, protocol: declaredProtocol(port) }];
    });
}

/** A port by its name means the container that has it. */
function resolve(target: PortRef, containers: readonly Raw[]): number | undefined {
  if (typeof target === "number") return target;
  return number(portsOf(containers).find((port) => port["name"] === target)?.["containerPort"]);
}

function containerPorts(containers: readonly Raw[]): readonly Port[] {
  const found = portsOf(containers)
    .filter((port) => isTcp({ transport: text(port["protocol"]) ?? "TCP" }))
    .flatMap((port): Port[] => {
      const own = number(port["containerPort"]);
      return own === undefined ? [] : [{ port: own, containerPort: own, protocol: declaredProtocol({ name: text(port["name"]) ?? "", appProtocol: "" }) }];
    });
  return [...new Map(found.map((port) => [port.port, port])).values()];
}

function portsOf(containers: readonly Raw[]): readonly Raw[] {
  return containers.flatMap((container) => list(container["ports"]).map(record));
}
