/** `externalServices:` — services outside the mesh under a name of ours. */

import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import { objectKey } from "../names.ts";
import { quote } from "../quote.ts";
import { isPort } from "../ref.ts";
import type { ExternalService, Port } from "../types.ts";
import { flag, hostName, isDnsName, label } from "./scalars.ts";
import { readPlainKey, type Scope } from "./scope.ts";
import { portsShape, readPorts } from "./service.ts";
import { byKind, type LocatedEntry, listOf, type ObjectOf, object, optional, required, type Shape, scalar } from "./shape.ts";

type Endpoint = ExternalService["endpoints"][number];

const address: Shape<Endpoint> = scalar("an address", "HOST:PORT", { type: "string", pattern: "^.+:\\d+$" }, (node) => readAddress(node.text));

/** Reads `HOST:PORT`; HOST is a DNS name, an IPv4 address or an IPv6 address in brackets. Problem: `address-invalid`. */
function readAddress(written: string): Result<Endpoint> {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(written.toLowerCase()) ?? [];
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const isHost = bare === host ? isDnsOrIPv4(host) : isIPv6(bare);
  if (isHost && isPort(Number(port))) return ok({ host: bare, port: Number(port) });
  const hint = written.includes("://") ? "leave out the scheme; tls: true makes it TLS" : "write HOST:PORT, like localhost:5432 or [::1]:5432";
  return failed({ code: "address-invalid", message: `${quote(written)} is not an address`, hint });
}

function isDnsOrIPv4(host: string): boolean {
  return isDnsName(host) && (!/^[\d.]+$/.test(host) || isIPv4(host));
}

/** What is wrong with an address whose parts stand apart, so that an IPv6 address has no brackets. Problem: `address-invalid`. */
export function checkAddress(host: string, port: number): readonly Problem[] {
  if ((isDnsOrIPv4(host) || isIPv6(host)) && isPort(port)) return [];
  const hint = "host is a DNS name in lower case or an IP address, port a number from 1 to 65535";
  return [{ code: "address-invalid", message: `${quote(`${host}:${port}`)} is not an address`, hint }];
}

function isIPv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isIPv6(host: string): boolean {
  const halves = host.split("::");
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const fits = halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8;
  return fits && groups.every((group) => /^[0-9a-f]{1,4}$/.test(group));
}

const tlsMap = object("tls", { serverName: required(hostName(false), "the name its certificate must have") });
const tlsShape = byKind("tls", "true or {serverName: NAME}", { scalar: flag, map: tlsMap });

const externalFields = {
  namespace: optional(label("namespace"), "where it lives (default: the file's)"),
  address: optional(address, "HOST:PORT"),
  addresses: optional(listOf("addresses", address), "several HOST:PORT that do the same"),
  ports: optional(portsShape, "what callers use (default: the port of the address, tcp)"),
  tls: optional(tlsShape, "speak TLS to it: true, or {serverName: NAME}"),
};
export type ExternalFields = ObjectOf<typeof externalFields>;
const synonyms = { host: "address", url: "address", endpoints: "addresses", hosts: "addresses", port: "ports" };

export const externalShape: Shape<ExternalFields> = object("an external service", externalFields, synonyms);

/** Completes one external service; what is wrong is reported. Adds it to the index of names. */
export function buildExternal(entry: LocatedEntry<ExternalFields>, scope: Scope): ExternalService | undefined {
  const fields = entry.value;
  const key = readPlainKey(entry, scope, fields.namespace);
  if (key === undefined) return undefined;
  const before = scope.report.count;
  const endpoints = readEndpoints(entry, scope);
  const ports = readExternalPorts(fields, endpoints, scope);
  const tls = readTls(fields, endpoints, scope);
  scope.names.externals.set(objectKey(key.namespace, key.name), { ports, isSound: entry.isSound && scope.report.count === before });
  return { namespace: key.namespace, name: key.name, endpoints, ports, ...(tls && { tls }), where: scope.report.place(entry.keyAt) };
}

function readEndpoints({ value: { address: one, addresses }, keyAt, isSound }: LocatedEntry<ExternalFields>, scope: Scope): readonly Endpoint[] {
  const all = [...(one === undefined ? [] : [one]), ...(addresses?.value ?? [])];
  if (one !== undefined && addresses !== undefined)
    scope.report.add(addresses.at, "address-invalid", "this says both address and addresses", "say one of them");
  if (isSound && one === undefined && addresses?.value.length === 0)
    scope.report.add(addresses.at, "address-invalid", "there is no address here", "write HOST:PORT");
  if (one === undefined && addresses === undefined && isSound)
    scope.report.add(keyAt, "missing-key", 'an external service needs "address"', "add address: HOST:PORT");
  const seen = new Set<string>();
  for (const { value, at: itemAt } of all) {
    const text = `${value.host} ${value.port}`;
    if (seen.has(text)) scope.report.add(itemAt, "address-invalid", "this address is here twice");
    seen.add(text);
  }
  return all.map(({ value }) => value);
}

function readExternalPorts({ ports }: ExternalFields, endpoints: readonly Endpoint[], scope: Scope): readonly Port[] {
  for (const { value, at } of ports?.value ?? []) {
    if (value.port !== value.containerPort)
      scope.report.add(at, "port-invalid", "an external service's own port stands in its address", `write ${value.port}/${value.protocol}`);
  }
  const said = readPorts(ports?.value ?? [], scope.report);
  const [first] = endpoints;
  return said.length > 0 || first === undefined ? said : [{ port: first.port, containerPort: first.port, protocol: "tcp" }];
}

function readTls({ tls }: ExternalFields, endpoints: readonly Endpoint[], scope: Scope): ExternalService["tls"] {
  if (tls === undefined || tls.value === false) return undefined;
  if (tls.value !== true) return tls.value.serverName && { serverName: tls.value.serverName.value };
  const name = endpoints.map(({ host }) => host).find((host) => isDnsName(host) && !isIPv4(host));
  if (name === undefined && endpoints.length > 0) scope.report.add(tls.at, "tls-name", "an IP address has no name to check", "write tls: {serverName: NAME}");
  return { serverName: name ?? "" };
}
