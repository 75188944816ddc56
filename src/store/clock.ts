/**
 * Time of day, fine-grained and cheap: performance.now() over a base that is compared with
 * CLOCK_REALTIME about once a second. It never goes backwards.
 */
import {
  INODE_ATIME,
  INODE_ATIMENSEC,
  INODE_CTIME,
  INODE_CTIMENSEC,
  INODE_MTIME,
  INODE_MTIMENSEC,
} from '../../ringbuf/layout.gen.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Memory, Store } from './store.ts';
import { setWide } from './wide.ts';

export const ATIME = 1;
export const MTIME = 2;
export const CTIME = 4;

const RECALIBRATE_MS = 1000;
const NS_PER_S = 1e9;

export interface Clock {
  baseSeconds: number;
  baseNanoseconds: number;
  /** performance.now() at the base. */
  baseMs: number;
}

export function createClock(memory: Pick<Memory, 'clockRealtime'>): Clock {
  const clock = { baseSeconds: 0, baseNanoseconds: 0, baseMs: 0 };
  calibrate(clock, memory);
  return clock;
}

function calibrate(clock: Clock, memory: Pick<Memory, 'clockRealtime'>): void {
  const real = memory.clockRealtime();
  clock.baseMs = performance.now();
  clock.baseSeconds = Number(real / 1000000000n);
  clock.baseNanoseconds = Number(real % 1000000000n);
}

/** Sets store.nowSeconds and store.nowNanoseconds. Called once per request. */
export function now(store: Store): void {
  const { clock } = store;
  let elapsed = performance.now() - clock.baseMs;
  if (elapsed > RECALIBRATE_MS) {
    calibrate(clock, store.memory);
    elapsed = 0;
  }
  const nanoseconds = clock.baseNanoseconds + Math.floor(elapsed * 1e6);
  const carry = Math.floor(nanoseconds / NS_PER_S);
  const seconds = clock.baseSeconds + carry;
  const rest = nanoseconds - carry * NS_PER_S;
  // A step back of the system's clock must not make a later change look older than an earlier one.
  if (seconds < store.nowSeconds) return;
  if (seconds === store.nowSeconds && rest < store.nowNanoseconds) return;
  store.nowSeconds = seconds;
  store.nowNanoseconds = rest;
}

/** Stamps the times in `which` (ATIME | MTIME | CTIME) with the time of now(store). */
export function touch(store: Store, ino: number, which: number): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  stamp(store, word, which);
  endWrite(store, word);
}

/** As touch, inside a beginWrite that is open already. */
export function stamp(store: Store, word: number, which: number): void {
  const { i32, nowSeconds, nowNanoseconds } = store;
  if (which & ATIME) {
    setWide(i32, word + INODE_ATIME, nowSeconds);
    i32[word + INODE_ATIMENSEC] = nowNanoseconds;
  }
  if (which & MTIME) {
    setWide(i32, word + INODE_MTIME, nowSeconds);
    i32[word + INODE_MTIMENSEC] = nowNanoseconds;
  }
  if (which & CTIME) {
    setWide(i32, word + INODE_CTIME, nowSeconds);
    i32[word + INODE_CTIMENSEC] = nowNanoseconds;
  }
}

/** Sets one of ATIME, MTIME, CTIME to a given time (utimensat). Seconds may be negative. */
export function setTime(
  store: Store,
  ino: number,
  which: number,
  seconds: number,
  nanoseconds: number,
): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const field = which === ATIME ? INODE_ATIME : which === MTIME ? INODE_MTIME : INODE_CTIME;
  const fraction =
    which === ATIME ? INODE_ATIMENSEC : which === MTIME ? INODE_MTIMENSEC : INODE_CTIMENSEC;
  beginWrite(store, word);
  setWide(i32, word + field, seconds);
  i32[word + fraction] = nanoseconds;
  endWrite(store, word);
}
