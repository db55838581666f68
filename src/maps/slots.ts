/**
 * Maps whose elements are objects: 8-byte slots {u32 lo, u32 hi} in linear memory, and SlotHooks that say what they
 * mean (docs/ARCHITECTURE.md, "Map records"). Without hooks, bpf(2)'s bytes go into the slot as they are.
 */
import { BPF_NOEXIST } from "../abi/bpf.ts";
import { E2BIG, EEXIST, EINVAL, ENOENT, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import type { BpfMap } from "./bpf_map.ts";
import type { MapAccess, MapAttr } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";

export const SLOT_BYTES = 8;

export interface SlotRules {
  /** bpf(2) cannot read slots, and why. */
  readonly readErrno?: Errno;
  /** Of delete, for an index beyond the end and for an empty slot. */
  readonly deleteRange: Errno;
  readonly deleteEmpty: Errno | 0;
  /** Flags and value, before hooks see them: 0 or the errno. */
  readonly checkUpdate: (map: BpfMap, index: number, value: DataView, flags: number) => Errno | 0;
  /** A value that empties the slot instead of filling it. */
  readonly empties?: (value: DataView) => boolean;
}

export function createSlots(memory: Memory, map: number, attr: MapAttr): void {
  memory.writeU32(map + MAP_RECORD.values, memory.alloc(attr.maxEntries * SLOT_BYTES));
  memory.writeU32(map + MAP_RECORD.stride, SLOT_BYTES);
}

export function clearSlots(map: BpfMap): void {
  const base = map.memory.readU32(map.addr + MAP_RECORD.values);
  for (let i = 0; i < map.maxEntries; i++) clearSlot(map, base + i * SLOT_BYTES);
}

/** Flags of arrays of fds: none. */
export function fdUpdate(_map: BpfMap, _index: number, _value: DataView, flags: number): Errno | 0 {
  return flags === 0 ? 0 : EINVAL;
}

/** Flags of devmap and cpumap: their elements always exist. */
export function deviceUpdate(map: BpfMap, index: number, _value: DataView, flags: number): Errno | 0 {
  if (flags > 2) return EINVAL;
  if (index >= map.maxEntries) return E2BIG;
  return flags === BPF_NOEXIST ? EEXIST : 0;
}

/** Strategy for arrays of slots. */
export function slotAccess(rules: SlotRules): MapAccess {
  return {
    lookup(map, key) {
      if (rules.readErrno) throw map.error(rules.readErrno, "bpf(2) cannot read its elements");
      const slot = slotOf(map, key);
      return slot === 0 ? undefined : readSlot(map, slot);
    },
    update(map, key, value, flags) {
      const index = indexOf(key);
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      const err = rules.checkUpdate(map, index, view, flags);
      if (err !== 0) throw map.error(err, `update of slot ${index}`, { index, flags });
      const slot = slotOf(map, key);
      if (slot === 0) throw map.error(E2BIG, `index ${index}, wanted less than ${map.maxEntries}`, { index });
      if (rules.empties?.(view)) clearSlot(map, slot);
      else writeSlot(map, slot, resolve(map, key, value));
    },
    delete(map, key) {
      const slot = slotOf(map, key);
      const index = indexOf(key);
      if (slot === 0)
        throw map.error(rules.deleteRange, `index ${index}, wanted less than ${map.maxEntries}`, { index });
      if (!clearSlot(map, slot) && rules.deleteEmpty) throw map.error(rules.deleteEmpty, `slot ${index} is empty`);
    },
  };
}

/** Strategy for hash tables whose values are slots. */
export function hashSlotAccess(check: (value: DataView, flags: number) => Errno | 0): MapAccess {
  return {
    lookup(map, key) {
      const slot = slotOf(map, key);
      return slot === 0 ? undefined : readSlot(map, slot);
    },
    update(map, key, value, flags) {
      const err = check(new DataView(value.buffer, value.byteOffset, value.byteLength), flags);
      if (err !== 0) throw map.error(err, "update", { flags });
      const fresh = resolve(map, key, value);
      const old = slotOf(map, key);
      const [lo, hi] = old === 0 ? [0, 0] : words(map, old);
      const bytes = new Uint8Array(SLOT_BYTES);
      new DataView(bytes.buffer).setUint32(0, fresh.lo, true);
      new DataView(bytes.buffer).setUint32(4, fresh.hi, true);
      const done = map.withValue(bytes, (addr) => map.core.map_sys_update(map.addr, map.putKey(key), addr, flags));
      if (done < 0) {
        map.slots?.clear(map, fresh.lo, fresh.hi);
        map.checkErr(done, "update");
      }
      if (lo !== 0) map.slots?.clear(map, lo, hi);
    },
    delete(map, key) {
      const old = slotOf(map, key);
      if (old === 0) throw map.error(ENOENT, "no such key");
      const [lo, hi] = words(map, old);
      map.checkErr(map.core.map_delete_elem(map.addr, map.putKey(key)), "delete");
      map.slots?.clear(map, lo, hi);
    },
  };
}

/** Drops the references of a hash table of slots that is about to be cleared. */
export function clearHashSlots(map: BpfMap): void {
  for (let key = map.getNextKey(); key; key = map.getNextKey(key)) {
    const [lo, hi] = words(map, slotOf(map, key));
    map.slots?.clear(map, lo, hi);
  }
  map.core.htab_clear(map.addr);
}

/** The two words of the slot under a key, whatever bpf(2) would say; undefined when it is empty or there is none. */
export function readSlotWords(map: BpfMap, key: Uint8Array): { lo: number; hi: number } | undefined {
  const slot = slotOf(map, key);
  if (slot === 0) return undefined;
  const [lo, hi] = words(map, slot);
  return lo === 0 && hi === 0 ? undefined : { lo, hi };
}

/** Empties the slots for which pick says so: an object disappears and takes its entries with it. */
export function dropSlots(map: BpfMap, pick: (lo: number, hi: number) => boolean): void {
  const gone: Uint8Array[] = [];
  for (let key = map.getNextKey(); key; key = map.getNextKey(key)) {
    const slot = readSlotWords(map, key);
    if (slot && pick(slot.lo, slot.hi)) gone.push(key);
  }
  for (const key of gone) map.access.delete(map, key);
}

function slotOf(map: BpfMap, key: Uint8Array): number {
  return map.core.map_sys_lookup(map.addr, map.putKey(key)) >>> 0;
}

function indexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
}

function words(map: BpfMap, slot: number): [lo: number, hi: number] {
  return [map.memory.readU32(slot), map.memory.readU32(slot + 4)];
}

function readSlot(map: BpfMap, slot: number): Uint8Array | undefined {
  const [lo, hi] = words(map, slot);
  if (lo === 0 && hi === 0) return undefined;
  return map.slots ? map.slots.read(map, lo, hi) : map.memory.readBytes(slot, map.valueSize);
}

function resolve(map: BpfMap, key: Uint8Array, value: Uint8Array): { lo: number; hi: number } {
  if (map.slots) return map.slots.set(map, key, value);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { lo: view.getUint32(0, true), hi: value.length >= 8 ? view.getUint32(4, true) : 0 };
}

function writeSlot(map: BpfMap, slot: number, { lo, hi }: { lo: number; hi: number }): void {
  const [oldLo, oldHi] = words(map, slot);
  map.memory.writeU64Parts(slot, lo, hi);
  if (oldLo !== 0 || oldHi !== 0) map.slots?.clear(map, oldLo, oldHi);
}

/** False when the slot was empty already. */
function clearSlot(map: BpfMap, slot: number): boolean {
  const [lo, hi] = words(map, slot);
  if (lo === 0 && hi === 0) return false;
  map.memory.writeU64Parts(slot, 0, 0);
  map.slots?.clear(map, lo, hi);
  return true;
}
