/** Writes an answer into its slot. The ring hands it over (ring.ts: answer). */
import {
  DIRECT_EXTENT_DATA_OFFSET,
  DIRECT_EXTENT_LENGTH,
  DIRECT_EXTENT_RECORD_SIZE,
  DIRECT_EXTENT_RECORD_WORDS,
  INLINE_SIZE,
  QUERIED_MAX,
  REPLY_CROSSED_SECOND,
  REPLY_SLAB,
  RING_QUERIED_OFFSET,
  RING_SLOTS_OFFSET,
  SLAB_SIZE,
  SLOT_ATTR_BYTES,
  SLOT_PAYLOAD_BYTES,
  SLOT_RECORD_SIZE,
  SLOT_REPLY_FLAGS,
  SLOT_REPLY_LENGTH,
  SLOT_REPLY_SYMLINKS,
  SLOT_RESULT,
} from '../../ringbuf/layout.gen.ts';
import { backSlab, slabOffset } from '../../ringbuf/ring.ts';
import { EIO, ENOMEM } from '../store/errno.ts';
import { copyAttributes } from '../store/inodes.ts';
import type { Walk } from '../store/walk.ts';
import { setWide } from '../store/wide.ts';
import { syncTimes } from './nodes.ts';
import type { Server } from './request.ts';

/** Byte offset of room for `bytes` of payload, REPLY_SLAB set when it is the slab; -ENOMEM, -EIO. */
export function replyRoom(server: Server, slot: number, word: number, bytes: number): number {
  if (bytes <= INLINE_SIZE) return RING_SLOTS_OFFSET + slot * SLOT_RECORD_SIZE + SLOT_PAYLOAD_BYTES;
  if (bytes > SLAB_SIZE) return -EIO;
  if (backSlab(server.ring, slot, bytes) !== 0) return -ENOMEM;
  server.i32[word + SLOT_REPLY_FLAGS] |= REPLY_SLAB;
  return slabOffset(slot);
}

export function replyAttributes(server: Server, word: number, ino: number): void {
  syncTimes(server.nodes, ino);
  copyAttributes(server.store, ino, server.i32, word + SLOT_ATTR_BYTES / 4);
  // Whoever overwrites the file next has to renew its time stamps (adr 0006).
  server.u8[RING_QUERIED_OFFSET + (ino % QUERIED_MAX)] = 1;
}

/** Bytes moved, a new offset, a length. */
export function replyResult(server: Server, word: number, result: number): void {
  setWide(server.i32, word + SLOT_RESULT, result);
}

/** Copies bytes[offset, offset + length) to the payload → 0 or -errno. */
export function replyBytes(
  server: Server,
  slot: number,
  word: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const room = replyRoom(server, slot, word, length);
  if (room < 0) return room;
  const { u8 } = server;
  for (let i = 0; i < length; i++) u8[room + i] = bytes[offset + i];
  server.i32[word + SLOT_REPLY_LENGTH] = length;
  return 0;
}

/** The walk left the tree: the client goes on with the payload. Status 0 or -errno. */
export function replyCrossing(
  server: Server,
  slot: number,
  word: number,
  walk: Walk,
  second: boolean,
): number {
  const { i32 } = server;
  i32[word + SLOT_REPLY_FLAGS] |= walk.crossed | (second ? REPLY_CROSSED_SECOND : 0);
  i32[word + SLOT_REPLY_SYMLINKS] = walk.symlinks;
  const length = walk.restEnd - walk.restStart;
  return replyBytes(server, slot, word, walk.text, walk.restStart, length);
}

/** `count` pairs of server.extents as DirectExtent records → the sum of their lengths. */
export function replyExtents(server: Server, slot: number, word: number, count: number): number {
  const { i32, extents } = server;
  const room = replyRoom(server, slot, word, count * DIRECT_EXTENT_RECORD_SIZE) / 4;
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const record = room + i * DIRECT_EXTENT_RECORD_WORDS;
    setWide(i32, record + DIRECT_EXTENT_DATA_OFFSET, extents[2 * i]);
    setWide(i32, record + DIRECT_EXTENT_LENGTH, extents[2 * i + 1]);
    bytes += extents[2 * i + 1];
  }
  i32[word + SLOT_REPLY_LENGTH] = count * DIRECT_EXTENT_RECORD_SIZE;
  return bytes;
}
