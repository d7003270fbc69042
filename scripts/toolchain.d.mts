/** Absolute path of the checkout. */
export const root: string;
/** The Node.js that scripts/setup.mjs brings. */
export const node: string;
