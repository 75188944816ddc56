/**
 * The ring as one TypeScript thread uses it: a process record, a slot, and one request at a time. The twin of
 * preload/client (ringbuf/PROTOCOL.md says how the words move); waits in the kernel futex on the slot's state.
 */
import {
  GROUPS_MAX,
  INLINE_SIZE,
  PAGE_SIZE,
  PROCESS_CWD,
  PROCESS_FD_LIMIT,
  PROCESS_GID,
  PROCESS_GROUP_COUNT,
  PROCESS_GROUPS,
  PROCESS_MAPPING_LIMIT,
  PROCESS_PARENT,
  PROCESS_PID,
  PROCESS_RECORD_WORDS,
  PROCESS_RGID,
  PROCESS_RUID,
  PROCESS_STATE,
  PROCESS_STATE_EXITED,
  PROCESS_STATE_FORKING,
  PROCESS_STATE_FREE,
  PROCESS_STATE_LIVE,
  PROCESS_UID,
  PROCESS_UMASK,
  PROCESS_VIRTUAL_FDS,
  PROCESSES_MAX,
  REPLY_SLAB,
  REQUEST_SLAB,
  RING_HEADER_BELL,
  RING_HEADER_PARKED,
  RING_HEADER_SERVER_TID,
  RING_HEADER_SLOTS_FULL,
  RING_HEADER_SLOTS_HIGH,
  RING_HEADER_STOP,
  RING_HEADER_SUMMARY,
  RING_LEAF_STRIDE,
  RING_LEAVES_OFFSET,
  RING_PROCESSES_OFFSET,
  RING_SLABS_OFFSET,
  RING_SLOTS_OFFSET,
  SEGMENT_RING,
  SLAB_SIZE,
  SLOT_FLAGS,
  SLOT_GID,
  SLOT_MODE,
  SLOT_OPCODE,
  SLOT_OWNER,
  SLOT_PATH_LENGTH,
  SLOT_PATH2_LENGTH,
  SLOT_PAYLOAD_BYTES,
  SLOT_PAYLOAD_LENGTH,
  SLOT_PROCESS,
  SLOT_RECORD_SIZE,
  SLOT_REPLY_FLAGS,
  SLOT_REPLY_LENGTH,
  SLOT_REQUEST_FLAGS,
  SLOT_SLAB_BACKED,
  SLOT_STATE,
  SLOT_STATE_DONE,
  SLOT_STATE_IDLE,
  SLOT_STATE_REQUEST,
  SLOT_STATE_SLEEPING,
  SLOT_STATUS,
  SLOT_SYMLINKS,
  SLOT_UID,
  SLOT_UMASK,
  SLOTS_MAX,
  SLOTS_PER_LEAF,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { closeSegment, openSegment, type Segment, segmentFacts } from '../../ringbuf/segment.ts';
import { ServerError } from '../server/errors.ts';
import { EINTR, EIO } from '../store/errno.ts';

const HEADER = PAGE_SIZE / 4;
const SLICE_US = 100_000;
const SPINS = 2000;

export interface Channel {
  readonly segment: Segment;
  readonly prefix: string;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly process: number;
  readonly slot: number;
  /** Word index of the slot. */
  readonly word: number;
}

function claimProcess(i32: Int32Array): number {
  for (let index = 1; index < PROCESSES_MAX; index++) {
    const word = RING_PROCESSES_OFFSET / 4 + index * PROCESS_RECORD_WORDS;
    const before = Atomics.compareExchange(
      i32,
      word + PROCESS_STATE,
      PROCESS_STATE_FREE,
      PROCESS_STATE_FORKING,
    );
    if (before !== PROCESS_STATE_FREE) continue;
    for (const field of [
      PROCESS_PARENT,
      PROCESS_CWD,
      PROCESS_FD_LIMIT,
      PROCESS_MAPPING_LIMIT,
      PROCESS_VIRTUAL_FDS,
    ]) {
      i32[word + field] = 0;
    }
    i32[word + PROCESS_PID] = process.pid;
    i32[word + PROCESS_UMASK] = process.umask();
    i32[word + PROCESS_UID] = process.geteuid?.() ?? 0;
    i32[word + PROCESS_GID] = process.getegid?.() ?? 0;
    i32[word + PROCESS_RUID] = process.getuid?.() ?? 0;
    i32[word + PROCESS_RGID] = process.getgid?.() ?? 0;
    const groups = (process.getgroups?.() ?? []).slice(0, GROUPS_MAX);
    i32[word + PROCESS_GROUP_COUNT] = groups.length;
    groups.forEach((group, i) => {
      i32[word + PROCESS_GROUPS + i] = group;
    });
    Atomics.store(i32, word + PROCESS_STATE, PROCESS_STATE_LIVE);
    return index;
  }
  throw new ServerError('BTFUSE_ERR_SESSION_FULL', 'The session has no room for another process.');
}

function raiseSlotsHigh(i32: Int32Array, count: number): void {
  const at = HEADER + RING_HEADER_SLOTS_HIGH;
  for (let high = Atomics.load(i32, at); high < count; ) {
    const before = Atomics.compareExchange(i32, at, high, count);
    if (before === high) return;
    high = before;
  }
}

function claimSlot(i32: Int32Array): number {
  const tid = native().gettid();
  for (let index = 0; index < SLOTS_MAX; index++) {
    const word = (RING_SLOTS_OFFSET + index * SLOT_RECORD_SIZE) / 4;
    if (Atomics.compareExchange(i32, word + SLOT_OWNER, 0, tid) !== 0) continue;
    raiseSlotsHigh(i32, index + 1);
    return index;
  }
  // The server then looks for slots of dead threads.
  Atomics.add(i32, HEADER + RING_HEADER_SLOTS_FULL, 1);
  throw new ServerError('BTFUSE_ERR_SESSION_FULL', 'The session has no free request slot.');
}

/** Joins the running session `name`. Throws SegmentError or ServerError. */
export function openChannel(name: string): Channel {
  const segment = openSegment({ kind: SEGMENT_RING, session: name });
  try {
    const { i32, u8 } = segment;
    const index = claimProcess(i32);
    const slot = claimSlot(i32);
    const word = (RING_SLOTS_OFFSET + slot * SLOT_RECORD_SIZE) / 4;
    i32[word + SLOT_PROCESS] = index;
    const { prefix } = segmentFacts(segment);
    return { segment, prefix, i32, u8, process: index, slot, word };
  } catch (error) {
    closeSegment(segment);
    throw error;
  }
}

export function closeChannel(channel: Channel): void {
  const { i32, word } = channel;
  const processWord = RING_PROCESSES_OFFSET / 4 + channel.process * PROCESS_RECORD_WORDS;
  Atomics.store(i32, word + SLOT_STATE, SLOT_STATE_IDLE);
  Atomics.store(i32, word + SLOT_OWNER, 0);
  // Without a pid the server need not wait for the end of this process to free the record.
  i32[processWord + PROCESS_PID] = 0;
  Atomics.store(i32, processWord + PROCESS_STATE, PROCESS_STATE_EXITED);
  closeSegment(channel.segment);
}

/** Clears the request fields and fills in who asks. */
export function beginRequest(channel: Channel, opcode: number): void {
  const { i32, word } = channel;
  const processWord = RING_PROCESSES_OFFSET / 4 + channel.process * PROCESS_RECORD_WORDS;
  i32.fill(0, word + SLOT_OPCODE, word + SLOT_PAYLOAD_BYTES / 4);
  i32[word + SLOT_OPCODE] = opcode;
  i32[word + SLOT_UID] = i32[processWord + PROCESS_UID];
  i32[word + SLOT_GID] = i32[processWord + PROCESS_GID];
  i32[word + SLOT_UMASK] = 0;
  i32[word + SLOT_SYMLINKS] = 0;
  i32[word + SLOT_FLAGS] = 0;
  i32[word + SLOT_MODE] = 0;
}

/** Backs the slab up to `bytes`, so that touching it cannot fail. */
export function backSlab(channel: Channel, bytes: number): void {
  const { i32, word } = channel;
  if (i32[word + SLOT_SLAB_BACKED] >= bytes) return;
  const result = native().allocate(channel.segment.fd, slabOffset(channel), SLAB_SIZE);
  if (result < 0) {
    throw new ServerError('BTFUSE_ERR_NO_SHARED_MEMORY', '/dev/shm has no room for a transfer.');
  }
  i32[word + SLOT_SLAB_BACKED] = SLAB_SIZE;
}

const slabOffset = (channel: Channel): number => RING_SLABS_OFFSET + channel.slot * SLAB_SIZE;

/** Puts the request payload where it fits: path, path2, then data. */
export function setPayload(channel: Channel, parts: readonly Uint8Array[], paths: number): void {
  const { i32, u8, word } = channel;
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let at = word * 4 + SLOT_PAYLOAD_BYTES;
  if (total > INLINE_SIZE) {
    backSlab(channel, total);
    at = slabOffset(channel);
    i32[word + SLOT_REQUEST_FLAGS] |= REQUEST_SLAB;
  }
  for (const part of parts) {
    u8.set(part, at);
    at += part.length;
  }
  if (paths > 0) i32[word + SLOT_PATH_LENGTH] = parts[0].length;
  if (paths > 1) i32[word + SLOT_PATH2_LENGTH] = parts[1].length;
  i32[word + SLOT_PAYLOAD_LENGTH] = total;
}

/** The reply payload: a view into shared memory, valid until the next request. */
export function replyPayload(channel: Channel): Uint8Array {
  const { i32, u8, word } = channel;
  const slab = (i32[word + SLOT_REPLY_FLAGS] & REPLY_SLAB) !== 0;
  const at = slab ? slabOffset(channel) : word * 4 + SLOT_PAYLOAD_BYTES;
  return u8.subarray(at, at + i32[word + SLOT_REPLY_LENGTH]);
}

function serverGone(channel: Channel): boolean {
  if (Atomics.load(channel.i32, HEADER + RING_HEADER_STOP) !== 0) return true;
  // The serving thread, not its process: a zombie still answers for its pid.
  return !native().threadAlive(0, channel.i32[HEADER + RING_HEADER_SERVER_TID]);
}

/** Posts the request and waits. Returns Slot.status; -EIO when the server is gone. */
export function transact(channel: Channel): number {
  const { i32, word, slot, segment } = channel;
  const leaf = Math.floor(slot / SLOTS_PER_LEAF);
  const state = word + SLOT_STATE;
  Atomics.store(i32, state, SLOT_STATE_REQUEST);
  Atomics.or(i32, (RING_LEAVES_OFFSET + leaf * RING_LEAF_STRIDE) / 4, 1 << (slot % SLOTS_PER_LEAF));
  Atomics.or(i32, HEADER + RING_HEADER_SUMMARY, 1 << leaf);
  if (Atomics.load(i32, HEADER + RING_HEADER_PARKED) !== 0) {
    Atomics.add(i32, HEADER + RING_HEADER_BELL, 1);
    native().futexWake(segment.id, (HEADER + RING_HEADER_BELL) * 4, 1);
  }
  for (let i = 0; i < SPINS && Atomics.load(i32, state) === SLOT_STATE_REQUEST; i++);
  if (
    Atomics.compareExchange(i32, state, SLOT_STATE_REQUEST, SLOT_STATE_SLEEPING) ===
    SLOT_STATE_REQUEST
  ) {
    while (Atomics.load(i32, state) === SLOT_STATE_SLEEPING) {
      const result = native().futexWait(segment.id, state * 4, SLOT_STATE_SLEEPING, SLICE_US);
      if (result < 0 && result !== -EINTR && serverGone(channel)) break;
    }
  }
  if (Atomics.load(i32, state) !== SLOT_STATE_DONE) return -EIO;
  const status = i32[word + SLOT_STATUS];
  Atomics.store(i32, state, SLOT_STATE_IDLE);
  return status;
}
