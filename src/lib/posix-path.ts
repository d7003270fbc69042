/** Returns the absolute path that `path` means when one stands in the absolute folder `dir`. `.`, `..` and doubled slashes are resolved; no file is looked at. */
export function resolvePath(dir: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${dir}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Returns the last name in a path, or "" for the root. */
export function lastPathPart(path: string): string {
  return path.split("/").findLast((part) => part !== "" && part !== ".") ?? "";
}
