/**
 * Redirect targets: DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP.
 *
 * Values   devmap: u32 ifindex [, i32 program fd]; cpumap: u32 queue size [, i32 program fd]; xskmap: an AF_XDP socket.
 * Slots    {ifindex or queue size, program handle}: what programs read through a lookup.
 * Source   kernel/bpf/devmap.c, kernel/bpf/cpumap.c, net/xdp/xskmap.c.
 */
import { BPF_F_NUMA_NODE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_DEVMAP_HASH } from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENODEV, EOPNOTSUPP, EOVERFLOW, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import type { BpfMap } from "./bpf_map.ts";
import { FILE_FLAGS, has, powerOfTwo } from "./check.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";
import {
  clearHashSlots,
  clearSlots,
  createSlots,
  deviceUpdate,
  hashSlotAccess,
  SLOT_BYTES,
  slotAccess,
} from "./slots.ts";

const FLAGS = BPF_F_NUMA_NODE | FILE_FLAGS;
/** CONFIG_NR_CPUS of Debian's kernel. */
const NR_CPUS = 8192;
const MAX_QUEUE = 16384;

const REDIRECT = ["redirect_map"];
const REDIRECT_OR_LOOKUP = ["redirect_map", "map_lookup_elem"];

const badValueSize = (attr: MapAttr): boolean => attr.valueSize !== 4 && attr.valueSize !== 8;

function checkDevmap(attr: MapAttr): Errno | 0 {
  if (attr.maxEntries === 0 || attr.keySize !== 4 || badValueSize(attr) || has(attr, ~FLAGS)) return EINVAL;
  return attr.type === BPF_MAP_TYPE_DEVMAP_HASH && attr.maxEntries > 2 ** 31 ? EINVAL : 0;
}

const progFd = (value: DataView): number => (value.byteLength >= 8 ? value.getInt32(4, true) : 0);
const noDevice = (value: DataView): boolean => value.getUint32(0, true) === 0;

const common = {
  flags: FLAGS,
  addedFlags: BPF_F_RDONLY_PROG,
  privilege: "net_admin",
  check: checkDevmap,
  btf: "none",
  ops: REDIRECT_OR_LOOKUP,
  reserves: REDIRECT,
} as const satisfies Partial<MapType>;

export const devmap: MapType = {
  ...common,
  name: "devmap",
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess({
    deleteRange: EINVAL,
    deleteEmpty: 0,
    checkUpdate: (map, index, value, flags) =>
      deviceUpdate(map, index, value, flags) || (noDevice(value) && progFd(value) > 0 ? EINVAL : 0),
    empties: noDevice,
  }),
};

export const devmap_hash: MapType = {
  ...common,
  name: "devmap_hash",
  create: createDevmapHash,
  clear: clearHashSlots,
  // BPF_EXIST asks for nothing: an element that is not there is made.
  access: devmapHashAccess(),
};

function devmapHashAccess(): MapType["access"] {
  const access = hashSlotAccess((value, flags) => (flags > 2 || noDevice(value) ? EINVAL : 0));
  return { ...access, update: (map, key, value, flags) => access.update(map, key, value, flags === 2 ? 0 : flags) };
}

/** Elements of assembly/maps/hashtab.ts: 8 bytes of links, u32 key padded to 8, the slot. */
function createDevmapHash(memory: Memory, map: number, attr: MapAttr): void {
  const nBuckets = powerOfTwo(attr.maxEntries);
  memory.writeU32(map + MAP_RECORD.valueSize, SLOT_BYTES);
  memory.writeU32(map + MAP_RECORD.valueOff, 16);
  memory.writeU32(map + MAP_RECORD.stride, 16 + SLOT_BYTES);
  memory.writeU32(map + MAP_RECORD.nBuckets, nBuckets);
  memory.writeU32(map + MAP_RECORD.buckets, memory.alloc(nBuckets * 4));
}

export const cpumap: MapType = {
  name: "cpumap",
  btf: "none",
  flags: BPF_F_NUMA_NODE,
  privilege: "bpf",
  check(attr) {
    if (attr.maxEntries === 0 || attr.keySize !== 4 || badValueSize(attr) || has(attr, ~BPF_F_NUMA_NODE)) return EINVAL;
    return attr.maxEntries > NR_CPUS ? E2BIG : 0;
  },
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess({
    deleteRange: EINVAL,
    deleteEmpty: 0,
    checkUpdate(map: BpfMap, index, value, flags) {
      const err = deviceUpdate(map, index, value, flags);
      if (err !== 0) return err;
      if (value.getUint32(0, true) > MAX_QUEUE) return EOVERFLOW;
      return index >= map.memory.cpus ? ENODEV : 0;
    },
    empties: noDevice,
  }),
  ops: REDIRECT,
  reserves: REDIRECT,
};

export const xskmap: MapType = {
  name: "xskmap",
  btf: "none",
  flags: FLAGS,
  privilege: "net_admin",
  check: (attr) =>
    attr.maxEntries === 0 || attr.keySize !== 4 || attr.valueSize !== 4 || has(attr, ~FLAGS) ? EINVAL : 0,
  checkedLate: true,
  create: createSlots,
  array: true,
  clear: clearSlots,
  access: slotAccess({
    readErrno: EOPNOTSUPP,
    deleteRange: EINVAL,
    deleteEmpty: 0,
    checkUpdate: (_map, _index, _value, flags) => (flags > 2 ? EINVAL : 0),
  }),
  lookup: "xdp_sock",
  ops: REDIRECT_OR_LOOKUP,
  reserves: REDIRECT,
};
