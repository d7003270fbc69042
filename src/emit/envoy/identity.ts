/** Who calls: the namespace that a connection came from says it, so it cannot be forged. */
import type { FilterSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ConfigSchema } from "../../../gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js";
import { defaultTrustDomain, workloadId } from "../../model/spiffe.ts";
import type { CapturePoint } from "../../model/world.ts";
import { any, type Init, literal } from "./resource.ts";

/** The key in a connection's filter state under which its caller's SPIFFE ID stands. */
export const identityKey = "weir.identity";

/** The first filter of every captured connection: notes the caller for those that follow (access rules, records). */
export function identityFilter(capture: CapturePoint): Init<typeof FilterSchema> {
  const id = workloadId(defaultTrustDomain, capture.namespace, capture.app);
  const format = { format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value: literal(id) } } } };
  const value = any(ConfigSchema, {
    onNewConnection: [{ key: { case: "objectKey", value: identityKey }, factoryKey: "envoy.string", value: { case: "formatString", value: format } }],
  });
  return { name: "weir.identity", configType: { case: "typedConfig", value } };
}
