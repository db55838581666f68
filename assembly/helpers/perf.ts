/**
 * bpf_perf_event_output() of packet programs: BPF_F_CTXLEN_MASK (bits 32..51 of flags) appends that much of the packet.
 *
 * Errors   EINVAL flags, EFAULT more bytes than the packet has, and those of the perf event array.
 * Source   bpf_skb_event_output(), bpf_xdp_event_output() in net/core/filter.c.
 */
import { perf_event_output } from "../maps/perf_event_array";
import { SKB_DATA, SKB_DATA_END, XDP_DATA, XDP_DATA_END, XDP_FRAGS_LEN } from "../net/layout";

const EINVAL: i32 = -22;
const EFAULT: i32 = -14;
const INDEX_MASK: u64 = 0xffffffff;
const CTXLEN_MASK: u64 = 0xfffff00000000;

/** Tracing programs: no packet. */
export function bpf_perf_event_output(ctx: u32, map: u32, flags: u64, data: u32, size: u64): i32 {
  return perf_event_output(map, flags, data, <u32>size, 0, 0);
}

function withPacket(map: u32, flags: u64, data: u32, size: u64, start: u32, end: u32): i32 {
  if (flags & ~(INDEX_MASK | CTXLEN_MASK)) return EINVAL;
  const len = <u32>((flags & CTXLEN_MASK) >> 32);
  if (len > end - start) return EFAULT;
  return perf_event_output(map, flags & INDEX_MASK, data, <u32>size, start, len);
}

export function skb_event_output(skb: u32, map: u32, flags: u64, data: u32, size: u64): i32 {
  return withPacket(map, flags, data, size, load<u32>(skb, SKB_DATA), load<u32>(skb, SKB_DATA_END));
}

/** Of a jumbo frame, only the linear part can be appended. */
export function xdp_event_output(xdp: u32, map: u32, flags: u64, data: u32, size: u64): i32 {
  const start = load<u32>(xdp, XDP_DATA);
  const end = load<u32>(xdp, XDP_DATA_END);
  const len = <u32>((flags & CTXLEN_MASK) >> 32);
  if (len > end - start + load<u32>(xdp, XDP_FRAGS_LEN)) return EFAULT;
  const linear = min(len, end - start);
  return withPacket(map, (flags & ~CTXLEN_MASK) | (<u64>linear << 32), data, size, start, end);
}
