/**
 * Keeps the image directory bounded: what nobody has used for long goes, then the longest unused until the
 * rest fits. Removing an image harms nobody: who has it mapped keeps it, and who misses it asks for a new one.
 */
import { closeSync, lstatSync, openSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

const DAY_MS = 24 * 60 * 60 * 1000;
/** An image that no program has mapped for so long is of a file that has been replaced. */
export const UNUSED_DAYS = 30;
/** A name that a writer left when it was killed. */
const TEMPORARY_DAYS = 1;
export const IMAGES_BYTES_MAX = 4 * 1024 ** 3;
export const IMAGES_COUNT_MAX = 20_000;
/** Its time is that of the last look. */
const STAMP = 'pruned';

const OURS = /^[0-9a-z-]+\.(img|none)(\.\d+\.[0-9a-f]{8})?$/;

interface Found {
  readonly path: string;
  readonly size: number;
  readonly usedMs: number;
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Somebody else's directory: images may lie in one of root's.
  }
}

/** Removes what is too old or too much. Entries that are not ours stay. */
export function pruneImages(directory: string, nowMs: number = Date.now()): void {
  const kept: Found[] = [];
  for (const name of readdirSync(directory)) {
    const match = OURS.exec(name);
    if (match === null) continue;
    const path = join(directory, name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined || !status.isFile()) continue;
    const usedMs = Math.max(status.atimeMs, status.mtimeMs);
    const days = match[2] === undefined ? UNUSED_DAYS : TEMPORARY_DAYS;
    if (nowMs - usedMs > days * DAY_MS) remove(path);
    else kept.push({ path, size: status.size, usedMs });
  }
  kept.sort((a, b) => b.usedMs - a.usedMs);
  let bytes = 0;
  for (const [i, { path, size }] of kept.entries()) {
    bytes += size;
    if (i >= IMAGES_COUNT_MAX || bytes > IMAGES_BYTES_MAX) remove(path);
  }
}

/** The same, at most once a day for all sessions together; a directory that cannot be written is left alone. */
export function pruneDaily(directory: string, nowMs: number = Date.now()): void {
  const stamp = join(directory, STAMP);
  try {
    const last = lstatSync(stamp, { throwIfNoEntry: false });
    if (last !== undefined && nowMs - last.mtimeMs < DAY_MS) return;
    closeSync(openSync(stamp, 'a', 0o644));
    utimesSync(stamp, nowMs / 1000, nowMs / 1000);
    pruneImages(directory, nowMs);
  } catch {
    // It is house-keeping: no session fails for it.
  }
}
