/**
 * Arrays of objects: PROG_ARRAY, PERF_EVENT_ARRAY, CGROUP_ARRAY, ARRAY_OF_MAPS, DEVMAP, CPUMAP, XSKMAP.
 *
 * A slot is 8 bytes, {u32 object, u32 extra}; 0, 0 is empty. Programs never write slots; the owner of the objects does,
 * through src/maps (docs/ARCHITECTURE.md, "Map records").
 *
 *     prog array        u32 wasm table index (JIT)  u32 handle of the program (interpreter)
 *     array of maps     u32 address of the inner record  0
 *     perf event array  u32 address of the perf ring     u32 handle
 *     devmap            u32 ifindex                      u32 program handle or 0
 *     cpumap            u32 queue size                   u32 program handle or 0
 *     xskmap, cgroup    u32 handle                       0
 */
import { MAP_VALUES, maxEntries } from "./record";

/** The address of the slot, or 0 when the index is beyond the end. */
// @ts-ignore: decorator
@inline
function slotAt(map: u32, key: u32): u32 {
  const index = load<u32>(key);
  return index < maxEntries(map) ? load<u32>(map, MAP_VALUES) + index * 8 : 0;
}

/** Programs get the inner map's record, or NULL. */
export function array_of_maps_lookup_elem(map: u32, key: u32): u32 {
  const slot = slotAt(map, key);
  return slot == 0 ? 0 : load<u32>(slot);
}

/** devmap, cpumap, xskmap: programs get the slot itself, read-only, or NULL when it is empty. */
export function slot_lookup_elem(map: u32, key: u32): u32 {
  const slot = slotAt(map, key);
  return slot == 0 || load<u32>(slot) == 0 ? 0 : slot;
}

/** For bpf(2): the slot, empty or not. */
export function slotSys(map: u32, key: u32): u32 {
  return slotAt(map, key);
}
