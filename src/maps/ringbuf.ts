/**
 * RINGBUF and USER_RINGBUF: the types, and the user-space ends of both rings.
 *
 * Layout   assembly/maps/ringbuf.ts.
 * Source   kernel/bpf/ringbuf.c, libbpf's ringbuf.c.
 */
import { BPF_F_NUMA_NODE, BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from "../abi/bpf.ts";
import { EINVAL, type Errno } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";
import { ringAccess } from "./access.ts";
import type { BpfMap } from "./bpf_map.ts";
import { has } from "./check.ts";
import type { MapExports } from "./exports.ts";
import type { MapAttr, MapType } from "./map_type.ts";
import { MAP_RECORD, RING, RING_PAGE } from "./record.ts";

const LENGTH_MASK = ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
const RING_AREA = MAP_RECORD.private;

function checkRingbuf(attr: MapAttr): Errno | 0 {
  const { maxEntries: size } = attr;
  const powerOfTwo = size !== 0 && (size & (size - 1)) === 0;
  if (has(attr, ~BPF_F_NUMA_NODE) || attr.keySize !== 0 || attr.valueSize !== 0) return EINVAL;
  return !powerOfTwo || size % RING_PAGE !== 0 ? EINVAL : 0;
}

function createRingbuf(memory: Memory, map: number, attr: MapAttr): void {
  memory.writeU32(map + RING_AREA, memory.alloc(RING.data + 2 * attr.maxEntries, RING_PAGE));
  memory.exports<MapExports>().ringbuf_init(map, attr.maxEntries - 1);
}

const RINGBUF_OPS = [
  "ringbuf_output",
  "ringbuf_reserve",
  "ringbuf_query",
  "ringbuf_reserve_dynptr",
  "ringbuf_submit_dynptr",
  "ringbuf_discard_dynptr",
];

export const ringbuf: MapType = {
  name: "ringbuf",
  flags: BPF_F_NUMA_NODE,
  privilege: "none",
  check: checkRingbuf,
  checkedLate: true,
  create: createRingbuf,
  areas: [RING_AREA],
  access: ringAccess,
  ops: RINGBUF_OPS,
  reserves: RINGBUF_OPS,
};

export const user_ringbuf: MapType = {
  ...ringbuf,
  name: "user_ringbuf",
  ops: ["user_ringbuf_drain"],
  reserves: ["user_ringbuf_drain"],
};

/** Address of a ring buffer's ring (RING); it moves never. */
export function ringOf(map: BpfMap): number {
  return map.memory.readU32(map.addr + RING_AREA);
}

/**
 * Hands the finished records to take, oldest first, until none is left, one is still being written, max are taken, or
 * take returns false (that record counts as taken). Returns how many records were taken; discarded ones are skipped.
 * The bytes are a copy.
 */
export function consumeRingbuf(
  map: BpfMap,
  // biome-ignore lint/suspicious/noConfusingVoidType: callbacks that return nothing go on
  take: (record: Uint8Array<ArrayBuffer>) => boolean | void,
  max = Number.POSITIVE_INFINITY,
): number {
  const { memory } = map;
  const ring = ringOf(map);
  const mask = memory.readU32(ring + RING.mask);
  let taken = 0;
  let at = memory.readU64(ring + RING.consumer);
  while (taken < max && at < memory.readU64(ring + RING.producer)) {
    const record = ring + RING.data + (Number(at & 0xffffffffn) & mask);
    const word = memory.readU32(record);
    if (word & BPF_RINGBUF_BUSY_BIT) break;
    const size = word & LENGTH_MASK;
    const bytes = word & BPF_RINGBUF_DISCARD_BIT ? undefined : memory.readBytes(record + BPF_RINGBUF_HDR_SZ, size);
    at += BigInt((size + BPF_RINGBUF_HDR_SZ + 7) & ~7);
    memory.writeU64(ring + RING.consumer, at);
    if (!bytes) continue;
    taken++;
    if (take(bytes) === false) break;
  }
  return taken;
}

/** Counters of a ring: notifications that a waiting consumer would have got, reservations that found no room. */
export function ringbufStats(map: BpfMap): { wakeups: number; lost: number } {
  const ring = ringOf(map);
  return { wakeups: map.memory.readU32(ring + RING.wakeups), lost: map.memory.readU32(ring + RING.lost) };
}

/** User space writes one sample to a USER_RINGBUF; false when there is no room. */
export function produceUserRingbuf(map: BpfMap, sample: Uint8Array): boolean {
  const { memory } = map;
  const ring = ringOf(map);
  const mask = memory.readU32(ring + RING.mask);
  const total = (sample.length + BPF_RINGBUF_HDR_SZ + 7) & ~7;
  const producer = memory.readU64(ring + RING.producer);
  const used = Number(producer - memory.readU64(ring + RING.consumer));
  if (total > mask + 1 - used) return false;
  const record = ring + RING.data + (Number(producer & 0xffffffffn) & mask);
  memory.writeBytes(record + BPF_RINGBUF_HDR_SZ, sample);
  memory.writeU32(record, sample.length);
  memory.writeU32(record + 4, 0);
  memory.writeU64(ring + RING.producer, producer + BigInt(total));
  return true;
}
