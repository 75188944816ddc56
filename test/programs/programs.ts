import { describe } from 'vitest';
import { type Program, programs } from './catalogue.ts';
import { sameAsTmpfs } from './compare.ts';

/** The cases of one group, in a test file of their own so that groups run side by side. */
export function group(name: Program['group']): void {
  describe('programs', () => {
    for (const program of programs) {
      if (program.group !== name || program.test !== undefined) continue;
      sameAsTmpfs({ ...program, script: program.script ?? `real/${program.name}` });
    }
  });
}
