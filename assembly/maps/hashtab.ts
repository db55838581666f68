/**
 * Hash tables: HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH, HASH_OF_MAPS, DEVMAP_HASH.
 *
 * Buckets  u32 address of the first element, one per entry (rounded up to a power of two); bit 0 is the bucket's lock.
 * Element  u32 next | u32 hash | [LRU: 16 bytes of bpf_lru_list.ts] | key, padded to 8 | value
 *          per-CPU values follow each other, MAP_CPU_STRIDE apart. Elements never move.
 * Update   of an existing key puts a new element in front and drops the old one, as Linux does, so a program that holds
 *          the old value keeps seeing it; per-CPU values and BPF_F_LOCK updates are written in place.
 * Errors   update: EINVAL flags, EEXIST, ENOENT, E2BIG when full, ENOMEM; delete: ENOENT.
 * Reuse    a preallocated element is reused at once; others too, by the same map (pool.ts).
 * Source   kernel/bpf/hashtab.c.
 * Differs  one CPU per memory until memory is shared, so buckets are not locked.
 */
import { currentCpu } from "../memory/cpu_ctx";
import { mem_free } from "../memory/heap";
import { lruInit, lruPushFree, lruPopFree, lruTouch } from "./bpf_lru_list";
import { poolFill, poolGive, poolTake } from "./pool";
import {
  BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, E2BIG, EEXIST, EINVAL, ENOENT, ENOMEM, MAP_BUCKETS, MAP_BUCKETS_N,
  MAP_COUNT, MAP_CPUS, MAP_CPU_STRIDE, MAP_ELEMS, MAP_EXTRA_ELEMS, MAP_SEED, MAP_STRIDE, MAP_VALUE_OFF,
  addCount, keySize, maxEntries,
} from "./record";
import {
  copyBytes, copyValue, freeFields, freeFieldsAllCpus, hasSpinLock, hashBytes, keyEqual, unknownFlags, zeroValue,
} from "./value";

const NEXT: usize = 0;
const HASH: usize = 4;
/** Offset of the key. */
const PLAIN_KEY: u32 = 8;
const LRU_KEY: u32 = 24;

// @ts-ignore: decorator
@inline
function hashOf(map: u32, key: u32): u32 {
  return hashBytes(key, keySize(map), load<u32>(map, MAP_SEED));
}

// @ts-ignore: decorator
@inline
function bucketOf(map: u32, hash: u32): u32 {
  return load<u32>(map, MAP_BUCKETS) + (hash & (load<u32>(map, MAP_BUCKETS_N) - 1)) * 4;
}

// @ts-ignore: decorator
@inline
function find(map: u32, key: u32, hash: u32, keyOff: u32): u32 {
  const size = keySize(map);
  let elem = load<u32>(bucketOf(map, hash));
  while (elem != 0) {
    if (load<u32>(elem, HASH) == hash && keyEqual(elem + keyOff, key, size)) return elem;
    elem = load<u32>(elem, NEXT);
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function valueOf(map: u32, elem: u32): u32 {
  return elem + load<u32>(map, MAP_VALUE_OFF);
}

// @ts-ignore: decorator
@inline
function cpuValueOf(map: u32, elem: u32, cpu: u32): u32 {
  return elem + load<u32>(map, MAP_VALUE_OFF) + cpu * load<u32>(map, MAP_CPU_STRIDE);
}

function link(map: u32, elem: u32, hash: u32): void {
  const bucket = bucketOf(map, hash);
  store<u32>(elem, hash, HASH);
  store<u32>(elem, load<u32>(bucket), NEXT);
  store<u32>(bucket, elem);
}

/** Takes an element out of its chain; false when it is in none. */
export function htabUnlink(map: u32, elem: u32): bool {
  let at = bucketOf(map, load<u32>(elem, HASH));
  let here = load<u32>(at);
  while (here != 0 && here != elem) {
    at = here;
    here = load<u32>(at);
  }
  if (here == 0) return false;
  store<u32>(at, load<u32>(elem, NEXT));
  return true;
}

/** Builds the free lists of a fresh map whose areas src/maps has allocated. */
export function htab_init(map: u32): void {
  const elems = load<u32>(map, MAP_ELEMS);
  if (elems == 0) return;
  const extra = load<u32>(map, MAP_EXTRA_ELEMS);
  if (extra == 0) return lruInit(map);
  const cpus = load<u32>(map, MAP_CPUS);
  poolFill(map, maxEntries(map) + cpus);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) store<u32>(extra + cpu * 4, poolTake(map));
}

// --- lookup ---------------------------------------------------------------------------------------------------------

export function htab_lookup_elem(map: u32, key: u32): u32 {
  const elem = find(map, key, hashOf(map, key), PLAIN_KEY);
  return elem == 0 ? 0 : valueOf(map, elem);
}

export function percpu_htab_lookup_elem(map: u32, key: u32): u32 {
  const elem = find(map, key, hashOf(map, key), PLAIN_KEY);
  return elem == 0 ? 0 : cpuValueOf(map, elem, currentCpu());
}

export function percpu_htab_lookup_percpu_elem(map: u32, key: u32, cpu: u32): u32 {
  if (cpu >= load<u32>(map, MAP_CPUS)) return 0;
  const elem = find(map, key, hashOf(map, key), PLAIN_KEY);
  return elem == 0 ? 0 : cpuValueOf(map, elem, cpu);
}

export function lru_htab_lookup_elem(map: u32, key: u32): u32 {
  const elem = find(map, key, hashOf(map, key), LRU_KEY);
  if (elem == 0) return 0;
  lruTouch(elem);
  return valueOf(map, elem);
}

export function lru_percpu_htab_lookup_elem(map: u32, key: u32): u32 {
  const elem = find(map, key, hashOf(map, key), LRU_KEY);
  if (elem == 0) return 0;
  lruTouch(elem);
  return cpuValueOf(map, elem, currentCpu());
}

export function lru_percpu_htab_lookup_percpu_elem(map: u32, key: u32, cpu: u32): u32 {
  if (cpu >= load<u32>(map, MAP_CPUS)) return 0;
  const elem = find(map, key, hashOf(map, key), LRU_KEY);
  if (elem == 0) return 0;
  lruTouch(elem);
  return cpuValueOf(map, elem, cpu);
}

/** Programs get the inner map's record, or NULL. */
export function htab_of_maps_lookup_elem(map: u32, key: u32): u32 {
  const value = htab_lookup_elem(map, key);
  return value == 0 ? 0 : load<u32>(value);
}

/** bpf(2) reads the value of CPU 0 and does not make the element recently used. */
export function htabSysLookup(map: u32, key: u32, lru: bool): u32 {
  const elem = find(map, key, hashOf(map, key), lru ? LRU_KEY : PLAIN_KEY);
  return elem == 0 ? 0 : valueOf(map, elem);
}

// --- update ---------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function refused(old: u32, flags: u64): i32 {
  const want = flags & ~BPF_F_LOCK;
  if (old != 0 && want == BPF_NOEXIST) return EEXIST;
  return old == 0 && want == BPF_EXIST ? ENOENT : 0;
}

/** A free element for a new key, or for the replacement of old; 0 when there is none. */
function takeElem(map: u32, old: u32): u32 {
  const extra = load<u32>(map, MAP_EXTRA_ELEMS);
  if (extra != 0) {
    if (old == 0) return poolTake(map);
    const slot = extra + currentCpu() * 4;
    const elem = load<u32>(slot);
    store<u32>(slot, old);
    return elem;
  }
  if (old == 0 && load<u32>(map, MAP_COUNT) >= maxEntries(map)) return 0;
  return poolTake(map);
}

// @ts-ignore: decorator
@inline
function noElem(map: u32): i32 {
  return load<u32>(map, MAP_COUNT) >= maxEntries(map) || load<u32>(map, MAP_EXTRA_ELEMS) != 0 ? E2BIG : ENOMEM;
}

export function htab_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (unknownFlags(flags)) return EINVAL;
  const hash = hashOf(map, key);
  const old = find(map, key, hash, PLAIN_KEY);
  const err = refused(old, flags);
  if (err != 0) return err;
  if ((flags & BPF_F_LOCK) != 0) {
    if (!hasSpinLock(map)) return EINVAL;
    if (old != 0) {
      copyValue(map, valueOf(map, old), value);
      return 0;
    }
  }
  const elem = takeElem(map, old);
  if (elem == 0) return noElem(map);
  copyBytes(elem + PLAIN_KEY, key, keySize(map));
  copyValue(map, valueOf(map, elem), value);
  // The replaced element leaves first: with equal hashes, the order in the chain is all that tells them apart.
  if (old != 0) htabUnlink(map, old);
  else addCount(map, 1);
  link(map, elem, hash);
  if (old != 0) {
    freeFields(map, valueOf(map, old));
    if (load<u32>(map, MAP_EXTRA_ELEMS) == 0) poolGive(map, old);
  }
  return 0;
}

/** The value of a new element: value for this CPU and zeros for the others, or (all) one value for each CPU. */
function initCpuValues(map: u32, elem: u32, value: u32, all: bool): void {
  const cpus = load<u32>(map, MAP_CPUS);
  const stride = load<u32>(map, MAP_CPU_STRIDE);
  let dst = valueOf(map, elem);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    if (all) copyValue(map, dst, value + cpu * stride);
    else if (cpu == currentCpu()) copyValue(map, dst, value);
    else zeroValue(map, dst);
    dst += stride;
  }
}

function setCpuValues(map: u32, elem: u32, value: u32, all: bool): void {
  const cpus = load<u32>(map, MAP_CPUS);
  const stride = load<u32>(map, MAP_CPU_STRIDE);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    if (!all && cpu != currentCpu()) continue;
    const dst = cpuValueOf(map, elem, cpu);
    copyValue(map, dst, all ? value + cpu * stride : value);
    freeFields(map, dst);
  }
}

/** Per-CPU tables; all: value holds the values of every CPU (bpf(2)). */
export function percpuHtabUpdate(map: u32, key: u32, value: u32, flags: u64, all: bool): i32 {
  if (flags > BPF_EXIST) return EINVAL;
  const hash = hashOf(map, key);
  const old = find(map, key, hash, PLAIN_KEY);
  const err = refused(old, flags);
  if (err != 0) return err;
  if (old != 0) {
    setCpuValues(map, old, value, all);
    return 0;
  }
  const elem = takeElem(map, 0);
  if (elem == 0) return noElem(map);
  copyBytes(elem + PLAIN_KEY, key, keySize(map));
  initCpuValues(map, elem, value, all);
  addCount(map, 1);
  link(map, elem, hash);
  return 0;
}

export function percpu_htab_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  return percpuHtabUpdate(map, key, value, flags, false);
}

export function lru_htab_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (flags > BPF_EXIST) return EINVAL;
  const hash = hashOf(map, key);
  // Linux takes the free element first, so even an update that fails may evict.
  const elem = lruPopFree(map, hash);
  if (elem == 0) return ENOMEM;
  copyBytes(elem + LRU_KEY, key, keySize(map));
  copyValue(map, valueOf(map, elem), value);
  const old = find(map, key, hash, LRU_KEY);
  const err = refused(old, flags);
  if (err != 0) {
    lruPushFree(map, elem);
    return err;
  }
  if (old != 0) htabUnlink(map, old);
  else addCount(map, 1);
  link(map, elem, hash);
  if (old != 0) {
    lruTouch(elem);
    freeFields(map, valueOf(map, old));
    lruPushFree(map, old);
  }
  return 0;
}

export function lruPercpuHtabUpdate(map: u32, key: u32, value: u32, flags: u64, all: bool): i32 {
  if (flags > BPF_EXIST) return EINVAL;
  const hash = hashOf(map, key);
  // An element is taken up front, except that BPF_EXIST can need none.
  let elem: u32 = 0;
  if (flags != BPF_EXIST) {
    elem = lruPopFree(map, hash);
    if (elem == 0) return ENOMEM;
  }
  const old = find(map, key, hash, LRU_KEY);
  const err = refused(old, flags);
  if (err == 0 && old == 0) {
    copyBytes(elem + LRU_KEY, key, keySize(map));
    initCpuValues(map, elem, value, all);
    addCount(map, 1);
    link(map, elem, hash);
    return 0;
  }
  if (elem != 0) lruPushFree(map, elem);
  if (err != 0) return err;
  lruTouch(old);
  setCpuValues(map, old, value, all);
  return 0;
}

export function lru_percpu_htab_update_elem(map: u32, key: u32, value: u32, flags: u64): i32 {
  return lruPercpuHtabUpdate(map, key, value, flags, false);
}

// --- delete ---------------------------------------------------------------------------------------------------------

export function htab_delete_elem(map: u32, key: u32): i32 {
  const elem = find(map, key, hashOf(map, key), PLAIN_KEY);
  if (elem == 0) return ENOENT;
  htabUnlink(map, elem);
  addCount(map, -1);
  freeFieldsAllCpus(map, valueOf(map, elem));
  poolGive(map, elem);
  return 0;
}

export function lru_htab_delete_elem(map: u32, key: u32): i32 {
  const elem = find(map, key, hashOf(map, key), LRU_KEY);
  if (elem == 0) return ENOENT;
  lruEvict(map, elem);
  lruPushFree(map, elem);
  return 0;
}

/** Takes an element out of the table so that its node can go elsewhere; false when it was out already. */
export function lruEvict(map: u32, elem: u32): bool {
  if (!htabUnlink(map, elem)) return false;
  addCount(map, -1);
  freeFieldsAllCpus(map, valueOf(map, elem));
  return true;
}

/** Drops every element; the map is about to be freed. */
export function htab_clear(map: u32): void {
  const n = load<u32>(map, MAP_BUCKETS_N);
  for (let i: u32 = 0; i < n; i++) {
    const bucket = load<u32>(map, MAP_BUCKETS) + i * 4;
    let elem = load<u32>(bucket);
    store<u32>(bucket, 0);
    while (elem != 0) {
      const next = load<u32>(elem, NEXT);
      freeFieldsAllCpus(map, valueOf(map, elem));
      if (load<u32>(map, MAP_ELEMS) == 0) mem_free(elem);
      elem = next;
    }
  }
  store<u32>(map, 0, MAP_COUNT);
}

// --- iteration ------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function firstFrom(map: u32, bucket: u32): u32 {
  const n = load<u32>(map, MAP_BUCKETS_N);
  const buckets = load<u32>(map, MAP_BUCKETS);
  for (let i = bucket; i < n; i++) {
    const elem = load<u32>(buckets + i * 4);
    if (elem != 0) return elem;
  }
  return 0;
}

/** A key that is not (or no longer) in the table, or none, starts again from the first bucket. */
export function htabNextKey(map: u32, key: u32, next: u32, keyOff: u32): i32 {
  let elem: u32 = 0;
  if (key == 0) {
    elem = firstFrom(map, 0);
  } else {
    const hash = hashOf(map, key);
    const here = find(map, key, hash, keyOff);
    if (here == 0) elem = firstFrom(map, 0);
    else {
      elem = load<u32>(here, NEXT);
      if (elem == 0) elem = firstFrom(map, (hash & (load<u32>(map, MAP_BUCKETS_N) - 1)) + 1);
    }
  }
  if (elem == 0) return ENOENT;
  copyBytes(next, elem + keyOff, keySize(map));
  return 0;
}

export function htab_get_next_key(map: u32, key: u32, next: u32): i32 {
  return htabNextKey(map, key, next, PLAIN_KEY);
}

export function lru_htab_get_next_key(map: u32, key: u32, next: u32): i32 {
  return htabNextKey(map, key, next, LRU_KEY);
}

/**
 * One step of a walk over all elements. Cursor: u32 bucket of the next element, u32 the next element or 0. Callers may
 * delete any element between steps: a remembered element that left its chain ends that bucket.
 */
export function htabWalk(map: u32, cursor: u32): u32 {
  const n = load<u32>(map, MAP_BUCKETS_N);
  const buckets = load<u32>(map, MAP_BUCKETS);
  let bucket = load<u32>(cursor);
  let elem = load<u32>(cursor, 4);
  if (elem != 0 && !inChain(load<u32>(buckets + bucket * 4), elem)) {
    elem = 0;
    bucket++;
  }
  while (elem == 0) {
    if (bucket >= n) {
      store<u32>(cursor, n);
      store<u32>(cursor, 0, 4);
      return 0;
    }
    elem = load<u32>(buckets + bucket * 4);
    if (elem == 0) bucket++;
  }
  const next = load<u32>(elem, NEXT);
  store<u32>(cursor, next == 0 ? bucket + 1 : bucket);
  store<u32>(cursor, next, 4);
  return elem;
}

function inChain(at: u32, elem: u32): bool {
  while (at != 0) {
    if (at == elem) return true;
    at = load<u32>(at, NEXT);
  }
  return false;
}

/** Batch reads: elements in a bucket, or -1 beyond the last. */
export function htab_bucket_count(map: u32, bucket: u32): i32 {
  if (bucket >= load<u32>(map, MAP_BUCKETS_N)) return -1;
  let n: i32 = 0;
  for (let elem = load<u32>(load<u32>(map, MAP_BUCKETS) + bucket * 4); elem != 0; elem = load<u32>(elem, NEXT)) n++;
  return n;
}

/** Batch reads: the n-th element of a bucket, which must have one. */
export function htab_bucket_elem(map: u32, bucket: u32, n: u32): u32 {
  let elem = load<u32>(load<u32>(map, MAP_BUCKETS) + bucket * 4);
  while (n-- > 0) elem = load<u32>(elem, NEXT);
  return elem;
}
