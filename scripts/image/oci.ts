/** Writes a folder as an OCI archive: one layer, the same bytes for the same files. No registry and no builder is involved. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** What a container of the image starts with. */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  /** `NAME=VALUE`, beside PATH. */
  readonly environment?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
}

export interface NamedImage {
  /** As pods name it: `weir-test/echo:1`; without a registry's host it is one of Docker's, as everywhere. */
  readonly name: string;
  readonly config: ImageConfig;
}

const mediaType = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Writes the folder `root` as an OCI archive of one image to the file `tar`, which then is complete. Everything in it belongs to root. Throws when tar(1) fails. */
export function writeOciArchive(root: string, name: string, config: ImageConfig, tar: string): Promise<void> {
  return writeOciImages(root, [{ name, config }], tar);
}

/** The same for several images with the same files: they share their one layer. */
export async function writeOciImages(root: string, images: readonly NamedImage[], tar: string): Promise<void> {
  mkdirSync(path.dirname(tar), { recursive: true });
  const dir = mkdtempSync(`${tar}-`);
  try {
    const layout = path.join(dir, "layout");
    mkdirSync(path.join(layout, "blobs/sha256"), { recursive: true });
    await pack(root, path.join(dir, "layer"));
    await writeLayout(layout, images, path.join(dir, "layer"));
    await pack(layout, path.join(dir, "image.tar"));
    renameSync(path.join(dir, "image.tar"), tar);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function pack(dir: string, tar: string): Promise<void> {
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
  await exec("tar", [...same, "-C", dir, "-cf", tar, "."]);
}

async function writeLayout(layout: string, images: readonly NamedImage[], layerFile: string): Promise<void> {
  const layer = { mediaType: mediaType.layer, digest: `sha256:${await hashOfFile(layerFile)}`, size: statSync(layerFile).size };
  renameSync(layerFile, blobPath(layout, layer));
  const manifests = images.map((image) => writeManifest(layout, image, layer));
  writeFileSync(path.join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, mediaType: mediaType.index, manifests }));
  writeFileSync(path.join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

function writeManifest(layout: string, { name, config }: NamedImage, layer: Descriptor): object {
  const { entrypoint, environment = [], labels, workingDir } = config;
  const written = writeBlob(layout, mediaType.config, {
    architecture: architectures[process.arch],
    os: "linux",
    config: { Entrypoint: entrypoint, Env: [`PATH=${searchPath}`, ...environment], Labels: labels, WorkingDir: workingDir },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = writeBlob(layout, mediaType.manifest, { schemaVersion: 2, mediaType: mediaType.manifest, config: written, layers: [layer] });
  const annotations = { "io.containerd.image.name": fullName(name), "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1) };
  return { ...manifest, annotations };
}

/** The first part is a host when it has a dot or a port, or is localhost. */
function fullName(name: string): string {
  const [host = "", ...rest] = name.split("/");
  return rest.length > 0 && /[.:]|^localhost$/.test(host) ? name : `docker.io/${name}`;
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
