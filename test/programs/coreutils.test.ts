import { describe } from 'vitest';
import { neverReachesHost, sameAsTmpfs } from './compare.ts';

const scenarios = [
  { name: 'ls, stat, find, du', script: 'coreutils-listing' },
  { name: 'cp, mv, rm, install, ln', script: 'coreutils-copying' },
  { name: 'cat, tee, dd, truncate, split, sort, sed, diff', script: 'coreutils-contents' },
  { name: 'touch, chmod, chown, readlink, realpath, mktemp', script: 'coreutils-attributes' },
];

describe('coreutils', () => {
  for (const scenario of scenarios) sameAsTmpfs(scenario);
  for (const scenario of scenarios) neverReachesHost(scenario);
});
