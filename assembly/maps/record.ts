/**
 * The map record: the head of every map, at the address that programs hold as the map pointer.
 *
 * Mirror of src/maps/record.ts. All state of a map hangs off this record, in linear memory. Offsets in bytes.
 */
export const MAP_TYPE: usize = 0;
export const MAP_KEY_SIZE: usize = 4;
export const MAP_VALUE_SIZE: usize = 8;
export const MAP_MAX_ENTRIES: usize = 12;
export const MAP_FLAGS: usize = 16;
export const MAP_ID: usize = 20;
/** Elements in the map. */
export const MAP_COUNT: usize = 24;
export const MAP_LOCK: u32 = 28;
/** Arrays: element 0 of CPU 0. */
export const MAP_VALUES: usize = 32;
/** Arrays: bytes between elements; hashes: bytes of one element. */
export const MAP_STRIDE: usize = 36;
/** Per-CPU types: bytes between the values of two CPUs. */
export const MAP_CPU_STRIDE: usize = 40;
export const MAP_CPUS: usize = 44;
/** Hash buckets, a power of two; each is a u32 address of its first element. */
export const MAP_BUCKETS_N: usize = 48;
export const MAP_BUCKETS: usize = 52;
/** Preallocated elements, or 0. */
export const MAP_ELEMS: usize = 56;
/** Value offset inside an element. */
export const MAP_VALUE_OFF: usize = 60;
/** Free elements, linked by their first word. */
export const MAP_FREE: usize = 64;
export const MAP_FREE_N: usize = 68;
/** Preallocated hashes: u32 per CPU, the spare element that an overwrite takes. */
export const MAP_EXTRA_ELEMS: usize = 72;
export const MAP_SEED: usize = 76;
/** Special fields of the value (spin locks, timers, kptrs): {u32 offset, u32 size, u32 kind}, by offset. */
export const MAP_RECORDS: usize = 80;
export const MAP_RECORDS_N: usize = 84;
/** Bit 0: special fields own something, ask env.free_fields when a value dies. */
export const MAP_NEEDS_FREE: usize = 88;
/** Maps in maps: a record that has the inner maps' facts. */
export const MAP_INNER: usize = 92;
export const MAP_EXTRA: usize = 96; // u64 map_extra

/** From here on, each type as it likes. */
export const MAP_PRIVATE: usize = 112;
/** Queue, stack: u32 slot numbers. */
export const QUEUE_HEAD: usize = MAP_PRIVATE;
export const QUEUE_TAIL: usize = MAP_PRIVATE + 4;
/** LPM trie: slot of the root (lpm_trie.ts), u32 data words. */
export const LPM_ROOT: usize = MAP_PRIVATE;
export const LPM_WORDS: usize = MAP_PRIVATE + 8;
/** u32 table over the first bits, u32 how many (lpm_index.ts). */
export const LPM_INDEX: usize = MAP_PRIVATE + 12;
export const LPM_INDEX_BITS: usize = MAP_PRIVATE + 16;
/** LRU: u32 list records, u32 local records, u32 target of free nodes, u32 nodes scanned at a time. */
export const LRU_LISTS: usize = MAP_PRIVATE;
export const LRU_LOCALS: usize = MAP_PRIVATE + 4;
export const LRU_TARGET_FREE: usize = MAP_PRIVATE + 8;
export const LRU_SCANS: usize = MAP_PRIVATE + 12;
/** Ring buffers: u32 address of the ring. */
export const RINGBUF_RING: usize = MAP_PRIVATE;
/** Bloom filter: u32 bit mask, u32 number of hash functions. */
export const BLOOM_MASK: usize = MAP_PRIVATE;
export const BLOOM_HASHES: usize = MAP_PRIVATE + 4;

// Map types and flags of the uapi, as far as the code here asks for them.
export const TYPE_HASH: u32 = 1;
export const TYPE_ARRAY: u32 = 2;
export const TYPE_PROG_ARRAY: u32 = 3;
export const TYPE_PERF_EVENT_ARRAY: u32 = 4;
export const TYPE_PERCPU_HASH: u32 = 5;
export const TYPE_PERCPU_ARRAY: u32 = 6;
export const TYPE_STACK_TRACE: u32 = 7;
export const TYPE_CGROUP_ARRAY: u32 = 8;
export const TYPE_LRU_HASH: u32 = 9;
export const TYPE_LRU_PERCPU_HASH: u32 = 10;
export const TYPE_LPM_TRIE: u32 = 11;
export const TYPE_ARRAY_OF_MAPS: u32 = 12;
export const TYPE_HASH_OF_MAPS: u32 = 13;
export const TYPE_DEVMAP: u32 = 14;
export const TYPE_CPUMAP: u32 = 16;
export const TYPE_XSKMAP: u32 = 17;
export const TYPE_QUEUE: u32 = 22;
export const TYPE_STACK: u32 = 23;
export const TYPE_DEVMAP_HASH: u32 = 25;
export const TYPE_RINGBUF: u32 = 27;
export const TYPE_BLOOM_FILTER: u32 = 30;
export const TYPE_USER_RINGBUF: u32 = 31;

export const BPF_NOEXIST: u64 = 1;
export const BPF_EXIST: u64 = 2;
export const BPF_F_LOCK: u64 = 4;
export const BPF_F_NO_PREALLOC: u32 = 1;
export const BPF_F_NO_COMMON_LRU: u32 = 2;

export const ENOENT: i32 = -2;
export const E2BIG: i32 = -7;
export const EAGAIN: i32 = -11;
export const ENOMEM: i32 = -12;
export const EEXIST: i32 = -17;
export const EINVAL: i32 = -22;
export const ENOSPC: i32 = -28;
export const ENODATA: i32 = -61;
export const EOPNOTSUPP: i32 = -95;
export const ENOTSUPP: i32 = -524;

// @ts-ignore: decorator
@inline
export function keySize(map: u32): u32 {
  return load<u32>(map, MAP_KEY_SIZE);
}

// @ts-ignore: decorator
@inline
export function valueSize(map: u32): u32 {
  return load<u32>(map, MAP_VALUE_SIZE);
}

// @ts-ignore: decorator
@inline
export function maxEntries(map: u32): u32 {
  return load<u32>(map, MAP_MAX_ENTRIES);
}

// @ts-ignore: decorator
@inline
export function addCount(map: u32, n: i32): void {
  store<u32>(map, load<u32>(map, MAP_COUNT) + n, MAP_COUNT);
}
