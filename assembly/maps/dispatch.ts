/**
 * The map operations of programs and of bpf(2), for a map known only at run time. Where the map is constant, the JIT
 * calls the functions of its type.
 *
 * A map address is a record (record.ts). Pointers are u32, 0 is NULL; errors are negative errnos.
 */
import {
  array_get_next_key, array_lookup_elem, array_update_elem, percpuArrayUpdateAll, percpu_array_lookup_elem,
  percpu_array_lookup_percpu_elem, percpu_array_update_elem,
} from "./array";
import { bloom_peek_elem, bloom_push_elem } from "./bloom_filter";
import {
  htabSysLookup, htabWalk, htab_delete_elem, htab_get_next_key, htab_lookup_elem, htab_of_maps_lookup_elem,
  htab_update_elem, lruPercpuHtabUpdate, lru_htab_delete_elem, lru_htab_get_next_key, lru_htab_lookup_elem,
  lru_htab_update_elem, lru_percpu_htab_lookup_elem, lru_percpu_htab_lookup_percpu_elem, percpuHtabUpdate,
  percpu_htab_lookup_elem, percpu_htab_lookup_percpu_elem,
} from "./hashtab";
import { trie_delete_elem, trie_get_next_key, trie_lookup_elem, trie_update_elem } from "./lpm_trie";
import {
  queue_peek_elem, queue_pop_elem, queue_stack_push_elem, stack_peek_elem, stack_pop_elem,
} from "./queue_stack_maps";
import {
  EINVAL, ENOTSUPP, EOPNOTSUPP, MAP_CPU_STRIDE, MAP_STRIDE, MAP_TYPE, MAP_VALUES, MAP_VALUE_OFF, TYPE_ARRAY,
  TYPE_ARRAY_OF_MAPS, TYPE_BLOOM_FILTER, TYPE_CGROUP_ARRAY, TYPE_CPUMAP, TYPE_DEVMAP, TYPE_DEVMAP_HASH, TYPE_HASH,
  TYPE_HASH_OF_MAPS, TYPE_LPM_TRIE, TYPE_LRU_HASH, TYPE_LRU_PERCPU_HASH, TYPE_PERCPU_ARRAY, TYPE_PERCPU_HASH,
  TYPE_PERF_EVENT_ARRAY, TYPE_PROG_ARRAY, TYPE_QUEUE, TYPE_STACK, TYPE_XSKMAP, maxEntries,
} from "./record";
import { currentCpu } from "../memory/cpu_ctx";
import { array_of_maps_lookup_elem, slotSys, slot_lookup_elem } from "./slots";

/** What bpf_map_lookup_elem() gives a program. */
export function map_lookup_elem(map: u32, key: u32): u32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_HASH:
    case TYPE_DEVMAP_HASH: return htab_lookup_elem(map, key);
    case TYPE_ARRAY: return array_lookup_elem(map, key);
    case TYPE_PERCPU_HASH: return percpu_htab_lookup_elem(map, key);
    case TYPE_PERCPU_ARRAY: return percpu_array_lookup_elem(map, key);
    case TYPE_LRU_HASH: return lru_htab_lookup_elem(map, key);
    case TYPE_LRU_PERCPU_HASH: return lru_percpu_htab_lookup_elem(map, key);
    case TYPE_LPM_TRIE: return trie_lookup_elem(map, key);
    case TYPE_ARRAY_OF_MAPS: return array_of_maps_lookup_elem(map, key);
    case TYPE_HASH_OF_MAPS: return htab_of_maps_lookup_elem(map, key);
    case TYPE_DEVMAP:
    case TYPE_CPUMAP:
    case TYPE_XSKMAP: return slot_lookup_elem(map, key);
    default: return 0;
  }
}

export function map_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_HASH: return htab_update_elem(map, key, value, flags);
    case TYPE_ARRAY: return array_update_elem(map, key, value, flags);
    case TYPE_PERCPU_HASH: return percpuHtabUpdate(map, key, value, flags, false);
    case TYPE_PERCPU_ARRAY: return percpu_array_update_elem(map, key, value, flags);
    case TYPE_LRU_HASH: return lru_htab_update_elem(map, key, value, flags);
    case TYPE_LRU_PERCPU_HASH: return lruPercpuHtabUpdate(map, key, value, flags, false);
    case TYPE_LPM_TRIE: return trie_update_elem(map, key, value, flags);
    case TYPE_QUEUE:
    case TYPE_STACK:
    case TYPE_BLOOM_FILTER: return EINVAL;
    default: return ENOTSUPP;
  }
}

export function map_delete_elem(map: u32, key: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_HASH:
    case TYPE_PERCPU_HASH:
    case TYPE_HASH_OF_MAPS:
    case TYPE_DEVMAP_HASH: return htab_delete_elem(map, key);
    case TYPE_LRU_HASH:
    case TYPE_LRU_PERCPU_HASH: return lru_htab_delete_elem(map, key);
    case TYPE_LPM_TRIE: return trie_delete_elem(map, key);
    case TYPE_ARRAY:
    case TYPE_PERCPU_ARRAY:
    case TYPE_QUEUE:
    case TYPE_STACK: return EINVAL;
    case TYPE_BLOOM_FILTER: return EOPNOTSUPP;
    default: return ENOTSUPP;
  }
}

export function map_push_elem(map: u32, value: u32, flags: u64): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_QUEUE:
    case TYPE_STACK: return queue_stack_push_elem(map, value, flags);
    case TYPE_BLOOM_FILTER: return bloom_push_elem(map, value, flags);
    default: return ENOTSUPP;
  }
}

export function map_pop_elem(map: u32, value: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_QUEUE: return queue_pop_elem(map, value);
    case TYPE_STACK: return stack_pop_elem(map, value);
    case TYPE_BLOOM_FILTER: return EOPNOTSUPP;
    default: return ENOTSUPP;
  }
}

export function map_peek_elem(map: u32, value: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_QUEUE: return queue_peek_elem(map, value);
    case TYPE_STACK: return stack_peek_elem(map, value);
    case TYPE_BLOOM_FILTER: return bloom_peek_elem(map, value);
    default: return ENOTSUPP;
  }
}

export function map_lookup_percpu_elem(map: u32, key: u32, cpu: u32): u32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_PERCPU_ARRAY: return percpu_array_lookup_percpu_elem(map, key, cpu);
    case TYPE_PERCPU_HASH: return percpu_htab_lookup_percpu_elem(map, key, cpu);
    case TYPE_LRU_PERCPU_HASH: return lru_percpu_htab_lookup_percpu_elem(map, key, cpu);
    default: return 0;
  }
}

export function map_get_next_key(map: u32, key: u32, next: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_ARRAY:
    case TYPE_PERCPU_ARRAY:
    case TYPE_PROG_ARRAY:
    case TYPE_PERF_EVENT_ARRAY:
    case TYPE_CGROUP_ARRAY:
    case TYPE_ARRAY_OF_MAPS:
    case TYPE_DEVMAP:
    case TYPE_CPUMAP:
    case TYPE_XSKMAP: return array_get_next_key(map, key, next);
    case TYPE_HASH:
    case TYPE_PERCPU_HASH:
    case TYPE_HASH_OF_MAPS:
    case TYPE_DEVMAP_HASH: return htab_get_next_key(map, key, next);
    case TYPE_LRU_HASH:
    case TYPE_LRU_PERCPU_HASH: return lru_htab_get_next_key(map, key, next);
    case TYPE_LPM_TRIE: return trie_get_next_key(map, key, next);
    case TYPE_QUEUE:
    case TYPE_STACK: return EINVAL;
    case TYPE_BLOOM_FILTER: return EOPNOTSUPP;
    default: return ENOTSUPP;
  }
}

/**
 * bpf(2): the address of what is stored under key, or 0. Per-CPU types give CPU 0's value, the others MAP_CPU_STRIDE
 * apart; types of slots give the slot, empty or not.
 */
export function map_sys_lookup(map: u32, key: u32): u32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_HASH:
    case TYPE_PERCPU_HASH:
    case TYPE_HASH_OF_MAPS:
    case TYPE_DEVMAP_HASH: return htabSysLookup(map, key, false);
    case TYPE_LRU_HASH:
    case TYPE_LRU_PERCPU_HASH: return htabSysLookup(map, key, true);
    case TYPE_ARRAY:
    case TYPE_PERCPU_ARRAY: return array_lookup_elem(map, key);
    case TYPE_LPM_TRIE: return trie_lookup_elem(map, key);
    case TYPE_PROG_ARRAY:
    case TYPE_PERF_EVENT_ARRAY:
    case TYPE_CGROUP_ARRAY:
    case TYPE_ARRAY_OF_MAPS:
    case TYPE_DEVMAP:
    case TYPE_CPUMAP:
    case TYPE_XSKMAP: return slotSys(map, key);
    default: return 0;
  }
}

/**
 * bpf(2): as map_update_elem, with a value for every CPU where the type is per-CPU; also stores into HASH_OF_MAPS and
 * DEVMAP_HASH, whose values programs may not write.
 */
export function map_sys_update(map: u32, key: u32, value: u32, flags: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case TYPE_PERCPU_HASH: return percpuHtabUpdate(map, key, value, flags, true);
    case TYPE_LRU_PERCPU_HASH: return lruPercpuHtabUpdate(map, key, value, flags, true);
    case TYPE_PERCPU_ARRAY: return percpuArrayUpdateAll(map, key, value, flags);
    case TYPE_HASH_OF_MAPS:
    case TYPE_DEVMAP_HASH: return htab_update_elem(map, key, value, flags);
    default: return map_update_elem(map, key, value, flags);
  }
}

export function map_sys_push(map: u32, value: u32, flags: u32): i32 {
  return map_push_elem(map, value, flags);
}

/**
 * One step of bpf_for_each_map_elem(): the next element's value for this CPU, or 0 at the end. The cursor is 16 bytes,
 * zero at the start: two words of position, u32 address of the key, u32 spare (the index, which is the key of arrays).
 * Elements may be deleted between steps.
 */
export function map_for_each_step(map: u32, cursor: u32): u32 {
  const type = load<u32>(map, MAP_TYPE);
  switch (type) {
    case TYPE_ARRAY:
    case TYPE_PERCPU_ARRAY: {
      const index = load<u32>(cursor);
      if (index >= maxEntries(map)) return 0;
      store<u32>(cursor, index + 1);
      store<u32>(cursor, cursor + 12, 8);
      store<u32>(cursor, index, 12);
      const value = load<u32>(map, MAP_VALUES) + index * load<u32>(map, MAP_STRIDE);
      return type == TYPE_ARRAY ? value : value + currentCpu() * load<u32>(map, MAP_CPU_STRIDE);
    }
    case TYPE_HASH:
    case TYPE_PERCPU_HASH:
    case TYPE_LRU_HASH:
    case TYPE_LRU_PERCPU_HASH: {
      const elem = htabWalk(map, cursor);
      if (elem == 0) return 0;
      const lru = type == TYPE_LRU_HASH || type == TYPE_LRU_PERCPU_HASH;
      const percpu = type == TYPE_PERCPU_HASH || type == TYPE_LRU_PERCPU_HASH;
      store<u32>(cursor, elem + (lru ? 24 : 8), 8);
      const value = elem + load<u32>(map, MAP_VALUE_OFF);
      return percpu ? value + currentCpu() * load<u32>(map, MAP_CPU_STRIDE) : value;
    }
    default: return 0;
  }
}
