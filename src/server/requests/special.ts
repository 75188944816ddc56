/** Fifos, sockets and device nodes, and descriptors in SCM_RIGHTS messages (ADR 13). */
import {
  DESCRIPTION_STATE_REFERENCES,
  INODE_RDEV,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_OFFSET,
  SLOT_REPLY_DESCRIPTION,
  SLOT_SIZE,
  SPECIAL_BOUND,
} from '../../../ringbuf/layout.gen.ts';
import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EBADF,
  ECONNREFUSED,
  EEXIST,
  EINVAL,
  ENOENT,
  ENXIO,
  EOPNOTSUPP,
} from '../../store/errno.ts';
import { inodeWord, isLive, modeOf } from '../../store/inodes.ts';
import { mknod } from '../../store/operations/create.ts';
import { lookup } from '../../store/operations/lookup.ts';
import { keptFlags } from '../../store/operations/open.ts';
import { accessed } from '../../store/operations/times.ts';
import { may } from '../../store/permission.ts';
import { MAY_WRITE, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../../store/posix.ts';
import { getWide } from '../../store/wide.ts';
import {
  descriptionGeneration,
  dropReference,
  openDescription,
  stateWord,
} from '../descriptions.ts';
import { notifyCreated } from '../inotify.ts';
import { deviceFile, ensureFifo, isInFlight, nodeName, noteSocket, sweepLate } from '../nodes.ts';
import { sweepDescriptions } from '../reclaim.ts';
import { replyAttributes, replyBytes } from '../reply.ts';
import { type Server, takeCaller, takeDescription, takePath, takeText } from '../request.ts';
import { finishWalk } from './paths.ts';

const SOCKET_PERMISSIONS = 0o777;

/**
 * Before a description of `ino` is made: the kernel's file behind it must be there. A device node's reply says
 * which file of the host it is. → 0 or -errno
 */
export function readySpecial(server: Server, slot: number, word: number, ino: number): number {
  const { store, nodes } = server;
  const mode = modeOf(store, ino);
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return ensureFifo(nodes, ino);
    case S_IFCHR:
    case S_IFBLK: {
      const path = deviceFile(nodes, mode, store.i32[inodeWord(store, ino) + INODE_RDEV]);
      if (path === '') return -ENXIO;
      const bytes = Buffer.from(path, 'latin1');
      return replyBytes(server, slot, word, bytes, 0, bytes.length);
    }
    default:
      return 0;
  }
}

export function onBind(server: Server, slot: number, word: number): number {
  const { store, walk, path, path2, u8, nodes } = server;
  const caller = takeCaller(server, word);
  // unix_bind() applies the umask by itself, so that it counts below a default ACL, too.
  const mode = server.i32[word + SLOT_MODE] & SOCKET_PERMISSIONS & ~caller.umask;
  if (nodes.directory === undefined) return -EADDRNOTAVAIL;
  const taken = takePath(server, slot, word) || takeText(server, slot, word);
  if (taken !== 0) return taken;
  const address = u8.slice(path2.offset, path2.offset + path2.length);
  const status = mknod(store, caller, walk, path, S_IFSOCK | mode, 0);
  if (status !== 0)
    return finishWalk(server, slot, word, status === -EEXIST ? -EADDRINUSE : status);
  noteSocket(nodes, walk.ino, address, SPECIAL_BOUND);
  if (server.notifier.active) notifyCreated(server.notifier, walk, walk.ino);
  replyAttributes(server, word, walk.ino);
  return 0;
}

/** unix_find_bsd() of the kernel, up to the socket itself. */
export function onPeer(server: Server, slot: number, word: number): number {
  const { store, walk, path } = server;
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  const status = lookup(store, caller, walk, path, true);
  if (status !== 0) return finishWalk(server, slot, word, status);
  const allowed = may(store, caller, walk.ino, MAY_WRITE);
  if (allowed !== 0) return allowed;
  if ((modeOf(store, walk.ino) & S_IFMT) !== S_IFSOCK) return -ECONNREFUSED;
  accessed(store, walk.ino);
  replyAttributes(server, word, walk.ino);
  return 0;
}

export function onAddress(server: Server, slot: number, word: number): number {
  const ino = getWide(server.i32, word + SLOT_SIZE);
  const generation = getWide(server.i32, word + SLOT_OFFSET);
  const address = server.nodes.addresses.get(nodeName(ino, generation));
  if (address === undefined) return -ENOENT;
  return replyBytes(server, slot, word, address, 0, address.length);
}

/** The client has locked its token: one reference stands for all tokens of the description. */
export function onToken(server: Server, word: number): number {
  const { nodes, i32 } = server;
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  // Without a token file nobody could ever tell that the last token is gone.
  if (nodes.directory === undefined) return -EOPNOTSUPP;
  const generation = descriptionGeneration(server.descriptions, id);
  if (nodes.tokens.get(id) === generation) return 0;
  const references = stateWord(id) + DESCRIPTION_STATE_REFERENCES;
  if (Atomics.load(i32, references) <= 0) return -EBADF;
  Atomics.add(i32, references, 1);
  nodes.tokens.set(id, generation);
  return 0;
}

/** Only what is under way can be taken: a forged token opens nothing else. */
export function onTake(server: Server, word: number): number {
  const { nodes, i32, descriptions } = server;
  const id = takeDescription(server, word);
  const generation = getWide(i32, word + SLOT_SIZE);
  if (id === 0 || descriptionGeneration(descriptions, id) >>> 0 !== generation) return -EBADF;
  if (nodes.tokens.get(id) !== (generation | 0)) return -EBADF;
  Atomics.add(i32, stateWord(id) + DESCRIPTION_STATE_REFERENCES, 1);
  return 0;
}

/** A fifo of the kernel came with a message: it gets a description again. */
export function onAdopt(server: Server, word: number): number {
  const { nodes, i32, store, descriptions } = server;
  const ino = nodes.inodes.get(getWide(i32, word + SLOT_SIZE));
  const flags = i32[word + SLOT_FLAGS];
  const { process } = takeCaller(server, word);
  if (ino === undefined || !isLive(store, ino)) return -EINVAL;
  const id = openDescription(descriptions, ino, keptFlags(flags), process);
  if (id < 0) return id;
  i32[word + SLOT_REPLY_DESCRIPTION] = id;
  return 0;
}

/** Now and then, while there is need: the reference goes with the last token. */
export function sweepSpecial(server: Server): void {
  const { nodes, descriptions } = server;
  sweepLate(nodes);
  const before = nodes.tokens.size;
  for (const [id, generation] of nodes.tokens) {
    // A client that lied about the count has had it freed: the number may be another file's by now.
    const stale = descriptionGeneration(descriptions, id) !== generation;
    if (!stale && isInFlight(nodes, id)) continue;
    nodes.tokens.delete(id);
    if (!stale) dropReference(descriptions, id);
  }
  // A receiver that was killed between TAKE and its table left a reference that nobody lists.
  if (nodes.tokens.size !== before) sweepDescriptions(server);
}
