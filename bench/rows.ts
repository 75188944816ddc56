/** The rows of micro/rows.c: what they are called in the table, and what the project aims at. */
export interface MicroRow {
  readonly name: string;
  readonly title: string;
  /** Highest ratio to tmpfs at one thread that is good enough while every call asks the server. */
  readonly aim: number;
}

export const microRows: readonly MicroRow[] = [
  { name: 'stat', title: 'stat hit', aim: 1 },
  { name: 'stat-enoent', title: 'stat ENOENT', aim: 1 },
  { name: 'fstat', title: 'fstat', aim: 1.5 },
  { name: 'open-close', title: 'open + close', aim: 1 },
  { name: 'open-read-close', title: 'open + read 4 KiB + close', aim: 1 },
  { name: 'pread-4k', title: 'pread 4 KiB', aim: 1.5 },
  { name: 'pread-128k', title: 'pread 128 KiB', aim: 1 },
  { name: 'pwrite-4k', title: 'pwrite 4 KiB', aim: 1.5 },
  { name: 'pwrite-128k', title: 'pwrite 128 KiB', aim: 1 },
  { name: 'create-write-unlink', title: 'create + write 4 KiB + close + unlink', aim: 1 },
  { name: 'mkdir-rmdir', title: 'mkdir + rmdir', aim: 1 },
  { name: 'rename', title: 'rename', aim: 1 },
  { name: 'readdir', title: 'readdir 1000, per entry', aim: 1 },
  { name: 'readdir-lstat', title: 'readdir 1000 + lstat, per entry', aim: 1 },
];
