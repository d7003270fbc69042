/** The images that every node has. */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Image, writeImage } from "./image.ts";
import { binDir, imagesDir, root, stampsDir, toolsDir } from "./places.ts";
import { run } from "./run.ts";
import type { Say } from "./say.ts";

const names = ["pause", "coredns", "tools", "echo", "webhook", "node"] as const;

/** OCI archives of the standard images, in the order in which a node needs them. */
export function standardImages(): readonly string[] {
  return names.map(archiveOf);
}

/** Builds the archives whose files changed. */
export async function buildImages(say: Say): Promise<void> {
  const program = (name: string, file: string): Image => ({ name: `weir-test/${name}:1`, files: { [`/bin/${name}`]: file }, entrypoint: [`/bin/${name}`] });
  const ours = ["pause", "echo", "webhook"].map((name) => program(name, path.join(binDir, "images", name)));
  for (const image of [...ours, program("coredns", path.join(binDir, "coredns")), await toolsImage(), await nodeImage()]) {
    const name = image.name.replace(/^.*\/|:.*$/g, "");
    const stamp = path.join(stampsDir, `image-${name}`);
    const wanted = hashOf(image);
    if (existsSync(archiveOf(name)) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) continue;
    await writeImage(image, archiveOf(name));
    mkdirSync(stampsDir, { recursive: true });
    writeFileSync(stamp, wanted);
    say(`image ${image.name}`);
  }
}

function archiveOf(name: string): string {
  return path.join(imagesDir, `${name}.tar`);
}

/** A shell, all that BusyBox can do, and curl: the machine's own files, with the libraries that they load. Others may add to it. */
export async function toolsImage(): Promise<Image> {
  const unpacked = path.join(toolsDir, "root");
  const busybox = globSync("{usr/,}bin/busybox", { cwd: unpacked })[0];
  if (busybox === undefined) throw new Error("busybox is missing: node scripts/setup.mjs --cluster");
  const curl = (await run(["sh", "-c", "command -v curl"])).trim();
  const programs = { "/bin/busybox": path.join(unpacked, busybox), "/usr/bin/curl": curl };
  const libraries = (await Promise.all(Object.values(programs).map(librariesOf))).flat();
  const applets = (await run([programs["/bin/busybox"], "--list"])).trim().split("\n");
  return {
    name: "weir-test/tools:1",
    files: { ...Object.fromEntries(libraries.map((file) => [file, file])), ...programs },
    links: Object.fromEntries(applets.filter((applet) => applet !== "busybox").map((applet) => [`/bin/${applet}`, "/bin/busybox"])),
    entrypoint: ["/bin/sh"],
  };
}

/** Node.js and the programs of the system tests, below /apps: loads that count every failure. */
async function nodeImage(): Promise<Image> {
  const apps = path.join(root, "test/system/apps");
  const libraries = Object.fromEntries((await librariesOf(process.execPath)).map((file) => [file, file]));
  const programs = Object.fromEntries(["echo.mjs", "job.mjs", "load.mjs"].map((name) => [`/apps/${name}`, path.join(apps, name)]));
  return { name: "weir-test/node:1", files: { ...libraries, ...programs, "/bin/node": process.execPath }, entrypoint: ["/bin/node"] };
}

/** Absolute paths as the program interpreter finds them, and of itself. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const text = await run(["ldd", program]);
  return [...text.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] ?? "");
}

function hashOf(image: Image): string {
  const files = Object.values(image.files).map((file) => [file, statSync(file).size, statSync(file).mtimeMs]);
  return createHash("sha256")
    .update(JSON.stringify([image, files]))
    .digest("hex");
}
