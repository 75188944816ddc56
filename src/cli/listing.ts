/** How `fs ls --long` and `fs stat` write what stat(2) says. */
import type { Stat } from '../client/connect.ts';
import * as posix from '../store/posix.ts';
import { escapeName } from './names.ts';
import * as modes from './transfer/modes.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;

const letters: Readonly<Record<number, string>> = {
  [posix.S_IFREG]: '-',
  [posix.S_IFDIR]: 'd',
  [posix.S_IFLNK]: 'l',
  [posix.S_IFCHR]: 'c',
  [posix.S_IFBLK]: 'b',
  [posix.S_IFIFO]: 'p',
  [posix.S_IFSOCK]: 's',
};

/** "-rw-r--r--", as ls writes it, with setuid, setgid and sticky. */
export function formatMode(mode: number): string {
  const bit = (mask: number, letter: string): string => ((mode & mask) === 0 ? '-' : letter);
  const execute = (mask: number, special: number, letter: string): string => {
    if ((mode & special) === 0) return bit(mask, 'x');
    return (mode & mask) === 0 ? letter.toUpperCase() : letter;
  };
  return [
    letters[mode & posix.S_IFMT] ?? '?',
    bit(0o400, 'r'),
    bit(0o200, 'w'),
    execute(0o100, 0o4000, 's'),
    bit(0o040, 'r'),
    bit(0o020, 'w'),
    execute(0o010, 0o2000, 's'),
    bit(0o004, 'r'),
    bit(0o002, 'w'),
    execute(0o001, 0o1000, 't'),
  ].join('');
}

/** One line of a long listing, up to the name. */
export function formatEntry(stat: Stat): string {
  const columns = [
    formatMode(stat.mode),
    String(stat.nlink).padStart(3),
    String(stat.uid).padStart(5),
    String(stat.gid).padStart(5),
    String(stat.size).padStart(10),
    formatTime(stat.mtimeNs).slice(0, 16),
  ];
  return columns.join(' ');
}

export function formatStat(path: Uint8Array, stat: Stat): string {
  const octal = (stat.mode & modes.PERMISSIONS).toString(8).padStart(4, '0');
  return [
    `  File: ${escapeName(path)}`,
    `  Size: ${stat.size}\tBlocks: ${stat.blocks}\tInode: ${stat.ino}\tLinks: ${stat.nlink}`,
    `  Mode: ${octal} ${formatMode(stat.mode)}\tUid: ${stat.uid}\tGid: ${stat.gid}`,
    `Access: ${formatTime(stat.atimeNs)}`,
    `Modify: ${formatTime(stat.mtimeNs)}`,
    `Change: ${formatTime(stat.ctimeNs)}`,
    ` Birth: ${formatTime(stat.btimeNs)}`,
    '',
  ].join('\n');
}

/** UTC, to the nanosecond: "2026-01-31 12:00:00.000000001". */
function formatTime(ns: bigint): string {
  const fraction = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  const date = new Date(Number((ns - fraction) / NS_PER_MS));
  if (Number.isNaN(date.getTime())) return `@${ns / NS_PER_S}`;
  const text = date.toISOString().replace('T', ' ');
  return text.replace(/\.\d+Z$/, `.${String(fraction).padStart(9, '0')}`);
}
