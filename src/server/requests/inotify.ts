/** inotify_add_watch (ADR 17). */
import { SLOT_FLAGS, SLOT_MODE } from '../../../ringbuf/layout.gen.ts';
import { ENOTDIR } from '../../store/errno.ts';
import { isDirectory } from '../../store/inodes.ts';
import { may } from '../../store/permission.ts';
import { MAY_READ } from '../../store/posix.ts';
import { replyBytes } from '../reply.ts';
import { type Server, takeCaller } from '../request.ts';
import { watch } from '../shadows.ts';
import { find, finishWalk } from './paths.ts';

/** sys/inotify.h */
const IN_ONLYDIR = 0x01000000;
const IN_DONT_FOLLOW = 0x02000000;

export function onWatch(server: Server, slot: number, word: number): number {
  const { store, walk, i32 } = server;
  const mask = i32[word + SLOT_MODE];
  const flags = i32[word + SLOT_FLAGS];
  const caller = takeCaller(server, word);
  const found = find(server, slot, word, flags, (mask & IN_DONT_FOLLOW) === 0);
  if (found !== 0) return finishWalk(server, slot, word, found);
  if ((mask & IN_ONLYDIR) !== 0 && !isDirectory(store, walk.ino)) return -ENOTDIR;
  const allowed = may(store, caller, walk.ino, MAY_READ);
  if (allowed !== 0) return allowed;
  const shadow = watch(server.notifier, walk.ino);
  if (typeof shadow === 'number') return shadow;
  return replyBytes(server, slot, word, shadow, 0, shadow.length);
}
