/**
 * Decides for each `syscall` instruction whether and how it is rewritten.
 *
 * Form M displaces whole instructions *before* the `syscall` (normally `mov $nr,%eax`): the original
 * `syscall` stays and runs whatever is passed on, so the kernel, unwinders and glibc's cancellation see
 * the program counter that they always saw. Form T displaces the `syscall` itself with what follows (and,
 * where that is too short, what precedes); it serves where form M is not possible, say because something
 * jumps to the `syscall`. Either way nothing may jump into displaced bytes.
 */
import type { Instruction } from 'iced-x86';
import { classOf, RT_SIGRETURN } from '../../ringbuf/syscalls.ts';
import type { Elf } from './elf.ts';
import type { Gap } from './gaps.ts';
import { iced, type Sweep } from './sweep.ts';

/** Bytes of the `jmp rel32` that leads to a stub. */
export const JUMP_SIZE = 5;
export const SYSCALL_SIZE = 2;
/** How far back the number of a site is looked for. */
const LOOK_BACK = 24;

export type Form = 'M' | 'T';

export interface Site {
  /** Address of the `syscall` instruction. */
  readonly vaddr: number;
  /** System call number, -1 when it is not a constant at this site. */
  readonly nr: number;
  /** 'skip': known and no business of ours. 'none': should be hooked and cannot be. */
  readonly form: Form | 'skip' | 'none';
  /** Displaced bytes: [from, to). For form T this begins with the `syscall`. */
  readonly from: number;
  readonly to: number;
  /** Form T where only the `syscall` itself is displaced: where nearby a jump leads on to the stub. */
  readonly via?: number;
  /** Instructions that make room for that jump: they are moved, and begin with a jump to where they are now. */
  readonly island?: { readonly from: number; readonly to: number };
  /** Why the form is 'none', or why it is not M. */
  readonly reason: string;
}

/** Decodes single instructions at known starts. The caller frees what it gets. */
export class Reader {
  private readonly elf: Elf;
  private readonly sweep: Sweep;
  constructor(elf: Elf, sweep: Sweep) {
    this.elf = elf;
    this.sweep = sweep;
  }
  at(vaddr: number): Instruction {
    const { text } = this.sweep;
    const offset = text.offset + (vaddr - text.vaddr);
    const { Decoder } = iced();
    const decoder = new Decoder(64, this.elf.bytes.subarray(offset, offset + 15), 0);
    decoder.ip = BigInt(vaddr);
    const instruction = decoder.decode();
    decoder.free();
    return instruction;
  }
  /** The instructions of [from, to) one by one. */
  split(from: number, to: number): [from: number, to: number][] {
    const parts: [number, number][] = [];
    for (let p = from; p < to; ) {
      const instruction = this.at(p);
      const next = p + instruction.length;
      instruction.free();
      parts.push([p, next]);
      p = next;
    }
    return parts;
  }
  /** Start of the instruction before the one at vaddr, or -1 at the start of the text. */
  before(vaddr: number): number {
    const { text, starts } = this.sweep;
    for (let p = vaddr - 1; p >= Math.max(text.vaddr, vaddr - 15); p--) {
      if (starts[p - text.vaddr] === 1) return p;
    }
    return -1;
  }
}

/** The constant that an instruction leaves in eax, 'other' when it writes something else, or nothing. */
function constantInEax(instruction: Instruction): number | 'other' | undefined {
  const { Code, InstructionInfoFactory, OpAccess, Register, RegisterExt } = iced();
  const { code } = instruction;
  if (code === Code.Mov_r32_imm32 && instruction.op0Register === Register.EAX) {
    return Number(instruction.immediate(1) & 0xffffffffn);
  }
  if (code === Code.Mov_rm64_imm32 && instruction.op0Register === Register.RAX) {
    return Number(instruction.immediate(1) & 0xffffffffn);
  }
  if (
    (code === Code.Xor_r32_rm32 || code === Code.Xor_rm32_r32) &&
    instruction.op0Register === Register.EAX &&
    instruction.op1Register === Register.EAX
  ) {
    return 0;
  }
  const factory = new InstructionInfoFactory();
  const info = factory.info(instruction);
  const used = info.usedRegisters();
  const writes = used.some(
    (u: { register: number; access: number }) =>
      RegisterExt.fullRegister(u.register) === Register.RAX &&
      u.access !== OpAccess.Read &&
      u.access !== OpAccess.CondRead,
  );
  for (const u of used) u.free();
  info.free();
  factory.free();
  return writes ? 'other' : undefined;
}

/** Number that eax holds at the site on every way there, -1 when that cannot be told. */
function numberAt(reader: Reader, sweep: Sweep, site: number): number {
  const { FlowControl } = iced();
  let vaddr = site;
  for (let i = 0; i < LOOK_BACK; i++) {
    if (sweep.targets[vaddr - sweep.text.vaddr] === 1) return -1;
    vaddr = reader.before(vaddr);
    if (vaddr < 0) return -1;
    const instruction = reader.at(vaddr);
    const flow = instruction.flowControl;
    const constant = constantInEax(instruction);
    instruction.free();
    if (flow !== FlowControl.Next && flow !== FlowControl.ConditionalBranch) return -1;
    if (constant === 'other') return -1;
    if (constant !== undefined) return constant;
  }
  return -1;
}

/** Why an instruction cannot run at another address, or ''. */
function immovable(instruction: Instruction, form: Form): string {
  const { Code, FlowControl } = iced();
  const { flowControl, code } = instruction;
  if (code === Code.INVALID) return 'bytes that are no instruction';
  if (code === Code.Syscall) return 'another syscall';
  if (flowControl === FlowControl.Next) return '';
  if (flowControl === FlowControl.ConditionalBranch) return '';
  const leaves =
    flowControl === FlowControl.UnconditionalBranch || flowControl === FlowControl.Return;
  return form === 'T' && leaves ? '' : 'a branch';
}

interface Span {
  readonly from: number;
  readonly to: number;
  /** '' when the span can be displaced. */
  readonly reason: string;
}

/** How far a jump of two bytes reaches. */
const SHORT_JUMP_MAX = 127;

/**
 * For sites that neither form fits: the `syscall` becomes a jump of two bytes to a gap close by, and that
 * a jump to the stub. Takes gaps out of the list.
 */
export function planByGap(site: Site, gaps: Gap[]): Site {
  const { vaddr } = site;
  const found = gaps.findIndex((gap) => {
    const distance = gap.from - (vaddr + SYSCALL_SIZE);
    return gap.to - gap.from >= JUMP_SIZE && Math.abs(distance) <= SHORT_JUMP_MAX;
  });
  if (found < 0) return site;
  const [gap] = gaps.splice(found, 1);
  return { ...site, form: 'T', from: vaddr, to: vaddr + SYSCALL_SIZE, via: gap!.from };
}

/**
 * Where there is no gap either, ten bytes of instructions nearby make room: five for the jump to where they
 * are moved to, five for the jump to the stub.
 */
export function planByIsland(elf: Elf, sweep: Sweep, site: Site, taken: readonly Site[]): Site {
  const reader = new Reader(elf, sweep);
  const { vaddr } = site;
  const end = vaddr + SYSCALL_SIZE;
  const { text, starts } = sweep;
  for (let distance = SYSCALL_SIZE; distance <= SHORT_JUMP_MAX - JUMP_SIZE; distance++) {
    for (const from of [vaddr + distance, vaddr - distance]) {
      if (from < text.vaddr || starts[from - text.vaddr] !== 1) continue;
      const to = movableFrom(reader, sweep, from, 2 * JUMP_SIZE);
      if (to < 0 || (from < end && to > vaddr)) continue;
      const via = from + JUMP_SIZE;
      if (Math.abs(via - end) > SHORT_JUMP_MAX) continue;
      const island = { from, to };
      if (taken.some((other) => overlaps(other, island))) continue;
      return { ...site, form: 'T', from: vaddr, to: end, via, island };
    }
  }
  return site;
}

function overlaps(site: Site, span: { readonly from: number; readonly to: number }): boolean {
  const from = Math.min(site.from, site.vaddr);
  const to = Math.max(site.to, site.vaddr + SYSCALL_SIZE);
  if (from < span.to && to > span.from) return true;
  const { island, via } = site;
  if (via !== undefined && via < span.to && via + JUMP_SIZE > span.from) return true;
  return island !== undefined && island.from < span.to && island.to > span.from;
}

/** End of the whole movable instructions of at least `size` bytes from there on, or -1. */
function movableFrom(reader: Reader, sweep: Sweep, from: number, size: number): number {
  let to = from;
  while (to - from < size) {
    const at = to - sweep.text.vaddr;
    if (at >= sweep.starts.length || sweep.starts[at] !== 1) return -1;
    if (to !== from && isTarget(sweep, to)) return -1;
    const instruction = reader.at(to);
    const movable = immovable(instruction, 'M') === '';
    to += instruction.length;
    instruction.free();
    if (!movable) return -1;
  }
  for (let p = from + 1; p < to; p++) if (isTarget(sweep, p)) return -1;
  return to;
}

const isTarget = (sweep: Sweep, vaddr: number): boolean =>
  sweep.targets[vaddr - sweep.text.vaddr] === 1;

const none = (span: Span, reason: string): Span => ({ ...span, reason });

/** Walks `from` back by whole movable instructions until the span is long enough. */
function widenBack(reader: Reader, sweep: Sweep, span: Span): Span {
  const { to } = span;
  let { from } = span;
  while (to - from < JUMP_SIZE) {
    if (isTarget(sweep, from)) return none(span, 'something jumps to the code before it');
    const before = reader.before(from);
    if (before < 0) return none(span, 'too few bytes before it');
    const instruction = reader.at(before);
    const fits = instruction.length === from - before;
    const reason = immovable(instruction, 'M');
    instruction.free();
    if (!fits) return none(span, 'data before it');
    if (reason !== '') return none(span, `${reason} before it`);
    from = before;
  }
  return { from, to, reason: '' };
}

function spanBefore(reader: Reader, sweep: Sweep, site: number): Span {
  const span = { from: site, to: site, reason: '' };
  if (isTarget(sweep, site)) return none(span, 'something jumps to it');
  return free(sweep, widenBack(reader, sweep, span));
}

/** The `syscall` and as much behind it as is needed and can be moved; then, if that is too short, before it. */
function spanAfter(reader: Reader, sweep: Sweep, site: number): Span {
  let to = site + SYSCALL_SIZE;
  while (to - site < JUMP_SIZE && sweep.starts[to - sweep.text.vaddr] === 1) {
    const instruction = reader.at(to);
    const { length, flowControl } = instruction;
    const reason = immovable(instruction, 'T');
    instruction.free();
    if (reason !== '' || isTarget(sweep, to)) break;
    to += length;
    if (flowControl !== iced().FlowControl.Next) break;
  }
  const whole = free(sweep, widenBack(reader, sweep, { from: site, to, reason: '' }));
  if (whole.reason === '') return whole;
  const alone = { from: site, to: site + SYSCALL_SIZE, reason: '' };
  return free(sweep, widenBack(reader, sweep, alone));
}

/** Anything that arrives strictly inside the displaced bytes forbids the rewrite. */
function free(sweep: Sweep, span: Span): Span {
  for (let p = span.from + 1; p < span.to; p++) {
    if (isTarget(sweep, p)) return none(span, 'something jumps into the code around it');
  }
  return span;
}

export function planSites(elf: Elf, sweep: Sweep): Site[] {
  const reader = new Reader(elf, sweep);
  return sweep.syscalls.map((vaddr): Site => {
    const nr = numberAt(reader, sweep, vaddr);
    const skip = nr === RT_SIGRETURN || (nr >= 0 && classOf(nr) === 'pass');
    if (skip) return { vaddr, nr, form: 'skip', from: vaddr, to: vaddr, reason: '' };
    const before = spanBefore(reader, sweep, vaddr);
    if (before.reason === '') return { vaddr, nr, form: 'M', ...before };
    const after = spanAfter(reader, sweep, vaddr);
    if (after.reason === '') return { vaddr, nr, form: 'T', ...after, reason: before.reason };
    const reason = `${before.reason}; ${after.reason}`;
    return { vaddr, nr, form: 'none', from: vaddr, to: vaddr, reason };
  });
}
