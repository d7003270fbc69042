/** Somebody's Deployment, StatefulSet or DaemonSet, and the Service in front of it → what a version that adopts it says. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import { type AdoptedName, adopts } from "../../model/adopted.ts";
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

/** Services in front of what is adopted, as the API server has them. */
export interface Fronts {
  /** The one that has the app's name. */
  readonly app?: unknown;
  /** The one that a StatefulSet names its pods by. */
  readonly governing?: unknown;
}

/**
 * Reads an object that makes pods as the API server has it. Callers' ports are those of the Service of the app's name, when there is one, or of the governing
 * one; else those that the containers name. Problems: `adopt-own`, `adopt-selector`, `adopt-headless`, `adopt-ports`.
 */
export function adoptable(kind: AdoptedName["kind"], object: unknown, { app, governing }: Fronts): Result<Adoptable> {
  const raw = record(object);
  const [meta, spec] = [record(raw["metadata"]), record(raw["spec"])];
  const name = text(meta["name"]) ?? "";
  const selector = record(spec["selector"]);
  if (textMap(meta["labels"])[managedLabel.key] === managedLabel.value)
    return failed({ code: "adopt-own", message: `the ${kind} ${name} is Weir's own: it is a version already`, hint: "`weir ps` shows which" });
  if (list(selector["matchExpressions"]).length > 0)
    return failed({
      code: "adopt-selector",
      message: `the ${kind} ${name} selects its pods by expressions, which a Service cannot`,
      hint: "declare a version with its image instead: weir run -n APP@VERSION --image IMAGE",
    });
  if (app !== undefined && !hasAddress(app)) {
    const own = record(record(app)["metadata"])["name"];
    return failed({
      code: "adopt-headless",
      message: `the Service ${text(own) ?? name} has no address of its own: who calls it asks DNS for the pods, past all weights`,
      hint: `adopt it under a name of its own, for which Weir makes a Service: weir adopt ${kind.toLowerCase()}/${name} --as NAME`,
    });
  }
  const containers = list(record(record(spec["template"])["spec"])["containers"]).map(record);
  const service = app ?? governing;
  const ports = service === undefined ? containerPorts(containers) : servedPorts(service, containers);
  if (ports.length === 0)
    return failed({
      code: "adopt-ports",
      message: `nobody says what ports the ${kind} ${name} has`,
      hint: "name them in its containers' ports, or put a Service of the app's name in front of it",
    });
  const replicas = kind === "DaemonSet" ? record(raw["status"])["desiredNumberScheduled"] : spec["replicas"];
  return ok({ adopted: adopts({ kind, name }, textMap(selector["matchLabels"])), ports, replicas: number(replicas) ?? 1 });
}

/** Callers can be told an address for it, which the mesh answers at. */
function hasAddress(service: unknown): boolean {
  const { type, headless } = readService(service);
  return !headless && type !== "ExternalName";
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
