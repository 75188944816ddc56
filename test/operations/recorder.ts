/** Runs a scenario on a target and writes down what every call answered. */
import { root, type Stat, type Target, type Who } from './targets.ts';

/** Longer than a tick of the kernel's coarse clock, which atime is taken from. */
const TICK_MS = 6;

export class Recorder {
  readonly log: string[] = [];
  readonly target: Target;
  constructor(target: Target) {
    this.target = target;
  }

  #note<T>(call: string, perform: () => T, show: (value: T) => string = () => 'ok'): T | undefined {
    try {
      const value = perform();
      this.log.push(`${call} → ${show(value)}`);
      return value;
    } catch (error) {
      this.log.push(`${call} → ${(error as { code?: string }).code ?? String(error)}`);
      return undefined;
    }
  }

  as(who: Who): void {
    this.log.push(`as ${who.uid}:${who.gid}`);
    this.target.become(who);
  }
  asRoot(): void {
    this.as(root);
  }
  umask(mask: number): void {
    this.target.umask(mask);
  }
  mkdir(path: string, mode = 0o755): void {
    this.#note(`mkdir ${path} ${oct(mode)}`, () => this.target.mkdir(path, mode));
  }
  rmdir(path: string): void {
    this.#note(`rmdir ${path}`, () => this.target.rmdir(path));
  }
  unlink(path: string): void {
    this.#note(`unlink ${path}`, () => this.target.unlink(path));
  }
  rename(from: string, to: string): void {
    this.#note(`rename ${from} ${to}`, () => this.target.rename(from, to));
  }
  link(from: string, to: string): void {
    this.#note(`link ${from} ${to}`, () => this.target.link(from, to));
  }
  symlink(target: string, path: string): void {
    this.#note(`symlink ${target} ${path}`, () => this.target.symlink(target, path));
  }
  readlink(path: string): void {
    this.#note(`readlink ${path}`, () => this.target.readlink(path), String);
  }
  /** A file handle, or undefined. */
  open(path: string, flags: number, mode = 0o644): number | undefined {
    const call = `open ${path} ${oct(flags)} ${oct(mode)}`;
    return this.#note(call, () => this.target.open(path, flags, mode));
  }
  /** Opens and closes again. */
  touch(path: string, flags: number, mode = 0o644): void {
    const file = this.open(path, flags, mode);
    if (file !== undefined) this.target.close(file);
  }
  /** Makes a file with contents. */
  file(path: string, text = '', mode = 0o644): void {
    const file = this.open(path, 0o101, mode);
    if (file === undefined) return;
    if (text !== '') this.write(file, text);
    this.target.close(file);
  }
  close(file: number | undefined): void {
    if (file !== undefined) this.#note('close', () => this.target.close(file));
  }
  read(file: number | undefined, length: number, position: number | null = null): void {
    if (file === undefined) return;
    this.#note(
      `read ${length} ${position}`,
      () => this.target.read(file, length, position),
      (text) => JSON.stringify(text),
    );
  }
  write(file: number | undefined, text: string, position: number | null = null): void {
    if (file === undefined) return;
    this.#note(
      `write ${text.length} ${position}`,
      () => this.target.write(file, text, position),
      String,
    );
  }
  ftruncate(file: number | undefined, size: number): void {
    if (file !== undefined)
      this.#note(`ftruncate ${size}`, () => this.target.ftruncate(file, size));
  }
  truncate(path: string, size: number): void {
    this.#note(`truncate ${path} ${size}`, () => this.target.truncate(path, size));
  }
  chmod(path: string, mode: number): void {
    this.#note(`chmod ${path} ${oct(mode)}`, () => this.target.chmod(path, mode));
  }
  fchmod(file: number | undefined, mode: number): void {
    if (file !== undefined) this.#note(`fchmod ${oct(mode)}`, () => this.target.fchmod(file, mode));
  }
  chown(path: string, uid: number, gid: number): void {
    this.#note(`chown ${path} ${uid} ${gid}`, () => this.target.chown(path, uid, gid));
  }
  lchown(path: string, uid: number, gid: number): void {
    this.#note(`lchown ${path} ${uid} ${gid}`, () => this.target.lchown(path, uid, gid));
  }
  utimes(path: string, atime: number, mtime: number): void {
    this.#note(`utimes ${path}`, () => this.target.utimes(path, atime, mtime));
  }
  stat(path: string): void {
    this.#note(`stat ${path}`, () => this.target.stat(path), showStat);
  }
  lstat(path: string): void {
    this.#note(`lstat ${path}`, () => this.target.lstat(path), showStat);
  }
  fstat(file: number | undefined): void {
    if (file !== undefined) this.#note('fstat', () => this.target.fstat(file), showStat);
  }
  access(path: string, mask: number): void {
    this.#note(`access ${path} ${mask}`, () => this.target.access(path, mask));
  }
  readdir(path: string): void {
    this.#note(
      `readdir ${path}`,
      () => this.target.readdir(path),
      (names) => names.sort().join(' '),
    );
  }
  /** Which of a(time), m(time), c(time) of these paths (not followed) the action moves. */
  moved(paths: readonly string[], action: () => void): void {
    pause(TICK_MS);
    const before = paths.map((path) => this.#times(path));
    pause(TICK_MS);
    action();
    const after = paths.map((path) => this.#times(path));
    const shown = paths.map((path, i) => {
      const letters = [...'amc'].filter((_, j) => before[i]?.[j] !== after[i]?.[j]);
      return `${path}:${letters.join('')}`;
    });
    this.log.push(`moved ${shown.join(' ')}`);
  }

  #times(path: string): readonly bigint[] | undefined {
    try {
      return this.target.lstat(path).times;
    } catch {
      return undefined;
    }
  }
}

function oct(value: number): string {
  return `0${value.toString(8)}`;
}

function showStat(stat: Stat): string {
  const { mode, nlink, uid, gid, size, blocks } = stat;
  return `${oct(mode)} links ${nlink} ${uid}:${gid} size ${size} blocks ${blocks}`;
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
