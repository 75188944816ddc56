/**
 * Prepared images (D1): for each libc build one file with its text rewritten, which the shim maps over
 * the original at the start of every program.
 *
 * The directory is trusted like the shim itself, because programs run what lies in it: only root or the
 * user who runs the session may be able to write it.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { IMAGE_CALLS_HASH, IMAGE_SMALL_STACKS, IMAGE_VERSION } from '../../ringbuf/layout.gen.ts';
import { classOf, RT_SIGRETURN } from '../../ringbuf/syscalls.ts';
import { type Elf, ElfError, hasTextRelocations, parseElf, readingTables } from './elf.ts';
import {
  addAbsoluteTargets,
  hasSmallStacks,
  isStaticProgram,
  type Planned,
  patchExecutable,
} from './executable.ts';
import { findGaps, type Gap } from './gaps.ts';
import { ownCalls } from './own-calls.ts';
import { isHooked, type PatchedText, patchText } from './patch.ts';
import { joinPieces, type Piece, piecesOf } from './pieces.ts';
import { JUMP_SIZE, planByGap, planByIsland, planSites, type Site } from './sites.ts';
import { type Sweep, sweep, sweepAll } from './sweep.ts';
import { readImage, sealImage, type Trailer } from './trailer.ts';

/** An image cannot be made or must not be used; the message is a whole sentence for the user. */
export class ImageError extends Error {
  readonly code = 'BTFUSE_ERR_IMAGE';
}

/** Largest object that is looked at, in bytes. */
const OBJECT_MAX = 1024 ** 3;

/** Of a file without a build-id, or whose image is not for ld.so. */
const hashOf = (elf: Elf): Uint8Array => createHash('sha256').update(elf.bytes).digest();
/** One file may be a static program and a library without a name of its own. */
const objectHash = (elf: Elf): Uint8Array =>
  createHash('sha256').update(elf.bytes).update('loaded').digest();

const euid = (): number => process.geteuid?.() ?? 0;

export function defaultImagesDir(): string {
  if (euid() === 0) return '/var/cache/btfuse/images';
  const cache = process.env.XDG_CACHE_HOME;
  return join(
    cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache'),
    'btfuse/images',
  );
}

/** Directories above the last that are missing are made with 0755, whatever the umask. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, 0o755);
    chmodSync(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Makes the directory if need be and refuses one that somebody else could write. */
export function checkImagesDir(path: string): void {
  if (!isAbsolute(path))
    throw new ImageError(`The image directory ${path} is not an absolute path.`);
  try {
    makeDirectory(dirname(path));
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) makeDirectory(path);
  } catch (error) {
    throw new ImageError(
      `The image directory ${path} cannot be made: ${(error as Error).message}.`,
    );
  }
  const found = lstatSync(path);
  if (!found.isDirectory()) throw new ImageError(`The image directory ${path} is not a directory.`);
  if (found.uid !== 0 && found.uid !== euid()) {
    throw new ImageError(
      `The image directory ${path} belongs to user ${found.uid}, who is neither root nor you.`,
    );
  }
  if ((found.mode & 0o022) !== 0) {
    throw new ImageError(`The image directory ${path} can be written by others than its owner.`);
  }
}

/**
 * The name that an image of a static program also has: what stat says of the file, so that the launcher
 * finds it without reading the program. preload/image/map.cpp forms the same.
 */
function fileName(of: BigIntStats): string {
  const calls = IMAGE_CALLS_HASH.toString(16).padStart(16, '0');
  const identity = [of.dev, of.ino, of.size, of.mtimeNs, of.ctimeNs].join('-');
  return `file-${identity}-${IMAGE_VERSION}-${calls}.img`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Everything that decides the bytes of an image stands in its name. preload/image/start.cpp forms the same. */
export function imageName(buildId: Uint8Array): string {
  const calls = IMAGE_CALLS_HASH.toString(16).padStart(16, '0');
  return `${hex(buildId)}-${IMAGE_VERSION}-${calls}.img`;
}

export interface Analysis {
  readonly trailer: Trailer;
  readonly sites: readonly Site[];
  readonly text: Uint8Array;
  readonly instructions: number;
  readonly padding: number;
  readonly paddingUsed: number;
  readonly inGaps: number;
}

/** Sweeps and rewrites one object. Throws ElfError; one hookable call left unhooked is an error too. */
export function analyse(elf: Elf, paddingMax?: number): Analysis {
  if (elf.buildId === undefined || elf.buildId.length < 8) throw new ElfError('it has no build-id');
  const swept = readingTables(() => sweep(elf));
  if (swept.syscalls.length === 0) throw new ElfError('it makes no system calls of its own');
  const sites = planSites(elf, swept);
  checkHooked(sites);
  return patched(elf, swept, sites, 0, paddingMax);
}

function patched(
  elf: Elf,
  swept: Sweep,
  sites: readonly Site[],
  flags: number,
  paddingMax?: number,
): Analysis {
  const text = patchText(elf, swept, sites, paddingMax);
  const count = (form: Site['form']): number => sites.filter((s) => s.form === form).length;
  return {
    sites,
    text: text.bytes,
    instructions: swept.instructions,
    padding: text.padding,
    paddingUsed: text.paddingUsed,
    inGaps: text.inGaps,
    trailer: {
      buildId: elf.buildId ?? hashOf(elf),
      textVaddr: text.vaddr,
      textLength: text.bytes.length,
      slotVaddr: text.slotVaddr,
      sites: sites.length,
      skipped: count('skip'),
      before: count('M'),
      after: count('T'),
      flags,
    },
  };
}

/** One hookable call left unhooked would see the files of the host. */
function checkHooked(sites: readonly Site[]): void {
  const missed = sites.find((site) => site.form === 'none');
  if (missed === undefined) return;
  throw new ElfError(
    `the system call at 0x${missed.vaddr.toString(16)} cannot be hooked (${missed.reason})`,
  );
}

/** The sites of an object, segment by segment; what neither form fits is reached by way of its neighbourhood. */
function planAll(elf: Elf, counts: (vaddr: number) => boolean): Planned[] {
  return readingTables(() => sweepAll(elf)).map((swept) => {
    addAbsoluteTargets(elf, swept);
    const sites = planSites(elf, swept).filter((site) => counts(site.vaddr));
    let gaps: Gap[] | undefined;
    for (const [i, site] of sites.entries()) {
      if (site.form !== 'none') continue;
      gaps ??= findGaps(elf, swept, JUMP_SIZE);
      sites[i] = planByGap(site, gaps);
    }
    for (const [i, site] of sites.entries()) {
      if (site.form === 'none') sites[i] = planByIsland(elf, swept, site, sites);
    }
    checkHooked(sites);
    return { swept, sites };
  });
}

interface Outcome {
  readonly planned: readonly Planned[];
  readonly pieces: readonly Piece[];
  readonly slotVaddr: number;
  readonly buildId: Uint8Array;
  readonly flags: number;
  readonly padding: number;
  readonly paddingUsed: number;
  readonly inGaps: number;
  readonly annexVaddr?: number;
  readonly annex?: Uint8Array;
}

function conclude(of: Outcome): Analysis {
  const sites = of.planned.flatMap((part) => part.sites);
  const count = (form: Site['form']): number => sites.filter((s) => s.form === form).length;
  const pieces = of.pieces.map(({ vaddr, bytes }) => [vaddr, bytes.length] as const);
  return {
    sites,
    text: joinPieces(of.pieces, of.annex),
    instructions: of.planned.reduce((sum, { swept }) => sum + swept.instructions, 0),
    padding: of.padding,
    paddingUsed: of.paddingUsed,
    inGaps: of.inGaps,
    trailer: {
      buildId: of.buildId,
      textVaddr: pieces[0]?.[0] ?? 0,
      textLength: pieces.reduce((sum, [, length]) => sum + length, 0),
      pieces,
      slotVaddr: of.slotVaddr,
      sites: sites.length,
      skipped: count('skip'),
      before: count('M'),
      after: count('T'),
      flags: of.flags,
      annexVaddr: of.annexVaddr ?? 0,
      annexLength: of.annex?.length ?? 0,
    },
  };
}

/** The image of a static program, named after the hash of its file. */
export function analyseStatic(elf: Elf): Analysis {
  const buildId = hashOf(elf);
  const planned = planAll(elf, () => true);
  if (planned.length === 0) throw new ElfError('it has no code');
  const patched = patchExecutable(elf, planned);
  const flags = hasSmallStacks(elf) ? IMAGE_SMALL_STACKS : 0;
  const { slotVaddr, annexVaddr, annex, annexUsed: paddingUsed } = patched;
  const rest = { slotVaddr, annexVaddr, annex, padding: annex.length, paddingUsed, inGaps: 0 };
  return conclude({ planned, pieces: piecesOf(elf, patched.texts), buildId, flags, ...rest });
}

/**
 * The image of a library or a program that ld.so loads; undefined when it needs none. What looks like
 * a \`syscall\` but stands in no function is taken for data, except in Go's code, which has no such tables.
 */
export function analyseObject(elf: Elf): Analysis | undefined {
  const calls = ownCalls(elf);
  const matters = (nr: number): boolean =>
    nr < 0 || (nr !== RT_SIGRETURN && classOf(nr) !== 'pass');
  const isGo = calls.length > 0 && hasSmallStacks(elf);
  if (!isGo && !calls.some((call) => matters(call.nr))) return undefined;
  if (hasTextRelocations(elf)) throw new ElfError('the loader changes its text');
  const real = new Set(calls.map((call) => call.vaddr));
  const planned = planAll(elf, (vaddr) => isGo || real.has(vaddr)).filter(({ sites }) =>
    sites.some(isHooked),
  );
  if (planned.length === 0) return undefined;
  const texts = planned.map(({ swept, sites }) => patchText(elf, swept, sites));
  const sum = (of: (text: PatchedText) => number): number =>
    texts.reduce((total, text) => total + of(text), 0);
  return conclude({
    planned,
    pieces: piecesOf(elf, texts),
    slotVaddr: texts[0]!.slotVaddr,
    buildId: elf.buildId ?? objectHash(elf),
    flags: isGo ? IMAGE_SMALL_STACKS : 0,
    padding: sum((text) => text.padding),
    paddingUsed: sum((text) => text.paddingUsed),
    inGaps: sum((text) => text.inGaps),
  });
}

/** Reads an image that may be there; undefined when it is not, is not whole or is not to be trusted. */
function readTrusted(path: string, buildId: Uint8Array): Trailer | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(fd);
    const owned = found.uid === 0 || found.uid === euid();
    if (!found.isFile() || !owned || (found.mode & 0o022) !== 0) return undefined;
    return readImage(readFileSync(fd), buildId);
  } finally {
    closeSync(fd);
  }
}

const READ_BY_GROUP = 0o040;
const READ_BY_OTHERS = 0o004;

/** An image shows the text of its object, so it opens to nobody to whom the object is closed. */
interface Readers {
  readonly mode: number;
  readonly gid: number;
}

const EVERYBODY: Readers = { mode: 0o555, gid: -1 };

function readersOf(found: BigIntStats): Readers {
  const mode = Number(found.mode);
  if ((mode & READ_BY_OTHERS) !== 0) return EVERYBODY;
  return { mode: (mode & READ_BY_GROUP) !== 0 ? 0o550 : 0o500, gid: Number(found.gid) };
}

/** Opens an image further: it may have been made of a copy that fewer could read. */
function openTo(path: string, readers: Readers): void {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined || (before.mode & 0o777) === 0o555 || readers.mode !== 0o555) return;
  if (before.uid === euid()) chmodSync(path, readers.mode);
}

/** Under a temporary name first, so that nobody ever sees half a file. */
function writeImage(path: string, file: Uint8Array, readers: Readers = EVERYBODY): void {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    for (let done = 0; done < file.length; ) done += writeSync(fd, file, done);
    if (readers.mode === 0o550) chownSync(temporary, euid(), readers.gid);
    chmodSync(temporary, readers.mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Images hashed by this process: path → device, inode, size, time of writing and mode. */
const verified = new Map<string, string>();

/** Not the time of the last change: a second name changes that. */
function hashed(path: string): string {
  const s = lstatSync(path, { bigint: true });
  return `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.mode}`;
}

function isVerified(path: string): boolean {
  const known = verified.get(path);
  return (
    (known !== undefined &&
      lstatSync(path, { throwIfNoEntry: false }) &&
      hashed(path) === known) === true
  );
}

function nameAfterFile(image: string, name: string): void {
  const temporary = `${name}.${process.pid}.${randomBytes(4).toString('hex')}`;
  linkSync(image, temporary);
  // A no-op, leaving the temporary name, when both are one file already.
  renameSync(temporary, name);
  rmSync(temporary, { force: true });
}

/** A client may have named the file: it may be a pipe, or endless. */
async function readObject(path: string): Promise<{ bytes: Uint8Array; found: BigIntStats }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat({ bigint: true });
    if (!found.isFile()) throw new ElfError('it is no regular file');
    if (found.size > OBJECT_MAX) throw new ElfError('it is too large');
    return { bytes: await file.readFile(), found };
  } finally {
    await file.close();
  }
}

/** Nobody needs to look at the object again: a file of this name says that it needs no image. */
const exemptOf = (image: string): string => image.replace(/img$/, 'none');

/**
 * Path of the prepared image of an ELF object, made now if it is not there; undefined when it needs none. An
 * existing one is hashed once per process. `isLoaded`: by ld.so, so it is no static program. Throws ImageError with a sentence that names the object.
 */
export async function prepareObject(
  objectPath: string,
  imagesDir: string,
  isLoaded = false,
): Promise<{ readonly path: string | undefined; readonly buildId: Uint8Array | undefined }> {
  checkImagesDir(imagesDir);
  try {
    const { bytes, found } = await readObject(objectPath);
    const elf = parseElf(bytes);
    const isStatic = !isLoaded && isStaticProgram(elf);
    const buildId = isStatic ? undefined : elf.buildId;
    const identity = buildId ?? (isStatic ? hashOf(elf) : objectHash(elf));
    const path = join(imagesDir, imageName(identity));
    const readers = readersOf(found);
    openTo(path, readers);
    if (!isVerified(path)) {
      if (readTrusted(path, identity) === undefined) {
        const analysis = isStatic ? analyseStatic(elf) : analyseObject(elf);
        if (analysis === undefined) {
          const name = exemptOf(buildId === undefined ? join(imagesDir, fileName(found)) : path);
          if (buildId !== undefined || found.nlink > 0n) writeImage(name, new Uint8Array(0));
          return { path: undefined, buildId };
        }
        writeImage(path, sealImage(analysis.text, analysis.trailer), readers);
      }
      verified.set(path, hashed(path));
    }
    // A file without a name (memfd) is another one each time.
    if (buildId === undefined && found.nlink > 0n) {
      nameAfterFile(path, join(imagesDir, fileName(found)));
    }
    return { path, buildId };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const sentence = `${objectPath} cannot be prepared: ${(error as Error).message}.`;
    throw new ImageError(sentence, { cause: error });
  }
}

/** The same for an object that must have one. */
export async function prepareImage(objectPath: string, imagesDir: string): Promise<string> {
  const { path } = await prepareObject(objectPath, imagesDir);
  if (path !== undefined) return path;
  throw new ImageError(`${objectPath} cannot be prepared: it makes no system calls of its own.`);
}

/** Build-ids of the objects that are known to need no image. */
export function exemptBuildIds(imagesDir: string): Uint8Array[] {
  const end = exemptOf(imageName(new Uint8Array(0)));
  try {
    return readdirSync(imagesDir)
      .filter((name) => name.endsWith(end) && !name.startsWith('file-'))
      .map((name) => Buffer.from(name.slice(0, -end.length), 'hex'));
  } catch {
    return [];
  }
}

/** The C library that this Node runs on, which is what programs of this system load. */
export function systemLibc(): string {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  const found = /^\S+ \S+ \S+ \S+ \S+\s+(\/\S*\/libc\.so\.6)$/m.exec(maps)?.[1];
  if (found === undefined)
    throw new ImageError('This Node does not run on glibc (no libc.so.6 in it).');
  return found;
}

/** The loader that this Node was started by. */
export function systemLoader(): string {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  const found = /^\S+ \S+ \S+ \S+ \S+\s+(\/\S*\/ld-linux-x86-64\.so\.2)$/m.exec(maps)?.[1];
  if (found === undefined)
    throw new ImageError('This Node was not started by the loader of glibc.');
  return found;
}

/** Prepares what every session needs: the images of the system's libc and loader. Returns the libc's path. */
export async function ensureImages(imagesDir: string = defaultImagesDir()): Promise<string> {
  await prepareImage(systemLoader(), imagesDir);
  return prepareImage(systemLibc(), imagesDir);
}
