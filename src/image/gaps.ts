/**
 * Bytes inside the text that nothing can execute: the no-ops with which compilers fill up to the next
 * aligned function or loop, where they stand behind a return or an unconditional jump. They take the
 * stubs that find no room behind the text.
 */
import type { Elf } from './elf.ts';
import { iced, type Sweep } from './sweep.ts';

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Gaps of at least `least` bytes, smallest first. */
export function findGaps(elf: Elf, sweep: Sweep, least: number): Gap[] {
  const { Decoder, FlowControl, Instruction, Mnemonic } = iced();
  const gaps: Gap[] = [];
  const instruction = new Instruction();
  for (const range of sweep.ranges) {
    const decoder = new Decoder(64, elf.bytes.subarray(range.offset, range.offset + range.size), 0);
    decoder.ip = BigInt(range.vaddr);
    /** True while the instruction before cannot fall through. */
    let unreachable = false;
    let from = -1;
    while (decoder.canDecode) {
      const vaddr = range.vaddr + decoder.position;
      decoder.decodeOut(instruction);
      const { mnemonic, flowControl } = instruction;
      const isTarget = sweep.targets[vaddr - sweep.text.vaddr] === 1;
      const isFiller = (mnemonic === Mnemonic.Nop || mnemonic === Mnemonic.Int3) && !isTarget;
      if (isFiller && unreachable) {
        if (from < 0) from = vaddr;
        continue;
      }
      if (from >= 0 && vaddr - from >= least) gaps.push({ from, to: vaddr });
      from = -1;
      unreachable =
        flowControl === FlowControl.UnconditionalBranch ||
        flowControl === FlowControl.Return ||
        flowControl === FlowControl.IndirectBranch;
    }
    decoder.free();
  }
  instruction.free();
  return gaps
    .filter((gap) => !hasTargetInside(sweep, gap))
    .sort((a, b) => a.to - a.from - (b.to - b.from) || a.from - b.from);
}

function hasTargetInside(sweep: Sweep, gap: Gap): boolean {
  for (let p = gap.from; p < gap.to; p++) {
    if (sweep.targets[p - sweep.text.vaddr] === 1) return true;
  }
  return false;
}
