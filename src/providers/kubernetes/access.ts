/** How a cluster's API server is reached, and as whom. */
import { Agent as PlainAgent } from "node:http";
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import { optional } from "./readers.ts";

/** What the next request needs. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Holds the connections, client certificate and roots. */
  readonly agent: PlainAgent;
}

export interface ClusterAccess {
  readonly server: URL;
  /** The namespace that commands without one mean. */
  readonly namespace?: string;
  /** `refused`: the API server did not accept the last ones, so fresh ones are needed. Throws when a file or plugin fails. */
  credentials(refused: boolean): Promise<Credentials>;
  close(): void;
}

/** One agent for as long as the TLS settings stay the same: connections are kept between requests. */
export class Agents {
  readonly #secure: boolean;
  #agent: PlainAgent | undefined;
  #settings = "";

  constructor(server: URL) {
    this.#secure = server.protocol === "https:";
  }

  /** The agent for these TLS settings. */
  get(settings: AgentOptions): PlainAgent {
    const text = JSON.stringify(settings);
    if (this.#agent !== undefined && text === this.#settings) return this.#agent;
    // Requests under way keep the old agent until they end; idle connections of it time out by themselves.
    this.#settings = text;
    this.#agent = this.#secure ? new Agent({ keepAlive: true, ...settings }) : new PlainAgent({ keepAlive: true });
    return this.#agent;
  }

  close(): void {
    this.#agent?.destroy();
  }
}

/** An API server that asks for nothing, like the one behind `kubectl proxy`; or one with a fixed token and roots. */
export function directAccess(server: string, settings: { readonly token?: string; readonly ca?: string } = {}): ClusterAccess {
  const url = new URL(server);
  const agents = new Agents(url);
  const headers: Readonly<Record<string, string>> = settings.token === undefined ? {} : { authorization: `Bearer ${settings.token}` };
  return {
    server: url,
    credentials: async () => ({ headers, agent: agents.get(optional("ca", settings.ca)) }),
    close: () => agents.close(),
  };
}

/** TLS settings and headers out of what @kubernetes/client-node wrote into request options. */
export function fromRequestOptions(options: RequestOptions): { readonly tls: AgentOptions; readonly headers: Readonly<Record<string, string>> } {
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized, auth } = options;
  const tls = {
    ...optional("ca", ca),
    ...optional("cert", cert),
    ...optional("key", key),
    ...optional("pfx", pfx),
    ...optional("passphrase", passphrase),
    ...optional("servername", servername),
    ...optional("rejectUnauthorized", rejectUnauthorized),
  };
  const named = Object.entries(options.headers ?? {}).map(([name, value]): [string, string] => [name.toLowerCase(), String(value)]);
  const basic = typeof auth === "string" ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  return { tls, headers: { ...Object.fromEntries(named), ...basic } };
}
