/** Copying sparse files: runs of zero blocks become holes again. */
import { PAGE_SIZE } from '../../../ringbuf/layout.gen.ts';

const zeros = Buffer.alloc(PAGE_SIZE);

/** Fewer blocks than bytes: somewhere there is a hole. */
export function isSparse(size: number, blocksOf512: number): boolean {
  return blocksOf512 * 512 < size;
}

/** Splits a piece that begins on a block boundary into runs of data and of zero blocks. */
export function eachRun(
  piece: Uint8Array,
  data: (run: Uint8Array) => void,
  hole: (bytes: number) => void,
): void {
  let start = 0;
  let startIsZero = isZero(piece, 0);
  for (let at = PAGE_SIZE; ; at += PAGE_SIZE) {
    const end = at >= piece.length;
    const zero = !end && isZero(piece, at);
    if (!end && zero === startIsZero) continue;
    const stop = Math.min(at, piece.length);
    if (stop > start) {
      if (startIsZero) hole(stop - start);
      else data(piece.subarray(start, stop));
    }
    if (end) return;
    start = at;
    startIsZero = zero;
  }
}

function isZero(piece: Uint8Array, at: number): boolean {
  const block = piece.subarray(at, at + PAGE_SIZE);
  return Buffer.compare(block, zeros.subarray(0, block.length)) === 0;
}
