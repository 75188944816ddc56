/**
 * Does an object make system calls of its own? Nearly none does, and the answer is wanted for each library
 * that a program loads, so the bytes of `syscall` are looked for first, and only code around them is decoded.
 */
import { type Elf, ElfError, PF_X, PT_LOAD, readingTables, type Segment } from './elf.ts';
import { addFrameTargets } from './frames.ts';
import { iced } from './sweep.ts';

const SYSCALL = Buffer.from([0x0f, 0x05]);
/** `mov $nr,%eax` right before it: code, even where no unwind table says so. */
const MOV_EAX_SIZE = 5;
const MOV_EAX = 0xb8;
const NUMBERS_MAX = 512;

type Function = readonly [from: number, to: number];

function functionsOf(elf: Elf): Function[] {
  const found: Function[] = [];
  readingTables(() =>
    addFrameTargets(
      elf,
      () => {},
      (from, to) => found.push([from, to]),
    ),
  );
  return found.sort((a, b) => a[0] - b[0]);
}

/** The function that covers an address. */
function functionAt(functions: readonly Function[], vaddr: number): Function | undefined {
  let low = 0;
  let high = functions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (functions[middle]![0] <= vaddr) low = middle + 1;
    else high = middle;
  }
  const found = functions[low - 1];
  return found !== undefined && vaddr < found[1] ? found : undefined;
}

/** Decodes a function from its start: does an instruction begin at the address, and is it `syscall`? */
function isSyscall(elf: Elf, segment: Segment, from: number, vaddr: number): boolean {
  const { Code, Decoder, Instruction } = iced();
  const offset = segment.offset + (from - segment.vaddr);
  const end = segment.offset + (vaddr - segment.vaddr) + SYSCALL.length;
  const decoder = new Decoder(64, elf.bytes.subarray(offset, end), 0);
  decoder.ip = BigInt(from);
  const instruction = new Instruction();
  let found = false;
  while (decoder.canDecode && from + decoder.position <= vaddr) {
    const at = from + decoder.position;
    decoder.decodeOut(instruction);
    if (at === vaddr) found = instruction.code === Code.Syscall;
  }
  instruction.free();
  decoder.free();
  return found;
}

/** The number that the instruction before the `syscall` loads, -1 for none. */
function numberBefore(bytes: Uint8Array, at: number): number {
  const from = at - MOV_EAX_SIZE;
  if (from < 0 || bytes[from] !== MOV_EAX) return -1;
  const view = new DataView(bytes.buffer, bytes.byteOffset + from + 1, 4);
  const nr = view.getUint32(0, true);
  return nr < NUMBERS_MAX ? nr : -1;
}

export interface OwnCall {
  readonly vaddr: number;
  /** -1: not told by the instruction before it. */
  readonly nr: number;
}

/** The `syscall` instructions of all executable segments. */
export function ownCalls(elf: Elf): OwnCall[] {
  const found: OwnCall[] = [];
  let functions: Function[] | undefined;
  for (const segment of elf.segments) {
    if (segment.type !== PT_LOAD || (segment.flags & PF_X) === 0) continue;
    const bytes = Buffer.from(
      elf.bytes.buffer,
      elf.bytes.byteOffset + segment.offset,
      segment.fileSize,
    );
    for (let at = bytes.indexOf(SYSCALL); at >= 0; at = bytes.indexOf(SYSCALL, at + 1)) {
      const vaddr = segment.vaddr + at;
      const nr = numberBefore(bytes, at);
      if (nr >= 0) {
        found.push({ vaddr, nr });
        continue;
      }
      functions ??= functionsSafely(elf);
      const within = functionAt(functions, vaddr);
      if (within !== undefined && isSyscall(elf, segment, within[0], vaddr)) {
        found.push({ vaddr, nr });
      }
    }
  }
  return found;
}

/** Objects with damaged unwind tables have none, as far as this goes. */
function functionsSafely(elf: Elf): Function[] {
  try {
    return functionsOf(elf);
  } catch (error) {
    if (error instanceof ElfError) return [];
    throw error;
  }
}
