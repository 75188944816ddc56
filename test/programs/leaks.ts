// Reads a kernel trace (strace -f -y -e trace=%file) and finds paths that should never have left the
// process: those under the prefix, and relative ones, since a scenario works in the tree only.

/** Calls whose second path counts too; of symlink only the second is looked up. */
const TWO_PATHS = /^(rename|renameat|renameat2|link|linkat)$/;
const SECOND_ONLY = /^(symlink|symlinkat)$/;
/** They name nothing: getcwd answers, and the f-calls that strace counts in carry no path. */
const NO_PATH = /^(getcwd|fchdir|fstatfs|fstat)$/;

const LINE = /^(?:\d+ +)?(\w+)\((.*)$/;
const STRING = /"((?:[^"\\]|\\.)*)"/g;
/** What the kernel has open where the program has a directory of the tree (preload/client/attach.cpp). */
const ANCHOR = /^\/proc\/\d+\/fdinfo$/;
const DIRFD = /^(?:AT_FDCWD|\d+)<([^>]*)>/;
/** The shim opens its anchor anew, by its own number (900 and above), for an O_PATH descriptor. */
const ANCHOR_ANEW = /^9\d\d<\/proc\/\d+\/fdinfo>, "\.", [A-Z_|]*O_PATH/;

/** The offending lines of the trace. */
export function leaks(trace: string, prefix: string, cwd: string): string[] {
  const offending: string[] = [];
  for (const line of trace.split('\n')) {
    const call = LINE.exec(line);
    if (!call || NO_PATH.test(call[1]!) || ANCHOR_ANEW.test(call[2]!)) continue;
    const [, name, rest] = call as unknown as [string, string, string];
    if (paths(name, rest).some((path) => leaked(path, rest, prefix, cwd))) offending.push(line);
  }
  return offending;
}

function paths(name: string, rest: string): string[] {
  // Argument vectors of execve may name the prefix: they are text for the program, not paths.
  const strings = [...rest.replace(/\[.*\]/, '').matchAll(STRING)].map((match) => match[1]!);
  if (SECOND_ONLY.test(name)) return strings.slice(1, 2);
  return strings.slice(0, TWO_PATHS.test(name) ? 2 : 1);
}

function leaked(path: string, rest: string, prefix: string, cwd: string): boolean {
  if (path.startsWith('/')) return under(path, prefix);
  if (path === '') return false;
  const start = DIRFD.exec(rest)?.[1];
  // A descriptor of a host directory is the host's business; the host's cwd is not.
  return start === undefined || start === cwd || ANCHOR.test(start) || under(start, prefix);
}

function under(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
