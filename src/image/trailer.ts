/** The last bytes of an image file: what it is an image of, and a hash over all of it. */
import { createHash } from 'node:crypto';
import {
  IMAGE_CALLS_HASH,
  IMAGE_MAGIC,
  IMAGE_TRAILER_ANNEX_LENGTH,
  IMAGE_TRAILER_ANNEX_VADDR,
  IMAGE_TRAILER_BUILD_ID_BYTES,
  IMAGE_TRAILER_BUILD_ID_CAPACITY,
  IMAGE_TRAILER_BUILD_ID_LENGTH,
  IMAGE_TRAILER_CALLS_HASH,
  IMAGE_TRAILER_FLAGS,
  IMAGE_TRAILER_MAGIC,
  IMAGE_TRAILER_PIECE_COUNT,
  IMAGE_TRAILER_PIECES,
  IMAGE_TRAILER_RECORD_SIZE,
  IMAGE_TRAILER_SHA256_BYTES,
  IMAGE_TRAILER_SHA256_CAPACITY,
  IMAGE_TRAILER_SITES,
  IMAGE_TRAILER_SITES_AFTER,
  IMAGE_TRAILER_SITES_BEFORE,
  IMAGE_TRAILER_SITES_SKIPPED,
  IMAGE_TRAILER_SLOT_VADDR,
  IMAGE_TRAILER_TEXT_LENGTH,
  IMAGE_TRAILER_TEXT_VADDR,
  IMAGE_TRAILER_VERSION,
  IMAGE_VERSION,
  PAGE_SIZE,
} from '../../ringbuf/layout.gen.ts';
import { ElfError } from './elf.ts';

export interface Trailer {
  readonly buildId: Uint8Array;
  readonly textVaddr: number;
  readonly textLength: number;
  /** Runs of pages, [address, bytes]; without it one that begins at textVaddr. */
  readonly pieces?: readonly (readonly [vaddr: number, length: number])[];
  readonly slotVaddr: number;
  readonly sites: number;
  readonly skipped: number;
  readonly before: number;
  readonly after: number;
  /** Of a static program only (executable.ts). */
  readonly flags?: number;
  readonly annexVaddr?: number;
  readonly annexLength?: number;
}

/** SHA-256 over the file with the hash field zero. */
function digest(file: Uint8Array): Uint8Array {
  const at = file.length - IMAGE_TRAILER_RECORD_SIZE + IMAGE_TRAILER_SHA256_BYTES;
  const end = at + IMAGE_TRAILER_SHA256_CAPACITY;
  return createHash('sha256')
    .update(file.subarray(0, at))
    .update(new Uint8Array(IMAGE_TRAILER_SHA256_CAPACITY))
    .update(file.subarray(end))
    .digest();
}

/** The whole image file: text pages, trailer. */
export function sealImage(text: Uint8Array, trailer: Trailer): Uint8Array {
  if (trailer.buildId.length > IMAGE_TRAILER_BUILD_ID_CAPACITY) {
    throw new ElfError('its build-id is too long');
  }
  const file = new Uint8Array(text.length + IMAGE_TRAILER_RECORD_SIZE);
  file.set(text);
  const record = new DataView(file.buffer, text.length, IMAGE_TRAILER_RECORD_SIZE);
  const u32 = (word: number, value: number): void => record.setUint32(word * 4, value, true);
  const u64 = (word: number, value: bigint): void => record.setBigUint64(word * 4, value, true);
  u64(IMAGE_TRAILER_MAGIC, IMAGE_MAGIC);
  u32(IMAGE_TRAILER_VERSION, IMAGE_VERSION);
  u32(IMAGE_TRAILER_BUILD_ID_LENGTH, trailer.buildId.length);
  u64(IMAGE_TRAILER_CALLS_HASH, IMAGE_CALLS_HASH);
  u64(IMAGE_TRAILER_TEXT_VADDR, BigInt(trailer.textVaddr));
  u64(IMAGE_TRAILER_TEXT_LENGTH, BigInt(trailer.textLength));
  u32(IMAGE_TRAILER_FLAGS, trailer.flags ?? 0);
  u64(IMAGE_TRAILER_ANNEX_VADDR, BigInt(trailer.annexVaddr ?? 0));
  u64(IMAGE_TRAILER_ANNEX_LENGTH, BigInt(trailer.annexLength ?? 0));
  const pieces = trailer.pieces ?? [[trailer.textVaddr, trailer.textLength]];
  u32(IMAGE_TRAILER_PIECE_COUNT, pieces.length);
  for (const [i, [vaddr, length]] of pieces.entries()) {
    u32(IMAGE_TRAILER_PIECES + 2 * i, vaddr / PAGE_SIZE);
    u32(IMAGE_TRAILER_PIECES + 2 * i + 1, length / PAGE_SIZE);
  }
  u64(IMAGE_TRAILER_SLOT_VADDR, BigInt(trailer.slotVaddr));
  u32(IMAGE_TRAILER_SITES, trailer.sites);
  u32(IMAGE_TRAILER_SITES_SKIPPED, trailer.skipped);
  u32(IMAGE_TRAILER_SITES_BEFORE, trailer.before);
  u32(IMAGE_TRAILER_SITES_AFTER, trailer.after);
  file.set(trailer.buildId, text.length + IMAGE_TRAILER_BUILD_ID_BYTES);
  file.set(digest(file), text.length + IMAGE_TRAILER_SHA256_BYTES);
  return file;
}

/** The trailer of a file that is whole and of this version and build-id, else undefined. */
export function readImage(file: Uint8Array, buildId: Uint8Array): Trailer | undefined {
  const at = file.length - IMAGE_TRAILER_RECORD_SIZE;
  if (at < 0) return undefined;
  const record = new DataView(file.buffer, file.byteOffset + at, IMAGE_TRAILER_RECORD_SIZE);
  const u32 = (word: number): number => record.getUint32(word * 4, true);
  const u64 = (word: number): bigint => record.getBigUint64(word * 4, true);
  const hashAt = at + IMAGE_TRAILER_SHA256_BYTES;
  const hash = file.subarray(hashAt, hashAt + IMAGE_TRAILER_SHA256_CAPACITY);
  const idAt = at + IMAGE_TRAILER_BUILD_ID_BYTES;
  const valid =
    u64(IMAGE_TRAILER_MAGIC) === IMAGE_MAGIC &&
    u32(IMAGE_TRAILER_VERSION) === IMAGE_VERSION &&
    u64(IMAGE_TRAILER_CALLS_HASH) === IMAGE_CALLS_HASH &&
    u64(IMAGE_TRAILER_TEXT_LENGTH) + u64(IMAGE_TRAILER_ANNEX_LENGTH) === BigInt(at) &&
    u32(IMAGE_TRAILER_BUILD_ID_LENGTH) === buildId.length &&
    Buffer.compare(file.subarray(idAt, idAt + buildId.length), buildId) === 0 &&
    Buffer.compare(hash, digest(file)) === 0;
  if (!valid) return undefined;
  return {
    buildId,
    textVaddr: Number(u64(IMAGE_TRAILER_TEXT_VADDR)),
    textLength: Number(u64(IMAGE_TRAILER_TEXT_LENGTH)),
    slotVaddr: Number(u64(IMAGE_TRAILER_SLOT_VADDR)),
    sites: u32(IMAGE_TRAILER_SITES),
    skipped: u32(IMAGE_TRAILER_SITES_SKIPPED),
    before: u32(IMAGE_TRAILER_SITES_BEFORE),
    after: u32(IMAGE_TRAILER_SITES_AFTER),
    flags: u32(IMAGE_TRAILER_FLAGS),
    annexVaddr: Number(u64(IMAGE_TRAILER_ANNEX_VADDR)),
    annexLength: Number(u64(IMAGE_TRAILER_ANNEX_LENGTH)),
  };
}
