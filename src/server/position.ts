/**
 * The offset of a description, which clients move too, at the same time and without asking (ADR 6, 7): every
 * change is one atomic step on all 64 bits, so that no two transfers get the same place.
 */
import { DESCRIPTION_STATE_POSITION } from '../../ringbuf/layout.gen.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { getWide } from '../store/wide.ts';
import { stateWord } from './descriptions.ts';

/** A transfer that finds the offset moved so often while it was at work takes it as it comes. */
export const POSITION_TRIES = 64;

const views = new WeakMap<SharedArrayBuffer, BigInt64Array<SharedArrayBuffer>>();

function wordsOf(ring: Segment): BigInt64Array<SharedArrayBuffer> {
  let view = views.get(ring.buffer);
  if (view === undefined) {
    view = new BigInt64Array(ring.buffer);
    views.set(ring.buffer, view);
  }
  return view;
}

const indexOf = (description: number): number =>
  (stateWord(description) + DESCRIPTION_STATE_POSITION) / 2;

/** Where the offset is. */
export function positionOf(ring: Segment, description: number): number {
  return getWide(ring.i32, stateWord(description) + DESCRIPTION_STATE_POSITION);
}

/** Moves the offset on by `length` → where it was: that place is the caller's alone. */
export function claimPosition(ring: Segment, description: number, length: number): number {
  return Number(Atomics.add(wordsOf(ring), indexOf(description), BigInt(length)));
}

/** Moves the offset from `from` to `to` → false when it is no longer at `from`. */
export function movePosition(
  ring: Segment,
  description: number,
  from: number,
  to: number,
): boolean {
  const expected = BigInt(from);
  return (
    Atomics.compareExchange(wordsOf(ring), indexOf(description), expected, BigInt(to)) === expected
  );
}
