/** Reports on the mesh as objects of weir.dev, and back. */
import {
  type MeshReport,
  meshReportKind,
  meshReportName,
  type ReportedAuthority,
  type ReportedCertificate,
  type ReportedNode,
  type ReportedPod,
  type SystemReport,
} from "../../model/mesh-report.ts";
import { flag, list, number, optional, type Raw, record, text, texts } from "./readers.ts";

/** The object that says it, for the namespace that it is about. Times are written as people read them. */
export function meshReportObject(namespace: string, report: MeshReport): object {
  const { group, version, kind } = meshReportKind;
  const labels = { "app.kubernetes.io/managed-by": "weir", "app.kubernetes.io/part-of": "weir" };
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name: meshReportName, namespace, labels },
    status: { ...(withTimes(report) as object), ...counts(report) },
  };
}

/** For the columns of kubectl. */
function counts({ pods }: MeshReport): object {
  return { joined: `${pods.filter(({ state }) => state === "joined").length}/${pods.length}` };
}

const timeFields: ReadonlySet<string> = new Set(["notBefore", "notAfter", "renewAt", "rootNotAfter"]);

function withTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTimes);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
    key,
    timeFields.has(key) && typeof inner === "number" ? `${new Date(inner).toISOString().slice(0, 19)}Z` : withTimes(inner),
  ]);
  return Object.fromEntries(entries);
}

/** Reads a report, of this version of Weir or another: what is not understood is left out. */
export function readMeshReport(object: unknown): MeshReport {
  const status = record(record(object)["status"]);
  const system = status["system"];
  return {
    version: text(status["version"]) ?? "",
    trustDomain: text(status["trustDomain"]) ?? "",
    joins: flag(status["joins"]) ?? false,
    mode: modeOf(status["mode"]),
    pods: list(status["pods"]).map((pod) => readPod(record(pod))),
    authorities: list(status["authorities"]).map((one) => readAuthority(record(one))),
    ...(system === undefined ? {} : { system: readSystem(record(system)) }),
  };
}

function modeOf(value: unknown): "strict" | "permissive" {
  return value === "permissive" ? "permissive" : "strict";
}

function readPod(pod: Raw): ReportedPod {
  const state = pod["state"];
  return {
    uid: text(pod["uid"]) ?? "",
    name: text(pod["name"]) ?? "",
    node: text(pod["node"]) ?? "",
    app: text(pod["app"]) ?? "",
    serviceAccount: text(pod["serviceAccount"]) ?? "",
    identity: text(pod["identity"]) ?? "",
    mode: modeOf(pod["mode"]),
    state: state === "joined" || state === "leaving" ? state : "joining",
    ...optional("reason", text(pod["reason"])),
    ...optional("certificate", pod["certificate"] === undefined ? undefined : readCertificate(record(pod["certificate"]))),
  };
}

function time(value: unknown): number {
  const parsed = Date.parse(text(value) ?? "");
  return Number.isNaN(parsed) ? 0 : parsed;
}

function readCertificate(raw: Raw): ReportedCertificate {
  const [notBefore, notAfter, renewAt] = [raw["notBefore"], raw["notAfter"], raw["renewAt"]].map(time);
  return { serial: text(raw["serial"]) ?? "", notBefore: notBefore ?? 0, notAfter: notAfter ?? 0, renewAt: renewAt ?? 0, issuers: texts(raw["issuers"]) };
}

function readAuthority(raw: Raw): ReportedAuthority {
  return {
    subject: text(raw["subject"]) ?? "",
    fingerprint: text(raw["fingerprint"]) ?? "",
    notBefore: time(raw["notBefore"]),
    notAfter: time(raw["notAfter"]),
  };
}

function readSystem(raw: Raw): SystemReport {
  const authority = record(raw["authority"]);
  const rotation = authority["rotation"];
  return {
    leader: text(raw["leader"]) ?? "",
    authority: {
      plugIn: flag(authority["plugIn"]) ?? false,
      rotation: rotation === "spreading" || rotation === "moving" ? rotation : "stable",
      notAfter: time(authority["notAfter"]),
      rootNotAfter: time(authority["rootNotAfter"]),
      ...optional("refused", text(authority["refused"])),
    },
    nodes: list(raw["nodes"]).map((node) => readNode(record(node))),
    permissive: texts(raw["permissive"]),
    waiting: list(raw["waiting"]).map((one) => ({ pod: text(record(one)["pod"]) ?? "", reason: text(record(one)["reason"]) ?? "" })),
    problems: texts(raw["problems"]),
  };
}

function readNode(raw: Raw): ReportedNode {
  const [agent, guard] = [raw["agent"], raw["guard"]];
  return {
    name: text(raw["name"]) ?? "",
    agent: agent === "connected" || agent === "away" ? agent : "unknown",
    proxy: raw["proxy"] === "connected" ? "connected" : "away",
    ...optional("envoy", text(raw["envoy"])),
    ...optional("refused", text(raw["refused"])),
    guard: guard === "active" || guard === "absent" ? guard : "unknown",
    ...optional("reason", text(raw["reason"])),
    pods: number(raw["pods"]) ?? 0,
  };
}
