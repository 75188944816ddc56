/**
 * How the idle server sleeps until the bell rings. Both behave the same; `futex` is the default because
 * it wakes sooner (D4): the kernel wakes the serving thread itself.
 */
import { Worker } from 'node:worker_threads';
import { PAGE_SIZE, RING_HEADER_BELL, RING_HEADER_SERVER_CPU } from './layout.gen.ts';
import type { Native } from './native.ts';
import type { Segment } from './segment.ts';

const BELL = PAGE_SIZE / 4 + RING_HEADER_BELL;
const SERVER_CPU = PAGE_SIZE / 4 + RING_HEADER_SERVER_CPU;

export type WaiterKind = 'futex' | 'atomics';

export interface Waiter {
  readonly kind: WaiterKind;
  /** Sleeps while the bell holds `bell`. False when only the time ran out. */
  wait(bell: number, timeoutUs: number): boolean;
  close(): void;
}

export function createWaiter(kind: WaiterKind, segment: Segment, native: Native): Waiter {
  return kind === 'futex' ? futexWaiter(segment, native) : atomicsWaiter(segment, native);
}

function futexWaiter(segment: Segment, native: Native): Waiter {
  return {
    kind: 'futex',
    wait: (bell, timeoutUs) =>
      native.futexWait(segment.id, BELL * 4, bell, timeoutUs) === 0 ||
      Atomics.load(segment.i32, BELL) !== bell,
    close() {},
  };
}

/** Words that the serving thread shares with its doorbell thread. */
export const DOORBELL_READY = 0;
export const DOORBELL_CLOSING = 1;

export interface DoorbellData {
  readonly fd: number;
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly bellWord: number;
  readonly cpuWord: number;
}

const READY_TIMEOUT_MS = 10_000;

/**
 * Atomics.wait does not sleep on a kernel futex, so no other process can end it. A doorbell thread sleeps
 * on the bell in the kernel and notifies.
 */
function atomicsWaiter(segment: Segment, native: Native): Waiter {
  const control = new Int32Array(new SharedArrayBuffer(8));
  const data: DoorbellData = {
    fd: segment.fd,
    size: segment.size,
    buffer: segment.buffer,
    control: control.buffer,
    bellWord: BELL,
    cpuWord: SERVER_CPU,
  };
  const doorbell = new Worker(new URL('./doorbell.ts', import.meta.url), { workerData: data });
  doorbell.unref();
  if (Atomics.wait(control, DOORBELL_READY, 0, READY_TIMEOUT_MS) === 'timed-out') {
    throw new Error('The doorbell thread did not start (BTFUSE_ERR_WORKER).');
  }
  return {
    kind: 'atomics',
    wait: (bell, timeoutUs) =>
      Atomics.wait(segment.i32, BELL, bell, timeoutUs / 1000) !== 'timed-out',
    close() {
      Atomics.store(control, DOORBELL_CLOSING, 1);
      Atomics.add(segment.i32, BELL, 1);
      native.futexWake(segment.id, BELL * 4, 0x7fffffff);
    },
  };
}
