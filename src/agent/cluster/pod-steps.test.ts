import assert from "node:assert/strict";
import { test } from "node:test";
import { captureRules, drainRules, noRules, quietRules } from "./pod-rules.ts";
import { drainLimitMs, nextStep, type PodView, quietMs, type RulesState, type WantedPod } from "./pod-steps.ts";

const pod: WantedPod = { address: "10.1.0.2", probePorts: [80], mode: "strict", capture: true };
const left: WantedPod = { ...pod, capture: false };
const text = captureRules(pod);
const captured: RulesState = { kind: "captured", text };
const draining: RulesState = { kind: "draining", since: 1_000 };
const quiet: RulesState = { kind: "quiet", since: 1_000 };

const step = (view: Partial<PodView>) => nextStep({ rules: { kind: "none" }, now: 1_000, ...view });

test("capturing: once, and again when what the rules depend on changed", () => {
  assert.deepEqual(step({ wanted: pod }), { do: "apply", rules: quietRules(), becomes: quiet }, "before tracking begins");
  for (const rules of [quiet, { kind: "unknown" }, draining] as const)
    assert.deepEqual(step({ wanted: pod, rules }), { do: "apply", rules: text, becomes: captured });
  assert.deepEqual(step({ wanted: pod, rules: captured }), { do: "nothing" });
  assert.equal(step({ wanted: { ...pod, probePorts: [81] }, rules: captured }).do, "apply");
});

test("an IPv6 pod is refused", () => assert.equal(step({ wanted: { ...pod, address: "fd00::1" } }).do, "fail"));

test("letting go: first no new connections, then wait, then tracking ends, then nothing is left", () => {
  for (const rules of [captured, { kind: "unknown" }] as const)
    assert.deepEqual(step({ wanted: left, rules }), { do: "apply", rules: drainRules(), becomes: draining });
  assert.deepEqual(step({ wanted: left, rules: draining }), { do: "count" });
  assert.deepEqual(step({ wanted: left, rules: draining, open: 1 }), { do: "nothing" });
  assert.deepEqual(step({ wanted: left, rules: draining, open: 0 }), { do: "apply", rules: quietRules(), becomes: quiet });
  assert.deepEqual(step({ wanted: left, rules: quiet, now: 999 + quietMs }), { do: "nothing" });
  assert.deepEqual(step({ wanted: left, rules: quiet, now: 1_000 + quietMs }), { do: "apply", rules: noRules(), becomes: { kind: "none" } });
  assert.deepEqual(step({ wanted: left }), { do: "nothing" });
});

test("only a pod that is in no order any more is cut off when its time is over", () => {
  const late = 1_000 + drainLimitMs;
  assert.deepEqual(step({ wanted: left, rules: draining, open: 1, now: late }), { do: "nothing" });
  assert.deepEqual(step({ rules: draining, open: 1, now: late - 1 }), { do: "nothing" });
  assert.equal(step({ rules: draining, open: 1, now: late }).do, "apply");
  assert.deepEqual(step({}), { do: "forget" });
});
