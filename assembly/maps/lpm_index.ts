/**
 * A short cut into a large LPM trie: for every value of the first S bits, where the walk of a key with these bits goes
 * on.
 *
 * Entry    u32 node: the one node with a prefix of S bits or more that the walk can meet, or 0 | u32 found: the node of
 *          the longest prefix shorter than S, or 0.
 * S        8, 12 or 16 bits, more as the trie grows (LPM_INDEX_BITS; 0 is no index). A walk of 14 nodes among 10k
 *          routes becomes one of 3.
 * Upkeep   a change of a prefix rewrites the entries below it: one, or for a prefix shorter than S, 2^(S - prefix).
 */
import { mem_alloc, mem_free } from "../memory/heap";
import { LPM_BRANCH, LPM_DATA, LPM_PREFIX, LPM_SLOT } from "./lpm_node";
import { LPM_INDEX, LPM_INDEX_BITS, LPM_ROOT, MAP_COUNT, keySize } from "./record";

const ENTRY: u32 = 8;

function wantedBits(map: u32): u32 {
  const n = load<u32>(map, MAP_COUNT);
  const bits: u32 = n < 16 ? 0 : n < 512 ? 8 : n < 4096 ? 12 : 16;
  return min(bits, (keySize(map) - 4) * 8);
}

/** After a change of the prefix whose first word is word: keeps the index true, and makes or enlarges it. */
export function lpmIndexChanged(map: u32, word: u64, prefix: u32): void {
  let bits = load<u32>(map, LPM_INDEX_BITS);
  const wanted = wantedBits(map);
  if (wanted > bits) {
    const table = mem_alloc(ENTRY << wanted, 64);
    if (table != 0) {
      mem_free(load<u32>(map, LPM_INDEX));
      store<u32>(map, table, LPM_INDEX);
      store<u32>(map, wanted, LPM_INDEX_BITS);
      bits = wanted;
      prefix = 0;
      word = 0;
    }
  }
  if (bits == 0) return;
  const span: u32 = prefix >= bits ? 1 : 1 << (bits - prefix);
  const first = <u32>(word >> (64 - bits)) & ~(span - 1);
  refresh(map, bits, load<u32>(map, LPM_ROOT), 0, 0, 1 << bits, first, first + span);
}

/** Rewrites the entries of [from, to) that lie in [low, high), the part of the table below one slot of the trie. */
function refresh(map: u32, bits: u32, node: u32, found: u32, low: u32, high: u32, from: u32, to: u32): void {
  const lo = max(low, from);
  const hi = min(high, to);
  if (lo >= hi) return;
  if (node == 0) return fill(map, lo, hi, 0, found);
  const len = load<u32>(node, LPM_PREFIX);
  const at = <u32>(load<u64>(node, LPM_DATA) >> (64 - bits));
  if (len >= bits) {
    fill(map, lo, hi, 0, found);
    if (at >= lo && at < hi) fill(map, at, at + 1, node, found);
    return;
  }
  // The node's own part; around it nothing but what was found above.
  const size: u32 = 1 << (bits - len);
  const start = at & ~(size - 1);
  fill(map, lo, min(hi, start), 0, found);
  fill(map, max(lo, start + size), hi, 0, found);
  const below = load<u32>(node, LPM_BRANCH) == 0 ? node : found;
  const middle = start + (size >> 1);
  refresh(map, bits, load<u32>(node), below, start, middle, from, to);
  refresh(map, bits, load<u32>(node, LPM_SLOT), below, middle, start + size, from, to);
}

function fill(map: u32, lo: u32, hi: u32, node: u32, found: u32): void {
  const table = load<u32>(map, LPM_INDEX);
  const entry = <u64>node | (<u64>found << 32);
  for (let i = lo; i < hi; i++) store<u64>(table + i * ENTRY, entry);
}
