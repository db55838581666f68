/** Checks of BPF_MAP_CREATE, in the order of Linux's map_create(). */
import {
  BPF_F_INNER_MAP,
  BPF_F_NUMA_NODE,
  BPF_MAP_TYPE_ARENA,
  BPF_MAP_TYPE_BLOOM_FILTER,
  BPF_MAP_TYPE_STRUCT_OPS,
} from "../abi/bpf.ts";
import { BpfError, EACCES, EINVAL, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import type { BpfMap } from "./bpf_map.ts";
import { FILE_FLAGS, has, PROG_FLAGS } from "./check.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_TYPES } from "./table.ts";

/** map_extra means something to these. */
const WITH_EXTRA: readonly number[] = [BPF_MAP_TYPE_BLOOM_FILTER, BPF_MAP_TYPE_ARENA];

function refuse(attr: MapAttr, errno: Errno, what: string): never {
  const { inner: _, ...context } = attr;
  throw new BpfError(errno, `map '${attr.name ?? ""}': ${what}`, context);
}

/** What comes before the caller's capabilities and fds. @throws BpfError as BPF_MAP_CREATE fails */
export function checkMapType(attr: MapAttr, cpus: number): MapType {
  const flags = attr.flags ?? 0;
  if (attr.btfVmlinuxValueTypeId) {
    if (attr.type !== BPF_MAP_TYPE_STRUCT_OPS || attr.btfKeyTypeId || attr.btfValueTypeId) {
      refuse(attr, EINVAL, "btf_vmlinux_value_type_id is for struct_ops maps alone");
    }
  } else if (attr.btfKeyTypeId && !attr.btfValueTypeId) {
    refuse(attr, EINVAL, "btf_key_type_id without btf_value_type_id");
  }
  if (attr.mapExtra && !WITH_EXTRA.includes(attr.type)) refuse(attr, EINVAL, `map_extra ${attr.mapExtra}, wanted 0`);
  if ((flags & FILE_FLAGS) === FILE_FLAGS) refuse(attr, EINVAL, "both BPF_F_RDONLY and BPF_F_WRONLY");
  if (flags & BPF_F_NUMA_NODE && (attr.numaNode ?? 0) !== 0) {
    refuse(attr, EINVAL, `numa_node ${attr.numaNode}, wanted 0`);
  }
  const type = MAP_TYPES[attr.type];
  if (!type) return refuse(attr, EINVAL, `unknown map type ${attr.type}`);
  if (!type.checkedLate) checkSizes(type, attr, cpus);
  return type;
}

/** What Linux checks while it makes the map, before its name and BTF. */
export function checkMapLate(type: MapType, attr: MapAttr, cpus: number): void {
  if (type.checkedLate) checkSizes(type, attr, cpus);
  const err = type.checkInner?.(attr) ?? 0;
  if (err) refuse(attr, err, `its inner map ${attr.inner ? `'${attr.inner.name}' does not do` : "is wanted"}`);
}

function checkSizes(type: MapType, attr: MapAttr, cpus: number): void {
  const err = type.check(attr, cpus);
  if (err === 0) return;
  const { keySize, valueSize, maxEntries } = attr;
  refuse(
    attr,
    err,
    `no ${type.name} with key_size ${keySize}, value_size ${valueSize}, max_entries ${maxEntries}, ` +
      `flags 0x${(attr.flags ?? 0).toString(16)}`,
  );
}

/** The type of a map that may be made so. @throws BpfError as BPF_MAP_CREATE fails; capabilities are the caller's. */
export function checkMapAttr(attr: MapAttr, cpus: number): MapType {
  const type = checkMapType(attr, cpus);
  checkMapLate(type, attr, cpus);
  const flags = attr.flags ?? 0;
  for (const field of attr.fields ?? []) {
    if (has(attr, PROG_FLAGS)) {
      refuse(attr, EACCES, `${field.kind} in a map that programs may not ${flags & 128 ? "write" : "read"}`);
    }
    if (!type.fields?.includes(field.kind)) refuse(attr, EOPNOTSUPP, `${type.name} values cannot hold a ${field.kind}`);
  }
  return type;
}

/** bpf_map_meta_equal(): whether map may be stored where a map like meta is expected. */
export function mapMetaEqual(meta: BpfMap, map: BpfMap): boolean {
  const [a, b] = [meta.attr.fields ?? [], map.attr.fields ?? []];
  return (
    meta.attr.type === map.attr.type &&
    meta.keySize === map.keySize &&
    meta.valueSize === map.valueSize &&
    meta.flags === map.flags &&
    (!meta.type.directValue || (meta.flags & BPF_F_INNER_MAP) !== 0 || meta.maxEntries === map.maxEntries) &&
    a.length === b.length &&
    a.every((field, i) => field.kind === b[i]!.kind && field.offset === b[i]!.offset && field.size === b[i]!.size)
  );
}
