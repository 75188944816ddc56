/** Directories against a model of nested Maps: any sequence of operations, then every invariant. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROOT_INO } from '../../ringbuf/layout.gen.ts';
import { checkStore } from '../../src/store/check.ts';
import {
  cookieOf,
  entries,
  entryAt,
  exchange,
  inoOf,
  move,
  nameInto,
  pathOf,
  remove,
  replace,
} from '../../src/store/dentries.ts';
import { ENOENT, ENOSPC } from '../../src/store/errno.ts';
import {
  dereference,
  getSize,
  isLive,
  nlinkOf,
  parentOf,
  reference,
} from '../../src/store/inodes.ts';
import { hashName } from '../../src/store/names.ts';
import { S_IFDIR, S_IFREG } from '../../src/store/posix.ts';
import type { Store } from '../../src/store/store.ts';
import { add, bytesOf, create, createFixture, lookup } from './fixture.ts';

interface Node {
  readonly ino: number;
  /** Names in order of creation or of the last rename to them; undefined for a file. */
  readonly children: Map<string, Node> | undefined;
  links: number;
  parent: Node | undefined;
}

const INODES = 24;

/** Short names, and names that need one and two records of text; few, so that they meet again. */
const names = ['a', 'b', 'c', 'dir', 'x'.repeat(80), 'y'.repeat(81), 'z'.repeat(255), 'é\xff\x01'];

const pick = fc.nat({ max: 1000 });
const name = fc.constantFrom(...names);
const command = fc.oneof(
  fc.record({ op: fc.constantFrom('create', 'mkdir'), dir: pick, name }),
  fc.record({ op: fc.constantFrom('unlink'), dir: pick, name }),
  fc.record({ op: fc.constantFrom('link'), dir: pick, name, other: pick }),
  fc.record({
    op: fc.constantFrom('rename', 'exchange'),
    dir: pick,
    name,
    other: pick,
    name2: name,
  }),
  fc.record({ op: fc.constantFrom('open', 'close'), dir: pick }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

class Model {
  readonly store: Store;
  readonly root: Node = {
    ino: ROOT_INO,
    children: new Map(),
    links: 1,
    parent: undefined,
  };
  readonly held: Node[] = [];
  readonly files: Node[] = [];

  constructor(store: Store) {
    this.store = store;
  }

  directories(from = this.root): Node[] {
    const found = [from];
    for (const child of from.children!.values()) {
      if (child.children) found.push(...this.directories(child));
    }
    return found;
  }

  /** Held nodes count as in use too, once each. */
  inodesInUse(): number {
    const seen = new Set<Node>(this.held);
    // A removed directory that is held keeps its parents.
    for (const node of this.held) {
      for (let up = node.parent; up !== undefined; up = up.parent) seen.add(up);
    }
    for (const directory of this.directories()) {
      seen.add(directory);
      for (const child of directory.children!.values()) seen.add(child);
    }
    return seen.size;
  }

  run(step: Command): void {
    const { store } = this;
    const directories = this.directories();
    const directory = directories[step.dir % directories.length];
    const children = directory.children!;
    switch (step.op) {
      case 'create':
      case 'mkdir': {
        if (children.has(step.name)) return;
        const full = this.inodesInUse() >= INODES;
        const mode = step.op === 'mkdir' ? S_IFDIR | 0o755 : S_IFREG | 0o644;
        const ino = create(store, directory.ino, step.name, mode);
        if (full) {
          expect(ino).toBe(-ENOSPC);
          return;
        }
        expect(ino).toBeGreaterThan(0);
        const node: Node = {
          ino,
          children: step.op === 'mkdir' ? new Map() : undefined,
          links: 1,
          parent: step.op === 'mkdir' ? directory : undefined,
        };
        children.set(step.name, node);
        return;
      }
      case 'link': {
        const file = this.anyFile(step.other!);
        if (!file || children.has(step.name)) return;
        expect(add(store, directory.ino, step.name, file.ino)).toBeGreaterThan(0);
        file.links++;
        children.set(step.name, file);
        return;
      }
      case 'unlink': {
        const node = children.get(step.name);
        if (!node || (node.children && node.children.size > 0)) return;
        remove(store, lookup(store, directory.ino, step.name));
        children.delete(step.name);
        this.lost(node);
        return;
      }
      case 'rename': {
        const target = directories[step.other! % directories.length];
        this.rename(directory, step.name, target, step.name2!);
        return;
      }
      case 'exchange': {
        const target = directories[step.other! % directories.length];
        this.exchange(directory, step.name, target, step.name2!);
        return;
      }
      case 'open': {
        const node = this.anyNode(step.dir);
        reference(store, node.ino);
        this.held.push(node);
        return;
      }
      case 'close': {
        const [node] = this.held.splice(step.dir % Math.max(this.held.length, 1), 1);
        if (!node) return;
        dereference(store, node.ino);
        return;
      }
    }
  }

  private anyNode(at: number): Node {
    const nodes = this.directories().flatMap((node) => [node, ...node.children!.values()]);
    return nodes[at % nodes.length];
  }

  private anyFile(at: number): Node | undefined {
    const files = this.directories()
      .flatMap((node) => [...node.children!.values()])
      .filter((node) => !node.children);
    return files[at % Math.max(files.length, 1)];
  }

  private lost(node: Node): void {
    node.links--;
  }

  private isBelow(node: Node, ancestor: Node): boolean {
    for (let up: Node | undefined = node; up; up = up.parent) if (up === ancestor) return true;
    return false;
  }

  private rename(from: Node, name: string, to: Node, name2: string): void {
    const { store } = this;
    const node = from.children!.get(name);
    if (!node || (node.children && this.isBelow(to, node))) return;
    const target = to.children!.get(name2);
    if (target === node) return;
    const source = lookup(store, from.ino, name);
    if (!target) {
      const bytes = bytesOf(name2);
      const hash = hashName(to.ino, bytes, 0, bytes.length);
      expect(move(store, source, to.ino, bytes, 0, bytes.length, hash)).toBe(0);
      from.children!.delete(name);
      to.children!.set(name2, node);
    } else {
      if (Boolean(target.children) !== Boolean(node.children)) return;
      if (target.children && target.children.size > 0) return;
      replace(store, lookup(store, to.ino, name2), source);
      from.children!.delete(name);
      to.children!.delete(name2);
      to.children!.set(name2, node);
      this.lost(target);
    }
    if (node.children) node.parent = to;
  }

  private exchange(from: Node, name: string, to: Node, name2: string): void {
    const { store } = this;
    const first = from.children!.get(name);
    const second = to.children!.get(name2);
    if (!first || !second || first === second) return;
    if (first.children && this.isBelow(to, first)) return;
    if (second.children && this.isBelow(from, second)) return;
    exchange(store, lookup(store, from.ino, name), lookup(store, to.ino, name2));
    from.children!.delete(name);
    from.children!.set(name, second);
    to.children!.delete(name2);
    to.children!.set(name2, first);
    if (first.children) first.parent = to;
    if (second.children) second.parent = from;
  }

  compare(): void {
    const { store } = this;
    const nameBytes = new Uint8Array(255);
    const path = new Uint8Array(4096);
    const walk = (node: Node, at: string): void => {
      const listed: [string, number][] = [];
      let cookie = Infinity;
      for (;;) {
        const dentry = entryAt(store, node.ino, cookie - 1);
        if (dentry === 0) break;
        expect(cookieOf(store, dentry)).toBeLessThan(cookie);
        cookie = cookieOf(store, dentry);
        expect(cookie).toBeGreaterThan(2);
        const length = nameInto(store, dentry, nameBytes, 0);
        listed.push([
          Buffer.from(nameBytes.subarray(0, length)).toString('latin1'),
          inoOf(store, dentry),
        ]);
      }
      expect(listed.reverse()).toEqual(
        [...node.children!].map(([name, child]) => [name, child.ino]),
      );
      expect(entries(store, node.ino)).toBe(node.children!.size);
      expect(getSize(store, node.ino)).toBe(40 + 20 * node.children!.size);
      const subdirectories = [...node.children!.values()].filter((child) => child.children);
      expect(nlinkOf(store, node.ino)).toBe(2 + subdirectories.length);
      const length = pathOf(store, node.ino, path);
      expect(Buffer.from(path.subarray(0, length)).toString('latin1')).toBe(at || '/');
      for (const name of names) {
        const child = node.children!.get(name);
        const dentry = lookup(store, node.ino, name);
        expect(dentry === 0 ? 0 : inoOf(store, dentry)).toBe(child?.ino ?? 0);
        if (child?.children) {
          expect(parentOf(store, child.ino)).toBe(node.ino);
          walk(child, `${at}/${name}`);
        } else if (child) {
          expect(nlinkOf(store, child.ino)).toBe(child.links);
        }
      }
    };
    walk(this.root, '');
    for (const node of this.held) {
      expect(isLive(store, node.ino)).toBe(true);
      if (node.children && node.links === 0) expect(pathOf(store, node.ino, path)).toBe(-ENOENT);
    }
  }
}

test('any sequence of creates, links, unlinks, renames and exchanges', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 20, maxLength: 120 }), (commands) => {
      const fixture = createFixture({ bytes: 1024 * 1024, inodes: INODES });
      try {
        const model = new Model(fixture.store);
        for (const step of commands) model.run(step);
        model.compare();
        expect(checkStore(fixture.store)).toEqual([]);
        for (const node of model.held.splice(0)) dereference(fixture.store, node.ino);
        model.compare();
        expect(checkStore(fixture.store)).toEqual([]);
      } finally {
        fixture.close();
      }
    }),
    { numRuns: 150 },
  );
});

test('a new inode that found no name is given back', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 4 });
  const ino = create(fixture.store, ROOT_INO, 'a', S_IFDIR | 0o700);
  remove(fixture.store, lookup(fixture.store, ROOT_INO, 'a'));
  expect(isLive(fixture.store, ino)).toBe(false);
  expect(checkStore(fixture.store)).toEqual([]);
  fixture.close();
});
