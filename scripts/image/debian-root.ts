/** The folder with Debian's packages of which the image takes programs and libraries. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fetchDebian } from "../debian.mjs";

/** Of the machine's own release, as apt verifies them; what the programs of root-folder.ts load is found by looking, but must be in one of these. */
const packages = [
  ..."dash libc6 libstdc++6 libgcc-s1 libatomic1 ca-certificates tini hostname grep coreutils libattr1 libacl1".split(" "),
  ..."util-linux mount libmount1 libblkid1 libselinux1 libpcre2-8-0 libcap-ng0 libsmartcols1".split(" "),
  ..."nftables libnftables1 libnftnl11 libmnl0 libjansson4 libgmp10 libxtables12 libedit2 libbsd0 libmd0 libtinfo6".split(" "),
  ..."iproute2 libbpf1 libelf1 libcap2 zlib1g libzstd1".split(" "),
  // Of `ss`, which knows RPC.
  ..."libtirpc3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libssl3".split(" "),
];

/** Answers `dir`, with Debian's packages (those of Weir's image, and `more`) unpacked in it; fetched only when the list changed. Throws when apt cannot. */
export async function debianRoot(dir: string, more: readonly string[] = []): Promise<string> {
  const stamp = `${dir}.stamp`;
  const all = [...packages, ...more];
  const wanted = all.join("\n");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return dir;
  rmSync(dir, { recursive: true, force: true });
  await fetchDebian(all, dir);
  writeFileSync(stamp, wanted);
  return dir;
}
