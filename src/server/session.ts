/**
 * A session: one tree, its three segments in /dev/shm, and the worker that serves it. startServer() is what the
 * command line and the tests call; it runs in the main thread of the server's process (control plane).
 */
import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SegmentError } from '../../ringbuf/errors.ts';
import {
  PAGE_SIZE,
  PREFIX_MAX,
  RENDEZVOUS_SPIN_US,
  RING_HEADER_UNKNOWN_CALLS,
  SEGMENT_DATA,
  SEGMENT_RING,
  SEGMENT_STORE,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { openRing, requestStop, ringBell } from '../../ringbuf/ring.ts';
import {
  closeSegment,
  createSegment,
  openSegment,
  publishSegment,
  retireSegment,
  type Segment,
  segmentFacts,
} from '../../ringbuf/segment.ts';
import { EIO, ENOEXEC } from '../store/errno.ts';
import { segmentSizes } from '../store/store.ts';
import { getWide } from '../store/wide.ts';
import {
  CONTROL_DESCRIPTIONS,
  CONTROL_FAILURES,
  CONTROL_NEWS,
  CONTROL_REQUESTS,
  CONTROL_SPECIAL,
  CONTROL_WORDS,
  type FromWorker,
  type ToWorker,
  type WorkerInput,
} from './control.ts';
import { ServerError } from './errors.ts';
import { createLiveness } from './liveness.ts';
import { createNodes, removeNodes } from './nodes.ts';
import { rememberExempt } from './objects.ts';

export interface ServerOptions {
  /** Session name: [A-Za-z0-9._-], at most SESSION_NAME_MAX bytes. Segments are btfuse.<name>.{ring,store,data}. */
  readonly name: string;
  /** Absolute mount prefix, normal form, no trailing slash: "/bt". */
  readonly prefix: string;
  /** Most bytes of file data. */
  readonly bytes: number;
  /** Most inodes, the root counted. */
  readonly inodes: number;
  readonly wait?: 'futex' | 'atomics';
  /** How long the idle worker spins before it sleeps; RENDEZVOUS_SPIN_US by default. */
  readonly spinUs?: number;
  /** Owner and permission bits of the root directory: the caller's ids and 0o755 by default. */
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  /** Directory of prepared images; without it IMAGE requests get -ENOSYS. */
  readonly imagesDir?: string;
  /** Stop cleanly on SIGTERM and SIGINT (default true). The process is not ended: wait for `stopped`. */
  readonly signals?: boolean;
  /** Where one-sentence diagnostics go; stderr by default. */
  readonly log?: (sentence: string) => void;
  /** Tests: check the store at the end, and log its faults. */
  readonly check?: boolean;
}

export interface ServerStatistics {
  /** Requests served; batches; operations that threw (a bug of ours, answered with EIO). */
  readonly requests: number;
  readonly failures: number;
  /** Process records and descriptions in use. */
  readonly processes: number;
  readonly descriptions: number;
  /** Calls under the prefix that the shim answered with ENOSYS. */
  readonly unknownCalls: number;
}

export interface RunningServer {
  readonly name: string;
  readonly prefix: string;
  readonly pid: number;
  /** Ends the worker, wakes every sleeping client (they get EIO), removes the segments. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, whoever stopped it; rejects when the worker died. */
  readonly stopped: Promise<void>;
  statistics(): ServerStatistics;
}

/** Starts a server and resolves when it serves. Whatever fails, nothing stays behind in /dev/shm. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  checkOptions(options);
  const segments = createSegments(options);
  const control = new SharedArrayBuffer(CONTROL_WORDS * 4);
  try {
    const nodes = createNodes(options.name, segments.ring);
    if (nodes instanceof Error)
      logOf(options)(`fifos and sockets of this session cannot be opened: ${nodes.message}`);
    const directory = nodes instanceof Error ? undefined : nodes;
    if (options.imagesDir !== undefined) {
      const { exemptBuildIds } = await import('../image/prepare.ts');
      const { pruneDaily } = await import('../image/prune.ts');
      pruneDaily(options.imagesDir);
      for (const id of exemptBuildIds(options.imagesDir)) rememberExempt(segments.ring.i32, id);
    }
    const worker = await startWorker(options, segments, control, directory);
    return run(options, segments, worker, new Int32Array(control));
  } catch (error) {
    removeNodes(options.name);
    removeSegments(segments);
    throw error;
  }
}

function logOf(options: ServerOptions): (sentence: string) => void {
  return options.log ?? ((sentence) => void process.stderr.write(`btfuse: ${sentence}\n`));
}

interface Segments {
  readonly ring: Segment;
  readonly store: Segment;
  readonly data: Segment;
}

function checkOptions(options: ServerOptions): void {
  const bad = (what: string): never => {
    throw new ServerError('BTFUSE_ERR_BAD_OPTION', what);
  };
  const { prefix } = options;
  const normal = prefix.startsWith('/') && posix.normalize(prefix) === prefix;
  if (!normal || prefix.endsWith('/') || prefix.includes('\0'))
    bad(`the prefix "${prefix}" is not an absolute path in normal form below /`);
  if (Buffer.byteLength(prefix) > PREFIX_MAX) bad(`the prefix is longer than ${PREFIX_MAX} bytes`);
  if (!Number.isSafeInteger(options.bytes) || options.bytes < PAGE_SIZE)
    bad(`a tree needs at least ${PAGE_SIZE} bytes of memory`);
  if (!Number.isSafeInteger(options.inodes) || options.inodes < 1)
    bad('a tree needs at least one inode');
  if (options.inodes > INODES_MAX) bad(`a tree has at most ${INODES_MAX} inodes`);
}

/** The store segment must stay within what 32-bit word indices of a typed array can reach. */
const INODES_MAX = 16 * 1024 * 1024;
/** Minor numbers of st_dev from here on: the kernel hands its own out from 0. */
const DEVICE_BASE = 0x80000;
const WORKER_STOP_MS = 5000;
const ROOT_MODE = 0o755;

function createSegments(options: ServerOptions): Segments {
  const sessionId = randomBytes(8).readBigUInt64LE();
  const sizes = segmentSizes(options);
  const common = {
    session: options.name,
    sessionId,
    prefix: options.prefix,
    device: DEVICE_BASE + Number(sessionId & 0x7ffffn),
  };
  const made: Segment[] = [];
  try {
    for (const [kind, size] of [
      [SEGMENT_RING, 0],
      [SEGMENT_STORE, sizes.store],
      [SEGMENT_DATA, sizes.data],
    ] as const)
      made.push(createSegment({ ...common, kind, size }));
  } catch (error) {
    for (const segment of made) closeSegment(segment, { unlink: true });
    throw error instanceof SegmentError && error.code === 'BTFUSE_ERR_SESSION_BUSY'
      ? busy(options.name)
      : error;
  }
  return { ring: made[0], store: made[1], data: made[2] };
}

/** Says which process has the session, where its header can be read. */
function busy(name: string): SegmentError {
  let who = '';
  try {
    const segment = openSegment({ kind: SEGMENT_RING, session: name, building: true });
    who = ` (process ${segmentFacts(segment).serverPid})`;
    closeSegment(segment);
  } catch {
    // It ends at this moment; what matters is that it held the session.
  }
  return new SegmentError(
    'BTFUSE_ERR_SESSION_BUSY',
    `a server of session "${name}" is already running${who}`,
  );
}

function removeSegments(segments: Segments): void {
  // The ring goes last: it is the lock of the session.
  for (const segment of [segments.data, segments.store, segments.ring])
    closeSegment(segment, { unlink: true });
}

function startWorker(
  options: ServerOptions,
  segments: Segments,
  control: SharedArrayBuffer,
  nodes: string | undefined,
): Promise<Worker> {
  const input: WorkerInput = {
    ringFd: segments.ring.fd,
    storeFd: segments.store.fd,
    dataFd: segments.data.fd,
    prefix: options.prefix,
    bytes: options.bytes,
    inodes: options.inodes,
    uid: options.uid ?? process.getuid?.() ?? 0,
    gid: options.gid ?? process.getgid?.() ?? 0,
    mode: options.mode ?? ROOT_MODE,
    wait: options.wait ?? 'futex',
    spinUs: options.spinUs ?? RENDEZVOUS_SPIN_US,
    images: options.imagesDir !== undefined,
    nodes,
    check: options.check ?? false,
    control,
  };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: input,
    name: 'btfuse',
  });
  return new Promise((resolve, reject) => {
    worker.once('message', (message: FromWorker) => {
      if (message.kind === 'ready') resolve(worker);
    });
    worker.once('error', reject);
    worker.once('exit', () =>
      reject(new ServerError('BTFUSE_ERR_WORKER', 'the serving thread ended before it served')),
    );
  });
}

/** The control plane of a worker that serves. */
function run(
  options: ServerOptions,
  segments: Segments,
  worker: Worker,
  control: Int32Array,
): RunningServer {
  const ring = openRing(segments.ring);
  const liveness = createLiveness(segments.ring.i32, segments.ring.fd);
  const log = logOf(options);
  const ended = Promise.withResolvers<void>();
  let stopping = false;
  /** The segments are unmapped: to touch a typed array over them would be a crash. */
  let over = false;
  let failure: unknown;
  // Whoever does not ask for `stopped` must not be killed by its rejection.
  ended.promise.catch(() => {});

  const tell = (message: ToWorker): void => {
    if (over) return;
    worker.postMessage(message);
    Atomics.add(control, CONTROL_NEWS, 1);
    ringBell(ring);
  };

  let timer = setTimeout(scan, liveness.delayMs);
  timer.unref();
  function scan(): void {
    const processes = liveness.scan();
    if (processes.length > 0) tell({ kind: 'reclaim', processes });
    else if (liveness.slotsWanted()) tell({ kind: 'slots' });
    if (control[CONTROL_SPECIAL] !== 0) tell({ kind: 'special' });
    timer = setTimeout(scan, liveness.delayMs);
    timer.unref();
  }

  async function prepare(message: Extract<FromWorker, { kind: 'image' }>): Promise<void> {
    const { slot, ticket, path, loaded } = message;
    let answer = { status: -EIO, path: '' };
    try {
      const { prepareObject } = await import('../image/prepare.ts');
      const object = await prepareObject(latin1ToPath(path), options.imagesDir ?? '', loaded);
      if (object.path !== undefined) {
        answer = { status: 0, path: object.path };
      } else {
        answer.status = -ENOEXEC;
        if (object.buildId !== undefined && !over) {
          rememberExempt(segments.ring.i32, object.buildId);
        }
      }
    } catch (error) {
      // A name of the tree, or of another namespace: the program knows whether it matters.
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (cause?.code !== 'ENOENT' && cause?.code !== 'ENOTDIR')
        log(
          `no image of ${path} could be prepared: ${error instanceof Error ? error.message : String(error)}`,
        );
    }
    tell({ kind: 'image', slot, ticket, ...answer });
  }

  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'log') log(message.sentence);
    if (message.kind === 'image') void prepare(message);
  });
  worker.on('error', (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    failure = new ServerError('BTFUSE_ERR_WORKER', `the serving thread died: ${text}`);
  });
  worker.once('exit', () => {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    // Clients that sleep in the ring look at this word when they wake.
    requestStop(ring);
    for (const segment of Object.values(segments)) retireSegment(segment);
    last = statistics();
    over = true;
    liveness.close();
    process.off('exit', onExit);
    removeNodes(options.name);
    removeSegments(segments);
    if (stopping && failure === undefined) ended.resolve();
    else ended.reject(failure ?? new ServerError('BTFUSE_ERR_WORKER', 'the serving thread ended'));
  });

  const statistics = (): ServerStatistics => ({
    requests: getWide(control, CONTROL_REQUESTS),
    failures: control[CONTROL_FAILURES],
    processes: liveness.inUse,
    descriptions: control[CONTROL_DESCRIPTIONS],
    unknownCalls: segments.ring.i32[PAGE_SIZE / 4 + RING_HEADER_UNKNOWN_CALLS] >>> 0,
  });
  let last = statistics();

  function stop(): Promise<void> {
    if (!stopping && !over) {
      stopping = true;
      requestStop(ring);
      setTimeout(() => void worker.terminate(), WORKER_STOP_MS).unref();
    }
    return ended.promise;
  }
  /** The process ends without a stop: what can still be done at once. */
  function onExit(): void {
    requestStop(ring);
    removeNodes(options.name);
    for (const segment of Object.values(segments)) {
      retireSegment(segment);
      if (segment.name !== undefined) native().shmUnlink(segment.name);
    }
  }
  function onSignal(): void {
    void stop().catch(() => {});
  }
  process.on('exit', onExit);
  if (options.signals !== false) for (const signal of SIGNALS) process.on(signal, onSignal);

  for (const segment of [segments.data, segments.store, segments.ring]) publishSegment(segment);
  return {
    name: options.name,
    prefix: options.prefix,
    pid: process.pid,
    stop,
    stopped: ended.promise,
    statistics: () => (over ? last : statistics()),
  };
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Paths are bytes; a latin1 string carries them through the message port. */
function latin1ToPath(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
