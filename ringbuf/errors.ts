/** What can be wrong with a segment, with stable codes. Messages are one sentence for the user. */
export type SegmentErrorCode =
  /** /dev/shm is full or missing. */
  | 'BTFUSE_ERR_NO_SHARED_MEMORY'
  /** A live server holds the session. */
  | 'BTFUSE_ERR_SESSION_BUSY'
  /** Segments of that name belong to somebody else. */
  | 'BTFUSE_ERR_SESSION_FOREIGN'
  | 'BTFUSE_ERR_SESSION_MISSING'
  | 'BTFUSE_ERR_SESSION_STOPPED'
  /** Not a bt-fuse segment, or one of another kind. */
  | 'BTFUSE_ERR_SEGMENT_FOREIGN'
  | 'BTFUSE_ERR_SEGMENT_TRUNCATED'
  /** Written by another version of bt-fuse. */
  | 'BTFUSE_ERR_SEGMENT_VERSION'
  /** Its server has not finished building it. */
  | 'BTFUSE_ERR_SEGMENT_BUILDING'
  | 'BTFUSE_ERR_BAD_NAME'
  | 'BTFUSE_ERR_SYSTEM';

export class SegmentError extends Error {
  readonly code: SegmentErrorCode;
  constructor(code: SegmentErrorCode, message: string) {
    super(message);
    this.name = 'SegmentError';
    this.code = code;
  }
}
