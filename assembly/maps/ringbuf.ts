/**
 * Ring buffers: BPF_MAP_TYPE_RINGBUF (programs produce) and USER_RINGBUF (user space produces).
 *
 * Ring     at RINGBUF_RING, page-aligned:
 *            page 0   u32 map | u32 mask | u64 pending_pos | u32 wake-ups | u32 lost reservations
 *            page 1   u64 consumer_pos   (user space may write it: never trusted)
 *            page 2   u64 producer_pos
 *            data     twice the size. Linux maps the data pages twice, so that a record that wraps is contiguous; here
 *                     the part beyond the end is real memory that only such a record uses.
 * Record   u32 length with BUSY and DISCARD bits | u32 distance of its page from the ring, in pages | data; 8-aligned.
 * Errors   reserve: NULL; output: EINVAL flags, EAGAIN no room.
 * Safety   room is measured from pending_pos, the oldest record still being written, as well as from consumer_pos: a
 *          consumer that moves its position forward cannot make two reservations overlap (CVE-2024-41009).
 * Source   kernel/bpf/ringbuf.c.
 */
import { EAGAIN, EINVAL, RINGBUF_RING } from "./record";

const RING_MAP: usize = 0;
const RING_MASK: usize = 4;
const RING_PENDING: usize = 8;
const RING_WAKEUPS: usize = 16;
const RING_LOST: usize = 20;
const RING_CONSUMER: usize = 4096;
const RING_PRODUCER: usize = 8192;
const RING_DATA: u32 = 12288;

const BUSY: u32 = 0x80000000;
const DISCARD: u32 = 0x40000000;
const LENGTH: u32 = 0x3fffffff;
const HEADER: u32 = 8;
const MAX_RECORD: u64 = 0x3fffffff;

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;

export function ringbuf_init(map: u32, mask: u32): void {
  const ring = load<u32>(map, RINGBUF_RING);
  store<u32>(ring, map, RING_MAP);
  store<u32>(ring, mask, RING_MASK);
}

function reserve(ring: u32, size: u64): u32 {
  if (size > MAX_RECORD) return 0;
  const mask = load<u32>(ring, RING_MASK);
  const len = (size + HEADER + 7) & ~7;
  if (len > <u64>mask + 1) return 0;
  const producer = load<u64>(ring, RING_PRODUCER);
  let pending = load<u64>(ring, RING_PENDING);
  while (pending < producer) {
    const word = load<u32>(ring + RING_DATA + (<u32>pending & mask));
    if ((word & BUSY) != 0) break;
    pending += <u64>((word & LENGTH) + HEADER + 7) & ~7;
  }
  store<u64>(ring, pending, RING_PENDING);
  const end = producer + len;
  if (end - load<u64>(ring, RING_CONSUMER) > mask || end - pending > mask) {
    store<u32>(ring, load<u32>(ring, RING_LOST) + 1, RING_LOST);
    return 0;
  }
  const record = ring + RING_DATA + (<u32>producer & mask);
  store<u32>(record, <u32>size | BUSY);
  store<u32>(record, (record - ring) >> 12, 4);
  store<u64>(ring, end, RING_PRODUCER);
  return record + HEADER;
}

function commit(sample: u32, flags: u64, discard: bool): void {
  const record = sample - HEADER;
  const ring = (record & ~4095) - (load<u32>(record, 4) << 12);
  let len = load<u32>(record) & ~BUSY;
  if (discard) len |= DISCARD;
  store<u32>(record, len);
  const mask = load<u32>(ring, RING_MASK);
  // Wake the consumer when it has caught up and waits at this very record.
  const here = record - ring - RING_DATA;
  const waiting = (<u32>load<u64>(ring, RING_CONSUMER) & mask) == here;
  if ((flags & FORCE_WAKEUP) != 0 || (waiting && (flags & NO_WAKEUP) == 0)) {
    store<u32>(ring, load<u32>(ring, RING_WAKEUPS) + 1, RING_WAKEUPS);
  }
}

/** bpf_ringbuf_reserve: address of size bytes, or 0. Their content is whatever was there. */
export function ringbuf_reserve(map: u32, size: u64, flags: u64): u32 {
  return flags != 0 ? 0 : reserve(load<u32>(map, RINGBUF_RING), size);
}

export function ringbuf_submit(sample: u32, flags: u64): void {
  commit(sample, flags, false);
}

export function ringbuf_discard(sample: u32, flags: u64): void {
  commit(sample, flags, true);
}

export function ringbuf_output(map: u32, data: u32, size: u64, flags: u64): i32 {
  if ((flags & ~(NO_WAKEUP | FORCE_WAKEUP)) != 0) return EINVAL;
  const sample = reserve(load<u32>(map, RINGBUF_RING), size);
  if (sample == 0) return EAGAIN;
  memory.copy(sample, data, <u32>size);
  commit(sample, flags, false);
  return 0;
}

export function ringbuf_query(map: u32, what: u64): u64 {
  const ring = load<u32>(map, RINGBUF_RING);
  if (what == 0) return load<u64>(ring, RING_PRODUCER) - load<u64>(ring, RING_CONSUMER);
  if (what == 1) return <u64>load<u32>(ring, RING_MASK) + 1;
  if (what == 2) return load<u64>(ring, RING_CONSUMER);
  if (what == 3) return load<u64>(ring, RING_PRODUCER);
  return 0;
}
