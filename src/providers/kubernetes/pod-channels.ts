/** Streams of one pod over one connection: a command's input and output, a port. The protocol is @kubernetes/client-node's; it is loaded only when needed. */
import type { KubeConfig } from "@kubernetes/client-node";
import type { ClusterAccess } from "./access.ts";
import { list, record, text } from "./readers.ts";

/** Which pod, and what of it: `exec`, `attach` or `portforward`. */
export interface ChannelTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly what: "exec" | "attach" | "portforward";
  readonly query: readonly (readonly [string, string])[];
}

export interface Channels {
  /** Sends on a channel; resolves when there is room for more. */
  send(channel: number, data: Buffer): Promise<void>;
  /** Says that nothing more comes on a channel, where the server understands that. */
  end(channel: number): void;
  /** Nothing is received until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
}

export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 } as const;
const closeChannel = 255;
/** The first version of the protocol in which one channel can end alone. */
const protocolWithEnds = "v5.channel.k8s.io";
/** More than this waiting to be sent is too much. */
const fullBytes = 1024 * 1024;
const lookMs = 5;

/** Connects; `received` hears what comes on which channel. Throws when the connection is refused. */
export async function openChannels(access: ClusterAccess, target: ChannelTarget, received: (channel: number, data: Buffer) => void): Promise<Channels> {
  const { Exec } = await import("@kubernetes/client-node");
  const { namespace, pod, what, query } = target;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/${what}?${new URLSearchParams(query.map(([key, value]) => [key, value])).toString()}`;
  const hear = (number: number, data: Buffer): boolean => {
    received(number, data);
    return true;
  };
  let socket: Socket;
  try {
    // What it gives for commands is good for every kind of stream.
    socket = await new Exec(configOf(access)).handler.connect(path, null, hear);
  } catch (error) {
    throw new Error(connectMessage(error), { cause: error });
  }
  const closed = new Promise<void>((resolve) => socket.addEventListener("close", () => resolve()));
  // After an error there is always a close.
  socket.addEventListener("error", () => undefined);
  return {
    async send(number, data) {
      socket.send(Buffer.concat([Buffer.from([number]), data]));
      while (socket.bufferedAmount > fullBytes && socket.readyState === socket.OPEN) await new Promise((resolve) => setTimeout(resolve, lookMs));
    },
    end: (number) => {
      if (socket.protocol === protocolWithEnds) socket.send(Buffer.from([closeChannel, number]));
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.close(),
    closed,
  };
}

/** As much of the library's socket as is used. */
interface Socket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  readonly OPEN: number;
  send(data: Buffer): void;
  pause(): void;
  resume(): void;
  close(): void;
  addEventListener(event: "close" | "error", listener: () => void): void;
}

/** As much of a kubeconfig as connecting needs. */
function configOf(access: ClusterAccess): KubeConfig {
  const config: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions"> = {
    getCurrentCluster: () => ({ name: "", server: access.server.href.replace(/\/$/, ""), skipTLSVerify: false }),
    applyToHTTPSOptions: async (options) => {
      const { headers, agent } = await access.credentials(false);
      Object.assign(options, { headers, agent });
    },
  };
  return config as KubeConfig;
}

function connectMessage(error: unknown): string {
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);
  const status = /Unexpected server response: (\d+)/.exec(message)?.[1];
  if (status === "403") return "you may not do that in this pod";
  if (status === "404") return "the pod is gone";
  return status === undefined ? message : `the API server answered with status ${status}`;
}

/** How a command ended, as the last word on the status channel tells it. */
export type Ended = { readonly kind: "exited"; readonly code: number } | { readonly kind: "failed"; readonly message: string };

/** Reads the status channel. */
export function readEnded(data: Buffer): Ended {
  let status: Readonly<Record<string, unknown>>;
  try {
    status = record(JSON.parse(data.toString("utf8")));
  } catch {
    return { kind: "failed", message: data.toString("utf8") };
  }
  if (status["status"] === "Success") return { kind: "exited", code: 0 };
  const causes = list(record(status["details"])["causes"]).map(record);
  const code = Number(text(causes.find(({ reason }) => reason === "ExitCode")?.["message"]) ?? Number.NaN);
  return Number.isInteger(code) ? { kind: "exited", code } : { kind: "failed", message: text(status["message"]) ?? "it could not be started" };
}
