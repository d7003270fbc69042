/** Permission for routes of one namespace to lead to Services of another. */
import type { Namespace } from "../../model/names.ts";
import { type KubeFields, type KubeObject, type KubeValue, metadata } from "../kubernetes/object.ts";

interface Crossing {
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly service: string;
}

/** Emits one ReferenceGrant for each pair of namespaces that `routes` cross; names exactly the Services they lead to. */
export function emitGrants(routes: readonly KubeObject[]): readonly KubeObject[] {
  const pairs = Map.groupBy(routes.flatMap(crossings), ({ from, to }) => `${from} ${to}`);
  return [...pairs.values()].map((crossed) => {
    const [{ from, to } = { from: "", to: "" }] = crossed;
    return {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "ReferenceGrant",
      metadata: metadata({ name: `weir.from-${from}`, namespace: to as Namespace }),
      spec: {
        from: distinct(crossed.map(({ kind }) => kind)).map((kind) => ({
          group: "gateway.networking.k8s.io",
          kind,
          namespace: from,
        })),
        to: distinct(crossed.map(({ service }) => service)).map((name) => ({ group: "", kind: "Service", name })),
      },
    };
  });
}

function crossings(route: KubeObject): readonly Crossing[] {
  const from = route.metadata.namespace ?? "";
  return listOf(route.spec?.["rules"])
    .flatMap((rule) => listOf(rule["backendRefs"]))
    .flatMap(({ namespace, name }) =>
      typeof namespace === "string" && typeof name === "string" ? [{ kind: route.kind, from, to: namespace, service: name }] : [],
    );
}

function listOf(value: KubeValue | undefined): readonly KubeFields[] {
  return Array.isArray(value) ? (value as readonly KubeFields[]) : [];
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
