/** What a cluster noted about a version that does not come up: the warnings among its events. */
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { number, record, text } from "../providers/kubernetes/readers.ts";

const events = { group: "", version: "v1", resource: "events" };
/** The newest are enough, and each in one line. */
const mostNotes = 5;
const longestNote = 300;

/** Kinds that have a version's own name. */
const ownKinds: ReadonlySet<string> = new Set(["Version", "Deployment", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler"]);

/** The newest warnings about what makes a version's pods and about these, oldest first; none when they may not be read. */
export async function notesOf(client: KubeClient, key: string): Promise<readonly string[]> {
  const [namespace = "", ref = ""] = key.split("/");
  const page = await client.list(events, { namespace, fields: "type=Warning" });
  return page.ok ? readNotes(page.value.items, ref.replace("@", "-")) : [];
}

/** The notes about the objects of `name` (`web-v1`) in a list of events. */
export function readNotes(items: readonly unknown[], name: string): readonly string[] {
  const found = items
    .map(record)
    .filter((event) => isAbout(record(event["involvedObject"]), name))
    .map((event) => ({ at: timeOf(event), note: noteOf(event) }))
    .toSorted((a, b) => a.at - b.at);
  return [...new Set(found.map(({ note }) => note))].slice(-mostNotes);
}

function isAbout(object: Readonly<Record<string, unknown>>, name: string): boolean {
  const [kind, own] = [text(object["kind"]), text(object["name"]) ?? ""];
  if (kind === "PersistentVolumeClaim") return new RegExp(`^.+-${name}-\\d+$`).test(own);
  const rest = own.startsWith(`${name}-`) ? own.slice(name.length + 1) : undefined;
  if (kind !== undefined && ownKinds.has(kind)) return own === name;
  if (rest === undefined) return false;
  return ((kind === "ReplicaSet" || kind === "Job") && /^[a-z0-9]+$/.test(rest)) || (kind === "Pod" && /^([a-z0-9]+-)?[a-z0-9]+$/.test(rest));
}

function noteOf(event: Readonly<Record<string, unknown>>): string {
  const said = (text(event["message"]) ?? "").replaceAll(/\s+/g, " ").trim();
  const count = number(event["count"]) ?? number(record(event["series"])["count"]) ?? 1;
  return `${text(event["reason"]) ?? "Warning"}: ${said.slice(0, longestNote)}${count > 1 ? ` (${count} times)` : ""}`;
}

function timeOf(event: Readonly<Record<string, unknown>>): number {
  const times = [record(event["series"])["lastObservedTime"], event["lastTimestamp"], event["eventTime"], event["firstTimestamp"]];
  return times.map((time) => Date.parse(text(time) ?? "")).find((time) => !Number.isNaN(time)) ?? 0;
}
