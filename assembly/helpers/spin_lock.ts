/** bpf_spin_lock: a u32 in a map value. The verifier lets a program hold one at a time and never sleep or exit with it. */
import { lock, unlock } from "../memory/lock";

export function spin_lock(word: u32): i32 {
  lock(word);
  return 0;
}

export function spin_unlock(word: u32): i32 {
  unlock(word);
  return 0;
}
