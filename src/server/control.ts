/**
 * What the two threads of a server say to each other. The worker never returns to its event loop, so the
 * main thread counts its messages in shared memory and rings the bell; the worker's hook then takes them.
 */
export interface WorkerInput {
  /** Descriptors of the segments: threads share them, each maps for itself. */
  readonly ringFd: number;
  readonly storeFd: number;
  readonly dataFd: number;
  readonly prefix: string;
  readonly bytes: number;
  readonly inodes: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly wait: 'futex' | 'atomics';
  readonly spinUs: number;
  readonly images: boolean;
  /** The nodes directory; undefined: there is none. */
  readonly nodes: string | undefined;
  /** Tests: look at the whole store once the session has ended, and log what is wrong with it. */
  readonly check: boolean;
  /** CONTROL_WORDS words. */
  readonly control: SharedArrayBuffer;
}

/** Words of the control buffer. */
export const CONTROL_NEWS = 0;
export const CONTROL_FAILURES = 1;
/** Low and high word. */
export const CONTROL_REQUESTS = 2;
export const CONTROL_DESCRIPTIONS = 4;
/** 1 while tokens or nodes have to be looked after from time to time. */
export const CONTROL_SPECIAL = 5;
export const CONTROL_WORDS = 8;

export type ToWorker =
  | { readonly kind: 'reclaim'; readonly processes: readonly DeadProcess[] }
  /** Look for slots of threads that are no more. */
  | { readonly kind: 'slots' }
  /** Look for descriptions whose last token is gone, and for nodes that came too late. */
  | { readonly kind: 'special' }
  | {
      readonly kind: 'image';
      readonly slot: number;
      readonly ticket: number;
      /** 0 or -errno. */
      readonly status: number;
      readonly path: string;
    };

export interface DeadProcess {
  readonly index: number;
  readonly generation: number;
}

export type FromWorker =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'image';
      readonly slot: number;
      readonly ticket: number;
      readonly path: string;
      /** By ld.so, so it is no static program. */
      readonly loaded: boolean;
    }
  | { readonly kind: 'log'; readonly sentence: string };
