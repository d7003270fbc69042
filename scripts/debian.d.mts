/** Fetches Debian packages and unpacks them in the folder `extracted`. Throws when apt cannot. */
export function fetchDebian(packages: readonly string[], extracted: string): Promise<void>;
