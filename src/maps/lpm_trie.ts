/**
 * LPM_TRIE. Key: u32 prefixlen, then up to 256 bytes of data.
 *
 * Source   kernel/bpf/lpm_trie.c; nodes in assembly/maps/lpm_trie.ts.
 */
import { BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE } from "../abi/bpf.ts";
import { EINVAL, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import { elemAccess } from "./access.ts";
import { ACCESS_FLAGS, accessOk, has, KMALLOC_MAX_SIZE, roundUp } from "./check.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";

const FLAGS = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | ACCESS_FLAGS;
const MAX_DATA = 256;
/** sizeof(struct lpm_trie_node). */
const TRIE_NODE = 24;
const WORDS = MAP_RECORD.private + 8;
const INDEX = MAP_RECORD.private + 12;

function checkTrie(attr: MapAttr): Errno | 0 {
  const { keySize, valueSize } = attr;
  const sizesOk =
    keySize >= 5 && keySize <= 4 + MAX_DATA && valueSize >= 1 && valueSize <= KMALLOC_MAX_SIZE - MAX_DATA - TRIE_NODE;
  const flagsOk = has(attr, BPF_F_NO_PREALLOC) && !has(attr, ~FLAGS) && accessOk(attr);
  return attr.maxEntries === 0 || !flagsOk || !sizesOk ? EINVAL : 0;
}

function createTrie(memory: Memory, map: number, attr: MapAttr): void {
  const words = roundUp(attr.keySize - 4, 8) / 8;
  const valueOff = 24 + words * 8;
  memory.writeU32(map + WORDS, words);
  memory.writeU32(map + MAP_RECORD.valueOff, valueOff);
  memory.writeU32(map + MAP_RECORD.stride, valueOff + roundUp(attr.valueSize, 8));
}

export const lpm_trie: MapType = {
  name: "lpm_trie",
  btf: "trie",
  flags: FLAGS,
  privilege: "bpf",
  check: checkTrie,
  checkedLate: true,
  create: createTrie,
  areas: [INDEX],
  clear: (map) => map.core.trie_clear(map.addr),
  access: elemAccess,
  batch: "trie",
};
