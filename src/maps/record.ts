/**
 * The map record in linear memory: mirror of assembly/maps/record.ts. Offsets in bytes.
 *
 * Its address is what a program holds as a map pointer. docs/ARCHITECTURE.md, "Map records", says what slots hold.
 */
export const MAP_RECORD = {
  type: 0,
  keySize: 4,
  valueSize: 8,
  maxEntries: 12,
  flags: 16,
  id: 20,
  count: 24,
  lock: 28,
  values: 32,
  stride: 36,
  cpuStride: 40,
  cpus: 44,
  nBuckets: 48,
  buckets: 52,
  elems: 56,
  valueOff: 60,
  free: 64,
  freeCount: 68,
  extraElems: 72,
  seed: 76,
  fields: 80,
  nFields: 84,
  needsFree: 88,
  inner: 92,
  mapExtra: 96,
  /** Each type as it likes from here. */
  private: 112,
} as const;

export const MAP_RECORD_SIZE = 192;

/** Ring of a ring buffer; mirror of assembly/maps/ringbuf.ts. */
export const RING = {
  map: 0,
  mask: 4,
  pending: 8,
  wakeups: 16,
  lost: 20,
  consumer: 4096,
  producer: 8192,
  data: 12288,
} as const;

export const RING_PAGE = 4096;

/** Ring of a perf event array's slot; mirror of assembly/maps/perf_event_array.ts. */
export const PERF_RING = {
  cpu: 0,
  mask: 4,
  head: 8,
  tail: 16,
  lost: 24,
  wakeups: 28,
  id: 32,
  lostTotal: 40,
  data: 64,
} as const;

/** Kinds of special fields of a value: enum btf_field_type. */
export const FIELD_KINDS = {
  spin_lock: 1 << 0,
  timer: 1 << 1,
  kptr_unref: 1 << 2,
  kptr_ref: 1 << 3,
  kptr_percpu: 1 << 4,
  list_head: 1 << 5,
  list_node: 1 << 6,
  rb_root: 1 << 7,
  rb_node: 1 << 8,
  refcount: 1 << 9,
  wq: 1 << 10,
  uptr: 1 << 11,
  res_spin_lock: 1 << 12,
  task_work: 1 << 13,
} as const;

export type FieldKind = keyof typeof FIELD_KINDS;

/** Kinds that own nothing, so a value may die without anybody being told. */
const OWNS_NOTHING = FIELD_KINDS.spin_lock | FIELD_KINDS.res_spin_lock | FIELD_KINDS.refcount;

export function ownsSomething(kind: FieldKind): boolean {
  return (FIELD_KINDS[kind] & OWNS_NOTHING) === 0;
}
