/** What is kept of the authority: its keys, the phase of its rotation, and what nodes hold. A secret: the keys are in it. */
import { z } from "zod";
import type { TrustDomain } from "../model/spiffe.ts";
import type { RotationState } from "./rotation.ts";

export interface AuthorityState extends RotationState {
  readonly trustDomain: TrustDomain;
  /** The last wish for a new root that was granted. */
  readonly rootWish?: string;
}

/** Where the state lives: a file of mode 0600, a Secret. One process writes at a time. */
export interface AuthorityStore {
  /** The text that was saved last; undefined before the first. */
  load(): Promise<string | undefined>;
  /** Resolves when the text would survive a crash: nothing is issued on a state that could be lost. */
  save(text: string): Promise<void>;
}

const root = z.strictObject({ id: z.string(), pem: z.string() });

const signingCa = z.strictObject({
  origin: z.enum(["own", "plug-in"]),
  certificate: z.string(),
  key: z.string(),
  intermediates: z.string(),
  root,
  rootKey: z.string().exactOptional(),
  alsoTrusted: z.array(root),
  notBefore: z.number(),
  notAfter: z.number(),
  rootNotAfter: z.number(),
});

const rotation = z.discriminatedUnion("phase", [
  z.strictObject({ phase: z.literal("stable"), signer: signingCa }),
  z.strictObject({ phase: z.literal("spreading"), signer: signingCa, next: signingCa, since: z.number() }),
  z.strictObject({ phase: z.literal("moving"), signer: signingCa, previous: z.tuple([root], root), since: z.number() }),
]);

const state = z.strictObject({
  format: z.literal(1),
  trustDomain: z.string().transform((text) => text as TrustDomain),
  rotation,
  rootWish: z.string().exactOptional(),
  nodes: z.record(z.string(), z.strictObject({ trusts: z.array(z.string()), holds: z.record(z.string(), z.number()) })),
});

/** The state as a text to keep. */
export function writeAuthorityState(value: AuthorityState): string {
  const { trustDomain, rootWish, rotation: current, nodes } = value;
  return JSON.stringify({ format: 1, trustDomain, rootWish, rotation: current, nodes });
}

/** Reads a text that `writeAuthorityState` made. Throws for any other: better no authority than a second one. The error shows no values. */
export function readAuthorityState(text: string): AuthorityState {
  const parsed = state.safeParse(parseJson(text));
  if (parsed.success) {
    const { format: _, ...value } = parsed.data;
    return value;
  }
  throw new Error(`the kept state of the certificate authority cannot be read: ${parsed.error.issues.map(({ path }) => path.join(".")).join(", ")}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
