/**
 * TLS that a gateway speaks with a backend because the backend's owner says so, from the gateway itself or inside of the mesh's own; and whose certificates a
 * gateway takes, of backends and of callers.
 */
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import {
  CertificateValidationContext_TrustChainVerification,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "../../../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { SecretSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { type CommonTlsContextSchema, UpstreamTlsContextSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { SecuredBackend } from "../../compile/gateway-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { BackendTls, ClientValidation, PeerName, RootCertificates } from "../../model/gateway.ts";
import type { Protocol } from "../../model/types.ts";
import { ads, applicationProtocols, httpOptions, insideCluster, keepalive, systemRoots, versionCluster } from "./cluster.ts";
import { remoteConnectMs } from "./node-proxy.ts";
import { any, duration, type EnvoyResource, type Init, resource } from "./resource.ts";
import { tcpProxyTo } from "./tcp-proxy.ts";

type Validation = NonNullable<Init<typeof CommonTlsContextSchema>["validationContextType"]>;

/** The name of a secret that holds roots. */
export function rootsName({ name }: RootCertificates): string {
  return `roots/${name}`;
}

/** Roots as a secret of their own: new ones close nothing. */
export const rootsSecret = memoize((roots: RootCertificates): EnvoyResource => {
  const name = rootsName(roots);
  const trustedCa = { specifier: { case: "inlineString" as const, value: roots.pem } };
  return resource(SecretSchema, name, { name, type: { case: "validationContext", value: { trustedCa } } });
});

/**
 * A backend under its name for calls by TLS. Envoy cannot put one TLS into another: for pods of the mesh it calls a listener inside itself, behind which is
 * the backend as the mesh calls it.
 */
export const securedBackend: (secured: SecuredBackend, certificate: string | undefined) => readonly EnvoyResource[] = memoizeLast(
  (secured: SecuredBackend, certificate: string | undefined) => {
    const { id, node, carries, tls } = secured;
    // A port that does not say what it speaks is called by HTTP/1.1 where routes lead to it.
    const said = node.backend.protocol;
    const protocol: Protocol = carries === "tcp" ? "tcp" : said === "tcp" ? "http" : said;
    const common = {
      name: id,
      ...keepalive.betweenNodes,
      connectTimeout: duration(remoteConnectMs),
      typedExtensionProtocolOptions: httpOptions(protocol),
      transportSocket: tlsSocket(tls, applicationProtocols[protocol], certificate),
    };
    if (node.peers.length === 0) return [versionCluster(node.backend, { ...common, edsClusterConfig: { edsConfig: ads, serviceName: node.backend.id } })];
    // Which of the pods there are is chosen behind the listener: none of them can be left out here.
    return [insideCluster(node.backend, id, common), tunnel(id, node.backend.id)];
  },
);

function tunnel(id: string, to: string): EnvoyResource {
  return resource(ListenerSchema, id, {
    name: id,
    listenerSpecifier: { case: "internalListener", value: {} },
    filterChains: [{ name: id, filters: [tcpProxyTo(to)] }],
  });
}

/** Whom callers must be signed by; where they need not be, Envoy looks all the same, and takes whoever comes. */
export function clientValidation({ roots, isRequired }: ClientValidation): Validation {
  const validationContextSdsSecretConfig = { name: rootsName(roots), sdsConfig: ads };
  const trustChainVerification = CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED;
  const defaultValidationContext = isRequired ? {} : { trustChainVerification };
  return { case: "combinedValidationContext", value: { defaultValidationContext, validationContextSdsSecretConfig } };
}

const versions = { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2, tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3 };

function tlsSocket({ serverName, roots, names }: BackendTls, alpnProtocols: readonly string[], certificate: string | undefined) {
  const context = any(UpstreamTlsContextSchema, {
    sni: serverName,
    commonTlsContext: {
      tlsParams: versions,
      alpnProtocols: [...alpnProtocols],
      ...(certificate === undefined ? {} : { tlsCertificateSdsSecretConfigs: [{ name: certificate, sdsConfig: ads }] }),
      validationContextType: validation(roots, names),
    },
  });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

const sanTypes = { dns: SubjectAltNameMatcher_SanType.DNS, uri: SubjectAltNameMatcher_SanType.URI } as const;

function validation(roots: BackendTls["roots"], names: readonly PeerName[]): Validation {
  const matchTypedSubjectAltNames = names.map(({ kind, name }) => ({
    sanType: sanTypes[kind],
    matcher: { matchPattern: { case: "exact" as const, value: name } },
  }));
  if (roots === "system")
    return { case: "validationContext", value: { matchTypedSubjectAltNames, trustedCa: { specifier: { case: "filename", value: systemRoots } } } };
  const validationContextSdsSecretConfig = { name: rootsName(roots), sdsConfig: ads };
  return { case: "combinedValidationContext", value: { defaultValidationContext: { matchTypedSubjectAltNames }, validationContextSdsSecretConfig } };
}
