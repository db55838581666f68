// Frames: header, 11 registers, stack slots. Allocation by number of slots, with free lists.

import { F_CAPACITY, F_STACK, F_STACK_SLOTS, REG_SIZE, SLOT_SIZE } from "./layout";
import { setKnown, unbound } from "./bounds";
import { setTnum } from "./layout";

/** Heads of the free lists, one per capacity 0..64; a free frame links to the next in its first word. */
const free: u32 = memory.data(65 * 4, 8) as u32;
let top: u32 = 0;

/** A frame with room for `capacity` (0..64) slots; all zero. */
export function frame_alloc(capacity: u32): u32 {
  const at = take(capacity);
  memory.fill(at, 0, F_STACK + capacity * SLOT_SIZE);
  store<u32>(at, capacity, F_CAPACITY);
  return at;
}

/** A copy with just the room that the used slots need. */
export function frame_clone(src: u32): u32 {
  const slots = load<u32>(src, F_STACK_SLOTS);
  const at = take(slots);
  memory.copy(at, src, F_STACK + slots * SLOT_SIZE);
  store<u32>(at, slots, F_CAPACITY);
  return at;
}

function take(capacity: u32): u32 {
  const head = free + capacity * 4;
  const size = F_STACK + capacity * SLOT_SIZE;
  let at = load<u32>(head);
  if (at) {
    store<u32>(head, load<u32>(at));
  } else {
    if (!top) top = (<u32>__heap_base + 15) & ~15;
    at = top;
    top += size;
    const have = <u32>memory.size() << 16;
    if (top > have) {
      // Grow by an eighth at least: each growth makes the views of JavaScript anew.
      const want = max((top - have + 0xffff) >> 16, max(have >> 19, 64));
      if (memory.grow(want) < 0) unreachable();
    }
  }
  return at;
}

export function frame_free(frame: u32): void {
  const head = free + load<u32>(frame, F_CAPACITY) * 4;
  store<u32>(frame, load<u32>(head));
  store<u32>(head, frame);
}

/** Copies everything but the capacity; slots of dst beyond those of src become zero where dst used them. */
export function frame_copy(dst: u32, src: u32): void {
  const capacity = load<u32>(dst, F_CAPACITY);
  const had = load<u32>(dst, F_STACK_SLOTS);
  const slots = load<u32>(src, F_STACK_SLOTS);
  memory.copy(dst, src, F_STACK + slots * SLOT_SIZE);
  store<u32>(dst, capacity, F_CAPACITY);
  if (had > slots) memory.fill(dst + F_STACK + slots * SLOT_SIZE, 0, (had - slots) * SLOT_SIZE);
}

/** Zeroes everything but the capacity. */
export function frame_clear(frame: u32): void {
  const capacity = load<u32>(frame, F_CAPACITY);
  memory.fill(frame, 0, F_STACK + load<u32>(frame, F_STACK_SLOTS) * SLOT_SIZE);
  store<u32>(frame, capacity, F_CAPACITY);
}

/** Frees all frames at once. */
export function frames_reset(): void {
  memory.fill(free, 0, 65 * 4);
  top = 0;
}

/** Word by word: memory.copy and memory.fill are calls out of the module, which cost more than such a record. */
export function reg_copy(dst: u32, src: u32): void {
  store<u64>(dst, load<u64>(src, 0), 0);
  store<u64>(dst, load<u64>(src, 8), 8);
  store<u64>(dst, load<u64>(src, 16), 16);
  store<u64>(dst, load<u64>(src, 24), 24);
  store<u64>(dst, load<u64>(src, 32), 32);
  store<u64>(dst, load<u64>(src, 40), 40);
  store<u64>(dst, load<u64>(src, 48), 48);
  store<u64>(dst, load<u64>(src, 56), 56);
  store<u64>(dst, load<u64>(src, 64), 64);
  store<u64>(dst, load<u64>(src, 72), 72);
  store<u64>(dst, load<u64>(src, 80), 80);
  store<u64>(dst, load<u64>(src, 88), 88);
  store<u64>(dst, load<u64>(src, 96), 96);
  store<u64>(dst, load<u64>(src, 104), 104);
}

export function reg_zero(r: u32): void {
  store<u64>(r, 0, 0);
  store<u64>(r, 0, 8);
  store<u64>(r, 0, 16);
  store<u64>(r, 0, 24);
  store<u64>(r, 0, 32);
  store<u64>(r, 0, 40);
  store<u64>(r, 0, 48);
  store<u64>(r, 0, 56);
  store<u64>(r, 0, 64);
  store<u64>(r, 0, 72);
  store<u64>(r, 0, 80);
  store<u64>(r, 0, 88);
  store<u64>(r, 0, 96);
  store<u64>(r, 0, 104);
}

export function reg_unknown_bounds(r: u32): void {
  setTnum(r, 0, u64.MAX_VALUE);
  unbound(r);
}

export function reg_const_bounds(r: u32, lo: u32, hi: u32): void {
  setKnown(r, (<u64>hi << 32) | <u64>lo);
}

/** The whole record becomes an unknown scalar. */
export function reg_unknown(r: u32, precise: u32): void {
  reg_zero(r);
  store<u32>(r, 1);
  store<u32>(r, precise, 100);
  reg_unknown_bounds(r);
}
