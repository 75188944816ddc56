/**
 * The table of loaded objects that need no image (RING_OBJECTS_OFFSET): programs look there before they ask, at
 * each start and for each library.
 */
import { OBJECTS_MAX, OBJECTS_PROBES, RING_OBJECTS_OFFSET } from '../../ringbuf/layout.gen.ts';

const KEY_BYTES = 8;

/** `ring`: the words of the ring segment. A full table forgets: the next program asks again. */
export function rememberExempt(ring: Int32Array, buildId: Uint8Array): void {
  if (buildId.length < KEY_BYTES) return;
  const view = new DataView(buildId.buffer, buildId.byteOffset, KEY_BYTES);
  const low = view.getInt32(0, true) | 1;
  const high = view.getInt32(4, true);
  for (let probe = 0; probe < OBJECTS_PROBES; probe++) {
    const word = RING_OBJECTS_OFFSET / 4 + (((high >>> 0) + probe) % OBJECTS_MAX) * 2;
    if (ring[word] === low && ring[word + 1] === high) return;
    if (ring[word] !== 0) continue;
    // The lowest bit last: without it the entry counts for nobody.
    Atomics.store(ring, word + 1, high);
    Atomics.store(ring, word, low);
    return;
  }
}
