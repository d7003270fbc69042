/** Builds .cache/image/rootfs and, out of it, the OCI archive .cache/image/weir.tar. Everything comes from .cache/ and dist/; Debian's packages are fetched once. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "../toolchain.mjs";
import { debianRoot } from "./debian-root.ts";
import { writeOciArchive } from "./oci.ts";
import { fillRootFolder } from "./root-folder.ts";

const startedAt = performance.now();
const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { readonly version: string };
const name = process.argv[2] ?? `weir.dev/weir:${version}`;
const out = path.join(root, ".cache/image");
const rootfs = path.join(out, "rootfs");
const archive = path.join(out, "weir.tar");

mkdirSync(out, { recursive: true });
const debian = await debianRoot(path.join(out, "debian"));
rmSync(rootfs, { recursive: true, force: true });
await fillRootFolder(rootfs, debian);
const labels = { "org.opencontainers.image.title": "weir", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0" };
await writeOciArchive(rootfs, name, { environment: ["WEIR_ENVOY=/usr/local/bin/envoy"], labels }, archive);
writeFileSync(path.join(out, "name"), `${name}\n`);
const megabytes = (statSync(archive).size / 1_048_576).toFixed(0);
console.log(`${name}: ${path.relative(process.cwd(), archive)}, ${megabytes} MiB, made in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
