// clang-format over our C++: rewrites, or with --check only reports. Without clang-format installed it
// says so and passes, so that a machine without it can still lint the rest.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['preload', 'ringbuf', 'mount', 'bench', 'test'];
const check = process.argv.includes('--check');

const files = readdirSync(root, { recursive: false })
  .filter((name) => folders.includes(name))
  .flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true })
      .filter((name) => /\.(cpp|cc|h)$/.test(name) && !name.includes('.gen.'))
      .map((name) => `${folder}/${name}`),
  );

const mode = check ? ['--dry-run', '--Werror'] : ['-i'];
const { status, error } = spawnSync('clang-format', [...mode, ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (error?.code === 'ENOENT') {
  console.log('clang-format is not installed: C++ formatting not checked');
} else if (error) {
  throw error;
} else {
  process.exitCode = status ?? 1;
}
