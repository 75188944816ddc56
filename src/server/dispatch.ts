/**
 * From opcode to operation. A request that makes no sense costs its sender an errno; a request that makes
 * us throw is our mistake, costs its sender EIO, is counted and said once, and the server goes on.
 */
import {
  OP_ACCESS,
  OP_ADDRESS,
  OP_ADOPT,
  OP_BIND,
  OP_COPY_FILE_RANGE,
  OP_CREATE,
  OP_EXEC,
  OP_EXEC_KEEP,
  OP_EXIT,
  OP_FALLOCATE,
  OP_FSYNC,
  OP_GETATTR,
  OP_GETLK,
  OP_GETXATTR,
  OP_IMAGE,
  OP_LINK,
  OP_LISTXATTR,
  OP_LOCK_CANCEL,
  OP_LOCK_CLOSE,
  OP_LOOKUP,
  OP_LSEEK,
  OP_MKDIR,
  OP_MKNOD,
  OP_NOOP,
  OP_OPEN,
  OP_OPEN_HANDLE,
  OP_PATH,
  OP_PEER,
  OP_READ,
  OP_READ_DIRECT,
  OP_READDIR,
  OP_READLINK,
  OP_RELEASE,
  OP_REMOVEXATTR,
  OP_RENAME2,
  OP_RMDIR,
  OP_SETATTR,
  OP_SETLK,
  OP_SETLKW,
  OP_SETUPMAPPING,
  OP_SETXATTR,
  OP_STATFS,
  OP_SYMLINK,
  OP_SYNCFS,
  OP_TAKE,
  OP_TMPFILE,
  OP_TOKEN,
  OP_TOUCH,
  OP_UNLINK,
  OP_WATCH,
  OP_WRITE,
  OP_WRITE_COMMIT,
  OP_WRITE_PREPARE,
  SLOT_OPCODE,
  SLOT_REPLY_FLAGS,
  SLOT_REPLY_LENGTH,
  SLOT_STATUS,
} from '../../ringbuf/layout.gen.ts';
import { DONE, PENDING, slotWord } from '../../ringbuf/ring.ts';
import type { opcodes } from '../../ringbuf/schema.ts';
import { keepLastPath } from '../store/dentries.ts';
import { EIO, ENOSYS } from '../store/errno.ts';
import { isLive, nlinkOf } from '../store/inodes.ts';
import { releaseIdle } from './descriptions.ts';
import { endGrant, GRANT_NONE } from './grants.ts';
import { flushGone } from './inotify.ts';
import { endWait } from './locks.ts';
import type { Server } from './request.ts';
import { ANSWER_LATER, onExit, onImage } from './requests/control.ts';
import { onReadDirect, onSetupMapping, onWriteCommit, onWritePrepare } from './requests/direct.ts';
import { forgetCopy, onExec, onExecKeep } from './requests/exec.ts';
import { onWatch } from './requests/inotify.ts';
import {
  onCopyFileRange,
  onFallocate,
  onFsync,
  onGetattr,
  onLseek,
  onRead,
  onReaddir,
  onTouch,
  onWrite,
} from './requests/io.ts';
import { onGetlk, onLockClose, onSetlk } from './requests/locks.ts';
import { onCreate, onOpen, onOpenHandle, onRelease, onTmpfile } from './requests/open.ts';
import {
  onAccess,
  onLink,
  onLookup,
  onMkdir,
  onMknod,
  onPath,
  onReadlink,
  onRename,
  onRmdir,
  onSetattr,
  onStatfs,
  onSymlink,
  onUnlink,
} from './requests/paths.ts';
import { onAddress, onAdopt, onBind, onPeer, onTake, onToken } from './requests/special.ts';
import { onGetxattr, onListxattr, onRemovexattr, onSetxattr } from './requests/xattr.ts';

type Opcode = (typeof opcodes)[keyof typeof opcodes];

/** Serves one slot in REQUEST or SLEEPING: the Handler of ring.ts. */
export function dispatch(server: Server, slot: number): typeof DONE | typeof PENDING {
  const { i32 } = server;
  const word = slotWord(slot);
  const opcode = i32[word + SLOT_OPCODE];
  i32[word + SLOT_REPLY_FLAGS] = 0;
  i32[word + SLOT_REPLY_LENGTH] = 0;
  server.requests++;
  let status: number;
  try {
    // Whoever asks for something else has done with the blocks that it was granted.
    if (server.grants.kind[slot] !== GRANT_NONE && opcode !== OP_WRITE_COMMIT)
      endGrant(server.grants, slot);
    if (server.descriptions.locks.waiting.size !== 0 && opcode !== OP_SETLKW)
      endWait(server.descriptions.locks, slot);
    status = perform(server, opcode as Opcode, slot, word);
    if (server.store.orphans.length !== 0) releaseOrphans(server);
    if (server.notifier.gone.length !== 0) flushGone(server.notifier);
  } catch (error) {
    status = -EIO;
    i32[word + SLOT_REPLY_FLAGS] = 0;
    server.walk.resolve = 0;
    fail(server, opcode, error);
  }
  if (status === ANSWER_LATER) return PENDING;
  if (status < 0) i32[word + SLOT_REPLY_FLAGS] = 0;
  i32[word + SLOT_STATUS] = status;
  return DONE;
}

/** What only idle descriptions kept is gone before the reply: statfs right after must show it. */
function releaseOrphans(server: Server): void {
  const { store } = server;
  const { orphans } = store;
  for (let ino = orphans.pop(); ino !== undefined; ino = orphans.pop()) {
    releaseIdle(server.descriptions, ino);
    forgetCopy(server.copies, ino);
    if (isLive(store, ino) && nlinkOf(store, ino) === 0) keepLastPath(store, ino);
  }
}

function fail(server: Server, opcode: number, error: unknown): void {
  server.failures++;
  if (server.failures > 1) return;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  server.log(`a request (opcode ${opcode}) failed inside the server and was answered EIO: ${text}`);
}

/** → Slot.status, or ANSWER_LATER. */
function perform(server: Server, opcode: Opcode, slot: number, word: number): number {
  switch (opcode) {
    case OP_LOOKUP:
      return onLookup(server, slot, word);
    case OP_GETATTR:
      return onGetattr(server, word);
    case OP_READ:
      return onRead(server, slot, word);
    case OP_WRITE:
      return onWrite(server, slot, word);
    case OP_OPEN:
      return onOpen(server, slot, word);
    case OP_CREATE:
      return onCreate(server, slot, word);
    case OP_RELEASE:
      return onRelease(server, word);
    case OP_SETATTR:
      return onSetattr(server, slot, word);
    case OP_READLINK:
      return onReadlink(server, slot, word);
    case OP_SYMLINK:
      return onSymlink(server, slot, word);
    case OP_MKNOD:
      return onMknod(server, slot, word);
    case OP_MKDIR:
      return onMkdir(server, slot, word);
    case OP_UNLINK:
      return onUnlink(server, slot, word);
    case OP_RMDIR:
      return onRmdir(server, slot, word);
    case OP_LINK:
      return onLink(server, slot, word);
    case OP_RENAME2:
      return onRename(server, slot, word);
    case OP_STATFS:
      return onStatfs(server, slot, word);
    case OP_ACCESS:
      return onAccess(server, slot, word);
    case OP_TMPFILE:
      return onTmpfile(server, slot, word);
    case OP_OPEN_HANDLE:
      return onOpenHandle(server, slot, word);
    case OP_READDIR:
      return onReaddir(server, slot, word);
    case OP_LSEEK:
      return onLseek(server, word);
    case OP_FSYNC:
      return onFsync(server, word);
    case OP_SETLK:
      return onSetlk(server, slot, word, false);
    case OP_SETLKW:
      return onSetlk(server, slot, word, true);
    case OP_GETLK:
      return onGetlk(server, word);
    case OP_LOCK_CLOSE:
      return onLockClose(server, word);
    case OP_FALLOCATE:
      return onFallocate(server, word);
    case OP_COPY_FILE_RANGE:
      return onCopyFileRange(server, word);
    case OP_PATH:
      return onPath(server, slot, word);
    case OP_GETXATTR:
      return onGetxattr(server, slot, word);
    case OP_LISTXATTR:
      return onListxattr(server, slot, word);
    case OP_SETXATTR:
      return onSetxattr(server, slot, word);
    case OP_REMOVEXATTR:
      return onRemovexattr(server, slot, word);
    case OP_READ_DIRECT:
      return onReadDirect(server, slot, word);
    case OP_WRITE_PREPARE:
      return onWritePrepare(server, slot, word);
    case OP_WRITE_COMMIT:
      return onWriteCommit(server, slot, word);
    case OP_TOUCH:
      return onTouch(server, word);
    case OP_SETUPMAPPING:
      return onSetupMapping(server, slot, word);
    case OP_IMAGE:
      return onImage(server, slot, word);
    case OP_EXEC:
      return onExec(server, word);
    case OP_EXEC_KEEP:
      return onExecKeep(server, word);
    case OP_EXIT:
      return onExit(server, word);
    case OP_BIND:
      return onBind(server, slot, word);
    case OP_PEER:
      return onPeer(server, slot, word);
    case OP_ADDRESS:
      return onAddress(server, slot, word);
    case OP_TOKEN:
      return onToken(server, word);
    case OP_TAKE:
      return onTake(server, word);
    case OP_ADOPT:
      return onAdopt(server, word);
    case OP_WATCH:
      return onWatch(server, slot, word);
    case OP_LOCK_CANCEL:
    case OP_SYNCFS:
    case OP_NOOP:
      return 0;
    default:
      return unknown(opcode);
  }
}

function unknown(_opcode: never): number {
  return -ENOSYS;
}
