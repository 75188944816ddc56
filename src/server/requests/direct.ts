/** Requests that answer with places in the data segment: direct transfers under a grant, and memory maps. */
import {
  DESCRIPTION_STATE_POSITION,
  DESCRIPTION_STATE_STATUS_FLAGS,
  MAPPING_MORE,
  MAPPING_TOUCH,
  PAGE_SIZE,
  REQUEST_POSITION,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_OFFSET,
  SLOT_REPLY_OFFSET,
  SLOT_REQUEST_FLAGS,
  SLOT_SIZE,
} from '../../../ringbuf/layout.gen.ts';
import { now } from '../../store/clock.ts';
import { EACCES, EBADF, EINVAL, EISDIR, ENODEV, ENOSPC } from '../../store/errno.ts';
import { directExtents, mapExtents } from '../../store/files.ts';
import { commitWrite, prepareWrite } from '../../store/grants.ts';
import { getSize, isDirectory, isRegular, modeOf } from '../../store/inodes.ts';
import { beforeWrite, isReadable, isWritable, writable } from '../../store/operations/io.ts';
import { accessed, modified } from '../../store/operations/times.ts';
import { isAppendOnly } from '../../store/permission.ts';
import { MAP_SHARED, O_APPEND, O_NOATIME, O_PATH, PROT_WRITE } from '../../store/posix.ts';
import { getWide, setWide } from '../../store/wide.ts';
import { inodeOf, isOpen, noteMapping, openFlagsOf, stateWord } from '../descriptions.ts';
import { finishGrant, GRANT_WRITE, grantRead, grantWrite } from '../grants.ts';
import { notifyRead } from '../inotify.ts';
import { movePosition, POSITION_TRIES, positionOf } from '../position.ts';
import { replyExtents, replyResult } from '../reply.ts';
import { type Server, takeCaller, takeDescription, takeFileSizeLimit } from '../request.ts';
import { noteWritten } from './io.ts';

export function onReadDirect(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0 || !isReadable(openFlagsOf(descriptions, id))) return -EBADF;
  const ino = inodeOf(descriptions, id);
  if (!isRegular(store, ino)) return isDirectory(store, ino) ? -EISDIR : -EINVAL;
  const state = stateWord(id);
  const positioned = (i32[word + SLOT_REQUEST_FLAGS] & REQUEST_POSITION) !== 0;
  const size = getWide(i32, word + SLOT_SIZE);
  let count = 0;
  let bytes = 0;
  for (let i = 0; i < POSITION_TRIES; i++) {
    const offset = positioned
      ? positionOf(server.ring.segment, id)
      : getWide(i32, word + SLOT_OFFSET);
    if (offset < 0 || size < 0) return -EINVAL;
    count = directExtents(store, ino, offset, size, server.extents);
    if (count < 0) return count;
    bytes = replyExtents(server, slot, word, count);
    if (!positioned || movePosition(server.ring.segment, id, offset, offset + bytes)) break;
  }
  if ((i32[state + DESCRIPTION_STATE_STATUS_FLAGS] & O_NOATIME) === 0) accessed(store, ino);
  if (bytes > 0 && server.notifier.active) notifyRead(server.notifier, id);
  replyResult(server, word, bytes);
  if (count > 0) grantRead(server.grants, slot);
  return 0;
}

export function onWritePrepare(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions, grants } = server;
  const id = takeDescription(server, word);
  if (id === 0 || !isWritable(openFlagsOf(descriptions, id))) return -EBADF;
  const ino = inodeOf(descriptions, id);
  if (!isRegular(store, ino)) return -EINVAL;
  const caller = takeCaller(server, word);
  takeFileSizeLimit(server, word);
  const state = stateWord(id);
  const positioned = (i32[word + SLOT_REQUEST_FLAGS] & REQUEST_POSITION) !== 0;
  const append = (i32[state + DESCRIPTION_STATE_STATUS_FLAGS] & O_APPEND) !== 0;
  const offset = append
    ? getSize(store, ino)
    : getWide(i32, positioned ? state + DESCRIPTION_STATE_POSITION : word + SLOT_OFFSET);
  const size = getWide(i32, word + SLOT_SIZE);
  if (offset < 0 || size <= 0) return -EINVAL;
  const allowed = writable(caller, offset, size);
  if (allowed < 0) return allowed;
  const count = prepareWrite(store, slot, ino, offset, allowed, server.extents);
  if (count < 0) return count;
  if (count === 0) return -ENOSPC;
  const room = replyExtents(server, slot, word, count);
  grants.description[slot] = id;
  grants.append[slot] = append ? 1 : 0;
  grants.positioned[slot] = positioned ? 1 : 0;
  grantWrite(grants, slot, ino, room);
  setWide(i32, word + SLOT_REPLY_OFFSET, offset);
  replyResult(server, word, room);
  return 0;
}

export function onWriteCommit(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions, grants } = server;
  if (grants.kind[slot] !== GRANT_WRITE) return -EBADF;
  const size = getWide(i32, word + SLOT_SIZE);
  if (size < 0 || size > grants.room[slot]) return -EINVAL;
  const ino = grants.ino[slot];
  const id = grants.description[slot];
  const mode = modeOf(store, ino);
  if (size > 0) beforeWrite(store, takeCaller(server, word), ino);
  const bytes = commitWrite(store, slot, size, grants.append[slot] !== 0);
  if (bytes > 0 && grants.positioned[slot] !== 0 && isOpen(descriptions, id))
    setWide(i32, stateWord(id) + DESCRIPTION_STATE_POSITION, store.committedEnd);
  setWide(i32, word + SLOT_REPLY_OFFSET, store.committedEnd);
  finishGrant(grants, slot);
  if (bytes < 0) return bytes;
  if (bytes > 0 && server.notifier.active && isOpen(descriptions, id))
    noteWritten(server, id, ino, mode);
  replyResult(server, word, bytes);
  return 0;
}

export function onSetupMapping(server: Server, slot: number, word: number): number {
  const { store, i32, descriptions } = server;
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  const openFlags = openFlagsOf(descriptions, id);
  if ((openFlags & O_PATH) !== 0) return -EBADF;
  const ino = inodeOf(descriptions, id);
  const protection = i32[word + SLOT_MODE];
  const flags = i32[word + SLOT_FLAGS];
  const shared = (flags & MAP_SHARED) !== 0;
  const offset = getWide(i32, word + SLOT_OFFSET);
  const size = getWide(i32, word + SLOT_SIZE);
  if (offset < 0 || size <= 0 || offset % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0) return -EINVAL;
  if (!isReadable(openFlags)) return -EACCES;
  const writes = shared && (protection & PROT_WRITE) !== 0;
  if (writes && !isWritable(openFlags)) return -EACCES;
  if (shared && isWritable(openFlags) && isAppendOnly(store, ino)) return -EACCES;
  if (!isRegular(store, ino)) return -ENODEV;
  const touched = (flags & MAPPING_TOUCH) !== 0;
  const count = mapExtents(store, ino, offset, size, server.extents, touched);
  if (count < 0) return count;
  noteMapping(descriptions, id);
  const bytes = replyExtents(server, slot, word, count);
  // Stores through the map are seen by nobody: the times of the mapping stand for them.
  const more = (flags & MAPPING_MORE) !== 0;
  if (writes && !more) {
    now(store);
    modified(store, ino);
  } else if (!more) accessed(store, ino);
  replyResult(server, word, bytes);
  return 0;
}
