/** One Lease of a cluster: read, made, taken. Who may take it when is daemon/cluster/leadership's business. */
import type { ApiResult } from "./api-error.ts";
import type { KubeClient } from "./client.ts";
import { number, record, text } from "./readers.ts";

export interface LeaseRecord {
  /** Empty: nobody. */
  readonly holder: string;
  /** How long whoever does not hold it waits after the last sign of life. */
  readonly durationMs: number;
  /** As the holder wrote it; it only tells one renewal from another, for clocks differ. */
  readonly renewedAt: string;
  readonly transitions: number;
  readonly resourceVersion: string;
}

export interface LeasePlace {
  readonly namespace: string;
  readonly name: string;
}

const kind = { group: "coordination.k8s.io", version: "v1", resource: "leases" };

/** The Lease; undefined: there is none yet. */
export async function readLease(client: Pick<KubeClient, "get">, place: LeasePlace, signal?: AbortSignal): Promise<ApiResult<LeaseRecord | undefined>> {
  const found = await client.get({ kind, ...place }, signal);
  if (found.ok) return { ok: true, value: parse(found.value) };
  return found.error.kind === "notFound" ? { ok: true, value: undefined } : found;
}

function parse(raw: unknown): LeaseRecord {
  const { metadata, spec } = record(raw);
  const said = record(spec);
  return {
    holder: text(said["holderIdentity"]) ?? "",
    durationMs: (number(said["leaseDurationSeconds"]) ?? 0) * 1_000,
    renewedAt: text(said["renewTime"]) ?? "",
    transitions: number(said["leaseTransitions"]) ?? 0,
    resourceVersion: text(record(metadata)["resourceVersion"]) ?? "",
  };
}

/** Writes the Lease if it is still `before` (undefined: if there is none); else the API server refuses with `conflict` or `exists`. */
export async function writeLease(
  client: Pick<KubeClient, "apply" | "create">,
  { namespace, name }: LeasePlace,
  lease: { readonly holder: string; readonly durationMs: number; readonly now: number; readonly before: LeaseRecord | undefined },
  signal?: AbortSignal,
): Promise<ApiResult<LeaseRecord>> {
  const { holder, durationMs, now, before } = lease;
  const transitions = before === undefined ? 0 : before.transitions + (before.holder === holder || holder === "" ? 0 : 1);
  const object = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace, ...(before === undefined ? {} : { resourceVersion: before.resourceVersion }) },
    // A MicroTime.
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(durationMs / 1_000),
      renewTime: new Date(now).toISOString().replace("Z", "000Z"),
      leaseTransitions: transitions,
    },
  };
  const options = signal === undefined ? {} : { signal };
  const written =
    before === undefined
      ? await client.create({ kind, namespace }, object, options)
      : await client.apply({ kind, namespace, name }, object, { ...options, force: true });
  return written.ok ? { ok: true, value: parse(written.value) } : written;
}
