/**
 * BPF_MAP_TYPE_QUEUE and STACK.
 *
 * Storage  max_entries + 1 values, so that head == tail means empty; QUEUE_HEAD is the next slot to write, QUEUE_TAIL
 *          the oldest.
 * Errors   push: EINVAL with BPF_NOEXIST or unknown flags, E2BIG when full (BPF_EXIST drops the oldest instead);
 *          pop, peek: ENOENT when empty, and the value is zeroed.
 * Source   kernel/bpf/queue_stack_maps.c.
 */
import { lock, unlock } from "../memory/lock";
import {
  BPF_EXIST, BPF_NOEXIST, E2BIG, EINVAL, ENOENT, MAP_COUNT, MAP_LOCK, MAP_VALUES, QUEUE_HEAD, QUEUE_TAIL, maxEntries,
  valueSize,
} from "./record";
import { copyBytes } from "./value";

export function queue_stack_push_elem(map: u32, value: u32, flags: u64): i32 {
  if ((flags & BPF_NOEXIST) != 0 || flags > BPF_EXIST) return EINVAL;
  lock(map + MAP_LOCK);
  const last = maxEntries(map);
  const head = load<u32>(map, QUEUE_HEAD);
  const next = head == last ? 0 : head + 1;
  const tail = load<u32>(map, QUEUE_TAIL);
  if (next == tail) {
    if (flags != BPF_EXIST) {
      unlock(map + MAP_LOCK);
      return E2BIG;
    }
    store<u32>(map, tail == last ? 0 : tail + 1, QUEUE_TAIL);
  } else {
    store<u32>(map, load<u32>(map, MAP_COUNT) + 1, MAP_COUNT);
  }
  copyBytes(load<u32>(map, MAP_VALUES) + head * valueSize(map), value, valueSize(map));
  store<u32>(map, next, QUEUE_HEAD);
  unlock(map + MAP_LOCK);
  return 0;
}

// @ts-ignore: decorator
@inline
function get(map: u32, value: u32, stack: bool, remove: bool): i32 {
  lock(map + MAP_LOCK);
  const head = load<u32>(map, QUEUE_HEAD);
  const tail = load<u32>(map, QUEUE_TAIL);
  const size = valueSize(map);
  if (head == tail) {
    memory.fill(value, 0, size);
    unlock(map + MAP_LOCK);
    return ENOENT;
  }
  const last = maxEntries(map);
  const at = stack ? (head == 0 ? last : head - 1) : tail;
  copyBytes(value, load<u32>(map, MAP_VALUES) + at * size, size);
  if (remove) {
    if (stack) store<u32>(map, at, QUEUE_HEAD);
    else store<u32>(map, tail == last ? 0 : tail + 1, QUEUE_TAIL);
    store<u32>(map, load<u32>(map, MAP_COUNT) - 1, MAP_COUNT);
  }
  unlock(map + MAP_LOCK);
  return 0;
}

export function queue_pop_elem(map: u32, value: u32): i32 {
  return get(map, value, false, true);
}

export function queue_peek_elem(map: u32, value: u32): i32 {
  return get(map, value, false, false);
}

export function stack_pop_elem(map: u32, value: u32): i32 {
  return get(map, value, true, true);
}

export function stack_peek_elem(map: u32, value: u32): i32 {
  return get(map, value, true, false);
}
