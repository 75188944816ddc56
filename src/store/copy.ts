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

/** Pages that sendfile(2) has in its pipe at a time. */
const PIPE_PAGES = 16;

/**
 * Copies within one file where the ranges may meet → as copyRange. As the kernel's sendfile does it: up
 * to a pipe of pages at a time, front to back, each page as it stands when its turn comes, holes as they
 * were when the pipe was filled; and what was written behind the end is read as well.
 */
export function copyWithin(
  store: Store,
  ino: number,
  fromOffset: number,
  toOffset: number,
  length: number,
): number {
  const word = inodeWord(store, ino);
  const pages = new Uint32Array(PIPE_PAGES);
  let done = 0;
  while (done < length) {
    const at = fromOffset + done;
    const inBlock = at % PAGE_SIZE;
    const rest = getWide(store.i32, word + INODE_SIZE) - at;
    const bytes = Math.min(length - done, PIPE_PAGES * PAGE_SIZE - inBlock, rest);
    if (bytes <= 0) break;
    for (let page = 0; page * PAGE_SIZE < inBlock + bytes; page++) {
      const block = blockOf(at) + page;
      pages[page] = block * PAGE_SIZE < DATA_END ? findRun(store, word, block) : 0;
    }
    const written = copyPages(store, ino, pages, inBlock, toOffset + done, bytes);
    if (written < 0) return done === 0 ? written : done;
    done += written;
    if (written < bytes) break;
  }
  return done;
}

/** Writes `bytes` bytes that begin at `inFirst` of the first of these data blocks (0: zeros). */
function copyPages(
  store: Store,
  ino: number,
  pages: Uint32Array,
  inFirst: number,
  toOffset: number,
  bytes: number,
): number {
  let done = 0;
  while (done < bytes) {
    const from = inFirst + done;
    const inBlock = from % PAGE_SIZE;
    const toEnd = PAGE_SIZE - ((toOffset + done) % PAGE_SIZE);
    const piece = Math.min(bytes - done, PAGE_SIZE - inBlock, toEnd);
    const data = pages[Math.floor(from / PAGE_SIZE)];
    const segment = data === 0 ? ZEROS : store.dataSegment.id;
    const written = write(store, ino, toOffset + done, piece, segment, data * PAGE_SIZE + inBlock);
    if (written < 0) return done === 0 ? written : done;
    done += written;
    if (written < piece) break;
  }
  return done;
}
