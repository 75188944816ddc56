/** SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR. Each returns Slot.status. */
import {
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_SIZE,
  XATTR_LIST_MAX,
  XATTR_NAME_MAX,
  XATTR_SIZE_MAX,
} from '../../../ringbuf/layout.gen.ts';
import { E2BIG, EINVAL, ERANGE } from '../../store/errno.ts';
import { getxattr, listxattr, removexattr, setxattr } from '../../store/operations/xattr.ts';
import { AT_SYMLINK_NOFOLLOW } from '../../store/posix.ts';
import { getWide } from '../../store/wide.ts';
import { IN_ATTRIB } from '../inotify.ts';
import { replyBytes, replyResult } from '../reply.ts';
import { type Server, takeCaller, takePayload, takeText } from '../request.ts';
import { find, finishWalk, notifyFound } from './paths.ts';

/** The name of the request under way, out of reach of its client. */
const name = new Uint8Array(XATTR_NAME_MAX);
/** A value or a list on its way out. */
const out = new Uint8Array(Math.max(XATTR_SIZE_MAX, XATTR_LIST_MAX));

/** The file, in server.walk.ino → 0, CROSSED or -errno. */
function findFile(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  takeCaller(server, word);
  return find(server, slot, word, flags, (flags & AT_SYMLINK_NOFOLLOW) === 0);
}

/** Copies the name → its length, or -errno. After find, which has taken the path before it. */
function takeName(server: Server, slot: number, word: number): number {
  const { u8, path2 } = server;
  const taken = takeText(server, slot, word);
  if (taken !== 0) return taken;
  const { offset, length } = path2;
  if (length > XATTR_NAME_MAX) return -ERANGE;
  for (let i = 0; i < length; i++) {
    const byte = u8[offset + i];
    if (byte === 0) return -EINVAL;
    name[i] = byte;
  }
  return length;
}

/** Room of the caller: never more than any answer is long. */
function takeSize(server: Server, word: number): number {
  return Math.min(Math.max(getWide(server.i32, word + SLOT_SIZE), 0), out.length);
}

export function onSetxattr(server: Server, slot: number, word: number): number {
  const { i32, u8, store, caller, walk, path } = server;
  const flags = i32[word + SLOT_MODE];
  const size = getWide(i32, word + SLOT_SIZE);
  if (size < 0 || size > XATTR_SIZE_MAX) return -E2BIG;
  const found = findFile(server, slot, word);
  if (found !== 0) return finishWalk(server, slot, word, found);
  const length = takeName(server, slot, word);
  if (length < 0) return length;
  const pathLength = path.length;
  const payload = takePayload(server, slot, word, pathLength + length + size);
  if (payload < 0) return payload;
  const at = payload + pathLength + length;
  const status = setxattr(store, caller, walk.ino, name, length, u8, at, size, flags);
  if (status === 0 && server.notifier.active)
    notifyFound(server, word, i32[word + SLOT_FLAGS], IN_ATTRIB);
  return status;
}

export function onGetxattr(server: Server, slot: number, word: number): number {
  const { store, caller, walk } = server;
  const size = takeSize(server, word);
  const found = findFile(server, slot, word);
  if (found !== 0) return finishWalk(server, slot, word, found);
  const nameLength = takeName(server, slot, word);
  if (nameLength < 0) return nameLength;
  const length = getxattr(store, caller, walk.ino, name, nameLength, out, size);
  return answer(server, slot, word, length, size);
}

export function onListxattr(server: Server, slot: number, word: number): number {
  const { store, caller, walk } = server;
  const size = takeSize(server, word);
  const found = findFile(server, slot, word);
  if (found !== 0) return finishWalk(server, slot, word, found);
  return answer(server, slot, word, listxattr(store, caller, walk.ino, out, size), size);
}

export function onRemovexattr(server: Server, slot: number, word: number): number {
  const { store, caller, walk } = server;
  const found = findFile(server, slot, word);
  if (found !== 0) return finishWalk(server, slot, word, found);
  const length = takeName(server, slot, word);
  if (length < 0) return length;
  const status = removexattr(store, caller, walk.ino, name, length);
  if (status === 0 && server.notifier.active)
    notifyFound(server, word, server.i32[word + SLOT_FLAGS], IN_ATTRIB);
  return status;
}

/** `length` bytes of `out`, or only how many there are when the caller has no room. */
function answer(server: Server, slot: number, word: number, length: number, size: number): number {
  if (length < 0) return length;
  replyResult(server, word, length);
  return size === 0 ? 0 : replyBytes(server, slot, word, out, 0, length);
}
