import { describe } from 'vitest';
import { neverReachesHost, sameAsTmpfs } from './compare.ts';

describe('bash', () => {
  sameAsTmpfs({ name: 'redirections', script: 'bash-redirections' });
  sameAsTmpfs({ name: 'globs, here-documents, substitutions', script: 'bash-expansion' });
  sameAsTmpfs({ name: 'cd, pwd, directory stack', script: 'bash-directories' });
  sameAsTmpfs({ name: 'test operators', script: 'bash-conditions' });
  sameAsTmpfs({
    name: 'redirections, with --wait atomics',
    script: 'bash-redirections',
    options: ['--wait', 'atomics'],
  });
  neverReachesHost({ name: 'redirections', script: 'bash-redirections' });
  neverReachesHost({ name: 'globs, here-documents, substitutions', script: 'bash-expansion' });
  neverReachesHost({ name: 'cd, pwd, directory stack', script: 'bash-directories' });
});
