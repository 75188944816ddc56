import { FILE_CAPABILITIES } from '../../ringbuf/layout.gen.ts';

/** <linux/capability.h>, as bits. */
export const CAP_CHOWN = 1 << 0;
export const CAP_DAC_OVERRIDE = 1 << 1;
export const CAP_DAC_READ_SEARCH = 1 << 2;
export const CAP_FOWNER = 1 << 3;
export const CAP_FSETID = 1 << 4;
export const CAP_LINUX_IMMUTABLE = 1 << 9;
export const CAP_SYS_ADMIN = 1 << 21;
export const CAP_MKNOD = 1 << 27;
export const CAP_SETFCAP = 1 << 31;

/**
 * Who asks. One object per worker, refilled for every request: operations never keep it.
 * In a session the ids are what the client says (one trust domain, see PROTOCOL.md).
 */
export interface Caller {
  /** fsuid and fsgid. */
  uid: number;
  gid: number;
  /** CAP_*, as bits. */
  capabilities: number;
  umask: number;
  /** Supplementary groups: the first `groupCount` of `groups`. */
  readonly groups: Uint32Array;
  groupCount: number;
  /** Fetches the groups when they are first asked for; most requests never need them. */
  loadGroups: (() => void) | undefined;
  groupsLoaded: boolean;
  /** RLIMIT_FSIZE; Infinity for none. */
  fileSizeLimit: number;
  /** Index of the process record, 0 for none. */
  process: number;
}

export function createCaller(uid: number, gid: number, groups: readonly number[] = []): Caller {
  const room = new Uint32Array(Math.max(64, groups.length));
  room.set(groups);
  return {
    uid,
    gid,
    capabilities: uid === 0 ? FILE_CAPABILITIES : 0,
    umask: 0,
    groups: room,
    groupCount: groups.length,
    loadGroups: undefined,
    groupsLoaded: true,
    fileSizeLimit: Infinity,
    process: 0,
  };
}

/** in_group_p of the kernel: the file system group or a supplementary one. */
export function inGroup(caller: Caller, gid: number): boolean {
  if (caller.gid === gid) return true;
  if (!caller.groupsLoaded) {
    caller.groupsLoaded = true;
    caller.loadGroups?.();
  }
  for (let i = 0; i < caller.groupCount; i++) if (caller.groups[i] === gid) return true;
  return false;
}

export function hasCapability(caller: Caller, capability: number): boolean {
  return (caller.capabilities & capability) !== 0;
}
