/**
 * QUEUE, STACK and BLOOM_FILTER: maps without keys.
 *
 * Source   kernel/bpf/queue_stack_maps.c, kernel/bpf/bloom_filter.c.
 */
import { BPF_F_NUMA_NODE, BPF_F_ZERO_SEED } from "../abi/bpf.ts";
import { E2BIG, EINVAL, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import { bloomAccess, queueAccess } from "./access.ts";
import { ACCESS_FLAGS, accessOk, has, KMALLOC_MAX_SIZE, powerOfTwo } from "./check.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";

const QUEUE_FLAGS = BPF_F_NUMA_NODE | ACCESS_FLAGS;
const BLOOM_FLAGS = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | ACCESS_FLAGS;

function checkQueue(attr: MapAttr): Errno | 0 {
  if (attr.maxEntries === 0 || attr.keySize !== 0 || attr.valueSize === 0) return EINVAL;
  if (has(attr, ~QUEUE_FLAGS) || !accessOk(attr)) return EINVAL;
  if (attr.valueSize > KMALLOC_MAX_SIZE) return E2BIG;
  return attr.maxEntries >= Math.floor(0xffffffff / attr.valueSize) ? E2BIG : 0;
}

function createQueue(memory: Memory, map: number, attr: MapAttr): void {
  memory.writeU32(map + MAP_RECORD.values, memory.alloc((attr.maxEntries + 1) * attr.valueSize));
}

const QUEUE_OPS = ["map_peek_elem", "map_pop_elem", "map_push_elem"];

export const queue: MapType = {
  name: "queue",
  flags: QUEUE_FLAGS,
  privilege: "bpf",
  check: checkQueue,
  create: createQueue,
  access: queueAccess,
  ops: QUEUE_OPS,
  reserves: QUEUE_OPS,
};

export const stack: MapType = { ...queue, name: "stack" };

function checkBloom(attr: MapAttr): Errno | 0 {
  if (attr.valueSize > KMALLOC_MAX_SIZE) return E2BIG;
  if (attr.keySize !== 0 || attr.valueSize === 0 || attr.maxEntries === 0) return EINVAL;
  if (has(attr, ~BLOOM_FLAGS) || !accessOk(attr)) return EINVAL;
  return ((attr.mapExtra ?? 0n) & ~0xfn) !== 0n ? EINVAL : 0;
}

function createBloom(memory: Memory, map: number, attr: MapAttr): void {
  const hashes = Number(attr.mapExtra ?? 0n) || 5;
  // n * k / ln 2 bits, with 7/5 for 1 / ln 2.
  const wanted = Math.floor((attr.maxEntries * hashes) / 5) * 7;
  const overflow = attr.maxEntries * hashes > 0xffffffff || wanted > 2 ** 31;
  const bits = overflow ? 2 ** 32 : powerOfTwo(Math.max(wanted, 64));
  memory.writeU32(map + MAP_RECORD.values, memory.alloc(bits / 8));
  memory.writeU32(map + MAP_RECORD.private, bits - 1);
  memory.writeU32(map + MAP_RECORD.private + 4, hashes);
}

const BLOOM_OPS = ["map_peek_elem", "map_push_elem"];

export const bloom_filter: MapType = {
  name: "bloom_filter",
  btf: "any",
  flags: BLOOM_FLAGS,
  privilege: "bpf",
  check: checkBloom,
  checkedLate: true,
  create: createBloom,
  access: bloomAccess,
  ops: BLOOM_OPS,
  reserves: BLOOM_OPS,
};
