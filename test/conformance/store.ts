/**
 * Cases on the store alone: those whose every line is a call that its operations have (test/operations/targets.ts). The
 * language without structures, and answers as the driver gives them.
 */
import { constants } from 'node:fs';
import { type Stat, storeTarget, type Target } from '../operations/targets.ts';
import type { Case } from './case.ts';
import type { Log } from './run.ts';

type Value = string | number;
interface Call {
  readonly line: string;
  readonly variable: string | undefined;
  readonly name: string;
  readonly args: readonly string[];
}

const LINE = /^(?:(\w+) = )?(\w+)\((.*)\)$/;
/** An empty path is refused before the store hears of it. */
const ARGUMENT = /^("[^"\\$]+"|-?\d+|\w+(\|\w+)*)$/;
const LIMITS = { bytes: 8 << 20, inodes: 2048 };
/** Longer than the store's clock takes to show another time. */
const TICK_MS = 2;
const flags: Readonly<Record<string, number>> = { ...constants, O_PATH: 0o10000000 };

export function runOnStore({ lines }: Case): Log | undefined {
  const calls = lines.map(parse);
  if (!calls.every((call) => call !== undefined)) return undefined;
  const run = new Run(storeTarget(LIMITS));
  try {
    const last = calls.at(-1)?.name === 'changes' ? [] : [parse('changes') as Call];
    return [...calls, ...last].flatMap((call) => run.perform(call));
  } finally {
    run.target.dispose();
  }
}

/** undefined: not for the store. */
function parse(line: string): Call | undefined {
  if (line === 'snapshot' || line === 'changes')
    return { line, variable: undefined, name: line, args: [] };
  const [, variable, name = '', list = ''] = LINE.exec(line) ?? [];
  const args = list === '' ? [] : list.split(', ');
  if (!(name in operations) || !args.every((arg) => ARGUMENT.test(arg))) return undefined;
  // Descriptors that the driver came with are not the store's.
  if (args.some((arg) => /^[012]$/.test(arg)) && name === 'close') return undefined;
  // What lies behind a fifo is the kernel's, and trees of the store show no device numbers.
  if (name === 'open' && list.includes('fifo')) return undefined;
  if (name === 'mknod' && args.length > 2) return undefined;
  const words = args.filter((arg) => /^[A-Z]/.test(arg)).flatMap((arg) => arg.split('|'));
  if (!words.every((word) => word in flags || /^\d+$/.test(word))) return undefined;
  return { line, variable, name, args };
}

class Run {
  readonly target: Target;
  readonly #variables = new Map<string, number>();
  /** Handles by descriptor number. */
  readonly #open: (number | undefined)[] = [0, 0, 0];
  #seen = new Map<number, readonly bigint[]>();
  mask = 0o22;

  constructor(target: Target) {
    this.target = target;
    target.umask(this.mask);
  }

  handle(descriptor: Value | undefined): number {
    const handle = typeof descriptor === 'number' ? this.#open[descriptor] : undefined;
    if (handle === undefined) throw Object.assign(new Error(), { code: 'EBADF' });
    return handle;
  }
  install(handle: number): number {
    const free = this.#open.indexOf(undefined);
    const number = free < 0 ? this.#open.length : free;
    this.#open[number] = handle;
    return number;
  }
  close(descriptor: Value | undefined): void {
    this.target.close(this.handle(descriptor));
    this.#open[descriptor as number] = undefined;
  }

  perform({ line, variable, name, args }: Call): string[] {
    if (name === 'snapshot' || name === 'changes') return [`${line} → tree`, ...this.#tree(name)];
    let answer: string | number;
    try {
      const values = args.map((arg) => this.#value(arg));
      answer = operations[name]?.(this, values) ?? 0;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      answer = `-${code}`;
    }
    if (variable !== undefined)
      this.#variables.set(variable, typeof answer === 'number' ? answer : -1);
    return [`${line} → ${answer}`];
  }

  #value(arg: string): Value {
    if (arg.startsWith('"')) return arg.slice(1, -1);
    return arg.split('|').reduce((sum, word) => sum | this.#word(word), 0);
  }
  #word(word: string): number {
    if (/^0\d/.test(word)) return Number.parseInt(word, 8);
    if (/^-?\d/.test(word)) return Number(word);
    return flags[word] ?? this.#variables.get(word) ?? -1;
  }

  #tree(name: string): string[] {
    const names = new Map<number, string>();
    const look = (path: string): Stat => this.target.lstat(path === '' ? '.' : path);
    const entries = this.#entries('');
    const shown = entries.map(([path, stat]) => {
      const old = this.#seen.get(stat.ino);
      const moved = [...'amc'].filter((_, i) => old?.[i] !== stat.times[i]).join('');
      const known = names.get(stat.ino);
      names.set(stat.ino, known ?? path);
      const what = known === undefined ? this.#entry(path, stat) : ` is "${known}"`;
      return `  "${path || '.'}"${what}${old === undefined ? ' new' : ` moved=${moved}`}`;
    });
    if (name === 'snapshot') {
      // Anew: looking has moved atime.
      const stats = entries.map(([path]) => look(path));
      this.#seen = new Map(stats.map(({ ino, times }) => [ino, times]));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TICK_MS);
    }
    return shown;
  }

  #entry(path: string, stat: Stat): string {
    const { mode, nlink, uid, gid, size, blocks } = stat;
    const target = (mode & 0o170000) === 0o120000 ? ` -> "${this.target.readlink(path)}"` : '';
    const entry = ` mode=${mode.toString(8)} nlink=${nlink} uid=${uid} gid=${gid} size=${size}`;
    return `${entry} blocks=${blocks}${target}`;
  }

  /** The directory and all below, as they were before they were read; names sorted. */
  #entries(directory: string): (readonly [path: string, stat: Stat])[] {
    const here = directory === '' ? '.' : directory;
    const stat = this.target.lstat(here);
    if ((stat.mode & 0o170000) !== 0o040000) return [[directory, stat]];
    const below = this.target
      .readdir(here)
      .sort()
      .flatMap((name) => this.#entries(directory === '' ? name : `${directory}/${name}`));
    return [[directory, stat], ...below];
  }
}

function showStat({ mode, nlink, uid, gid, size, blocks }: Stat): string {
  return `0 mode=${mode.toString(8)} nlink=${nlink} uid=${uid} gid=${gid} size=${size} blocks=${blocks}`;
}

type Operation = (run: Run, args: readonly Value[]) => string | number | undefined;

/** For calls with a path first and no other answer than 0. */
function plain(perform: (target: Target, ...args: never[]) => void): Operation {
  return ({ target }, args) => {
    perform(target, ...(args as never[]));
    return 0;
  };
}

const operations: Readonly<Record<string, Operation>> = {
  umask(run, [mask]) {
    const before = run.mask;
    run.mask = Number(mask) & 0o777;
    run.target.umask(run.mask);
    return before;
  },
  open: (run, [path, how, mode = 0]) =>
    run.install(run.target.open(String(path), Number(how), Number(mode))),
  close: (run, [descriptor]) => void run.close(descriptor),
  write: (run, [f, text]) => run.target.write(run.handle(f), String(text), null),
  pwrite: (run, [f, text, at]) => run.target.write(run.handle(f), String(text), Number(at)),
  ftruncate: (run, [f, size]) => void run.target.ftruncate(run.handle(f), Number(size)),
  fchmod: (run, [f, mode]) => void run.target.fchmod(run.handle(f), Number(mode)),
  fstat: (run, [f]) => showStat(run.target.fstat(run.handle(f))),
  stat: ({ target }, [path]) => showStat(target.stat(String(path))),
  lstat: ({ target }, [path]) => showStat(target.lstat(String(path))),
  mkdir: plain((target, path, mode) => target.mkdir(path, mode)),
  mknod: plain((target, path, mode) => target.mknod?.(path, mode)),
  rmdir: plain((target, path) => target.rmdir(path)),
  unlink: plain((target, path) => target.unlink(path)),
  rename: plain((target, from, to) => target.rename(from, to)),
  link: plain((target, from, to) => target.link(from, to)),
  symlink: plain((target, text, path) => target.symlink(text, path)),
  chmod: plain((target, path, mode) => target.chmod(path, mode)),
  chown: plain((target, path, uid, gid) => target.chown(path, uid, gid)),
  lchown: plain((target, path, uid, gid) => target.lchown(path, uid, gid)),
};
