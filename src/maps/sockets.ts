/**
 * Map types whose elements need kernel objects that do not exist here (sockets, stacks, cgroups, tasks, arenas,
 * struct_ops). They can be created, so that programs with such maps verify; their elements cannot be used, and
 * `unsupported` says why.
 *
 * Source   net/core/sock_map.c,
 *          kernel/bpf/{reuseport_array,stackmap,local_storage,bpf_local_storage,arena,bpf_struct_ops}.c.
 */
import {
  BPF_EXIST,
  BPF_F_CLONE,
  BPF_F_LINK,
  BPF_F_LOCK,
  BPF_F_MMAPABLE,
  BPF_F_NO_PREALLOC,
  BPF_F_NO_USER_CONV,
  BPF_F_NUMA_NODE,
  BPF_F_SEGV_ON_FAULT,
  BPF_F_STACK_BUILD_ID,
  BPF_F_VTYPE_BTF_OBJ_FD,
  BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
} from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENOENT, ENOSPC, EOPNOTSUPP, ERANGE, type Errno } from "../abi/errno.ts";
import { emptyAccess, noAccess } from "./access.ts";
import { checkArray } from "./array.ts";
import type { BpfMap } from "./bpf_map.ts";
import { ACCESS_FLAGS, accessOk, FILE_FLAGS, has, PCPU_MIN_UNIT_SIZE, powerOfTwo } from "./check.ts";
import { STORAGE_FIELDS } from "./fields.ts";
import type { MapAttr, MapType } from "./map_type.ts";

const SOCK_FLAGS = BPF_F_NUMA_NODE | FILE_FLAGS;
const SOCK_VALUE_SIZES: readonly number[] = [4, 8];
/** sizeof(struct bpf_stack_build_id), sysctl perf_event_max_stack. */
const BUILD_ID = 32;
const MAX_STACK = 127;
/** BPF_LOCAL_STORAGE_MAX_VALUE_SIZE: what 16 bits of cached size leave beside a struct bpf_local_storage_elem. */
const MAX_STORAGE_VALUE = 0xffff - 128;

const noElements = noAccess(EOPNOTSUPP);

const badFlags = (flags: number): boolean => flags > 2;
/** Sockets have 8-byte cookies. */
const socketLookup = (map: BpfMap): Errno => (map.valueSize === 8 ? ENOENT : ENOSPC);
/** The fd of a socket, in 4 bytes or in 8. */
function socketUpdate(map: BpfMap, flags: number, key: Uint8Array, value: Uint8Array): Errno {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length === 8 && view.getBigUint64(0, true) > 0x7fffffffn) return EINVAL;
  map.slots?.set(map, key, value);
  return badFlags(flags) ? EINVAL : EOPNOTSUPP;
}

/** Flags and index come before the socket. */
function reuseportUpdate(map: BpfMap, flags: number, key: Uint8Array, value: Uint8Array): Errno {
  if (badFlags(flags)) return EINVAL;
  return indexOf(key) >= map.maxEntries ? E2BIG : socketUpdate(map, flags, key, value);
}
const indexOf = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);

function unsupported(what: string): { errno: Errno; reason: string } {
  return { errno: EOPNOTSUPP, reason: `${what} do not exist here; the type serves verification only` };
}

function checkSockmap(attr: MapAttr): Errno | 0 {
  if (attr.maxEntries === 0 || attr.maxEntries > 0x7fffffff || attr.keySize !== 4) return EINVAL;
  return !SOCK_VALUE_SIZES.includes(attr.valueSize) || has(attr, ~SOCK_FLAGS) ? EINVAL : 0;
}

const SOCKMAP_OPS = ["sk_redirect_map", "sock_map_update", "msg_redirect_map"];
/** Some program types may also update and delete; the verifier asks the program type (may_update_sockmap). */
const SOCK_COMMON_OPS = ["sk_select_reuseport", "map_lookup_elem", "map_update_elem", "map_delete_elem"];

export const sockmap: MapType = {
  name: "sockmap",
  btf: "none",
  flags: SOCK_FLAGS,
  privilege: "net_admin",
  check: checkSockmap,
  checkedLate: true,
  access: emptyAccess({ lookup: socketLookup, update: socketUpdate, delete: () => EINVAL, next: "array" }),
  lookup: "sock",
  ops: [...SOCKMAP_OPS, ...SOCK_COMMON_OPS],
  reserves: [...SOCKMAP_OPS, "sk_select_reuseport"],
  unsupported: unsupported("sockets"),
};

function checkSockhash(attr: MapAttr): Errno | 0 {
  if (attr.maxEntries === 0 || attr.keySize === 0 || !SOCK_VALUE_SIZES.includes(attr.valueSize)) return EINVAL;
  if (has(attr, ~SOCK_FLAGS)) return EINVAL;
  return attr.keySize > 512 ? E2BIG : 0;
}

const SOCKHASH_OPS = ["sk_redirect_hash", "sock_hash_update", "msg_redirect_hash"];

export const sockhash: MapType = {
  ...sockmap,
  name: "sockhash",
  btf: "none",
  check: checkSockhash,
  checkedLate: true,
  access: emptyAccess({ lookup: socketLookup, update: socketUpdate, delete: () => ENOENT, next: ENOENT }),
  ops: [...SOCKHASH_OPS, ...SOCK_COMMON_OPS],
  reserves: [...SOCKHASH_OPS, "sk_select_reuseport"],
};

export const reuseport_sockarray: MapType = {
  name: "reuseport_sockarray",
  flags: BPF_F_NUMA_NODE | ACCESS_FLAGS,
  privilege: "bpf",
  check: (attr) => (SOCK_VALUE_SIZES.includes(attr.valueSize) ? checkArray(attr) : EINVAL),
  access: emptyAccess({
    lookup: socketLookup,
    update: reuseportUpdate,
    delete: (map, key) => (indexOf(key) >= map.maxEntries ? E2BIG : ENOENT),
    next: "array",
  }),
  ops: ["sk_select_reuseport"],
  reserves: ["sk_select_reuseport"],
  unsupported: unsupported("sockets"),
};

function checkStackTrace(attr: MapAttr): Errno | 0 {
  const { valueSize } = attr;
  if (has(attr, ~(SOCK_FLAGS | BPF_F_STACK_BUILD_ID))) return EINVAL;
  if (attr.maxEntries === 0 || attr.keySize !== 4 || valueSize < 8 || valueSize % 8 !== 0) return EINVAL;
  const entry = has(attr, BPF_F_STACK_BUILD_ID) ? BUILD_ID : 8;
  if (valueSize % entry !== 0 || valueSize / entry > MAX_STACK) return EINVAL;
  return attr.maxEntries > 2 ** 31 ? E2BIG : 0;
}

export const stack_trace: MapType = {
  name: "stack_trace",
  btf: "none",
  flags: SOCK_FLAGS | BPF_F_STACK_BUILD_ID,
  privilege: "bpf",
  check: checkStackTrace,
  checkedLate: true,
  access: emptyAccess({
    lookup: () => ENOENT,
    update: () => EINVAL,
    delete: (map, key) => (indexOf(key) >= powerOfTwo(map.maxEntries) ? E2BIG : ENOENT),
    next: ENOENT,
    lookupAndDelete: ENOENT,
  }),
  ops: ["get_stackid"],
  reserves: ["get_stackid"],
  unsupported: unsupported("kernel stacks"),
};

function checkCgroupStorage(attr: MapAttr): Errno | 0 {
  const percpu = attr.type === BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
  // A cgroup id, or that and an attach type.
  if ((attr.keySize !== 16 && attr.keySize !== 8) || attr.valueSize === 0) return EINVAL;
  if (attr.valueSize > (percpu ? PCPU_MIN_UNIT_SIZE : MAX_STORAGE_VALUE)) return E2BIG;
  return has(attr, ~(BPF_F_NUMA_NODE | ACCESS_FLAGS)) || !accessOk(attr) || attr.maxEntries !== 0 ? EINVAL : 0;
}

export const cgroup_storage: MapType = {
  name: "cgroup_storage",
  btf: "any",
  flags: BPF_F_NUMA_NODE | ACCESS_FLAGS,
  privilege: "none",
  check: checkCgroupStorage,
  checkedLate: true,
  access: emptyAccess({
    lookup: () => ENOENT,
    update: (_map, flags) => ((flags & ~(BPF_F_LOCK | BPF_EXIST)) !== 0 ? EINVAL : ENOENT),
    delete: () => EINVAL,
    next: ENOENT,
  }),
  ops: ["get_local_storage"],
  reserves: ["get_local_storage"],
  fields: ["spin_lock", "res_spin_lock"],
  asInner: false,
  unsupported: unsupported("storages of cgroup attachments"),
};

export const percpu_cgroup_storage: MapType = {
  ...cgroup_storage,
  name: "percpu_cgroup_storage",
  percpu: true,
  fields: [],
};

/** bpf_local_storage_map_alloc_check() */
function checkStorage(attr: MapAttr): Errno | 0 {
  if (has(attr, ~(BPF_F_NO_PREALLOC | BPF_F_CLONE)) || !has(attr, BPF_F_NO_PREALLOC)) return EINVAL;
  if (attr.maxEntries !== 0 || attr.keySize !== 4 || attr.valueSize === 0) return EINVAL;
  if (!attr.btfKeyTypeId || !attr.btfValueTypeId) return EINVAL;
  return attr.valueSize > MAX_STORAGE_VALUE ? E2BIG : 0;
}

function storage(owner: string, prefix: string, name = `${owner}_storage`): MapType {
  const own = [`${prefix}_storage_get`, `${prefix}_storage_delete`];
  return {
    name,
    flags: BPF_F_NO_PREALLOC | BPF_F_CLONE,
    privilege: "bpf",
    check: checkStorage,
    btf: "index",
    access: noElements,
    ops: [...own, "kptr_xchg"],
    reserves: own,
    fields: STORAGE_FIELDS,
    unsupported: unsupported(`${owner} objects`),
  };
}

export const sk_storage = storage("sk", "sk");
export const inode_storage = storage("inode", "inode");
export const task_storage: MapType = { ...storage("task", "task"), fields: [...STORAGE_FIELDS, "uptr"] };
export const cgrp_storage = storage("cgroup", "cgrp", "cgrp_storage");

export const struct_ops: MapType = {
  name: "struct_ops",
  flags: BPF_F_LINK | BPF_F_VTYPE_BTF_OBJ_FD,
  privilege: "bpf",
  check: (attr) =>
    attr.keySize !== 4 ||
    attr.maxEntries !== 1 ||
    has(attr, ~(BPF_F_LINK | BPF_F_VTYPE_BTF_OBJ_FD)) ||
    !attr.btfVmlinuxValueTypeId
      ? EINVAL
      : 0,
  access: noElements,
  asInner: false,
  freezable: false,
};

const ARENA_FLAGS = BPF_F_SEGV_ON_FAULT | BPF_F_MMAPABLE | BPF_F_NO_USER_CONV;
const PAGE = 4096n;

function checkArena(attr: MapAttr): Errno | 0 {
  const start = attr.mapExtra ?? 0n;
  if (attr.keySize !== 0 || attr.valueSize !== 0 || attr.maxEntries === 0) return EINVAL;
  if (!has(attr, BPF_F_MMAPABLE) || has(attr, ~ARENA_FLAGS) || start % PAGE !== 0n) return EINVAL;
  const bytes = BigInt(attr.maxEntries) * PAGE;
  if (bytes > 1n << 32n) return E2BIG;
  return start >> 32n !== (start + bytes - 1n) >> 32n ? ERANGE : 0;
}

export const arena: MapType = {
  name: "arena",
  btf: "any",
  flags: ARENA_FLAGS,
  privilege: "bpf",
  check: checkArena,
  checkedLate: true,
  access: emptyAccess({ lookup: () => EINVAL, update: () => EOPNOTSUPP, delete: () => EOPNOTSUPP, next: EOPNOTSUPP }),
  unsupported: unsupported("arenas"),
};
