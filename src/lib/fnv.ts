/**
 * FNV-1a of 32 bits over a text's UTF-16 code units (http://www.isthe.com/chongo/tech/comp/fnv/): a whole number, 0 to 2³² − 1. It tells short names apart and
 * protects nothing. The same text gives the same number for ever: names of folders, sockets and replicas outlive the program that made them.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The same as eight hexadecimal digits. */
export function fnv1aHex(text: string): string {
  return fnv1a(text).toString(16).padStart(8, "0");
}
