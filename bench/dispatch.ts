/**
 * What the server itself spends on one request: the dispatcher called in a loop on one thread, without a client
 * or a ring round trip. CPU time, so it may be read on a busy machine too.
 *
 *   node bench/dispatch.ts [--requests N]
 */
import { parseArgs } from 'node:util';
import * as layout from '../ringbuf/layout.gen.ts';
import { openRing } from '../ringbuf/ring.ts';
import { storeLayout } from '../ringbuf/schema.ts';
import { createSegment } from '../ringbuf/segment.ts';
import { dispatch } from '../src/server/dispatch.ts';
import { createServer } from '../src/server/request.ts';
import { createStore, storeCapacities } from '../src/store/store.ts';

const { values } = parseArgs({ options: { requests: { type: 'string', default: '300000' } } });
const REQUESTS = Number(values.requests);
const limits = { bytes: 64 * 2 ** 20, inodes: 100_000, uid: 0, gid: 0, mode: 0o755 };
const capacities = storeCapacities(limits);
const ring = openRing(createSegment({ kind: layout.SEGMENT_RING, session: null }));
const store = createStore(
  createSegment({
    kind: layout.SEGMENT_STORE,
    session: null,
    size: storeLayout(capacities).size,
  }),
  createSegment({
    kind: layout.SEGMENT_DATA,
    session: null,
    size: capacities.blocks * layout.PAGE_SIZE,
  }),
  limits,
);
const server = createServer({ store, ring, prefix: '/bt', log: console.error });
const { i32, u8 } = server;
const SLOT = 0;
const word = layout.RING_SLOTS_OFFSET / 4 + SLOT * layout.SLOT_RECORD_WORDS;

type Fields = Readonly<Record<number, number>>;

/** A request, ready to be sent again and again. */
function request(opcode: number, paths: readonly string[], fields: Fields = {}): () => number {
  const bytes = Buffer.from(paths.join(''));
  const lengths = [paths[0]?.length ?? 0, paths[1]?.length ?? 0];
  return () => {
    i32[word + layout.SLOT_OPCODE] = opcode;
    i32[word + layout.SLOT_REQUEST_FLAGS] = 0;
    i32[word + layout.SLOT_DESCRIPTION] = 0;
    i32[word + layout.SLOT_DESCRIPTION2] = 0;
    i32[word + layout.SLOT_FLAGS] = 0;
    i32[word + layout.SLOT_PATH_LENGTH] = lengths[0];
    i32[word + layout.SLOT_PATH2_LENGTH] = lengths[1];
    i32[word + layout.SLOT_PAYLOAD_LENGTH] = bytes.length;
    for (const field in fields) i32[word + Number(field)] = fields[field];
    const payload = word * 4 + layout.SLOT_PAYLOAD_BYTES;
    for (let i = 0; i < bytes.length; i++) u8[payload + i] = bytes[i];
    dispatch(server, SLOT);
    return i32[word + layout.SLOT_STATUS];
  };
}

function must(status: number, what: string): void {
  if (status !== 0) throw new Error(`${what}: status ${status}`);
}

function release(): void {
  const id = i32[word + layout.SLOT_REPLY_DESCRIPTION];
  i32[
    layout.RING_DESCRIPTIONS_OFFSET / 4 +
      id * layout.DESCRIPTION_STATE_RECORD_WORDS +
      layout.DESCRIPTION_STATE_REFERENCES
  ] = 0;
  request(layout.OP_RELEASE, [], { [layout.SLOT_DESCRIPTION]: id })();
}

const RDWR = 2;
const create = request(layout.OP_CREATE, ['dir/file'], {
  [layout.SLOT_FLAGS]: RDWR | 0o100,
  [layout.SLOT_MODE]: 0o644,
});
const mkdir = request(layout.OP_MKDIR, ['dir'], { [layout.SLOT_MODE]: 0o755 });
must(mkdir(), 'mkdir');
must(create(), 'create');
const file = { [layout.SLOT_DESCRIPTION]: i32[word + layout.SLOT_REPLY_DESCRIPTION] };
const data = {
  ...file,
  [layout.SLOT_SIZE]: 4096,
  [layout.SLOT_PAYLOAD_LENGTH]: 4096,
  [layout.SLOT_REQUEST_FLAGS]: layout.REQUEST_SLAB,
  [layout.SLOT_FILE_SIZE_LIMIT]: -1,
  [layout.SLOT_FILE_SIZE_LIMIT + 1]: -1,
};
const rows: Readonly<Record<string, () => void>> = {
  noop: request(layout.OP_NOOP, []),
  lookup: request(layout.OP_LOOKUP, ['dir/file']),
  'lookup ENOENT': request(layout.OP_LOOKUP, ['dir/none']),
  getattr: request(layout.OP_GETATTR, [], file),
  'write 4 KiB': request(layout.OP_WRITE, [], data),
  'read 4 KiB': request(layout.OP_READ, [], data),
  'open + release': (() => {
    const open = request(layout.OP_OPEN, ['dir/file']);
    return () => {
      open();
      release();
    };
  })(),
  'create + release + unlink': (() => {
    const fresh = request(layout.OP_CREATE, ['dir/new'], {
      [layout.SLOT_FLAGS]: RDWR | 0o100,
      [layout.SLOT_MODE]: 0o644,
    });
    const unlink = request(layout.OP_UNLINK, ['dir/new']);
    return () => {
      fresh();
      release();
      unlink();
    };
  })(),
  'mkdir + rmdir': (() => {
    const make = request(layout.OP_MKDIR, ['dir/sub'], { [layout.SLOT_MODE]: 0o755 });
    const remove = request(layout.OP_RMDIR, ['dir/sub']);
    return () => {
      make();
      remove();
    };
  })(),
  'rename there and back': (() => {
    const there = request(layout.OP_RENAME2, ['dir/file', 'dir/moved']);
    const back = request(layout.OP_RENAME2, ['dir/moved', 'dir/file']);
    return () => {
      there();
      back();
    };
  })(),
  chmod: request(layout.OP_SETATTR, ['dir/file'], {
    [layout.SLOT_VALID]: layout.FATTR_MODE,
    [layout.SLOT_MODE]: 0o644,
  }),
};

for (const [name, run] of Object.entries(rows)) {
  for (let i = 0; i < REQUESTS / 4; i++) run();
  const before = process.cpuUsage();
  for (let i = 0; i < REQUESTS; i++) run();
  const { user, system } = process.cpuUsage(before);
  const ns = ((user + system) * 1000) / REQUESTS;
  console.log(`${name.padEnd(28)} ${ns.toFixed(0).padStart(6)} ns`);
}
