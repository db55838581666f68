/**
 * BPF_MAP_TYPE_BLOOM_FILTER: push sets bits, peek tests them.
 *
 * Storage  a bit set of BLOOM_MASK + 1 bits at MAP_VALUES; BLOOM_HASHES functions, one hash with different seeds.
 * Source   kernel/bpf/bloom_filter.c.
 */
import { BLOOM_HASHES, BLOOM_MASK, EINVAL, ENOENT, MAP_SEED, MAP_VALUES, valueSize } from "./record";
import { hashBytes } from "./value";

// @ts-ignore: decorator
@inline
function bitOf(map: u32, value: u32, n: u32): u32 {
  return hashBytes(value, valueSize(map), load<u32>(map, MAP_SEED) + n * 0x9e3779b1) & load<u32>(map, BLOOM_MASK);
}

export function bloom_push_elem(map: u32, value: u32, flags: u64): i32 {
  if (flags != 0) return EINVAL;
  const bits = load<u32>(map, MAP_VALUES);
  for (let n: u32 = 0; n < load<u32>(map, BLOOM_HASHES); n++) {
    const bit = bitOf(map, value, n);
    const byte = bits + (bit >> 3);
    store<u8>(byte, <u32>load<u8>(byte) | (1 << (bit & 7)));
  }
  return 0;
}

/** 0 when the value may be in the set, ENOENT when it is not. */
export function bloom_peek_elem(map: u32, value: u32): i32 {
  const bits = load<u32>(map, MAP_VALUES);
  for (let n: u32 = 0; n < load<u32>(map, BLOOM_HASHES); n++) {
    const bit = bitOf(map, value, n);
    if ((<u32>load<u8>(bits + (bit >> 3)) & (1 << (bit & 7))) == 0) return ENOENT;
  }
  return 0;
}
