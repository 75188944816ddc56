/** Paths as bytes: names of files need not be text. */

const SLASH = 0x2f;
const slash = Buffer.from('/');

export function join(folder: Uint8Array, name: Uint8Array): Buffer {
  if (name.length === 0) return Buffer.from(folder);
  const separated = folder.length > 0 && folder[folder.length - 1] === SLASH;
  return Buffer.concat(separated ? [folder, name] : [folder, slash, name]);
}

export function basename(path: Uint8Array): Buffer {
  const trimmed = Buffer.from(path.subarray(0, lengthWithoutSlashes(path)));
  return trimmed.subarray(trimmed.lastIndexOf(SLASH) + 1);
}

function lengthWithoutSlashes(path: Uint8Array): number {
  let length = path.length;
  while (length > 1 && path[length - 1] === SLASH) length -= 1;
  return length;
}

/** "a//b/./c" → [a, b, c]; undefined where a component is "..". */
export function components(path: Uint8Array): Buffer[] | undefined {
  const parts: Buffer[] = [];
  const bytes = Buffer.from(path);
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(SLASH, start);
    const end = found < 0 ? bytes.length : found;
    const part = bytes.subarray(start, end);
    if (part.equals(dotDot)) return undefined;
    if (part.length > 0 && !part.equals(dot)) parts.push(part);
    start = end + 1;
  }
  return parts;
}

const dot = Buffer.from('.');
const dotDot = Buffer.from('..');
