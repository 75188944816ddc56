/**
 * Two file systems behind one interface: the kernel's tmpfs through node:fs, and the operations on a store. A scenario
 * runs on both, and the logs of what each call answered must be equal.
 */
import fs from 'node:fs';
import { constants as os } from 'node:os';
import * as layout from '../../ringbuf/layout.gen.ts';
import { SEGMENT_DATA, SEGMENT_STORE } from '../../ringbuf/layout.gen.ts';
import { closeSegment, createSegment, type Segment } from '../../ringbuf/segment.ts';
import { createCaller } from '../../src/store/caller.ts';
import {
  blocksOf,
  dereference,
  getSize,
  gidOf,
  inodeWord,
  modeOf,
  nlinkOf,
  reference,
  uidOf,
} from '../../src/store/inodes.ts';
import * as attributes from '../../src/store/operations/attributes.ts';
import * as making from '../../src/store/operations/create.ts';
import { type DirentBuffer, readdir } from '../../src/store/operations/directory.ts';
import * as io from '../../src/store/operations/io.ts';
import * as looking from '../../src/store/operations/lookup.ts';
import * as opening from '../../src/store/operations/open.ts';
import type { PathArgument } from '../../src/store/operations/path.ts';
import * as removing from '../../src/store/operations/remove.ts';
import * as renaming from '../../src/store/operations/rename.ts';
import { loadProtections } from '../../src/store/protections.ts';
import { createStore, segmentSizes } from '../../src/store/store.ts';
import { createWalk } from '../../src/store/walk.ts';
import { getWide } from '../../src/store/wide.ts';

export interface Who {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}
export const root: Who = { uid: 0, gid: 0, groups: [0] };

export interface Stat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blocks: number;
  readonly times: readonly bigint[];
  readonly ino: number;
}

/** Every method answers or throws an object with the errno's name in `code`. */
export interface Target {
  become(who: Who): void;
  umask(mask: number): void;
  mkdir(path: string, mode: number): void;
  /** Of the store only: node:fs has none. */
  mknod?(path: string, mode: number): void;
  rmdir(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  symlink(target: string, path: string): void;
  readlink(path: string): string;
  open(path: string, flags: number, mode: number): number;
  close(file: number): void;
  read(file: number, length: number, position: number | null): string;
  write(file: number, text: string, position: number | null): number;
  ftruncate(file: number, size: number): void;
  truncate(path: string, size: number): void;
  chmod(path: string, mode: number): void;
  fchmod(file: number, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  lchown(path: string, uid: number, gid: number): void;
  utimes(path: string, atime: number, mtime: number): void;
  stat(path: string): Stat;
  lstat(path: string): Stat;
  fstat(file: number): Stat;
  access(path: string, mask: number): void;
  readdir(path: string): string[];
  dispose(): void;
}

// ---- the kernel ---------------------------------------------------------------------------------------

export function tmpfsTarget(): Target {
  const base = fs.mkdtempSync('/dev/shm/btfuse-oracle-');
  fs.chmodSync(base, 0o755);
  const at = (path: string): string => `${base}/${path}`;
  const before = process.umask(0);
  const files: number[] = [];
  const convert = (stat: fs.BigIntStats): Stat => ({
    mode: Number(stat.mode),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    blocks: Number(stat.blocks),
    times: [stat.atimeNs, stat.mtimeNs, stat.ctimeNs],
    ino: Number(stat.ino),
  });
  const become = (who: Who): void => {
    if (process.getuid?.() !== 0) return;
    process.seteuid?.(0);
    process.setegid?.(who.gid);
    process.setgroups?.([...who.groups]);
    process.seteuid?.(who.uid);
  };
  return {
    become,
    umask: (mask) => void process.umask(mask),
    mkdir: (path, mode) => void fs.mkdirSync(at(path), { mode }),
    rmdir: (path) => fs.rmdirSync(at(path)),
    unlink: (path) => fs.unlinkSync(at(path)),
    rename: (from, to) => fs.renameSync(at(from), at(to)),
    link: (from, to) => fs.linkSync(at(from), at(to)),
    symlink: (target, path) => fs.symlinkSync(target, at(path)),
    readlink: (path) => fs.readlinkSync(at(path)),
    open(path, flags, mode) {
      const fd = fs.openSync(at(path), flags, mode);
      files.push(fd);
      return fd;
    },
    close(file) {
      files.splice(files.indexOf(file), 1);
      fs.closeSync(file);
    },
    read(file, length, position) {
      const buffer = Buffer.alloc(length);
      return buffer.toString('latin1', 0, fs.readSync(file, buffer, 0, length, position));
    },
    write: (file, text, position) =>
      fs.writeSync(file, Buffer.from(text), 0, text.length, position),
    ftruncate: (file, size) => fs.ftruncateSync(file, size),
    truncate: (path, size) => fs.truncateSync(at(path), size),
    chmod: (path, mode) => fs.chmodSync(at(path), mode),
    fchmod: (file, mode) => fs.fchmodSync(file, mode),
    chown: (path, uid, gid) => fs.chownSync(at(path), uid, gid),
    lchown: (path, uid, gid) => fs.lchownSync(at(path), uid, gid),
    utimes: (path, atime, mtime) => fs.utimesSync(at(path), atime, mtime),
    stat: (path) => convert(fs.statSync(at(path), { bigint: true })),
    lstat: (path) => convert(fs.lstatSync(at(path), { bigint: true })),
    fstat: (file) => convert(fs.fstatSync(file, { bigint: true })),
    // access(2) asks for the real ids, which are root's throughout.
    access: (path, mask) => fs.accessSync(at(path), mask),
    readdir: (path) => fs.readdirSync(at(path)),
    dispose() {
      become(root);
      process.umask(before);
      for (const fd of files) fs.closeSync(fd);
      fs.rmSync(base, { recursive: true, force: true });
    },
  };
}

// ---- the store ----------------------------------------------------------------------------------------

interface Description {
  readonly ino: number;
  readonly flags: number;
  position: number;
}

const SCRATCH_SIZE = 1024 * 1024;
const names = new Map(Object.entries(os.errno).map(([name, number]) => [number, name]));

function check(status: number): number {
  if (status >= 0) return status;
  throw Object.assign(new Error(), { code: names.get(-status) });
}

/** Follows the machine's fs.protected_* settings, as a server does. */
export function storeTarget(limits = { bytes: 64 << 20, inodes: 65536 }): Target {
  loadProtections();
  const sizes = segmentSizes(limits);
  const make = (size: number, kind: typeof SEGMENT_STORE | typeof SEGMENT_DATA): Segment =>
    createSegment({ kind, session: null, size });
  const segments = [make(sizes.store, SEGMENT_STORE), make(sizes.data, SEGMENT_DATA)];
  const scratch = make(SCRATCH_SIZE, SEGMENT_DATA);
  const store = createStore(segments[0], segments[1], { ...limits, uid: 0, gid: 0, mode: 0o755 });
  const walk = createWalk('/bt');
  const walk2 = createWalk('/bt');
  const files = new Map<number, Description>();
  let caller = createCaller(0, 0, [0]);
  let umask = 0;
  let next = 1;

  const argument = (path: string): PathArgument => {
    walk.symlinks = walk2.symlinks = 0;
    const bytes = Buffer.from(path);
    return { start: layout.ROOT_INO, bytes, offset: 0, length: bytes.length };
  };
  const find = (path: string, follow: boolean): number => {
    check(looking.lookup(store, caller, walk, argument(path), follow));
    return walk.ino;
  };
  const statOf = (ino: number): Stat => {
    const word = inodeWord(store, ino);
    const time = (field: number, fraction: number): bigint =>
      BigInt(getWide(store.i32, word + field)) * 1_000_000_000n +
      BigInt(store.i32[word + fraction]);
    return {
      mode: modeOf(store, ino),
      nlink: nlinkOf(store, ino),
      uid: uidOf(store, ino),
      gid: gidOf(store, ino),
      size: getSize(store, ino),
      blocks: blocksOf(store, ino) * 8,
      times: [
        time(layout.INODE_ATIME, layout.INODE_ATIMENSEC),
        time(layout.INODE_MTIME, layout.INODE_MTIMENSEC),
        time(layout.INODE_CTIME, layout.INODE_CTIMENSEC),
      ],
      ino,
    };
  };
  const described = (file: number): Description => files.get(file)!;
  const setattr = (ino: number, fields: Partial<attributes.AttributeChange>): void => {
    const change = { ...attributes.createAttributeChange(), ...fields };
    check(attributes.setattr(store, caller, ino, change));
  };
  const owner = (uid: number, gid: number): Partial<attributes.AttributeChange> => ({
    valid: (uid === -1 ? 0 : layout.FATTR_UID) | (gid === -1 ? 0 : layout.FATTR_GID),
    uid,
    gid,
  });

  return {
    become(who) {
      caller = createCaller(who.uid, who.gid, who.groups);
      caller.umask = umask;
    },
    umask(mask) {
      umask = caller.umask = mask;
    },
    mkdir: (path, mode) => void check(making.mkdir(store, caller, walk, argument(path), mode)),
    mknod: (path, mode) => void check(making.mknod(store, caller, walk, argument(path), mode, 0)),
    rmdir: (path) => void check(removing.rmdir(store, caller, walk, argument(path))),
    unlink: (path) => void check(removing.unlink(store, caller, walk, argument(path))),
    rename(from, to) {
      const source = argument(from);
      check(renaming.rename(store, caller, walk, source, walk2, argument(to), 0));
    },
    link(from, to) {
      const ino = find(from, false);
      check(making.link(store, caller, ino, walk2, argument(to)));
    },
    symlink(target, path) {
      const bytes = Buffer.from(target);
      check(making.symlink(store, caller, walk, argument(path), bytes, 0, bytes.length));
    },
    readlink(path) {
      const out = new Uint8Array(layout.PATH_MAX);
      const ino = find(path, false);
      const length = check(looking.readlink(store, ino, false, out, 0, out.length));
      return Buffer.from(out.subarray(0, length)).toString();
    },
    open(path, flags, mode) {
      const tmpfile = (flags & 0o20000000) !== 0;
      const created = (flags & fs.constants.O_CREAT) !== 0;
      if (tmpfile) check(opening.openTemporary(store, caller, walk, argument(path), flags, mode));
      else if (created) check(opening.create(store, caller, walk, argument(path), flags, mode));
      else check(opening.open(store, caller, walk, argument(path), flags));
      reference(store, walk.ino);
      files.set(next, { ino: walk.ino, flags: opening.keptFlags(flags), position: 0 });
      return next++;
    },
    close(file) {
      dereference(store, described(file).ino);
      files.delete(file);
    },
    read(file, length, position) {
      const description = described(file);
      if (!io.isReadable(description.flags)) check(-os.errno.EBADF);
      const at = position ?? description.position;
      const bytes = check(io.read(store, description.ino, false, at, length, scratch.id, 4096));
      if (position === null) description.position += bytes;
      return Buffer.from(scratch.u8.slice(4096, 4096 + bytes)).toString('latin1');
    },
    write(file, text, position) {
      const description = described(file);
      const { ino, flags } = description;
      if (!io.isWritable(flags)) check(-os.errno.EBADF);
      scratch.u8.set(Buffer.from(text), 4096);
      const append = (flags & fs.constants.O_APPEND) !== 0;
      const at = append ? getSize(store, ino) : (position ?? description.position);
      const bytes = check(io.write(store, caller, ino, at, text.length, scratch.id, 4096));
      if (position === null) description.position = at + bytes;
      return bytes;
    },
    ftruncate(file, size) {
      const { ino, flags } = described(file);
      if (!io.isWritable(flags)) check(-os.errno.EINVAL);
      setattr(ino, { valid: layout.FATTR_SIZE | layout.FATTR_FH, size });
    },
    // node:fs opens the file for truncate; so do we.
    truncate(path, size) {
      check(opening.open(store, caller, walk, argument(path), fs.constants.O_RDWR));
      setattr(walk.ino, { valid: layout.FATTR_SIZE | layout.FATTR_FH, size });
    },
    chmod: (path, mode) => setattr(find(path, true), { valid: layout.FATTR_MODE, mode }),
    fchmod: (file, mode) => setattr(described(file).ino, { valid: layout.FATTR_MODE, mode }),
    chown: (path, uid, gid) => setattr(find(path, true), owner(uid, gid)),
    lchown: (path, uid, gid) => setattr(find(path, false), owner(uid, gid)),
    utimes: (path, atime, mtime) =>
      setattr(find(path, true), { valid: layout.FATTR_ATIME | layout.FATTR_MTIME, atime, mtime }),
    stat: (path) => statOf(find(path, true)),
    lstat: (path) => statOf(find(path, false)),
    fstat: (file) => statOf(described(file).ino),
    access(path, mask) {
      const before = caller;
      caller = createCaller(0, 0, [0]);
      try {
        const ino = find(path, true);
        check(looking.access(store, caller, ino, mask));
      } finally {
        caller = before;
      }
    },
    readdir(path) {
      check(opening.open(store, caller, walk, argument(path), fs.constants.O_DIRECTORY));
      const { ino } = walk;
      const found: string[] = [];
      const buffer: DirentBuffer = { i32: scratch.i32, u8: scratch.u8, at: 0, end: 0, position: 0 };
      for (;;) {
        buffer.at = 4096;
        buffer.end = 4096 + 512;
        check(readdir(store, ino, false, buffer));
        if (buffer.at === 4096) break;
        for (let at = 4096; at < buffer.at; at += scratch.i32[at / 4 + 4] & 0xffff) {
          const end = scratch.u8.indexOf(0, at + 19);
          found.push(Buffer.from(scratch.u8.slice(at + 19, end)).toString());
        }
      }
      return found.filter((name) => name !== '.' && name !== '..');
    },
    dispose() {
      for (const segment of [...segments, scratch]) closeSegment(segment);
    },
  };
}
