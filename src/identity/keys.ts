/** Keys: made here, as PEM for Envoy and for what is kept, as CryptoKey for the X.509 library. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, type webcrypto } from "node:crypto";
import { promisify } from "node:util";

type CryptoKey = webcrypto.CryptoKey;

const generate = promisify(generateKeyPair);

export interface KeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
  /** The private key, PKCS #8. */
  readonly privatePem: string;
}

/** What a key can sign with. */
type SigningAlgorithm =
  | { readonly name: "ECDSA"; readonly namedCurve: "P-256" | "P-384"; readonly hash: "SHA-256" | "SHA-384" }
  | { readonly name: "RSASSA-PKCS1-v1_5"; readonly hash: "SHA-256" };

export interface SigningKey {
  readonly key: CryptoKey;
  readonly algorithm: SigningAlgorithm;
}

/** Makes a key pair on the curve P-256. */
export async function createKeyPair(): Promise<KeyPair> {
  const { publicKey, privateKey } = await generate("ec", { namedCurve: "P-256" });
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return {
    publicKey: publicKey.toCryptoKey(algorithm, true, ["verify"]),
    privateKey: privateKey.toCryptoKey(algorithm, false, ["sign"]),
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

/** The algorithm for a key that a certificate authority may have: P-256, P-384 or RSA from 2048 bits on; undefined for any other. */
export function signingAlgorithm(key: KeyObject): SigningAlgorithm | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa") return modulusLength >= 2048 ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } : undefined;
  if (key.asymmetricKeyType !== "ec") return undefined;
  if (namedCurve === "prime256v1") return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  return namedCurve === "secp384r1" ? { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } : undefined;
}

/** Reads the key of a certificate authority (PKCS #8, PKCS #1 or SEC 1). Throws when the text is no such key, so check what a user gave before. */
export function readSigningKey(pem: string): SigningKey {
  const key = createPrivateKey(pem);
  const algorithm = signingAlgorithm(key);
  if (algorithm === undefined) throw new Error("a certificate authority's key must be P-256, P-384 or RSA from 2048 bits on");
  return { key: key.toCryptoKey(algorithm, false, ["sign"]), algorithm };
}

/** Whether DER bytes (SubjectPublicKeyInfo) are a key on the curve P-256. */
export function isP256(spki: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}
