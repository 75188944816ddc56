import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const scenarios: readonly Scenario[] = [
  { name: 'fifos in scripts', script: 'fifos' },
  {
    name: 'Unix sockets: python, multiprocessing, node, ssh-agent',
    script: 'sockets',
    needs: ['python3', 'ssh-agent'],
  },
  { name: 'socat and netcat', script: 'socat', needs: ['socat', 'nc'] },
];

describe('fifos and sockets', () => {
  for (const scenario of scenarios) sameAsTmpfs(scenario);
  for (const scenario of scenarios) neverReachesHost(scenario);
});
