/** A store over real anonymous segments, and a third segment for the bytes of callers. */
import { SEGMENT_DATA, SEGMENT_STORE } from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { closeSegment, createSegment, type Segment } from '../../ringbuf/segment.ts';
import { find, insert } from '../../src/store/dentries.ts';
import { read, write } from '../../src/store/files.ts';
import { allocateInode } from '../../src/store/inodes.ts';
import { hashName } from '../../src/store/names.ts';
import { S_IFREG } from '../../src/store/posix.ts';
import { createStore, type Memory, type Store, segmentSizes } from '../../src/store/store.ts';

export interface Fixture {
  readonly store: Store;
  /** Callers' bytes: what write takes from and read copies to. */
  readonly buffer: Segment;
  close(): void;
}

const BUFFER_SIZE = 8 * 1024 * 1024;

export function createFixture(
  limits: { bytes: number; inodes: number },
  memory?: Partial<Memory>,
): Fixture {
  const sizes = segmentSizes(limits);
  const open = (kind: typeof SEGMENT_STORE | typeof SEGMENT_DATA, size: number): Segment =>
    createSegment({
      session: null,
      kind,
      size,
      sessionId: 1n,
      prefix: '/bt',
    });
  const storeSegment = open(SEGMENT_STORE, sizes.store);
  const dataSegment = open(SEGMENT_DATA, sizes.data);
  const buffer = open(SEGMENT_DATA, BUFFER_SIZE);
  const addon = native();
  const store = createStore(storeSegment, dataSegment, {
    ...limits,
    uid: 0,
    gid: 0,
    mode: 0o755,
    memory: {
      allocate: addon.allocate,
      punch: addon.punch,
      copy: addon.copy,
      zero: addon.zero,
      clockRealtime: addon.clockRealtime,
      ...memory,
    },
  });
  return {
    store,
    buffer,
    close() {
      for (const segment of [storeSegment, dataSegment, buffer]) closeSegment(segment);
    },
  };
}

/** The bytes of a name, one per character: a test may use any byte in a name. */
export function bytesOf(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}

export function lookup(store: Store, parent: number, name: string): number {
  const bytes = bytesOf(name);
  return find(store, parent, bytes, 0, bytes.length, hashName(parent, bytes, 0, bytes.length));
}

export function add(store: Store, parent: number, name: string, ino: number): number {
  const bytes = bytesOf(name);
  return insert(
    store,
    parent,
    bytes,
    0,
    bytes.length,
    hashName(parent, bytes, 0, bytes.length),
    ino,
  );
}

/** A new inode under that name → its number, or -errno. */
export function create(
  store: Store,
  parent: number,
  name: string,
  mode: number = S_IFREG | 0o644,
): number {
  const ino = allocateInode(store, mode, 0, 0, 0);
  if (ino < 0) return ino;
  const dentry = add(store, parent, name, ino);
  return dentry < 0 ? dentry : ino;
}

/** Writes the bytes at `offset` → what write returned. */
export function writeBytes(
  { store, buffer }: Fixture,
  ino: number,
  offset: number,
  bytes: Uint8Array,
): number {
  buffer.u8.set(bytes, 4096);
  return write(store, ino, offset, bytes.length, buffer.id, 4096);
}

export function readBytes(
  { store, buffer }: Fixture,
  ino: number,
  offset: number,
  length: number,
): Uint8Array {
  buffer.u8.fill(0xee, 4096, 4096 + length);
  const bytes = read(store, ino, offset, length, buffer.id, 4096);
  return buffer.u8.slice(4096, 4096 + bytes);
}
