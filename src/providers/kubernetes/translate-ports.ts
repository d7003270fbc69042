/** A Service's ports in our words. Protocols are declared, never guessed: by `appProtocol`, else by the port's name; the rest is TCP. */
import { memoize } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import type { Port, Protocol } from "../../model/types.ts";
import type { KubeService, KubeServicePort } from "./objects.ts";

/** `appProtocol` (KEP-3726's names among them) → protocol. TLS is TCP for us: what is inside is between the two ends. */
const byAppProtocol: ReadonlyMap<string, Protocol> = new Map([
  ["http", "http"],
  ["kubernetes.io/ws", "http"],
  ["grpc-web", "http"],
  ["http2", "http2"],
  ["h2c", "http2"],
  ["kubernetes.io/h2c", "http2"],
  ["grpc", "grpc"],
]);

/** First part of a port's name (`http-metrics`) → protocol. */
const byName: ReadonlyMap<string, Protocol> = new Map([
  ["http", "http"],
  ["http2", "http2"],
  ["h2c", "http2"],
  ["grpc", "grpc"],
]);

/** What a port says that it speaks. */
export function declaredProtocol({ name, appProtocol }: Pick<KubeServicePort, "name" | "appProtocol">): Protocol {
  if (appProtocol !== "") return byAppProtocol.get(appProtocol.toLowerCase()) ?? "tcp";
  if (/^grpc-web(-|$)/.test(name)) return "http";
  return byName.get(name.split("-")[0] ?? "") ?? "tcp";
}

/** The TCP ports, in the Service's order. A port that is meant by name has no number of its own here: its endpoints say theirs. */
export function servicePorts(service: KubeService): readonly Port[] {
  return service.ports.filter(isTcp).map((port) => ({
    port: port.number,
    containerPort: typeof port.target === "number" ? port.target : port.number,
    protocol: declaredProtocol(port),
  }));
}

/** Says whether the mesh carries a port. UDP and SCTP go past it, as they would without one. */
export function isTcp({ transport }: { readonly transport: string }): boolean {
  return transport === "TCP";
}

/** What a Service asks for that the mesh does not do. UDP is not told: every cluster's DNS has it. */
export const serviceProblems: (service: KubeService) => readonly Problem[] = memoize((service) => {
  const name = `Service ${service.namespace}/${service.name}`;
  const problems: Problem[] = [];
  for (const port of service.ports.filter(({ transport }) => transport === "SCTP")) {
    problems.push({
      code: "kube-sctp",
      message: `${name}: port ${port.number} is SCTP, which the mesh does not carry`,
      hint: "it works as it does without a mesh",
    });
  }
  if (service.localOnly) {
    const hint = "give callers of one node a Service of their own, or leave them out of the mesh";
    problems.push({ code: "kube-local-traffic", message: `${name}: internalTrafficPolicy Local is not kept inside the mesh`, hint });
  }
  if (service.sticky) {
    const hint = "keep state where every replica can read it";
    problems.push({ code: "kube-session-affinity", message: `${name}: sessionAffinity ClientIP is not kept inside the mesh`, hint });
  }
  return problems;
});
