import { expect, test } from 'vitest';
import { programs } from './catalogue.ts';

test('fifty programs and more, each with a name of its own', () => {
  const names = programs.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(50);
});
