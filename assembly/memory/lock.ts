/**
 * Lock words. Memory is not shared while one CPU runs, so taking a lock is nothing; the words are in every layout
 * already, and these two functions are the only place to change when memory becomes shared.
 */

// @ts-ignore: decorator
@inline
const SHARED: bool = false;

// @ts-ignore: decorator
@inline
export function lock(word: u32): void {
  if (SHARED) {
    while (atomic.cmpxchg<u32>(word, 0, 1) != 0) {}
  }
}

// @ts-ignore: decorator
@inline
export function unlock(word: u32): void {
  if (SHARED) atomic.store<u32>(word, 0);
}
