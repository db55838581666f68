/**
 * BPF_MAP_TYPE_USER_RINGBUF: user space produces, bpf_user_ringbuf_drain() consumes. The ring is that of ringbuf.ts.
 *
 * Errors   peek: EINVAL for positions or lengths that cannot be, E2BIG for a record larger than the ring or the longest
 *          sample, ENODATA when empty or the next sample is still being written, EAGAIN for one that was discarded
 *          (it is skipped).
 * Source   kernel/bpf/ringbuf.c.
 */
import { E2BIG, EAGAIN, EINVAL, ENODATA, RINGBUF_RING } from "./record";

const RING_MASK: usize = 4;
const RING_CONSUMER: usize = 4096;
const RING_PRODUCER: usize = 8192;
const RING_DATA: u32 = 12288;
const BUSY: u32 = 0x80000000;
const DISCARD: u32 = 0x40000000;
const HEADER: u32 = 8;
/** A dynptr's size has 24 bits. */
const MAX_SAMPLE: u32 = 0xffffff;

/** Size of the next sample, whose address goes to the u32 at out; or a negative errno. */
export function user_ringbuf_peek(map: u32, out: u32): i32 {
  const ring = load<u32>(map, RINGBUF_RING);
  const mask = load<u32>(ring, RING_MASK);
  const producer = load<u64>(ring, RING_PRODUCER);
  if ((producer & 7) != 0) return EINVAL;
  const consumer = load<u64>(ring, RING_CONSUMER);
  if (consumer >= producer) return ENODATA;
  const record = ring + RING_DATA + (<u32>consumer & mask);
  const word = load<u32>(record);
  const len = word & ~(BUSY | DISCARD);
  const total = (<u64>len + HEADER + 7) & ~7;
  if ((word & BUSY) != 0) return ENODATA;
  if (total > producer - consumer) return EINVAL;
  if (total > <u64>mask + 1 || len > MAX_SAMPLE) return E2BIG;
  if ((word & DISCARD) != 0) {
    store<u64>(ring, consumer + total, RING_CONSUMER);
    return EAGAIN;
  }
  store<u32>(out, record + HEADER);
  return <i32>len;
}

/** Consumes the sample that peek returned. */
export function user_ringbuf_release(map: u32, size: u32): void {
  const ring = load<u32>(map, RINGBUF_RING);
  store<u64>(ring, load<u64>(ring, RING_CONSUMER) + ((<u64>size + HEADER + 7) & ~7), RING_CONSUMER);
}
