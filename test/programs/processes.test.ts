import { describe } from 'vitest';
import { sameAsTmpfs } from './compare.ts';

describe('processes', () => {
  sameAsTmpfs({
    name: 'python, node and perl pools, env -i, another user, a user namespace, allocators, a daemon',
    script: 'processes',
    needs: ['python3', 'perl', 'setpriv', 'unshare', 'stdbuf', 'setsid'],
  });
});
