/** Which certificates a Gateway asks its callers by HTTPS for. */
import type { ClientValidation } from "../../model/gateway.ts";
import type { KubeRoots } from "./backend-tls-objects.ts";
import type { KubeClientValidation, KubeGateway } from "./gateway-objects.ts";
import type { Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import type { KubeReferenceGrant } from "./route-objects.ts";
import type { Because } from "./translate-because.ts";
import { findRoots, type RootsProblem } from "./translate-roots.ts";
import { isGranted } from "./translate-route-refs.ts";

export interface FoundClients {
  readonly found?: ClientValidation;
  /** Why the listener is not served: nobody could be told from anybody else. */
  readonly problem?: Because;
  /** Why what is named is not there, or not all of it. */
  readonly refs?: Because;
}

interface World {
  readonly grants: Objects<KubeReferenceGrant>;
  readonly roots: Objects<KubeRoots>;
}

/** What a Gateway says of the callers of one of its ports. */
function clientsAt({ tls }: KubeGateway, port: number): KubeClientValidation | undefined {
  const own = tls.clientsAt.find((one) => one.port === port);
  return own === undefined ? tls.clients : own.clients;
}

/** Finds whom the callers' certificates must be signed by; empty where callers are not asked. */
export function findClients(gateway: KubeGateway, port: number, { grants, roots }: World): FoundClients {
  const said = clientsAt(gateway, port);
  if (said === undefined) return {};
  const found = findRoots(said.roots, roots, (ref) => ref.namespace === gateway.namespace || isGranted(grants, gateway, ref));
  const refs = found.problem && { reason: reasonOf(found.problem), message: found.problem.message };
  if (found.roots === undefined) return { problem: { reason: "NoValidCACertificate", message: refs?.message ?? "" }, ...optional("refs", refs) };
  return { found: { roots: found.roots, isRequired: !said.isInsecure }, ...optional("refs", refs) };
}

function reasonOf({ isKind, isForbidden }: RootsProblem): string {
  if (isForbidden) return "RefNotPermitted";
  return isKind ? "InvalidCACertificateKind" : "InvalidCACertificateRef";
}

/** Whether callers of some port are served whatever they show. */
export function isInsecure({ tls }: KubeGateway): boolean {
  return [tls.clients, ...tls.clientsAt.map(({ clients }) => clients)].some((clients) => clients?.isInsecure === true);
}
