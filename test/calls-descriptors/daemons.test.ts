// A daemon outlives the command that started it, for as long as its session is up.
import { expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse, uniqueSession } from '../setup/run.ts';

test(
  'a daemon of one run goes on in the tree, and the next run sees it',
  needs('bash', 'setsid'),
  () => {
    const session = uniqueSession('daemons');
    const run = (script: string) =>
      btfuse(['run', '--session', session, '--mount', '/bt', '--', 'bash', '-c', script]);
    try {
      const daemon = `exec <&- >&- 2>&-; cd /bt; until [ -e asked ]; do sleep 0.01; done
      for i in 1 2 3; do echo $i >> written; done; mv asked answered`;
      expect(run(`(setsid bash -c '${daemon}' &); echo started`)).toMatchObject({
        stdout: 'started\n',
        stderr: '',
        status: 0,
      });
      const second = run(
        'cd /bt; : > asked; until [ -e answered ]; do sleep 0.01; done; cat written',
      );
      expect(second).toMatchObject({ stdout: '1\n2\n3\n', stderr: '', status: 0 });
    } finally {
      btfuse(['stop', session]);
    }
  },
);
