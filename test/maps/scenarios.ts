/**
 * Map commands as data: what bpf(2) is asked, the same for BpfMap (run.ts), for Linux (linux_maps.py) and for the
 * answers of Linux 6.18 that are kept in linux-6.18.json.
 */
import * as bpf from "../../src/abi/bpf.ts";

export interface Command {
  readonly op:
    | "create"
    | "lookup"
    | "update"
    | "delete"
    | "next"
    | "lookupAndDelete"
    | "freeze"
    | "lookupBatch"
    | "updateBatch"
    | "deleteBatch";
  /** create */
  readonly type?: number;
  readonly max?: number;
  readonly extra?: number;
  /** create: the map is closed at once; only the errno matters. */
  readonly probe?: boolean;
  readonly inner?: number;
  /** create: sizes in bytes; else hex. */
  readonly key?: number | string;
  readonly value?: number | string;
  readonly flags?: number;
  /** Which map, in order of creation. */
  readonly map?: number;
  /** The value is the fd of that map. */
  readonly fd?: number;
  readonly count?: number;
  readonly keys?: string;
  readonly values?: string;
  readonly in?: string;
  readonly remove?: boolean;
}

export interface Scenario {
  readonly name: string;
  /** Written for one possible CPU count: per-CPU values, LRU rounding. */
  readonly cpus?: number;
  readonly commands: readonly Command[];
}

const u32 = (n: number): string => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return Buffer.from(bytes).toString("hex");
};
const u64 = (n: number): string => u32(n) + u32(0);

/** A map of each type that can be made. */
export const TYPES: readonly [type: number, key: number, value: number, max: number, flags: number][] = [
  [bpf.BPF_MAP_TYPE_HASH, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_STACK_TRACE, 4, 64, 4, 0],
  [bpf.BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_LRU_HASH, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, bpf.BPF_F_NO_PREALLOC],
  [bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_SOCKMAP, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_CPUMAP, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_XSKMAP, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_SOCKHASH, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_CGROUP_STORAGE, 16, 8, 0, 0],
  [bpf.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 16, 8, 0, 0],
  [bpf.BPF_MAP_TYPE_QUEUE, 0, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_STACK, 0, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, bpf.BPF_F_NO_PREALLOC],
  [bpf.BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 4, 0],
  [bpf.BPF_MAP_TYPE_STRUCT_OPS, 4, 8, 1, 0],
  [bpf.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0],
  [bpf.BPF_MAP_TYPE_INODE_STORAGE, 4, 8, 0, bpf.BPF_F_NO_PREALLOC],
  [bpf.BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, bpf.BPF_F_NO_PREALLOC],
  [bpf.BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 4, 0],
  [bpf.BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 0],
  [bpf.BPF_MAP_TYPE_CGRP_STORAGE, 4, 8, 0, bpf.BPF_F_NO_PREALLOC],
  [bpf.BPF_MAP_TYPE_ARENA, 0, 0, 4, bpf.BPF_F_MMAPABLE],
];

const INNER: Command = { op: "create", type: bpf.BPF_MAP_TYPE_ARRAY, key: 4, value: 8, max: 2 };
const withInner = (type: number): boolean =>
  type === bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS || type === bpf.BPF_MAP_TYPE_HASH_OF_MAPS;

/** Map 0 is always a plain array; map 1 the map under test. */
function create(type: number, key: number, value: number, max: number, flags: number, more: object = {}): Command[] {
  return [INNER, { op: "create", type, key, value, max, flags, ...(withInner(type) ? { inner: 0 } : {}), ...more }];
}

/**
 * BPF_MAP_CREATE: each type with one thing changed at a time. No large max_entries: Linux would really allocate the
 * memory.
 */
function creations(): Scenario[] {
  const out: Scenario[] = [];
  const MiB4 = 4 << 20;
  for (const [type, key, value, max, flags] of TYPES) {
    const commands: Command[] = [INNER];
    const one = (k: number, v: number, m: number, f: number, more: object = {}): void => {
      commands.push({
        op: "create",
        type,
        key: k,
        value: v,
        max: m,
        flags: f,
        probe: true,
        ...(withInner(type) ? { inner: 0 } : {}),
        ...more,
      });
    };
    one(key, value, max, flags);
    for (const k of [0, 1, 3, 4, 5, 8, 16, 260, 261, 512, 513]) one(k, value, max, flags);
    for (const v of [0, 1, 4, 7, 8, 12, 16, 32, 64, 1016, 1024, 4096, 32768, 32769, 65460, MiB4 - 64, MiB4 + 1]) {
      one(key, v, max, flags);
    }
    for (const v of [MiB4 - 50, MiB4 - 53, MiB4 - 52, MiB4 - 51, MiB4 - 280, MiB4 - 279, MiB4 - 256])
      one(key, v, 1, flags);
    // The largest cpumap is a matter of CONFIG_NR_CPUS.
    const maxes = type === bpf.BPF_MAP_TYPE_CPUMAP ? [0, 1, 2, 3] : [0, 1, 2, 3, 4096, 8192, 8193, 12288];
    for (const m of maxes) one(key, value, m, flags);
    for (let bit = 0; bit < 19; bit++) if (bit !== 16) one(key, value, max, (flags | (1 << bit)) >>> 0);
    one(key, value, max, flags & ~1);
    one(key, value, max, flags | 8 | 16);
    one(key, value, max, flags | 128 | 256);
    one(key, value, max, flags, { extra: 1 });
    one(key, value, max, flags, { extra: 16 });
    out.push({ name: `create type ${type}`, commands });
  }
  const unknown: Command[] = [0, 34, 35, 99].map((type) => ({ op: "create", type, key: 4, value: 4, max: 4 }));
  out.push({ name: "create unknown types", commands: unknown });
  const nested: Command[] = [INNER];
  for (const [type, key, value, max, flags] of TYPES) nested.push(...create(type, key, value, max, flags).slice(1));
  // Every map so far as an inner map.
  for (let inner = 0; inner <= TYPES.length; inner++) {
    nested.push({ op: "create", type: bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS, key: 4, value: 4, max: 1, inner });
  }
  out.push({ name: "inner maps", commands: nested });
  return out;
}

const NEEDS_BTF: readonly number[] = [
  bpf.BPF_MAP_TYPE_SK_STORAGE,
  bpf.BPF_MAP_TYPE_INODE_STORAGE,
  bpf.BPF_MAP_TYPE_TASK_STORAGE,
  bpf.BPF_MAP_TYPE_CGRP_STORAGE,
  bpf.BPF_MAP_TYPE_STRUCT_OPS,
];

/** The same commands for each type with 4-byte keys or none: which exist, and with which errno. */
function everyCommand(): Scenario[] {
  // The others need BTF to be made.
  const makeable = TYPES.filter(([type]) => !NEEDS_BTF.includes(type));
  return makeable.map(([type, key, value, max, flags]) => {
    const at = (n: number): string => (key === 0 ? "" : u32(n).padEnd(key * 2, "0"));
    const some = (n: number): string => u32(n).padEnd(value * 2, "0");
    const commands: Command[] = [
      ...create(type, key, value, max, flags),
      { op: "lookup", map: 1, key: at(1) },
      { op: "next", map: 1 },
      { op: "next", map: 1, key: at(0) },
      { op: "next", map: 1, key: at(3) },
      { op: "next", map: 1, key: at(77) },
      { op: "delete", map: 1, key: at(1) },
      { op: "delete", map: 1, key: at(77) },
      { op: "lookupAndDelete", map: 1, key: at(1) },
      { op: "lookup", map: 1, key: at(1), flags: 4 },
      { op: "lookup", map: 1, key: at(1), flags: 1 },
      { op: "lookupAndDelete", map: 1, key: at(1), flags: 4 },
      { op: "update", map: 1, key: at(0), value: some(0), flags: 4 },
      { op: "lookupBatch", map: 1, count: 0 },
      { op: "lookupBatch", map: 1, count: 2, flags: 1 },
      { op: "deleteBatch", map: 1, count: 1, keys: at(0) },
    ];
    if (value > 4 || !withInner(type)) {
      for (const f of [3, 5, 8, 64]) commands.push({ op: "update", map: 1, key: at(1), value: some(0), flags: f });
    }
    return { name: `every command, type ${type}`, commands };
  });
}

const HASHES = [bpf.BPF_MAP_TYPE_HASH, bpf.BPF_MAP_TYPE_LRU_HASH];

/** Elements: what is stored, with which flags, in what order. */
const elements: Scenario[] = [
  ...HASHES.flatMap((type) =>
    [0, 1].flatMap((flags): Scenario[] =>
      type === bpf.BPF_MAP_TYPE_LRU_HASH && flags === 1
        ? []
        : [
            {
              name: `hash flags, type ${type} flags ${flags}`,
              commands: [
                ...create(type, 4, 8, 3, flags),
                { op: "update", map: 1, key: u32(1), value: u64(10), flags: bpf.BPF_EXIST },
                { op: "update", map: 1, key: u32(1), value: u64(10), flags: bpf.BPF_NOEXIST },
                { op: "update", map: 1, key: u32(1), value: u64(11), flags: bpf.BPF_NOEXIST },
                { op: "lookup", map: 1, key: u32(1) },
                { op: "update", map: 1, key: u32(1), value: u64(12), flags: bpf.BPF_EXIST },
                { op: "lookup", map: 1, key: u32(1) },
                { op: "next", map: 1 },
                { op: "next", map: 1, key: u32(1) },
                { op: "next", map: 1, key: u32(9) },
                { op: "delete", map: 1, key: u32(1) },
                { op: "delete", map: 1, key: u32(1) },
                { op: "lookup", map: 1, key: u32(1) },
                { op: "next", map: 1 },
                { op: "update", map: 1, key: u32(2), value: u64(20) },
                { op: "lookupAndDelete", map: 1, key: u32(2) },
                { op: "lookupAndDelete", map: 1, key: u32(2) },
              ],
            },
          ],
    ),
  ),
  ...[0, 1].map(
    (flags): Scenario => ({
      name: `a full hash refuses new keys and takes old ones, flags ${flags}`,
      commands: [
        ...create(bpf.BPF_MAP_TYPE_HASH, 4, 8, 2, flags),
        { op: "update", map: 1, key: u32(1), value: u64(1) },
        { op: "update", map: 1, key: u32(2), value: u64(2) },
        { op: "update", map: 1, key: u32(3), value: u64(3) },
        { op: "update", map: 1, key: u32(2), value: u64(4) },
        { op: "lookup", map: 1, key: u32(2) },
        { op: "update", map: 1, key: u32(3), value: u64(3), flags: bpf.BPF_EXIST },
        { op: "delete", map: 1, key: u32(1) },
        { op: "update", map: 1, key: u32(3), value: u64(3) },
      ],
    }),
  ),
  {
    name: "array flags",
    commands: [
      ...create(bpf.BPF_MAP_TYPE_ARRAY, 4, 5, 3, 0),
      { op: "update", map: 1, key: u32(0), value: "0102030405" },
      { op: "lookup", map: 1, key: u32(0) },
      { op: "update", map: 1, key: u32(1), value: "0102030405", flags: 1 },
      { op: "update", map: 1, key: u32(1), value: "0102030406", flags: 2 },
      { op: "update", map: 1, key: u32(3), value: "0102030405" },
      { op: "lookup", map: 1, key: u32(3) },
      { op: "next", map: 1 },
      { op: "next", map: 1, key: u32(0) },
      { op: "next", map: 1, key: u32(2) },
      { op: "next", map: 1, key: u32(3) },
      { op: "lookupBatch", map: 1, count: 2 },
      { op: "lookupBatch", map: 1, count: 2, in: u32(1) },
      { op: "lookupBatch", map: 1, count: 1, in: u32(1) },
      { op: "lookupBatch", map: 1, count: 2, in: u32(2) },
      { op: "updateBatch", map: 1, count: 2, keys: u32(1) + u32(2), values: "11111111112222222222" },
      { op: "updateBatch", map: 1, count: 2, keys: u32(1) + u32(9), values: "11111111112222222222" },
      { op: "deleteBatch", map: 1, count: 1, keys: u32(1) },
      { op: "lookupBatch", map: 1, count: 3, remove: true },
      { op: "freeze", map: 1 },
      { op: "freeze", map: 1 },
      { op: "update", map: 1, key: u32(0), value: "0102030405" },
      { op: "lookup", map: 1, key: u32(1) },
      { op: "updateBatch", map: 1, count: 1, keys: u32(1), values: "1111111111" },
    ],
  },
  {
    name: "per-CPU array",
    cpus: 2,
    commands: [
      ...create(bpf.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 2, 0),
      { op: "update", map: 1, key: u32(1), value: u64(5) + u64(6) },
      { op: "lookup", map: 1, key: u32(1) },
      { op: "lookup", map: 1, key: u32(0) },
      { op: "update", map: 1, key: u32(2), value: u64(5) + u64(6) },
      { op: "update", map: 1, key: u32(1), value: u64(5) + u64(6), flags: 1 },
      { op: "lookupBatch", map: 1, count: 2 },
    ],
  },
  ...[bpf.BPF_MAP_TYPE_PERCPU_HASH, bpf.BPF_MAP_TYPE_LRU_PERCPU_HASH].map(
    (type): Scenario => ({
      name: `per-CPU hash, type ${type}`,
      cpus: 2,
      commands: [
        ...create(type, 4, 4, 2, 0),
        { op: "update", map: 1, key: u32(1), value: u64(5) + u64(6), flags: 2 },
        { op: "update", map: 1, key: u32(1), value: u64(5) + u64(6) },
        { op: "lookup", map: 1, key: u32(1) },
        { op: "update", map: 1, key: u32(1), value: u64(7) + u64(8), flags: 2 },
        { op: "update", map: 1, key: u32(1), value: u64(7) + u64(9), flags: 1 },
        { op: "lookup", map: 1, key: u32(1) },
        { op: "lookupBatch", map: 1, count: 2 },
        { op: "lookupAndDelete", map: 1, key: u32(1) },
        { op: "lookup", map: 1, key: u32(1) },
      ],
    }),
  ),
  {
    name: "batches of a hash",
    commands: [
      ...create(bpf.BPF_MAP_TYPE_HASH, 4, 8, 8, 0),
      { op: "lookupBatch", map: 1, count: 4 },
      { op: "updateBatch", map: 1, count: 3, keys: u32(1) + u32(2) + u32(3), values: u64(1) + u64(2) + u64(3) },
      { op: "deleteBatch", map: 1, count: 2, keys: u32(1) + u32(9) },
      { op: "deleteBatch", map: 1, count: 2, keys: u32(2) + u32(3) },
      { op: "updateBatch", map: 1, count: 1, keys: u32(7), values: u64(7), flags: 1 },
      { op: "updateBatch", map: 1, count: 1, keys: u32(7), values: u64(7) },
      { op: "lookupBatch", map: 1, count: 4, in: u32(99) },
      { op: "lookupBatch", map: 1, count: 4, remove: true },
      { op: "lookupBatch", map: 1, count: 4 },
    ],
  },
  ...[bpf.BPF_MAP_TYPE_QUEUE, bpf.BPF_MAP_TYPE_STACK].map(
    (type): Scenario => ({
      name: `push and pop, type ${type}`,
      commands: [
        ...create(type, 0, 4, 2, 0),
        { op: "lookup", map: 1 },
        { op: "lookupAndDelete", map: 1 },
        { op: "update", map: 1, value: u32(1), flags: 1 },
        { op: "update", map: 1, value: u32(1) },
        { op: "update", map: 1, value: u32(2) },
        { op: "update", map: 1, value: u32(3) },
        { op: "update", map: 1, value: u32(4), flags: 2 },
        { op: "lookup", map: 1 },
        { op: "lookupAndDelete", map: 1 },
        { op: "lookupAndDelete", map: 1 },
        { op: "lookupAndDelete", map: 1 },
        { op: "lookupAndDelete", map: 1, flags: 4 },
        { op: "delete", map: 1 },
        { op: "next", map: 1 },
      ],
    }),
  ),
  {
    name: "LPM trie",
    commands: [
      ...create(bpf.BPF_MAP_TYPE_LPM_TRIE, 8, 4, 6, bpf.BPF_F_NO_PREALLOC),
      { op: "next", map: 1 },
      { op: "update", map: 1, key: `${u32(16)}c0a80000`, value: u32(1) },
      { op: "update", map: 1, key: `${u32(24)}c0a80000`, value: u32(2) },
      { op: "update", map: 1, key: `${u32(24)}c0a88000`, value: u32(3) },
      { op: "update", map: 1, key: `${u32(24)}c0a80100`, value: u32(4), flags: 2 },
      { op: "update", map: 1, key: `${u32(24)}c0a80100`, value: u32(4), flags: 1 },
      { op: "update", map: 1, key: `${u32(24)}c0a80100`, value: u32(5), flags: 1 },
      { op: "update", map: 1, key: `${u32(33)}c0a80100`, value: u32(5) },
      { op: "update", map: 1, key: `${u32(24)}c0a80100`, value: u32(5), flags: 4 },
      { op: "lookup", map: 1, key: `${u32(32)}c0a80105` },
      { op: "lookup", map: 1, key: `${u32(32)}c0a8ff05` },
      { op: "lookup", map: 1, key: `${u32(8)}c0a8ff05` },
      { op: "lookup", map: 1, key: `${u32(32)}0a000001` },
      { op: "lookup", map: 1, key: `${u32(40)}c0a80105` },
      { op: "next", map: 1 },
      { op: "next", map: 1, key: `${u32(24)}c0a80000` },
      { op: "next", map: 1, key: `${u32(24)}c0a80100` },
      { op: "next", map: 1, key: `${u32(24)}c0a88000` },
      { op: "next", map: 1, key: `${u32(16)}c0a80000` },
      { op: "next", map: 1, key: `${u32(99)}c0a80000` },
      { op: "next", map: 1, key: `${u32(23)}c0a80000` },
      { op: "lookupBatch", map: 1, count: 3 },
      { op: "delete", map: 1, key: `${u32(23)}c0a80000` },
      { op: "delete", map: 1, key: `${u32(33)}c0a80000` },
      { op: "delete", map: 1, key: `${u32(24)}c0a80000` },
      { op: "lookup", map: 1, key: `${u32(32)}c0a80005` },
      { op: "update", map: 1, key: `${u32(0)}00000000`, value: u32(6) },
      { op: "lookup", map: 1, key: `${u32(32)}0a000001` },
      { op: "update", map: 1, key: `${u32(32)}01000000`, value: u32(7) },
      { op: "update", map: 1, key: `${u32(32)}02000000`, value: u32(7) },
      { op: "update", map: 1, key: `${u32(32)}03000000`, value: u32(7) },
      { op: "deleteBatch", map: 1, count: 2, keys: `${u32(32)}01000000${u32(32)}02000000` },
      { op: "next", map: 1 },
    ],
  },
  ...[bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS, bpf.BPF_MAP_TYPE_HASH_OF_MAPS].map(
    (type): Scenario => ({
      name: `map in map, type ${type}`,
      commands: [
        ...create(type, 4, 4, 2, 0),
        { op: "create", type: bpf.BPF_MAP_TYPE_ARRAY, key: 4, value: 8, max: 3 },
        { op: "create", type: bpf.BPF_MAP_TYPE_ARRAY, key: 4, value: 8, max: 2 },
        { op: "update", map: 1, key: u32(0), fd: 2 },
        { op: "update", map: 1, key: u32(0), fd: 3 },
        { op: "update", map: 1, key: u32(0), fd: 3, flags: 1 },
        { op: "update", map: 1, key: u32(1), fd: 3, flags: 2 },
        { op: "update", map: 1, key: u32(9), fd: 3 },
        { op: "update", map: 1, key: u32(8), fd: 3 },
        { op: "lookup", map: 1, key: u32(1) },
        { op: "delete", map: 1, key: u32(1) },
        { op: "delete", map: 1, key: u32(0) },
        { op: "delete", map: 1, key: u32(0) },
        { op: "delete", map: 1, key: u32(9) },
      ],
    }),
  ),
  {
    name: "cpumap",
    cpus: 2,
    commands: [
      ...create(bpf.BPF_MAP_TYPE_CPUMAP, 4, 4, 8, 0),
      { op: "lookup", map: 1, key: u32(0) },
      { op: "update", map: 1, key: u32(0), value: u32(192) },
      { op: "lookup", map: 1, key: u32(0) },
      { op: "update", map: 1, key: u32(0), value: u32(20000) },
      { op: "update", map: 1, key: u32(0), value: u32(64), flags: 1 },
      { op: "update", map: 1, key: u32(0), value: u32(64), flags: 2 },
      { op: "update", map: 1, key: u32(8), value: u32(64) },
      { op: "update", map: 1, key: u32(7), value: u32(64) },
      { op: "update", map: 1, key: u32(0), value: u32(0) },
      { op: "lookup", map: 1, key: u32(0) },
      { op: "delete", map: 1, key: u32(0) },
      { op: "delete", map: 1, key: u32(8) },
    ],
  },
  ...[bpf.BPF_MAP_TYPE_DEVMAP, bpf.BPF_MAP_TYPE_DEVMAP_HASH].map(
    (type): Scenario => ({
      // The loopback device is ifindex 1 everywhere.
      name: `devmap, type ${type}`,
      commands: [
        ...create(type, 4, 8, 2, 0),
        { op: "update", map: 1, key: u32(0), value: u64(1) },
        { op: "lookup", map: 1, key: u32(0) },
        { op: "update", map: 1, key: u32(0), value: u64(1), flags: 1 },
        { op: "update", map: 1, key: u32(1), value: u64(1), flags: 2 },
        { op: "update", map: 1, key: u32(2), value: u64(1) },
        { op: "update", map: 1, key: u32(0), value: u64(0) },
        { op: "update", map: 1, key: u32(0), value: u64(1), flags: 3 },
        { op: "lookup", map: 1, key: u32(0) },
        { op: "delete", map: 1, key: u32(1) },
        { op: "delete", map: 1, key: u32(1) },
        { op: "delete", map: 1, key: u32(2) },
        { op: "lookup", map: 1, key: u32(1) },
      ],
    }),
  ),
  {
    name: "bloom filter",
    commands: [
      ...create(bpf.BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 100, 0),
      { op: "lookup", map: 1, value: u32(1) },
      { op: "update", map: 1, value: u32(1) },
      { op: "lookup", map: 1, value: u32(1) },
      { op: "update", map: 1, value: u32(1), flags: 1 },
    ],
  },
];

/** Which elements an LRU map gives up; keys are updated again and again so that some are referenced. */
function evictions(): Scenario[] {
  const out: Scenario[] = [];
  for (const [flags, max] of [
    [0, 8],
    [0, 64],
    [bpf.BPF_F_NO_COMMON_LRU, 8],
    [bpf.BPF_F_NO_COMMON_LRU, 33],
  ] as const) {
    const commands = create(bpf.BPF_MAP_TYPE_LRU_HASH, 4, 8, max, flags);
    let seed = 7;
    for (let step = 0; step < 6; step++) {
      for (let n = 0; n < max / 2; n++) {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        const key = seed % (max * 2);
        commands.push({ op: seed % 11 === 0 ? "delete" : "update", map: 1, key: u32(key), value: u64(step) });
      }
      for (let key = 0; key < max * 2; key++) commands.push({ op: "lookup", map: 1, key: u32(key) });
    }
    out.push({ name: `LRU evictions, ${max} entries, flags ${flags}`, cpus: 2, commands });
  }
  return out;
}

export const SCENARIOS: readonly Scenario[] = [...creations(), ...everyCommand(), ...elements, ...evictions()];
