/**
 * The nodes directory of a session (ADR 13): real fifos and sockets of the kernel that stand for those of the
 * tree, and the token file for descriptors under way in SCM_RIGHTS messages.
 *
 * It has a name that only members of the session know, because programs of the session may change their user
 * and still have to reach it; nobody else may. Members may put names into it and could put anything there: we
 * only ever make, look at and remove names, and never follow one.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import {
  INODE_FLAGS,
  INODE_NODE,
  PAGE_SIZE,
  RING_HEADER_SPECIAL,
  SEGMENT_HEADER_NODES_DEVICE,
  SEGMENT_HEADER_NODES_INODE,
  SEGMENT_HEADER_NODES_SECRET_BYTES,
  SEGMENT_HEADER_TOKEN_INODE,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { ATIME, CTIME, MTIME, setTime } from '../store/clock.ts';
import { EEXIST, ENXIO } from '../store/errno.ts';
import { beginWrite, endWrite, generationOf, inodeWord, modeOf } from '../store/inodes.ts';
import { S_IFCHR, S_IFIFO, S_IFMT } from '../store/posix.ts';
import type { Store } from '../store/store.ts';
import { setWide } from '../store/wide.ts';

const FOLDER = '/dev/shm';
const SECRET_BYTES = 16;
/** Addresses of sockets whose file is gone but that may be open still: so many are kept. */
const GHOSTS_MAX = 4096;
const ADDRESS_MAX = 108;
/** How often a node that may still come is looked for: some seconds, at the pace of the sweeps. */
const LATE_LOOKS = 20;
const NS_PER_SECOND = 1_000_000_000n;
/** So many of them are waited for: whoever binds and removes without end pays for one look each at the most. */
const LATE_MAX = 256;
const TOKEN_FILE = 'token';

/** Where the nodes of a session lie; the directory in it has the secret name. */
export function nodesFolder(session: string): string {
  return `${FOLDER}/btfuse-nodes.${session}`;
}

/** Whatever a session that is over has left. */
export function removeNodes(session: string): void {
  try {
    rmSync(nodesFolder(session), { recursive: true, force: true });
  } catch {
    // Somebody else's: not ours to remove.
  }
}

/** Makes the directory and writes down in the ring where it is → its path, or why there is none. */
export function createNodes(session: string, ring: Segment): string | Error {
  const folder = nodesFolder(session);
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  const directory = `${folder}/${secret}`;
  try {
    removeNodes(session);
    mkdirSync(folder, 0o711);
    chmodSync(folder, 0o711);
    mkdirSync(directory);
    // Whoever knows the name may add to it, nobody may list it or remove what is another's.
    chmodSync(directory, 0o1733);
    const token = `${directory}/${TOKEN_FILE}`;
    closeSync(openSync(token, 'wx', 0o444));
    chmodSync(token, 0o444);
    const status = lstatSync(directory);
    const { i32, u8 } = ring;
    setWide(i32, SEGMENT_HEADER_NODES_DEVICE, status.dev);
    setWide(i32, SEGMENT_HEADER_NODES_INODE, status.ino);
    setWide(i32, SEGMENT_HEADER_TOKEN_INODE, lstatSync(token).ino);
    u8.set(Buffer.from(secret, 'latin1'), SEGMENT_HEADER_NODES_SECRET_BYTES);
    return directory;
  } catch (error) {
    removeNodes(session);
    return error as Error;
  }
}

export interface Nodes {
  readonly store: Store;
  readonly ring: Segment;
  /** undefined: the session has none. */
  readonly directory: string | undefined;
  /** Descriptor of the token file, for questions about its locks. */
  readonly token: number;
  /** Bound addresses by name of their node. */
  readonly addresses: Map<string, Uint8Array>;
  /** Of these, in order, the ones whose inode is gone. */
  readonly ghosts: string[];
  /** Inode by the inode number that its node has on the host. */
  readonly inodes: Map<number, number>;
  /** The times that the node of a fifo had when we last looked: atime and mtime in ns. */
  readonly times: Map<number, readonly [bigint, bigint]>;
  /** Host files of device numbers, '' for none. */
  readonly devices: Map<string, string>;
  /** Nodes of removed inodes that were not there to be removed, and how often we have looked. */
  readonly late: Map<string, number>;
  /** Descriptions with a reference that belongs to the tokens of them, and their generation then. */
  readonly tokens: Map<number, number>;
}

export function openNodes(store: Store, ring: Segment, directory: string | undefined): Nodes {
  const nodes: Nodes = {
    store,
    ring,
    directory,
    token: directory === undefined ? -1 : openSync(`${directory}/${TOKEN_FILE}`, 'r'),
    addresses: new Map(),
    ghosts: [],
    inodes: new Map(),
    times: new Map(),
    devices: new Map(),
    late: new Map(),
    tokens: new Map(),
  };
  store.nodeGone = (ino) => dropNode(nodes, ino);
  return nodes;
}

export function nodeName(ino: number, generation: number): string {
  return `btfuse.${(ino >>> 0).toString(16)}.${(generation >>> 0).toString(16)}`;
}

function nameOf(nodes: Nodes, ino: number): string {
  return nodeName(ino, generationOf(nodes.store, ino));
}

function markNode(store: Store, ino: number): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  store.i32[word + INODE_FLAGS] |= INODE_NODE;
  endWrite(store, word);
}

function hasNode(store: Store, ino: number): boolean {
  return (store.i32[inodeWord(store, ino) + INODE_FLAGS] & INODE_NODE) !== 0;
}

/** Makes the fifo of the kernel behind a fifo of the tree, if it is not there yet → 0 or -errno. */
export function ensureFifo(nodes: Nodes, ino: number): number {
  const { store, directory } = nodes;
  if (hasNode(store, ino)) return 0;
  if (directory === undefined) return -ENXIO;
  const path = `${directory}/${nameOf(nodes, ino)}`;
  const made = native().makeNode(Buffer.from(path), S_IFIFO | 0o666, 0);
  if (made < 0 && made !== -EEXIST) return made;
  try {
    if (made === 0) chmodSync(path, 0o666);
    const status = lstatSync(path, { bigint: true });
    if (!status.isFIFO()) return -ENXIO;
    nodes.inodes.set(Number(status.ino), ino);
    nodes.times.set(ino, [status.atimeNs, status.mtimeNs]);
  } catch {
    return -ENXIO;
  }
  markNode(store, ino);
  return 0;
}

/** What the kernel did to the times of its fifo, done to the inode. Before they are told, or set. */
export function syncTimes(nodes: Nodes, ino: number): void {
  const { store, directory, times } = nodes;
  if (!hasNode(store, ino)) return;
  const last = times.get(ino);
  if (last === undefined) return;
  try {
    const path = `${directory}/${nameOf(nodes, ino)}`;
    const { atimeNs, mtimeNs } = lstatSync(path, { bigint: true });
    if (atimeNs === last[0] && mtimeNs === last[1]) return;
    times.set(ino, [atimeNs, mtimeNs]);
    if (atimeNs !== last[0]) moveTime(store, ino, ATIME, atimeNs);
    if (mtimeNs === last[1]) return;
    moveTime(store, ino, MTIME, mtimeNs);
    moveTime(store, ino, CTIME, mtimeNs);
  } catch {
    // Somebody of the session took the node away.
  }
}

function moveTime(store: Store, ino: number, which: number, ns: bigint): void {
  setTime(store, ino, which, Number(ns / NS_PER_SECOND), Number(ns % NS_PER_SECOND));
}

/** A socket is about to be bound: `address` is what getsockname will be told. */
export function noteSocket(nodes: Nodes, ino: number, address: Uint8Array, flag: number): void {
  nodes.addresses.set(nameOf(nodes, ino), address.slice(0, ADDRESS_MAX));
  markNode(nodes.store, ino);
  Atomics.or(nodes.ring.i32, PAGE_SIZE / 4 + RING_HEADER_SPECIAL, flag);
}

/** The inode goes: so does what stands for it. The address of a socket may be asked for still. */
function dropNode(nodes: Nodes, ino: number): void {
  const { addresses, ghosts, directory, inodes, store } = nodes;
  const name = nameOf(nodes, ino);
  nodes.times.delete(ino);
  if (addresses.has(name)) {
    ghosts.push(name);
    if (ghosts.length > GHOSTS_MAX) addresses.delete(ghosts.shift()!);
  }
  try {
    const path = `${directory}/${name}`;
    if ((modeOf(store, ino) & S_IFMT) === S_IFIFO) inodes.delete(lstatSync(path).ino);
    unlinkSync(path);
  } catch {
    // Its bind came to nothing, or is still under way.
    expectLate(nodes, name);
  }
}

function expectLate({ late }: Nodes, name: string): void {
  late.set(name, 0);
  if (late.size <= LATE_MAX) return;
  for (const oldest of late.keys()) {
    late.delete(oldest);
    break;
  }
}

/** Now and then: sockets that were bound after their inode had gone. */
export function sweepLate({ late, directory }: Nodes): void {
  for (const [name, looks] of late) {
    try {
      unlinkSync(`${directory}/${name}`);
      late.delete(name);
    } catch {
      if (looks === LATE_LOOKS) late.delete(name);
      else late.set(name, looks + 1);
    }
  }
}

/** Is there anything to look after from time to time? */
export function needsSweep({ late, tokens }: Nodes): boolean {
  return late.size !== 0 || tokens.size !== 0;
}

const WELL_KNOWN: Readonly<Record<string, string>> = {
  'char/1:3': '/dev/null',
  'char/1:5': '/dev/zero',
  'char/1:7': '/dev/full',
  'char/1:8': '/dev/random',
  'char/1:9': '/dev/urandom',
  'char/5:0': '/dev/tty',
  'char/5:2': '/dev/ptmx',
};

/** The device file of the host with the number of this device node; '' when there is none. */
export function deviceFile(nodes: Nodes, mode: number, rdev: number): string {
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  const kind = (mode & S_IFMT) === S_IFCHR ? 'char' : 'block';
  const key = `${kind}/${major}:${minor}`;
  const known = nodes.devices.get(key);
  if (known !== undefined) return known;
  const path = WELL_KNOWN[key] ?? fromSys(key);
  // A device that is plugged in later must be found then.
  if (path !== '') nodes.devices.set(key, path);
  return path;
}

function fromSys(key: string): string {
  try {
    const name = /^DEVNAME=(.+)$/m.exec(readFileSync(`/sys/dev/${key}/uevent`, 'latin1'))?.[1];
    return name === undefined || name.includes('..') ? '' : `/dev/${name}`;
  } catch {
    return '';
  }
}

/** Does a token of the description exist anywhere, in a message or in somebody's hands? */
export function isInFlight(nodes: Nodes, id: number): boolean {
  return native().isRangeLocked(nodes.token, id);
}
