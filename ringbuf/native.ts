/**
 * The N-API addon: what JavaScript cannot do itself. Loaded once per thread.
 *
 * Every offset and length is checked by the addon against the segment (RangeError): a mistake of ours
 * must not become a write outside it. System call failures come back as -errno values.
 */
import { createRequire } from 'node:module';

export interface Native {
  /** Creates /dev/shm/<name> (O_EXCL, 0600, NUL-free, no slash) sparse with `size` bytes → fd or -errno. */
  shmCreate(name: string, size: number): number;
  /** Opens /dev/shm/<name> read-write, O_NOFOLLOW → fd or -errno. */
  shmOpen(name: string): number;
  shmUnlink(name: string): number;
  /** Anonymous segment, close-on-exec → fd or -errno. For tests and where /dev/shm cannot be used. */
  memfdCreate(name: string, size: number): number;
  /**
   * Maps `size` bytes of fd (shared, read-write) → segment id (≥ 0, per thread of this process) or -errno.
   * The id is what copy, zero and futex calls take.
   */
  map(fd: number, size: number): number;
  /** SharedArrayBuffer over a mapped segment by node_api_create_external_sharedarraybuffer; throws where Node has none. */
  sharedArrayBuffer(segment: number): SharedArrayBuffer;
  /** True where the runtime offers the call above. */
  readonly hasExternalSharedArrayBuffer: boolean;
  /** Maps fd with MAP_FIXED over the memory of a WebAssembly.Memory({shared: true}) → segment id or -errno. Up to 4 GiB. */
  mapOver(fd: number, size: number, buffer: SharedArrayBuffer): number;
  unmap(segment: number): number;
  /** fallocate(fd, 0, offset, length) → 0 or -errno. ENOSPC when /dev/shm is full. */
  allocate(fd: number, offset: number, length: number): number;
  /** fallocate(PUNCH_HOLE | KEEP_SIZE). */
  punch(fd: number, offset: number, length: number): number;
  truncate(fd: number, size: number): number;
  /** memmove between mapped segments, byte offsets. */
  copy(
    toSegment: number,
    toOffset: number,
    fromSegment: number,
    fromOffset: number,
    length: number,
  ): void;
  zero(segment: number, offset: number, length: number): void;
  /**
   * Writes the thread id of the calling thread into a futex word that the kernel marks FUTEX_OWNER_DIED, waking a
   * waiter, when the thread ends, however that comes → 0 or -errno. Once per thread.
   */
  markAlive(segment: number, byteOffset: number): number;
  /** FUTEX_WAIT (shared) on the 32-bit word at byteOffset while it holds `expected`, at most timeoutUs (< 0: for ever) → 0 or -errno. */
  futexWait(segment: number, byteOffset: number, expected: number, timeoutUs: number): number;
  /** FUTEX_WAKE (shared) → woken. */
  futexWake(segment: number, byteOffset: number, count: number): number;
  schedYield(): void;
  /** CPU that the calling thread runs on. */
  currentCpu(): number;
  /** sched_setaffinity of a thread (0: the caller) to the CPUs in mask (bit per CPU, first 64) → 0 or -errno. */
  setAffinity(tid: number, mask: bigint): number;
  /** CPUs that a thread (0: the caller) may run on. */
  getAffinity(tid: number): bigint;
  gettid(): number;
  /** flock(fd, LOCK_EX | LOCK_NB) → 0 or -EWOULDBLOCK. */
  lock(fd: number): number;
  /** Does another process hold lock() on the file? Looks by way of a shared lock, given back at once. */
  isLocked(fd: number): boolean;
  close(fd: number): number;
  /** pidfd_open → fd or -errno. */
  pidfdOpen(pid: number): number;
  /** poll over pidfds without waiting: indices of those whose process has ended. */
  pidfdsEnded(fds: Int32Array): number[];
  /** Is there a thread `tid` in process `pid` (0: in any process)? (tgkill, tkill with signal 0) */
  threadAlive(pid: number, tid: number): boolean;
  /** CLOCK_REALTIME in ns. */
  clockRealtime(): bigint;
  /** utimensat(AT_SYMLINK_NOFOLLOW) of a file of the host → 0 or -errno. */
  setTimes(path: Uint8Array, atimeNs: bigint, mtimeNs: bigint): number;
  /** mknod of a file of the host → 0 or -errno. */
  makeNode(path: Uint8Array, mode: number, rdev: number): number;
  /** utimensat: bit 0 of `which` moves the access time to now, bit 1 the modification time → 0 or -errno. */
  touchPath(path: Uint8Array, which: number): number;
  /** The same of an open file, O_PATH included. */
  touchDescriptor(fd: number, which: number): number;
  /** mkdir, or a new file of one byte without blocks; for us alone → 0 or -errno. */
  makeShadow(path: Uint8Array, directory: number): number;
  /** renameat2 → 0 or -errno. */
  renamePath(from: Uint8Array, to: Uint8Array, flags: number): number;
  /** llistxattr of a file of the host → names, each with its NUL, or -errno. */
  listXattrs(path: Uint8Array): Buffer | number;
  /** lgetxattr → value or -errno. */
  getXattr(path: Uint8Array, name: Uint8Array): Buffer | number;
  /** lsetxattr → 0 or -errno. */
  setXattr(path: Uint8Array, name: Uint8Array, value: Uint8Array): number;
  /** Does anybody hold a lock of an open file description on byte `offset` of the file? */
  isRangeLocked(fd: number, offset: number): boolean;
  /** offsetof and sizeof as the C++ compiler sees them; compared with schema.ts by a test. */
  readonly offsets: Readonly<Record<string, number>>;
  readonly version: number;
  readonly schemaHash: bigint;
}

let loaded: Native | undefined;

/** The addon, built by `npm run build` into build/. */
export function native(): Native {
  loaded ??= createRequire(import.meta.url)('../build/btfuse.node') as Native;
  return loaded;
}
