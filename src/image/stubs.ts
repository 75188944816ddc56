/**
 * The stubs of a prepared image and where they lie.
 *
 * A stub leaves rcx = the address where the program goes on, with the two bytes before it a `syscall`,
 * and jumps through the handler word (`slot`). The entry code of the shim then either jumps to rcx - 2
 * with all registers as they were, or to rcx with the result in rax.
 *
 *   form M   moved instructions; lea site+2(%rip),%rcx; jmp *slot(%rip)
 *   form T   moved instructions before; lea 1f(%rip),%rcx; jmp *slot(%rip);
 *            syscall; 1: moved instructions after; jmp back
 *
 * They fill the padding behind the text (Debian 12: 3,844 bytes; elsewhere it may be anything from 0 to
 * 4,095). To save room there, stubs of path calls, which cost microseconds anyway, share their
 * `jmp *slot(%rip)` with the neighbours and reach it by a short jump. What finds no room goes into gaps
 * of the text, form M in pieces.
 */
import { classOf } from '../../ringbuf/syscalls.ts';
import { Assembler, JMP_SIZE, JMP_SLOT_SIZE, LEA_SIZE, NoRoom } from './assembler.ts';
import { type Elf, ElfError } from './elf.ts';
import { findGaps, type Gap } from './gaps.ts';
import { Reader, type Site, SYSCALL_SIZE } from './sites.ts';
import type { Sweep } from './sweep.ts';

/** The shortest useful gap: a `mov $nr,%eax` and a jump onwards. */
const GAP_MIN = 5 + JMP_SIZE;

const isHot = (site: Site): boolean => site.nr >= 0 && classOf(site.nr) === 'fd';

function stubBefore(out: Assembler, site: Site): void {
  out.move(site.from, site.to);
  out.leaRcx(site.vaddr + SYSCALL_SIZE);
  if (isHot(site)) out.jumpSlot();
  else out.jumpSlotShared();
}

/** rcx - 2 must be the `syscall`, so this one cannot be taken apart. */
function stubAfter(out: Assembler, site: Site): void {
  out.move(site.from, site.vaddr);
  out.leaRcx(out.here + LEA_SIZE + JMP_SLOT_SIZE + SYSCALL_SIZE);
  out.jumpSlot();
  out.syscall();
  out.move(site.vaddr + SYSCALL_SIZE, site.to);
  out.jump(site.to);
}

interface Piece {
  /** Bytes that it takes at least. */
  readonly size: number;
  emit(): void;
}

/** Runs `emit`; false, with the position as it was, when there is no room. */
function tryEmit(out: Assembler, emit: () => void): boolean {
  const { here } = out;
  try {
    emit();
    return true;
  } catch (error) {
    if (!(error instanceof NoRoom)) throw error;
    out.here = here;
    return false;
  }
}

/** Puts the piece into the smallest gap that holds it and `reserve` bytes more. Returns where. */
function intoGap(out: Assembler, gaps: Gap[], piece: Piece, reserve: number): number {
  for (const [i, gap] of gaps.entries()) {
    if (gap.to - gap.from < piece.size + reserve) continue;
    out.enter(gap.from, gap.to - reserve);
    if (!tryEmit(out, () => piece.emit())) continue;
    gaps.splice(i, 1);
    return gap.from;
  }
  throw new ElfError('there is no room for its stubs');
}

/** Emits here, or in another gap after a jump to it. */
function goOn(out: Assembler, gaps: Gap[], piece: Piece, reserve: number): void {
  if (tryEmit(out, () => piece.emit())) return;
  const { here, end } = out;
  const next = intoGap(out, gaps, piece, reserve);
  const after = { here: out.here, end: out.end };
  out.enter(here, Math.max(end, here + JMP_SIZE));
  out.jump(next);
  out.enter(after.here, after.end);
}

/** Form M in pieces, each fragment ending with a jump to the next. Returns where it begins. */
function scatter(out: Assembler, reader: Reader, site: Site, gaps: Gap[]): number {
  const pieces: Piece[] = reader.split(site.from, site.to).map(([from, to]) => ({
    size: to - from,
    emit: () => out.move(from, to),
  }));
  pieces.push({ size: LEA_SIZE, emit: () => out.leaRcx(site.vaddr + SYSCALL_SIZE) });
  const start = intoGap(out, gaps, pieces[0]!, JMP_SIZE);
  for (const piece of pieces.slice(1)) goOn(out, gaps, piece, JMP_SIZE);
  // The last piece needs no jump onwards, so the reserve of its fragment is free again.
  out.end += JMP_SIZE;
  goOn(out, gaps, { size: JMP_SLOT_SIZE, emit: () => out.jumpSlot() }, 0);
  return start;
}

/** Form T in pieces; only the jump to the handler and the `syscall` behind it stay together. */
function scatterAfter(out: Assembler, reader: Reader, site: Site, gaps: Gap[]): number {
  const moved = (from: number, to: number): Piece[] =>
    reader.split(from, to).map(([first, last]) => ({
      size: last - first,
      emit: () => out.move(first, last),
    }));
  const call = (): void => {
    out.jumpSlot();
    out.syscall();
  };
  const size = JMP_SLOT_SIZE + SYSCALL_SIZE;
  const core = intoGap(out, gaps, { size, emit: call }, JMP_SIZE);
  for (const piece of moved(site.vaddr + SYSCALL_SIZE, site.to)) goOn(out, gaps, piece, JMP_SIZE);
  out.end += JMP_SIZE;
  goOn(out, gaps, { size: JMP_SIZE, emit: () => out.jump(site.to) }, 0);
  const lea = { size: LEA_SIZE, emit: () => out.leaRcx(core + size) };
  const [first, ...rest] = [...moved(site.from, site.vaddr), lea];
  const start = intoGap(out, gaps, first!, JMP_SIZE);
  for (const piece of rest) goOn(out, gaps, piece, JMP_SIZE);
  out.end += JMP_SIZE;
  goOn(out, gaps, { size: JMP_SIZE, emit: () => out.jump(core) }, 0);
  return start;
}

export interface Stubs {
  /** First instruction of each site's stub. */
  readonly starts: ReadonlyMap<Site, number>;
  /** Where the instructions of a site's island are now. */
  readonly islands: ReadonlyMap<Site, number>;
  /** Bytes used of the padding, and stubs that lie elsewhere. */
  readonly paddingUsed: number;
  readonly inGaps: number;
}

/** Writes all stubs into `text` (which begins at `base`), first into the padding [from, to). */
export function writeStubs(
  elf: Elf,
  sweep: Sweep,
  sites: readonly Site[],
  text: Uint8Array,
  base: number,
  slot: number,
  padding: { from: number; to: number },
): Stubs {
  const reader = new Reader(elf, sweep);
  const out = new Assembler(text, base, slot, reader);
  const starts = new Map<Site, number>();
  let gaps: Gap[] | undefined;
  let used = padding.from;
  let inGaps = 0;
  // What needs the padding most comes first: form T is indivisible, reads and writes are hot.
  const rank = (site: Site): number => (site.form === 'T' ? 0 : isHot(site) ? 1 : 2);
  for (const site of [...sites].sort((a, b) => rank(a) - rank(b) || a.vaddr - b.vaddr)) {
    const whole = (): void => (site.form === 'T' ? stubAfter(out, site) : stubBefore(out, site));
    out.enter(used, padding.to);
    if (tryEmit(out, whole)) {
      starts.set(site, used);
      used = out.here;
      continue;
    }
    gaps ??= findGaps(elf, sweep, GAP_MIN);
    inGaps++;
    const start = (site.form === 'T' ? scatterAfter : scatter)(out, reader, site, gaps);
    starts.set(site, start);
  }
  const islands = new Map<Site, number>();
  for (const site of sites) {
    if (site.island === undefined) continue;
    out.enter(used, padding.to);
    const { from, to } = site.island;
    const moved = (): void => {
      out.move(from, to);
      out.jump(to);
    };
    if (!tryEmit(out, moved)) throw new ElfError('there is no room for its stubs');
    islands.set(site, used);
    used = out.here;
  }
  return { starts, islands, paddingUsed: used - padding.from, inGaps };
}
