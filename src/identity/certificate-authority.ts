/** The authority at work: signs with what is kept, keeps before it signs, and moves the rotation on. */
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import { ok, type Result } from "../lib/problem.ts";
import type { SpiffeId, TrustDomain } from "../model/spiffe.ts";
import { createOwnCa, renewIntermediate } from "./authority.ts";
import { type AuthorityState, type AuthorityStore, readAuthorityState, writeAuthorityState } from "./authority-state.ts";
import { type DomainRoots, sameBundle, type TrustBundle } from "./bundle.ts";
import { createSigner, issueServing, issueSvid, type Signer, type Svid, svidLifeMs } from "./issue.ts";
import { advance, type NodeReport, recordIssued, recordReport, trustedRoots, wantSigner, workFor } from "./rotation.ts";
import type { SigningCa } from "./signing-ca.ts";
import { createTurns } from "./turns.ts";

export interface CertificateAuthorityOptions {
  readonly clock: Clock;
  readonly store: AuthorityStore;
  readonly trustDomain: TrustDomain;
  /** The authority that the user brings; without one, there is one of our own. A change of it is a rotation. */
  readonly plugIn?: SigningCa;
}

/** A key for which somebody may have a certificate. */
export interface CertifiedKey {
  readonly id: SpiffeId;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

export interface CertificateAuthority {
  readonly bundle: Readable<TrustBundle>;
  readonly state: Readable<AuthorityState>;
  /** Signs for what a node holds; kept before the first signature. Throws when the signer is not valid now, and the store's errors. */
  issue(node: string, keys: readonly CertifiedKey[], signal?: AbortSignal): Promise<readonly Svid[]>;
  /** Signs for a server of ours that is known by DNS names. It is not recorded: whoever asks must ask again as soon as another root signs. */
  issueServing(names: readonly string[], spki: Uint8Array): Promise<Omit<Svid, "id">>;
  /** Notes what a node says about itself. */
  report(node: string, report: NodeReport): Promise<void>;
  /** Signs with another authority from now on (same root), or when everybody trusts its root. The same one again changes nothing. */
  replaceSigner(next: SigningCa): Promise<Result<void>>;
  /** Begins to replace a root of our own by a new one, once for each wish (any text). A root of the user's stays: its owner gives another. */
  replaceRoot(wish: string): Promise<Result<void>>;
  /** Whose identities are let in beside our own, from now on. */
  setAliases(aliases: readonly DomainRoots[]): void;
  /** Renews what is due and takes the steps that are safe now; to be called every few minutes. */
  tick(): Promise<void>;
}

/**
 * Loads the authority, or makes it when there is none yet.
 * Throws when the kept state is unreadable or of another trust domain, and the store's own errors.
 */
export async function openCertificateAuthority(options: CertificateAuthorityOptions): Promise<CertificateAuthority> {
  const { clock, store, plugIn } = options;
  const cell = new Cell<AuthorityState>(await loadOrMake(options));
  const bundle = new Cell<TrustBundle>({ own: ownRoots(cell.get()), aliases: [] }, sameBundle);
  const update = createUpdates(cell, bundle, options);
  const signers = new WeakMap<SigningCa, Promise<Signer>>();
  const signerOf = (ca: SigningCa): Promise<Signer> => {
    const signer = signers.get(ca) ?? createSigner(ca);
    signers.set(ca, signer);
    return signer;
  };
  const turns = createTurns(2);
  const attempt = async (change: (state: AuthorityState) => Result<AuthorityState>): Promise<Result<void>> => {
    let result: Result<void> = ok(undefined);
    await update((state) => {
      const changed = change(state);
      if (!changed.ok) result = changed;
      return changed.ok ? changed.value : state;
    });
    return result;
  };
  const replaceSigner = (next: SigningCa): Promise<Result<void>> => attempt((state) => wantSigner(state, next, clock.now()));
  const replaceRoot = async (rootWish: string): Promise<Result<void>> => {
    const isDone = ({ rootWish: granted, rotation: { signer } }: AuthorityState): boolean => granted === rootWish || signer.origin === "plug-in";
    if (isDone(cell.get())) return ok(undefined);
    const next = await createOwnCa(options.trustDomain, clock.now());
    return attempt((state) => (isDone(state) ? ok(state) : wantSigner({ ...state, rootWish }, next, clock.now())));
  };
  const authority: CertificateAuthority = {
    bundle,
    state: cell,
    async issue(node, keys, signal) {
      if (keys.length === 0) return [];
      const { rotation } = await update((state) => recordNext(state, node, clock.now()));
      const signer = await signerOf(rotation.signer);
      const svids: Svid[] = [];
      for (const { id, spki } of keys) {
        signal?.throwIfAborted();
        svids.push(await turns(() => issueSvid(signer, id, spki, clock.now())));
      }
      return svids;
    },
    issueServing: async (names, spki) => issueServing(await signerOf(cell.get().rotation.signer), names, spki, clock.now()),
    async report(node, report) {
      await update((state) => recordReport(state, node, report));
    },
    replaceSigner,
    replaceRoot,
    setAliases: (aliases) => bundle.set({ ...bundle.get(), aliases }),
    async tick() {
      await update((state) => renewDue(state, clock.now()));
    },
  };
  if (plugIn !== undefined) await replaceSigner(plugIn);
  await store.save(writeAuthorityState(cell.get()));
  return authority;
}

async function loadOrMake({ clock, store, trustDomain, plugIn }: CertificateAuthorityOptions): Promise<AuthorityState> {
  const text = await store.load();
  if (text === undefined) return { trustDomain, rotation: { phase: "stable", signer: plugIn ?? (await createOwnCa(trustDomain, clock.now())) }, nodes: {} };
  const state = readAuthorityState(text);
  if (state.trustDomain === trustDomain) return state;
  throw new Error(`the kept certificate authority is of the trust domain ${state.trustDomain}, not of ${trustDomain}`);
}

function ownRoots({ trustDomain, rotation }: AuthorityState): DomainRoots {
  return { trustDomain, roots: trustedRoots(rotation) };
}

/** Records certificates of the signer that signs at `now`: every step that could change it is taken before. */
function recordNext(state: AuthorityState, node: string, now: number): AuthorityState {
  const current = advance(state, now);
  return recordIssued(current, node, Math.min(now + svidLifeMs, current.rotation.signer.notAfter));
}

async function renewDue(state: AuthorityState, now: number): Promise<AuthorityState> {
  const { trustDomain, rotation } = state;
  const work = workFor(rotation, now);
  if (work === "nothing") return state;
  const next = work === "new root" ? await createOwnCa(trustDomain, now) : await renewIntermediate(trustDomain, rotation.signer, now);
  const wanted = wantSigner(state, next, now);
  return wanted.ok ? wanted.value : state;
}

type Change = (state: AuthorityState) => AuthorityState | Promise<AuthorityState>;

/** Changes one after the other: each sees the last one's result, and nobody sees a state that is not kept. */
function createUpdates(
  cell: Cell<AuthorityState>,
  bundle: Cell<TrustBundle>,
  options: CertificateAuthorityOptions,
): (change: Change) => Promise<AuthorityState> {
  let last: Promise<unknown> = Promise.resolve();
  const apply = async (change: Change): Promise<AuthorityState> => {
    const next = advance(await change(cell.get()), options.clock.now());
    if (next === cell.get()) return next;
    await options.store.save(writeAuthorityState(next));
    cell.set(next);
    bundle.set({ ...bundle.get(), own: ownRoots(next) });
    return next;
  };
  return (change) => {
    const applied = last.then(() => apply(change));
    last = applied.catch(() => undefined);
    return applied;
  };
}
