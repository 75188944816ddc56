/**
 * Micro-benchmark of the store alone, no ring, no client: ns per operation at 100,000 inodes.
 * Prints the best and the median of several rounds, and the garbage that a million calls leave.
 */
import { ROOT_INO, SEGMENT_DATA, SEGMENT_STORE } from '../ringbuf/layout.gen.ts';
import { closeSegment, createSegment } from '../ringbuf/segment.ts';
import { now } from '../src/store/clock.ts';
import { find, inoOf, insert, remove } from '../src/store/dentries.ts';
import { read, truncate, write } from '../src/store/files.ts';
import { allocateInode } from '../src/store/inodes.ts';
import { hashName } from '../src/store/names.ts';
import { S_IFDIR, S_IFREG } from '../src/store/posix.ts';
import { createStore, segmentSizes } from '../src/store/store.ts';

const FILES = 100_000;
const DIRECTORIES = 100;
const ROUNDS = 7;

const limits = { bytes: 256 * 1024 * 1024, inodes: 2 * FILES };
const sizes = segmentSizes(limits);
const open = (kind: typeof SEGMENT_STORE | typeof SEGMENT_DATA, size: number) =>
  createSegment({ session: null, kind, size, prefix: '/bt' });
const segments = [
  open(SEGMENT_STORE, sizes.store),
  open(SEGMENT_DATA, sizes.data),
  open(SEGMENT_DATA, 1 << 20),
];
const store = createStore(segments[0], segments[1], { ...limits, uid: 0, gid: 0, mode: 0o755 });
const buffer = segments[2];

/** Names stand in one array, in the order of their use, as a request brings its own. */
const order = Int32Array.from({ length: FILES }, (_, at) => (at * 7919) % FILES);
const NAME = 16;
const names = new Uint8Array(FILES * NAME);
const lengths = new Int32Array(FILES);
for (let at = 0; at < FILES; at++) {
  const name = Buffer.from(`file-${order[at]}.txt`);
  names.set(name, at * NAME);
  lengths[at] = name.length;
}
const directories: number[] = [];

function create(parent: number, at: number, mode: number): number {
  const hash = hashName(parent, names, at * NAME, lengths[at]);
  const ino = allocateInode(store, mode, 0, 0, 0);
  insert(store, parent, names, at * NAME, lengths[at], hash, ino);
  return ino;
}

function lookup(parent: number, at: number): number {
  const hash = hashName(parent, names, at * NAME, lengths[at]);
  return find(store, parent, names, at * NAME, lengths[at], hash);
}

/** Runs `body(at)` for 0 ≤ at < count, several rounds, and prints ns per call. */
function measure(label: string, count: number, body: (at: number) => void): void {
  const times: number[] = [];
  const heap: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.memoryUsage().heapUsed;
    const start = performance.now();
    for (let at = 0; at < count; at++) body(at);
    times.push(((performance.now() - start) * 1e6) / count);
    heap.push((process.memoryUsage().heapUsed - before) / count);
  }
  times.sort((a, b) => a - b);
  heap.sort((a, b) => a - b);
  const middle = ROUNDS >> 1;
  console.log(
    `${label.padEnd(34)}${times[0].toFixed(0).padStart(7)} ns best` +
      `${times[middle].toFixed(0).padStart(7)} ns median` +
      `${heap[middle].toFixed(1).padStart(8)} B garbage per call`,
  );
}

for (let at = 0; at < DIRECTORIES; at++) {
  directories.push(create(ROOT_INO, at, S_IFDIR | 0o755));
}
const parents = Int32Array.from(order, (file) => directories[file % DIRECTORIES]);
let sink = 0;

measure('now()', 1_000_000, () => now(store));
const start = performance.now();
// In order of their numbers, so that the uses below come at random.
const byNumber = new Int32Array(FILES);
for (let at = 0; at < FILES; at++) byNumber[order[at]] = at;
for (const at of byNumber) create(parents[at], at, S_IFREG | 0o644);
console.log(
  `first create of ${FILES}: ${(((performance.now() - start) * 1e6) / FILES).toFixed(0)} ns`,
);

const file = inoOf(store, lookup(parents[0], 0));
measure('lookup hit, random', FILES, (at) => {
  sink += inoOf(store, lookup(parents[at], at));
});
measure('lookup hit, same 64 files', FILES, (at) => {
  sink += lookup(parents[at & 63], at & 63);
});
measure('lookup miss', FILES, (at) => {
  sink += lookup(file, at);
});
measure('create + unlink, beside 100 k', FILES, (at) => {
  now(store);
  create(directories[0], (at & 31) + 64, S_IFREG | 0o644);
  remove(store, lookup(directories[0], (at & 31) + 64));
});
measure('unlink + create of random ones', FILES, (at) => {
  remove(store, lookup(parents[at], at));
  create(parents[at], at, S_IFREG | 0o644);
});

for (let at = 0; at < 256; at++) write(store, file, at * 4096, 4096, buffer.id, 4096);
measure('write 4 KiB, in place', 100_000, (at) => {
  write(store, file, (at & 255) * 4096, 4096, buffer.id, 4096);
});
measure('read 4 KiB', 100_000, (at) => {
  sink += read(store, file, (at & 255) * 4096, 4096, buffer.id, 4096);
});
measure('read 64 bytes', 100_000, (at) => {
  sink += read(store, file, (at & 255) * 4096, 64, buffer.id, 4096);
});
measure('write 4 KiB to empty + truncate 0', 100_000, () => {
  truncate(store, file, 0);
  write(store, file, 0, 4096, buffer.id, 4096);
});
measure('append 4 KiB', 20_000, (at) => {
  if (at === 0) truncate(store, file, 0);
  write(store, file, at * 4096, 4096, buffer.id, 4096);
});
truncate(store, file, 0);
for (const segment of segments) closeSegment(segment);
if (sink === -1) console.log(sink);
