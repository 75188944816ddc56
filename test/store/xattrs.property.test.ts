/** Attributes against a model of Maps: any sequence of sets, removals, ACLs and frees, then every invariant. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FATTR_MODE, ROOT_INO, SUPERBLOCK_XATTR_SPACE } from '../../ringbuf/layout.gen.ts';
import { createCaller } from '../../src/store/caller.ts';
import { checkStore } from '../../src/store/check.ts';
import { remove } from '../../src/store/dentries.ts';
import { EEXIST, ENODATA, ENOSPC } from '../../src/store/errno.ts';
import { modeOf } from '../../src/store/inodes.ts';
import { createAttributeChange, setattr } from '../../src/store/operations/attributes.ts';
import { getxattr, listxattr, removexattr, setxattr } from '../../src/store/operations/xattr.ts';
import type { Store } from '../../src/store/store.ts';
import { getWide } from '../../src/store/wide.ts';
import { create, createFixture, lookup } from './fixture.ts';

const INODES = 40;
const root = createCaller(0, 0);
const ACL = 'system.posix_acl_access';

/** Names of one record, at the edge of it, and into the text; values likewise. */
const name = fc.constantFrom(
  'user.a',
  'user.b',
  'trusted.t',
  'security.s',
  `user.${'x'.repeat(102)}`,
  `user.${'x'.repeat(103)}`,
  `user.${'x'.repeat(104)}`,
  `user.${'y'.repeat(250)}`,
);
const size = fc.oneof(
  fc.nat(130),
  fc.nat(700),
  fc.constantFrom(101, 102, 103, 353, 355, 9000, 65536),
);
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('set'), file: fc.nat(2), name, size, flags: fc.nat(3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('remove'),
      file: fc.nat(2),
      name,
      size,
      flags: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom('acl', 'chmod', 'bare'),
      file: fc.nat(2),
      name,
      size: fc.nat(40),
      flags: fc.nat(511),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('free'),
      file: fc.nat(2),
      name,
      size,
      flags: fc.nat(3),
    }),
  },
);

interface File {
  readonly path: string;
  readonly ino: number;
  readonly values: Map<string, Buffer>;
}

/** A valid ACL of `named` users whose bits follow from `bits`. */
function aclOf(named: number, bits: number): Buffer {
  const entries: [number, number, number][] = [[1, (bits >> 6) & 7, -1]];
  for (let i = 0; i < named; i++) entries.push([2, i & 7, 1000 + i]);
  entries.push([4, 5, -1], [16, (bits >> 3) & 7, -1], [32, bits & 7, -1]);
  const acl = Buffer.alloc(4 + 8 * entries.length);
  acl.writeUInt32LE(2);
  for (const [i, [tag, permissions, id]] of entries.entries()) {
    acl.writeUInt16LE(tag, 4 + 8 * i);
    acl.writeUInt16LE(permissions, 6 + 8 * i);
    acl.writeInt32LE(id, 8 + 8 * i);
  }
  return acl;
}

const out = new Uint8Array(65536);
const bytes = (text: string): Uint8Array => Buffer.from(text);

function set(store: Store, file: File, called: string, value: Uint8Array, flags: number): number {
  const raw = bytes(called);
  return setxattr(store, root, file.ino, raw, raw.length, value, 0, value.length, flags);
}

function get(store: Store, file: File, called: string): Buffer | number {
  const raw = bytes(called);
  const length = getxattr(store, root, file.ino, raw, raw.length, out, out.length);
  return length < 0 ? length : Buffer.from(out.subarray(0, length));
}

function compare(store: Store, file: File): void {
  const length = listxattr(store, root, file.ino, out, out.length);
  const listed = Buffer.from(out.subarray(0, length)).toString().split('\0').slice(0, -1);
  const plain = [...file.values.keys()]
    .filter((key) => key !== ACL)
    .sort()
    .reverse();
  expect(listed).toEqual(file.values.has(ACL) ? [ACL, ...plain] : plain);
  for (const [called, value] of file.values) expect(get(store, file, called)).toEqual(value);
}

test('any sequence of sets, removals, ACLs and frees', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const fixture = createFixture({ bytes: 1 << 20, inodes: INODES });
      const { store } = fixture;
      let serial = 0;
      const make = (): File => {
        const path = `f${serial++}`;
        return { path, ino: create(store, ROOT_INO, path), values: new Map() };
      };
      try {
        const files = [make(), make(), make()];
        for (const { op, file: index, name: called, size: length, flags } of commands) {
          const file = files[index]!;
          const before = getWide(store.i32, store.superblockWord + SUPERBLOCK_XATTR_SPACE);
          if (op === 'set') {
            const value = Buffer.alloc(length, length);
            const status = set(store, file, called, value, flags);
            const there = file.values.has(called);
            const space = 40 + called.length + length;
            if (before + space > (INODES - 4) * 1024) expect(status).toBe(-ENOSPC);
            else if ((flags & 1) !== 0 && there) expect(status).toBe(-EEXIST);
            else if ((flags & 2) !== 0 && !there) expect(status).toBe(-ENODATA);
            else {
              expect(status).toBe(0);
              file.values.set(called, value);
            }
          } else if (op === 'remove') {
            const raw = bytes(called);
            const status = removexattr(store, root, file.ino, raw, raw.length);
            expect(status).toBe(file.values.delete(called) ? 0 : -ENODATA);
          } else if (op === 'acl') {
            expect(set(store, file, ACL, aclOf(length, flags), 0)).toBe(0);
            file.values.set(ACL, aclOf(length, flags));
            expect(modeOf(store, file.ino) & 0o777).toBe(flags & 0o777);
          } else if (op === 'chmod') {
            const change = createAttributeChange();
            change.valid = FATTR_MODE;
            change.mode = flags;
            expect(setattr(store, root, file.ino, change)).toBe(0);
            const acl = file.values.get(ACL);
            if (acl !== undefined) file.values.set(ACL, aclOf((acl.length - 4) / 8 - 4, flags));
          } else if (op === 'bare') {
            expect(set(store, file, ACL, Buffer.alloc(0), 0)).toBe(0);
            file.values.delete(ACL);
          } else {
            remove(store, lookup(store, ROOT_INO, file.path));
            files[index] = make();
          }
          compare(store, files[index]!);
        }
        expect(checkStore(store)).toEqual([]);
      } finally {
        fixture.close();
      }
    }),
    { numRuns: 200 },
  );
});
