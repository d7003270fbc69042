/** Apart, so that the library is loaded only where YAML is asked for. */
import { stringify } from "yaml";

/** A value as YAML. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
