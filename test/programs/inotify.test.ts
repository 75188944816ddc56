import { describe } from 'vitest';
import { neverReachesHost, type Scenario, sameAsTmpfs } from './compare.ts';

const scenarios: readonly Scenario[] = [
  {
    name: 'inotifywait, tail -f and -F, node fs.watch',
    script: 'inotify',
    needs: ['inotifywait', 'tail', 'node'],
    milliseconds: 40_000,
  },
  {
    name: 'pyinotify and watchdog',
    script: 'watchdog',
    needs: [
      '/usr/bin/python3',
      '/usr/lib/python3/dist-packages/pyinotify.py',
      '/usr/lib/python3/dist-packages/watchdog/__init__.py',
    ],
    milliseconds: 40_000,
  },
];
describe('programs that watch files', () => {
  for (const scenario of scenarios) sameAsTmpfs(scenario);
  for (const scenario of scenarios) neverReachesHost(scenario);
});
