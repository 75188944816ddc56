/**
 * Who asks. One object per worker, refilled for every request: operations never keep it.
 * In a session the ids are what the client says (one trust domain, see PROTOCOL.md).
 */
export interface Caller {
  /** fsuid and fsgid; uid 0 stands for every capability, as in a user namespace of its own. */
  uid: number;
  gid: number;
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
