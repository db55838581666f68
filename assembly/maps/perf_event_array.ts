/**
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY: each slot may hold a perf ring, and bpf_perf_event_output() writes samples to it.
 *
 * Ring     u32 cpu | u32 mask | u64 head | u64 tail | u32 samples lost since the last record | u32 wake-ups |
 *          u64 id | u64 samples lost in all; data at 64, a power of two of bytes.
 * Record   as perf writes it with PERF_SAMPLE_RAW alone: {u32 type 9, u16 misc, u16 size}, u32 raw size, bytes, padding
 *          to 8 (counted in the raw size); lost samples: {u32 type 2, u16 0, u16 24}, u64 id, u64 lost.
 *          Records wrap around at the end of the data.
 * Errors   E2BIG index, ENOENT empty slot, EOPNOTSUPP ring of another CPU, ENOSPC full, EINVAL flags.
 * Source   bpf_perf_event_output() in kernel/trace/bpf_trace.c, kernel/events/ring_buffer.c.
 */
import { currentCpu } from "../memory/cpu_ctx";
import { E2BIG, EINVAL, ENOENT, ENOSPC, EOPNOTSUPP, MAP_VALUES, maxEntries } from "./record";

const RING_CPU: usize = 0;
const RING_MASK: usize = 4;
const RING_HEAD: usize = 8;
const RING_TAIL: usize = 16;
const RING_LOST: usize = 24;
const RING_WAKEUPS: usize = 28;
const RING_ID: usize = 32;
const RING_LOST_TOTAL: usize = 40;
const RING_DATA: u32 = 64;

const INDEX_MASK: u64 = 0xffffffff;
const CURRENT_CPU: u32 = 0xffffffff;
const RECORD_LOST: u32 = 2;
const RECORD_SAMPLE: u32 = 9;
const LOST_BYTES: u32 = 24;

function put(ring: u32, at: u64, src: u32, size: u32): void {
  const mask = load<u32>(ring, RING_MASK);
  const off = <u32>at & mask;
  const first = min<u32>(size, mask + 1 - off);
  memory.copy(ring + RING_DATA + off, src, first);
  if (size > first) memory.copy(ring + RING_DATA, src + first, size - first);
}

/** Aligned words never straddle the end. */
// @ts-ignore: decorator
@inline
function putWord(ring: u32, at: u64, word: u64): void {
  store<u64>(ring + RING_DATA + (<u32>at & load<u32>(ring, RING_MASK)), word);
}

/**
 * Writes one sample made of data and, after it, extra bytes (the packet of BPF_F_CTXLEN_MASK; the caller has taken
 * those bits out of flags).
 */
export function perf_event_output(map: u32, flags: u64, data: u32, size: u32, extra: u32, extraSize: u32): i32 {
  if ((flags & ~INDEX_MASK) != 0) return EINVAL;
  let index = <u32>flags;
  if (index == CURRENT_CPU) index = currentCpu();
  if (index >= maxEntries(map)) return E2BIG;
  const ring = load<u32>(load<u32>(map, MAP_VALUES) + index * 8);
  if (ring == 0) return ENOENT;
  if (load<u32>(ring, RING_CPU) != currentCpu()) return EOPNOTSUPP;

  const raw = ((4 + size + extraSize + 7) & ~7) - 4;
  const total = 8 + 4 + raw;
  const lost = load<u32>(ring, RING_LOST);
  const need = total + (lost != 0 ? LOST_BYTES : 0);
  let head = load<u64>(ring, RING_HEAD);
  if (total > 0xffff || head + need - load<u64>(ring, RING_TAIL) > <u64>load<u32>(ring, RING_MASK) + 1) {
    store<u32>(ring, lost + 1, RING_LOST);
    store<u64>(ring, load<u64>(ring, RING_LOST_TOTAL) + 1, RING_LOST_TOTAL);
    return ENOSPC;
  }
  if (lost != 0) {
    putWord(ring, head, RECORD_LOST | (<u64>LOST_BYTES << 48));
    putWord(ring, head + 8, load<u64>(ring, RING_ID));
    putWord(ring, head + 16, lost);
    head += LOST_BYTES;
    store<u32>(ring, 0, RING_LOST);
  }
  putWord(ring, head, RECORD_SAMPLE | (<u64>total << 48));
  putWord(ring, head + total - 8, 0);
  store<u32>(ring + RING_DATA + (<u32>(head + 8) & load<u32>(ring, RING_MASK)), raw);
  put(ring, head + 12, data, size);
  if (extraSize != 0) put(ring, head + 12 + size, extra, extraSize);
  store<u64>(ring, head + total, RING_HEAD);
  store<u32>(ring, load<u32>(ring, RING_WAKEUPS) + 1, RING_WAKEUPS);
  return 0;
}
