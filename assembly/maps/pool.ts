/**
 * Elements of maps: preallocated, or from the heap with a short free list per map.
 *
 * Like bpf_mem_alloc, a freed element may be reused at once by the same map, and goes back to the heap only when no
 * program runs (memory/rcu.ts).
 */
import { mem_alloc, mem_free } from "../memory/heap";
import { rcuFree } from "../memory/rcu";
import { MAP_ELEMS, MAP_FREE, MAP_FREE_N, MAP_STRIDE } from "./record";

/** Free elements kept by a map that is not preallocated. */
const KEEP: u32 = 96;

/** An element of MAP_STRIDE bytes, contents undefined; 0 when there is none. */
export function poolTake(map: u32): u32 {
  const elem = load<u32>(map, MAP_FREE);
  if (elem != 0) {
    store<u32>(map, load<u32>(elem), MAP_FREE);
    store<u32>(map, load<u32>(map, MAP_FREE_N) - 1, MAP_FREE_N);
    return elem;
  }
  if (load<u32>(map, MAP_ELEMS) != 0) return 0;
  return mem_alloc(load<u32>(map, MAP_STRIDE), 16);
}

export function poolGive(map: u32, elem: u32): void {
  const n = load<u32>(map, MAP_FREE_N);
  if (n >= KEEP && load<u32>(map, MAP_ELEMS) == 0) return rcuFree(elem);
  store<u32>(elem, load<u32>(map, MAP_FREE));
  store<u32>(map, elem, MAP_FREE);
  store<u32>(map, n + 1, MAP_FREE_N);
}

/** Puts n preallocated elements into the free list, the first on top. */
export function poolFill(map: u32, n: u32): void {
  const stride = load<u32>(map, MAP_STRIDE);
  let elem = load<u32>(map, MAP_ELEMS) + n * stride;
  let head: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    elem -= stride;
    store<u32>(elem, head);
    head = elem;
  }
  store<u32>(map, head, MAP_FREE);
  store<u32>(map, n, MAP_FREE_N);
}

/** Gives the kept free elements of a map that is not preallocated back to the heap; the map is about to be freed. */
export function pool_clear(map: u32): void {
  let elem = load<u32>(map, MAP_ELEMS) != 0 ? 0 : load<u32>(map, MAP_FREE);
  store<u32>(map, 0, MAP_FREE);
  while (elem != 0) {
    const next = load<u32>(elem);
    mem_free(elem);
    elem = next;
  }
}
