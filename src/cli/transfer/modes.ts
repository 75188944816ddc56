import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../store/posix.ts';

/** Permission bits with setuid, setgid and sticky. */
export const PERMISSIONS = 0o7777;

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

/** Only root may give files away; for everybody else copies are their own, as with cp and tar. */
export const keepsOwners = process.geteuid?.() === 0;

/** Device numbers as the kernel's user interface packs them (makedev(3)). */
export function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export function majorOf(device: number): number {
  return (device >>> 8) & 0xfff;
}

export function minorOf(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}
