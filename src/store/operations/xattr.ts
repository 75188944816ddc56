/**
 * setxattr(2), getxattr(2), listxattr(2), removexattr(2): fs/xattr.c (xattr_permission), fs/posix_acl.c
 * (vfs_set_acl), security/commoncap.c, and the handlers of mm/shmem.c. Names come without NUL.
 */
import {
  XATTR_KIND,
  XATTR_KIND_ACCESS_ACL,
  XATTR_KIND_DEFAULT_ACL,
  XATTR_KIND_PLAIN,
  XATTR_LIST_MAX,
  XATTR_NAME_LENGTH,
  XATTR_NAME_MAX,
  XATTR_SIZE_MAX,
} from '../../../ringbuf/layout.gen.ts';
import { aclValue, checkAcl, parseAcl, storeAcl } from '../acl.ts';
import { CAP_SETFCAP, CAP_SYS_ADMIN, type Caller } from '../caller.ts';
import { now } from '../clock.ts';
import { E2BIG, EACCES, EINVAL, ENODATA, EOPNOTSUPP, EPERM, ERANGE } from '../errno.ts';
import { gidOf, isDirectory, isRegular, isSymlink, modeOf } from '../inodes.ts';
import { isGuarded, isOwner, may, ownsGroup } from '../permission.ts';
import { MAY_READ, MAY_WRITE, S_ISGID, S_ISVTX, XATTR_CREATE, XATTR_REPLACE } from '../posix.ts';
import type { Store } from '../store.ts';
import {
  findXattr,
  firstXattr,
  nextXattr,
  removeXattr,
  setXattr,
  valueLengthOf,
  xattrBytes,
  xattrValue,
  xattrWord,
} from '../xattrs.ts';
import { changed } from './times.ts';

const USER = 'user.';
const TRUSTED = 'trusted.';
const SECURITY = 'security.';
const SYSTEM = 'system.';
const CAPABILITY = 'security.capability';

/** What tmpfs lists of ACLs; the names as getxattr knows them. */
const ACLS: Readonly<Record<string, number>> = {
  'system.posix_acl_access': XATTR_KIND_ACCESS_ACL,
  'system.posix_acl_default': XATTR_KIND_DEFAULT_ACL,
};
const aclNames = Object.entries(ACLS).map(([name, kind]) => ({
  kind,
  bytes: new TextEncoder().encode(name),
}));

function text(name: Uint8Array, length: number): string {
  return Buffer.from(name.buffer, name.byteOffset, length).toString('latin1');
}

function aclKind(name: string): number {
  return Object.hasOwn(ACLS, name) ? ACLS[name]! : 0;
}

/** xattr_permission: 0 or -errno. `mask`: MAY_READ or MAY_WRITE. */
function allowed(store: Store, caller: Caller, ino: number, name: string, mask: number): number {
  const writes = mask === MAY_WRITE;
  if (writes && isGuarded(store, ino)) return -EPERM;
  if (name.startsWith(SECURITY) || name.startsWith(SYSTEM)) return 0;
  if (name.startsWith(TRUSTED)) {
    if ((caller.capabilities & CAP_SYS_ADMIN) !== 0) return 0;
    return writes ? -EPERM : -ENODATA;
  }
  if (name.startsWith(USER)) {
    const directory = isDirectory(store, ino);
    if (!directory && !isRegular(store, ino)) return writes ? -EPERM : -ENODATA;
    const sticky = directory && (modeOf(store, ino) & S_ISVTX) !== 0;
    if (writes && sticky && !isOwner(store, caller, ino)) return -EPERM;
  }
  return may(store, caller, ino, mask);
}

/** Whose attribute it is (xattr_resolve_name): user., trusted. and security. with something behind it. */
function resolved(name: string): number {
  for (const prefix of [SECURITY, TRUSTED, USER]) {
    if (name.startsWith(prefix)) return name.length > prefix.length ? 0 : -EINVAL;
  }
  return -EOPNOTSUPP;
}

/** cap_inode_setxattr and cap_inode_removexattr: security.* is CAP_SYS_ADMIN's to change, one name CAP_SETFCAP's. */
function securityAllowed(caller: Caller, name: string): number {
  if (!name.startsWith(SECURITY)) return 0;
  const needed = name === CAPABILITY ? CAP_SETFCAP : CAP_SYS_ADMIN;
  return (caller.capabilities & needed) === 0 ? -EPERM : 0;
}

/** setxattr(2) → 0 or -errno. `flags`: XATTR_CREATE, XATTR_REPLACE. */
export function setxattr(
  store: Store,
  caller: Caller,
  ino: number,
  name: Uint8Array,
  nameLength: number,
  value: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  if (nameLength === 0 || nameLength > XATTR_NAME_MAX) return -ERANGE;
  if (length > XATTR_SIZE_MAX) return -E2BIG;
  const called = text(name, nameLength);
  const kind = aclKind(called);
  if (kind !== 0) return setAcl(store, caller, ino, kind, value, offset, length);
  if (called === CAPABILITY && length !== 0) {
    const status = checkCapability(caller, value, offset, length);
    if (status !== 0) return status;
  }
  const status =
    allowed(store, caller, ino, called, MAY_WRITE) ||
    (called === CAPABILITY ? 0 : securityAllowed(caller, called)) ||
    resolved(called);
  if (status !== 0) return status;
  const capability = called === CAPABILITY && length !== 0;
  const from = capability ? privateCapability : value;
  const at = capability ? 0 : offset;
  const set = setXattr(store, ino, name, nameLength, from, at, length, flags);
  if (set !== 0) return set;
  now(store);
  changed(store, ino);
  return 0;
}

/** getxattr(2) → length of the value; out[0…) holds it unless `size` (the caller's room) is 0. */
export function getxattr(
  store: Store,
  caller: Caller,
  ino: number,
  name: Uint8Array,
  nameLength: number,
  out: Uint8Array,
  size: number,
): number {
  if (nameLength === 0 || nameLength > XATTR_NAME_MAX) return -ERANGE;
  const called = text(name, nameLength);
  const kind = aclKind(called);
  if (kind !== 0) {
    if (isSymlink(store, ino)) return -EOPNOTSUPP;
    const length = aclValue(store, ino, kind, out, 0);
    if (length === 0) return -ENODATA;
    return size !== 0 && length > size ? -ERANGE : length;
  }
  const status = allowed(store, caller, ino, called, MAY_READ);
  if (status !== 0) return status;
  const known = resolved(called);
  if (known !== 0) return known;
  const record = findXattr(store, ino, name, nameLength);
  if (record === 0) return -ENODATA;
  if (called === CAPABILITY) return getCapability(store, record, out, size);
  const length = valueLengthOf(store, record);
  if (size === 0) return length;
  if (length > size) return -ERANGE;
  return xattrValue(store, record, out, 0);
}

/** listxattr(2) → bytes of the list; out[0…) holds it unless `size` is 0. */
export function listxattr(
  store: Store,
  caller: Caller,
  ino: number,
  out: Uint8Array,
  size: number,
): number {
  const admin = (caller.capabilities & CAP_SYS_ADMIN) !== 0;
  let total = 0;
  for (let record = firstXattr(store, ino); record !== 0; record = nextXattr(store, record)) {
    const word = xattrWord(store, record);
    const kind = store.i32[word + XATTR_KIND];
    const acl = kind === XATTR_KIND_PLAIN ? undefined : aclNames[kind - 1]!.bytes;
    if (acl === undefined && !admin && isTrusted(store, record)) continue;
    const length = acl?.length ?? store.i32[word + XATTR_NAME_LENGTH];
    if (size !== 0) {
      if (total + length + 1 > size) return size >= XATTR_LIST_MAX ? -E2BIG : -ERANGE;
      if (acl !== undefined) out.set(acl, total);
      else xattrBytes(store, record, 0, length, out, total);
      out[total + length] = 0;
    }
    total += length + 1;
  }
  return total;
}

const prefix = new Uint8Array(TRUSTED.length);

function isTrusted(store: Store, record: number): boolean {
  if (store.i32[xattrWord(store, record) + XATTR_NAME_LENGTH] < prefix.length) return false;
  xattrBytes(store, record, 0, prefix.length, prefix, 0);
  return text(prefix, prefix.length) === TRUSTED;
}

/** removexattr(2) → 0 or -errno. */
export function removexattr(
  store: Store,
  caller: Caller,
  ino: number,
  name: Uint8Array,
  nameLength: number,
): number {
  if (nameLength === 0 || nameLength > XATTR_NAME_MAX) return -ERANGE;
  const called = text(name, nameLength);
  const kind = aclKind(called);
  if (kind !== 0) return setAcl(store, caller, ino, kind, name, 0, 0);
  const status =
    allowed(store, caller, ino, called, MAY_WRITE) ||
    securityAllowed(caller, called) ||
    resolved(called) ||
    removeXattr(store, ino, name, nameLength);
  if (status !== 0) return status;
  now(store);
  changed(store, ino);
  return 0;
}

/** do_set_acl, set_posix_acl and simple_set_acl. length 0 removes the ACL. */
function setAcl(
  store: Store,
  caller: Caller,
  ino: number,
  kind: number,
  value: Uint8Array,
  offset: number,
  length: number,
): number {
  const count = length === 0 ? 0 : parseAcl(value, offset, length);
  if (count < 0) return count;
  if (isGuarded(store, ino)) return -EPERM;
  if (isSymlink(store, ino)) return -EOPNOTSUPP;
  if (kind === XATTR_KIND_DEFAULT_ACL && !isDirectory(store, ino)) return count > 0 ? -EACCES : 0;
  if (!isOwner(store, caller, ino)) return -EPERM;
  const valid = count === 0 ? 0 : checkAcl(count);
  if (valid !== 0) return valid;
  const keep = ownsGroup(caller, gidOf(store, ino)) ? -1 : ~S_ISGID;
  const status = storeAcl(store, ino, kind, count, keep);
  if (status !== 0) return status;
  now(store);
  changed(store, ino);
  return 0;
}

// ---- security.capability: struct vfs_cap_data and vfs_ns_cap_data --------------------------------

const REVISION_MASK = 0xff000000;
const REVISION_2 = 0x02000000;
const REVISION_3 = 0x03000000;
const EFFECTIVE = 1;
const SIZE_2 = 20;
const SIZE_3 = 24;

/** The value as it was checked. */
const privateCapability = new Uint8Array(SIZE_3);
const capabilityWords = new Int32Array(privateCapability.buffer);

/** Is this version 2 or 3 of the length that goes with it? */
function isCapability(length: number): boolean {
  const revision = capabilityWords[0] & REVISION_MASK;
  if (length === SIZE_2) return revision === REVISION_2;
  return length === SIZE_3 && revision === REVISION_3;
}

/** cap_convert_nscap: takes the value into private memory → 0, -EINVAL or -EPERM. */
function checkCapability(
  caller: Caller,
  value: Uint8Array,
  offset: number,
  length: number,
): number {
  if (length !== SIZE_2 && length !== SIZE_3) return -EINVAL;
  for (let i = 0; i < length; i++) privateCapability[i] = value[offset + i];
  if (!isCapability(length)) return -EINVAL;
  if ((caller.capabilities & CAP_SETFCAP) === 0) return -EPERM;
  return length === SIZE_3 && capabilityWords[5] === -1 ? -EINVAL : 0;
}

/** cap_inode_getsecurity: version 3 of the root that we are reads as version 2. */
function getCapability(store: Store, record: number, out: Uint8Array, size: number): number {
  let length = valueLengthOf(store, record);
  if (length !== SIZE_2 && length !== SIZE_3) return -EINVAL;
  xattrValue(store, record, privateCapability, 0);
  if (!isCapability(length)) return -EINVAL;
  if (length === SIZE_3 && capabilityWords[5] === 0) {
    length = SIZE_2;
    capabilityWords[0] = REVISION_2 | (capabilityWords[0] & EFFECTIVE);
  }
  if (size === 0) return length;
  if (length > size) return -ERANGE;
  out.set(privateCapability.subarray(0, length));
  return length;
}
