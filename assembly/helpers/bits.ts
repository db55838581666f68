/**
 * The bits iterator: set bits of up to 511 words at any address, each step a pointer to its number.
 *
 * Layout   struct bpf_iter_bits, 16 bytes: u64 address of a copy of the words (or the one word itself) | u32 nr_bits | i32 bit.
 */
import { mem_alloc, mem_free } from "../memory/heap";
import { probe_read } from "./probe";

const E2BIG: i32 = -7;
const EFAULT: i32 = -14;
const EINVAL: i32 = -22;
const ENOMEM: i32 = -12;
const MAX_WORDS: u32 = 511;
const NR_BITS: usize = 8;
const BIT: usize = 12;

export function iter_bits_new(it: u32, words: u64, n: u32): i32 {
  store<u64>(it, 0);
  store<u32>(it, 0, NR_BITS);
  store<i32>(it, -1, BIT);
  if (!words || !n) return EINVAL;
  if (n > MAX_WORDS) return E2BIG;
  if (n == 1) {
    if (probe_read(it, 8, words)) return EFAULT;
  } else {
    const copy = mem_alloc(n * 8, 16);
    if (!copy) return ENOMEM;
    if (probe_read(copy, n * 8, words)) {
      mem_free(copy);
      return EFAULT;
    }
    store<u64>(it, copy);
  }
  store<u32>(it, n * 64, NR_BITS);
  return 0;
}

export function iter_bits_next(it: u32): u32 {
  const bits = load<u32>(it, NR_BITS);
  let bit = <u32>(load<i32>(it, BIT) + 1);
  if (!bits || load<i32>(it, BIT) >= <i32>bits) return 0;
  const words: u32 = bits == 64 ? it : load<u32>(it);
  while (bit < bits) {
    const rest = load<u64>(words + (bit >> 6) * 8) >> (bit & 63);
    if (rest) {
      bit += <u32>ctz<u64>(rest);
      store<u32>(it, bit, BIT);
      return it + <u32>BIT;
    }
    bit = (bit | 63) + 1;
  }
  store<u32>(it, bits, BIT);
  return 0;
}

export function iter_bits_destroy(it: u32): void {
  if (load<u32>(it, NR_BITS) > 64) mem_free(load<u32>(it));
  store<u32>(it, 0, NR_BITS);
}
