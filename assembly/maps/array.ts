/**
 * Arrays: BPF_MAP_TYPE_ARRAY and PERCPU_ARRAY; and the arrays of slots (slots.ts) iterate as these do.
 *
 * Key      u32 index.
 * Storage  MAP_VALUES + cpu * MAP_CPU_STRIDE + index * MAP_STRIDE.
 * Errors   update: EINVAL unknown flags, E2BIG beyond the end, EEXIST with BPF_NOEXIST; delete: EINVAL.
 * Source   kernel/bpf/arraymap.c.
 */
import { currentCpu } from "../memory/cpu_ctx";
import { lock, unlock } from "../memory/lock";
import {
  BPF_F_LOCK, BPF_NOEXIST, E2BIG, EEXIST, EINVAL, ENOENT, MAP_CPUS, MAP_CPU_STRIDE, MAP_LOCK, MAP_NEEDS_FREE,
  MAP_STRIDE, MAP_VALUES, maxEntries,
} from "./record";
import { copyValue, freeFields, freeFieldsAllCpus, hasSpinLock, unknownFlags } from "./value";

// @ts-ignore: decorator
@inline
function elementAt(map: u32, index: u32): u32 {
  return load<u32>(map, MAP_VALUES) + index * load<u32>(map, MAP_STRIDE);
}

export function array_lookup_elem(map: u32, key: u32): u32 {
  const index = load<u32>(key);
  return index < maxEntries(map) ? elementAt(map, index) : 0;
}

export function array_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (unknownFlags(flags)) return EINVAL;
  const index = load<u32>(key);
  if (index >= maxEntries(map)) return E2BIG;
  if ((flags & BPF_NOEXIST) != 0) return EEXIST;
  if ((flags & BPF_F_LOCK) != 0 && !hasSpinLock(map)) return EINVAL;
  const dst = elementAt(map, index);
  if ((flags & BPF_F_LOCK) != 0) lock(map + MAP_LOCK);
  copyValue(map, dst, value);
  if ((flags & BPF_F_LOCK) != 0) unlock(map + MAP_LOCK);
  freeFields(map, dst);
  return 0;
}

export function percpu_array_lookup_elem(map: u32, key: u32): u32 {
  const index = load<u32>(key);
  return index < maxEntries(map) ? elementAt(map, index) + currentCpu() * load<u32>(map, MAP_CPU_STRIDE) : 0;
}

export function percpu_array_lookup_percpu_elem(map: u32, key: u32, cpu: u32): u32 {
  const index = load<u32>(key);
  if (cpu >= load<u32>(map, MAP_CPUS) || index >= maxEntries(map)) return 0;
  return elementAt(map, index) + cpu * load<u32>(map, MAP_CPU_STRIDE);
}

/** From programs: this CPU's value. */
export function percpu_array_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (unknownFlags(flags)) return EINVAL;
  const index = load<u32>(key);
  if (index >= maxEntries(map)) return E2BIG;
  if ((flags & BPF_NOEXIST) != 0) return EEXIST;
  if ((flags & BPF_F_LOCK) != 0 && !hasSpinLock(map)) return EINVAL;
  const dst = elementAt(map, index) + currentCpu() * load<u32>(map, MAP_CPU_STRIDE);
  copyValue(map, dst, value);
  freeFields(map, dst);
  return 0;
}

/** From bpf(2): value holds the values of all CPUs, MAP_STRIDE bytes each. */
export function percpuArrayUpdateAll(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (flags > 2) return EINVAL;
  const index = load<u32>(key);
  if (index >= maxEntries(map)) return E2BIG;
  if (flags == BPF_NOEXIST) return EEXIST;
  const cpus = load<u32>(map, MAP_CPUS);
  let dst = elementAt(map, index);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    copyValue(map, dst, value);
    freeFields(map, dst);
    dst += load<u32>(map, MAP_CPU_STRIDE);
    value += load<u32>(map, MAP_STRIDE);
  }
  return 0;
}

/** A key that is no index, or none, starts again at 0. */
export function array_get_next_key(map: u32, key: u32, next: u32): i32 {
  const index: u32 = key == 0 ? 0xffffffff : load<u32>(key);
  const n = maxEntries(map);
  if (index >= n) {
    store<u32>(next, 0);
    return 0;
  }
  if (index == n - 1) return ENOENT;
  store<u32>(next, index + 1);
  return 0;
}

/** Drops what the values own; the map is about to be freed. */
export function array_clear(map: u32): void {
  if (load<u32>(map, MAP_NEEDS_FREE) == 0) return;
  const n = maxEntries(map);
  for (let index: u32 = 0; index < n; index++) freeFieldsAllCpus(map, elementAt(map, index));
}
