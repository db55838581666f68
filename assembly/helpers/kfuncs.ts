/** Bodies of small kfuncs: numbers iterator, dynptrs of packets, copies between dynptrs. */
import { SKB_DATA, SKB_DATA_END, SKB_DATA_META } from "../net/layout";
import { xdp_get_buff_len } from "../net/xdp";
import { dynptr_init, dynptr_read, dynptr_write } from "./dynptr";

const E2BIG: i32 = -7;
const EINVAL: i32 = -22;
const MAX_LOOPS: i64 = 8 * 1024 * 1024;
const DYNPTR_SKB: u32 = 3;
const DYNPTR_XDP: u32 = 4;
const DYNPTR_SKB_META: u32 = 5;
const COPY_CHUNK: u32 = 64;

/** struct bpf_iter_num: i32 cur, i32 end; 0, 0 is exhausted. */
export function iter_num_new(it: u32, start: i32, end: i32): i32 {
  store<u64>(it, 0);
  if (start > end) return EINVAL;
  if (<i64>end - <i64>start > MAX_LOOPS) return E2BIG;
  store<i32>(it, start - 1);
  store<i32>(it, end, 4);
  return 0;
}

export function iter_num_next(it: u32): u32 {
  const cur = load<i32>(it) + 1;
  if (cur >= load<i32>(it, 4)) {
    store<u64>(it, 0);
    return 0;
  }
  store<i32>(it, cur);
  return it;
}

export function iter_num_destroy(it: u32): void {
  store<u64>(it, 0);
}

function fromSkb(skb: u32, flags: u64, ptr: u32, rdonly: u32): i32 {
  dynptr_init(ptr, 0, 0, 0, 0);
  if (flags) return EINVAL;
  dynptr_init(ptr, skb, DYNPTR_SKB, load<u32>(skb, SKB_DATA_END) - load<u32>(skb, SKB_DATA), rdonly);
  return 0;
}

export function dynptr_from_skb(skb: u32, flags: u64, ptr: u32): i32 {
  return fromSkb(skb, flags, ptr, 0);
}

/** For programs that may not write packets. */
export function dynptr_from_skb_rdonly(skb: u32, flags: u64, ptr: u32): i32 {
  return fromSkb(skb, flags, ptr, 1);
}

export function dynptr_from_skb_meta(skb: u32, flags: u64, ptr: u32): i32 {
  dynptr_init(ptr, 0, 0, 0, 0);
  if (flags) return EINVAL;
  dynptr_init(ptr, skb, DYNPTR_SKB_META, load<u32>(skb, SKB_DATA) - load<u32>(skb, SKB_DATA_META), 0);
  return 0;
}

export function dynptr_from_xdp(xdp: u32, flags: u64, ptr: u32): i32 {
  dynptr_init(ptr, 0, 0, 0, 0);
  if (flags) return EINVAL;
  dynptr_init(ptr, xdp, DYNPTR_XDP, <u32>xdp_get_buff_len(xdp), 0);
  return 0;
}

/** bpf_dynptr_copy: by pieces through tmp, which holds 64 bytes; the regions may be of any two kinds. */
export function dynptr_copy_through(dst: u32, dstOff: u32, src: u32, srcOff: u32, size: u32, tmp: u32): i32 {
  for (let done: u32 = 0; done < size; ) {
    const n = min(COPY_CHUNK, size - done);
    let err = dynptr_read(tmp, n, src, srcOff + done, 0);
    if (!err) err = dynptr_write(dst, dstOff + done, tmp, n, 0);
    if (err) return err;
    done += n;
  }
  return 0;
}
