/** The consistency check of a store: every invariant that the tables must keep. */
import type { Store } from './store.ts';

/** Looks at everything → one sentence per fault; empty when the store is sound. */
export function checkStore(store: Store): string[] {
  throw new Error(`not written yet: ${[store].length}`);
}
