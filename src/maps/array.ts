/**
 * Arrays: ARRAY and PERCPU_ARRAY, and the arrays of fds: PROG_ARRAY, PERF_EVENT_ARRAY, CGROUP_ARRAY, ARRAY_OF_MAPS.
 *
 * Source   kernel/bpf/arraymap.c.
 */
import {
  BPF_F_INNER_MAP,
  BPF_F_MMAPABLE,
  BPF_F_NUMA_NODE,
  BPF_F_PRESERVE_ELEMS,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERF_EVENT_ARRAY,
} from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENOENT, ENOTSUPP, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import { elemAccess } from "./access.ts";
import { ACCESS_FLAGS, accessOk, has, hasNumaNode, PCPU_MIN_UNIT_SIZE, PROG_FLAGS, roundUp } from "./check.ts";
import { ANY_FIELD, KPTR_FIELDS } from "./fields.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";
import { clearSlots, createSlots, fdUpdate, slotAccess } from "./slots.ts";

const FLAGS = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | ACCESS_FLAGS | BPF_F_PRESERVE_ELEMS | BPF_F_INNER_MAP;

/** array_map_alloc_check() */
export function checkArray(attr: MapAttr): Errno | 0 {
  const percpu = attr.type === BPF_MAP_TYPE_PERCPU_ARRAY;
  if (attr.maxEntries === 0 || attr.keySize !== 4 || attr.valueSize === 0 || has(attr, ~FLAGS)) return EINVAL;
  if (!accessOk(attr) || (percpu && hasNumaNode(attr))) return EINVAL;
  if (attr.type !== BPF_MAP_TYPE_ARRAY && has(attr, BPF_F_MMAPABLE | BPF_F_INNER_MAP)) return EINVAL;
  if (attr.type !== BPF_MAP_TYPE_PERF_EVENT_ARRAY && has(attr, BPF_F_PRESERVE_ELEMS)) return EINVAL;
  if (attr.valueSize > 0x7fffffff) return E2BIG;
  return percpu && roundUp(attr.valueSize, 8) > PCPU_MIN_UNIT_SIZE ? E2BIG : 0;
}

/** fd_array_map_alloc_check() */
function checkFdArray(attr: MapAttr): Errno | 0 {
  return attr.valueSize !== 4 || has(attr, PROG_FLAGS) ? EINVAL : checkArray(attr);
}

function createArray(memory: Memory, map: number, attr: MapAttr, copies: number): void {
  const stride = roundUp(attr.valueSize, 8);
  const cpuStride = attr.maxEntries * stride;
  const values = memory.alloc(cpuStride * copies, has(attr, BPF_F_MMAPABLE) ? 4096 : 16);
  memory.writeU32(map + MAP_RECORD.values, values);
  memory.writeU32(map + MAP_RECORD.stride, stride);
  memory.writeU32(map + MAP_RECORD.cpuStride, cpuStride);
}

export const array: MapType = {
  name: "array",
  btf: "array",
  flags: FLAGS & ~BPF_F_PRESERVE_ELEMS,
  privilege: "none",
  check: checkArray,
  create: (memory, map, attr) => createArray(memory, map, attr, 1),
  clear: (map) => map.core.array_clear(map.addr),
  access: elemAccess,
  batch: "array",
  array: true,
  directValue: true,
  fields: ANY_FIELD,
};

export const percpu_array: MapType = {
  name: "percpu_array",
  btf: "array",
  flags: ACCESS_FLAGS,
  privilege: "none",
  check: checkArray,
  create: (memory, map, attr) => createArray(memory, map, attr, memory.cpus),
  clear: (map) => map.core.array_clear(map.addr),
  access: elemAccess,
  batch: "array",
  percpu: true,
  array: true,
  reserves: ["map_lookup_percpu_elem"],
  fields: KPTR_FIELDS,
};

const FD_FLAGS = BPF_F_NUMA_NODE | (ACCESS_FLAGS & ~PROG_FLAGS);
const FD_SLOTS = { deleteRange: E2BIG, deleteEmpty: ENOENT, checkUpdate: fdUpdate } as const;

export const prog_array: MapType = {
  name: "prog_array",
  flags: FD_FLAGS,
  privilege: "none",
  check: checkFdArray,
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess(FD_SLOTS),
  ops: ["tail_call"],
  reserves: ["tail_call"],
  asInner: false,
};

const PERF_HELPERS = ["perf_event_read", "perf_event_output", "skb_output", "perf_event_read_value", "xdp_output"];

export const perf_event_array: MapType = {
  name: "perf_event_array",
  btf: "none",
  flags: FD_FLAGS | BPF_F_PRESERVE_ELEMS,
  privilege: "none",
  check: checkFdArray,
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess({ ...FD_SLOTS, readErrno: ENOTSUPP }),
  ops: PERF_HELPERS,
  reserves: PERF_HELPERS,
};

const CGROUP_HELPERS = ["skb_under_cgroup", "current_task_under_cgroup"];

export const cgroup_array: MapType = {
  name: "cgroup_array",
  btf: "none",
  flags: FD_FLAGS,
  privilege: "none",
  check: checkFdArray,
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess({ ...FD_SLOTS, readErrno: ENOTSUPP }),
  ops: CGROUP_HELPERS,
  reserves: CGROUP_HELPERS,
};

export const array_of_maps: MapType = {
  name: "array_of_maps",
  btf: "none",
  flags: FD_FLAGS,
  privilege: "none",
  check: checkFdArray,
  checkInner,
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess(FD_SLOTS),
  batch: "array",
  lookup: "map",
  ops: ["map_lookup_elem"],
  asInner: false,
};

/** bpf_map_meta_alloc(): no maps of maps of maps, and only types that can be compared. */
export function checkInner(attr: MapAttr): Errno | 0 {
  if (!attr.inner || attr.inner.type.lookup === "map") return EINVAL;
  return attr.inner.type.asInner === false ? ENOTSUPP : 0;
}
