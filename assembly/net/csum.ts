/**
 * Internet checksum arithmetic (RFC 1071) and the helpers that patch checksums in packets.
 *
 * A 32-bit sum is a ones-complement accumulator (__wsum), never 0 unless everything summed was 0.
 * Source: include/net/checksum.h and net/core/filter.c for flags and errnos.
 */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  EACCES,
  EFAULT,
  EINVAL,
  ENOTSUPP,
  SKB_CSUM,
  SKB_CSUM_LEVEL,
  SKB_DATA,
  SKB_DATA_END,
  SKB_IP_SUMMED,
} from "./layout";

const BPF_F_HDR_FIELD_MASK: u64 = 0xf;
const BPF_F_PSEUDO_HDR: u64 = 0x10;
const BPF_F_MARK_MANGLED_0: u64 = 0x20;
const BPF_F_MARK_ENFORCE: u64 = 0x40;
const BPF_F_IPV6: u64 = 0x80;

// @ts-ignore: decorator
@inline
export function csumAdd(a: u32, b: u32): u32 {
  const s: u64 = <u64>a + <u64>b;
  return <u32>(s + (s >> 32));
}

// @ts-ignore: decorator
@inline
export function csumSub(a: u32, b: u32): u32 {
  return csumAdd(a, ~b);
}

/** 32 bits to 16 with the carries added, not complemented. */
// @ts-ignore: decorator
@inline
function from32to16(sum: u32): u32 {
  return (sum + ((sum >> 16) | (sum << 16))) >> 16;
}

// @ts-ignore: decorator
@inline
export function csumFold(sum: u32): u32 {
  return ~from32to16(sum) & 0xffff;
}

/** Adds n bytes at p, taken as little-endian 16-bit words; an odd byte counts as the low half. */
export function csumPartial(p: usize, n: u32, seed: u32): u32 {
  // 64-bit accumulation of 32-bit words: 2^32 of them fit before a carry is lost.
  let s: u64 = seed;
  const end16 = p + (n & ~15);
  while (p < end16) {
    s += <u64>load<u32>(p) + <u64>load<u32>(p, 4) + <u64>load<u32>(p, 8) + <u64>load<u32>(p, 12);
    p += 16;
  }
  n &= 15;
  while (n >= 4) {
    s += <u64>load<u32>(p);
    p += 4;
    n -= 4;
  }
  if (n & 2) {
    s += <u64>load<u16>(p);
    p += 2;
  }
  if (n & 1) s += <u64>load<u8>(p);
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffffffff) + (s >> 32);
  return <u32>s;
}

export function csum_diff(from: u32, fromSize: u32, to: u32, toSize: u32, seed: u32): i64 {
  if ((fromSize | toSize) & 3) return -(<i64>EINVAL);
  let sum = seed;
  if (fromSize && toSize) {
    sum = csumSub(csumPartial(to, toSize, seed), csumPartial(from, fromSize, 0));
  } else if (toSize) {
    sum = csumPartial(to, toSize, seed);
  } else if (fromSize) {
    sum = ~csumPartial(from, fromSize, ~seed);
  }
  return <i64>from32to16(sum);
}

/** Address of n writable bytes at offset of the packet, or 0. */
// @ts-ignore: decorator
@inline
function writable(skb: u32, offset: u32, n: u32): u32 {
  if (offset > 0xffff || offset & 1) return 0;
  const data = load<u32>(skb, SKB_DATA);
  if (offset + n > load<u32>(skb, SKB_DATA_END) - data) return 0;
  return data + offset;
}

/** Checksum at p after the 32-bit word `from` became `to`. */
// @ts-ignore: decorator
@inline
function replace4(p: u32, from: u32, to: u32): void {
  store<u16>(p, csumFold(csumAdd(csumSub(~(<u32>load<u16>(p)), from), to)));
}

// @ts-ignore: decorator
@inline
function byDiff(p: u32, diff: u32): void {
  store<u16>(p, csumFold(csumAdd(diff, ~(<u32>load<u16>(p)))));
}

export function l3_csum_replace(skb: u32, offset: u32, from: u64, to: u64, flags: u64): i32 {
  if (flags & ~BPF_F_HDR_FIELD_MASK) return -EINVAL;
  const p = writable(skb, offset, 2);
  if (!p) return -EFAULT;
  switch (<u32>flags) {
    case 0:
      if (from != 0) return -EINVAL;
      byDiff(p, <u32>to);
      return 0;
    case 2:
      replace4(p, <u32>from & 0xffff, <u32>to & 0xffff);
      return 0;
    case 4:
      replace4(p, <u32>from, <u32>to);
      return 0;
    default:
      return -EINVAL;
  }
}

/** The checksum field at p, and the skb's own sum when the pseudo header changed. */
function protoReplace(skb: u32, p: u32, from: u32, to: u32, pseudo: bool): void {
  const summed = load<u32>(skb, SKB_IP_SUMMED);
  if (summed != CHECKSUM_PARTIAL) {
    replace4(p, from, to);
    if (summed == CHECKSUM_COMPLETE && pseudo) {
      store<u32>(skb, ~csumAdd(csumSub(~load<u32>(skb, SKB_CSUM), from), to), SKB_CSUM);
    }
  } else if (pseudo) {
    store<u16>(p, ~csumFold(csumAdd(csumSub(<u32>load<u16>(p), from), to)));
  }
}

function protoReplaceByDiff(skb: u32, p: u32, diff: u32, pseudo: bool, ipv6: bool): void {
  const summed = load<u32>(skb, SKB_IP_SUMMED);
  if (summed != CHECKSUM_PARTIAL) {
    byDiff(p, diff);
    // An IPv6 header has no checksum of its own that would undo the change.
    if (summed == CHECKSUM_COMPLETE && pseudo && !ipv6) {
      store<u32>(skb, ~csumAdd(diff, ~load<u32>(skb, SKB_CSUM)), SKB_CSUM);
    }
  } else if (pseudo) {
    store<u16>(p, ~csumFold(csumAdd(diff, <u32>load<u16>(p))));
  }
}

export function l4_csum_replace(skb: u32, offset: u32, from: u64, to: u64, flags: u64): i32 {
  const all = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR | BPF_F_IPV6 | BPF_F_HDR_FIELD_MASK;
  if (flags & ~all) return -EINVAL;
  const pseudo = (flags & BPF_F_PSEUDO_HDR) != 0;
  const mangle = (flags & BPF_F_MARK_MANGLED_0) != 0;
  const p = writable(skb, offset, 2);
  if (!p) return -EFAULT;
  if (mangle && !(flags & BPF_F_MARK_ENFORCE) && load<u16>(p) == 0) return 0;
  switch (<u32>(flags & BPF_F_HDR_FIELD_MASK)) {
    case 0:
      if (from != 0) return -EINVAL;
      protoReplaceByDiff(skb, p, <u32>to, pseudo, (flags & BPF_F_IPV6) != 0);
      break;
    case 2:
      protoReplace(skb, p, <u32>from & 0xffff, <u32>to & 0xffff, pseudo);
      break;
    case 4:
      protoReplace(skb, p, <u32>from, <u32>to, pseudo);
      break;
    default:
      return -EINVAL;
  }
  if (mangle && load<u16>(p) == 0) store<u16>(p, 0xffff);
  return 0;
}

/** bpf_csum_update: only an skb with CHECKSUM_COMPLETE takes part. */
export function csum_update(skb: u32, csum: u32): i64 {
  if (load<u32>(skb, SKB_IP_SUMMED) != CHECKSUM_COMPLETE) return -(<i64>ENOTSUPP);
  const sum = csumAdd(load<u32>(skb, SKB_CSUM), csum);
  store<u32>(skb, sum, SKB_CSUM);
  return <i64>sum;
}

/** bpf_csum_level: QUERY 0, INC 1, DEC 2, RESET 3. */
export function csum_level(skb: u32, level: u64): i32 {
  const summed = load<u32>(skb, SKB_IP_SUMMED);
  const now = load<u32>(skb, SKB_CSUM_LEVEL);
  switch (<u32>level) {
    case 0:
      return summed == CHECKSUM_UNNECESSARY ? <i32>now : -EACCES;
    case 1:
      if (summed == CHECKSUM_UNNECESSARY) {
        if (now < 3) store<u32>(skb, now + 1, SKB_CSUM_LEVEL);
      } else if (summed == CHECKSUM_NONE) {
        store<u32>(skb, CHECKSUM_UNNECESSARY, SKB_IP_SUMMED);
        store<u32>(skb, 0, SKB_CSUM_LEVEL);
      }
      return 0;
    case 2:
      if (summed == CHECKSUM_UNNECESSARY) {
        if (now == 0) store<u32>(skb, CHECKSUM_NONE, SKB_IP_SUMMED);
        else store<u32>(skb, now - 1, SKB_CSUM_LEVEL);
      }
      return 0;
    case 3:
      if (summed == CHECKSUM_UNNECESSARY) {
        store<u32>(skb, CHECKSUM_NONE, SKB_IP_SUMMED);
        store<u32>(skb, 0, SKB_CSUM_LEVEL);
      }
      return 0;
    default:
      return -EINVAL;
  }
}
