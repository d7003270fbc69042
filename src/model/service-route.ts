/** What stands in front of an app's ports on a cluster: what is left of Gateway API's routes when everything that is wrong with them is taken out. */
import type { GatewayTarget } from "./gateway.ts";
import type { Namespace } from "./names.ts";
import type { RouteRule } from "./types.ts";

/** What answers at one port of an app, in place of its weights. */
export type ServiceRoute = {
  /** The callers' port. */
  readonly port: number;
  /** Only callers of this namespace; absent: everybody who has no route of their own there. */
  readonly callers?: Namespace;
} & PortRules;

/** What decides about one port: of requests, of connections by their server name, or of connections alone. */
export type PortRules =
  | {
      readonly kind: "http";
      /** The first that matches wins; what none matches is answered with 404. */
      readonly rules: readonly RouteRule[];
    }
  | {
      readonly kind: "tls";
      /** Connections with another server name, without one, or without TLS are closed. */
      readonly servers: readonly NamedTarget[];
    }
  | { readonly kind: "tcp"; readonly target: GatewayTarget };

/** Where connections go whose TLS, which passes through as it is, asks for one of some server names. */
export interface NamedTarget {
  /** Server name (SNI) as a domain: `db.example`, `*.example` (any number of labels in front), or `*` for any, and for clients that send none. */
  readonly domain: string;
  readonly target: GatewayTarget;
}
