/** Makes OCI images of files: one layer, the same bytes for the same files. No registry and no builder is involved. */
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./run.ts";

/** What an image is. Paths inside are absolute. */
export interface Image {
  /** As pods name it: `weir-test/echo:1`; with a registry where the name's first part has a dot. */
  readonly name: string;
  /** Path inside → file on this machine (links are followed). */
  readonly files: Readonly<Record<string, string>>;
  /** Path inside → where the link points to. */
  readonly links?: Readonly<Record<string, string>>;
  /** Empty folders. */
  readonly folders?: readonly string[];
  readonly entrypoint: readonly string[];
}

const mediaType = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** Programs look for these, or make files in them. */
const usualFolders = ["/etc", "/proc", "/sys", "/dev", "/run", "/tmp", "/var/run"];

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Writes the image as an OCI archive to the file `tar`, which then is complete. */
export async function writeImage(image: Image, tar: string): Promise<void> {
  mkdirSync(path.dirname(tar), { recursive: true });
  const dir = mkdtempSync(`${tar}-`);
  try {
    fillRoot(path.join(dir, "root"), image);
    const layout = path.join(dir, "layout");
    mkdirSync(path.join(layout, "blobs/sha256"), { recursive: true });
    await pack(path.join(dir, "root"), path.join(dir, "layer"));
    await writeLayout(layout, image, path.join(dir, "layer"));
    await pack(layout, path.join(dir, "image.tar"));
    renameSync(path.join(dir, "image.tar"), tar);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function fillRoot(root: string, { files, links = {}, folders = [] }: Image): void {
  for (const folder of [...usualFolders, ...folders]) mkdirSync(path.join(root, folder), { recursive: true });
  chmodSync(path.join(root, "tmp"), 0o1777);
  const place = (inside: string, make: (to: string) => void): void => {
    mkdirSync(path.dirname(path.join(root, inside)), { recursive: true });
    make(path.join(root, inside));
  };
  for (const [inside, from] of Object.entries(files)) place(inside, (to) => copyFileSync(from, to));
  for (const [inside, target] of Object.entries(links)) place(inside, (to) => symlinkSync(target, to));
}

async function pack(dir: string, tar: string): Promise<void> {
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
  await run(["tar", ...same, "-C", dir, "-cf", tar, "."]);
}

async function writeLayout(layout: string, { name, entrypoint }: Image, layerFile: string): Promise<void> {
  const layer = { mediaType: mediaType.layer, digest: `sha256:${await hashOfFile(layerFile)}`, size: statSync(layerFile).size };
  renameSync(layerFile, blobPath(layout, layer));
  const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  const config = writeBlob(layout, mediaType.config, {
    architecture: architectures[process.arch],
    os: "linux",
    config: { Entrypoint: entrypoint, Env: environment },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = writeBlob(layout, mediaType.manifest, { schemaVersion: 2, mediaType: mediaType.manifest, config, layers: [layer] });
  const annotations = {
    "io.containerd.image.name": /^[^/]*\./.test(name) ? name : `docker.io/${name}`,
    "org.opencontainers.image.ref.name": name.split(":")[1],
  };
  const index = { schemaVersion: 2, mediaType: mediaType.index, manifests: [{ ...manifest, annotations }] };
  writeFileSync(path.join(layout, "index.json"), JSON.stringify(index));
  writeFileSync(path.join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

function writeBlob(layout: string, mediaType: string, content: object): Descriptor {
  const bytes = Buffer.from(JSON.stringify(content));
  const blob = { mediaType, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size: bytes.length };
  writeFileSync(blobPath(layout, blob), bytes);
  return blob;
}

function blobPath(layout: string, { digest }: Descriptor): string {
  return path.join(layout, "blobs", digest.replace(":", "/"));
}

async function hashOfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
