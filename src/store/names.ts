/**
 * The hash of a name in its directory: FNV-1a over the bytes, seeded with the parent, then murmur's
 * finaliser, since linear hashing takes its bucket from the low bits. Clients compute the same.
 */
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** Hash of bytes[offset, offset + length) as a name in directory `parent`: an int32. */
export function hashName(
  parent: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  let hash = Math.imul(FNV_OFFSET ^ parent, FNV_PRIME);
  for (let at = offset, end = offset + length; at < end; at++) {
    hash = Math.imul(hash ^ bytes[at], FNV_PRIME);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
