/**
 * Ring buffer records as dynptrs: the size need not be constant.
 *
 * Errors   EINVAL flags or no room, E2BIG; the dynptr is null then, and submitting it does nothing.
 */
import { ringbuf_discard, ringbuf_reserve, ringbuf_submit } from "../maps/ringbuf";
import { DYNPTR_RINGBUF, dynptr_init } from "./dynptr";

const EINVAL: i32 = -22;
const E2BIG: i32 = -7;
const MAX_SIZE: u32 = 0xffffff;

export function ringbuf_reserve_dynptr(map: u32, size: u32, flags: u64, ptr: u32): i32 {
  dynptr_init(ptr, 0, 0, 0, 0);
  if (flags) return EINVAL;
  if (size > MAX_SIZE) return E2BIG;
  const sample = ringbuf_reserve(map, size, 0);
  if (!sample) return EINVAL;
  dynptr_init(ptr, sample, DYNPTR_RINGBUF, size, 0);
  return 0;
}

export function ringbuf_submit_dynptr(ptr: u32, flags: u64): void {
  const sample = load<u32>(ptr);
  if (!sample) return;
  ringbuf_submit(sample, flags);
  dynptr_init(ptr, 0, 0, 0, 0);
}

export function ringbuf_discard_dynptr(ptr: u32, flags: u64): void {
  const sample = load<u32>(ptr);
  if (!sample) return;
  ringbuf_discard(sample, flags);
  dynptr_init(ptr, 0, 0, 0, 0);
}
