/**
 * Images of static programs. The launcher (preload/static) maps such a program itself, so it can map what
 * a shared object has no room for: the stubs stand in an annex behind the last segment, with the handler
 * word in a page of its own before them.
 */
import { type Elf, ElfError, PF_X, PT_INTERP, PT_LOAD, PT_NOTE, type Segment } from './elf.ts';
import { checkDisjoint, isHooked, rewriteSite } from './patch.ts';
import type { Rewritten } from './pieces.ts';
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

/** A segment that was swept, and its sites. */
export interface Planned {
  readonly swept: Sweep;
  readonly sites: readonly Site[];
}

export interface PatchedExecutable {
  readonly texts: readonly Rewritten[];
  readonly slotVaddr: number;
  readonly annexVaddr: number;
  readonly annex: Uint8Array;
  readonly annexUsed: number;
}

/** The whole pages of an executable segment as the file has them. */
function pagesOf(elf: Elf, segment: Segment): Rewritten {
  const vaddr = pageDown(segment.vaddr);
  const lead = segment.vaddr - vaddr;
  const end = pageUp(segment.vaddr + segment.fileSize);
  if (segment.offset % PAGE !== lead) throw new ElfError('its text is not aligned to pages');
  for (const s of elf.segments) {
    if (s.type !== PT_LOAD || s === segment) continue;
    if (s.vaddr < end && s.vaddr + s.memorySize > vaddr) {
      throw new ElfError('another segment shares a page of its text');
    }
  }
  const bytes = new Uint8Array(end - vaddr);
  bytes.set(elf.bytes.subarray(segment.offset - lead, segment.offset + segment.fileSize));
  return { segment, vaddr, bytes };
}

export function patchExecutable(elf: Elf, planned: readonly Planned[]): PatchedExecutable {
  const loads = elf.segments.filter((s) => s.type === PT_LOAD);
  const last = Math.max(...loads.map((s) => s.vaddr + s.memorySize));
  const slotVaddr = pageUp(last) + GUARD;
  const annexVaddr = slotVaddr + PAGE;
  const count = planned.reduce((sum, { sites }) => sum + sites.filter(isHooked).length, 0);
  const annex = new Uint8Array(pageUp(Math.max(1, count * STUB_MAX)));
  const room = { from: annexVaddr, to: annexVaddr + annex.length };
  const texts = planned.map(({ swept, sites }) => {
    const hooked = sites.filter(isHooked);
    checkDisjoint(hooked);
    const text = pagesOf(elf, swept.text);
    const stubs = writeStubs(elf, swept, hooked, annex, annexVaddr, slotVaddr, room);
    for (const site of hooked) rewriteSite(text.bytes, text.vaddr, site, stubs);
    room.from += stubs.paddingUsed;
    return text;
  });
  return { texts, slotVaddr, annexVaddr, annex, annexUsed: room.from - annexVaddr };
}
