/** Who holds the lock of a ring segment, as the kernel tells it: looking disturbs nobody who takes it. */
import { readFileSync, statSync } from 'node:fs';

/** Process that holds flock(LOCK_EX) on the file; undefined: nobody in our pid namespace. */
export function lockHolder(path: string): number | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
    const match = /FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line);
    if (match !== null && Number(match[2]) === status.ino) return Number(match[1]);
  }
  return undefined;
}
