import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const concurrency: Scenario = {
  name: 'many processes at once',
  script: 'concurrency',
  milliseconds: 120_000,
};
const permissions: Scenario = {
  name: 'what another user may do',
  script: 'permissions',
  needs: ['setpriv'],
};
const attributes: Scenario = {
  name: 'extended attributes and ACLs',
  script: 'attributes',
  needs: ['getfattr', 'getfacl', 'rsync', 'tar'],
};
const shells: Scenario = {
  name: 'other shells, editors and small tools',
  script: 'shells',
};
const maps: Scenario = {
  name: 'LMDB, mmap of Python, SQLite: files mapped by several processes',
  script: 'maps',
  needs: ['python3', 'sqlite3'],
};
const archives: Scenario = {
  name: 'archivers and compressors',
  script: 'archives',
};
const builds: Scenario = {
  name: 'cmake, ninja, rustc, node modules',
  script: 'builds',
  needs: ['gcc'],
  milliseconds: 120_000,
};

describe('others', () => {
  for (const scenario of [concurrency, shells, maps, archives, builds]) sameAsTmpfs(scenario);
  for (const scenario of [concurrency, shells]) neverReachesHost(scenario);
});

// Only root can become another user.
describe.skipIf(process.getuid?.() !== 0)('permissions', () => {
  for (const scenario of [permissions, attributes]) sameAsTmpfs(scenario);
  neverReachesHost(permissions);
});
