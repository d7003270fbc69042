/**
 * Defaults that nobody has to know, with their reasons.
 * Envoy's documentation: "Timeouts" FAQ, "Circuit breaking", "Outlier detection", "HTTP routing: retry semantics".
 */
import type { Retries } from "../model/types.ts";

/** A local process either accepts at once or is not there. */
export const connectTimeoutMs = 1_000;

/** The outside may be far away; Envoy's own default. */
export const externalConnectTimeoutMs = 5_000;

/** No limit on a whole request: a download, a WebSocket, server-sent events and gRPC streams may last. */
export const requestTimeoutMs = 0;

/** Whoever is outside may vanish without a word: a request on which nothing moved for this long is ended (Envoy: `idle_timeout`; its own default, too). */
export const outsideIdleTimeoutMs = 300_000;

/**
 * Per backend. High enough that no honest service meets them, low enough that a runaway caller cannot exhaust a machine.
 * What is retried by default never began, so that many retries at once (a node that is slow to accept) are no storm.
 */
export const limits = { maxConnections: 8_192, maxPendingRequests: 8_192, maxRequests: 16_384, maxRetries: 1_024 } as const;

/**
 * Retries only where the service cannot have begun to work on the request: no connection came about, the stream was refused by HTTP/2's own rule, or the
 * connection was reset before the request was sent at all (`reset-before-request`). So they are safe for every method.
 */
export const safeRetries: Retries = { attempts: 3, on: ["connect-failure", "refused-stream", "reset-before-request"] };
