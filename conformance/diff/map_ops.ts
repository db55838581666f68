/** The same random operations on a map of skep and on one of Linux; the first answer that differs is a failure. */
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, EFAULT, EINVAL } from "../../src/abi/errno.ts";
import { toHex } from "../../src/bytes/hex.ts";
import type { Bpf, Fd, MapCreateAttr } from "../../src/kernel/bpf.ts";
import { MAP_TYPES } from "../../src/maps/table.ts";
import type { Random } from "../fuzz/case.ts";

export interface MapOp {
  readonly op: "lookup" | "update" | "delete" | "take" | "next";
  /** Hex. */
  readonly key: string;
  readonly value: string;
  readonly flags: number;
}

export interface MapCase {
  readonly map: Omit<MapCreateAttr, "mapExtra">;
  readonly ops: readonly MapOp[];
}

interface Entry {
  readonly name: string;
  readonly map: MapCase["map"];
  /** Keys come in the order of the key, so that the next key can be compared. */
  readonly ordered?: boolean;
  readonly keys: number;
}

const def = (
  name: string,
  mapType: number,
  keys: number,
  more: Partial<Entry["map"]> = {},
  ordered = false,
): Entry => ({
  name,
  map: { mapType, keySize: 4, valueSize: 8, maxEntries: 8, ...more },
  keys,
  ordered,
});

/** More keys than room, except where the least recently used would have to go. */
export const MAP_DIFFS: readonly Entry[] = [
  def("hash", abi.BPF_MAP_TYPE_HASH, 12),
  def("hash without preallocation", abi.BPF_MAP_TYPE_HASH, 12, { mapFlags: abi.BPF_F_NO_PREALLOC }),
  def("array", abi.BPF_MAP_TYPE_ARRAY, 12, {}, true),
  def("percpu_hash", abi.BPF_MAP_TYPE_PERCPU_HASH, 12),
  def("percpu_array", abi.BPF_MAP_TYPE_PERCPU_ARRAY, 12, {}, true),
  def("lru_hash", abi.BPF_MAP_TYPE_LRU_HASH, 8, { maxEntries: 4096 }),
  def("lpm_trie", abi.BPF_MAP_TYPE_LPM_TRIE, 40, { keySize: 8, mapFlags: abi.BPF_F_NO_PREALLOC, maxEntries: 16 }, true),
  def("queue", abi.BPF_MAP_TYPE_QUEUE, 1, { keySize: 0 }),
  def("stack", abi.BPF_MAP_TYPE_STACK, 1, { keySize: 0 }),
];

const OPS = ["lookup", "update", "update", "update", "delete", "take", "next"] as const;

export function randomOps(entry: Entry, rng: Random, count: number): MapOp[] {
  const { keySize, valueSize, mapType } = entry.map;
  return Array.from({ length: count }, () => {
    const key = new Uint8Array(keySize);
    const view = new DataView(key.buffer);
    if (mapType === abi.BPF_MAP_TYPE_LPM_TRIE) {
      view.setUint32(0, rng.below(34), true);
      view.setUint32(4, 0x0a000000 + rng.below(4) * 0x40000000 + rng.below(4));
    } else if (keySize > 0) {
      view.setUint32(0, rng.below(entry.keys), true);
    }
    const value = Uint8Array.from({ length: valueSize }, () => rng.u32());
    const flags = rng.chance(0.6) ? 0 : rng.below(rng.chance(0.9) ? 4 : 9);
    return { op: rng.pick(OPS), key: toHex(key), value: toHex(value), flags };
  });
}

/** What both kernels said; undefined when it is the same all along. */
export interface MapDifference {
  readonly at: number;
  readonly op: MapOp;
  readonly skep: string;
  readonly linux: string;
}

export function diffMap(skep: Bpf, linux: Bpf, { map, ops }: MapCase): MapDifference | undefined {
  const ordered = MAP_DIFFS.find((e) => e.map.mapType === map.mapType)?.ordered === true;
  const [a, b] = [skep.mapCreate(map), linux.mapCreate(map)];
  try {
    for (const [at, op] of ops.entries()) {
      if (op.op === "next" && !ordered) continue;
      const [ours, theirs] = [answer(skep, a, map, op), answer(linux, b, map, op)];
      if (ours !== theirs) return { at, op, skep: ours, linux: theirs };
    }
    const [ours, theirs] = [contents(skep, a, map), contents(linux, b, map)];
    const op: MapOp = { op: "lookup", key: "", value: "", flags: 0 };
    return ours === theirs ? undefined : { at: ops.length, op, skep: ours, linux: theirs };
  } finally {
    skep.close(a);
    linux.close(b);
  }
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

function answer(bpf: Bpf, fd: Fd, map: MapCase["map"], { op, key, value, flags }: MapOp): string {
  const k = bytes(key);
  try {
    switch (op) {
      case "lookup":
        return firstCpu(bpf.mapLookupElem(fd, k, BigInt(flags & ~3)), map);
      case "take":
        return firstCpu(bpf.mapLookupAndDeleteElem(fd, k), map);
      case "delete":
        bpf.mapDeleteElem(fd, k);
        return "ok";
      case "next": {
        const next = bpf.mapGetNextKey(fd, k);
        return next ? toHex(next) : "end";
      }
      case "update":
        bpf.mapUpdateElem(fd, k, everyCpu(bytes(value), map, bpf.possibleCpus), BigInt(flags));
        return "ok";
      default:
        return op satisfies never;
    }
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    // a null key is copied by some types and checked by others
    return e.errno === EFAULT ? `errno ${EINVAL}` : `errno ${e.errno}`;
  }
}

function isPercpu(map: MapCase["map"]): boolean {
  return MAP_TYPES[map.mapType]?.percpu === true;
}

/** The same value on each CPU: the kernels may have different numbers of them. */
function everyCpu(value: Uint8Array, map: MapCase["map"], cpus: number): Uint8Array {
  if (!isPercpu(map)) return value;
  const out = new Uint8Array(value.length * cpus);
  for (let cpu = 0; cpu < cpus; cpu++) out.set(value, cpu * value.length);
  return out;
}

function firstCpu(value: Uint8Array, map: MapCase["map"]): string {
  return toHex(isPercpu(map) ? value.subarray(0, map.valueSize) : value);
}

/** All elements, in the order of their keys. */
export function contents(bpf: Bpf, fd: Fd, map: Pick<MapCreateAttr, "mapType" | "keySize" | "valueSize">): string {
  const rows: string[] = [];
  if (map.keySize === 0) return "";
  for (let key = bpf.mapGetNextKey(fd, undefined); key; key = bpf.mapGetNextKey(fd, key)) {
    rows.push(`${toHex(key)}=${toHex(bpf.mapLookupElem(fd, key))}`);
  }
  return isPercpu(map as MapCase["map"]) ? `${rows.length} elements` : rows.sort().join(" ");
}

/** Fewer operations that still differ. */
export function minimiseOps(c: MapCase, differs: (c: MapCase) => boolean): MapCase {
  let ops = [...c.ops];
  for (let size = Math.ceil(ops.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < ops.length; ) {
      const fewer = ops.toSpliced(at, size);
      if (fewer.length < ops.length && differs({ ...c, ops: fewer })) ops = fewer;
      else at += size;
    }
  }
  return { ...c, ops };
}
