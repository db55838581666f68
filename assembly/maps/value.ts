/**
 * Bytes of keys and values: compare, hash, copy.
 *
 * Values may hold special fields (spin locks, timers, kptrs). An update copies around them, as copy_map_value() does;
 * a value that dies gives them back through env.free_fields, as bpf_obj_free_fields() does.
 */
import {
  BPF_F_LOCK, MAP_CPUS, MAP_CPU_STRIDE, MAP_NEEDS_FREE, MAP_RECORDS, MAP_RECORDS_N, MAP_TYPE, TYPE_LRU_PERCPU_HASH,
  TYPE_PERCPU_ARRAY, TYPE_PERCPU_HASH, valueSize,
} from "./record";

// @ts-ignore: decorator
@external("env", "free_fields")
declare function free_fields(map: u32, value: u32): void;

const KIND_SPIN_LOCK: u32 = 1;

/**
 * Eight bytes of a key that a program has just written. It wrote them in smaller pieces as a rule, and a load that
 * spans two stores still in flight waits for both to reach the cache: two halves cost 8 ns for a 16-byte key, whole
 * words 18.
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
  if (size == 8) return load<u64>(a) == word(b);
  if (size == 16) return ((load<u64>(a) ^ word(b)) | (load<u64>(a, 8) ^ word(b, 8))) == 0;
  return keyEqualAny(a, b, size);
}

function keyEqualAny(a: u32, b: u32, size: u32): bool {
  let diff: u64 = 0;
  let at: u32 = 0;
  for (; at + 8 <= size; at += 8) diff |= load<u64>(a + at) ^ word(b + at);
  if (at == size) return diff == 0;
  return (diff | (tailOf(a + at, size - at) ^ tailOf(b + at, size - at))) == 0;
}

/** The last 0 to 7 bytes as one word. */
// @ts-ignore: decorator
@inline
function tailOf(at: u32, size: u32): u64 {
  let word: u64 = 0;
  if ((size & 4) != 0) {
    word = load<u32>(at);
    at += 4;
  }
  if ((size & 2) != 0) {
    word = (word << 16) | load<u16>(at);
    at += 2;
  }
  if ((size & 1) != 0) word = (word << 8) | load<u8>(at);
  return word;
}

const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xbf58476d1ce4e5b9;
/** Even: added to an odd multiplier it gives another. */
const STEP: u64 = 0x2545f4914f6cdd1c;
const LAST: u64 = 0xd6e8feb86659fd93;

// @ts-ignore: decorator
@inline
function folded(h: u64): u32 {
  h = (h ^ (h >> 32)) * LAST;
  return <u32>(h ^ (h >> 32));
}

/**
 * A sum of the words, each mixed with the seed and times its own odd number, folded twice. The multiplications do not
 * wait for each other, and the folds bring the high bits, where differences in a word's last bytes are, down to the
 * bucket number.
 */
// @ts-ignore: decorator
@inline
export function hashBytes(key: u32, size: u32, seed: u32): u32 {
  const s: u64 = <u64>seed | (<u64>~seed << 32);
  if (size == 4) {
    const h = (s ^ load<u32>(key)) * K0;
    return <u32>(h ^ (h >> 32));
  }
  if (size == 8) return folded((s ^ word(key)) * K0);
  if (size == 16) return folded((s ^ word(key)) * K0 + (s ^ word(key, 8)) * K1);
  return hashAny(key, size, s);
}

function hashAny(key: u32, size: u32, s: u64): u32 {
  let sum: u64 = size;
  let k = K0;
  let at: u32 = 0;
  for (; at + 8 <= size; at += 8) {
    sum += (s ^ word(key + at)) * k;
    k += STEP;
  }
  return folded(at == size ? sum : sum + (s ^ tailOf(key + at, size - at)) * k);
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
