/**
 * Writes machine code into the text of an image, one region at a time: the padding behind the text, or
 * gaps within it. A region that is full throws NoRoom, and the caller goes elsewhere.
 */
import { ElfError } from './elf.ts';
import type { Reader } from './sites.ts';
import { iced } from './sweep.ts';

export class NoRoom extends Error {}

/** Bytes of `jmp rel32`, `jmp *slot(%rip)` and `lea target(%rip),%rcx`. */
export const JMP_SIZE = 5;
export const JMP_SLOT_SIZE = 6;
export const LEA_SIZE = 7;

export function int32(value: number): number[] {
  if (value !== (value | 0)) throw new ElfError('its segments lie more than 2 GiB apart');
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

export class Assembler {
  private readonly text: Uint8Array;
  /** Address of the first byte of `text`. */
  private readonly base: number;
  private readonly slot: number;
  private readonly reader: Reader;
  /** Where the next byte goes, and the end of the region. */
  here = 0;
  end = 0;
  /** Address of the last shared `jmp *slot(%rip)`, -1 before the first. */
  private tail = -1;

  constructor(text: Uint8Array, base: number, slot: number, reader: Reader) {
    this.text = text;
    this.base = base;
    this.slot = slot;
    this.reader = reader;
  }
  get left(): number {
    return this.end - this.here;
  }
  enter(from: number, to: number): void {
    this.here = from;
    this.end = to;
  }
  emit(...code: number[]): void {
    if (code.length > this.left) throw new NoRoom();
    this.text.set(code, this.here - this.base);
    this.here += code.length;
  }
  /** opcode, then a displacement from the end of the instruction to `target`. */
  private relative(opcode: readonly number[], target: number): void {
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
  syscall(): void {
    this.emit(0x0f, 0x05);
  }
  /** Reaches the handler by way of a neighbour's jump where one is near. */
  jumpSlotShared(): void {
    const distance = this.tail - (this.here + 2);
    if (this.tail >= 0 && distance >= -128 && distance < 0) {
      this.emit(0xeb, distance & 0xff);
    } else {
      const at = this.here;
      this.jumpSlot();
      this.tail = at;
    }
  }
  /** Re-encodes [from, to) here: rip-relative operands and branches keep their targets. */
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
    const code = block.encode(BigInt(this.here));
    block.free();
    this.emit(...code);
  }
}
