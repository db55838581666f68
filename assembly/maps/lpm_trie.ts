/**
 * Longest-prefix-match trie: BPF_MAP_TYPE_LPM_TRIE.
 *
 * Key      u32 prefixlen in bits, then data bytes, most significant first.
 * Node     slot of child 0 | slot of child 1 | u32 prefixlen | u32 1 for a branching node without a value | data |
 *          value. The data as u64 words, big-endian turned native, so that a prefix compares by shifts; LPM_WORDS words.
 *          Each child's prefix extends its parent's; the next bit says which child.
 * Slot     u32 node or 0 | u32 its prefixlen, so that a walk knows the next bit without waiting for the node.
 * Errors   update: EINVAL flags or prefixlen beyond the data, EEXIST, ENOENT, ENOSPC when full; delete: EINVAL, ENOENT.
 * Speed    large tries have a table over the first bits (lpm_index.ts), used for data of up to 8 bytes.
 * Order    get_next_key walks in postorder: more specific prefixes first.
 * Source   kernel/bpf/lpm_trie.c and Documentation/bpf/map_lpm_trie.rst.
 */
import { mem_free } from "../memory/heap";
import { lpmIndexChanged } from "./lpm_index";
import { LPM_BRANCH, LPM_DATA, LPM_PREFIX, LPM_SLOT } from "./lpm_node";
import { poolGive, poolTake } from "./pool";
import {
  BPF_EXIST, BPF_NOEXIST, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, LPM_INDEX, LPM_INDEX_BITS, LPM_ROOT, LPM_WORDS,
  MAP_COUNT, MAP_VALUE_OFF, addCount, keySize, maxEntries, valueSize,
} from "./record";
import { copyBytes, freeFields } from "./value";

// @ts-ignore: decorator
@inline
function childOf(node: u32, bit: u32): u32 {
  return load<u32>(node + bit * LPM_SLOT);
}

// @ts-ignore: decorator
@inline
function fill(slot: u32, node: u32): void {
  store<u32>(slot, node);
  store<u32>(slot, node == 0 ? 0 : load<u32>(node, LPM_PREFIX), 4);
}

/** Word n of the key's data; missing bytes are zero. */
function keyWord(map: u32, key: u32, n: u32): u64 {
  const left = keySize(map) - 4 - n * 8;
  const at = key + 4 + n * 8;
  // In halves, as value.ts reads keys, and for its reason.
  if (left >= 8) return (<u64>bswap<u32>(load<u32>(at)) << 32) | bswap<u32>(load<u32>(at, 4));
  let word: u64 = 0;
  for (let i: u32 = 0; i < left; i++) word |= <u64>load<u8>(at + i) << (56 - i * 8);
  return word;
}

/** Bit of the key's data, the most significant first. */
// @ts-ignore: decorator
@inline
function keyBit(key: u32, index: u32): u32 {
  return (<u32>load<u8>(key + 4 + (index >> 3)) >> (7 - (index & 7))) & 1;
}

// @ts-ignore: decorator
@inline
function nodeBit(node: u32, index: u32): u32 {
  return <u32>((load<u64>(node + LPM_DATA + (index >> 6) * 8) >> (63 - (index & 63))) & 1);
}

/** Bits that the key and the node's prefix have in common, at most limit. */
function commonBits(map: u32, key: u32, node: u32, limit: u32): u32 {
  for (let bits: u32 = 0; bits < limit; bits += 64) {
    const diff = keyWord(map, key, bits >> 6) ^ load<u64>(node + LPM_DATA + (bits >> 3));
    if (diff != 0) return min<u32>(bits + <u32>clz<u64>(diff), limit);
  }
  return limit;
}

export function trie_lookup_elem(map: u32, key: u32): u32 {
  const words = load<u32>(map, LPM_WORDS);
  const bits = (keySize(map) - 4) * 8;
  const prefix = load<u32>(key);
  if (prefix > bits) return 0;
  let node: u32;
  if (words == 1) node = lookup1(map, key, prefix);
  else node = words == 2 ? lookup2(map, key, prefix) : lookupAny(map, key, prefix);
  return node == 0 ? 0 : node + load<u32>(map, MAP_VALUE_OFF);
}

/** Up to 8 bytes of data: the key sits in one register. */
function lookup1(map: u32, key: u32, prefix: u32): u32 {
  const k = keySize(map) == 8 ? <u64>bswap<u32>(load<u32>(key, 4)) << 32 : keyWord(map, key, 0);
  let slot = load<u64>(map, LPM_ROOT);
  let found: u32 = 0;
  const bits = load<u32>(map, LPM_INDEX_BITS);
  if (bits != 0 && prefix >= bits) {
    const entry = load<u64>(load<u32>(map, LPM_INDEX) + <u32>(k >> (64 - bits)) * 8);
    found = <u32>(entry >> 32);
    if (<u32>entry == 0) return found;
    slot = (entry & 0xffffffff) | (<u64>load<u32>(<u32>entry, LPM_PREFIX) << 32);
  }
  while (<u32>slot != 0) {
    const node = <u32>slot;
    const len = <u32>(slot >> 32);
    // Shifted in two steps, for a shift by 64 shifts by 0.
    if (len > prefix || ((k ^ load<u64>(node, LPM_DATA)) >> 1) >> (63 - len) != 0) break;
    found = load<u32>(node, LPM_BRANCH) == 0 ? node : found;
    if (len == prefix) break;
    slot = load<u64>(node + <u32>((k << len) >> 63) * LPM_SLOT);
  }
  return found;
}

function lookup2(map: u32, key: u32, prefix: u32): u32 {
  const k0 = keyWord(map, key, 0);
  const k1 = keyWord(map, key, 1);
  let slot = load<u64>(map, LPM_ROOT);
  let found: u32 = 0;
  while (<u32>slot != 0) {
    const node = <u32>slot;
    const len = <u32>(slot >> 32);
    if (len > prefix) break;
    const d0 = k0 ^ load<u64>(node, LPM_DATA);
    if (len <= 64) {
      if (len != 0 && d0 >> (64 - len) != 0) break;
    } else {
      if (d0 != 0 || (k1 ^ load<u64>(node, LPM_DATA + 8)) >> (128 - len) != 0) break;
    }
    found = load<u32>(node, LPM_BRANCH) == 0 ? node : found;
    if (len == prefix) break;
    slot = load<u64>(node + <u32>(len < 64 ? (k0 << len) >> 63 : (k1 << (len - 64)) >> 63) * LPM_SLOT);
  }
  return found;
}

function lookupAny(map: u32, key: u32, prefix: u32): u32 {
  let node = load<u32>(map, LPM_ROOT);
  let found: u32 = 0;
  while (node != 0) {
    const len = load<u32>(node, LPM_PREFIX);
    if (len > prefix || commonBits(map, key, node, len) != len) break;
    found = load<u32>(node, LPM_BRANCH) == 0 ? node : found;
    if (len == prefix) break;
    node = childOf(node, keyBit(key, len));
  }
  return found;
}

/** A node for the key's first prefix bits; without a value, a branching node. */
function newNode(map: u32, key: u32, prefix: u32, value: u32): u32 {
  const node = poolTake(map);
  if (node == 0) return 0;
  store<u64>(node, 0);
  store<u64>(node, 0, LPM_SLOT);
  store<u32>(node, prefix, LPM_PREFIX);
  store<u32>(node, value == 0 ? 1 : 0, LPM_BRANCH);
  for (let n: u32 = 0; n < load<u32>(map, LPM_WORDS); n++) store<u64>(node + LPM_DATA + n * 8, keyWord(map, key, n));
  if (value != 0) copyBytes(node + load<u32>(map, MAP_VALUE_OFF), value, valueSize(map));
  return node;
}

export function trie_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (flags > BPF_EXIST) return EINVAL;
  const prefix = load<u32>(key);
  if (prefix > (keySize(map) - 4) * 8) return EINVAL;
  // Walk to the place: the slot whose node is missing, is this very prefix, or parts from it.
  let slot = map + <u32>LPM_ROOT;
  let node = load<u32>(slot);
  let common: u32 = 0;
  while (node != 0) {
    const len = load<u32>(node, LPM_PREFIX);
    common = commonBits(map, key, node, min(len, prefix));
    if (len != common || len == prefix) break;
    slot = node + keyBit(key, len) * LPM_SLOT;
    node = load<u32>(slot);
  }
  const same = node != 0 && common == prefix && load<u32>(node, LPM_PREFIX) == prefix;
  const exists = same && load<u32>(node, LPM_BRANCH) == 0;
  if (exists) {
    if (flags == BPF_NOEXIST) return EEXIST;
  } else {
    if (flags == BPF_EXIST) return ENOENT;
    if (load<u32>(map, MAP_COUNT) >= maxEntries(map)) return ENOSPC;
  }
  const fresh = newNode(map, key, prefix, value);
  if (fresh == 0) return ENOMEM;
  if (node == 0) {
    fill(slot, fresh);
  } else if (same) {
    store<u64>(fresh, load<u64>(node));
    store<u64>(fresh, load<u64>(node, LPM_SLOT), LPM_SLOT);
    fill(slot, fresh);
    if (exists) freeFields(map, node + load<u32>(map, MAP_VALUE_OFF));
    poolGive(map, node);
  } else if (common == prefix) {
    fill(fresh + nodeBit(node, common) * LPM_SLOT, node);
    fill(slot, fresh);
  } else {
    const branch = newNode(map, key, common, 0);
    if (branch == 0) {
      poolGive(map, fresh);
      return ENOMEM;
    }
    const bit = keyBit(key, common);
    fill(branch + bit * LPM_SLOT, fresh);
    fill(branch + (bit ^ 1) * LPM_SLOT, node);
    fill(slot, branch);
  }
  if (!exists) addCount(map, 1);
  lpmIndexChanged(map, keyWord(map, key, 0), prefix);
  return 0;
}

export function trie_delete_elem(map: u32, key: u32): i32 {
  const prefix = load<u32>(key);
  if (prefix > (keySize(map) - 4) * 8) return EINVAL;
  let parentSlot: u32 = 0;
  let slot = map + <u32>LPM_ROOT;
  let node = load<u32>(slot);
  let parent: u32 = 0;
  while (node != 0) {
    const len = load<u32>(node, LPM_PREFIX);
    if (len > prefix || commonBits(map, key, node, len) != len) return ENOENT;
    if (len == prefix) break;
    parent = node;
    parentSlot = slot;
    slot = node + keyBit(key, len) * LPM_SLOT;
    node = load<u32>(slot);
  }
  if (node == 0 || load<u32>(node, LPM_BRANCH) != 0) return ENOENT;
  addCount(map, -1);
  freeFields(map, node + load<u32>(map, MAP_VALUE_OFF));
  const left = childOf(node, 0);
  const right = childOf(node, 1);
  if (left != 0 && right != 0) {
    // Two subtrees still part here: the node stays, without its value.
    store<u32>(node, 1, LPM_BRANCH);
    lpmIndexChanged(map, keyWord(map, key, 0), prefix);
    return 0;
  }
  if (left == 0 && right == 0 && parent != 0 && load<u32>(parent, LPM_BRANCH) != 0) {
    // A branching node with one child left goes too; its other child takes its place.
    fill(parentSlot, childOf(parent, slot == parent ? 1 : 0));
    poolGive(map, parent);
  } else {
    fill(slot, left != 0 ? left : right);
  }
  lpmIndexChanged(map, keyWord(map, key, 0), prefix);
  poolGive(map, node);
  return 0;
}

/** The first node with a value in postorder below node (included): leftmost, most specific. */
function leftmost(node: u32): u32 {
  let found: u32 = 0;
  while (node != 0) {
    if (load<u32>(node, LPM_BRANCH) != 0) {
      node = childOf(node, 0);
    } else {
      found = node;
      node = childOf(node, 0);
      if (node == 0) node = childOf(found, 1);
    }
  }
  return found;
}

function putKey(map: u32, node: u32, next: u32): i32 {
  if (node == 0) return ENOENT;
  store<u32>(next, load<u32>(node, LPM_PREFIX));
  const bytes = keySize(map) - 4;
  for (let i: u32 = 0; i < bytes; i++) {
    store<u8>(next + 4 + i, <u8>(load<u64>(node + LPM_DATA + (i & ~7)) >> (56 - (i & 7) * 8)));
  }
  return 0;
}

export function trie_get_next_key(map: u32, key: u32, next: u32): i32 {
  const root = load<u32>(map, LPM_ROOT);
  if (root == 0) return ENOENT;
  if (key == 0 || load<u32>(key) > (keySize(map) - 4) * 8) return putKey(map, leftmost(root), next);
  const prefix = load<u32>(key);
  // What follows the node in postorder comes from its deepest ancestor that has anything left: its right subtree, when
  // the walk went left, or its own value.
  let subtree: u32 = 0;
  let value: u32 = 0;
  let node = root;
  while (node != 0) {
    const len = load<u32>(node, LPM_PREFIX);
    if (len > prefix || commonBits(map, key, node, len) != len) {
      node = 0;
      break;
    }
    if (len == prefix) break;
    const bit = keyBit(key, len);
    if (bit == 0 && childOf(node, 1) != 0) {
      subtree = childOf(node, 1);
    } else if (load<u32>(node, LPM_BRANCH) == 0) {
      subtree = 0;
      value = node;
    }
    node = childOf(node, bit);
  }
  if (node == 0 || load<u32>(node, LPM_BRANCH) != 0) return putKey(map, leftmost(root), next);
  return putKey(map, subtree != 0 ? leftmost(subtree) : value, next);
}

/** Frees every node; the map is about to be freed. */
export function trie_clear(map: u32): void {
  let node = load<u32>(map, LPM_ROOT);
  store<u64>(map, 0, LPM_ROOT);
  while (node != 0) {
    // Rotate the left child up: the walk needs no stack.
    const left = childOf(node, 0);
    if (left != 0) {
      store<u32>(node, childOf(left, 1));
      store<u32>(left, node, LPM_SLOT);
      node = left;
      continue;
    }
    const right = childOf(node, 1);
    if (load<u32>(node, LPM_BRANCH) == 0) freeFields(map, node + load<u32>(map, MAP_VALUE_OFF));
    mem_free(node);
    node = right;
  }
  store<u32>(map, 0, MAP_COUNT);
}
