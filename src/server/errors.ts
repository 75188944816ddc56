/** What can go wrong outside of a request, with stable codes for the command line. */
export type ServerErrorCode =
  | 'BTFUSE_ERR_BAD_OPTION'
  | 'BTFUSE_ERR_SESSION_BUSY'
  | 'BTFUSE_ERR_SESSION_FOREIGN'
  | 'BTFUSE_ERR_SESSION_MISSING'
  | 'BTFUSE_ERR_SESSION_STOPPED'
  | 'BTFUSE_ERR_SESSION_FULL'
  | 'BTFUSE_ERR_NO_SHARED_MEMORY'
  | 'BTFUSE_ERR_WORKER';

export class ServerError extends Error {
  readonly code: ServerErrorCode;
  constructor(code: ServerErrorCode, message: string) {
    super(message);
    this.name = 'ServerError';
    this.code = code;
  }
}
