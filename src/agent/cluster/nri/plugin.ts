/** One connection to a runtime as an NRI plugin: registers, answers its calls, ends with it. Knows nothing of capture. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { messageOf } from "../../../lib/message-of.ts";
import { encodeMessage, MessageReader, messageType, pluginConnection, runtimeConnection, type TtrpcMessage } from "./frames.ts";
import {
  configured,
  decodeRequest,
  decodeResponse,
  decodeSandbox,
  encodeRequest,
  encodeResponse,
  podEvents,
  registerPlugin,
  requestTimeoutMs,
  type Sandbox,
  synchronized,
  type TtrpcRequest,
  type TtrpcResponse,
} from "./messages.ts";

export interface NriPluginOptions {
  readonly socket: string;
  readonly name: string;
  /** Two digits. */
  readonly index: string;
  /** The runtime took us: from now on it asks before each pod starts. */
  readonly onActive: () => void;
  /** A sandbox has its network and no container yet. Rejecting keeps the pod from starting; the kubelet tries again. Must not take longer than `withinMs`. */
  readonly onRun: (sandbox: Sandbox, withinMs: number) => Promise<void>;
  readonly onStop: (sandbox: Sandbox) => void;
}

const service = "nri.pkg.api.v1alpha1";
/** The runtime's own default; a plugin that is slower is dropped. */
const defaultTimeoutMs = 2_000;
const unknownCode = 2;
const unimplementedCode = 12;

/** Runs until the runtime closes the connection or `signal` aborts. Throws when nobody is there, or when it refuses us. */
export async function runNriPlugin(options: NriPluginOptions, signal: AbortSignal): Promise<void> {
  const socket = connect(options.socket);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener("abort", onAbort);
  try {
    await once(socket, "connect", { signal });
    const payload = registerPlugin(options.name, options.index);
    const content = encodeRequest({ service: `${service}.Runtime`, method: "RegisterPlugin", payload });
    socket.write(encodeMessage({ connection: runtimeConnection, stream: 1, type: messageType.request, content }));
    await serve(socket, options);
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

async function serve(socket: Socket, options: NriPluginOptions): Promise<void> {
  const reader = new MessageReader();
  const session = { withinMs: defaultTimeoutMs };
  for await (const bytes of socket) {
    for (const message of reader.push(bytes as Buffer)) {
      if (message.connection === runtimeConnection) checkRegistered(message);
      else if (message.connection === pluginConnection && message.type === messageType.request)
        // A pod that waits must not keep others waiting.
        void respond(socket, message, answer(decodeRequest(message.content), options, session));
    }
  }
}

function checkRegistered(message: TtrpcMessage): void {
  const response = decodeResponse(message.content);
  if (!response.ok) throw new Error(`the runtime refuses the plugin: ${response.message}`);
}

async function respond(socket: Socket, { connection, stream }: TtrpcMessage, answering: Promise<TtrpcResponse>): Promise<void> {
  const response = await answering.catch((error: unknown) => ({
    ok: false as const,
    code: unknownCode,
    message: `weir: ${messageOf(error)}`,
  }));
  if (!socket.destroyed) socket.write(encodeMessage({ connection, stream, type: messageType.response, content: encodeResponse(response) }));
}

async function answer({ method, payload }: TtrpcRequest, options: NriPluginOptions, session: { withinMs: number }): Promise<TtrpcResponse> {
  const nothing = { ok: true as const, payload: new Uint8Array() };
  switch (method) {
    case "Configure":
      session.withinMs = requestTimeoutMs(payload) || defaultTimeoutMs;
      return { ok: true, payload: configured([podEvents.run, podEvents.stop]) };
    case "Synchronize":
      options.onActive();
      return { ok: true, payload: synchronized(payload) };
    case "RunPodSandbox":
      await options.onRun(decodeSandbox(payload), session.withinMs);
      return nothing;
    case "StopPodSandbox":
      options.onStop(decodeSandbox(payload));
      return nothing;
    case "Shutdown":
    case "StateChange":
      return nothing;
    default:
      return { ok: false, code: unimplementedCode, message: `weir does not answer ${method}` };
  }
}
