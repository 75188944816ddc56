/** Requests that the control plane has a part in: IMAGE and EXIT. */
import {
  IMAGE_LOADED,
  PATH_MAX,
  SLOT_FLAGS,
  SLOT_PAYLOAD_LENGTH,
  SLOT_REPLY_FLAGS,
  SLOT_STATUS,
} from '../../../ringbuf/layout.gen.ts';
import { complete, isPending, nextTicket, slotWord } from '../../../ringbuf/ring.ts';
import { EINVAL, ENAMETOOLONG, ENOSYS } from '../../store/errno.ts';
import { exitProcess } from '../reclaim.ts';
import { replyBytes } from '../reply.ts';
import { type Server, takePayload, takeProcess } from '../request.ts';

/** No status yet: the slot stays with the server. */
export const ANSWER_LATER = 1 << 30;

/** Preparing an image takes tens of milliseconds and reads host files: not in the data plane. */
export function onImage(server: Server, slot: number, word: number): number {
  const { u8, scratch } = server;
  if (server.requestImage === undefined) return -ENOSYS;
  const length = server.i32[word + SLOT_PAYLOAD_LENGTH] >>> 0;
  if (length === 0) return -EINVAL;
  if (length >= PATH_MAX) return -ENAMETOOLONG;
  const payload = takePayload(server, slot, word, length);
  if (payload < 0) return payload;
  for (let i = 0; i < length; i++) {
    const c = u8[payload + i];
    if (c === 0) return -EINVAL;
    scratch[i] = c;
  }
  const path = Buffer.from(scratch.subarray(0, length)).toString('latin1');
  const loaded = (server.i32[word + SLOT_FLAGS]! & IMAGE_LOADED) !== 0;
  server.requestImage(slot, nextTicket(server.ring, slot), path, loaded);
  return ANSWER_LATER;
}

/** The control plane has answered: `path` of the image, or the errno in `status`. */
export function answerImage(
  server: Server,
  slot: number,
  ticket: number,
  status: number,
  path: string,
): void {
  if (!isPending(server.ring, slot, ticket)) return;
  const word = slotWord(slot);
  server.i32[word + SLOT_REPLY_FLAGS] = 0;
  const bytes = Buffer.from(path, 'latin1');
  const written = status === 0 ? replyBytes(server, slot, word, bytes, 0, bytes.length) : status;
  server.i32[word + SLOT_STATUS] = written;
  complete(server.ring, slot, ticket);
}

/** The process ends, or becomes a program without the shim: what it held goes now. */
export function onExit(server: Server, word: number): number {
  const process = takeProcess(server, word);
  if (process !== 0) exitProcess(server, process);
  return 0;
}
