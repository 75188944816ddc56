import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const tar: Scenario = {
  name: 'tar packs and unpacks over 1,000 files',
  script: 'tar',
  needs: ['tar', 'gzip'],
  // An archive of files that the scenario made: it holds their times.
  volatile: /\blinks\.tar$/,
  milliseconds: 120_000,
};
const git: Scenario = {
  name: 'git: commit, branch, merge, clone, push, gc',
  script: 'git',
  needs: ['git'],
  // The index holds inode numbers and times.
  volatile: /(^|\/)index$/,
  milliseconds: 120_000,
};
const sqlite: Scenario = {
  name: 'sqlite3: every journal mode, several writers',
  script: 'sqlite',
  needs: ['sqlite3'],
  // Change counters, random nonces of journals, page order of concurrent writers.
  volatile: /\.db(-wal|-shm|-journal)?$|dump\.sql$/,
  milliseconds: 120_000,
};
const gcc: Scenario = {
  name: 'gcc and make build programs that run in the tree',
  script: 'gcc',
  needs: ['gcc'],
  // Mapping a file gives it all its blocks at once, where tmpfs waits for the first touch.
  volatile: /\.o$|\bmapped$/,
  milliseconds: 120_000,
};

describe('tools', () => {
  for (const scenario of [tar, git, sqlite, gcc]) {
    sameAsTmpfs(scenario);
    neverReachesHost(scenario);
  }
});
