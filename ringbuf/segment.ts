/**
 * One shared-memory segment as the server sees it: the file, its mapping, and typed arrays over it.
 * The header is written by createSegment and checked by openSegment.
 *
 * A session's ring segment is also its lock: the server holds flock(LOCK_EX) on it for as long as it
 * lives, so "is there a server?" has one answer, in every pid namespace and even for a killed one.
 * Create the ring first, then store and data.
 */
import { fstatSync, lstatSync, statSync } from 'node:fs';
import { constants as os } from 'node:os';
import { SegmentError } from './errors.ts';
import {
  DESCRIPTION_STATE_RECORD_SIZE,
  DESCRIPTIONS_MAX,
  MAGIC,
  PAGE_SIZE,
  PREFIX_MAX,
  QUERIED_MAX,
  RING_DESCRIPTIONS_OFFSET,
  RING_QUERIED_OFFSET,
  RING_SIZE,
  RING_SLOTS_OFFSET,
  SCHEMA_HASH,
  SEGMENT_DATA,
  SEGMENT_HEADER_COVERS_HOST,
  SEGMENT_HEADER_CREATED_NS,
  SEGMENT_HEADER_DEVICE,
  SEGMENT_HEADER_KIND,
  SEGMENT_HEADER_MAGIC,
  SEGMENT_HEADER_NAME_BYTES,
  SEGMENT_HEADER_NAME_LENGTH,
  SEGMENT_HEADER_PREFIX_BYTES,
  SEGMENT_HEADER_PREFIX_LENGTH,
  SEGMENT_HEADER_SCHEMA_HASH,
  SEGMENT_HEADER_SERVER_PID,
  SEGMENT_HEADER_SESSION_ID,
  SEGMENT_HEADER_SIZE,
  SEGMENT_HEADER_STATE,
  SEGMENT_HEADER_UID,
  SEGMENT_HEADER_VERSION,
  SEGMENT_RING,
  SEGMENT_STATE_BUILDING,
  SEGMENT_STATE_READY,
  SEGMENT_STATE_STOPPED,
  SEGMENT_STORE,
  SESSION_NAME_MAX,
  SLOT_RECORD_SIZE,
  SLOTS_MAX,
  VERSION,
} from './layout.gen.ts';
import { native } from './native.ts';

/** How JavaScript gets to see the memory (D3). */
export type MappingMethod = 'external' | 'wasm';

export interface Segment {
  readonly fd: number;
  /** Id for the addon's copy, zero and futex calls: good in the thread that made the Segment only. */
  readonly id: number;
  /** Virtual bytes. */
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** File name in /dev/shm; absent for an anonymous segment. */
  readonly name?: string;
}

export type SegmentKind = typeof SEGMENT_STORE | typeof SEGMENT_DATA | typeof SEGMENT_RING;

export interface CreateOptions {
  readonly kind: SegmentKind;
  /** Session name; null makes an anonymous segment (memfd). */
  readonly session: string | null;
  /** Virtual bytes; a ring is always RING_SIZE. */
  readonly size?: number;
  /** Random, the same for the segments of one session. */
  readonly sessionId?: bigint;
  readonly prefix?: string;
  /** Minor number that stat gives as st_dev. */
  readonly device?: number;
  readonly method?: MappingMethod;
}

// The library of the type checker knows it only together with a browser's.
declare const WebAssembly: {
  Memory: new (limits: {
    initial: number;
    maximum: number;
    shared: true;
  }) => {
    buffer: SharedArrayBuffer;
  };
};

const LOCK_TRIES = 10;
const LOCK_PAUSE_MS = 2;
const WASM_PAGE = 65536;
const WASM_BYTES_MAX = 65536 * WASM_PAGE;
const suffixes = { [SEGMENT_STORE]: 'store', [SEGMENT_DATA]: 'data', [SEGMENT_RING]: 'ring' };

/** File name in /dev/shm of a session's segment. */
export function segmentName(session: string, kind: SegmentKind): string {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(session) || session.length > SESSION_NAME_MAX) {
    throw new SegmentError('BTFUSE_ERR_BAD_NAME', `"${session}" is no session name`);
  }
  return `btfuse.${session}.${suffixes[kind]}`;
}

function failure(result: number, what: string): SegmentError {
  const errno = Object.entries(os.errno).find(([, value]) => value === -result)?.[0] ?? `${result}`;
  const noMemory = ['ENOSPC', 'ENOMEM', 'ENOENT', 'EFBIG', 'EACCES'].includes(errno);
  const code = noMemory ? 'BTFUSE_ERR_NO_SHARED_MEMORY' : 'BTFUSE_ERR_SYSTEM';
  const full = errno === 'ENOSPC' ? ' (/dev/shm is full)' : '';
  return new SegmentError(code, `Cannot ${what}: ${errno}${full}.`);
}

// ---- mapping --------------------------------------------------------------------------------------

/** Maps a file of at least `size` bytes. The caller keeps fd open. */
export function mapSegment(fd: number, size: number, method?: MappingMethod): Segment {
  const addon = native();
  const chosen = method ?? (addon.hasExternalSharedArrayBuffer ? 'external' : 'wasm');
  return chosen === 'external' ? mapExternal(fd, size) : mapWasm(fd, size);
}

function mapExternal(fd: number, size: number): Segment {
  const id = native().map(fd, size);
  if (id < 0) throw failure(id, `map ${size} bytes of shared memory`);
  return withViews(fd, id, size, native().sharedArrayBuffer(id));
}

function mapWasm(fd: number, size: number): Segment {
  if (size > WASM_BYTES_MAX) {
    throw new SegmentError(
      'BTFUSE_ERR_NO_SHARED_MEMORY',
      `This Node maps at most 4 GiB of shared memory, not ${size} bytes; a newer one maps more.`,
    );
  }
  const pages = Math.ceil(size / WASM_PAGE);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const id = native().mapOver(fd, size, buffer);
  if (id < 0) throw failure(id, `map ${size} bytes of shared memory`);
  return withViews(fd, id, size, buffer);
}

function withViews(fd: number, id: number, size: number, buffer: SharedArrayBuffer): Segment {
  const u8 = new Uint8Array(buffer, 0, size);
  return { fd, id, size, buffer, i32: new Int32Array(buffer, 0, Math.floor(size / 4)), u8 };
}

// ---- creation -------------------------------------------------------------------------------------

/** Makes a segment in state BUILDING, its header written and its hot pages backed. */
export function createSegment(options: CreateOptions): Segment {
  const size = options.kind === SEGMENT_RING ? RING_SIZE : (options.size ?? 0);
  const rounded = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
  const name = options.session === null ? undefined : segmentName(options.session, options.kind);
  const fd = name === undefined ? createAnonymous(rounded) : createNamed(name, rounded, options);
  try {
    for (const [offset, length] of hotRanges(options.kind)) {
      const result = native().allocate(fd, offset, length);
      if (result < 0) throw failure(result, 'reserve shared memory');
    }
    const mapped = mapSegment(fd, rounded, options.method);
    const segment: Segment = name === undefined ? mapped : { ...mapped, name };
    writeHeader(segment, options);
    return segment;
  } catch (error) {
    if (name !== undefined) native().shmUnlink(name);
    native().close(fd);
    throw error;
  }
}

function createAnonymous(size: number): number {
  const fd = native().memfdCreate('btfuse', size);
  if (fd < 0) throw failure(fd, 'create shared memory');
  return fd;
}

function createNamed(name: string, size: number, options: CreateOptions): number {
  const addon = native();
  let fd = addon.shmCreate(name, size);
  if (fd === -os.errno.EEXIST) {
    removeStale(name, options);
    fd = addon.shmCreate(name, size);
  }
  if (fd === -os.errno.EEXIST) throw busy(options.session);
  if (fd < 0) throw failure(fd, `create /dev/shm/${name}`);
  if (options.kind !== SEGMENT_RING) return fd;
  // Between creation and lock another server may have taken the new file for a stale one.
  if (!takeLock(fd) || !isStillNamed(fd, name)) {
    addon.close(fd);
    throw busy(options.session);
  }
  return fd;
}

function busy(session: string | null): SegmentError {
  return new SegmentError(
    'BTFUSE_ERR_SESSION_BUSY',
    `A server of the session "${session}" is already running.`,
  );
}

/** Whoever only looks whether the lock is held has it (shared) for an instant: that is waited out. */
function takeLock(fd: number): boolean {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = LOCK_TRIES; tries > 0; tries--) {
    if (native().lock(fd) === 0) return true;
    Atomics.wait(nobody, 0, 0, LOCK_PAUSE_MS);
  }
  return false;
}

function isStillNamed(fd: number, name: string): boolean {
  const named = statSync(`/dev/shm/${name}`, { bigint: true, throwIfNoEntry: false });
  return named !== undefined && named.ino === fstatSync(fd, { bigint: true }).ino;
}

/** Left by a server that was killed: nobody holds its lock. Store and data go with their ring. */
function removeStale(name: string, options: CreateOptions): void {
  const addon = native();
  const fd = addon.shmOpen(name);
  if (fd === -os.errno.ENOENT) return;
  if (fd < 0) throw foreign(name);
  try {
    // Root could take it over; it is still not root's.
    if (fstatSync(fd).uid !== process.geteuid?.()) throw foreign(name);
    if (options.kind === SEGMENT_RING && !takeLock(fd)) throw busy(options.session);
    if (!isStillNamed(fd, name)) return;
    if (addon.shmUnlink(name) < 0) throw foreign(name);
  } finally {
    addon.close(fd);
  }
}

function foreign(name: string): SegmentError {
  return new SegmentError(
    'BTFUSE_ERR_SESSION_FOREIGN',
    `/dev/shm/${name} belongs to another user; choose another session name.`,
  );
}

/** What is touched without asking first. Slabs, fd tables and store tables are backed as they grow. */
function hotRanges(kind: SegmentKind): [number, number][] {
  if (kind !== SEGMENT_RING) return [[0, PAGE_SIZE]];
  return [
    [0, RING_SLOTS_OFFSET + SLOTS_MAX * SLOT_RECORD_SIZE],
    [RING_DESCRIPTIONS_OFFSET, DESCRIPTIONS_MAX * DESCRIPTION_STATE_RECORD_SIZE],
    [RING_QUERIED_OFFSET, QUERIED_MAX],
  ];
}

function setWord64(i32: Int32Array, word: number, value: bigint): void {
  i32[word] = Number(BigInt.asIntN(32, value));
  i32[word + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

function word64(i32: Int32Array, word: number): bigint {
  return (BigInt(i32[word + 1] >>> 0) << 32n) | BigInt(i32[word] >>> 0);
}

/** Does anything stand there? What cannot be looked at counts as there. */
function isOnHost(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function writeHeader(segment: Segment, options: CreateOptions): void {
  const { i32, u8 } = segment;
  const prefix = Buffer.from(options.prefix ?? '');
  const name = Buffer.from(options.session ?? '');
  if (prefix.length > PREFIX_MAX) {
    throw new SegmentError('BTFUSE_ERR_BAD_NAME', `The prefix is longer than ${PREFIX_MAX} bytes.`);
  }
  i32[SEGMENT_HEADER_STATE] = SEGMENT_STATE_BUILDING;
  i32[SEGMENT_HEADER_VERSION] = VERSION;
  i32[SEGMENT_HEADER_KIND] = options.kind;
  setWord64(i32, SEGMENT_HEADER_SCHEMA_HASH, SCHEMA_HASH);
  setWord64(i32, SEGMENT_HEADER_SIZE, BigInt(segment.size));
  setWord64(i32, SEGMENT_HEADER_SESSION_ID, options.sessionId ?? 0n);
  setWord64(i32, SEGMENT_HEADER_CREATED_NS, native().clockRealtime());
  i32[SEGMENT_HEADER_SERVER_PID] = process.pid;
  i32[SEGMENT_HEADER_UID] = process.getuid?.() ?? 0;
  i32[SEGMENT_HEADER_DEVICE] = options.device ?? 0;
  u8.set(prefix, SEGMENT_HEADER_PREFIX_BYTES);
  i32[SEGMENT_HEADER_PREFIX_LENGTH] = prefix.length;
  i32[SEGMENT_HEADER_COVERS_HOST] = Number(prefix.length > 0 && isOnHost(options.prefix ?? ''));
  u8.set(name, SEGMENT_HEADER_NAME_BYTES);
  i32[SEGMENT_HEADER_NAME_LENGTH] = name.length;
  setWord64(i32, SEGMENT_HEADER_MAGIC, MAGIC);
}

/** The segment is complete: clients may attach. */
export function publishSegment(segment: Segment): void {
  Atomics.store(segment.i32, SEGMENT_HEADER_STATE, SEGMENT_STATE_READY);
}

/** The server ends: nobody attaches any more, and who waits gives up. */
export function retireSegment(segment: Segment): void {
  Atomics.store(segment.i32, SEGMENT_HEADER_STATE, SEGMENT_STATE_STOPPED);
  native().futexWake(segment.id, SEGMENT_HEADER_STATE * 4, 0x7fffffff);
}

// ---- opening --------------------------------------------------------------------------------------

/** What a header says, once it has been checked. */
export interface SegmentFacts {
  readonly size: number;
  readonly sessionId: bigint;
  readonly serverPid: number;
  readonly uid: number;
  readonly device: number;
  readonly prefix: string;
  readonly session: string;
  readonly createdNs: bigint;
}

export interface OpenOptions {
  readonly kind: SegmentKind;
  /** By name, or by a descriptor that this process holds already (worker threads). */
  readonly session?: string;
  readonly fd?: number;
  readonly method?: MappingMethod;
  /** Accept a segment that is still BUILDING (the server's own threads). */
  readonly building?: boolean;
}

/** Opens, checks and maps an existing segment. */
export function openSegment(options: OpenOptions): Segment {
  const addon = native();
  const name =
    options.session === undefined ? undefined : segmentName(options.session, options.kind);
  const fd = name === undefined ? (options.fd ?? -1) : addon.shmOpen(name);
  if (name !== undefined && fd === -os.errno.ENOENT) {
    throw new SegmentError(
      'BTFUSE_ERR_SESSION_MISSING',
      `No session "${options.session}" is running.`,
    );
  }
  if (name !== undefined && fd < 0) throw foreign(name);
  try {
    const what = name === undefined ? `descriptor ${fd}` : `/dev/shm/${name}`;
    const mapped = mapChecked(fd, what, options);
    return name === undefined ? mapped : { ...mapped, name };
  } catch (error) {
    if (name !== undefined) addon.close(fd);
    throw error;
  }
}

function mapChecked(fd: number, what: string, options: OpenOptions): Segment {
  const status = fstatSync(fd);
  if (!status.isFile()) {
    throw new SegmentError('BTFUSE_ERR_SEGMENT_FOREIGN', `${what} is no regular file.`);
  }
  if (status.size < PAGE_SIZE) {
    throw new SegmentError('BTFUSE_ERR_SEGMENT_TRUNCATED', `${what} is shorter than its header.`);
  }
  const segment = mapSegment(fd, status.size, options.method);
  try {
    checkHeader(segment, what, options);
    return segment;
  } catch (error) {
    native().unmap(segment.id);
    throw error;
  }
}

function checkHeader(segment: Segment, what: string, options: OpenOptions): void {
  const { i32 } = segment;
  const state = Atomics.load(i32, SEGMENT_HEADER_STATE);
  if (word64(i32, SEGMENT_HEADER_MAGIC) !== MAGIC || i32[SEGMENT_HEADER_KIND] !== options.kind) {
    throw new SegmentError(
      'BTFUSE_ERR_SEGMENT_FOREIGN',
      `${what} is no ${suffixes[options.kind]} segment of bt-fuse.`,
    );
  }
  const sameSchema = word64(i32, SEGMENT_HEADER_SCHEMA_HASH) === SCHEMA_HASH;
  if (i32[SEGMENT_HEADER_VERSION] !== VERSION || !sameSchema) {
    throw new SegmentError(
      'BTFUSE_ERR_SEGMENT_VERSION',
      `${what} was made by another version of bt-fuse.`,
    );
  }
  if (word64(i32, SEGMENT_HEADER_SIZE) !== BigInt(segment.size)) {
    throw new SegmentError(
      'BTFUSE_ERR_SEGMENT_TRUNCATED',
      `${what} has ${segment.size} bytes, not the ${word64(i32, SEGMENT_HEADER_SIZE)} of its header.`,
    );
  }
  if (state === SEGMENT_STATE_BUILDING && options.building !== true) {
    throw new SegmentError('BTFUSE_ERR_SEGMENT_BUILDING', `${what} is not ready yet.`);
  }
  if (state === SEGMENT_STATE_STOPPED) {
    throw new SegmentError('BTFUSE_ERR_SESSION_STOPPED', `The server of ${what} has stopped.`);
  }
}

export function segmentFacts(segment: Segment): SegmentFacts {
  const { i32, u8 } = segment;
  const text = (offset: number, length: number, most: number): string =>
    Buffer.from(u8.slice(offset, offset + Math.min(length >>> 0, most))).toString();
  return {
    size: segment.size,
    sessionId: word64(i32, SEGMENT_HEADER_SESSION_ID),
    createdNs: word64(i32, SEGMENT_HEADER_CREATED_NS),
    serverPid: i32[SEGMENT_HEADER_SERVER_PID],
    uid: i32[SEGMENT_HEADER_UID],
    device: i32[SEGMENT_HEADER_DEVICE],
    prefix: text(SEGMENT_HEADER_PREFIX_BYTES, i32[SEGMENT_HEADER_PREFIX_LENGTH], PREFIX_MAX),
    session: text(SEGMENT_HEADER_NAME_BYTES, i32[SEGMENT_HEADER_NAME_LENGTH], SESSION_NAME_MAX),
  };
}

/** Unmaps and closes; with `unlink` the name goes too. Typed arrays over it must not be used again. */
export function closeSegment(segment: Segment, options: { unlink?: boolean } = {}): void {
  if (options.unlink === true && segment.name !== undefined) native().shmUnlink(segment.name);
  native().unmap(segment.id);
  native().close(segment.fd);
}
