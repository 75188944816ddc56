/** What tar-stream gives and takes per entry; its own types leave out half of it. */
import { extract as openExtract } from 'tar-stream';

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
  return openExtract(options as object) as ReturnType<typeof extract>;
}
