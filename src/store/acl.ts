/**
 * POSIX ACLs: the rules of fs/posix_acl.c. An ACL in work is a list of entries, two words each: tag and
 * permissions (low and high half), then the id. In the store it is an Xattr record that holds the same.
 */
import {
  INODE_ACL,
  INODE_DEFAULT_ACL,
  INODE_FLAGS,
  INODE_GID,
  INODE_MODE,
  INODE_UID,
  INODE_XATTR,
  XATTR_KIND_ACCESS_ACL,
  XATTR_KIND_DEFAULT_ACL,
  XATTR_SIZE_MAX,
} from '../../ringbuf/layout.gen.ts';
import { type Caller, inGroup } from './caller.ts';
import { EINVAL, ENOSPC, EOPNOTSUPP } from './errno.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { findAcl, linkAcl, makeAcl, setAclByte, xattrValue } from './xattrs.ts';

const USER_OBJ = 0x01;
const USER = 0x02;
const GROUP_OBJ = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;

/** struct posix_acl_xattr_header: the version. */
export const ACL_HEADER_SIZE = 4;
export const ACL_ENTRY_SIZE = 8;
const ACL_VERSION = 2;
/** What kernels put where a tag has no id. */
const NO_ID = -1;

/** Entries in work: one ACL at a time. */
const entries = new Int32Array(XATTR_SIZE_MAX / 4);
const bytes = new Uint8Array(entries.buffer);

const tagOf = (at: number): number => entries[2 * at] & 0xffff;
const permissionsOf = (at: number): number => entries[2 * at] >>> 16;
function setPermissions(at: number, permissions: number): void {
  entries[2 * at] = tagOf(at) | (permissions << 16);
}

/** Reads system.posix_acl_* into the list in work → entries, or -EINVAL, -EOPNOTSUPP. Each byte is read once. */
export function parseAcl(value: Uint8Array, offset: number, length: number): number {
  if (length < ACL_HEADER_SIZE) return -EINVAL;
  for (let i = 0; i < length; i++) bytes[i] = value[offset + i];
  if (entries[0] !== ACL_VERSION) return -EOPNOTSUPP;
  if ((length - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE !== 0) return -EINVAL;
  bytes.copyWithin(0, ACL_HEADER_SIZE, length);
  const count = (length - ACL_HEADER_SIZE) / ACL_ENTRY_SIZE;
  for (let at = 0; at < count; at++) {
    switch (tagOf(at)) {
      case USER_OBJ:
      case GROUP_OBJ:
      case MASK:
      case OTHER:
        entries[2 * at + 1] = NO_ID;
        break;
      case USER:
      case GROUP:
        if (entries[2 * at + 1] === NO_ID) return -EINVAL;
        break;
      default:
        return -EINVAL;
    }
  }
  return count;
}

/** posix_acl_valid: the order of the tags, each in its number, a mask where there are names → 0 or -EINVAL. */
export function checkAcl(count: number): number {
  let state = USER_OBJ;
  let needsMask = false;
  for (let at = 0; at < count; at++) {
    if ((permissionsOf(at) & ~7) !== 0) return -EINVAL;
    const tag = tagOf(at);
    if (tag === USER_OBJ && state === USER_OBJ) state = USER;
    else if (tag === USER && state === USER) needsMask = true;
    else if (tag === GROUP_OBJ && state === USER) state = GROUP;
    else if (tag === GROUP && state === GROUP) needsMask = true;
    else if (tag === MASK && state === GROUP) state = OTHER;
    else if (tag === OTHER && (state === OTHER || (state === GROUP && !needsMask))) state = 0;
    else return -EINVAL;
  }
  return state === 0 ? 0 : -EINVAL;
}

/** Does the list say more than mode bits can (posix_acl_equiv_mode)? */
function isExtended(count: number): boolean {
  for (let at = 0; at < count; at++) if ((tagOf(at) & (USER | GROUP | MASK)) !== 0) return true;
  return false;
}

/** `mode` with the permission bits that the list stands for. */
export function modeOfAcl(count: number, mode: number): number {
  let bits = 0;
  for (let at = 0; at < count; at++) {
    const permissions = permissionsOf(at);
    switch (tagOf(at)) {
      case USER_OBJ:
        bits |= permissions << 6;
        break;
      case GROUP_OBJ:
        bits |= permissions << 3;
        break;
      case MASK:
        bits = (bits & ~0o070) | (permissions << 3);
        break;
      case OTHER:
        bits |= permissions;
        break;
    }
  }
  return (mode & ~0o777) | bits;
}

/** Loads the ACL of this kind into work → entries, 0 for none. */
function loadAcl(store: Store, ino: number, kind: number): number {
  const record = findAcl(store, ino, kind);
  return record === 0 ? 0 : xattrValue(store, record, bytes, 0) / ACL_ENTRY_SIZE;
}

/** system.posix_acl_* of the inode to out[at…) (ACL_HEADER_SIZE more than the record) → bytes, 0 for none. */
export function aclValue(
  store: Store,
  ino: number,
  kind: number,
  out: Uint8Array,
  at: number,
): number {
  const record = findAcl(store, ino, kind);
  if (record === 0) return 0;
  out[at] = ACL_VERSION;
  out.fill(0, at + 1, at + ACL_HEADER_SIZE);
  return ACL_HEADER_SIZE + xattrValue(store, record, out, at + ACL_HEADER_SIZE);
}

/**
 * Gives the inode the list in work (count 0: none) and, for an access ACL, the mode bits that go with it;
 * one that says no more than those is not kept. `keep`: bits of the mode that stay → 0 or -ENOSPC.
 */
export function storeAcl(
  store: Store,
  ino: number,
  kind: number,
  count: number,
  keep: number,
): number {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const access = kind === XATTR_KIND_ACCESS_ACL;
  const kept = access && !isExtended(count) ? 0 : count;
  const record = kept === 0 ? 0 : makeAcl(store, kind, bytes, kept * ACL_ENTRY_SIZE);
  if (kept !== 0 && record === 0) return -ENOSPC;
  const flag = access ? INODE_ACL : INODE_DEFAULT_ACL;
  beginWrite(store, word);
  if (access) {
    const mode = i32[word + INODE_MODE];
    i32[word + INODE_MODE] = (count === 0 ? mode : modeOfAcl(count, mode)) & keep;
  }
  linkAcl(store, word, kind, record);
  if (record === 0) i32[word + INODE_FLAGS] &= ~flag;
  else i32[word + INODE_FLAGS] |= flag;
  endWrite(store, word);
  return 0;
}

/** posix_acl_chmod: the access ACL follows the mode that chmod has set. Only for inodes with INODE_ACL. */
export function chmodAcl(store: Store, ino: number): void {
  const mode = store.i32[inodeWord(store, ino) + INODE_MODE];
  const record = findAcl(store, ino, XATTR_KIND_ACCESS_ACL);
  const count = xattrValue(store, record, bytes, 0) / ACL_ENTRY_SIZE;
  let group = 0;
  for (let at = 0; at < count; at++) {
    const tag = tagOf(at);
    if (tag === USER_OBJ) setAclByte(store, record, at * ACL_ENTRY_SIZE + 2, (mode >> 6) & 7);
    else if (tag === OTHER) setAclByte(store, record, at * ACL_ENTRY_SIZE + 2, mode & 7);
    // The mask where there is one, else the owning group.
    else if (tag === MASK || (tag === GROUP_OBJ && group === 0)) group = at;
  }
  setAclByte(store, record, group * ACL_ENTRY_SIZE + 2, (mode >> 3) & 7);
}

/**
 * posix_acl_create: a fresh inode, made with `mode` (no umask), inherits the default ACL of its directory,
 * which has one. The caller frees the inode when this fails → 0 or -ENOSPC.
 */
export function inheritAcl(
  store: Store,
  directory: number,
  ino: number,
  isDirectory: boolean,
): number {
  const count = loadAcl(store, directory, XATTR_KIND_DEFAULT_ACL);
  if (isDirectory) {
    const status = storeAcl(store, ino, XATTR_KIND_DEFAULT_ACL, count, -1);
    if (status !== 0) return status;
  }
  const mode = store.i32[inodeWord(store, ino) + INODE_MODE];
  let group = 0;
  for (let at = 0; at < count; at++) {
    const tag = tagOf(at);
    if (tag === USER_OBJ) setPermissions(at, permissionsOf(at) & (mode >> 6));
    else if (tag === OTHER) setPermissions(at, permissionsOf(at) & mode);
    else if (tag === MASK || (tag === GROUP_OBJ && group === 0)) group = at;
  }
  setPermissions(group, permissionsOf(group) & (mode >> 3));
  return storeAcl(store, ino, XATTR_KIND_ACCESS_ACL, count, -1);
}

/** posix_acl_permission for one who does not own the inode at `word` (with INODE_ACL). `mask`: MAY_*. */
export function aclPermits(store: Store, caller: Caller, word: number, mask: number): boolean {
  const { i32 } = store;
  const count = xattrValue(store, i32[word + INODE_XATTR], bytes, 0) / ACL_ENTRY_SIZE;
  let found = false;
  for (let at = 0; at < count; at++) {
    const permissions = permissionsOf(at);
    const id = entries[2 * at + 1] >>> 0;
    switch (tagOf(at)) {
      case USER_OBJ:
        if (i32[word + INODE_UID] >>> 0 === caller.uid) return (permissions & mask) === mask;
        break;
      case USER:
        if (id === caller.uid) return (permissions & maskBehind(at, count) & mask) === mask;
        break;
      case GROUP_OBJ:
      case GROUP:
        if (inGroup(caller, tagOf(at) === GROUP ? id : i32[word + INODE_GID] >>> 0)) {
          found = true;
          if ((permissions & mask) === mask)
            return (permissions & maskBehind(at, count) & mask) === mask;
        }
        break;
      case OTHER:
        return !found && (permissions & mask) === mask;
    }
  }
  return false;
}

/** Permissions of the mask entry, all when there is none. */
function maskBehind(from: number, count: number): number {
  for (let at = from + 1; at < count; at++) if (tagOf(at) === MASK) return permissionsOf(at);
  return 7;
}
