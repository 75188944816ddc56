/**
 * Reads what the patcher needs from an ELF64 x86-64 object: segments, sections, build-id, dynamic
 * section. The file may be anything a user names, so every offset is checked against its length.
 */

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_TLS = 7;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PF_X = 1;
export const PF_W = 2;
const SHF_EXECINSTR = 4;
const SHT_NOBITS = 8;
const NT_GNU_BUILD_ID = 3;
export const EM_X86_64 = 62;
export const ET_DYN = 3;

/** End of the user half of the address space. */
const ADDRESS_MAX = 2 ** 47;

/** The object cannot be used, and the message says why: one sentence without a full stop. */
export class ElfError extends Error {}

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface Section {
  readonly name: string;
  readonly vaddr: number;
  readonly offset: number;
  readonly size: number;
  readonly executable: boolean;
}

export interface Elf {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly type: number;
  readonly segments: readonly Segment[];
  /** Empty for an object whose section headers were stripped. */
  readonly sections: readonly Section[];
  /** Tags of the dynamic section and their values; DT_NEEDED and kin keep the last one only. */
  readonly dynamic: ReadonlyMap<number, number>;
  readonly buildId: Uint8Array | undefined;
}

/** 64-bit field as a number: offsets and addresses of real files are below 2^53. */
export function readU64(view: DataView, offset: number): number {
  const value = view.getBigUint64(offset, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

function within(elf: { bytes: Uint8Array }, offset: number, size: number, what: string): void {
  if (offset + size > elf.bytes.length) throw new ElfError(`${what} lies past the end of the file`);
}

const DT_TEXTREL = 22;
const DT_FLAGS = 30;
const DF_TEXTREL = 4;

/** Does the loader write into the text? Then no prepared text can stand for it. */
export function hasTextRelocations(elf: Elf): boolean {
  return elf.dynamic.has(DT_TEXTREL) || ((elf.dynamic.get(DT_FLAGS) ?? 0) & DF_TEXTREL) !== 0;
}

/** File offset of a virtual address that a loadable segment covers with file bytes, or -1. */
export function offsetOf(elf: Elf, vaddr: number): number {
  for (const s of elf.segments) {
    if (s.type === PT_LOAD && vaddr >= s.vaddr && vaddr < s.vaddr + s.fileSize) {
      return s.offset + (vaddr - s.vaddr);
    }
  }
  return -1;
}

function readSegments(view: DataView): Segment[] {
  const at = readU64(view, 32);
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (size !== 56) throw new ElfError('its program headers have an unknown size');
  within(
    { bytes: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) },
    at,
    size * count,
    'a program header',
  );
  return Array.from({ length: count }, (_, i) => {
    const p = at + i * size;
    return {
      type: view.getUint32(p, true),
      flags: view.getUint32(p + 4, true),
      offset: readU64(view, p + 8),
      vaddr: readU64(view, p + 16),
      fileSize: readU64(view, p + 32),
      memorySize: readU64(view, p + 40),
    };
  });
}

function cString(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0, offset);
  return Buffer.from(bytes.subarray(offset, end < 0 ? bytes.length : end)).toString('latin1');
}

function readSections(bytes: Uint8Array, view: DataView): Section[] {
  const at = readU64(view, 40);
  const size = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (at === 0 || size !== 64 || at + size * count > bytes.length || names >= count) return [];
  const namesAt = readU64(view, at + names * size + 24);
  const sections: Section[] = [];
  for (let i = 0; i < count; i++) {
    const p = at + i * size;
    const length = readU64(view, p + 32);
    const offset = readU64(view, p + 24);
    const nobits = view.getUint32(p + 4, true) === SHT_NOBITS;
    if (!nobits && offset + length > bytes.length) return [];
    sections.push({
      name: cString(bytes, namesAt + view.getUint32(p, true)),
      vaddr: readU64(view, p + 16),
      offset,
      size: length,
      executable: !nobits && (readU64(view, p + 8) & SHF_EXECINSTR) !== 0,
    });
  }
  return sections;
}

function readDynamic(view: DataView, segments: readonly Segment[]): Map<number, number> {
  const found = new Map<number, number>();
  const segment = segments.find((s) => s.type === PT_DYNAMIC);
  if (segment === undefined) return found;
  for (let p = segment.offset; p + 16 <= segment.offset + segment.fileSize; p += 16) {
    const tag = readU64(view, p);
    if (tag === 0) break;
    found.set(tag, readU64(view, p + 8));
  }
  return found;
}

function readBuildId(bytes: Uint8Array, view: DataView, segments: readonly Segment[]) {
  for (const note of segments.filter((s) => s.type === PT_NOTE)) {
    let p = note.offset;
    const end = note.offset + note.fileSize;
    while (p + 12 <= end) {
      const nameSize = view.getUint32(p, true);
      const size = view.getUint32(p + 4, true);
      const isGnu = nameSize === 4 && cString(bytes, p + 12) === 'GNU';
      const at = p + 12 + ((nameSize + 3) & ~3);
      if (at + size > end) break;
      if (isGnu && view.getUint32(p + 8, true) === NT_GNU_BUILD_ID) {
        return bytes.slice(at, at + size);
      }
      p = at + ((size + 3) & ~3);
    }
  }
  return undefined;
}

/** True when the bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 &&
    bytes[0] === 0x7f &&
    bytes[1] === 0x45 &&
    bytes[2] === 0x4c &&
    bytes[3] === 0x46
  );
}

/** The machine of an ELF header when it is 64-bit and little-endian, else -1. */
export function elf64Machine(bytes: Uint8Array): number {
  if (!isElf(bytes) || bytes.length < 64 || bytes[4] !== 2 || bytes[5] !== 1) return -1;
  return bytes[18]! | (bytes[19]! << 8);
}

/** Runs code that reads tables of the file: a read past the end becomes an ElfError. */
export function readingTables<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new ElfError('its tables are damaged');
    throw error;
  }
}

export function parseElf(bytes: Uint8Array): Elf {
  return readingTables(() => parse(bytes));
}

function parse(bytes: Uint8Array): Elf {
  if (!isElf(bytes)) throw new ElfError('it is no ELF file');
  if (elf64Machine(bytes) !== EM_X86_64) throw new ElfError('it is not for 64-bit x86');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments = readSegments(view);
  for (const s of segments) {
    within({ bytes }, s.offset, s.fileSize, 'a segment');
    if (s.vaddr + Math.max(s.memorySize, s.fileSize) > ADDRESS_MAX) {
      throw new ElfError('a segment lies outside the address space');
    }
  }
  return {
    bytes,
    view,
    type: view.getUint16(16, true),
    segments,
    sections: readSections(bytes, view),
    dynamic: readDynamic(view, segments),
    buildId: readBuildId(bytes, view, segments),
  };
}
