/** Libraries and programs that lie in the tree. */
import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const libraries: Scenario = {
  name: 'libraries: RUNPATH, RPATH, LD_LIBRARY_PATH, LD_PRELOAD, dlopen, C++',
  script: 'loading-libraries',
  needs: ['gcc', 'g++'],
  // Its RUNPATH holds the name of the directory.
  volatile: /^(\.\/)?bin\/absolute$/,
  milliseconds: 120_000,
};
const extensions: Scenario = {
  name: 'extensions of python, node and perl',
  script: 'loading-extensions',
  needs: ['gcc', 'python3', 'perl'],
  milliseconds: 120_000,
};
const sanitizers: Scenario = {
  name: 'sanitizers and other allocators',
  script: 'loading-sanitizers',
  needs: ['gcc', 'setarch', 'python3'],
  milliseconds: 120_000,
};
const executing: Scenario = {
  name: 'executing: again, by name, replaced, written to, refused, all at once',
  script: 'executing',
  needs: ['gcc', 'python3'],
  milliseconds: 120_000,
};

const ownCalls: Scenario = {
  name: 'system calls of their own: several segments, no room, no build-id, any name',
  script: 'loading-own-calls',
  needs: ['gcc', 'readelf'],
  milliseconds: 120_000,
};

describe('loading', () => {
  sameAsTmpfs(libraries);
  neverReachesHost(libraries);
  sameAsTmpfs(extensions);
  sameAsTmpfs(sanitizers);
  sameAsTmpfs(executing);
  sameAsTmpfs(ownCalls);
  neverReachesHost(ownCalls);
});
