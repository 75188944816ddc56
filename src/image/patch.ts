/**
 * Builds the text of a prepared image: the original pages with jumps at the hooked sites, and the stubs
 * that they lead to (stubs.ts).
 */
import { int32 } from './assembler.ts';
import { type Elf, ElfError, PF_W, PT_LOAD } from './elf.ts';
import { isLoader, loaderSlot } from './loader.ts';
import { JUMP_SIZE, type Site, SYSCALL_SIZE } from './sites.ts';
import { writeStubs } from './stubs.ts';
import type { Sweep } from './sweep.ts';

const PAGE = 4096;
const SLOT_SIZE = 8;
/** Room taken behind the text at most, where the gap to the next segment is wide. */
const STUBS_MAX = 64 * 1024;
const INT3 = 0xcc;

const pageDown = (n: number): number => Math.floor(n / PAGE) * PAGE;
const pageUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;

export interface PatchedText {
  /** Whole pages, to be mapped at `vaddr`. */
  readonly bytes: Uint8Array;
  readonly vaddr: number;
  readonly slotVaddr: number;
  /** Bytes of padding behind the text, how many the stubs took, and how many stubs lie in gaps instead. */
  readonly padding: number;
  readonly paddingUsed: number;
  readonly inGaps: number;
}

/** Last word of the last page of .bss: zero, writable, and used by nobody. */
export function findSlot(elf: Elf): number {
  for (const s of elf.segments) {
    if (s.type !== PT_LOAD || (s.flags & PF_W) === 0 || s.memorySize <= s.fileSize) continue;
    const end = s.vaddr + s.memorySize;
    const slot = pageUp(end) - SLOT_SIZE;
    if (slot >= end && free(elf, slot, pageUp(end))) return slot;
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
export function rewriteSite(text: Uint8Array, base: number, site: Site, stub: number): void {
  const displaced = text.subarray(site.from - base, site.to - base);
  displaced.fill(INT3);
  if (site.via !== undefined) {
    displaced.set([0xeb, (site.via - site.to) & 0xff]);
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
  const hooked = sites.filter((site) => site.form === 'M' || site.form === 'T');
  checkDisjoint(hooked);
  const stubs = writeStubs(elf, sweep, hooked, bytes, vaddr, slotVaddr, padding);
  for (const site of hooked) rewriteSite(bytes, vaddr, site, stubs.starts.get(site)!);
  return {
    bytes: bytes.subarray(0, pageUp(from + stubs.paddingUsed) - vaddr),
    vaddr,
    slotVaddr,
    padding: padding.to - from,
    paddingUsed: stubs.paddingUsed,
    inGaps: stubs.inGaps,
  };
}
