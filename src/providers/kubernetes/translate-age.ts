/** Who comes first of those that want the same, by Gateway API's rule for all of its kinds. */
interface Aged {
  /** RFC 3339: sorts as text. */
  readonly createdAt: string;
  readonly namespace: string;
  readonly name: string;
}

/** For sorting: the older one first, then the first by namespace and name. */
export function byAge(a: Aged, b: Aged): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  const [left, right] = [a, b].map(({ namespace, name }) => `${namespace}/${name}`) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}
