/** Copying between files of the tree (copy_file_range, sendfile). */
import { INODE_SIZE, PAGE_SIZE } from '../../ringbuf/layout.gen.ts';
import { findRun, found } from './extents.ts';
import { blockOf, DATA_END, write, ZEROS } from './files.ts';
import { inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { getWide } from './wide.ts';

/**
 * Copies between two files, or within one where the ranges do not overlap → bytes copied (up to the
 * end of the source, fewer at ENOSPC) or -errno. Holes of the source are written as zeros.
 */
export function copyRange(
  store: Store,
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
): number {
  const word = inodeWord(store, from);
  const size = getWide(store.i32, word + INODE_SIZE);
  const bytes = Math.min(length, size - fromOffset);
  let done = 0;
  while (done < bytes) {
    const at = fromOffset + done;
    const inBlock = at % PAGE_SIZE;
    const data = at < DATA_END ? findRun(store, word, blockOf(at)) : 0;
    const here = at < DATA_END ? found.count * PAGE_SIZE - inBlock : bytes;
    const piece = Math.min(here, bytes - done);
    const written =
      data === 0
        ? write(store, to, toOffset + done, piece, ZEROS, 0)
        : write(
            store,
            to,
            toOffset + done,
            piece,
            store.dataSegment.id,
            data * PAGE_SIZE + inBlock,
          );
    if (written < 0) return done === 0 ? written : done;
    done += written;
    if (written < piece) break;
  }
  return done;
}
