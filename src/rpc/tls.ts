/** TLS 1.3 for servers and clients, both sides with certificates that may change while they run. */
import { constants } from "node:crypto";
import type { SecureServerOptions } from "node:http2";
import type { Socket } from "node:net";
import { connect, type PeerCertificate, type SecureContextOptions, type TLSSocket } from "node:tls";
import type { Readable } from "../lib/cell.ts";

/** What one side shows and whom it trusts, as PEM. */
export interface TlsMaterial {
  /** The certificate and the intermediates above it. */
  readonly chain: string;
  readonly key: string;
  /** Nobody else is trusted. */
  readonly roots: string;
}

export interface ServerTls {
  /** A newer value serves new connections; open ones stay as they are. */
  readonly material: Readable<TlsMaterial>;
  /** Whether clients must show a certificate. One that is shown must be good either way. */
  readonly clientCertificate: "optional" | "required";
}

/** Who must answer. */
export type ExpectedServer = { readonly spiffeId: string } | { readonly dnsName: string };

export interface ClientTls {
  /** Nobody else is trusted. */
  readonly roots: string;
  readonly expect: ExpectedServer;
  /** What this client shows when it is asked. */
  readonly own?: { readonly chain: string; readonly key: string };
}

const handshakeMs = 10_000;

/** What of the options changes with the certificates. */
export function secureContext({ chain, key, roots }: TlsMaterial): SecureContextOptions {
  return {
    cert: chain,
    key,
    ca: roots,
    minVersion: "TLSv1.3",
    // A resumed session would skip the client's certificate, which may have expired since.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The options of an HTTP/2 server. */
export function secureServerOptions(tls: ServerTls): SecureServerOptions {
  return {
    ...secureContext(tls.material.get()),
    requestCert: true,
    rejectUnauthorized: tls.clientCertificate === "required",
    ALPNProtocols: ["h2"],
    handshakeTimeout: handshakeMs,
  };
}

/** Whether a server may go on with a client: it showed a good certificate, or none where none is asked for. */
export function isWelcome(socket: TLSSocket, tls: ServerTls): boolean {
  return socket.authorized || (tls.clientCertificate === "optional" && socket.getPeerX509Certificate() === undefined);
}

/** The SPIFFE ID of the verified certificate of the other side; undefined when there is none. */
export function peerOf(socket: TLSSocket): string | undefined {
  return socket.authorized ? spiffeIdIn(socket.getPeerX509Certificate()?.subjectAltName) : undefined;
}

/**
 * The only URI among the alternative names (as Node writes them), when it is a SPIFFE ID. Node quotes a name that could be mistaken for several;
 * no SPIFFE ID needs that, and one beside such a name is not worth the risk.
 */
export function spiffeIdIn(names: string | undefined): string | undefined {
  if (names === undefined || names.includes('"')) return undefined;
  const uris = names.split(", ").filter((name) => name.startsWith("URI:"));
  const id = uris[0]?.slice("URI:".length);
  return uris.length === 1 && id?.startsWith("spiffe://") === true ? id : undefined;
}

/** Puts TLS over a connection that is being opened; errors, also a server that is somebody else, arrive as its `error` event. */
export function secureSocket(socket: Socket, tls: ClientTls): TLSSocket {
  const { expect } = tls;
  const secure = connect({
    socket,
    ca: tls.roots,
    ...(tls.own === undefined ? {} : { cert: tls.own.chain, key: tls.own.key }),
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: true,
    // With a host name, Node's own check of it is the right one.
    ...("dnsName" in expect ? { servername: expect.dnsName } : { checkServerIdentity: (_, certificate) => mistakenIdentity(certificate, expect.spiffeId) }),
  });
  return secure;
}

function mistakenIdentity(certificate: PeerCertificate, expected: string): Error | undefined {
  const found = spiffeIdIn(certificate.subjectaltname);
  return found === expected ? undefined : new Error(`the server is ${found ?? "nobody with a SPIFFE ID"}, not ${expected}`);
}
