import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const python: Scenario = {
  name: 'python3: os, shutil, tempfile, sqlite3, mmap, multiprocessing',
  script: 'python',
  needs: ['python3'],
  // Databases differ in their counters. A mapped file has all its blocks at once, where tmpfs waits
  // for the first touch.
  volatile: /^(\.\/)?(db|rollback|map)$/,
  milliseconds: 120_000,
};
const node: Scenario = {
  name: 'node: fs, fs/promises, streams, children, workers',
  script: 'node',
};
const perl: Scenario = {
  name: 'perl and awk',
  script: 'perl-awk',
  needs: ['perl', 'awk'],
};

describe('languages', () => {
  for (const scenario of [python, node, perl]) {
    sameAsTmpfs(scenario);
    neverReachesHost(scenario);
  }
});
