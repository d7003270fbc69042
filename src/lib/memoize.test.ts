import assert from "node:assert/strict";
import { test } from "node:test";
import { memoize, memoizeLast, shareList } from "./memoize.ts";

test("an argument is computed once, another with the same content again", () => {
  let calls = 0;
  const double = memoize((argument: { readonly n: number }) => {
    calls += 1;
    return argument.n === 0 ? undefined : argument.n * 2;
  });
  const [two, zero] = [{ n: 2 }, { n: 0 }];
  assert.deepEqual([double(two), double(two), double({ n: 2 }), double(zero), double(zero)], [4, 4, 4, undefined, undefined]);
  assert.equal(calls, 3, "nothing is a result, too");
});

test("a list of the same elements keeps its identity", () => {
  const [a, b] = [{}, {}];
  const before = [a, b];
  assert.equal(shareList(before, [a, b]), before);
  for (const after of [[b, a], [a], [a, b, a], [a, {}]]) assert.equal(shareList(before, after), after);
  assert.equal(shareList(undefined, before), before);
});

test("only the last inputs of an owner are remembered", () => {
  let calls = 0;
  const add = memoizeLast((owner: { readonly n: number }, more: number) => {
    calls += 1;
    return owner.n + more;
  });
  const [one, ten] = [{ n: 1 }, { n: 10 }];
  assert.deepEqual([add(one, 1), add(ten, 1), add(one, 1), add(ten, 1)], [2, 11, 2, 11]);
  assert.equal(calls, 2);
  assert.deepEqual([add(one, 2), add(one, 1)], [3, 2]);
  assert.equal(calls, 4);
});
