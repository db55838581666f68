/** All map types of Linux 6.18 by number. Adding one is one file and one line. */
import {
  BPF_MAP_TYPE_ARENA,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_BLOOM_FILTER,
  BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE_CGROUP_STORAGE,
  BPF_MAP_TYPE_CGRP_STORAGE,
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_INODE_STORAGE,
  BPF_MAP_TYPE_LPM_TRIE,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_QUEUE,
  BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_SK_STORAGE,
  BPF_MAP_TYPE_SOCKHASH,
  BPF_MAP_TYPE_SOCKMAP,
  BPF_MAP_TYPE_STACK,
  BPF_MAP_TYPE_STACK_TRACE,
  BPF_MAP_TYPE_STRUCT_OPS,
  BPF_MAP_TYPE_TASK_STORAGE,
  BPF_MAP_TYPE_USER_RINGBUF,
  BPF_MAP_TYPE_XSKMAP,
} from "../abi/bpf.ts";
import { array, array_of_maps, cgroup_array, percpu_array, perf_event_array, prog_array } from "./array.ts";
import { cpumap, devmap, devmap_hash, xskmap } from "./devmap.ts";
import { hash, hash_of_maps, lru_hash, lru_percpu_hash, percpu_hash } from "./hashtab.ts";
import { lpm_trie } from "./lpm_trie.ts";
import type { MapType } from "./map_type.ts";
import { bloom_filter, queue, stack } from "./queue_stack_maps.ts";
import { ringbuf, user_ringbuf } from "./ringbuf.ts";
import {
  arena,
  cgroup_storage,
  cgrp_storage,
  inode_storage,
  percpu_cgroup_storage,
  reuseport_sockarray,
  sk_storage,
  sockhash,
  sockmap,
  stack_trace,
  struct_ops,
  task_storage,
} from "./sockets.ts";

export const MAP_TYPES: Readonly<Record<number, MapType>> = {
  [BPF_MAP_TYPE_HASH]: hash,
  [BPF_MAP_TYPE_ARRAY]: array,
  [BPF_MAP_TYPE_PROG_ARRAY]: prog_array,
  [BPF_MAP_TYPE_PERF_EVENT_ARRAY]: perf_event_array,
  [BPF_MAP_TYPE_PERCPU_HASH]: percpu_hash,
  [BPF_MAP_TYPE_PERCPU_ARRAY]: percpu_array,
  [BPF_MAP_TYPE_STACK_TRACE]: stack_trace,
  [BPF_MAP_TYPE_CGROUP_ARRAY]: cgroup_array,
  [BPF_MAP_TYPE_LRU_HASH]: lru_hash,
  [BPF_MAP_TYPE_LRU_PERCPU_HASH]: lru_percpu_hash,
  [BPF_MAP_TYPE_LPM_TRIE]: lpm_trie,
  [BPF_MAP_TYPE_ARRAY_OF_MAPS]: array_of_maps,
  [BPF_MAP_TYPE_HASH_OF_MAPS]: hash_of_maps,
  [BPF_MAP_TYPE_DEVMAP]: devmap,
  [BPF_MAP_TYPE_SOCKMAP]: sockmap,
  [BPF_MAP_TYPE_CPUMAP]: cpumap,
  [BPF_MAP_TYPE_XSKMAP]: xskmap,
  [BPF_MAP_TYPE_SOCKHASH]: sockhash,
  [BPF_MAP_TYPE_CGROUP_STORAGE]: cgroup_storage,
  [BPF_MAP_TYPE_REUSEPORT_SOCKARRAY]: reuseport_sockarray,
  [BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: percpu_cgroup_storage,
  [BPF_MAP_TYPE_QUEUE]: queue,
  [BPF_MAP_TYPE_STACK]: stack,
  [BPF_MAP_TYPE_SK_STORAGE]: sk_storage,
  [BPF_MAP_TYPE_DEVMAP_HASH]: devmap_hash,
  [BPF_MAP_TYPE_STRUCT_OPS]: struct_ops,
  [BPF_MAP_TYPE_RINGBUF]: ringbuf,
  [BPF_MAP_TYPE_INODE_STORAGE]: inode_storage,
  [BPF_MAP_TYPE_TASK_STORAGE]: task_storage,
  [BPF_MAP_TYPE_BLOOM_FILTER]: bloom_filter,
  [BPF_MAP_TYPE_USER_RINGBUF]: user_ringbuf,
  [BPF_MAP_TYPE_CGRP_STORAGE]: cgrp_storage,
  [BPF_MAP_TYPE_ARENA]: arena,
};

const RESERVED: ReadonlySet<string> = new Set(Object.values(MAP_TYPES).flatMap((type) => type.reserves ?? []));

/** check_map_func_compatibility(): whether a helper, by name without "bpf_", may be given a map of this type. */
export function mapTypeAllows(type: number, helper: string): boolean {
  const entry = MAP_TYPES[type];
  if (!entry) return false;
  if (entry.ops && !entry.ops.includes(helper)) return false;
  return !RESERVED.has(helper) || (entry.reserves?.includes(helper) ?? false);
}

/** BPF_MAP_TYPE_* of a name as bpftool prints it. */
export function mapTypeByName(name: string): number | undefined {
  const found = Object.entries(MAP_TYPES).find(([, type]) => type.name === name);
  return found && Number(found[0]);
}
