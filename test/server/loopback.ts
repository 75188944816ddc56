/** The dispatcher without threads or other processes: requests are written into slot 0 and served at once. */
import * as layout from '../../ringbuf/layout.gen.ts';
import { DONE, openRing, slotWord } from '../../ringbuf/ring.ts';
import { closeSegment, createSegment } from '../../ringbuf/segment.ts';
import { dispatch } from '../../src/server/dispatch.ts';
import { createNodes, removeNodes } from '../../src/server/nodes.ts';
import { createServer, type Server } from '../../src/server/request.ts';
import { createStore, type Store, segmentSizes } from '../../src/store/store.ts';
import { getWide, setWide } from '../../src/store/wide.ts';

export interface Fields {
  readonly path?: string;
  readonly path2?: string;
  readonly data?: Uint8Array | string;
  readonly description?: number;
  readonly description2?: number;
  readonly flags?: number;
  readonly requestFlags?: number;
  readonly mode?: number;
  readonly umask?: number;
  readonly valid?: number;
  readonly offset?: number;
  readonly offset2?: number;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly rdev?: number;
  readonly symlinks?: number;
  readonly process?: number;
  readonly fileSizeLimit?: number;
  readonly slot?: number;
}

export interface Reply {
  readonly status: number;
  readonly flags: number;
  readonly description: number;
  readonly result: number;
  readonly offset: number;
  readonly symlinks: number;
  readonly payload: Buffer;
  readonly mode: number;
  readonly size: number;
  readonly ino: number;
  readonly nlink: number;
}

export interface Loopback {
  readonly server: Server;
  readonly store: Store;
  readonly i32: Int32Array;
  readonly data: Uint8Array;
  readonly logged: string[];
  request(opcode: number, fields?: Fields): Reply;
  /** Drops the client's reference and posts RELEASE. */
  release(description: number): void;
  close(): void;
}

/** `session`: names a nodes directory for it, which goes with close(). */
export function createLoopback(
  limits = { bytes: 16 << 20, inodes: 4096 },
  mode = 0o755,
  session?: string,
): Loopback {
  const sizes = segmentSizes(limits);
  const ringSegment = createSegment({ kind: layout.SEGMENT_RING, session: null });
  const make = (kind: typeof layout.SEGMENT_STORE | typeof layout.SEGMENT_DATA, size: number) =>
    createSegment({ kind, session: null, size });
  const storeSegment = make(layout.SEGMENT_STORE, sizes.store);
  const dataSegment = make(layout.SEGMENT_DATA, sizes.data);
  const store = createStore(storeSegment, dataSegment, { ...limits, uid: 0, gid: 0, mode });
  const logged: string[] = [];
  const nodes = session === undefined ? undefined : createNodes(session, ringSegment);
  const server = createServer({
    store,
    ring: openRing(ringSegment),
    prefix: '/bt',
    nodes: typeof nodes === 'string' ? nodes : undefined,
    log: (sentence) => logged.push(sentence),
  });
  const { i32, u8 } = ringSegment;

  function request(opcode: number, fields: Fields = {}): Reply {
    const slot = fields.slot ?? 0;
    const word = slotWord(slot);
    const put = (field: number, value = 0): void => {
      i32[word + field] = value;
    };
    const path = Buffer.from(fields.path ?? '');
    const path2 = Buffer.from(fields.path2 ?? '');
    const payload = Buffer.concat([path, path2, Buffer.from(fields.data ?? '')]);
    const inline = payload.length <= layout.INLINE_SIZE;
    const at = inline
      ? word * 4 + layout.SLOT_PAYLOAD_BYTES
      : layout.RING_SLABS_OFFSET + slot * layout.SLAB_SIZE;
    u8.set(payload, at);
    put(layout.SLOT_OPCODE, opcode);
    put(layout.SLOT_REQUEST_FLAGS, (fields.requestFlags ?? 0) | (inline ? 0 : layout.REQUEST_SLAB));
    put(layout.SLOT_PATH_LENGTH, path.length);
    put(layout.SLOT_PATH2_LENGTH, path2.length);
    put(layout.SLOT_PAYLOAD_LENGTH, payload.length);
    put(layout.SLOT_DESCRIPTION, fields.description);
    put(layout.SLOT_DESCRIPTION2, fields.description2);
    put(layout.SLOT_FLAGS, fields.flags);
    put(layout.SLOT_MODE, fields.mode);
    put(layout.SLOT_UMASK, fields.umask);
    put(layout.SLOT_VALID, fields.valid);
    put(layout.SLOT_UID, fields.uid);
    put(layout.SLOT_GID, fields.gid);
    put(layout.SLOT_RDEV, fields.rdev);
    put(layout.SLOT_SYMLINKS, fields.symlinks);
    put(layout.SLOT_PROCESS, fields.process);
    setWide(i32, word + layout.SLOT_OFFSET, fields.offset ?? 0);
    setWide(i32, word + layout.SLOT_OFFSET2, fields.offset2 ?? 0);
    setWide(i32, word + layout.SLOT_SIZE, fields.size ?? 0);
    setWide(i32, word + layout.SLOT_FILE_SIZE_LIMIT, fields.fileSizeLimit ?? -1);
    if (dispatch(server, slot) !== DONE) throw new Error('answered later');
    return reply(slot);
  }

  function reply(slot: number): Reply {
    const word = slotWord(slot);
    const flags = i32[word + layout.SLOT_REPLY_FLAGS];
    const at =
      (flags & layout.REPLY_SLAB) !== 0
        ? layout.RING_SLABS_OFFSET + slot * layout.SLAB_SIZE
        : word * 4 + layout.SLOT_PAYLOAD_BYTES;
    const attributes = word + layout.SLOT_ATTR_BYTES / 4;
    return {
      status: i32[word + layout.SLOT_STATUS],
      flags,
      description: i32[word + layout.SLOT_REPLY_DESCRIPTION],
      result: getWide(i32, word + layout.SLOT_RESULT),
      offset: getWide(i32, word + layout.SLOT_REPLY_OFFSET),
      symlinks: i32[word + layout.SLOT_REPLY_SYMLINKS],
      payload: Buffer.from(u8.slice(at, at + i32[word + layout.SLOT_REPLY_LENGTH])),
      mode: i32[attributes + layout.ATTRIBUTES_MODE],
      size: getWide(i32, attributes + layout.ATTRIBUTES_SIZE),
      ino: i32[attributes + layout.ATTRIBUTES_INO],
      nlink: i32[attributes + layout.ATTRIBUTES_NLINK],
    };
  }

  return {
    server,
    store,
    i32,
    data: dataSegment.u8,
    logged,
    request,
    release(description) {
      const state =
        layout.RING_DESCRIPTIONS_OFFSET / 4 + description * layout.DESCRIPTION_STATE_RECORD_WORDS;
      Atomics.sub(i32, state + layout.DESCRIPTION_STATE_REFERENCES, 1);
      request(layout.OP_RELEASE, { description });
    },
    close() {
      if (session !== undefined) removeNodes(session);
      for (const segment of [ringSegment, storeSegment, dataSegment]) closeSegment(segment);
    },
  };
}
