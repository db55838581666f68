/**
 * BTF-defined maps: struct variables in section .maps whose member types spell the map's attributes.
 *
 *     __uint(name, N)     int (*name)[N]
 *     __type(name, T)     T *name
 *     __ulong(name, N)    enum { x = N } name
 *     __array(values, T)  T *values[]        inner map, or prototype of a prog array's programs
 *
 * Source: tools/lib/bpf/bpf_helpers.h and libbpf's documentation of BTF-defined maps.
 */
import {
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_USER_RINGBUF,
} from "../abi/bpf.ts";
import { EINVAL, ENOENT, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import * as kinds from "../btf/kinds.ts";
import { objectError, type Parts } from "./parts.ts";
import type { MapSpec } from "./spec.ts";

/** One variable of section .maps. */
export interface MapVar {
  readonly name: string;
  readonly varId: number;
  /** The struct that defines the map. */
  readonly defId: number;
  /** Bytes in section .maps. */
  readonly off: number;
  readonly size: number;
}

type Draft = { -readonly [K in keyof MapSpec]: MapSpec[K] };

/** Variables of section .maps by offset. */
export function mapVars(parts: Parts, btf: Btf | undefined): MapVar[] {
  if (!parts.maps) return [];
  if (!btf) {
    const wanted = "wanted an object compiled with clang -g";
    throw objectError(parts.file, ENOENT, `section '.maps' needs BTF, but there is no section .BTF; ${wanted}`);
  }
  const sec = btf.byName(".maps", kinds.BTF_KIND_DATASEC);
  if (!sec) throw objectError(parts.file, ENOENT, "section '.maps' has no DATASEC in the BTF");
  return Array.from({ length: btf.vlen(sec) }, (_, i) => {
    const [varId, off, size] = [0, 1, 2].map((w) => btf.extra(sec, 3 * i + w));
    const name = btf.nameOf(varId);
    const bad = (errno: Errno, message: string) => objectError(parts.file, errno, `map '${name}': ${message}`);
    if (!name) throw objectError(parts.file, EINVAL, `map ${i} of section '.maps' has no name`);
    if (btf.kind(varId) !== kinds.BTF_KIND_VAR) {
      throw bad(EINVAL, `is a ${kinds.kindName(btf.kind(varId))} in the BTF; wanted a VAR`);
    }
    const linkage = btf.extra(varId, 0);
    // hidden maps are static by now; only what was static in C is refused
    if (linkage !== kinds.BTF_LINKAGE_GLOBAL) {
      throw bad(EOPNOTSUPP, `has linkage ${linkage}; wanted 1 (global): a map must not be static or __hidden`);
    }
    if (off + size > parts.maps!.size) {
      throw bad(EINVAL, `lies at bytes ${off} to ${off + size} of section '.maps', which has ${parts.maps!.size}`);
    }
    const defId = btf.resolve(btf.ref(varId));
    if (btf.kind(defId) !== kinds.BTF_KIND_STRUCT) {
      throw bad(EINVAL, `is defined by a ${kinds.kindName(btf.kind(defId))}; wanted a STRUCT`);
    }
    if (btf.size(defId) > size) throw bad(EINVAL, `definition has ${btf.size(defId)} bytes; wanted at most ${size}`);
    return { name, varId, defId, off, size };
  });
}

/** @param index position in ObjectSpec.maps; -1 for an inner map */
export function readMapDef(parts: Parts, btf: Btf, defId: number, name: string, index: number): MapSpec {
  const map: Draft = {
    index,
    name,
    section: ".maps",
    type: 0,
    keySize: 0,
    valueSize: 0,
    maxEntries: 0,
    mapFlags: 0,
    mapExtra: 0n,
    numaNode: 0,
    pinning: "none",
    keyTypeId: 0,
    valueTypeId: 0,
    inner: undefined,
    initSlots: [],
    global: undefined,
    structOps: undefined,
    autocreate: true,
  };
  const n = btf.vlen(defId);
  for (let i = 0; i < n; i++) {
    const field = btf.memberName(defId, i);
    const attr: Attr = { parts, btf, map, field, typeId: btf.memberType(defId, i), isLast: i === n - 1 };
    const read = FIELDS[field];
    if (!read) throw attrError(attr, EOPNOTSUPP, `unknown field; wanted one of ${Object.keys(FIELDS).join(", ")}`);
    read(attr);
  }
  if (map.type === 0)
    throw objectError(parts.file, EINVAL, `map '${name}': no type; wanted __uint(type, BPF_MAP_TYPE_...)`);
  if (isRingbuf(map.type)) map.maxEntries = ringbufSize(map.maxEntries);
  return map;
}

interface Attr {
  readonly parts: Parts;
  readonly btf: Btf;
  readonly map: Draft;
  readonly field: string;
  readonly typeId: number;
  readonly isLast: boolean;
}

const FIELDS: Readonly<Record<string, (a: Attr) => void>> = {
  type: (a) => {
    a.map.type = uint(a);
  },
  max_entries: (a) => {
    a.map.maxEntries = uint(a);
  },
  map_flags: (a) => {
    a.map.mapFlags = uint(a);
  },
  numa_node: (a) => {
    a.map.numaNode = uint(a);
  },
  key_size: (a) => setSize(a, "keySize", uint(a)),
  value_size: (a) => setSize(a, "valueSize", uint(a)),
  key: (a) => {
    a.map.keyTypeId = pointee(a);
    setSize(a, "keySize", sizeOf(a, a.map.keyTypeId));
  },
  value: (a) => {
    a.map.valueTypeId = pointee(a);
    setSize(a, "valueSize", sizeOf(a, a.map.valueTypeId));
  },
  values: readValues,
  pinning: (a) => {
    if (a.map.index < 0) throw attrError(a, EINVAL, "an inner map cannot be pinned");
    const v = uint(a);
    if (v > 1) throw attrError(a, EINVAL, `value ${v}; wanted LIBBPF_PIN_NONE (0) or LIBBPF_PIN_BY_NAME (1)`);
    a.map.pinning = v === 1 ? "by_name" : "none";
  },
  map_extra: (a) => {
    a.map.mapExtra = ulong(a);
  },
};

function attrError(a: Attr, errno: Errno, message: string) {
  return objectError(a.parts.file, errno, `map '${a.map.name}': field '${a.field}': ${message}`);
}

function expectKind(a: Attr, id: number, kind: number): number {
  const seen = a.btf.kind(id);
  if (seen !== kind) {
    throw attrError(a, EINVAL, `type is ${kinds.kindName(seen)}; wanted ${kinds.kindName(kind)}`);
  }
  return id;
}

function pointee(a: Attr): number {
  return a.btf.ref(expectKind(a, a.typeId, kinds.BTF_KIND_PTR));
}

function uint(a: Attr): number {
  const ptr = expectKind(a, a.btf.resolve(a.typeId), kinds.BTF_KIND_PTR);
  return a.btf.nelems(expectKind(a, a.btf.ref(ptr), kinds.BTF_KIND_ARRAY));
}

function ulong(a: Attr): bigint {
  const id = a.btf.resolve(a.typeId);
  if (a.btf.kind(id) === kinds.BTF_KIND_PTR) return BigInt(uint(a));
  const type = a.btf.type(id);
  if ((type.kind !== kinds.BTF_KIND_ENUM && type.kind !== kinds.BTF_KIND_ENUM64) || type.values.length !== 1) {
    throw attrError(a, EINVAL, `type is ${kinds.kindName(type.kind)}; wanted an enum of one value (__ulong)`);
  }
  return BigInt.asUintN(64, BigInt(type.values[0].value));
}

function sizeOf(a: Attr, typeId: number): number {
  const size = a.btf.size(typeId);
  if (size < 0) {
    const type = `${kinds.kindName(a.btf.kind(typeId))} '${a.btf.nameOf(typeId)}'`;
    throw attrError(a, EINVAL, `type ${type} has no size; wanted a complete type`);
  }
  return size;
}

function setSize(a: Attr, which: "keySize" | "valueSize", size: number): void {
  const known = a.map[which];
  if (known !== 0 && known !== size) throw attrError(a, EINVAL, `size ${size}; an earlier field said ${known}`);
  a.map[which] = size;
}

function readValues(a: Attr): void {
  const isMapInMap = a.map.type === BPF_MAP_TYPE_ARRAY_OF_MAPS || a.map.type === BPF_MAP_TYPE_HASH_OF_MAPS;
  const isProgArray = a.map.type === BPF_MAP_TYPE_PROG_ARRAY;
  if (a.map.index < 0) throw attrError(a, EOPNOTSUPP, "inner maps cannot hold maps again");
  if (!a.isLast) throw attrError(a, EINVAL, "must be the last field");
  if (!isMapInMap && !isProgArray) {
    throw attrError(a, EOPNOTSUPP, `map type is ${a.map.type}; wanted an array or hash of maps or a prog array`);
  }
  setSize(a, "valueSize", 4);
  const { btf } = a;
  const array = expectKind(a, a.typeId, kinds.BTF_KIND_ARRAY);
  if (btf.nelems(array) !== 0) throw attrError(a, EINVAL, `array of ${btf.nelems(array)}; wanted __array (0 elements)`);
  const ptr = expectKind(a, btf.resolve(btf.elemType(array)), kinds.BTF_KIND_PTR);
  const target = btf.resolve(btf.ref(ptr));
  if (isProgArray) {
    expectKind(a, target, kinds.BTF_KIND_FUNC_PROTO);
  } else {
    expectKind(a, target, kinds.BTF_KIND_STRUCT);
    a.map.inner = readMapDef(a.parts, btf, target, `${a.map.name}.inner`, -1);
  }
}

export function isRingbuf(type: number): boolean {
  return type === BPF_MAP_TYPE_RINGBUF || type === BPF_MAP_TYPE_USER_RINGBUF;
}

const PAGE_SIZE = 4096;

/** The kernel takes pages times a power of two; other sizes are rounded up. 0 stays, so that the kernel complains. */
export function ringbufSize(size: number): number {
  if (size === 0) return 0;
  let room = PAGE_SIZE;
  while (room < size && room < 2 ** 31) room *= 2;
  return Math.max(room, size);
}
