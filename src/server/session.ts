/**
 * A session: one tree, its three segments in /dev/shm, and the worker that serves it. startServer() is what the
 * command line and the tests call; it runs in the main thread of the server's process (control plane).
 */

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
