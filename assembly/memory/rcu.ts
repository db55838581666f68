/**
 * Memory that running programs may still read: freed when no program runs.
 *
 * Whoever runs programs calls rcu_quiescent() after the outermost run, when rcu_pending() is not 0.
 */
import { mem_free } from "./heap";
import { HEAP_STATE } from "./layout";

/** First word of each waiting block links to the next. */
const HEAD: usize = 32;

export function rcuFree(addr: u32): void {
  store<u32>(addr, load<u32>(HEAP_STATE, HEAD));
  store<u32>(HEAP_STATE, addr, HEAD);
}

export function rcu_pending(): u32 {
  return load<u32>(HEAP_STATE, HEAD);
}

export function rcu_quiescent(): void {
  let addr = load<u32>(HEAP_STATE, HEAD);
  store<u32>(HEAP_STATE, 0, HEAD);
  while (addr != 0) {
    const next = load<u32>(addr);
    mem_free(addr);
    addr = next;
  }
}
