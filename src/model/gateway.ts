/** The ways into a cluster from outside: what is left of Gateway API's Gateways and their routes when everything that is wrong with them is taken out. */
import type { Namespace } from "./names.ts";
import type { SpiffeId } from "./spiffe.ts";
import type { RouteRule, WeightedDestination } from "./types.ts";

/** By this label is known what the control plane keeps on a cluster for Gateways. */
export const gatewayLabel = { key: "weir.dev/part-of", value: "gateway" } as const;

/** A certificate with its private key, which appears in no log, message or answer. */
export interface ServerCertificate {
  /** Stable name: `NAMESPACE/SECRET`. */
  readonly name: string;
  /** PEM. */
  readonly chain: string;
  readonly key: string;
}

/** Whom a certificate must be signed by. */
export interface RootCertificates {
  /** Stable name: `NAMESPACE/CONFIGMAP`. */
  readonly name: string;
  readonly pem: string;
}

/** A name that a certificate may be for: a host's, or a URI (a SPIFFE ID). */
export interface PeerName {
  readonly kind: "dns" | "uri";
  readonly name: string;
}

/** TLS towards a service outside the mesh's own, as the service's owner says it. */
export interface BackendTls {
  /** Server name (SNI). */
  readonly serverName: string;
  /** `system`: those that the proxy's own system trusts. */
  readonly roots: RootCertificates | "system";
  /** The service's certificate must be for one of these. */
  readonly names: readonly PeerName[];
}

/** One port of a service that is called by TLS. */
export interface SecuredPort {
  readonly namespace: Namespace;
  /** As rules name it: an app, or a version by its own name. */
  readonly name: string;
  readonly port: number;
  /** `refused`: by TLS, but nobody can say whom to trust. */
  readonly tls: BackendTls | "refused";
}

/** Who may call from pages of other origins (the Fetch standard's CORS). `*` stands for all. */
export interface Cors {
  /** `https://web.example`, `https://*.example`, `*`. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  /** What pages may read of answers. */
  readonly exposed: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeSeconds: number;
}

export interface GatewayRule extends RouteRule {
  readonly cors?: Cors;
}

/** Some names that are asked for, and what answers: the first rule that matches; what none matches is answered with 404. */
export interface GatewayHost {
  /** `web.example`, `*.example` (any number of labels in front), or `*`. No other host of the same port has it. */
  readonly domain: string;
  readonly rules: readonly GatewayRule[];
}

/** Connections by weight. What the destinations are made into when all is decided has the same form. */
export interface GatewayTarget<Destination = WeightedDestination> {
  readonly destinations: readonly Destination[];
  /** Basis points of the connections that are refused; the destinations share the rest. */
  readonly refused: number;
}

/** Certificates that callers show. */
export interface ClientValidation {
  readonly roots: RootCertificates;
  /** Else whoever shows none, or another's, is served all the same. */
  readonly isRequired: boolean;
}

/** What is behind one server name of a TLS port: hosts answer requests, a target takes connections. */
export type TlsServer<Host = GatewayHost, Target = GatewayTarget> = {
  /** Unique at its gateway. */
  readonly name: string;
  /** Server name (SNI) as a domain; `*` for any, and for clients that send none. */
  readonly domain: string;
} & (
  | {
      readonly kind: "https";
      readonly certificates: readonly ServerCertificate[];
      /** Absent: callers are not asked who they are. */
      readonly clients?: ClientValidation;
      readonly hosts: readonly Host[];
      /** Domains that other servers of the port answer for: a request for them came on the wrong connection (421). */
      readonly misdirected: readonly string[];
    }
  | { readonly kind: "terminate"; readonly certificates: readonly ServerCertificate[]; readonly target: Target }
  | { readonly kind: "passthrough"; readonly target: Target }
);

export type GatewayPort<Host = GatewayHost, Target = GatewayTarget> = { readonly port: number } & (
  | { readonly kind: "http"; readonly hosts: readonly Host[] }
  | { readonly kind: "tls"; readonly servers: readonly TlsServer<Host, Target>[] }
  | { readonly kind: "tcp"; readonly target: Target }
);

export interface Gateway {
  readonly namespace: Namespace;
  readonly name: string;
  /** Who its proxies are. */
  readonly identity: SpiffeId;
  /** Sorted by number. */
  readonly ports: readonly GatewayPort[];
  /** What HTTP and terminated TLS go to by TLS. A version's own port counts before its app's. */
  readonly secured: readonly SecuredPort[];
  /** Shown to those that are called by TLS and ask for it. */
  readonly clientCertificate?: ServerCertificate;
}
