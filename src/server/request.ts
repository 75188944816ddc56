/**
 * Takes a request out of its slot. Clients may lie and may change the slot while it is served: every field
 * is read once into private memory and checked there. Paths and data stay where they are; the walk reads
 * each byte of a path once, and data are only ever copied.
 */
import {
  EXTENTS_PER_REPLY,
  FILE_CAPABILITIES,
  GROUPS_MAX,
  INLINE_SIZE,
  PATH_MAX,
  PROCESS_CAPABILITIES,
  PROCESS_GROUP_COUNT,
  PROCESS_GROUPS,
  PROCESS_PERMITTED,
  PROCESS_RECORD_WORDS,
  PROCESSES_MAX,
  REQUEST_SLAB,
  RING_PROCESSES_OFFSET,
  RING_SLOTS_OFFSET,
  ROOT_INO,
  SLAB_SIZE,
  SLOT_DESCRIPTION,
  SLOT_DESCRIPTION2,
  SLOT_FILE_SIZE_LIMIT,
  SLOT_GID,
  SLOT_PATH_LENGTH,
  SLOT_PATH2_LENGTH,
  SLOT_PAYLOAD_BYTES,
  SLOT_PROCESS,
  SLOT_RECORD_SIZE,
  SLOT_REQUEST_FLAGS,
  SLOT_SYMLINKS,
  SLOT_UID,
  SLOT_UMASK,
  SYMLOOP_MAX,
  UMASK_REAL,
} from '../../ringbuf/layout.gen.ts';
import { backSlab, type Ring, slabOffset } from '../../ringbuf/ring.ts';
import { type Caller, createCaller } from '../store/caller.ts';
import { EBADF, EIO, ENAMETOOLONG } from '../store/errno.ts';
import { type AttributeChange, createAttributeChange } from '../store/operations/attributes.ts';
import type { DirentBuffer } from '../store/operations/directory.ts';
import { createPathArgument, type PathArgument } from '../store/operations/path.ts';
import type { Store } from '../store/store.ts';
import { createWalk, type Walk } from '../store/walk.ts';
import { getWide } from '../store/wide.ts';
import { createDescriptions, type Descriptions, inodeOf, isOpen } from './descriptions.ts';
import { createGrants, type Grants } from './grants.ts';
import { watchMaps } from './mapped.ts';
import { type Nodes, openNodes } from './nodes.ts';
import { type Copies, createCopies, forgetCopy } from './requests/exec.ts';
import { createNotifier, type Notifier } from './shadows.ts';
import { createWatch, type Watch } from './watch.ts';

/** Everything that serving needs: one object per worker, its parts reused for every request. */
export interface Server {
  readonly store: Store;
  readonly ring: Ring;
  /** The ring segment. */
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  /** Segment ids for the addon's copies. */
  readonly ringId: number;
  readonly descriptions: Descriptions;
  readonly grants: Grants;
  readonly nodes: Nodes;
  readonly copies: Copies;
  readonly notifier: Notifier;
  readonly caller: Caller;
  readonly walk: Walk;
  readonly walk2: Walk;
  readonly path: PathArgument;
  readonly path2: PathArgument;
  readonly change: AttributeChange;
  readonly dirents: DirentBuffer;
  /** Pairs of offset and length. */
  readonly extents: Float64Array;
  readonly scratch: Uint8Array;
  /** Asks the control plane for a prepared image; undefined: there is none. Answered by complete(). */
  readonly requestImage:
    | ((slot: number, ticket: number, path: string, loaded: boolean) => void)
    | undefined;
  readonly log: (sentence: string) => void;
  readonly watch: Watch;
  /** performance.now() of the last look at the holders of locks that somebody waits for. */
  tendedAt: number;
  requests: number;
  failures: number;
}

export interface ServerParts {
  readonly store: Store;
  readonly ring: Ring;
  readonly prefix: string;
  /** The nodes directory, where there is one. */
  readonly nodes?: string | undefined;
  readonly requestImage?: Server['requestImage'];
  readonly log: (sentence: string) => void;
}

/** Most DirectExtent records in a reply, as pairs. */
const EXTENT_WORDS = 2 * EXTENTS_PER_REPLY;

export function createServer(parts: ServerParts): Server {
  const { store, ring } = parts;
  const { segment } = ring;
  const descriptions = createDescriptions(store, segment);
  watchMaps(store, segment, descriptions);
  const server: Server = {
    store,
    ring,
    i32: segment.i32,
    u8: segment.u8,
    ringId: segment.id,
    descriptions,
    grants: createGrants(store, segment),
    nodes: openNodes(store, segment, parts.nodes),
    copies: createCopies(),
    notifier: createNotifier(store, segment.i32, descriptions, parts.nodes),
    caller: createCaller(0, 0),
    walk: createWalk(parts.prefix),
    walk2: createWalk(parts.prefix),
    path: createPathArgument(),
    path2: createPathArgument(),
    change: createAttributeChange(),
    dirents: { i32: segment.i32, u8: segment.u8, at: 0, end: 0, position: 0 },
    extents: new Float64Array(EXTENT_WORDS),
    scratch: new Uint8Array(2 * PATH_MAX),
    requestImage: parts.requestImage,
    log: parts.log,
    watch: createWatch(),
    tendedAt: 0,
    requests: 0,
    failures: 0,
  };
  store.fileGone = (ino) => {
    if (server.copies.byInode.size !== 0) forgetCopy(server.copies, ino);
  };
  server.caller.loadGroups = () => loadGroups(server);
  server.path.bytes = segment.u8;
  server.path2.bytes = segment.u8;
  return server;
}

/** Fills server.caller from the slot. Groups are fetched only when a permission check asks for them. */
export function takeCaller(server: Server, word: number): Caller {
  const { i32, caller } = server;
  caller.uid = i32[word + SLOT_UID] >>> 0;
  caller.gid = i32[word + SLOT_GID] >>> 0;
  const umask = i32[word + SLOT_UMASK];
  caller.umask = umask & 0o777;
  caller.process = takeProcess(server, word);
  // A negative number has UMASK_CAPABILITIES.
  caller.capabilities =
    umask < 0 ? loadCapabilities(server, umask) : caller.uid === 0 ? FILE_CAPABILITIES : 0;
  caller.groupsLoaded = false;
  caller.groupCount = 0;
  return caller;
}

/** Slot.process if it can be one, else 0. */
export function takeProcess(server: Server, word: number): number {
  const process = server.i32[word + SLOT_PROCESS] >>> 0;
  return process < PROCESSES_MAX ? process : 0;
}

export function processWord(process: number): number {
  return RING_PROCESSES_OFFSET / 4 + process * PROCESS_RECORD_WORDS;
}

function loadCapabilities({ i32, caller }: Server, umask: number): number {
  const word = processWord(caller.process);
  if ((umask & UMASK_REAL) === 0) return i32[word + PROCESS_CAPABILITIES];
  return caller.uid === 0 ? i32[word + PROCESS_PERMITTED] : 0;
}

function loadGroups(server: Server): void {
  const { i32, caller } = server;
  const word = processWord(caller.process);
  const count = Math.min(i32[word + PROCESS_GROUP_COUNT] >>> 0, GROUPS_MAX);
  caller.groupCount = count;
  for (let i = 0; i < count; i++) caller.groups[i] = i32[word + PROCESS_GROUPS + i];
}

/** RLIMIT_FSIZE: only requests that can make a file longer carry it. */
export function takeFileSizeLimit(server: Server, word: number): void {
  const limit = getWide(server.i32, word + SLOT_FILE_SIZE_LIMIT);
  server.caller.fileSizeLimit = limit < 0 ? Infinity : limit;
}

/** Where the request's payload begins, or -EIO. `needed`: bytes from there on that will be touched. */
export function takePayload(server: Server, slot: number, word: number, needed: number): number {
  if ((server.i32[word + SLOT_REQUEST_FLAGS] & REQUEST_SLAB) === 0) {
    if (needed > INLINE_SIZE) return -EIO;
    return RING_SLOTS_OFFSET + slot * SLOT_RECORD_SIZE + SLOT_PAYLOAD_BYTES;
  }
  // The client's word that its slab is backed is not enough: a touch of the hole could be SIGBUS.
  if (needed > SLAB_SIZE || backSlab(server.ring, slot, needed) !== 0) return -EIO;
  return slabOffset(slot);
}

/** Prepares server.path and the walk's link count → 0 or -errno. */
export function takePath(server: Server, slot: number, word: number): number {
  const { i32, path, walk } = server;
  const length = i32[word + SLOT_PATH_LENGTH] >>> 0;
  if (length >= PATH_MAX) return -ENAMETOOLONG;
  const payload = takePayload(server, slot, word, length);
  if (payload < 0) return payload;
  const start = startOf(server, i32[word + SLOT_DESCRIPTION]);
  if (start < 0) return start;
  path.start = start;
  path.offset = payload;
  path.length = length;
  walk.symlinks = takeSymlinks(server, word);
  return 0;
}

/** As takePath, for the second path, which stands behind the first. Call it after takePath. */
export function takePath2(server: Server, slot: number, word: number): number {
  const { path2, walk2 } = server;
  const status = takeText(server, slot, word);
  if (status !== 0) return status;
  const start = startOf(server, server.i32[word + SLOT_DESCRIPTION2]);
  if (start < 0) return start;
  path2.start = start;
  walk2.symlinks = takeSymlinks(server, word);
  return 0;
}

/** The second path as mere bytes (the target of a symlink): server.path2's offset and length. */
export function takeText(server: Server, slot: number, word: number): number {
  const { i32, path, path2 } = server;
  const length = i32[word + SLOT_PATH2_LENGTH] >>> 0;
  if (length >= PATH_MAX) return -ENAMETOOLONG;
  const payload = takePayload(server, slot, word, path.length + length);
  if (payload < 0) return payload;
  path2.offset = payload + path.length;
  path2.length = length;
  return 0;
}

function takeSymlinks(server: Server, word: number): number {
  return Math.min(server.i32[word + SLOT_SYMLINKS] >>> 0, SYMLOOP_MAX);
}

/** The inode that a walk begins at: the root, or that of an open description. */
function startOf(server: Server, id: number): number {
  if (id === 0) return ROOT_INO;
  return isOpen(server.descriptions, id) ? inodeOf(server.descriptions, id) : -EBADF;
}

/** The slot's description if it is open, else 0. */
export function takeDescription(server: Server, word: number): number {
  const id = server.i32[word + SLOT_DESCRIPTION];
  return isOpen(server.descriptions, id) ? id : 0;
}
