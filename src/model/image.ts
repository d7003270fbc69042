/** Names of container images, as the OCI distribution specification has them. */

const host = /(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::\d+)?\/)?/.source;
const part = /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/.source;
const tag = /(?::[\w][\w.-]{0,127})?/.source;
const digest = /(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?/.source;
const image = new RegExp(`^${host}${part}(?:/${part})*${tag}${digest}$`);
const longest = 500;

/** Says whether `text` is an image's name: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`. */
export function isImageName(text: string): boolean {
  return text.length <= longest && image.test(text);
}
