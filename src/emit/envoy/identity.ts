/** Who calls, and whom: the namespace that a connection came from says the one, the kernel the other, so neither can be forged. */
import type { FilterSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { FilterStateValue_SharedWithUpstream, type FilterStateValueSchema } from "../../../gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js";
import { ConfigSchema } from "../../../gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js";
import { defaultTrustDomain, type SpiffeId, workloadId } from "../../model/spiffe.ts";
import type { CapturePoint } from "../../model/world.ts";
import { destinationNotes } from "./destination.ts";
import { any, type Init, literal } from "./resource.ts";

/** The key in a connection's filter state under which its caller's SPIFFE ID stands. */
export const identityKey = "weir.identity";

type FilterInit = Init<typeof FilterSchema>;

/** The first filter of every captured connection: notes the caller for those that follow (access rules, records). */
export function identityFilter(capture: CapturePoint): FilterInit {
  const id = workloadId(defaultTrustDomain, capture.namespace, capture.app);
  return noting([text(identityKey, "envoy.string", literal(id))]);
}

/** By this name Envoy looks for the certificate of a call (`mutual-tls.ts`). */
const certificateKey = "envoy.tls.certificate_mappers.on_demand_secret";

/**
 * The same for a pod: the connection to the other side is made with this caller's certificate, and belongs to no other caller (`hashable`: it is part of
 * what chooses a pooled connection). `through` a listener inside this Envoy the caller stays who it is.
 */
export function callerFilter(caller: SpiffeId, through = false): FilterInit {
  const { ONCE, TRANSITIVE } = FilterStateValue_SharedWithUpstream;
  const shown = { ...text(certificateKey, "envoy.hashable_string", literal(caller)), sharedWithUpstream: through ? TRANSITIVE : ONCE };
  return noting([text(identityKey, "envoy.string", literal(caller)), shown]);
}

/** `value` may hold formatters. */
function text(key: string, factoryKey: string, value: string): Init<typeof FilterStateValueSchema> {
  const format = { format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value } } } };
  return { key: { case: "objectKey", value: key }, factoryKey, value: { case: "formatString", value: format } };
}

function noting(caller: readonly Init<typeof FilterStateValueSchema>[]): FilterInit {
  const onNewConnection = [...caller, ...destination];
  return { name: "weir.identity", configType: { case: "typedConfig", value: any(ConfigSchema, { onNewConnection }) } };
}

const destination = destinationNotes.map(([key, formatter]) => text(key, "envoy.string", formatter));
