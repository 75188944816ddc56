/**
 * Which open descriptors were given to us, so that CMD gets them too: `<(…)`, `3<file`, `5>&1`, make's
 * job server.
 *
 * Node marks what it inherits close-on-exec, from 0 up to the first gap past 15, so that mark alone does not
 * tell. What Node opens itself is known: event queues, pipes of which it holds both ends, /dev/null.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const O_ACCMODE = 3;
const O_CLOEXEC = 0o2000000;
const STDIO = 3;

interface Descriptor {
  readonly fd: number;
  readonly closeOnExec: boolean;
  readonly writes: boolean;
  /** "/a/file", "pipe:[7]", "anon_inode:[eventpoll]" */
  readonly what: string;
}

/** To be asked before anything else is opened. Descriptors 0, 1 and 2 are not in it. */
export function inheritedDescriptors(): number[] {
  const open = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd >= STDIO)
    .map(describe);
  const known = open.filter((descriptor) => descriptor !== undefined);
  const jobServer = jobServerDescriptors();
  return known
    .filter((one) => !one.closeOnExec || jobServer.includes(one.fd) || !isOurs(one, known))
    .map((one) => one.fd);
}

function isOurs({ what, writes }: Descriptor, all: readonly Descriptor[]): boolean {
  if (what.startsWith('anon_inode:') || what === '/dev/null') return true;
  return what.startsWith('pipe:') && all.some((o) => o.what === what && o.writes !== writes);
}

function describe(fd: number): Descriptor | undefined {
  try {
    const what = readlinkSync(`/proc/self/fd/${fd}`);
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
    const writes = (flags & O_ACCMODE) !== 0;
    return { fd, what, writes, closeOnExec: (flags & O_CLOEXEC) !== 0 };
  } catch {
    // The directory that we are reading, closed by now.
    return undefined;
  }
}

/** A pipe with both ends inherited: make says which. */
function jobServerDescriptors(): number[] {
  const match = /--jobserver-(?:auth|fds)=(\d+),(\d+)/.exec(process.env.MAKEFLAGS ?? '');
  return match === null ? [] : [Number(match[1]), Number(match[2])];
}
