/** A path as an operation gets it: where the walk begins, and bytes that a client may still change. */
export interface PathArgument {
  /** Inode of the directory that the walk begins at. */
  start: number;
  bytes: Uint8Array;
  offset: number;
  length: number;
}

export function createPathArgument(): PathArgument {
  return { start: 0, bytes: new Uint8Array(0), offset: 0, length: 0 };
}

/** An operation with two paths left the tree while it walked the second one. See walk.ts: CROSSED. */
export const CROSSED_SECOND = 2;
