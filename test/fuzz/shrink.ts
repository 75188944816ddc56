/** Makes a failing program small: first without steps (delta debugging), then with plainer ones. */
import type { Program } from './side.ts';

export interface Shrinking {
  /** Does the program still fail? Several at once, so that a side can run them in one batch. */
  readonly fails: (programs: readonly Program[]) => Promise<boolean[]>;
  /** Plainer forms of one line, the plainest first. */
  readonly simpler: (line: string) => readonly string[];
  /** Epoch milliseconds after which the smallest program so far is taken. */
  readonly deadline: number;
}

export async function shrink(program: Program, shrinking: Shrinking): Promise<Program> {
  let smallest = program;
  for (let round = 0; round < 4; round++) {
    const before = smallest.join('\n');
    smallest = await withoutSteps(smallest, shrinking);
    smallest = await withPlainerSteps(smallest, shrinking);
    if (smallest.join('\n') === before || Date.now() > shrinking.deadline) break;
  }
  return smallest;
}

/** The first of the candidates that fails, or undefined. */
async function firstFailing(
  candidates: readonly Program[],
  shrinking: Shrinking,
): Promise<Program | undefined> {
  const BATCH = 16;
  for (let at = 0; at < candidates.length; at += BATCH) {
    if (Date.now() > shrinking.deadline) return undefined;
    const batch = candidates.slice(at, at + BATCH);
    const failing = await shrinking.fails(batch);
    const index = failing.indexOf(true);
    if (index >= 0) return batch[index];
  }
  return undefined;
}

async function withoutSteps(program: Program, shrinking: Shrinking): Promise<Program> {
  let current = program;
  let chunk = Math.ceil(current.length / 2);
  while (chunk >= 1) {
    const candidates: Program[] = [];
    // What follows the failure goes first: cut from the end.
    for (let end = current.length; end > 0; end -= chunk) {
      const start = Math.max(0, end - chunk);
      candidates.push([...current.slice(0, start), ...current.slice(end)]);
    }
    const smaller = await firstFailing(candidates, shrinking);
    if (smaller !== undefined) {
      current = smaller;
      chunk = Math.min(chunk, Math.max(1, Math.ceil(current.length / 2)));
    } else if (chunk === 1) break;
    else chunk = Math.ceil(chunk / 2);
    if (current.length === 0 || Date.now() > shrinking.deadline) break;
  }
  return current;
}

async function withPlainerSteps(program: Program, shrinking: Shrinking): Promise<Program> {
  let current = program;
  for (let at = 0; at < current.length; at++) {
    for (let changed = true; changed; ) {
      changed = false;
      const candidates = shrinking
        .simpler(current[at]!)
        .map((line) => current.map((other, index) => (index === at ? line : other)));
      const smaller = await firstFailing(candidates, shrinking);
      if (smaller === undefined) break;
      current = smaller;
      changed = true;
    }
  }
  return current;
}
