/**
 * Is a file mapped still? A description counts as mapping its file from its first map to its end
 * (noteMapping); when blocks of the file are about to go, this looks whether any map is left. A process
 * lists the description before it maps, and until after it has unmapped.
 */
import {
  FDS_MAX,
  MAPPINGS_MAX,
  PROCESS_MAPPING_LIMIT,
  PROCESS_RECORD_WORDS,
  PROCESS_STATE,
  PROCESS_STATE_FREE,
  PROCESSES_MAX,
  RING_FD_TABLE_SIZE,
  RING_FD_TABLES_OFFSET,
  RING_PROCESSES_OFFSET,
} from '../../ringbuf/layout.gen.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import type { Store } from '../store/store.ts';
import { type Descriptions, forgetMapping, mappingDescriptions } from './descriptions.ts';

/** Sets store.settleMaps. */
export function watchMaps(store: Store, ring: Segment, descriptions: Descriptions): void {
  store.settleMaps = (ino) => {
    for (const id of mappingDescriptions(descriptions, ino)) {
      let mapped = false;
      for (let process = 1; process < PROCESSES_MAX && !mapped; process++) {
        mapped = lists(store, ring, process, id);
      }
      if (!mapped) forgetMapping(descriptions, id);
    }
  };
}

function lists(store: Store, ring: Segment, process: number, id: number): boolean {
  const { i32 } = ring;
  const word = RING_PROCESSES_OFFSET / 4 + process * PROCESS_RECORD_WORDS;
  if (Atomics.load(i32, word + PROCESS_STATE) === PROCESS_STATE_FREE) return false;
  const limit = Math.min(i32[word + PROCESS_MAPPING_LIMIT] >>> 0, MAPPINGS_MAX);
  if (limit === 0) return false;
  const first = (RING_FD_TABLES_OFFSET + process * RING_FD_TABLE_SIZE) / 4 + FDS_MAX;
  // A client may lie about its limit: what is not backed would be SIGBUS. It counts as mapped then.
  if (store.memory.allocate(ring.fd, first * 4, limit * 4) !== 0) return true;
  for (let i = 0; i < limit; i++) if (Atomics.load(i32, first + i) === id) return true;
  return false;
}
