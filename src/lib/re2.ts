import { RE2JS } from "re2js";

/** Returns why `pattern` is not a regular expression of RE2's syntax (Envoy's: no look-around, no back-references), or undefined when it is one. */
export function re2Error(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message.replace(/^error parsing regexp: /, "");
  }
}
