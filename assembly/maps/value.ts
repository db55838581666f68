/**
 * Bytes of keys and values: compare, hash, copy.
 *
 * Values may hold special fields (spin locks, timers, kptrs). An update copies around them, as copy_map_value() does;
 * a value that dies gives them back through env.free_fields, as bpf_obj_free_fields() does.
 */
import { BPF_F_LOCK, MAP_CPUS, MAP_CPU_STRIDE, MAP_NEEDS_FREE, MAP_RECORDS, MAP_RECORDS_N, MAP_TYPE, TYPE_LRU_PERCPU_HASH, TYPE_PERCPU_ARRAY, TYPE_PERCPU_HASH, valueSize } from "./record";

// @ts-ignore: decorator
@external("env", "free_fields")
declare function free_fields(map: u32, value: u32): void;

const KIND_SPIN_LOCK: u32 = 1;

/**
 * Eight bytes of a key that a program has just written. It wrote them in smaller pieces as a rule, and a load that spans
 * two stores still in flight waits for both to reach the cache: two halves cost 8 ns for a 16-byte key, whole words 18.
 */
// @ts-ignore: decorator
@inline
function word(key: u32, off: usize = 0): u64 {
  return <u64>load<u32>(key + <u32>off) | (<u64>load<u32>(key + <u32>off, 4) << 32);
}

/** `a` is the map's, `b` the program's. */
// @ts-ignore: decorator
@inline
export function keyEqual(a: u32, b: u32, size: u32): bool {
  if (size == 4) return load<u32>(a) == load<u32>(b);
  if (size == 16) return ((load<u64>(a) ^ word(b)) | (load<u64>(a, 8) ^ word(b, 8))) == 0;
  return keyEqualAny(a, b, size);
}

function keyEqualAny(a: u32, b: u32, size: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= size; at += 8) {
    if (load<u64>(a + at) != word(b + at)) return false;
  }
  if ((size & 4) != 0) {
    if (load<u32>(a + at) != load<u32>(b + at)) return false;
    at += 4;
  }
  if ((size & 2) != 0) {
    if (load<u16>(a + at) != load<u16>(b + at)) return false;
    at += 2;
  }
  return (size & 1) == 0 || load<u8>(a + at) == load<u8>(b + at);
}

const K1: u64 = 0x9e3779b97f4a7c15;
const K2: u64 = 0xd6e8feb86659fd93;

// @ts-ignore: decorator
@inline
function mixed(h: u64, word: u64): u64 {
  h = (h ^ word) * K1;
  return h ^ (h >> 32);
}

// @ts-ignore: decorator
@inline
function finished(h: u64): u32 {
  h *= K2;
  return <u32>(h ^ (h >> 32));
}

/** Multiply-and-fold hash; two multiplications for a 16-byte key and one more to finish. */
// @ts-ignore: decorator
@inline
export function hashBytes(key: u32, size: u32, seed: u32): u32 {
  if (size == 4) return <u32>mixed(seed, load<u32>(key));
  if (size == 16) return finished(mixed(mixed(seed, word(key)), word(key, 8)));
  return hashAny(key, size, seed);
}

function hashAny(key: u32, size: u32, seed: u32): u32 {
  let h: u64 = seed ^ (<u64>size << 32);
  let at: u32 = 0;
  for (; at + 8 <= size; at += 8) h = mixed(h, word(key + at));
  let tail: u64 = 0;
  if ((size & 4) != 0) {
    tail = load<u32>(key + at);
    at += 4;
  }
  if ((size & 2) != 0) {
    tail = (tail << 16) | load<u16>(key + at);
    at += 2;
  }
  if ((size & 1) != 0) tail = (tail << 8) | load<u8>(key + at);
  return finished(mixed(h, tail));
}

/** Short copies by words: a call of memory.copy costs more than it saves below a cache line or two. */
// @ts-ignore: decorator
@inline
export function copyBytes(dst: u32, src: u32, size: u32): void {
  if (size == 8) store<u64>(dst, load<u64>(src));
  else if (size == 4) store<u32>(dst, load<u32>(src));
  else if (size <= 64) copyShort(dst, src, size);
  else memory.copy(dst, src, size);
}

function copyShort(dst: u32, src: u32, size: u32): void {
  let at: u32 = 0;
  for (; at + 8 <= size; at += 8) store<u64>(dst + at, load<u64>(src + at));
  for (; at < size; at++) store<u8>(dst + at, load<u8>(src + at));
}

/** Copies a value, leaving the special fields of dst as they are. */
export function copyValue(map: u32, dst: u32, src: u32): void {
  const n = load<u32>(map, MAP_RECORDS_N);
  const size = valueSize(map);
  if (n == 0) return copyBytes(dst, src, size);
  let field = load<u32>(map, MAP_RECORDS);
  let at: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const offset = load<u32>(field);
    if (offset > at) copyBytes(dst + at, src + at, offset - at);
    at = offset + load<u32>(field, 4);
    field += 12;
  }
  if (size > at) copyBytes(dst + at, src + at, size - at);
}

/** Zeroes a value around its special fields. */
export function zeroValue(map: u32, dst: u32): void {
  const n = load<u32>(map, MAP_RECORDS_N);
  let field = load<u32>(map, MAP_RECORDS);
  let at: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const offset = load<u32>(field);
    memory.fill(dst + at, 0, offset - at);
    at = offset + load<u32>(field, 4);
    field += 12;
  }
  memory.fill(dst + at, 0, valueSize(map) - at);
}

export function hasSpinLock(map: u32): bool {
  const n = load<u32>(map, MAP_RECORDS_N);
  let field = load<u32>(map, MAP_RECORDS);
  for (let i: u32 = 0; i < n; i++) {
    if (load<u32>(field, 8) == KIND_SPIN_LOCK) return true;
    field += 12;
  }
  return false;
}

/** Drops what the special fields of one value own. */
// @ts-ignore: decorator
@inline
export function freeFields(map: u32, value: u32): void {
  if (load<u32>(map, MAP_NEEDS_FREE) != 0) free_fields(map, value);
}

/** The same for all values of one element: one, or one per CPU. */
export function freeFieldsAllCpus(map: u32, value: u32): void {
  if (load<u32>(map, MAP_NEEDS_FREE) == 0) return;
  const type = load<u32>(map, MAP_TYPE);
  const percpu = type == TYPE_PERCPU_HASH || type == TYPE_PERCPU_ARRAY || type == TYPE_LRU_PERCPU_HASH;
  const cpus = percpu ? load<u32>(map, MAP_CPUS) : 1;
  for (let cpu: u32 = 0; cpu < cpus; cpu++) free_fields(map, value + cpu * load<u32>(map, MAP_CPU_STRIDE));
}

/** True for flags that no map knows, with or without BPF_F_LOCK: above BPF_EXIST. */
// @ts-ignore: decorator
@inline
export function unknownFlags(flags: u64): bool {
  return (flags & ~BPF_F_LOCK) > 2;
}
