/**
 * Which shadows are watched still (ADR 17)? A program has removed its watch, closed its descriptor or was killed:
 * only the kernel knows, and it tells in /proc/PID/fdinfo.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import {
  PROCESS_PID,
  PROCESS_STATE,
  PROCESS_STATE_LIVE,
  PROCESSES_MAX,
} from '../../ringbuf/layout.gen.ts';
import { processWord } from './request.ts';
import { attempt, dropShadow, type Notifier } from './shadows.ts';

/** One look in so many sweeps (of 250 ms): a shadow that nobody watches lives for some seconds. */
const SWEEPS_PER_LOOK = 6;
const LOOKS = 2;
const WATCH_LINE = /^inotify wd:\S+ ino:([0-9a-f]+)/gm;

/** Shadows that no inotify descriptor of the session watches go. */
export function sweepWatches(notifier: Notifier): void {
  if (!notifier.active || ++notifier.looks % SWEEPS_PER_LOOK !== 0) return;
  const watched = watchedInodes(notifier.ring);
  for (const [ino, shadow] of notifier.shadows) {
    if (watched === undefined || watched.has(shadow.hostInode)) shadow.unwatched = 0;
    else if (++shadow.unwatched >= LOOKS) dropShadow(notifier, ino);
  }
}

/** Inode numbers of the host that processes of the session watch; undefined: that cannot be known. */
function watchedInodes(ring: Int32Array): Set<number> | undefined {
  const watched = new Set<number>();
  for (let process = 1; process < PROCESSES_MAX; process++) {
    const word = processWord(process);
    if (Atomics.load(ring, word + PROCESS_STATE) !== PROCESS_STATE_LIVE) continue;
    const pid = ring[word + PROCESS_PID];
    if (pid > 0 && !addWatched(`/proc/${pid}`, watched)) return undefined;
  }
  return watched;
}

/** False when the process does not let us look. */
function addWatched(process: string, watched: Set<number>): boolean {
  let fds: string[];
  try {
    fds = readdirSync(`${process}/fd`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
  for (const fd of fds) {
    // Closed meanwhile, or not ours to see: then it is not watched either way.
    const link = attempt(() => readlinkSync(`${process}/fd/${fd}`));
    if (link === undefined || !link.includes('inotify')) continue;
    const text = attempt(() => readFileSync(`${process}/fdinfo/${fd}`, 'latin1')) ?? '';
    for (const [, inode] of text.matchAll(WATCH_LINE)) watched.add(Number.parseInt(inode!, 16));
  }
  return true;
}
