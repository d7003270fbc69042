/**
 * Builds .cache/image/examples.tar, an OCI archive of images for the programs in examples/: Node.js, Debian's Python and the programs themselves.
 * All of them have the same files and share their one layer; each starts another program in another folder.
 */
import { cpSync, existsSync, globSync, mkdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { node, root } from "../toolchain.mjs";
import { debianRoot } from "./debian-root.ts";
import { type NamedImage, writeOciImages } from "./oci.ts";
import { fillPrograms } from "./root-folder.ts";

const out = path.join(root, ".cache/image");
const rootfs = path.join(out, "examples-rootfs");
const archive = path.join(out, "examples.tar");

/** Of whatever version the release has; apt leaves out those that it does not know. */
const python = ["3.11", "3.13"].flatMap((version) => [`python${version}-minimal`, `libpython${version}-minimal`, `libpython${version}-stdlib`]);
const pythonNeeds = ["python3-minimal", "libexpat1", "zlib1g", "libbz2-1.0", "liblzma5", "libffi8", "libssl3", "libuuid1"];
const shell = "cat env grep hostname ls sh sleep".split(" ");

/** `hello` starts examples/hello.js, `shop-web` the program of examples/shop/web, and so on. */
const images: readonly NamedImage[] = [
  image("hello", ["node", "examples/hello.js"], "/app"),
  image("shop-web", ["node", "server.js"], "/app/examples/shop/web"),
  image("shop-cart", ["node", "cart.js"], "/app/examples/shop/cart"),
  image("shop-catalog", ["python3", "catalog.py"], "/app/examples/shop/catalog"),
  image("shop-stock", ["python3", "stock.py"], "/app/examples/shop/stock"),
];

function image(name: string, entrypoint: readonly string[], workingDir: string): NamedImage {
  return { name: `weir.dev/${name}:1`, config: { entrypoint, workingDir, environment: ["PYTHONDONTWRITEBYTECODE=1"] } };
}

const startedAt = performance.now();
mkdirSync(out, { recursive: true });
const debian = await debianRoot(path.join(out, "debian-examples"), [...python, ...pythonNeeds]);
rmSync(rootfs, { recursive: true, force: true });
await fillPrograms(rootfs, debian, { "usr/local/bin/node": node, "usr/bin/python3": pythonProgram(debian) }, shell);
// Modules, and what those of them that are written in C load.
for (const folder of globSync("usr/lib/python3*", { cwd: debian })) cpSync(path.join(debian, folder), path.join(rootfs, folder), { recursive: true });
for (const library of globSync(["lib/*-linux-gnu/*.so*", "usr/lib/*-linux-gnu/*.so*"], { cwd: debian })) {
  const to = path.join(rootfs, library.replace(/^lib\//, "usr/lib/"));
  if (!existsSync(to)) cpSync(path.join(debian, library), to, { dereference: false, verbatimSymlinks: true });
}
cpSync(path.join(root, "examples"), path.join(rootfs, "app/examples"), { recursive: true });
await writeOciImages(rootfs, images, archive);
const megabytes = (statSync(archive).size / 1_048_576).toFixed(0);
const names = images.map(({ name }) => name).join(", ");
console.log(`${names}: ${path.relative(process.cwd(), archive)}, ${megabytes} MiB, made in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);

/** The program behind Debian's link of that name. */
function pythonProgram(packages: string): string {
  const link = path.join(packages, "usr/bin/python3");
  return path.join(packages, "usr/bin", readlinkSync(link));
}
