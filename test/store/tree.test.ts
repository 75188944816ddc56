/** The ordered tree by itself, over a plain array: order, balance and every lookup against a sorted list. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createTree,
  type Tree,
  treeFirst,
  treeFloor,
  treeInsert,
  treeLast,
  treeNext,
  treePrevious,
  treeRemove,
} from '../../src/store/tree.ts';

const WORDS = 6;
const LINKS = 1;
const KEY = 5;

function emptyTree(nodes: number): Tree {
  return createTree(new Int32Array((nodes + 1) * WORDS), 0, WORDS, LINKS, KEY);
}

function inOrder(tree: Tree, root: number): number[] {
  const nodes: number[] = [];
  for (let node = treeFirst(tree, root); node !== 0; node = treeNext(tree, node)) nodes.push(node);
  return nodes;
}

function inReverse(tree: Tree, root: number): number[] {
  const nodes: number[] = [];
  for (let node = treeLast(tree, root); node !== 0; node = treePrevious(tree, node))
    nodes.push(node);
  return nodes;
}

/** Height of the subtree; throws where links, heights or balance are wrong. */
function heightOf(tree: Tree, node: number, up: number): number {
  if (node === 0) return 0;
  const at = LINKS + node * WORDS;
  expect(tree.i32[at + 2]).toBe(up);
  const left = heightOf(tree, tree.i32[at], node);
  const right = heightOf(tree, tree.i32[at + 1], node);
  expect(Math.abs(left - right)).toBeLessThanOrEqual(1);
  expect(tree.i32[at + 3]).toBe(Math.max(left, right) + 1);
  return Math.max(left, right) + 1;
}

test('keys in any order, inserted and removed, stay sorted and balanced', () => {
  const key = fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 150 }), (steps) => {
      const tree = emptyTree(150);
      const nodeOf = new Map<number, number>();
      let root = 0;
      for (const [at, [key, add]] of steps.entries()) {
        const node = nodeOf.get(key);
        if (add && node === undefined) {
          tree.i32[(at + 1) * WORDS + KEY] = key;
          nodeOf.set(key, at + 1);
          root = treeInsert(tree, root, at + 1);
        } else if (!add && node !== undefined) {
          nodeOf.delete(key);
          root = treeRemove(tree, root, node);
        }
      }
      heightOf(tree, root, 0);
      const keys = [...nodeOf.keys()].sort((a, b) => a - b);
      const nodes = keys.map((key) => nodeOf.get(key));
      expect(inOrder(tree, root)).toEqual(nodes);
      expect(inReverse(tree, root)).toEqual(nodes.toReversed());
      for (const probe of [0, 1, 30, 59, 60, 0x7ffffffe, 0x80000000, 0xffffffff]) {
        const floor = keys.findLast((key) => key <= probe);
        expect(treeFloor(tree, root, probe)).toBe(floor === undefined ? 0 : nodeOf.get(floor));
      }
    }),
    { numRuns: 300 },
  );
});

test('ascending keys, as directories create them, make a tree of least height', () => {
  const tree = emptyTree(4095);
  let root = 0;
  for (let node = 1; node <= 4095; node++) {
    tree.i32[node * WORDS + KEY] = node * 3;
    root = treeInsert(tree, root, node);
  }
  expect(heightOf(tree, root, 0)).toBe(12);
  for (let node = 2; node <= 4095; node += 2) root = treeRemove(tree, root, node);
  heightOf(tree, root, 0);
  expect(inOrder(tree, root)).toEqual(Array.from({ length: 2048 }, (_, at) => at * 2 + 1));
});
