/** What tar-stream gives and takes per entry; its own types leave out half of it. */
import { extract as openExtract } from 'tar-stream';
import { rawRecords } from './xattrs.ts';

export interface Headers {
  name: string;
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number;
  mtime?: Date;
  linkname?: string | null;
  /** null: a kind that tar-stream does not know. */
  type: EntryType | null;
  devmajor?: number;
  devminor?: number;
  /** The pax records of the entry. */
  pax?: Record<string, string> | null;
  /** Those of extended attributes once more, as bytes (extract). */
  rawPax?: ReadonlyMap<string, Buffer>;
}

export type EntryType =
  | 'file'
  | 'link'
  | 'symlink'
  | 'directory'
  | 'block-device'
  | 'character-device'
  | 'fifo'
  | 'contiguous-file';

export interface Entry extends AsyncIterable<Uint8Array> {
  readonly header: Headers;
  resume(): void;
}

/** Reads an archive whose names come as latin1, which keeps their bytes; only pax records are text. */
export function extract(): ReturnType<typeof openExtract> & AsyncIterable<Entry> {
  const options = { filenameEncoding: 'latin1' };
  const archive = openExtract(options as object) as ReturnType<typeof extract>;
  keepRawRecords(archive as unknown as Inner);
  return archive;
}

/** What of tar-stream's Extract is not public. */
interface Inner {
  _header: Omit<Headers, 'type'> & { type: string | null };
  _decodeLongHeader(body: Uint8Array): void;
  _applyLongHeaders(): void;
}

/** tar-stream reads pax records as UTF-8, which the values of attributes are not. */
function keepRawRecords(archive: Inner): void {
  const decode = archive._decodeLongHeader;
  const apply = archive._applyLongHeaders;
  let records: ReadonlyMap<string, Buffer> | undefined;
  archive._decodeLongHeader = function (body): void {
    if (this._header.type === 'pax-header') records = rawRecords(body);
    decode.call(this, body);
  };
  archive._applyLongHeaders = function (): void {
    apply.call(this);
    if (records !== undefined) this._header.rawPax = records;
    records = undefined;
  };
}
