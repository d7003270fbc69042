/** Certificate requests (PKCS #10): made where the key is, checked where it is signed. */
import "reflect-metadata";
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { failed, ok, type Result } from "../lib/problem.ts";
import { isP256, type KeyPair } from "./keys.ts";

/** A P-256 request of ours has about 200 bytes. */
const maxBytes = 4096;

/** Makes a request that proves the possession of a key and says nothing else. */
export async function createRequest(keys: KeyPair): Promise<Uint8Array> {
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: { name: "ECDSA", hash: "SHA-256" } });
  return new Uint8Array(request.rawData);
}

/**
 * Takes the public key (SubjectPublicKeyInfo, DER) out of a request that its owner signed with the private one. Names and extensions that the
 * request asks for are ignored: who somebody is, others say.
 */
export async function verifyRequest(der: Uint8Array): Promise<Result<Uint8Array>> {
  if (der.length > maxBytes) return invalid("it is too long");
  const parsed = parse(der);
  if (parsed === undefined) return invalid("it is no PKCS #10 in DER");
  const { request, spki } = parsed;
  if (!isP256(spki)) {
    return failed({ code: "csr-key-unsupported", message: "the key of the request is not on the curve P-256", hint: "Make an ECDSA key on P-256." });
  }
  return (await isSignedByItself(request)) ? ok(spki) : invalid("its signature does not fit its key");
}

/** The library reads the key only when it is asked for, and throws then. */
function parse(der: Uint8Array): { readonly request: Pkcs10CertificateRequest; readonly spki: Uint8Array } | undefined {
  try {
    const request = new Pkcs10CertificateRequest(Uint8Array.from(der));
    return { request, spki: new Uint8Array(request.publicKey.rawData) };
  } catch {
    return undefined;
  }
}

async function isSignedByItself(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}

function invalid(why: string): Result<Uint8Array> {
  return failed({ code: "csr-invalid", message: `the certificate request cannot be used: ${why}`, hint: "Make a new key and a new request." });
}
