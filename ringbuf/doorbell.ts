/**
 * The doorbell thread of the `atomics` waiter: sleeps in the kernel on the ring's bell and passes every
 * ring on to the serving thread's Atomics.wait. Kept on the serving thread's CPU, where waking it is cheap.
 */
import { workerData } from 'node:worker_threads';
import { native } from './native.ts';
import { DOORBELL_CLOSING, DOORBELL_READY, type DoorbellData } from './waiters.ts';

/** The process cannot end while this thread is in the kernel. */
const SLICE_US = 200_000;

const { fd, size, buffer, control, bellWord, cpuWord } = workerData as DoorbellData;
const words = new Int32Array(buffer, 0, size / 4);
const flags = new Int32Array(control);
const addon = native();
const everywhere = addon.getAffinity(0);
const segment = addon.map(fd, size);
if (segment < 0) throw new Error(`Cannot map the ring in the doorbell thread: ${segment}`);

let cpu = -1;
function follow(): void {
  const wanted = words[cpuWord];
  if (wanted === cpu) return;
  cpu = wanted;
  const mask = everywhere & (1n << BigInt(wanted & 63));
  addon.setAffinity(0, mask === 0n ? everywhere : mask);
}

// `seen` is what the serving thread has been told of. Reading the bell anew before the wait would lose a
// ring that came between the notification and that reading.
let seen = Atomics.load(words, bellWord);
Atomics.store(flags, DOORBELL_READY, 1);
Atomics.notify(flags, DOORBELL_READY);
while (Atomics.load(flags, DOORBELL_CLOSING) === 0) {
  const bell = Atomics.load(words, bellWord);
  if (bell !== seen) {
    seen = bell;
    Atomics.notify(words, bellWord);
    continue;
  }
  follow();
  addon.futexWait(segment, bellWord * 4, seen, SLICE_US);
}
addon.unmap(segment);
