/**
 * What the bytes of the files must be, told from the calls and their results on tmpfs alone.
 *
 * The model believes results (how many bytes a write took, which open failed) and checks bytes and
 * sizes: those that a read gives must be those that went in. It holds for any sequence of lines, so
 * also for one that was shrunk.
 */
import { crc32 } from 'node:zlib';
import { PAGE_SIZE } from '../../../ringbuf/layout.gen.ts';

interface File {
  readonly pages: Map<number, Uint8Array>;
  size: number;
  /** Was mapped at some time: its blocks and holes are a difference that README lists. */
  mapped: boolean;
  /** What it holds is not known: two ranges of it were copied over each other. */
  unsure: boolean;
  /** How often it was cut. */
  cuts: number;
}

interface Description {
  readonly file: File;
  position: number;
  append: boolean;
}

interface MapRecord {
  readonly file: File;
  readonly offset: number;
  size: number;
  readonly shared: boolean;
  /** Cuts of the file when it was made. */
  readonly cuts: number;
}

interface Process {
  readonly slots: (Slot | undefined)[];
  readonly maps: (MapRecord | undefined)[];
}

interface Slot {
  readonly description: Description;
  readonly closesOnExec: boolean;
}

const O_APPEND = 0o2000;
const O_TRUNC = 0o1000;
const O_CLOEXEC = 0o2000000;

export interface Verdict {
  /** What the line must say instead. */
  readonly mismatch?: string;
  /** Blocks and holes of this line are not compared, with the reason. */
  readonly ignoresLayout?: boolean;
  /** From here on the sequence is not compared: it has met one of the exclusions. */
  readonly ends?: boolean;
}

export class Model {
  private ends = false;
  private readonly names = new Map<string, File>();
  private readonly processes = new Map<number, Process>([[0, { slots: [], maps: [] }]]);

  step(line: string, reply: string): Verdict {
    const [, prefix, text] = /^(?:@(\d+) )?(.*)$/.exec(line)!;
    const process = this.processes.get(Number(prefix ?? 0));
    const words = text!.split(' ');
    if (process === undefined) return {};
    const result = Number.parseInt(reply, 10);
    if (/^-[A-Z]/.test(reply) || Number.isNaN(result)) return this.failed(process, words, reply);
    return this.succeeded(process, words, result, reply);
  }

  private failed(process: Process, words: readonly string[], reply: string): Verdict {
    const kind = words[0]!;
    if (reply.startsWith('resumed')) {
      for (let at = 0; at < process.slots.length; at++) {
        if (process.slots[at]?.closesOnExec) process.slots[at] = undefined;
      }
      process.maps.length = 0;
    }
    if (kind === 'exit') this.processes.delete(Number(words[1]));
    if (kind === 'close') process.slots[Number(words[1])] = undefined;
    if (kind === 'mmap') process.maps[Number(words[1])] = undefined;
    // A write that met SIGBUS has changed what came before.
    if (kind === 'mwrite' && reply.startsWith('SIG')) {
      const map = process.maps[Number(words[1])];
      if (map?.shared) this.ends = true;
    }
    if (this.ends) return { ends: true };
    return this.layout(process, words);
  }

  private layout(process: Process, words: readonly string[]): Verdict {
    const files = this.filesOf(process, words);
    return files.some((file) => file.mapped) ? { ignoresLayout: true } : {};
  }

  private filesOf(process: Process, words: readonly string[]): File[] {
    const [kind, first, , third] = words;
    const slot = (word: string | undefined) => process.slots[Number(word)]?.description.file;
    const found =
      kind === 'truncate' || kind === 'stat'
        ? [this.names.get(first!)]
        : kind === 'copy'
          ? [slot(first), slot(third)]
          : [slot(first)];
    return found.filter((file) => file !== undefined);
  }

  private succeeded(
    process: Process,
    words: readonly string[],
    result: number,
    reply: string,
  ): Verdict {
    const n = (at: number) => Number(words[at] ?? 0);
    const description = process.slots[n(1)]?.description;
    const sum = (from: number) =>
      words.slice(from).reduce((total, word) => total + Number(word), 0);
    let mismatch: string | undefined;
    switch (words[0]) {
      case 'fork':
        this.processes.set(n(1), {
          slots: [...process.slots],
          maps: process.maps.map((map) => map && { ...map }),
        });
        break;
      case 'open':
        this.open(process, n(1), words[2]!, n(3));
        break;
      case 'close':
        process.slots[n(1)] = undefined;
        break;
      case 'dup':
        process.slots[n(1)] = {
          description: process.slots[n(2)]!.description,
          closesOnExec: false,
        };
        break;
      case 'read':
        mismatch = readAtPosition(description!, n(2), reply);
        break;
      case 'readv':
        mismatch = readAtPosition(description!, sum(2), reply);
        break;
      case 'pread':
        mismatch = readAt(description!.file, n(3), n(2), reply);
        break;
      case 'preadv':
        mismatch = readAt(description!.file, n(2), sum(3), reply);
        break;
      case 'write':
        writeAtPosition(description!, pattern(result, n(3)));
        break;
      case 'writev':
        writeAtPosition(description!, pattern(result, n(2)));
        break;
      case 'pwrite':
        writeAt(description!, n(3), pattern(result, n(4)));
        break;
      case 'pwritev':
        writeAt(description!, n(2), pattern(result, n(3)));
        break;
      case 'lseek':
        description!.position = result;
        break;
      case 'ftruncate':
        truncate(description!.file, n(2));
        break;
      case 'truncate':
        truncate(this.names.get(words[1]!)!, n(2));
        break;
      case 'fallocate':
        allocate(description!.file, n(2), n(3), n(4));
        break;
      case 'append':
        description!.append = n(2) !== 0;
        break;
      case 'copy':
        this.copy(process, words, result);
        break;
      case 'sendfile':
        this.send(process, words, result);
        break;
      case 'rename':
        this.rename(words[1]!, words[2]!);
        break;
      case 'link':
        this.names.set(words[2]!, this.names.get(words[1]!)!);
        break;
      case 'unlink':
        this.names.delete(words[1]!);
        break;
      case 'check':
        mismatch = readAt(description!.file, n(2), n(3), reply);
        break;
      case 'mmap':
        this.map(process, words);
        break;
      case 'mread':
        this.ends ||= isOutdated(process.maps[n(1)]);
        mismatch = readMap(process.maps[n(1)], n(2), reply);
        break;
      case 'mwrite':
        this.ends ||= isOutdated(process.maps[n(1)]);
        this.ends ||= writeMap(process.maps[n(1)], n(2), pattern(result, n(4)));
        break;
      case 'munmap':
        process.maps[n(1)] = undefined;
        break;
      case 'mremap':
        if (process.maps[n(1)] !== undefined) process.maps[n(1)]!.size = n(2);
        // Its pages are copies from here on: README, "Memory maps".
        this.ends ||= process.maps[n(1)]?.shared === false;
        break;
      default:
        break;
    }
    if (this.ends) return { ends: true };
    mismatch ??= this.sizeOf(process, words, reply);
    const layout = this.layout(process, words);
    return mismatch === undefined ? layout : { ...layout, mismatch };
  }

  private sizeOf(process: Process, words: readonly string[], reply: string): string | undefined {
    const told = /size=(\d+)/.exec(reply)?.[1];
    const files = this.filesOf(process, words);
    const file = files[files.length - 1];
    if (told === undefined || file === undefined || Number(told) === file.size) return undefined;
    return `size=${file.size}`;
  }

  private open(process: Process, slot: number, name: string, flags: number): void {
    let file = this.names.get(name);
    if (file === undefined) {
      file = { pages: new Map(), size: 0, mapped: false, unsure: false, cuts: 0 };
      this.names.set(name, file);
    } else if (flags & O_TRUNC) truncate(file, 0);
    process.slots[slot] = {
      description: { file, position: 0, append: (flags & O_APPEND) !== 0 },
      closesOnExec: (flags & O_CLOEXEC) !== 0,
    };
  }

  private rename(from: string, to: string): void {
    const file = this.names.get(from)!;
    // Two names of one file stay as they are.
    if (this.names.get(to) === file) return;
    this.names.set(to, file);
    this.names.delete(from);
  }

  private copy(process: Process, words: readonly string[], count: number): void {
    const from = process.slots[Number(words[1])]!.description;
    const to = process.slots[Number(words[3])]!.description;
    const at = words[2] === '-' ? from.position : Number(words[2]);
    const bytes = bytesOf(from.file, at, count);
    if (words[2] === '-') from.position += count;
    if (words[4] === '-') writeAtPosition(to, bytes);
    else store(to.file, Number(words[4]), bytes);
    if (from.file.unsure) to.file.unsure = true;
  }

  private send(process: Process, words: readonly string[], count: number): void {
    const to = process.slots[Number(words[1])]!.description;
    const from = process.slots[Number(words[2])]!.description;
    const at = words[3] === '-' ? from.position : Number(words[3]);
    const target = to.position;
    // A file that is sent to itself may grow into what is read.
    const bytes = new Uint8Array(count);
    bytes.set(bytesOf(from.file, at, count));
    if (words[3] === '-') from.position = at + count;
    store(to.file, target, bytes);
    if (to !== from || words[3] !== '-') to.position = target + count;
    if (from.file === to.file && Math.abs(at - target) < count) {
      to.file.unsure = true;
      // Where it reads its own bytes, a hole of a map makes a difference.
      if (to.file.mapped) this.ends = true;
    }
    // Within a page the kernel's memcpy decides what comes out.
    if (from.file === to.file && target > at && target - at < count) this.ends = true;
    if (from.file.unsure) to.file.unsure = true;
  }

  private map(process: Process, words: readonly string[]): void {
    const file = process.slots[Number(words[2])]!.description.file;
    const shared = words[3]!.includes('s');
    process.maps[Number(words[1])] = {
      file,
      offset: Number(words[4]),
      size: Number(words[5]),
      shared,
      cuts: file.cuts,
    };
    file.mapped = true;
  }
}

/** As fill() of worker.c. */
function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, size));
  for (let i = 0; i < bytes.length; i++) bytes[i] = seed * 31 + i * 7 + (i >> 8) * 13;
  return bytes;
}

function bytesOf(file: File, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, Math.min(size, file.size - offset)));
  for (let at = 0; at < bytes.length; ) {
    const inPage = (offset + at) % PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - inPage, bytes.length - at);
    const page = file.pages.get(Math.floor((offset + at) / PAGE_SIZE));
    if (page !== undefined) bytes.set(page.subarray(inPage, inPage + count), at);
    at += count;
  }
  return bytes;
}

function store(file: File, offset: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const inPage = (offset + at) % PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - inPage, bytes.length - at);
    const index = Math.floor((offset + at) / PAGE_SIZE);
    let page = file.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE_SIZE);
      file.pages.set(index, page);
    }
    page.set(bytes.subarray(at, at + count), inPage);
    at += count;
  }
  if (bytes.length > 0) file.size = Math.max(file.size, offset + bytes.length);
}

function clear(file: File, from: number, to: number): void {
  for (const [index, page] of file.pages) {
    const start = index * PAGE_SIZE;
    if (start + PAGE_SIZE <= from || start >= to) continue;
    if (start >= from && start + PAGE_SIZE <= to) file.pages.delete(index);
    else page.fill(0, Math.max(0, from - start), Math.min(PAGE_SIZE, to - start));
  }
}

function truncate(file: File, size: number): void {
  if (size < file.size) {
    clear(file, size, Number.MAX_SAFE_INTEGER);
    file.cuts++;
  }
  file.size = size;
}

function allocate(file: File, mode: number, offset: number, size: number): void {
  if (mode & 2) clear(file, offset, offset + size);
  else if (!(mode & 1)) file.size = Math.max(file.size, offset + size);
}

function readAt(file: File, offset: number, size: number, reply: string): string | undefined {
  if (file.unsure) return undefined;
  const bytes = bytesOf(file, offset, size);
  const expected = `${bytes.length} ${crc32(bytes).toString(16).padStart(8, '0')}`;
  const told = reply.split(' ').slice(0, 2).join(' ');
  return told === expected && !reply.includes('overrun') ? undefined : expected;
}

function readAtPosition(description: Description, size: number, reply: string): string | undefined {
  const mismatch = readAt(description.file, description.position, size, reply);
  description.position += Number.parseInt(reply, 10);
  return mismatch;
}

function writeAtPosition(description: Description, bytes: Uint8Array): void {
  const at = description.append ? description.file.size : description.position;
  if (bytes.length === 0) return;
  store(description.file, at, bytes);
  description.position = at + bytes.length;
}

/** pwrite on a file that appends goes to its end, in Linux. */
function writeAt(description: Description, offset: number, bytes: Uint8Array): void {
  store(description.file, description.append ? description.file.size : offset, bytes);
}

function readMap(map: MapRecord | undefined, at: number, reply: string): string | undefined {
  if (map === undefined || !map.shared || map.file.unsure) return undefined;
  const size = Number.parseInt(reply, 10);
  const bytes = new Uint8Array(size);
  bytes.set(bytesOf(map.file, map.offset + at, size));
  const expected = `${size} ${crc32(bytes).toString(16).padStart(8, '0')}`;
  return reply === expected ? undefined : expected;
}

/** Were private pages cut off with the file's? README, "Memory maps". */
function isOutdated(map: MapRecord | undefined): boolean {
  return map !== undefined && !map.shared && map.cuts !== map.file.cuts;
}

/** True when bytes went past the end of the file, where tmpfs keeps them: README, "Memory maps". */
function writeMap(map: MapRecord | undefined, at: number, bytes: Uint8Array): boolean {
  if (map === undefined || !map.shared) return false;
  const offset = map.offset + at;
  const size = map.file.size;
  store(map.file, offset, bytes.subarray(0, Math.max(0, size - offset)));
  return offset + bytes.length > size;
}
