/**
 * Builds the text of a prepared image: the original pages with jumps at the hooked sites and the stubs in
 * the padding behind the code.
 *
 * A stub leaves rcx = the address where the program goes on, with the two bytes before it a `syscall`,
 * and jumps through the handler word (`slot`). The entry code of the shim then either jumps to rcx - 2
 * with all registers as they were, or to rcx with the result in rax.
 *
 *   form M   moved instructions; lea site+2(%rip),%rcx; jmp *slot(%rip)
 *   form T   moved instructions before; lea 1f(%rip),%rcx; jmp *slot(%rip);
 *            syscall; 1: moved instructions after; jmp back
 *
 * There is little room (Debian 12: 3,844 bytes), so stubs of path calls, which cost microseconds anyway,
 * share their `jmp *slot(%rip)` with the neighbours and reach it by a short jump.
 */
import { classOf } from '../../ringbuf/syscalls.ts';
import { type Elf, ElfError, PF_W, PT_LOAD } from './elf.ts';
import { JUMP_SIZE, Reader, type Site, SYSCALL_SIZE } from './sites.ts';
import { iced, type Sweep } from './sweep.ts';

const PAGE = 4096;
const SLOT_SIZE = 8;
/** Room taken behind the text at most, where the gap to the next segment is wide. */
const STUBS_MAX = 64 * 1024;
const INT3 = 0xcc;
const JMP_SLOT_SIZE = 6;

const pageDown = (n: number): number => Math.floor(n / PAGE) * PAGE;
const pageUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;

export interface PatchedText {
  /** Whole pages, to be mapped at `vaddr`. */
  readonly bytes: Uint8Array;
  readonly vaddr: number;
  readonly slotVaddr: number;
  /** Bytes of stubs, and bytes that there would have been. */
  readonly stubBytes: number;
  readonly stubRoom: number;
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
function stubRange(elf: Elf, sweep: Sweep): { from: number; to: number } {
  const { text } = sweep;
  const from = text.vaddr + text.fileSize;
  const next = elf.segments
    .filter((s) => s.type === PT_LOAD && s.vaddr >= from)
    .reduce((least, s) => Math.min(least, pageDown(s.vaddr)), Number.POSITIVE_INFINITY);
  const to = Number.isFinite(next) ? Math.min(next, pageUp(from + STUBS_MAX)) : pageUp(from);
  if (to < pageUp(from)) throw new ElfError('another segment shares the last page of its text');
  return { from, to };
}

/** Appends machine code at increasing addresses. */
class Assembler {
  readonly bytes: Uint8Array;
  readonly vaddr: number;
  readonly slot: number;
  private readonly reader: Reader;
  used = 0;
  /** Address of the last shared `jmp *slot(%rip)`, -1 before the first. */
  private tail = -1;
  constructor(vaddr: number, room: number, slot: number, reader: Reader) {
    this.bytes = new Uint8Array(room);
    this.vaddr = vaddr;
    this.slot = slot;
    this.reader = reader;
  }
  get here(): number {
    return this.vaddr + this.used;
  }
  emit(...code: number[]): void {
    if (this.used + code.length > this.bytes.length) {
      throw new ElfError(`there is no room for its stubs (${this.bytes.length} bytes)`);
    }
    this.bytes.set(code, this.used);
    this.used += code.length;
  }
  /** opcode, then a displacement from the end of the instruction to `target`. */
  relative(opcode: readonly number[], target: number): void {
    const displacement = target - (this.here + opcode.length + 4);
    this.emit(...opcode, ...int32(displacement));
  }
  leaRcx(target: number): void {
    this.relative([0x48, 0x8d, 0x0d], target);
  }
  jumpSlot(): void {
    this.relative([0xff, 0x25], this.slot);
  }
  jump(target: number): void {
    this.relative([0xe9], target);
  }
  /** Reaches the handler by way of a neighbour's jump. */
  jumpSlotShared(): void {
    const distance = this.tail - (this.here + 2);
    if (this.tail >= 0 && distance >= -128) {
      this.emit(0xeb, distance & 0xff);
    } else {
      this.tail = this.here;
      this.jumpSlot();
    }
  }
  /** Re-encodes the instructions of [from, to) here: rip-relative operands and branches keep their targets. */
  move(from: number, to: number): void {
    if (from === to) return;
    const { BlockEncoder, BlockEncoderOptions } = iced();
    const block = new BlockEncoder(64, BlockEncoderOptions.None);
    for (let p = from; p < to; ) {
      const instruction = this.reader.at(p);
      p += instruction.length;
      block.add(instruction);
      instruction.free();
    }
    this.emit(...block.encode(BigInt(this.here)));
    block.free();
  }
}

function int32(value: number): number[] {
  if (value !== (value | 0)) throw new ElfError('its segments lie more than 2 GiB apart');
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

function stubBefore(out: Assembler, site: Site): void {
  out.move(site.from, site.to);
  out.leaRcx(site.vaddr + SYSCALL_SIZE);
  if (site.nr >= 0 && classOf(site.nr) === 'fd') out.jumpSlot();
  else out.jumpSlotShared();
}

function stubAfter(out: Assembler, site: Site): void {
  out.move(site.from, site.vaddr);
  // lea (7 bytes) and jmp (6) stand between here and the syscall that ends at label 1.
  out.leaRcx(out.here + 7 + JMP_SLOT_SIZE + SYSCALL_SIZE);
  out.jumpSlot();
  out.emit(0x0f, 0x05);
  out.move(site.vaddr + SYSCALL_SIZE, site.to);
  out.jump(site.to);
}

/** Overwrites the displaced bytes: a jump to the stub, and int3 in what nothing can reach any more. */
function rewriteSite(text: Uint8Array, base: number, site: Site, stub: number): void {
  const displaced = text.subarray(site.from - base, site.to - base);
  displaced.fill(INT3);
  displaced.set([0xe9, ...int32(stub - (site.from + JUMP_SIZE))]);
}

/** Throws ElfError when two sites would displace the same bytes: a mistake of the planner. */
function checkDisjoint(sites: readonly Site[]): void {
  let end = 0;
  for (const site of [...sites].sort((a, b) => a.from - b.from)) {
    if (site.from < end) throw new ElfError(`two rewrites overlap at 0x${site.from.toString(16)}`);
    end = site.form === 'M' ? site.vaddr + SYSCALL_SIZE : site.to;
  }
}

export function patchText(elf: Elf, sweep: Sweep, sites: readonly Site[]): PatchedText {
  const { text } = sweep;
  const vaddr = pageDown(text.vaddr);
  const lead = text.vaddr - vaddr;
  if (text.offset % PAGE !== lead) throw new ElfError('its text is not aligned to pages');
  const room = stubRange(elf, sweep);
  const slotVaddr = findSlot(elf);
  const out = new Assembler(room.from, room.to - room.from, slotVaddr, new Reader(elf, sweep));
  const original = elf.bytes.subarray(text.offset - lead, text.offset + text.fileSize);
  const patched = Uint8Array.from(original);
  const hooked = sites.filter((site) => site.form === 'M' || site.form === 'T');
  checkDisjoint(hooked);
  for (const site of hooked) {
    const stub = out.here;
    if (site.form === 'M') stubBefore(out, site);
    else stubAfter(out, site);
    rewriteSite(patched, vaddr, site, stub);
  }
  const bytes = new Uint8Array(pageUp(out.here) - vaddr);
  bytes.set(patched);
  bytes.set(out.bytes.subarray(0, out.used), room.from - vaddr);
  return { bytes, vaddr, slotVaddr, stubBytes: out.used, stubRoom: out.bytes.length };
}
