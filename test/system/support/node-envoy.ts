/** A node's Envoy with all that is real around it: our discovery server, and certificates of our authority from a second one, as a node agent serves them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { adminGet } from "../../../src/dataplane/admin.ts";
import { envoyBootstrap } from "../../../src/dataplane/bootstrap.ts";
import type { EnvoyResource } from "../../../src/emit/envoy/resource.ts";
import type { CertificateAuthority } from "../../../src/identity/certificate-authority.ts";
import { createLocalClient } from "../../../src/identity/certificate-client.ts";
import { keepNodeIdentities } from "../../../src/identity/node-identities.ts";
import { encodeSecrets } from "../../../src/identity/secrets.ts";
import { Cell } from "../../../src/lib/cell.ts";
import type { SpiffeId } from "../../../src/model/spiffe.ts";
import { createRpcServer } from "../../../src/rpc/server.ts";
import { createAdsServer } from "../../../src/xds/server.ts";
import { createSnapshot, encodeResource } from "../../../src/xds/snapshot.ts";
import { realClock as clock, silentLog as log } from "../../support/real.ts";
import { root } from "./weir.ts";

/** The stock Envoy. */
export const envoy: string = process.env["WEIR_ENVOY"] ?? path.join(root, ".cache/envoy/1.40.0/envoy");

export interface NodeEnvoyOptions {
  /** For sockets and logs. */
  readonly folder: string;
  readonly authority: CertificateAuthority;
  /** Whose certificates the node holds at the beginning. */
  readonly identities: readonly SpiffeId[];
  /** Words in front of the command, to run it in a namespace. */
  readonly within?: readonly string[];
}

export class NodeEnvoy {
  readonly #options: NodeEnvoyOptions;
  readonly #wanted: Cell<ReadonlySet<SpiffeId>>;
  readonly #ads = createAdsServer({ clock, log });
  readonly #sds = createAdsServer({ clock, log });
  readonly #servers: { close(graceMs: number): Promise<void> }[] = [];
  #child: ChildProcess | undefined;
  #keeper = new AbortController();

  constructor(options: NodeEnvoyOptions) {
    this.#options = options;
    this.#wanted = new Cell<ReadonlySet<SpiffeId>>(new Set(options.identities));
    mkdirSync(options.folder, { recursive: true });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return readFileSync(this.#file("envoy.log"), "utf8");
  }

  /** Serves configuration and certificates, and starts Envoy. */
  async start(): Promise<void> {
    for (const [name, { methods }] of [
      ["xds", this.#ads],
      ["sds", this.#sds],
    ] as const) {
      const server = createRpcServer({ clock, log, methods, keepaliveMs: 0 });
      await server.listen({ path: this.#file(`${name}.sock`) });
      this.#servers.push(server);
    }
    this.renew();
    await this.startEnvoy();
  }

  /** Begins with new keys and certificates for all that is wanted; what Envoy has stays until all of them are there. */
  renew(): void {
    this.#keeper.abort();
    this.#keeper = new AbortController();
    const client = createLocalClient(this.#options.authority, "node");
    const held = keepNodeIdentities({ clock, log, wanted: this.#wanted, client, random: Math.random }, this.#keeper.signal);
    void this.#serve(held.watch(this.#keeper.signal));
  }

  /** Starts Envoy, or another one after `stopEnvoy`. */
  async startEnvoy(): Promise<void> {
    writeFileSync(this.#file("bootstrap.json"), JSON.stringify(this.#bootstrap()));
    const out = openSync(this.#file("envoy.log"), "a");
    const args = ["-c", this.#file("bootstrap.json"), "--use-dynamic-base-id", "--concurrency", "2", "--log-level", "warn"];
    const [file = "", ...rest] = [...(this.#options.within ?? []), envoy, ...args];
    this.#child = spawn(file, rest, { stdio: ["ignore", out, out] });
    await once(this.#child, "spawn");
  }

  async stopEnvoy(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  /** Sets whose certificates the node holds. */
  want(identities: readonly SpiffeId[]): void {
    this.#wanted.set(new Set(identities));
  }

  /** Sends configuration, and waits until Envoy works with all of it. Throws when it does not. */
  async publish(resources: readonly EnvoyResource[], timeoutMs = 15_000): Promise<void> {
    const snapshot = createSnapshot(resources.map(({ typeUrl, name, body }) => encodeResource(typeUrl, name, body)));
    const outcome = await this.#ads.waitAcked("node", this.#ads.publish("node", snapshot), AbortSignal.timeout(timeoutMs));
    if (outcome.kind === "acked") return;
    throw new Error(`${JSON.stringify(outcome, (_, value) => (value instanceof Map ? [...value] : (value as unknown)))}\n${this.log}`);
  }

  /** A page of Envoy's admin interface. */
  async admin(page: string): Promise<string> {
    return (await adminGet(this.#file("admin.sock"), page, 10_000)) ?? "";
  }

  async stop(): Promise<void> {
    this.#keeper.abort();
    await this.stopEnvoy();
    await Promise.all(this.#servers.map((server) => server.close(0)));
  }

  async #serve(watch: AsyncIterable<Parameters<typeof encodeSecrets>[0]>): Promise<void> {
    for await (const held of watch)
      if (held.revision > 0)
        this.#sds.publish("node", createSnapshot(encodeSecrets(held).map(({ typeUrl, name, body }) => encodeResource(typeUrl, name, body))));
  }

  /** As of a node whose control plane is reached by a socket; that has no place for certificates, which the other kind has. */
  #bootstrap(): object {
    const common = { nodeId: "node", adminSocket: this.#file("admin.sock"), maxHeapBytes: 1 << 30, maxDownstreamConnections: 10_000 };
    const local = envoyBootstrap({ ...common, xds: { kind: "socket", path: this.#file("xds.sock") } }) as Bootstrap;
    const unused = { host: "127.0.0.1", port: 1, ownIdentity: "", serverIdentity: "", trustDomain: "" };
    const far = envoyBootstrap({ ...common, xds: { kind: "mtls", ...unused, sdsSocket: this.#file("sds.sock") } }) as Bootstrap;
    const sds = far.static_resources.clusters.filter(({ name }) => name === "sds");
    return { ...local, static_resources: { clusters: [...local.static_resources.clusters, ...sds] } };
  }

  #file(name: string): string {
    return path.join(this.#options.folder, name);
  }
}

type Bootstrap = object & { readonly static_resources: { readonly clusters: readonly { readonly name: string }[] } };
