/** Requests on an open description: attributes, bytes, directory entries, space. */
import {
  COPY_OVERLAPPING,
  DESCRIPTION_STATE_POSITION,
  DESCRIPTION_STATE_STATUS_FLAGS,
  PAGE_SIZE,
  REQUEST_POSITION,
  REQUEST_POSITION2,
  REQUEST_SPARE,
  REQUEST_VECTOR,
  SLAB_SIZE,
  SLOT_DESCRIPTION2,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_OFFSET,
  SLOT_OFFSET2,
  SLOT_PAYLOAD_LENGTH,
  SLOT_REPLY_LENGTH,
  SLOT_REPLY_OFFSET,
  SLOT_REQUEST_FLAGS,
  SLOT_SIZE,
  SLOT_SPARE,
  SPARE_MIN,
} from '../../../ringbuf/layout.gen.ts';
import { EBADF, EINVAL, EIO, EISDIR } from '../../store/errno.ts';
import { getSize, isDirectory, isRegular, modeOf } from '../../store/inodes.ts';
import { readdir } from '../../store/operations/directory.ts';
import {
  beforeWrite,
  copyFileRange,
  fallocate,
  isReadable,
  isWritable,
  lseek,
  read,
  write,
  writeSpare,
} from '../../store/operations/io.ts';
import { O_APPEND, O_NOATIME, O_PATH } from '../../store/posix.ts';
import { giveSpare } from '../../store/spares.ts';
import type { Store } from '../../store/store.ts';
import { getWide, setWide } from '../../store/wide.ts';
import { inodeOf, isOpen, openFlagsOf, stateWord } from '../descriptions.ts';
import { IN_ATTRIB, notifyDescription, notifyRead, notifyWrite } from '../inotify.ts';
import { claimPosition, movePosition, POSITION_TRIES, positionOf } from '../position.ts';
import { replyAttributes, replyResult, replyRoom } from '../reply.ts';
import {
  type Server,
  takeCaller,
  takeDescription,
  takeFileSizeLimit,
  takePayload,
} from '../request.ts';

export function onGetattr(server: Server, word: number): number {
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  replyAttributes(server, word, inodeOf(server.descriptions, id));
  return 0;
}

export function onRead(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || !isReadable(openFlagsOf(descriptions, id))) return -EBADF;
  const ino = inodeOf(descriptions, id);
  const state = stateWord(id);
  const positioned = (i32[word + SLOT_REQUEST_FLAGS] & REQUEST_POSITION) !== 0;
  let offset = positioned ? positionOf(server.ring.segment, id) : getWide(i32, word + SLOT_OFFSET);
  const wanted = getWide(i32, word + SLOT_SIZE);
  if (offset < 0 || wanted < 0) return -EINVAL;
  if (!isRegular(store, ino)) return isDirectory(store, ino) ? -EISDIR : -EINVAL;
  // What the file does not hold needs no room: most reads end in the slot, whatever their buffer.
  const held = Math.min(wanted, SLAB_SIZE);
  let size = Math.min(held, Math.max(0, getSize(store, ino) - offset));
  for (let i = 0; positioned && size > 0 && i < POSITION_TRIES; i++) {
    if (movePosition(server.ring.segment, id, offset, offset + size)) break;
    offset = positionOf(server.ring.segment, id);
    if (offset < 0) return -EINVAL;
    size = Math.min(held, Math.max(0, getSize(store, ino) - offset));
  }
  const room = replyRoom(server, slot, word, size);
  if (room < 0) return room;
  const noatime = (i32[state + DESCRIPTION_STATE_STATUS_FLAGS] & O_NOATIME) !== 0;
  const bytes = read(store, ino, noatime, offset, size, server.ringId, room);
  if (bytes < 0) return bytes;
  if (
    server.notifier.active &&
    (bytes > 0 || (i32[word + SLOT_REQUEST_FLAGS] & REQUEST_VECTOR) !== 0)
  )
    notifyRead(server.notifier, id);
  i32[word + SLOT_REPLY_LENGTH] = bytes;
  replyResult(server, word, bytes);
  return 0;
}

/** Has the slot a spare, and do the bytes fit in it? Which block it is the client need not say. */
function checkSpare(store: Store, slot: number, length: number): number {
  return store.spares.block[slot] !== 0 && length <= PAGE_SIZE ? 0 : -EIO;
}

/** Whoever writes so much at once, and not too much, may do it in a spare block next time. */
function showSpare(store: Store, i32: Int32Array, slot: number, word: number): void {
  i32[word + SLOT_SPARE] = giveSpare(store, slot, 0);
}

export function onWrite(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || !isWritable(openFlagsOf(descriptions, id))) return -EBADF;
  const ino = inodeOf(descriptions, id);
  const length = i32[word + SLOT_PAYLOAD_LENGTH] >>> 0;
  const flags = i32[word + SLOT_REQUEST_FLAGS];
  const spared = (flags & REQUEST_SPARE) !== 0;
  const payload = spared
    ? checkSpare(store, slot, length)
    : takePayload(server, slot, word, length);
  if (payload < 0) return payload;
  const caller = takeCaller(server, word);
  takeFileSizeLimit(server, word);
  const state = stateWord(id);
  // With a spare the client has moved the position itself, and looked at O_APPEND, which is its own word.
  const positioned = !spared && (flags & REQUEST_POSITION) !== 0;
  const append = !spared && (i32[state + DESCRIPTION_STATE_STATUS_FLAGS] & O_APPEND) !== 0;
  let offset = append ? getSize(store, ino) : getWide(i32, word + SLOT_OFFSET);
  if (positioned && !append) offset = claimPosition(server.ring.segment, id, length);
  const mode = modeOf(store, ino);
  const bytes = spared
    ? writeSpare(store, caller, ino, offset, length, slot)
    : write(store, caller, ino, offset, length, server.ringId, payload);
  if (spared || length >= SPARE_MIN) showSpare(store, i32, slot, word);
  if (positioned && length > 0) {
    if (append && bytes >= 0) setWide(i32, state + DESCRIPTION_STATE_POSITION, offset + bytes);
    // Less was written than claimed (or nothing: an errno): given back if nobody has claimed since.
    else if (!append && bytes < length)
      movePosition(server.ring.segment, id, offset + length, offset + Math.max(bytes, 0));
  }
  if (bytes < 0) return bytes;
  if (bytes > 0 && server.notifier.active) noteWritten(server, id, ino, mode);
  setWide(i32, word + SLOT_REPLY_OFFSET, offset + bytes);
  replyResult(server, word, bytes);
  return 0;
}

/** A write may take set-id bits away first, which is a change of attributes. `mode`: as it was before. */
export function noteWritten(
  { notifier, store }: Server,
  id: number,
  ino: number,
  mode: number,
): void {
  if (modeOf(store, ino) !== mode) notifyDescription(notifier, id, IN_ATTRIB);
  notifyWrite(notifier, id);
}

/** The part of a write that a client cannot do: it moves the bytes itself (adr 0006). */
export function onTouch(server: Server, word: number): number {
  const { store, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || !isWritable(openFlagsOf(descriptions, id))) return -EBADF;
  const ino = inodeOf(descriptions, id);
  if (!isRegular(store, ino)) return -EINVAL;
  beforeWrite(store, takeCaller(server, word), ino);
  return 0;
}

export function onReaddir(server: Server, slot: number, word: number): number {
  const { i32, descriptions, dirents } = server;
  const id = takeDescription(server, word);
  if (id === 0 || (openFlagsOf(descriptions, id) & O_PATH) !== 0) return -EBADF;
  const wanted = getWide(i32, word + SLOT_SIZE);
  if (wanted < 0) return -EINVAL;
  const size = Math.min(wanted, SLAB_SIZE);
  const room = replyRoom(server, slot, word, size);
  if (room < 0) return room;
  const state = stateWord(id);
  const position = getWide(i32, state + DESCRIPTION_STATE_POSITION);
  dirents.at = room;
  dirents.end = room + size;
  dirents.position = Math.max(position, 0);
  const noatime = (i32[state + DESCRIPTION_STATE_STATUS_FLAGS] & O_NOATIME) !== 0;
  const status = readdir(server.store, inodeOf(descriptions, id), noatime, dirents);
  if (status !== 0) return status;
  if (server.notifier.active) notifyRead(server.notifier, id);
  const bytes = dirents.at - room;
  if (bytes > 0) setWide(i32, state + DESCRIPTION_STATE_POSITION, dirents.position);
  i32[word + SLOT_REPLY_LENGTH] = bytes;
  replyResult(server, word, bytes);
  return 0;
}

export function onLseek(server: Server, word: number): number {
  const { i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || (openFlagsOf(descriptions, id) & O_PATH) !== 0) return -EBADF;
  const state = stateWord(id) + DESCRIPTION_STATE_POSITION;
  const offset = getWide(i32, word + SLOT_OFFSET);
  const whence = i32[word + SLOT_MODE];
  const ino = inodeOf(descriptions, id);
  const to = lseek(server.store, ino, getWide(i32, state), offset, whence);
  if (to < 0) return to;
  setWide(i32, state, to);
  replyResult(server, word, to);
  return 0;
}

export function onFsync(server: Server, word: number): number {
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  if ((openFlagsOf(server.descriptions, id) & O_PATH) !== 0) return -EBADF;
  return isRegular(server.store, inodeOf(server.descriptions, id)) ||
    isDirectory(server.store, inodeOf(server.descriptions, id))
    ? 0
    : -EINVAL;
}

export function onFallocate(server: Server, word: number): number {
  const { i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || (openFlagsOf(descriptions, id) & O_PATH) !== 0) return -EBADF;
  const caller = takeCaller(server, word);
  takeFileSizeLimit(server, word);
  const ino = inodeOf(descriptions, id);
  const before = modeOf(server.store, ino);
  const status = fallocate(
    server.store,
    caller,
    ino,
    openFlagsOf(descriptions, id),
    i32[word + SLOT_MODE],
    getWide(i32, word + SLOT_OFFSET),
    getWide(i32, word + SLOT_SIZE),
  );
  if (status === 0 && server.notifier.active) noteWritten(server, id, ino, before);
  return status;
}

export function onCopyFileRange(server: Server, word: number): number {
  const { i32, descriptions } = server;
  const from = takeDescription(server, word);
  const to = i32[word + SLOT_DESCRIPTION2];
  if (from === 0 || !isOpen(descriptions, to)) return -EBADF;
  if (!isReadable(openFlagsOf(descriptions, from))) return -EBADF;
  if (!isWritable(openFlagsOf(descriptions, to))) return -EBADF;
  if ((i32[stateWord(to) + DESCRIPTION_STATE_STATUS_FLAGS] & O_APPEND) !== 0) return -EBADF;
  const caller = takeCaller(server, word);
  takeFileSizeLimit(server, word);
  const flags = i32[word + SLOT_REQUEST_FLAGS];
  const fromState = stateWord(from) + DESCRIPTION_STATE_POSITION;
  const toState = stateWord(to) + DESCRIPTION_STATE_POSITION;
  const fromPositioned = (flags & REQUEST_POSITION) !== 0;
  const toPositioned = (flags & REQUEST_POSITION2) !== 0;
  const fromOffset = getWide(i32, fromPositioned ? fromState : word + SLOT_OFFSET);
  const toOffset = getWide(i32, toPositioned ? toState : word + SLOT_OFFSET2);
  // One request must not keep the others waiting for seconds: a short answer is repeated.
  const size = Math.min(getWide(i32, word + SLOT_SIZE), COPY_BYTES_MAX);
  if (size < 0) return -EINVAL;
  const fromInode = inodeOf(descriptions, from);
  const toInode = inodeOf(descriptions, to);
  const bytes = copyFileRange(
    server.store,
    caller,
    fromInode,
    fromOffset,
    toInode,
    toOffset,
    size,
    i32[word + SLOT_FLAGS] === COPY_OVERLAPPING,
  );
  if (bytes < 0) return bytes;
  if (bytes > 0 && server.notifier.active) {
    notifyRead(server.notifier, from);
    notifyWrite(server.notifier, to);
  }
  if (fromPositioned) setWide(i32, fromState, fromOffset + bytes);
  if (toPositioned) setWide(i32, toState, toOffset + bytes);
  replyResult(server, word, bytes);
  return 0;
}

/** Most bytes that one COPY_FILE_RANGE moves: about a tenth of a second. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;
