/** Cases on the store alone: those whose every call its operations have. */
import type { Case } from './case.ts';
import type { Log } from './run.ts';

export function runOnStore(_one: Case): Log | undefined {
  return undefined;
}
