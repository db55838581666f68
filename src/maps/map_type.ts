/**
 * What a map type is: one entry of MAP_TYPES (table.ts), which the loader, the verifier, the JIT, the kernel and the
 * command line read. Code asks an entry for a fact; it never tests which type it has.
 */
import type { Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import type { BpfMap } from "./bpf_map.ts";
import type { FieldKind } from "./record.ts";

/** BPF_MAP_CREATE, with fds resolved. Sizes in bytes. */
export interface MapAttr {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number | undefined;
  readonly name?: string | undefined;
  readonly mapExtra?: bigint | undefined;
  /** With BPF_F_NUMA_NODE. */
  readonly numaNode?: number | undefined;
  /** Maps of maps: the map that inner maps must resemble. */
  readonly inner?: BpfMap | undefined;
  /** BTF types of key and value are given (some types demand or forbid them). */
  readonly btfKeyTypeId?: number | undefined;
  readonly btfValueTypeId?: number | undefined;
  readonly btfVmlinuxValueTypeId?: number | undefined;
  /** Special fields of the value, ascending by offset. */
  readonly fields?: readonly MapField[] | undefined;
}

export interface MapField {
  readonly offset: number;
  readonly size: number;
  readonly kind: FieldKind;
}

export interface MapType {
  /** As bpftool prints it. */
  readonly name: string;
  /** Flags that BPF_MAP_CREATE accepts. */
  readonly flags: number;
  /** What it takes to create one; CAP_SYS_ADMIN for BPF_F_ZERO_SEED comes on top. */
  readonly privilege: "none" | "bpf" | "net_admin";
  /** The type's own checks at creation, after the flags: 0 or the errno. */
  readonly check: (attr: MapAttr, cpus: number) => Errno | 0;
  /** Linux checks while it makes the map (map_alloc), when the caller's capabilities were found to do. */
  readonly checkedLate?: true;
  /** Maps of maps: what the inner map must be like; checked late. */
  readonly checkInner?: (attr: MapAttr) => Errno | 0;
  /** Allocates the areas and fills the record. Absent: a record without storage, for the verifier only. */
  readonly create?: (memory: Memory, map: number, attr: MapAttr) => void;
  /** Words of the record's private part that hold allocations. */
  readonly areas?: readonly number[];
  /** Drops all elements and what they own; the areas themselves are freed after it. */
  readonly clear?: (map: BpfMap) => void;
  /** How bpf(2) reads and writes it. */
  readonly access: MapAccess;
  /** Which batch commands it has, and how they walk. */
  readonly batch?: BatchKind;
  /** What the BTF types of key and value must be like (map_check_btf); absent: any, but there must be a key type. */
  readonly btf?: MapBtfRule;
  /** A value per CPU. */
  readonly percpu?: true;
  /** The elements (or slots) lie in one block: the JIT may compute addresses. */
  readonly array?: true;
  /** ld_imm64 may point into the only value (BPF_PSEUDO_MAP_VALUE). */
  readonly directValue?: true;
  /** What bpf_map_lookup_elem() gives a program; default "value". */
  readonly lookup?: "value" | "map" | "sock" | "xdp_sock";
  /** Helpers that may take the map; absent: every helper that no other type reserves. */
  readonly ops?: readonly string[];
  /** Helpers that only this type, and others that reserve them, may be given to. */
  readonly reserves?: readonly string[];
  /** Special fields that the value may have. */
  readonly fields?: readonly FieldKind[];
  /** BPF_MAP_FREEZE is ENOTSUPP. */
  readonly freezable?: false;
  /** Whether it may be an inner map; absent: yes. */
  readonly asInner?: false;
  /** Added to the flags that the map reports and the verifier sees. */
  readonly addedFlags?: number;
  /** Elements cannot be used here, and why; the entry serves the verifier. */
  readonly unsupported?: { readonly errno: Errno; readonly reason: string };
}

/** Commands on elements. Errors are BpfError with the errno that Linux gives. */
export interface MapAccess {
  /** Undefined: ENOENT. */
  lookup(map: BpfMap, key: Uint8Array, value?: Uint8Array): Uint8Array | undefined;
  update(map: BpfMap, key: Uint8Array, value: Uint8Array, flags: number): void;
  delete(map: BpfMap, key: Uint8Array): void;
  /** Where there is no storage to walk. Undefined: ENOENT. */
  next?(map: BpfMap, key: Uint8Array | undefined): Uint8Array | undefined;
  /** Only where BPF_MAP_LOOKUP_AND_DELETE_ELEM exists. */
  lookupAndDelete?(map: BpfMap, key: Uint8Array): Uint8Array | undefined;
}

/** Any, none at all, a u32 key (or a section without one), a struct as key, a u32 key. */
export type MapBtfRule = "any" | "none" | "array" | "trie" | "index";

export type BatchKind = "array" | "trie" | "hash";

/**
 * What slots mean, for map types whose elements are objects (programs, maps, devices, ...): the owner of the objects
 * says so. `lo`, `hi` are the two words of the slot.
 */
export interface SlotHooks {
  /**
   * bpf(2) stores `value` (an fd, an ifindex and an fd, ...): takes a reference and returns the slot. Throws BpfError.
   * The slot is not changed yet and the store may still fail: then clear() is called.
   */
  set(map: BpfMap, key: Uint8Array, value: Uint8Array): { lo: number; hi: number };
  /** A slot is overwritten, deleted, or dies with its map: drops the reference. */
  clear(map: BpfMap, lo: number, hi: number): void;
  /** What bpf(2) reads: the object's id, or for devmap and cpumap the value. */
  read(map: BpfMap, lo: number, hi: number): Uint8Array;
}
