/** The operations on a store behave as the kernel's tmpfs: same answers, same errnos, same metadata. */
import { afterEach, expect, test } from 'vitest';
import { Recorder } from './recorder.ts';
import { scenarios } from './scenarios.ts';
import { storeTarget, type Target, tmpfsTarget } from './targets.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root to act as other users';
let target: Target | undefined;

afterEach(() => {
  target?.dispose();
  target = undefined;
});

function record(make: () => Target, scenario: (t: Recorder) => void): string[] {
  target = make();
  const recorder = new Recorder(target);
  scenario(recorder);
  target.dispose();
  target = undefined;
  return recorder.log;
}

for (const [name, scenario] of Object.entries(scenarios)) {
  test.skipIf(needsRoot)(name, () => {
    const expected = record(tmpfsTarget, scenario);
    const actual = record(storeTarget, scenario);
    // A line that differs is shown with the step before it: what led there.
    const first = expected.findIndex((line, i) => line !== actual[i]);
    const around = (log: string[]): string[] => log.slice(Math.max(0, first - 3), first + 1);
    if (first >= 0) expect(around(actual)).toEqual(around(expected));
    expect(actual).toEqual(expected);
  });
}
