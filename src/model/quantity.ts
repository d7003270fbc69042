/** Kubernetes quantities: `250m`, `1.5`, `128Mi`, `1e9`. */

const suffixes = { n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 } as const;
const binarySuffixes = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 } as const;
const factors: ReadonlyMap<string, number> = new Map(Object.entries({ ...suffixes, ...binarySuffixes }));

/** Of a quantity that is at least 0; for schemas that want a pattern. */
export const quantityPattern = "^(\\d+(\\.\\d*)?|\\.\\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?\\d{1,2})?$";
const whole = new RegExp(quantityPattern);

/** The number that a quantity stands for; undefined: the text is none. Exact as far as numbers are: enough to compare what people write. */
export function quantityValue(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  const [, digits = "", suffix = ""] = /^([\d.]+)(.*)$/.exec(text) ?? [];
  const factor = /^[eE][-+]?\d/.test(suffix) ? Number(`1${suffix}`) : factors.get(suffix);
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** Says whether a text is a quantity of at least 0. */
export function isQuantity(text: string): boolean {
  return quantityValue(text) !== undefined;
}
