/**
 * One shared-memory segment as the server sees it: the file, its mapping, and typed arrays over it.
 * The header is written by createSegment and checked by openSegment.
 */
export interface Segment {
  readonly fd: number;
  /** Id for the addon's copy, zero and futex calls. */
  readonly id: number;
  /** Virtual bytes. */
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
}
