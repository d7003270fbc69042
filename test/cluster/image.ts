/** Makes OCI images of single files. The archive itself is written as that of Weir's own image is. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { writeOciArchive } from "../../scripts/image/oci.ts";

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

/** Programs look for these, or make files in them. */
const usualFolders = ["/etc", "/proc", "/sys", "/dev", "/run", "/tmp", "/var/run"];

/** Writes the image as an OCI archive to the file `tar`, which then is complete. */
export async function writeImage(image: Image, tar: string): Promise<void> {
  mkdirSync(path.dirname(tar), { recursive: true });
  const root = mkdtempSync(`${tar}-root-`);
  try {
    fillRoot(root, image);
    await writeOciArchive(root, image.name, { entrypoint: image.entrypoint }, tar);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function fillRoot(root: string, { files, links = {}, folders = [] }: Image): void {
  // A folder for one user would be the image's own root folder, and lock other users out.
  chmodSync(root, 0o755);
  for (const folder of [...usualFolders, ...folders]) mkdirSync(path.join(root, folder), { recursive: true });
  chmodSync(path.join(root, "tmp"), 0o1777);
  const place = (inside: string, make: (to: string) => void): void => {
    mkdirSync(path.dirname(path.join(root, inside)), { recursive: true });
    make(path.join(root, inside));
  };
  for (const [inside, from] of Object.entries(files)) place(inside, (to) => copyFileSync(from, to));
  for (const [inside, target] of Object.entries(links)) place(inside, (to) => symlinkSync(target, to));
}
