/** OPEN, CREATE, TMPFILE, RELEASE: descriptions come and go. */
import {
  RESOLVE_SHIFT,
  SLOT_DESCRIPTION,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_OFFSET,
  SLOT_REPLY_DESCRIPTION,
  SLOT_SIZE,
} from '../../../ringbuf/layout.gen.ts';
import { CAP_DAC_READ_SEARCH } from '../../store/caller.ts';
import { EBADF, EPERM, ESTALE } from '../../store/errno.ts';
import { freeIfUnused, generationOf, isLive, isRegular } from '../../store/inodes.ts';
import { create, keptFlags, open, openInode, openTemporary } from '../../store/operations/open.ts';
import { O_ACCMODE, O_PATH, O_TRUNC } from '../../store/posix.ts';
import { getWide } from '../../store/wide.ts';
import { openDescription, releaseDescription } from '../descriptions.ts';
import {
  IN_MODIFY,
  notifyCreated,
  notifyDescription,
  notifyOpen,
  notifyTemporary,
} from '../inotify.ts';
import { type Server, takeCaller, takeDescription, takePath } from '../request.ts';
import { forgetCopy } from './exec.ts';
import { finishWalk } from './paths.ts';
import { readySpecial } from './special.ts';

export function onOpen(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  server.walk.resolve = flags >>> RESOLVE_SHIFT;
  server.walk.created = false;
  const status = open(server.store, caller, server.walk, server.path, flags);
  return finishOpen(server, slot, word, status, flags);
}

export function onCreate(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  const mode = server.i32[word + SLOT_MODE];
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  server.walk.resolve = flags >>> RESOLVE_SHIFT;
  server.walk.created = false;
  const status = create(server.store, caller, server.walk, server.path, flags, mode);
  return finishOpen(server, slot, word, status, flags);
}

export function onTmpfile(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  const mode = server.i32[word + SLOT_MODE];
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  server.walk.resolve = flags >>> RESOLVE_SHIFT;
  const status = openTemporary(server.store, caller, server.walk, server.path, flags, mode);
  const finished = finishOpen(server, slot, word, status, flags);
  if (finished === 0 && status === 0 && server.notifier.active)
    notifyTemporary(server.notifier, server.i32[word + SLOT_REPLY_DESCRIPTION], server.walk.parent);
  return finished;
}

/** A handle is the number of an inode and its generation; only root may come by a file without its path. */
export function onOpenHandle(server: Server, slot: number, word: number): number {
  const { i32, store } = server;
  const flags = i32[word + SLOT_FLAGS];
  const ino = getWide(i32, word + SLOT_OFFSET);
  const generation = getWide(i32, word + SLOT_SIZE);
  const caller = takeCaller(server, word);
  if ((caller.capabilities & CAP_DAC_READ_SEARCH) === 0) return -EPERM;
  if (takeDescription(server, word) === 0) return -EBADF;
  if (!isLive(store, ino) || generationOf(store, ino) >>> 0 !== generation) return -ESTALE;
  server.walk.ino = ino;
  server.walk.dentry = 0;
  server.walk.created = false;
  return finishOpen(server, slot, word, openInode(store, caller, ino, flags), flags);
}

/** A description for what the walk has found or made. */
function finishOpen(
  server: Server,
  slot: number,
  word: number,
  status: number,
  flags: number,
): number {
  server.walk.resolve = 0;
  if (status !== 0) return finishWalk(server, slot, word, status);
  const { ino, dentry } = server.walk;
  if ((flags & O_PATH) === 0) {
    const readied = readySpecial(server, slot, word, ino);
    if (readied !== 0) return readied;
  }
  if ((flags & O_PATH) === 0 && (flags & O_ACCMODE) !== 0) forgetCopy(server.copies, ino);
  const id = openDescription(
    server.descriptions,
    ino,
    keptFlags(flags),
    server.caller.process,
    dentry,
  );
  if (id < 0) {
    // Nobody names nor holds what O_TMPFILE has made.
    freeIfUnused(server.store, ino);
    return id;
  }
  server.i32[word + SLOT_REPLY_DESCRIPTION] = id;
  if (server.notifier.active) noteOpened(server, word, id, flags);
  return 0;
}

/** IN_CREATE, IN_OPEN, IN_MODIFY, as the kernel orders them. */
function noteOpened(server: Server, word: number, id: number, flags: number): void {
  const { notifier, walk, path } = server;
  if (walk.created) notifyCreated(notifier, walk, walk.ino);
  if ((flags & O_PATH) !== 0) return;
  const from = path.length === 0 ? takeDescription(server, word) : 0;
  notifyOpen(notifier, id, walk.dentry, from);
  const truncates = (flags & O_TRUNC) !== 0 && !walk.created;
  if (truncates && isRegular(server.store, walk.ino)) notifyDescription(notifier, id, IN_MODIFY);
}

export function onRelease(server: Server, word: number): number {
  releaseDescription(server.descriptions, server.i32[word + SLOT_DESCRIPTION]);
  return 0;
}
