/**
 * For tests that run real programs: `describe('git', needs('git'), () => { … })`.
 *
 * debian.ts has installed what it could before the first test; what is missing now skips the test
 * and says so.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, globSync, statSync } from 'node:fs';

const told = new Set<string>();

export function needs(...programs: readonly string[]): { skip: boolean } {
  const missing = programs.filter((program) => !isInstalled(program));
  for (const program of missing) {
    if (told.has(program)) continue;
    told.add(program);
    console.log(`skipped: needs ${program}`);
  }
  return { skip: missing.length > 0 };
}

/** Is it an executable file on PATH? A pattern of whole paths asks for any file that matches. */
export function isInstalled(program: string): boolean {
  if (program.startsWith('/')) return globSync(program).length > 0;
  return (process.env.PATH ?? '').split(':').some((directory) => {
    const path = `${directory || '.'}/${program}`;
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** For tests that put a file system of their own over a folder: root, and allowed to mount. */
export function needsMounts(): { skip: boolean } {
  const args = ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'];
  const skip = !isInstalled('unshare') || spawnSync('unshare', args).status !== 0;
  if (skip && !told.has('mounts')) {
    told.add('mounts');
    console.log('skipped: needs root and mount namespaces');
  }
  return { skip };
}
