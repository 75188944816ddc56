/**
 * Linear sweep over the executable text of an object: where instructions begin, where control may
 * arrive by other means than falling through, and where the `syscall` instructions are.
 *
 * What can reach an address: a direct branch or call, a symbol, an address that a relocation or a
 * rip-relative operand forms, an entry of a switch table, a function start or landing pad of the
 * unwind tables. Every guess errs towards "may arrive": it costs a patch, never correctness.
 */
import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import { type Elf, ElfError, offsetOf, PF_X, PT_LOAD, readU64, type Segment } from './elf.ts';
import { addFrameTargets } from './frames.ts';

/** Loaded on first use: compiling the WebAssembly takes longer than all else that a CLI start does. */
let loaded: typeof Iced | undefined;
export function iced(): typeof Iced {
  loaded ??= createRequire(import.meta.url)('iced-x86') as typeof Iced;
  return loaded;
}

const DT_SYMTAB = 6;
const DT_STRTAB = 5;
const DT_RELA = 7;
const DT_RELASZ = 8;
const DT_RELR = 36;
const DT_RELRSZ = 35;
const DT_JMPREL = 23;
const DT_PLTRELSZ = 2;
const SYMBOL_SIZE = 24;
const RELA_SIZE = 24;
/** Longest switch table that is followed. */
const TABLE_MAX = 4096;

export interface Range {
  readonly vaddr: number;
  readonly offset: number;
  readonly size: number;
}

export interface Sweep {
  /** An executable segment; `starts` and `targets` are indexed from its vaddr. */
  readonly text: Segment;
  readonly ranges: readonly Range[];
  /** 1 where an instruction begins. */
  readonly starts: Uint8Array;
  /** 1 where control may arrive otherwise than from the instruction before. */
  readonly targets: Uint8Array;
  readonly syscalls: readonly number[];
  readonly instructions: number;
  /** Undecodable bytes: data within the text. */
  readonly invalid: number;
}

export function executableSegments(elf: Elf): Segment[] {
  return elf.segments.filter((s) => s.type === PT_LOAD && (s.flags & PF_X) !== 0);
}

function executableRanges(elf: Elf, text: Segment): Range[] {
  const inside = elf.sections.filter(
    (s) => s.executable && s.vaddr >= text.vaddr && s.vaddr + s.size <= text.vaddr + text.fileSize,
  );
  if (inside.length > 0) return inside;
  return [{ vaddr: text.vaddr, offset: text.offset, size: text.fileSize }];
}

/** Addresses that the loader or other objects know. */
function addDynamicTargets(elf: Elf, add: (vaddr: number) => void): void {
  const at = (tag: number): number => {
    const vaddr = elf.dynamic.get(tag);
    return vaddr === undefined ? -1 : offsetOf(elf, vaddr);
  };
  const symbols = at(DT_SYMTAB);
  const strings = at(DT_STRTAB);
  // The symbol table has no length of its own; linkers put the strings right behind it.
  for (let p = symbols; p >= 0 && p + SYMBOL_SIZE <= strings; p += SYMBOL_SIZE) {
    add(readU64(elf.view, p + 8));
  }
  for (const [table, size] of [
    [at(DT_RELA), elf.dynamic.get(DT_RELASZ) ?? 0],
    [at(DT_JMPREL), elf.dynamic.get(DT_PLTRELSZ) ?? 0],
  ] as const) {
    if (table < 0) continue;
    for (let p = table; p + RELA_SIZE <= table + size; p += RELA_SIZE)
      add(readU64(elf.view, p + 16));
  }
  addRelrTargets(elf, at(DT_RELR), elf.dynamic.get(DT_RELRSZ) ?? 0, add);
}

/** RELR packs relocations: an even word is an address, an odd one a bitmap of the 63 words behind it. */
function addRelrTargets(elf: Elf, table: number, size: number, add: (vaddr: number) => void): void {
  if (table < 0) return;
  const word = (vaddr: number): void => {
    const at = offsetOf(elf, vaddr);
    if (at >= 0) add(readU64(elf.view, at));
  };
  let where = 0;
  for (let p = table; p + 8 <= table + size; p += 8) {
    const entry = elf.view.getBigUint64(p, true);
    if ((entry & 1n) === 0n) {
      word(Number(entry));
      where = Number(entry) + 8;
    } else {
      for (let bit = 1n; bit < 64n; bit++) {
        if ((entry >> bit) & 1n) word(where + (Number(bit) - 1) * 8);
      }
      where += 63 * 8;
    }
  }
}

/**
 * A switch table of 32-bit offsets from its own start, as compilers write them for position-independent
 * code. Its end is not marked: the first entry that leads to no instruction is taken for it.
 */
function addTableTargets(elf: Elf, table: number, sweeps: readonly Sweep[]): void {
  const at = offsetOf(elf, table);
  if (at < 0) return;
  for (let i = 0; i < TABLE_MAX && at + i * 4 + 4 <= elf.bytes.length; i++) {
    const target = table + elf.view.getInt32(at + i * 4, true);
    const within = sweepAt(sweeps, target);
    if (within === undefined) return;
    within.targets[target - within.text.vaddr] = 1;
    if (within.starts[target - within.text.vaddr] !== 1) return;
  }
}

function sweepAt(sweeps: readonly Sweep[], vaddr: number): Sweep | undefined {
  for (const one of sweeps) {
    const { text } = one;
    if (vaddr >= text.vaddr && vaddr < text.vaddr + text.fileSize) return one;
  }
  return undefined;
}

/** The executable segments one by one; control may arrive in each from any of the others. */
export function sweepAll(elf: Elf): Sweep[] {
  const sweeps = executableSegments(elf).map((text) => ({
    text,
    ranges: executableRanges(elf, text),
    starts: new Uint8Array(text.fileSize),
    targets: new Uint8Array(text.fileSize),
    syscalls: [],
    instructions: 0,
    invalid: 0,
  }));
  const add = (vaddr: number): void => {
    const within = sweepAt(sweeps, vaddr);
    if (within !== undefined) within.targets[vaddr - within.text.vaddr] = 1;
  };
  const tables = new Set<number>();
  for (const one of sweeps) decodeAll(elf, one, add, tables);
  addDynamicTargets(elf, add);
  addFrameTargets(elf, add);
  for (const table of tables) addTableTargets(elf, table, sweeps);
  return sweeps;
}

/** The same for an object with one executable segment. */
export function sweep(elf: Elf): Sweep {
  const found = executableSegments(elf).length;
  if (found !== 1) throw new ElfError(`it has ${found} executable segments, not one`);
  return sweepAll(elf)[0]!;
}

interface Growing extends Sweep {
  readonly syscalls: number[];
  instructions: number;
  invalid: number;
}

function decodeAll(
  elf: Elf,
  into: Growing,
  add: (vaddr: number) => void,
  tables: Set<number>,
): void {
  const { Decoder, Instruction, Code, FlowControl } = iced();
  const { text, starts } = into;
  const instruction = new Instruction();
  for (const range of into.ranges) {
    const decoder = new Decoder(64, elf.bytes.subarray(range.offset, range.offset + range.size), 0);
    decoder.ip = BigInt(range.vaddr);
    while (decoder.canDecode) {
      const vaddr = range.vaddr + decoder.position;
      decoder.decodeOut(instruction);
      starts[vaddr - text.vaddr] = 1;
      into.instructions++;
      const { code, flowControl } = instruction;
      if (code === Code.Syscall) into.syscalls.push(vaddr);
      else if (code === Code.INVALID) into.invalid++;
      if (
        flowControl === FlowControl.ConditionalBranch ||
        flowControl === FlowControl.UnconditionalBranch ||
        flowControl === FlowControl.Call ||
        flowControl === FlowControl.XbeginXabortXend
      ) {
        add(Number(instruction.nearBranchTarget));
      } else if (instruction.isIpRelMemoryOperand) {
        const address = Number(instruction.ipRelMemoryAddress);
        add(address);
        tables.add(address);
      }
    }
    decoder.free();
  }
  instruction.free();
}
