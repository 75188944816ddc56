/**
 * Builds the text of a prepared image: the original pages with jumps at the hooked sites, and the stubs
 * that they lead to (stubs.ts).
 */
import { int32 } from './assembler.ts';
import { type Elf, ElfError, PF_W, PT_LOAD, type Segment } from './elf.ts';
import { isLoader, loaderSlot } from './loader.ts';
import type { Rewritten } from './pieces.ts';
import { JUMP_SIZE, type Site, SYSCALL_SIZE } from './sites.ts';
import { type Stubs, writeStubs } from './stubs.ts';
import type { Sweep } from './sweep.ts';

const PAGE = 4096;
const SLOT_SIZE = 8;
/** Room taken behind the text at most, where the gap to the next segment is wide. */
const STUBS_MAX = 64 * 1024;
const INT3 = 0xcc;

const pageDown = (n: number): number => Math.floor(n / PAGE) * PAGE;
const pageUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;

export const isHooked = (site: Site): boolean => site.form === 'M' || site.form === 'T';

export interface PatchedText extends Rewritten {
  readonly slotVaddr: number;
  /** Bytes of padding behind the text, how many the stubs took, and how many stubs lie in gaps instead. */
  readonly padding: number;
  readonly paddingUsed: number;
  readonly inGaps: number;
}

/** Last word of the last page of .bss, or of other data, else the first of a first page: writable, and nobody's. */
export function findSlot(elf: Elf): number {
  const writable = elf.segments.filter((s) => s.type === PT_LOAD && (s.flags & PF_W) !== 0);
  const hasBss = (s: Segment): number => (s.memorySize > s.fileSize ? 0 : 1);
  for (const s of writable.sort((a, b) => hasBss(a) - hasBss(b))) {
    const end = s.vaddr + s.memorySize;
    const slot = pageUp(end) - SLOT_SIZE;
    if (slot >= end && free(elf, slot, pageUp(end))) return slot;
  }
  for (const s of writable) {
    const slot = pageDown(s.vaddr);
    if (slot + SLOT_SIZE <= s.vaddr && free(elf, slot, slot + SLOT_SIZE)) return slot;
  }
  throw new ElfError('it has no writable padding for the handler word');
}

/** True when no segment occupies the addresses. */
function free(elf: Elf, from: number, to: number): boolean {
  return !elf.segments.some(
    (s) => s.type === PT_LOAD && s.vaddr < to && s.vaddr + s.memorySize > from,
  );
}

/**
 * Addresses behind the text that stubs may take: [from, to). The bytes that the file has there (zeros, or
 * the start of the next segment) are mapped only because mappings are whole pages.
 */
function paddingOf(elf: Elf, sweep: Sweep): { from: number; to: number } {
  const { text } = sweep;
  const from = text.vaddr + text.fileSize;
  const next = elf.segments
    .filter((s) => s.type === PT_LOAD && s.vaddr >= from)
    .reduce((least, s) => Math.min(least, pageDown(s.vaddr)), Number.POSITIVE_INFINITY);
  const to = Number.isFinite(next) ? Math.min(next, pageUp(from + STUBS_MAX)) : pageUp(from);
  if (to < pageUp(from)) throw new ElfError('another segment shares the last page of its text');
  return { from, to };
}

/** Overwrites the displaced bytes: a jump to the stub, and int3 in what nothing can reach any more. */
export function rewriteSite(text: Uint8Array, base: number, site: Site, stubs: Stubs): void {
  const stub = stubs.starts.get(site)!;
  const displaced = text.subarray(site.from - base, site.to - base);
  displaced.fill(INT3);
  if (site.via !== undefined) {
    displaced.set([0xeb, (site.via - site.to) & 0xff]);
    const { island } = site;
    if (island !== undefined) {
      text.fill(INT3, island.from - base, island.to - base);
      const moved = stubs.islands.get(site)!;
      text.set([0xe9, ...int32(moved - (island.from + JUMP_SIZE))], island.from - base);
    }
    text.set([0xe9, ...int32(stub - (site.via + JUMP_SIZE))], site.via - base);
    return;
  }
  displaced.set([0xe9, ...int32(stub - (site.from + JUMP_SIZE))]);
}

/** Throws ElfError when two sites would displace the same bytes: a mistake of the planner. */
export function checkDisjoint(sites: readonly Site[]): void {
  let end = 0;
  for (const site of [...sites].sort((a, b) => a.from - b.from)) {
    if (site.from < end) throw new ElfError(`two rewrites overlap at 0x${site.from.toString(16)}`);
    end = site.form === 'M' ? site.vaddr + SYSCALL_SIZE : site.to;
  }
}

/** `paddingMax` limits the padding that is used, so that tests can see what happens with less. */
export function patchText(
  elf: Elf,
  sweep: Sweep,
  sites: readonly Site[],
  paddingMax: number = STUBS_MAX,
): PatchedText {
  const { text } = sweep;
  const vaddr = pageDown(text.vaddr);
  const lead = text.vaddr - vaddr;
  if (text.offset % PAGE !== lead) throw new ElfError('its text is not aligned to pages');
  const { from, to } = paddingOf(elf, sweep);
  const padding = { from, to: Math.min(to, from + paddingMax) };
  const slotVaddr = isLoader(elf) ? loaderSlot(elf) : findSlot(elf);
  const bytes = new Uint8Array(to - vaddr);
  bytes.set(elf.bytes.subarray(text.offset - lead, text.offset + text.fileSize));
  const hooked = sites.filter(isHooked);
  checkDisjoint(hooked);
  const stubs = writeStubs(elf, sweep, hooked, bytes, vaddr, slotVaddr, padding);
  for (const site of hooked) rewriteSite(bytes, vaddr, site, stubs);
  return {
    segment: text,
    bytes: bytes.subarray(0, pageUp(from + stubs.paddingUsed) - vaddr),
    vaddr,
    slotVaddr,
    padding: padding.to - from,
    paddingUsed: stubs.paddingUsed,
    inGaps: stubs.inGaps,
  };
}
