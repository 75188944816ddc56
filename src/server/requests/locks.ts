/** GETLK, SETLK, SETLKW and what belongs to them. */
import {
  LK_FLOCK,
  LK_OFD,
  LOCK_KIND_FLOCK,
  LOCK_KIND_OFD,
  LOCK_KIND_POSIX,
  LOCK_QUEUED,
  PROCESS_GENERATION,
  PROCESS_PID,
  PROCESS_STATE,
  PROCESS_STATE_FREE,
  SLOT_FLAGS,
  SLOT_LOCK_END,
  SLOT_LOCK_PID,
  SLOT_LOCK_START,
  SLOT_LOCK_TYPE,
} from '../../../ringbuf/layout.gen.ts';
import { EBADF, EINVAL, ESRCH } from '../../store/errno.ts';
import {
  type Claim,
  createClaim,
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  findConflict,
  getExact,
  type LockKind,
  OFFSET_MAX,
  putExact,
} from '../../store/locks.ts';
import { isReadable, isWritable } from '../../store/operations/io.ts';
import { O_PATH } from '../../store/posix.ts';
import {
  descriptionGeneration,
  hasHolders,
  inodeOf,
  noteLocks,
  openFlagsOf,
  releaseDescription,
} from '../descriptions.ts';
import { dropProcessLocks, requestLock, tendWaiting } from '../locks.ts';
import { processWord, type Server, takeDescription, takeProcess } from '../request.ts';
import { afterReaping, reapDead } from '../watch.ts';

/** While somebody waits: how often the holders are looked at. */
const TEND_MS = 2;

function kindOf(flags: number): LockKind | undefined {
  if (flags === 0) return LOCK_KIND_POSIX;
  if (flags === LK_OFD) return LOCK_KIND_OFD;
  return flags === LK_FLOCK ? LOCK_KIND_FLOCK : undefined;
}

/** The lock that the slot asks for, or -errno. */
function takeClaim(server: Server, word: number): Claim | number {
  const { i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || (openFlagsOf(descriptions, id) & O_PATH) !== 0) return -EBADF;
  const kind = kindOf(i32[word + SLOT_FLAGS]);
  const type = i32[word + SLOT_LOCK_TYPE];
  if (kind === undefined || type < F_RDLCK || type > F_UNLCK) return -EINVAL;
  const whole = kind === LOCK_KIND_FLOCK;
  const start = whole ? 0n : getExact(i32, word + SLOT_LOCK_START);
  const end = whole ? OFFSET_MAX : getExact(i32, word + SLOT_LOCK_END);
  if (start < 0n || end < start) return -EINVAL;
  const ino = inodeOf(descriptions, id);
  if (kind !== LOCK_KIND_POSIX) {
    const pid = kind === LOCK_KIND_OFD ? -1 : 0;
    const generation = descriptionGeneration(descriptions, id);
    return createClaim(kind, ino, id, generation, pid, type, start, end);
  }
  const process = takeProcess(server, word);
  const record = processWord(process);
  if (process === 0 || Atomics.load(i32, record + PROCESS_STATE) === PROCESS_STATE_FREE)
    return -ESRCH;
  const generation = i32[record + PROCESS_GENERATION];
  return createClaim(kind, ino, process, generation, i32[record + PROCESS_PID], type, start, end);
}

/** May a description that was opened so take the lock? */
function modeAllows({ kind, type }: Claim, flags: number): boolean {
  if (type === F_UNLCK) return true;
  if (kind === LOCK_KIND_FLOCK) return isReadable(flags) || isWritable(flags);
  return type === F_WRLCK ? isWritable(flags) : isReadable(flags);
}

/** Locks in the way whose holders are no more are gone → true when there were any. */
function clearTheWay(server: Server, wanted: Claim): boolean {
  const { descriptions } = server;
  let cleared = reapDead(server);
  for (;;) {
    const found = findConflict(descriptions.locks.locks, wanted);
    if (found === undefined || found.kind === LOCK_KIND_POSIX) return cleared;
    if (hasHolders(descriptions, found.owner)) return cleared;
    releaseDescription(descriptions, found.owner);
    cleared = true;
    if (findConflict(descriptions.locks.locks, wanted) === found) return cleared;
  }
}

export function onGetlk(server: Server, word: number): number {
  const { i32, descriptions } = server;
  const wanted = takeClaim(server, word);
  if (typeof wanted === 'number') return wanted;
  const own = wanted.type === F_UNLCK;
  if (wanted.kind === LOCK_KIND_FLOCK || (own && wanted.kind === LOCK_KIND_POSIX)) return -EINVAL;
  const { locks } = descriptions.locks;
  let found = findConflict(locks, wanted);
  if (found !== undefined && !own && clearTheWay(server, wanted))
    found = findConflict(locks, wanted);
  i32[word + SLOT_LOCK_TYPE] = found?.type ?? F_UNLCK;
  if (found === undefined) return 0;
  putExact(i32, word + SLOT_LOCK_START, found.start);
  putExact(i32, word + SLOT_LOCK_END, found.end);
  i32[word + SLOT_LOCK_PID] = found.pid;
  return 0;
}

export function onSetlk(server: Server, slot: number, word: number, wait: boolean): number {
  const { descriptions } = server;
  const wanted = takeClaim(server, word);
  if (typeof wanted === 'number') return wanted;
  const id = takeDescription(server, word);
  if (id === 0 || !modeAllows(wanted, openFlagsOf(descriptions, id))) return -EBADF;
  let status = requestLock(descriptions.locks, slot, wanted, wait);
  // One that was queued is woken by whatever goes out of its way.
  if (status !== 0 && clearTheWay(server, wanted) && status !== LOCK_QUEUED)
    status = requestLock(descriptions.locks, slot, wanted, wait);
  // Before the reply: the very next close may be the last.
  if (wanted.kind !== LOCK_KIND_POSIX)
    noteLocks(descriptions, wanted.owner, wanted.generation, wanted.ino);
  return status;
}

export function onLockClose(server: Server, word: number): number {
  const { i32, descriptions } = server;
  const id = takeDescription(server, word);
  const process = takeProcess(server, word);
  if (id === 0 || process === 0) return -EBADF;
  const generation = i32[processWord(process) + PROCESS_GENERATION];
  dropProcessLocks(descriptions.locks, process, generation, inodeOf(descriptions, id));
  return 0;
}

/** Between batches. */
export function tendLocks(server: Server): void {
  const { locks } = server.descriptions;
  afterReaping(server);
  if (locks.waiting.size === 0) return;
  tendWaiting(locks);
  const now = performance.now();
  if (now - server.tendedAt < TEND_MS) return;
  server.tendedAt = now;
  reapDead(server);
  afterReaping(server);
}
