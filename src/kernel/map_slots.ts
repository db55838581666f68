/**
 * What the slots of object maps hold, and the references they take: prog arrays, maps of maps, devmaps, cpumaps, perf
 * event arrays.
 *
 * Errors   EBADF no such fd, EINVAL the wrong kind of object or one that does not fit, ENOTSOCK an fd that is no socket;
 *          EOPNOTSUPP and ENOTSUPP objects that may be put there but that no map holds here.
 */
import * as abi from "../abi/bpf.ts";
import { EBADF, EBUSY, EINVAL, ENOTSOCK, ENOTSUPP, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import type { BpfMap } from "../maps/bpf_map.ts";
import { mapMetaEqual } from "../maps/create.ts";
import type { SlotHooks } from "../maps/map_type.ts";
import { dropSlots, readSlotWords } from "../maps/slots.ts";
import type { VAddr } from "../memory/memory.ts";
import type { VerifiedProg } from "../verifier/platform.ts";
import type { Fd } from "./bpf.ts";
import { checkNoLoop } from "./freplace/loops.ts";
import type { Kernel } from "./kernel.ts";
import type { KMap } from "./map.ts";
import type { KObject, ObjKind } from "./objects.ts";
import { type ProgFacts, resolvedType } from "./prog.ts";

interface Slot {
  readonly lo: number;
  readonly hi: number;
}

const u32 = (bytes: Uint8Array, at = 0) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

function bytesOf(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** Hooks of a map type; undefined for types whose elements are bytes. */
export function slotHooks(kernel: Kernel, mapType: number): SlotHooks | undefined {
  switch (mapType) {
    case abi.BPF_MAP_TYPE_PROG_ARRAY:
      return progArray(kernel);
    case abi.BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case abi.BPF_MAP_TYPE_HASH_OF_MAPS:
      return mapOfMaps(kernel);
    case abi.BPF_MAP_TYPE_DEVMAP:
    case abi.BPF_MAP_TYPE_DEVMAP_HASH:
      return withProg(kernel, abi.BPF_XDP_DEVMAP, true);
    case abi.BPF_MAP_TYPE_CPUMAP:
      return withProg(kernel, abi.BPF_XDP_CPUMAP, false);
    case abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      return perfEventArray(kernel);
    case abi.BPF_MAP_TYPE_CGROUP_ARRAY:
      return fdsOf(kernel, "cgroup", EBADF);
    case abi.BPF_MAP_TYPE_XSKMAP:
    case abi.BPF_MAP_TYPE_SOCKMAP:
    case abi.BPF_MAP_TYPE_SOCKHASH:
    case abi.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
      return fdsOf(kernel, "socket", ENOTSOCK);
    default:
      return undefined;
  }
}

/** What the slots of a map hold, once for each slot. */
export function* heldBySlots(kernel: Kernel, map: BpfMap): Iterable<KObject> {
  const held = HELD_BY_TYPE[map.attr.type];
  if (!held) return;
  for (let key = map.getNextKey(); key; key = map.getNextKey(key)) {
    const slot = readSlotWords(map, key);
    const obj = slot && held(kernel, slot);
    if (obj) yield obj;
  }
}

/** Empties the slots that hold the object. */
export function dropHeld(kernel: Kernel, map: BpfMap, obj: KObject): void {
  const held = HELD_BY_TYPE[map.attr.type];
  if (held) dropSlots(map, (lo, hi) => held(kernel, { lo, hi }) === obj);
}

const progOfSlot = (kernel: Kernel, { hi }: Slot): KObject | undefined => (hi ? kernel.progs.find(hi) : undefined);
const mapOfSlot = (kernel: Kernel, { lo }: Slot): KObject | undefined => (lo ? kernel.mapAt(lo) : undefined);

const HELD_BY_TYPE: Readonly<Record<number, (kernel: Kernel, slot: Slot) => KObject | undefined>> = {
  [abi.BPF_MAP_TYPE_PROG_ARRAY]: progOfSlot,
  [abi.BPF_MAP_TYPE_DEVMAP]: progOfSlot,
  [abi.BPF_MAP_TYPE_DEVMAP_HASH]: progOfSlot,
  [abi.BPF_MAP_TYPE_CPUMAP]: progOfSlot,
  [abi.BPF_MAP_TYPE_ARRAY_OF_MAPS]: mapOfSlot,
  [abi.BPF_MAP_TYPE_HASH_OF_MAPS]: mapOfSlot,
};

/** {table index of the JIT's function, program id}. */
function progArray(kernel: Kernel): SlotHooks {
  return {
    set(map, _key, value): Slot {
      const prog = kernel.caller.progAt(u32(value) as Fd);
      claimProgArray(kernel, map, prog.facts, prog.verified);
      if (prog.extended) {
        throw map.error(EBUSY, `program '${prog.name}' has functions that are replaced, so nothing may tail-call it`);
      }
      checkNoLoop(kernel, map, prog);
      prog.arraySlots++;
      prog.get();
      return { lo: prog.runnable("jit").tailEntry, hi: prog.id };
    },
    clear(_map, _lo, hi) {
      const prog = kernel.progs.find(hi);
      if (!prog) return;
      prog.arraySlots--;
      prog.put();
    },
    read: (_map, _lo, hi) => bytesOf(hi),
  };
}

/** Facts in which all programs of one prog array agree: those that are in it and those that call into it. */
export interface ProgArrayOwner
  extends Pick<ProgFacts, "type" | "expectedAttachType" | "flags" | "attachBtf" | "attachBtfId"> {
  /** Ids of the cgroup storage maps that helpers find, by type; 0 = none. */
  readonly storage: readonly number[];
}

const STORAGE_TYPES = [abi.BPF_MAP_TYPE_CGROUP_STORAGE, abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE];

/**
 * The first program that uses a prog array, or is put into it, decides what all others must be like, for the map's life
 * (bpf_prog_map_compatible()). A callee finds the storage of its caller, so they must use the same; a program without
 * storage may be called if it calls no further. @throws EINVAL
 */
export function claimProgArray(
  kernel: Kernel,
  map: BpfMap,
  facts: ProgFacts,
  { usedMaps, hasTailCall }: Pick<VerifiedProg, "usedMaps" | "hasTailCall">,
): void {
  const maps = usedMaps as readonly KMap[];
  const storage = STORAGE_TYPES.map((type) => maps.find((m) => m.type === type)?.id ?? 0);
  const type = resolvedType(facts);
  const owner = kernel.progArrayOwners.get(map);
  if (!owner) {
    const { expectedAttachType, flags, attachBtf, attachBtfId } = facts;
    kernel.progArrayOwners.set(map, { type, expectedAttachType, flags, attachBtf, attachBtfId, storage });
    return;
  }
  const frags = (f: Pick<ProgFacts, "flags">) => f.flags & abi.BPF_F_XDP_HAS_FRAGS;
  const fits =
    owner.type === type &&
    owner.expectedAttachType === facts.expectedAttachType &&
    owner.attachBtf === facts.attachBtf &&
    owner.attachBtfId === facts.attachBtfId &&
    frags(owner) === frags(facts) &&
    storage.every((id, i) => id === owner.storage[i] || (id === 0 && !hasTailCall));
  if (!fits) throw map.error(EINVAL, `program '${facts.name}' does not fit the programs of this array`, { type });
}

function mapOfMaps(kernel: Kernel): SlotHooks {
  return {
    set(map, _key, value): Slot {
      const inner = kernel.caller.mapAt(u32(value) as Fd);
      const meta = map.attr.inner;
      if (inner.map.type.asInner === false || inner.facts.inner)
        throw map.error(EINVAL, `map '${inner.name}' cannot be an inner map`);
      if (meta && !mapMetaEqual(meta, inner.map)) {
        throw map.error(EINVAL, `map '${inner.name}' differs from the declared inner map`);
      }
      checkNoLoop(kernel, map, inner);
      inner.get();
      return { lo: inner.addr, hi: 0 };
    },
    clear(_map, lo) {
      kernel.mapAt(lo)?.put();
    },
    read: (_map, lo) => bytesOf(kernel.mapAt(lo)?.id ?? 0),
  };
}

/** {ifindex or queue size, program id or 0}. */
function withProg(kernel: Kernel, attachType: number, device: boolean): SlotHooks {
  return {
    set(map, _key, value): Slot {
      const lo = u32(value);
      const fd = value.length >= 8 ? u32(value, 4) | 0 : 0;
      if (device && !kernel.deviceExists(lo)) {
        throw map.error(EINVAL, `no device has ifindex ${lo}`, { ifindex: lo });
      }
      if (fd <= 0) return { lo, hi: 0 };
      const prog = kernel.caller.progAt(fd as Fd);
      if (prog.type !== abi.BPF_PROG_TYPE_XDP || prog.facts.expectedAttachType !== attachType) {
        throw map.error(EINVAL, `program '${prog.name}' is not of this map's attach type`, { type: prog.type });
      }
      checkNoLoop(kernel, map, prog);
      prog.get();
      return { lo, hi: prog.id };
    },
    clear(_map, _lo, hi) {
      if (hi) kernel.progs.find(hi)?.put();
    },
    read: (map, lo, hi) => (map.valueSize >= 8 ? bytesOf(lo, hi) : bytesOf(lo)),
  };
}

/** Arrays whose objects programs cannot use here: nothing is stored, and an fd that would not do either says why on Linux. */
function fdsOf(kernel: Kernel, kind: ObjKind, wrongKind: Errno): SlotHooks {
  return {
    set(map, _key, value) {
      const fd = u32(value);
      const obj = kernel.caller.fdTable.find(fd);
      const { fdTable } = kernel.caller;
      if (obj?.kind !== kind)
        throw map.error(fdTable.isOpen(fd) ? wrongKind : EBADF, `fd ${fd} is no ${kind}'s`, { fd });
      throw map.error(EOPNOTSUPP, `no map holds a ${kind} here`, { fd });
    },
    clear() {},
    read: () => bytesOf(0),
  };
}

/** {address of the perf ring, 0}: made by Process.mapReader, not by fds. */
function perfEventArray(kernel: Kernel): SlotHooks {
  return {
    set(map, _key, value) {
      const fd = u32(value);
      if (kernel.caller.fdTable.find(fd)?.kind !== "perf_event") throw map.error(EBADF, `fd ${fd} is no perf event's`);
      throw map.error(ENOTSUPP, "perf events are put there by mapReader(), not by their fds");
    },
    clear(_map, lo) {
      if (lo) kernel.memory.free(lo as VAddr);
    },
    read(map) {
      throw map.error(ENOTSUPP, "perf event arrays cannot be read");
    },
  };
}
