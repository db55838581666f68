/**
 * Hash tables: HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH, HASH_OF_MAPS.
 *
 * Source   kernel/bpf/hashtab.c; layout of elements in assembly/maps/hashtab.ts.
 */
import {
  BPF_F_NO_COMMON_LRU,
  BPF_F_NO_PREALLOC,
  BPF_F_NUMA_NODE,
  BPF_F_ZERO_SEED,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_HASH,
} from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENOTSUPP, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import { hashAccess } from "./access.ts";
import { checkInner } from "./array.ts";
import {
  ACCESS_FLAGS,
  accessOk,
  has,
  hasNumaNode,
  KMALLOC_MAX_SIZE,
  PCPU_MIN_UNIT_SIZE,
  powerOfTwo,
  roundUp,
} from "./check.ts";
import type { MapExports } from "./exports.ts";
import { ANY_FIELD, KPTR_FIELDS, LRU_FIELDS } from "./fields.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";
import { clearHashSlots, hashSlotAccess } from "./slots.ts";

const FLAGS = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | ACCESS_FLAGS | BPF_F_ZERO_SEED;
/** sizeof(struct htab_elem), which bounds what one element may hold. */
const HTAB_ELEM = 48;
/** Limit of n_buckets * sizeof(struct bucket) in 32 bits. */
const MAX_BUCKETS = 0xffffffff / 16;

const LRU_LISTS = MAP_RECORD.private;
const LRU_LOCALS = MAP_RECORD.private + 4;

const isLru = (type: number): boolean => type === BPF_MAP_TYPE_LRU_HASH || type === BPF_MAP_TYPE_LRU_PERCPU_HASH;
const isPercpu = (type: number): boolean => type === BPF_MAP_TYPE_PERCPU_HASH || type === BPF_MAP_TYPE_LRU_PERCPU_HASH;

/** htab_map_alloc_check(), and what htab_map_alloc() refuses. */
export function checkHash(attr: MapAttr, cpus: number): Errno | 0 {
  const lru = isLru(attr.type);
  const percpu = isPercpu(attr.type);
  const percpuLru = has(attr, BPF_F_NO_COMMON_LRU);
  if (has(attr, ~(FLAGS | BPF_F_NO_COMMON_LRU)) || !accessOk(attr) || (!lru && percpuLru)) return EINVAL;
  if (lru && has(attr, BPF_F_NO_PREALLOC)) return ENOTSUPP;
  if (hasNumaNode(attr) && (percpu || percpuLru)) return EINVAL;
  if (attr.maxEntries === 0 || attr.keySize === 0 || attr.valueSize === 0) return EINVAL;
  if (attr.keySize + attr.valueSize >= KMALLOC_MAX_SIZE - HTAB_ELEM) return E2BIG;
  if (percpu && roundUp(attr.valueSize, 8) > PCPU_MIN_UNIT_SIZE) return E2BIG;
  const entries = percpuLru ? roundUp(attr.maxEntries, cpus) : attr.maxEntries;
  return entries > 2 ** 31 || powerOfTwo(entries) > MAX_BUCKETS ? E2BIG : 0;
}

function createHash(memory: Memory, map: number, attr: MapAttr): void {
  const lru = isLru(attr.type);
  const percpu = isPercpu(attr.type);
  const { cpus } = memory;
  const put = (off: number, value: number): void => memory.writeU32(map + off, value);
  const area = (off: number, sizeBytes: number, align = 16): void => put(off, memory.alloc(sizeBytes, align));

  let entries = attr.maxEntries;
  if (has(attr, BPF_F_NO_COMMON_LRU)) entries = roundUp(entries, cpus);
  put(MAP_RECORD.maxEntries, entries);
  const cpuStride = roundUp(attr.valueSize, 8);
  const valueOff = (lru ? 24 : 8) + roundUp(attr.keySize, 8);
  const stride = valueOff + cpuStride * (percpu ? cpus : 1);
  // Half full at most: 10 to 20% faster lookups among 64k keys than Linux's one bucket per entry.
  const nBuckets = Math.min(powerOfTwo(entries) * 2, 2 ** 28);
  put(MAP_RECORD.valueOff, valueOff);
  put(MAP_RECORD.stride, stride);
  put(MAP_RECORD.cpuStride, cpuStride);
  put(MAP_RECORD.nBuckets, nBuckets);
  const prealloc = !has(attr, BPF_F_NO_PREALLOC);
  // The largest first: a table that cannot be had does not make memory grow.
  if (prealloc) area(MAP_RECORD.elems, stride * (entries + (lru ? 0 : cpus)), 64);
  area(MAP_RECORD.buckets, nBuckets * 4, 64);
  if (prealloc) {
    if (lru) {
      area(LRU_LISTS, 64 * cpus);
      area(LRU_LOCALS, 32 * cpus);
    } else {
      area(MAP_RECORD.extraElems, 4 * cpus);
    }
    memory.exports<MapExports>().htab_init(map);
  }
}

const common = {
  flags: FLAGS,
  check: checkHash,
  create: createHash,
  clear: (map) => map.core.htab_clear(map.addr),
  access: hashAccess,
  batch: "hash",
} as const satisfies Partial<MapType>;

export const hash: MapType = { ...common, name: "hash", privilege: "none", fields: ANY_FIELD };

export const percpu_hash: MapType = {
  ...common,
  name: "percpu_hash",
  flags: FLAGS & ~BPF_F_NUMA_NODE,
  privilege: "none",
  percpu: true,
  reserves: ["map_lookup_percpu_elem"],
  fields: KPTR_FIELDS,
};

const LRU_FLAGS = (FLAGS & ~BPF_F_NO_PREALLOC) | BPF_F_NO_COMMON_LRU;

export const lru_hash: MapType = {
  ...common,
  name: "lru_hash",
  flags: LRU_FLAGS,
  privilege: "bpf",
  areas: [LRU_LISTS, LRU_LOCALS],
  fields: LRU_FIELDS,
};

export const lru_percpu_hash: MapType = {
  ...common,
  name: "lru_percpu_hash",
  flags: LRU_FLAGS & ~BPF_F_NUMA_NODE,
  privilege: "bpf",
  areas: [LRU_LISTS, LRU_LOCALS],
  percpu: true,
  reserves: ["map_lookup_percpu_elem"],
  fields: KPTR_FIELDS,
};

export const hash_of_maps: MapType = {
  ...common,
  name: "hash_of_maps",
  btf: "none",
  privilege: "none",
  check: (attr, cpus) => (attr.valueSize !== 4 ? EINVAL : checkHash(attr, cpus)),
  checkInner,
  clear: clearHashSlots,
  access: hashSlotAccess(() => 0),
  lookup: "map",
  ops: ["map_lookup_elem"],
  asInner: false,
};
