/** Extended attributes and ACLs on their way between a tree, the host and pax records. */
import { readFileSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { XATTR_LIST_MAX } from '../../../ringbuf/layout.gen.ts';
import { native } from '../../../ringbuf/native.ts';
import type { Connection, Stat } from '../../client/connect.ts';
import { complain } from '../failure.ts';
import { escapeName } from '../names.ts';
import { keepsOwners } from './modes.ts';

export interface Xattr {
  /** One character per byte. */
  readonly name: string;
  readonly value: Buffer;
}

const ACL_ACCESS = 'system.posix_acl_access';
const ACL_DEFAULT = 'system.posix_acl_default';
/** What the security modules of a host say of its files means nothing elsewhere. */
const OF_THE_HOST = /^security\.(selinux|apparmor|ima|evm|SMACK64.*)$/;

export function isAcl(name: string): boolean {
  return name === ACL_ACCESS || name === ACL_DEFAULT;
}

/** Only root may set more than user.* and the ACLs of its own files; others leave it out, as cp does. */
function isCopied(name: string): boolean {
  if (name.startsWith('user.') || isAcl(name)) return true;
  return keepsOwners && /^(trusted|security)\./.test(name) && !OF_THE_HOST.test(name);
}

export function treeXattrs(connection: Connection, path: Buffer, stat: Stat): Xattr[] {
  if (!stat.hasXattrs) return [];
  return connection.listxattr(path).map((name) => ({
    name: name.toString('latin1'),
    value: connection.getxattr(path, name),
  }));
}

/** Of a file or link of the host; none where its file system has none. */
export function hostXattrs(path: Buffer): Xattr[] {
  const list = native().listXattrs(path);
  if (typeof list === 'number' || list.length === 0) return [];
  const names = Buffer.from(list).toString('latin1').split('\0').slice(0, -1);
  const found: Xattr[] = [];
  for (const name of names.filter(isCopied)) {
    const value = native().getXattr(path, Buffer.from(name, 'latin1'));
    if (typeof value !== 'number') found.push({ name, value: Buffer.from(value) });
  }
  return found;
}

/** After chmod, which would change an ACL. What the host's file system refuses is said, and left out. */
export function setHostXattrs(path: Buffer, xattrs: readonly Xattr[]): void {
  for (const { name, value } of xattrs.filter((xattr) => isCopied(xattr.name))) {
    const result = native().setXattr(path, Buffer.from(name, 'latin1'), value);
    if (result >= 0) continue;
    const reason = getSystemErrorMessage(result);
    complain(`"${escapeName(path)}" cannot be given its attribute ${name}: ${reason}`);
  }
}

/** `acls`: only these, after chmod; otherwise only the others, before it. */
export function setTreeXattrs(
  connection: Connection,
  path: Buffer,
  xattrs: readonly Xattr[],
  acls: boolean,
): void {
  for (const { name, value } of xattrs) {
    if (isAcl(name) === acls && isCopied(name))
      connection.setxattr(path, Buffer.from(name, 'latin1'), value);
  }
}

// ---- pax ----------------------------------------------------------------------------------------

const XATTR = 'SCHILY.xattr.';
const ACLS: Readonly<Record<string, string>> = {
  [ACL_ACCESS]: 'SCHILY.acl.access',
  [ACL_DEFAULT]: 'SCHILY.acl.default',
};

/** The body of a pax header: records of "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
export function paxBody(records: readonly (readonly [string, Buffer])[]): Buffer {
  return Buffer.concat(records.map(([key, value]) => paxRecord(Buffer.from(key, 'latin1'), value)));
}

function paxRecord(key: Buffer, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.concat([
    Buffer.from(`${length} `),
    key,
    Buffer.from('='),
    value,
    Buffer.from('\n'),
  ]);
}

export function xattrRecords(xattrs: readonly Xattr[]): [string, Buffer][] {
  return xattrs.map(({ name, value }) => {
    const acl = ACLS[name];
    if (acl !== undefined) return [acl, Buffer.from(aclText(value))];
    // As GNU tar writes them: "=" would end the key.
    return [XATTR + name.replaceAll('%', '%25').replaceAll('=', '%3D'), value];
  });
}

/** The attributes among raw pax records (a Map that keeps bytes). */
export function xattrsOf(records: ReadonlyMap<string, Buffer> | undefined): Xattr[] {
  const found: Xattr[] = [];
  for (const [key, value] of records ?? []) {
    if (key.startsWith(XATTR)) {
      const name = key.slice(XATTR.length).replaceAll('%3D', '=').replaceAll('%25', '%');
      found.push({ name, value });
      continue;
    }
    const name = Object.keys(ACLS).find((known) => ACLS[known] === key);
    const acl = name === undefined ? undefined : aclOfText(value.toString());
    if (name !== undefined && acl !== undefined) found.push({ name, value: acl });
  }
  return found;
}

/** The records of a pax header that carry attributes, as bytes: tar-stream reads them as UTF-8. */
export function rawRecords(body: Uint8Array): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  let bytes = Buffer.from(body);
  while (bytes.length > 0) {
    const space = bytes.indexOf(0x20);
    const length = Number.parseInt(bytes.toString('latin1', 0, space), 10);
    if (space < 0 || !(length > space + 1) || length > bytes.length) break;
    const record = bytes.subarray(space + 1, length - 1);
    const equals = record.indexOf(0x3d);
    const key = record.toString('latin1', 0, equals);
    if (equals > 0 && key.startsWith('SCHILY.')) records.set(key, record.subarray(equals + 1));
    bytes = bytes.subarray(length);
  }
  return records;
}

const TAGS: Readonly<Record<number, string>> = {
  1: 'user',
  2: 'user',
  4: 'group',
  8: 'group',
  16: 'mask',
  32: 'other',
};

/** system.posix_acl_* → "user::rw-,user:1000:r--,…", ids as numbers. */
function aclText(value: Buffer): string {
  const entries: string[] = [];
  for (let at = 4; at + 8 <= value.length; at += 8) {
    const tag = value.readUInt16LE(at);
    const bits = value.readUInt16LE(at + 2);
    const id = tag === 2 || tag === 8 ? String(value.readUInt32LE(at + 4)) : '';
    const rights = [4, 2, 1].map((bit, i) => ((bits & bit) !== 0 ? 'rwx'[i] : '-')).join('');
    entries.push(`${TAGS[tag]}:${id}:${rights}`);
  }
  return entries.join(',');
}

/** The other way, with names, comments and star's ids behind the rights → undefined when it makes no sense. */
function aclOfText(text: string): Buffer | undefined {
  const entries: [number, number, number][] = [];
  for (const line of text.split(/[\n,]/)) {
    const entry = line.replace(/#.*/, '').trim();
    if (entry === '') continue;
    const [kind = '', who = '', rights = '', number] = entry.split(':').map((part) => part.trim());
    const group = kind.startsWith('g');
    const tags: Record<string, number> = { u: 1, g: 4, m: 16, o: 32 };
    const tag = tags[kind[0] ?? ''];
    if (tag === undefined || !/^[rwx-]*$/.test(rights)) return undefined;
    const named = who !== '' && (tag === 1 || tag === 4);
    const id = named ? idOf(who, number, group) : -1;
    if (id === undefined) return undefined;
    const bits = [...rights].reduce((sum, c) => sum | ({ r: 4, w: 2, x: 1 }[c] ?? 0), 0);
    entries.push([named ? tag * 2 : tag, bits, id]);
  }
  if (entries.length === 0 || 4 + 8 * entries.length > XATTR_LIST_MAX) return undefined;
  // The order that the kernel wants: by tag, then by id.
  entries.sort((a, b) => a[0] - b[0] || a[2] - b[2]);
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(2);
  for (const [i, [tag, bits, id]] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * i);
    value.writeUInt16LE(bits, 6 + 8 * i);
    value.writeUInt32LE(id >>> 0, 8 + 8 * i);
  }
  return value;
}

function idOf(who: string, number: string | undefined, group: boolean): number | undefined {
  for (const text of [who, number ?? '']) if (/^\d+$/.test(text)) return Number(text);
  const database = readFileSync(group ? '/etc/group' : '/etc/passwd', 'utf8');
  const found = database.split('\n').find((line) => line.startsWith(`${who}:`));
  return found === undefined ? undefined : Number(found.split(':')[2]);
}
