/**
 * Images of static programs. The launcher (preload/static) maps such a program itself, so it can map what
 * a shared object has no room for: the stubs stand in an annex behind the last segment, with the handler
 * word in a page of its own before them.
 */
import { type Elf, ElfError, PF_X, PT_INTERP, PT_LOAD, PT_NOTE } from './elf.ts';
import { checkDisjoint, rewriteSite } from './patch.ts';
import type { Site } from './sites.ts';
import { writeStubs } from './stubs.ts';
import type { Sweep } from './sweep.ts';

const PAGE = 4096;
/** Between the program's last page and the page of the handler word: what runs past its end faults. */
const GUARD = 16 * PAGE;
/** More than the longest stub takes. */
const STUB_MAX = 64;
const ET_EXEC = 2;
const ET_DYN = 3;
const DT_SONAME = 14;
const DT_NEEDED = 1;
const GO_NOTE = Buffer.from('Go\0\0', 'latin1');
const GO_BUILD_INFO = Buffer.from('\xff Go buildinf:', 'latin1');

const pageDown = (n: number): number => Math.floor(n / PAGE) * PAGE;
const pageUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;

/** A program that the kernel starts without a loader: not a library, and not the loader itself. */
export function isStaticProgram(elf: Elf): boolean {
  if (elf.segments.some((s) => s.type === PT_INTERP)) return false;
  if (elf.type === ET_EXEC) return true;
  return elf.type === ET_DYN && !elf.dynamic.has(DT_SONAME) && !elf.dynamic.has(DT_NEEDED);
}

/** Go runs on stacks of a few KiB, and its system calls begin with some hundred bytes left. */
export function hasSmallStacks(elf: Elf): boolean {
  const named = elf.sections.some((s) => s.name === '.gopclntab' || s.name === '.go.buildinfo');
  const noted = elf.segments.some(
    (s) =>
      s.type === PT_NOTE &&
      Buffer.from(elf.bytes.subarray(s.offset, s.offset + s.fileSize)).includes(GO_NOTE),
  );
  return (
    named ||
    noted ||
    Buffer.from(elf.bytes.buffer, elf.bytes.byteOffset, elf.bytes.length).includes(GO_BUILD_INFO)
  );
}

/**
 * A program with fixed addresses forms code addresses without relocations: words of its data, and
 * 32-bit operands. Whatever looks like one counts.
 */
export function addAbsoluteTargets(elf: Elf, swept: Sweep): void {
  if (elf.type !== ET_EXEC) return;
  const { text, targets } = swept;
  const from = text.vaddr;
  const to = from + text.fileSize;
  for (const s of elf.segments) {
    if (s.type !== PT_LOAD) continue;
    const { bytes } = elf;
    if ((s.flags & PF_X) !== 0) {
      if (to > 2 ** 32) continue;
      for (let p = s.offset + 4; p <= s.offset + s.fileSize; p++) {
        // The high byte first: it differs nearly always.
        const high = bytes[p - 1]!;
        if (high !== 0 && high > to / 2 ** 24) continue;
        const value =
          bytes[p - 4]! + bytes[p - 3]! * 2 ** 8 + bytes[p - 2]! * 2 ** 16 + high * 2 ** 24;
        if (value >= from && value < to) targets[value - from] = 1;
      }
      continue;
    }
    const first = s.offset + ((8 - (s.vaddr % 8)) % 8);
    for (let p = first; p + 8 <= s.offset + s.fileSize; p += 8) {
      if (bytes[p + 6] !== 0 || bytes[p + 7] !== 0) continue;
      const value = elf.view.getUint32(p, true) + elf.view.getUint16(p + 4, true) * 2 ** 32;
      if (value >= from && value < to) targets[value - from] = 1;
    }
  }
}

export interface PatchedExecutable {
  /** Whole pages of text, to be mapped at `vaddr`, then the annex. */
  readonly bytes: Uint8Array;
  readonly vaddr: number;
  readonly slotVaddr: number;
  readonly annexVaddr: number;
  readonly annexLength: number;
  readonly annexUsed: number;
}

export function patchExecutable(elf: Elf, swept: Sweep, sites: readonly Site[]): PatchedExecutable {
  const { text } = swept;
  const vaddr = pageDown(text.vaddr);
  const lead = text.vaddr - vaddr;
  const end = pageUp(text.vaddr + text.fileSize);
  if (text.offset % PAGE !== lead) throw new ElfError('its text is not aligned to pages');
  const loads = elf.segments.filter((s) => s.type === PT_LOAD);
  for (const s of loads) {
    if (s !== text && s.vaddr < end && s.vaddr + s.memorySize > vaddr) {
      throw new ElfError('another segment shares a page of its text');
    }
  }
  const last = Math.max(...loads.map((s) => s.vaddr + s.memorySize));
  const slotVaddr = pageUp(last) + GUARD;
  const annexVaddr = slotVaddr + PAGE;
  const hooked = sites.filter((site) => site.form === 'M' || site.form === 'T');
  checkDisjoint(hooked);
  const annexLength = pageUp(Math.max(1, hooked.length * STUB_MAX));
  const textLength = end - vaddr;
  const bytes = new Uint8Array(textLength + annexLength);
  bytes.set(elf.bytes.subarray(text.offset - lead, text.offset + text.fileSize));
  const room = { from: annexVaddr, to: annexVaddr + annexLength };
  const annex = bytes.subarray(textLength);
  const stubs = writeStubs(elf, swept, hooked, annex, annexVaddr, slotVaddr, room);
  for (const site of hooked) rewriteSite(bytes, vaddr, site, stubs.starts.get(site)!);
  return { bytes, vaddr, slotVaddr, annexVaddr, annexLength, annexUsed: stubs.paddingUsed };
}
