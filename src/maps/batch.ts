/**
 * Batch commands of bpf(2).
 *
 * Hash tables are read bucket by bucket, and the position between calls is a u32 bucket number; arrays and tries are
 * read by get_next_key, and the position is the last key. A failure after some elements still reports how many were
 * done.
 *
 * Source   generic_map_*_batch() in kernel/bpf/syscall.c, __htab_map_lookup_and_delete_batch() in kernel/bpf/hashtab.c.
 */
import { BPF_F_LOCK } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, ENOSPC, ENOTSUPP, type Errno } from "../abi/errno.ts";
import type { BpfMap } from "./bpf_map.ts";
import type { BatchKind } from "./map_type.ts";
import { MAP_RECORD } from "./record.ts";

export interface BatchRead {
  /** count keys, then count values, one after the other. */
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
  /** out_batch: where the next call goes on. */
  readonly outBatch: Uint8Array | undefined;
  /** ENOENT: the end was reached; ENOSPC: the next bucket does not fit count. 0 otherwise. */
  readonly errno: Errno | 0;
}

export interface BatchWrite {
  /** Elements done before the error, if any. */
  readonly count: number;
  readonly errno: Errno | 0;
}

export type BatchOp = "lookup" | "lookupAndDelete" | "update" | "delete";

const OPS: Record<BatchKind, readonly BatchOp[]> = {
  array: ["lookup", "update"],
  trie: ["lookup", "update", "delete"],
  hash: ["lookup", "lookupAndDelete", "update", "delete"],
};

/** BPF_MAP_LOOKUP_BATCH and, with remove, BPF_MAP_LOOKUP_AND_DELETE_BATCH. @throws EINVAL, ENOTSUPP, EPERM */
export function lookupBatch(
  map: BpfMap,
  inBatch: Uint8Array | undefined,
  max: number,
  elemFlags = 0,
  remove = false,
): BatchRead {
  checkBatch(map, remove ? "lookupAndDelete" : "lookup", elemFlags);
  if (remove) map.checkWritable();
  if (max === 0) return { keys: new Uint8Array(), values: new Uint8Array(), count: 0, outBatch: undefined, errno: 0 };
  return map.type.batch === "hash" ? readBuckets(map, inBatch, max, remove) : readKeys(map, inBatch, max);
}

/** BPF_MAP_UPDATE_BATCH of count elements. */
export function updateBatch(map: BpfMap, keys: Uint8Array, values: Uint8Array, max: number, elemFlags = 0): BatchWrite {
  checkBatch(map, "update", elemFlags);
  map.checkWritable();
  const { keySize, sysValueSize } = map;
  return each(max, (n) => {
    const key = keys.subarray(n * keySize, (n + 1) * keySize);
    map.update(key, values.subarray(n * sysValueSize, (n + 1) * sysValueSize), elemFlags);
  });
}

/** BPF_MAP_DELETE_BATCH of count keys. */
export function deleteBatch(map: BpfMap, keys: Uint8Array, max: number, elemFlags = 0): BatchWrite {
  checkBatch(map, "delete", elemFlags);
  map.checkWritable();
  return each(max, (n) => map.delete(keys.subarray(n * map.keySize, (n + 1) * map.keySize)));
}

/** @throws ENOTSUPP where the type has no such batch; EINVAL for flags */
export function checkBatch(map: BpfMap, op: BatchOp, elemFlags: number | bigint, flags = 0n): void {
  const { batch } = map.type;
  if (!batch || !OPS[batch].includes(op)) throw map.error(ENOTSUPP, `no ${op} batch`);
  const locks = map.attr.fields?.some((field) => field.kind === "spin_lock");
  const asked = BigInt(elemFlags);
  if (asked !== 0n && (asked !== BigInt(BPF_F_LOCK) || !locks)) {
    throw map.error(EINVAL, `batch with elem_flags ${elemFlags}`);
  }
  // Only hash tables that are read look at them.
  if (flags !== 0n && batch === "hash" && op.startsWith("lookup")) throw map.error(EINVAL, `batch with flags ${flags}`);
}

function each(max: number, one: (n: number) => void): BatchWrite {
  for (let n = 0; n < max; n++) {
    try {
      one(n);
    } catch (error) {
      if (error instanceof BpfError) return { count: n, errno: error.errno };
      throw error;
    }
  }
  return { count: max, errno: 0 };
}

class Collector {
  readonly #map: BpfMap;
  #keys: Uint8Array[] = [];
  #values: Uint8Array[] = [];

  constructor(map: BpfMap) {
    this.#map = map;
  }

  get count(): number {
    return this.#keys.length;
  }

  add(key: Uint8Array, value: Uint8Array): void {
    this.#keys.push(key);
    this.#values.push(value);
  }

  done(outBatch: Uint8Array | undefined, errno: Errno | 0): BatchRead {
    const keys = new Uint8Array(this.count * this.#map.keySize);
    const values = new Uint8Array(this.count * this.#map.sysValueSize);
    for (let n = 0; n < this.count; n++) {
      keys.set(this.#keys[n]!, n * this.#map.keySize);
      values.set(this.#values[n]!, n * this.#map.sysValueSize);
    }
    return { keys, values, count: this.count, outBatch, errno };
  }
}

function readKeys(map: BpfMap, inBatch: Uint8Array | undefined, max: number): BatchRead {
  const out = new Collector(map);
  let previous = inBatch;
  while (out.count < max) {
    const key = map.getNextKey(previous);
    if (!key) return out.done(out.count ? previous : undefined, ENOENT);
    // Slots may be empty: skipped.
    const value = map.lookup(key);
    if (value) out.add(key, value);
    previous = key;
  }
  return out.done(previous, 0);
}

function readBuckets(map: BpfMap, inBatch: Uint8Array | undefined, max: number, remove: boolean): BatchRead {
  const { core, memory } = map;
  if (inBatch && inBatch.length < 4) throw map.error(EINVAL, `in_batch of ${inBatch.length} bytes, wanted 4`);
  const out = new Collector(map);
  let bucket = inBatch ? new DataView(inBatch.buffer, inBatch.byteOffset).getUint32(0, true) : 0;
  let errno: Errno | 0 = 0;
  const keyOff = memory.readU32(map.addr + MAP_RECORD.valueOff) - Math.ceil(map.keySize / 8) * 8;
  for (;;) {
    const n = core.htab_bucket_count(map.addr, bucket);
    if (n < 0) {
      errno = ENOENT;
      break;
    }
    if (n > max - out.count) {
      if (out.count === 0) errno = ENOSPC;
      break;
    }
    const keys: Uint8Array[] = [];
    for (let i = 0; i < n; i++) {
      keys.push(memory.readBytes((core.htab_bucket_elem(map.addr, bucket, i) >>> 0) + keyOff, map.keySize));
    }
    for (const key of keys) {
      const value = remove ? map.lookupAndDelete(key) : map.lookup(key);
      if (value) out.add(key, value);
    }
    bucket++;
  }
  const outBatch = new Uint8Array(4);
  new DataView(outBatch.buffer).setUint32(0, bucket, true);
  return out.done(outBatch, errno);
}
