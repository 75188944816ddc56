/**
 * Starts the driver on a directory of the kernel's tmpfs or in the tree of a session, and exchanges lines with it.
 * README.md has the language.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bin, root } from '../setup/run.ts';

const sources = fileURLToPath(new URL('.', import.meta.url));

export interface Driver {
  /** Sends the lines at once; resolves with one answer for each. */
  exchange(lines: readonly string[]): Promise<string[]>;
  /** Ends the program, and the session when it has one of its own. */
  close(): Promise<void>;
  /** Where the cases' directories are. */
  readonly base: string;
}

/** The program, compiled once for these sources. */
export function driverProgram(): string {
  const files = readdirSync(sources).filter((name) => /\.[ch]$/.test(name));
  const hash = createHash('sha256');
  for (const name of files) hash.update(name).update(readFileSync(`${sources}${name}`));
  const folder = `${root}build/driver`;
  const program = `${folder}/driver-${hash.digest('hex').slice(0, 16)}`;
  if (existsSync(program)) return program;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  const c = files.filter((name) => name.endsWith('.c')).map((name) => `${sources}${name}`);
  // The kernel is handed what a compiler warns of; that is the purpose.
  const args = ['-O1', '-w', '-pthread', ...c, '-o', unfinished];
  const made = spawnSync('gcc', args, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`gcc: ${made.error?.message ?? made.stderr}`);
  renameSync(unfinished, program);
  return program;
}

/** In a fresh directory of /dev/shm, which everybody may search. */
export function startOnTmpfs(): Driver {
  const base = mkdtempSync('/dev/shm/bt-');
  chmodSync(base, 0o755);
  const driver = startDriver([placedProgram(base), base], base);
  const close = async (): Promise<void> => {
    await driver.close();
    rmSync(base, { recursive: true, force: true });
    rmSync(`${base}.program`, { recursive: true, force: true });
  };
  return { ...driver, close };
}

/** Under `btfuse run`, in a session of its own unless the options name one. */
export function startInTree(options: readonly string[] = []): Driver {
  // As long as the other's, so that what holds a path has one size.
  const base = `/dev/shm/bt-${Math.random().toString(36).slice(2, 8).padEnd(6, 'x')}`;
  const run = [process.execPath, bin, 'run', '--mount', base, ...options];
  const driver = startDriver([...run, '--', placedProgram(base), base], base);
  const close = async (): Promise<void> => {
    await driver.close();
    rmSync(`${base}.program`, { recursive: true, force: true });
  };
  return { ...driver, close };
}

/** A copy that users without rights reach too: `exec` is theirs as well. */
function placedProgram(base: string): string {
  const folder = `${base}.program`;
  mkdirSync(folder, { mode: 0o755 });
  chmodSync(folder, 0o755);
  const copied = spawnSync('cp', [driverProgram(), `${folder}/driver`]);
  if (copied.status !== 0) throw new Error('cp failed');
  chmodSync(`${folder}/driver`, 0o755);
  return `${folder}/driver`;
}

function startDriver(command: readonly string[], base: string): Driver {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
  return connect(child as ChildProcessWithoutNullStreams, base);
}

function connect(child: ChildProcessWithoutNullStreams, base: string): Driver {
  const waiting: { count: number; lines: string[]; resolve(lines: string[]): void }[] = [];
  let unfinished = '';
  let errors = '';
  let ended = false;
  const end = new Promise<void>((resolve) => {
    child.on('close', (status, signal) => {
      ended = true;
      const why = `driver ended: ${signal ?? status} ${errors.trim()}`;
      for (const { count, lines, resolve } of waiting.splice(0))
        resolve([...lines, ...Array<string>(count - lines.length).fill(why)]);
      resolve();
    });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (unfinished + text).split('\n');
    unfinished = lines.pop() ?? '';
    for (const line of lines) {
      const first = waiting[0];
      if (first === undefined) continue;
      first.lines.push(line);
      if (first.lines.length < first.count) continue;
      waiting.shift();
      first.resolve(first.lines);
    }
  });
  return {
    base,
    exchange: (lines) =>
      new Promise((resolve) => {
        if (lines.length === 0) return resolve([]);
        if (ended) return resolve(lines.map(() => `driver ended ${errors.trim()}`));
        waiting.push({ count: lines.length, lines: [], resolve });
        child.stdin.write(`${lines.join('\n')}\n`);
      }),
    close: async () => {
      child.stdin.end();
      await end;
    },
  };
}
