/**
 * Lists and trees of objects that programs own (bpf_list_head, bpf_rb_root). Pointers are u64 in memory, 0 = NULL.
 *
 * List node   struct bpf_list_node_kern: u64 next | u64 prev | u64 owner (the head it is in; 0 = in none)
 * Tree node   struct bpf_rb_node_kern: u64 parent | u64 right | u64 left | u64 owner
 * Tree root   struct bpf_rb_root: u64 node | u64 leftmost
 * The tree is a treap: a search tree by the program's order, a heap by a hash of the addresses, so it stays shallow
 * whatever the order of insertion. Finding the place of a node calls the program, so that is done by the caller.
 */
const NEXT: usize = 0;
const PREV: usize = 8;
const LIST_OWNER: usize = 16;

const PARENT: usize = 0;
const RIGHT: usize = 8;
const LEFT: usize = 16;
const TREE_OWNER: usize = 24;
const ROOT: usize = 0;
const LEFTMOST: usize = 8;

// @ts-ignore: decorator
@inline
function ensureHead(head: u32): void {
  if (load<u32>(head, NEXT)) return;
  store<u64>(head, head, NEXT);
  store<u64>(head, head, PREV);
}

/** 0 when the node is in a list already. */
export function list_add(node: u32, head: u32, back: u32): i32 {
  ensureHead(head);
  if (load<u32>(node, LIST_OWNER)) return 0;
  const prev = back ? load<u32>(head, PREV) : head;
  const next = back ? head : load<u32>(head, NEXT);
  store<u64>(node, next, NEXT);
  store<u64>(node, prev, PREV);
  store<u64>(prev, node, NEXT);
  store<u64>(next, node, PREV);
  store<u64>(node, head, LIST_OWNER);
  return 1;
}

/** First or last node, taken out; 0 from an empty list. */
export function list_pop(head: u32, back: u32): u32 {
  const node = list_peek(head, back);
  if (!node) return 0;
  const prev = load<u32>(node, PREV);
  const next = load<u32>(node, NEXT);
  store<u64>(prev, next, NEXT);
  store<u64>(next, prev, PREV);
  store<u64>(node, node, NEXT);
  store<u64>(node, node, PREV);
  store<u64>(node, 0, LIST_OWNER);
  return node;
}

export function list_peek(head: u32, back: u32): u32 {
  ensureHead(head);
  const node = back ? load<u32>(head, PREV) : load<u32>(head, NEXT);
  return node == head ? 0 : node;
}

export function list_front(head: u32): u32 {
  return list_peek(head, 0);
}

export function list_back(head: u32): u32 {
  return list_peek(head, 1);
}

export function list_pop_front(head: u32): u32 {
  return list_pop(head, 0);
}

export function list_pop_back(head: u32): u32 {
  return list_pop(head, 1);
}

// @ts-ignore: decorator
@inline
function priority(node: u32): u32 {
  let h = node * 0x9e3779b1;
  h ^= h >> 15;
  return h * 0x85ebca6b;
}

/** Puts `child` where `node` hangs. */
function replace(root: u32, node: u32, child: u32): void {
  const parent = load<u32>(node, PARENT);
  if (!parent) store<u64>(root, child, ROOT);
  else if (load<u32>(parent, LEFT) == node) store<u64>(parent, child, LEFT);
  else store<u64>(parent, child, RIGHT);
  if (child) store<u64>(child, parent, PARENT);
}

/** Rotates node's parent below it. */
function rotateUp(root: u32, node: u32): void {
  const parent = load<u32>(node, PARENT);
  replace(root, parent, node);
  if (load<u32>(parent, LEFT) == node) {
    const inner = load<u32>(node, RIGHT);
    store<u64>(parent, inner, LEFT);
    if (inner) store<u64>(inner, parent, PARENT);
    store<u64>(node, parent, RIGHT);
  } else {
    const inner = load<u32>(node, LEFT);
    store<u64>(parent, inner, RIGHT);
    if (inner) store<u64>(inner, parent, PARENT);
    store<u64>(node, parent, LEFT);
  }
  store<u64>(parent, node, PARENT);
}

function setLeftmost(root: u32): void {
  let node = load<u32>(root, ROOT);
  while (node && load<u32>(node, LEFT)) node = load<u32>(node, LEFT);
  store<u64>(root, node, LEFTMOST);
}

/** Hangs a node below `parent` (0: the tree is empty), on its left or right, and restores the heap. */
export function rb_link(root: u32, node: u32, parent: u32, left: u32): void {
  store<u64>(node, parent, PARENT);
  store<u64>(node, 0, LEFT);
  store<u64>(node, 0, RIGHT);
  store<u64>(node, root, TREE_OWNER);
  if (!parent) store<u64>(root, node, ROOT);
  else if (left) store<u64>(parent, node, LEFT);
  else store<u64>(parent, node, RIGHT);
  const mine = priority(node);
  while (load<u32>(node, PARENT) && priority(load<u32>(node, PARENT)) < mine) rotateUp(root, node);
  setLeftmost(root);
}

/** The node, now in no tree; 0 when it was not in this one. */
export function rbtree_remove(root: u32, node: u32): u32 {
  if (load<u32>(node, TREE_OWNER) != root) return 0;
  for (;;) {
    const left = load<u32>(node, LEFT);
    const right = load<u32>(node, RIGHT);
    if (left && right) rotateUp(root, priority(left) > priority(right) ? left : right);
    else {
      replace(root, node, left ? left : right);
      break;
    }
  }
  store<u64>(node, 0, TREE_OWNER);
  setLeftmost(root);
  return node;
}

export function rbtree_first(root: u32): u32 {
  return load<u32>(root, LEFTMOST);
}

export function rbtree_root(root: u32): u32 {
  return load<u32>(root, ROOT);
}

export function rbtree_left(root: u32, node: u32): u32 {
  return load<u32>(node, TREE_OWNER) == root ? load<u32>(node, LEFT) : 0;
}

export function rbtree_right(root: u32, node: u32): u32 {
  return load<u32>(node, TREE_OWNER) == root ? load<u32>(node, RIGHT) : 0;
}
