import { constants } from 'node:os';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A request that the tree refused. `code` is the errno's name, as in node:fs. */
export class FsError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  readonly path: string;
  constructor(errno: number, syscall: string, path: string) {
    const code = names.get(errno) ?? `errno ${errno}`;
    super(`${code}: ${syscall} ${path}`);
    this.name = 'FsError';
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
    this.path = path;
  }
}
