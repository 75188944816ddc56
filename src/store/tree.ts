/**
 * An ordered tree whose nodes are records of a table: an AVL tree with parent links, keyed by an
 * unsigned 32-bit word of the record. Directories order their dentries by cookie with it, files their
 * extents by file block. The root is held by the caller, who stores what insert and remove return.
 *
 * Four words in a row hold left, right, up and height. A new greatest key, the usual case of both
 * uses, costs a walk down the right spine and on average less than one rotation.
 */
const LEFT = 0;
const RIGHT = 1;
const UP = 2;
const HEIGHT = 3;

export interface Tree {
  readonly i32: Int32Array;
  /** Word index of the four link words of record 0; records are `words` apart. */
  readonly links: number;
  /** Word index of the key of record 0. */
  readonly keys: number;
  readonly words: number;
}

export function createTree(
  i32: Int32Array,
  base: number,
  words: number,
  linksWord: number,
  keyWord: number,
): Tree {
  return { i32, links: base + linksWord, keys: base + keyWord, words };
}

function key(tree: Tree, node: number): number {
  return tree.i32[tree.keys + node * tree.words] >>> 0;
}

function height(tree: Tree, node: number): number {
  return node === 0 ? 0 : tree.i32[tree.links + node * tree.words + HEIGHT];
}

function setHeight(tree: Tree, node: number): number {
  const { i32 } = tree;
  const at = tree.links + node * tree.words;
  const left = height(tree, i32[at + LEFT]);
  const right = height(tree, i32[at + RIGHT]);
  const value = Math.max(left, right) + 1;
  i32[at + HEIGHT] = value;
  return value;
}

/** Puts `child` where `old` hangs below `up`; returns the root that holds then. */
function replaceChild(tree: Tree, root: number, up: number, old: number, child: number): number {
  const { i32 } = tree;
  if (child !== 0) i32[tree.links + child * tree.words + UP] = up;
  if (up === 0) return child;
  const at = tree.links + up * tree.words;
  if (i32[at + LEFT] === old) i32[at + LEFT] = child;
  else i32[at + RIGHT] = child;
  return root;
}

/** Rotates `node` down on side `side` (LEFT: its right child rises); returns the root. */
function rotate(tree: Tree, root: number, node: number, side: number): number {
  const { i32, links, words } = tree;
  const other = RIGHT - side;
  const at = links + node * words;
  const rising = i32[at + other];
  const risingAt = links + rising * words;
  const inner = i32[risingAt + side];
  const newRoot = replaceChild(tree, root, i32[at + UP], node, rising);
  i32[risingAt + side] = node;
  i32[at + UP] = rising;
  i32[at + other] = inner;
  if (inner !== 0) i32[links + inner * words + UP] = node;
  setHeight(tree, node);
  setHeight(tree, rising);
  return newRoot;
}

/** Restores balance from `start` upwards, as far as heights change. */
function rebalance(tree: Tree, root: number, start: number): number {
  const { i32, links, words } = tree;
  let node = start;
  while (node !== 0) {
    const at = links + node * words;
    const before = i32[at + HEIGHT];
    const left = i32[at + LEFT];
    const right = i32[at + RIGHT];
    const tilt = height(tree, left) - height(tree, right);
    if (tilt > 1) {
      const leftAt = links + left * words;
      if (height(tree, i32[leftAt + LEFT]) < height(tree, i32[leftAt + RIGHT])) {
        root = rotate(tree, root, left, LEFT);
      }
      root = rotate(tree, root, node, RIGHT);
      node = i32[links + node * words + UP];
    } else if (tilt < -1) {
      const rightAt = links + right * words;
      if (height(tree, i32[rightAt + RIGHT]) < height(tree, i32[rightAt + LEFT])) {
        root = rotate(tree, root, right, RIGHT);
      }
      root = rotate(tree, root, node, LEFT);
      node = i32[links + node * words + UP];
    } else {
      setHeight(tree, node);
    }
    // What stands in this place now may have the height that stood there before: then all is well.
    if (i32[links + node * words + HEIGHT] === before) break;
    node = i32[links + node * words + UP];
  }
  return root;
}

/** Adds `node`, whose key is set and is not in the tree → the new root. */
export function treeInsert(tree: Tree, root: number, node: number): number {
  const { i32, links, words } = tree;
  const at = links + node * words;
  i32[at + LEFT] = 0;
  i32[at + RIGHT] = 0;
  i32[at + HEIGHT] = 1;
  const wanted = key(tree, node);
  let up = 0;
  let side = LEFT;
  let next = root;
  while (next !== 0) {
    up = next;
    side = wanted < key(tree, next) ? LEFT : RIGHT;
    next = i32[links + next * words + side];
  }
  i32[at + UP] = up;
  if (up === 0) return node;
  i32[links + up * words + side] = node;
  return rebalance(tree, root, up);
}

/** Takes `node` out → the new root. */
export function treeRemove(tree: Tree, root: number, node: number): number {
  const { i32, links, words } = tree;
  const at = links + node * words;
  const left = i32[at + LEFT];
  const right = i32[at + RIGHT];
  const up = i32[at + UP];
  if (left === 0 || right === 0) {
    root = replaceChild(tree, root, up, node, left === 0 ? right : left);
    return rebalance(tree, root, up);
  }
  // Two children: the next greater node, which has no left child, takes the place.
  let heir = right;
  while (i32[links + heir * words + LEFT] !== 0) heir = i32[links + heir * words + LEFT];
  const heirAt = links + heir * words;
  let start = i32[heirAt + UP];
  if (start === node) {
    start = heir;
  } else {
    replaceChild(tree, root, start, heir, i32[heirAt + RIGHT]);
    i32[heirAt + RIGHT] = right;
    i32[links + right * words + UP] = heir;
  }
  i32[heirAt + LEFT] = left;
  i32[links + left * words + UP] = heir;
  i32[heirAt + HEIGHT] = i32[at + HEIGHT];
  root = replaceChild(tree, root, up, node, heir);
  return rebalance(tree, root, start);
}

/** The node with the greatest key ≤ wanted, or 0. */
export function treeFloor(tree: Tree, root: number, wanted: number): number {
  const { i32, links, words } = tree;
  let best = 0;
  let node = root;
  while (node !== 0) {
    if (key(tree, node) <= wanted) {
      best = node;
      node = i32[links + node * words + RIGHT];
    } else {
      node = i32[links + node * words + LEFT];
    }
  }
  return best;
}

/** The first node of the tree in order, or 0. */
export function treeFirst(tree: Tree, root: number): number {
  const { i32, links, words } = tree;
  let node = root;
  if (node === 0) return 0;
  for (;;) {
    const left = i32[links + node * words + LEFT];
    if (left === 0) return node;
    node = left;
  }
}

/** The node after `node` in order, or 0. */
export function treeNext(tree: Tree, node: number): number {
  const { i32, links, words } = tree;
  const right = i32[links + node * words + RIGHT];
  if (right !== 0) return treeFirst(tree, right);
  let child = node;
  let up = i32[links + node * words + UP];
  while (up !== 0 && i32[links + up * words + RIGHT] === child) {
    child = up;
    up = i32[links + up * words + UP];
  }
  return up;
}

/** The last node of the tree in order, or 0. */
export function treeLast(tree: Tree, root: number): number {
  const { i32, links, words } = tree;
  let node = root;
  if (node === 0) return 0;
  for (;;) {
    const right = i32[links + node * words + RIGHT];
    if (right === 0) return node;
    node = right;
  }
}

/** The node before `node` in order, or 0. */
export function treePrevious(tree: Tree, node: number): number {
  const { i32, links, words } = tree;
  const left = i32[links + node * words + LEFT];
  if (left !== 0) return treeLast(tree, left);
  let child = node;
  let up = i32[links + node * words + UP];
  while (up !== 0 && i32[links + up * words + LEFT] === child) {
    child = up;
    up = i32[links + up * words + UP];
  }
  return up;
}
