/** Brings the rules of one pod to where they should be, step by step, and tells them in time that somebody serves it. */
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { Pin, PodNetwork } from "./pod-network.ts";
import { serving, servingSeconds } from "./pod-rules.ts";
import { failPod, type PodState } from "./pod-state.ts";
import { nextStep, type PodStep, type WantedPod } from "./pod-steps.ts";

export interface SettleOptions {
  readonly uid: string;
  /** Absent: it is in no order any more. */
  readonly wanted: WantedPod | undefined;
  /** No order has named it yet; it starts just now. */
  readonly isGuarded: boolean;
  /** Why no pod of this node can be captured; absent: each can. */
  readonly nodeProblem: string | undefined;
  readonly network: Pick<PodNetwork, "apply" | "prepare" | "sockets">;
  readonly clock: Clock;
  readonly log: Log;
}

/** A third of the time for which the rules believe it. */
const sayServingMs = (servingSeconds * 1_000) / 3;

/** Works on a pod whose namespace is `pin`; how far it came, or why not, is in `state`. Answers `over` when nothing is left to do for it, ever. */
export async function settlePod(state: PodState, pin: Pin, options: SettleOptions): Promise<"kept" | "over"> {
  try {
    const outcome = await takeSteps(state, pin, options);
    if (outcome === "over") return "over";
    if (outcome !== "settled") {
      failPod(state, outcome.failed);
      return "kept";
    }
    if (state.rules.kind === "captured") await saySoon(state, pin, options);
    state.phase = state.rules.kind === "captured" ? "captured" : "pinned";
    delete state.reason;
  } catch (error) {
    failPod(state, messageOf(error));
    options.log.warn("a pod cannot be brought to where it should be", { uid: options.uid, error: messageOf(error) });
  }
  return "kept";
}

type Outcome = "settled" | "over" | { readonly failed: string };

async function takeSteps(state: PodState, pin: Pin, options: SettleOptions): Promise<Outcome> {
  const { wanted, nodeProblem, network, clock } = options;
  let open: number | undefined;
  for (;;) {
    const step = nextStep({ rules: state.rules, now: clock.now(), ...(wanted === undefined ? {} : { wanted }), ...(open === undefined ? {} : { open }) });
    switch (step.do) {
      case "fail":
        return { failed: step.reason };
      case "nothing":
        return "settled";
      case "forget":
        return "over";
      case "count":
        open = (await network.sockets(pin)).open;
        break;
      case "apply":
        if (step.becomes.kind === "captured" && nodeProblem !== undefined) return { failed: nodeProblem };
        await takeStep(state, pin, step, options);
        // A redirected connection may be on its way in: the next look counts.
        if (step.becomes.kind === "draining") return "settled";
        break;
      default:
        return step satisfies never;
    }
  }
}

async function takeStep(state: PodState, pin: Pin, { rules, becomes }: Extract<PodStep, { do: "apply" }>, options: SettleOptions): Promise<void> {
  const { uid, network, clock, log } = options;
  if (state.rules.kind === "none" || state.rules.kind === "unknown") await network.prepare(pin);
  const isServed = becomes.kind === "captured" && (await isServedNow(state, pin, options));
  await network.apply(pin, isServed ? rules + serving : rules);
  if (isServed) state.servedAt = clock.now();
  if (becomes.kind !== "quiet") delete state.isStarting;
  log.info("rules of a pod", { uid, before: state.rules.kind, now: becomes.kind });
  state.rules = becomes;
}

/** A pod that starts is as good as served: its Envoy is told of it now. */
async function isServedNow({ servedAt, isStarting }: PodState, pin: Pin, { isGuarded, network, clock }: SettleOptions): Promise<boolean> {
  const isSaid = clock.now() - servedAt < servingSeconds * 1_000;
  return isSaid || isStarting === true || isGuarded || (await network.sockets(pin)).listening;
}

/** Tells a pod's rules in time that somebody serves it, if somebody does. */
async function saySoon(state: PodState, pin: Pin, { network, clock }: SettleOptions): Promise<void> {
  if (clock.now() - state.servedAt < sayServingMs || !(await network.sockets(pin)).listening) return;
  await network.apply(pin, serving);
  state.servedAt = clock.now();
}
