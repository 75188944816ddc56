/**
 * What of a rewritten text an image holds: the pages that differ, in runs. A compiler's driver has a hundred
 * MiB of code and a dozen system calls in it; a libc differs nearly everywhere and is one run.
 */
import { IMAGE_PIECES_MAX } from '../../ringbuf/layout.gen.ts';
import { type Elf, ElfError, type Segment } from './elf.ts';

const PAGE = 4096;
/** A text of which a larger part differs is one piece: one mapping instead of many. */
const PART_MAX = 1 / 4;

export interface Piece {
  readonly vaddr: number;
  readonly bytes: Uint8Array;
}

/** The whole pages of a segment as they shall be. */
export interface Rewritten {
  readonly segment: Segment;
  readonly vaddr: number;
  readonly bytes: Uint8Array;
}

interface Run {
  from: number;
  to: number;
}

/** Pages of the text that differ from the file's, as runs of byte offsets. */
function changedRuns(elf: Elf, { segment, vaddr, bytes }: Rewritten): Run[] {
  const lead = segment.vaddr - vaddr;
  const size = lead + segment.fileSize;
  const start = segment.offset - lead;
  const runs: Run[] = [];
  for (let from = 0; from < bytes.length; from += PAGE) {
    const end = Math.max(from, Math.min(from + PAGE, size));
    const before = elf.bytes.subarray(start + from, start + end);
    const same =
      Buffer.compare(bytes.subarray(from, end), before) === 0 &&
      bytes.subarray(end, from + PAGE).every((byte) => byte === 0);
    if (same) continue;
    const last = runs.at(-1);
    if (last?.to === from) last.to += PAGE;
    else runs.push({ from, to: from + PAGE });
  }
  return runs;
}

/** Closes the narrowest gaps until there are no more than `most`. */
function closeGaps(runs: Run[], most: number): void {
  while (runs.length > most) {
    let narrowest = 1;
    for (let i = 2; i < runs.length; i++) {
      const gap = (at: number): number => runs[at]!.from - runs[at - 1]!.to;
      if (gap(i) < gap(narrowest)) narrowest = i;
    }
    const [gone] = runs.splice(narrowest, 1);
    runs[narrowest - 1]!.to = gone!.to;
  }
}

export function piecesOf(elf: Elf, texts: readonly Rewritten[]): Piece[] {
  const each = Math.floor(IMAGE_PIECES_MAX / Math.max(1, texts.length));
  if (each === 0) throw new ElfError('it has too many executable segments');
  return [...texts]
    .sort((a, b) => a.vaddr - b.vaddr)
    .flatMap((text) => {
      let runs = changedRuns(elf, text);
      closeGaps(runs, each);
      const changed = runs.reduce((sum, run) => sum + run.to - run.from, 0);
      if (changed > text.bytes.length * PART_MAX) runs = [{ from: 0, to: text.bytes.length }];
      return runs.map(({ from, to }) => ({
        vaddr: text.vaddr + from,
        bytes: text.bytes.subarray(from, to),
      }));
    });
}

/** As they stand in the image file. */
export function joinPieces(
  pieces: readonly Piece[],
  annex: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return Buffer.concat([...pieces.map((piece) => piece.bytes), annex]);
}
