/**
 * Bodies of the helpers that read, write and resize an skb. The record always holds one linear buffer.
 *
 * After every change of the data pointers, `len`, `data`, `data_end` and `data_meta` of the context agree again, and the
 * mac and network header addresses name the same bytes as before (they move with the buffer when it is reallocated).
 * Flags and errnos: net/core/filter.c, net/core/skbuff.c.
 */
import { mem_alloc, mem_free } from "../memory/heap";
import { csumAdd, csumPartial, csumSub } from "./csum";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  EALREADY,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENOTSUPP,
  EOPNOTSUPP,
  ETH_HLEN,
  SKB_CSUM,
  SKB_CSUM_LEVEL,
  SKB_DATA,
  SKB_DATA_END,
  SKB_DATA_META,
  SKB_ENCAP,
  SKB_END,
  SKB_GSO_SEGS,
  SKB_GSO_SIZE,
  SKB_HASH,
  SKB_HEAD,
  SKB_HEAD_OWNED,
  SKB_IP_SUMMED,
  SKB_LEN,
  SKB_MAC_HEADER,
  SKB_MAC_LEN,
  SKB_NETWORK_HEADER,
  SKB_PKT_TYPE,
  SKB_PROTOCOL,
  SKB_SW_HASH,
  SKB_TRANSPORT_HEADER,
  SKB_TSTAMP,
  SKB_TSTAMP_TYPE,
  SKB_VLAN_PRESENT,
  SKB_VLAN_PROTO,
  SKB_VLAN_TCI,
} from "./layout";

/** SKB_MAX_ALLOC: four pages less skb_shared_info. */
const SKB_MAX_LEN: u32 = 16064;
const INT_MAX: u32 = 0x7fffffff;
/** Ethertypes as they lie in `protocol`: network byte order in a little-endian u16. */
const P_IP: u32 = 0x0008;
const P_IPV6: u32 = 0xdd86;
const P_8021Q: u32 = 0x0081;
const P_8021AD: u32 = 0xa888;
const VLAN_HLEN: u32 = 4;

// @ts-ignore: decorator
@inline
function headLen(skb: u32): u32 {
  return load<u32>(skb, SKB_DATA_END) - load<u32>(skb, SKB_DATA);
}

/** New data start; metadata before it no longer belongs to the packet. */
// @ts-ignore: decorator
@inline
function setData(skb: u32, data: u32): void {
  store<u32>(skb, data, SKB_DATA);
  store<u32>(skb, data, SKB_DATA_META);
  store<u32>(skb, load<u32>(skb, SKB_DATA_END) - data, SKB_LEN);
}

// @ts-ignore: decorator
@inline
function setEnd(skb: u32, end: u32): void {
  store<u32>(skb, end, SKB_DATA_END);
  store<u32>(skb, end - load<u32>(skb, SKB_DATA), SKB_LEN);
}

// @ts-ignore: decorator
@inline
function shift(skb: u32, field: usize, by: u32): void {
  const slot = skb + <u32>field;
  const at = load<u32>(slot);
  if (at) store<u32>(slot, at + by);
}

/** Makes room for `head` more bytes before data and `tail` after data_end; false when memory is out. */
export function skbExpand(skb: u32, head: u32, tail: u32): bool {
  const oldHead = load<u32>(skb, SKB_HEAD);
  const data = load<u32>(skb, SKB_DATA);
  const dataEnd = load<u32>(skb, SKB_DATA_END);
  const roomHead = data - oldHead;
  const roomTail = load<u32>(skb, SKB_END) - dataEnd;
  if (roomHead >= head && roomTail >= tail) return true;
  const newRoom = max(roomHead, (head + 127) & ~63);
  const len = dataEnd - data;
  const size = newRoom + len + max(roomTail, (tail + 127) & ~63);
  const buf = mem_alloc(size, 16);
  if (!buf) return false;
  // Headroom may hold metadata and header addresses may point before data: keep what was there.
  memory.copy(buf + newRoom - roomHead, oldHead, roomHead + len);
  const by = buf + newRoom - data;
  if (load<u32>(skb, SKB_HEAD_OWNED)) mem_free(oldHead);
  store<u32>(skb, 1, SKB_HEAD_OWNED);
  store<u32>(skb, buf, SKB_HEAD);
  store<u32>(skb, buf + size, SKB_END);
  store<u32>(skb, data + by, SKB_DATA);
  store<u32>(skb, dataEnd + by, SKB_DATA_END);
  shift(skb, SKB_DATA_META, by);
  shift(skb, SKB_MAC_HEADER, by);
  shift(skb, SKB_NETWORK_HEADER, by);
  shift(skb, SKB_TRANSPORT_HEADER, by);
  return true;
}

export function skb_load_bytes(skb: u32, offset: u32, to: u32, len: u32): i32 {
  if (offset <= INT_MAX && <u64>offset + <u64>len <= <u64>headLen(skb)) {
    memory.copy(to, load<u32>(skb, SKB_DATA) + offset, len);
    return 0;
  }
  memory.fill(to, 0, len);
  return -EFAULT;
}

export function skb_load_bytes_relative(skb: u32, offset: u32, to: u32, len: u32, from: u32): i32 {
  let start: u32 = 0;
  if (offset <= 0xffff) {
    if (from == 0) start = load<u32>(skb, SKB_MAC_HEADER);
    else if (from == 1) start = load<u32>(skb, SKB_NETWORK_HEADER);
  }
  if (start && <u64>start + <u64>offset + <u64>len <= <u64>load<u32>(skb, SKB_DATA_END)) {
    memory.copy(to, start + offset, len);
    return 0;
  }
  memory.fill(to, 0, len);
  return -EFAULT;
}

export function skb_store_bytes(skb: u32, offset: u32, from: u32, len: u32, flags: u64): i32 {
  if (flags & ~3) return -EINVAL;
  if (offset > INT_MAX || <u64>offset + <u64>len > <u64>headLen(skb)) return -EFAULT;
  const at = load<u32>(skb, SKB_DATA) + offset;
  const recompute = (flags & 1) != 0 && load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_COMPLETE;
  if (recompute) pullCsum(skb, at, len);
  memory.copy(at, from, len);
  if (recompute) pushCsum(skb, at, len);
  if (flags & 2) clearHash(skb);
  return 0;
}

/** Sum of n bytes at `at`, as they count at their position relative to data. */
function blockCsum(skb: u32, at: u32, n: u32): u32 {
  const s = csumPartial(at, n, 0);
  return (at - load<u32>(skb, SKB_DATA)) & 1 ? (s << 8) | (s >> 24) : s;
}

function pullCsum(skb: u32, at: u32, n: u32): void {
  if (load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_COMPLETE) {
    store<u32>(skb, csumSub(load<u32>(skb, SKB_CSUM), blockCsum(skb, at, n)), SKB_CSUM);
  }
}

function pushCsum(skb: u32, at: u32, n: u32): void {
  if (load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_COMPLETE) {
    store<u32>(skb, csumAdd(load<u32>(skb, SKB_CSUM), blockCsum(skb, at, n)), SKB_CSUM);
  }
}

export function skb_pull_data(skb: u32, len: u32): i32 {
  return len > headLen(skb) ? -ENOMEM : 0;
}

// --- hash, type, time stamp

function clearHash(skb: u32): void {
  store<u32>(skb, 0, SKB_HASH);
  store<u32>(skb, 0, SKB_SW_HASH);
}

export function set_hash_invalid(skb: u32): void {
  clearHash(skb);
}

export function set_hash(skb: u32, hash: u32): i32 {
  store<u32>(skb, hash, SKB_HASH);
  store<u32>(skb, 1, SKB_SW_HASH);
  return 0;
}

// @ts-ignore: decorator
@inline
function mix(h: u32, v: u32): u32 {
  h ^= v;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  return h ^ (h >> 16);
}

/** A flow hash over addresses, protocol and ports; never 0. Linux's is seeded at boot, so values differ from run to run there. */
export function get_hash_recalc(skb: u32): u32 {
  const known = load<u32>(skb, SKB_HASH);
  if (known || load<u32>(skb, SKB_SW_HASH)) return known;
  const nh = load<u32>(skb, SKB_NETWORK_HEADER);
  const end = load<u32>(skb, SKB_DATA_END);
  const proto = load<u32>(skb, SKB_PROTOCOL);
  let h: u32 = 0x9e3779b9;
  let ports: u32 = 0;
  if (proto == P_IP && nh + 20 <= end) {
    h = mix(mix(mix(h, load<u32>(nh, 12)), load<u32>(nh, 16)), load<u8>(nh, 9));
    if (!(load<u16>(nh, 6) & 0xff1f)) ports = nh + ((<u32>load<u8>(nh) & 15) << 2);
  } else if (proto == P_IPV6 && nh + 40 <= end) {
    for (let i: u32 = 8; i < 40; i += 4) h = mix(h, load<u32>(nh + i));
    h = mix(h, load<u8>(nh, 6));
    ports = nh + 40;
  } else {
    const data = load<u32>(skb, SKB_DATA);
    for (let i: u32 = 0; i + 4 <= min(end - data, 16); i += 4) h = mix(h, load<u32>(data + i));
  }
  if (ports && ports + 4 <= end) h = mix(h, load<u32>(ports));
  if (!h) h = 1;
  store<u32>(skb, h, SKB_HASH);
  return h;
}

export function skb_change_type(skb: u32, type: u32): i32 {
  if (load<u32>(skb, SKB_PKT_TYPE) > 3 || type > 3) return -EINVAL;
  store<u32>(skb, type, SKB_PKT_TYPE);
  return 0;
}

export function skb_set_tstamp(skb: u32, tstamp: u64, type: u32): i32 {
  const proto = load<u32>(skb, SKB_PROTOCOL);
  if (proto != P_IP && proto != P_IPV6) return -EOPNOTSUPP;
  if (type > 2 || (type && !tstamp)) return -EINVAL;
  store<u64>(skb, tstamp, SKB_TSTAMP);
  store<u8>(skb, type, SKB_TSTAMP_TYPE);
  return 0;
}

export function skb_ecn_set_ce(skb: u32): i32 {
  const nh = load<u32>(skb, SKB_NETWORK_HEADER);
  const end = load<u32>(skb, SKB_DATA_END);
  const proto = load<u32>(skb, SKB_PROTOCOL);
  if (proto == P_IP) {
    if (nh + 20 > end) return 0;
    const tos = <u32>load<u8>(nh, 1);
    if (!(tos & 3)) return 0;
    if ((tos & 3) == 3) return 1;
    // The header checksum falls by what the ECN bits gain; both are the high byte of a big-endian word pair.
    const was = load<u16>(nh);
    store<u8>(nh, tos | 3, 1);
    const sum = csumAdd(csumSub(~(<u32>load<u16>(nh, 10)) & 0xffff, was), load<u16>(nh));
    store<u16>(nh, ~((sum + ((sum >> 16) | (sum << 16))) >> 16), 10);
    return 1;
  }
  if (proto == P_IPV6) {
    if (nh + 40 > end) return 0;
    const b = <u32>load<u8>(nh, 1);
    if (!(b & 0x30)) return 0;
    store<u8>(nh, b | 0x30, 1);
    return 1;
  }
  return 0;
}

// --- VLAN

// @ts-ignore: decorator
@inline
function isVlan(proto: u32): bool {
  return proto == P_8021Q || proto == P_8021AD;
}

// @ts-ignore: decorator
@inline
function be16(v: u32): u32 {
  return ((v & 0xff) << 8) | ((v >> 8) & 0xff);
}

function resetMacLen(skb: u32): void {
  store<u32>(skb, load<u32>(skb, SKB_NETWORK_HEADER) - load<u32>(skb, SKB_MAC_HEADER), SKB_MAC_LEN);
}

/** Writes the tag that the record carries aside into the packet. */
export function skbInsertTag(skb: u32): i32 {
  if (load<u32>(skb, SKB_DATA) != load<u32>(skb, SKB_MAC_HEADER)) return -EINVAL;
  if (!skbExpand(skb, VLAN_HLEN, 0)) return -ENOMEM;
  const data = load<u32>(skb, SKB_DATA) - VLAN_HLEN;
  memory.copy(data, data + VLAN_HLEN, 12);
  store<u16>(data, load<u32>(skb, SKB_VLAN_PROTO), 12);
  store<u16>(data, be16(load<u32>(skb, SKB_VLAN_TCI)), 14);
  setData(skb, data);
  store<u32>(skb, data, SKB_MAC_HEADER);
  pushCsum(skb, data + 12, VLAN_HLEN);
  store<u32>(skb, load<u32>(skb, SKB_VLAN_PROTO), SKB_PROTOCOL);
  return 0;
}

export function skb_vlan_push(skb: u32, proto: u32, tci: u32): i32 {
  proto &= 0xffff;
  if (!isVlan(proto)) proto = P_8021Q;
  if (load<u32>(skb, SKB_VLAN_PRESENT)) {
    const err = skbInsertTag(skb);
    if (err) return err;
  }
  store<u32>(skb, proto, SKB_VLAN_PROTO);
  store<u32>(skb, tci & 0xffff, SKB_VLAN_TCI);
  store<u32>(skb, 1, SKB_VLAN_PRESENT);
  resetMacLen(skb);
  return 0;
}

/** Takes the tag out of the packet; its TCI, or a negative errno. */
export function skbRemoveTag(skb: u32): i32 {
  const data = load<u32>(skb, SKB_DATA);
  if (data != load<u32>(skb, SKB_MAC_HEADER)) return -EINVAL;
  if (headLen(skb) < 18) return -ENOMEM;
  const tci = be16(load<u16>(data, 14));
  const proto = <u32>load<u16>(data, 16);
  pullCsum(skb, data + 12, VLAN_HLEN);
  memory.copy(data + VLAN_HLEN, data, 12);
  setData(skb, data + VLAN_HLEN);
  store<u32>(skb, data + VLAN_HLEN, SKB_MAC_HEADER);
  store<u32>(skb, be16(proto) >= 0x600 ? proto : 0x0400, SKB_PROTOCOL);
  if (load<u32>(skb, SKB_NETWORK_HEADER) < data + VLAN_HLEN + ETH_HLEN) {
    store<u32>(skb, data + VLAN_HLEN + ETH_HLEN, SKB_NETWORK_HEADER);
  }
  resetMacLen(skb);
  return <i32>tci;
}

export function skb_vlan_pop(skb: u32): i32 {
  if (load<u32>(skb, SKB_VLAN_PRESENT)) {
    store<u32>(skb, 0, SKB_VLAN_PRESENT);
    store<u32>(skb, 0, SKB_VLAN_TCI);
    store<u32>(skb, 0, SKB_VLAN_PROTO);
  } else {
    if (!isVlan(load<u32>(skb, SKB_PROTOCOL))) return 0;
    const err = skbRemoveTag(skb);
    if (err < 0) return err;
  }
  // The next tag moves from the packet to the record.
  const proto = load<u32>(skb, SKB_PROTOCOL);
  if (!isVlan(proto)) return 0;
  const tci = skbRemoveTag(skb);
  if (tci < 0) return tci;
  store<u32>(skb, proto, SKB_VLAN_PROTO);
  store<u32>(skb, tci, SKB_VLAN_TCI);
  store<u32>(skb, 1, SKB_VLAN_PRESENT);
  return 0;
}

// --- size

/** Opens n zero bytes `off` bytes into the packet, towards the head. */
function openGap(skb: u32, off: u32, n: u32): i32 {
  if (!skbExpand(skb, n, 0)) return -ENOMEM;
  const data = load<u32>(skb, SKB_DATA) - n;
  memory.copy(data, data + n, off);
  memory.fill(data + off, 0, n);
  const sameTransport = load<u32>(skb, SKB_TRANSPORT_HEADER) == load<u32>(skb, SKB_NETWORK_HEADER);
  setData(skb, data);
  shift(skb, SKB_MAC_HEADER, -n);
  shift(skb, SKB_NETWORK_HEADER, -n);
  if (sameTransport) store<u32>(skb, load<u32>(skb, SKB_NETWORK_HEADER), SKB_TRANSPORT_HEADER);
  return 0;
}

function closeGap(skb: u32, off: u32, n: u32): i32 {
  if (off + n > headLen(skb)) return -ENOMEM;
  const data = load<u32>(skb, SKB_DATA);
  pullCsum(skb, data + off, n);
  memory.copy(data + n, data, off);
  const sameTransport = load<u32>(skb, SKB_TRANSPORT_HEADER) == load<u32>(skb, SKB_NETWORK_HEADER);
  setData(skb, data + n);
  shift(skb, SKB_MAC_HEADER, n);
  shift(skb, SKB_NETWORK_HEADER, n);
  if (sameTransport) store<u32>(skb, load<u32>(skb, SKB_NETWORK_HEADER), SKB_TRANSPORT_HEADER);
  return 0;
}

// @ts-ignore: decorator
@inline
function macHeaderLen(skb: u32): u32 {
  return load<u32>(skb, SKB_NETWORK_HEADER) - load<u32>(skb, SKB_MAC_HEADER);
}

export function skb_change_proto(skb: u32, to: u32, flags: u64): i32 {
  if (flags) return -EINVAL;
  const from = load<u32>(skb, SKB_PROTOCOL);
  to &= 0xffff;
  let err: i32 = 0;
  if (from == P_IP && to == P_IPV6) err = openGap(skb, macHeaderLen(skb), 20);
  else if (from == P_IPV6 && to == P_IP) err = closeGap(skb, macHeaderLen(skb), 20);
  else return -ENOTSUPP;
  if (err) return err;
  store<u32>(skb, to, SKB_PROTOCOL);
  clearHash(skb);
  return 0;
}

export function skb_change_head(skb: u32, room: u32, flags: u64): i32 {
  const len = headLen(skb);
  const newLen = len + room;
  if (flags || newLen < len || (newLen > SKB_MAX_LEN && !load<u32>(skb, SKB_GSO_SIZE))) return -EINVAL;
  if (!skbExpand(skb, room, 0)) return -ENOMEM;
  const data = load<u32>(skb, SKB_DATA) - room;
  memory.fill(data, 0, room);
  setData(skb, data);
  store<u32>(skb, data, SKB_MAC_HEADER);
  resetMacLen(skb);
  return 0;
}

export function skb_change_tail(skb: u32, newLen: u32, flags: u64): i32 {
  const data = load<u32>(skb, SKB_DATA);
  const len = headLen(skb);
  let minLen: u32 = 0;
  const nh = load<u32>(skb, SKB_NETWORK_HEADER);
  if (nh > data) minLen = nh - data;
  const th = load<u32>(skb, SKB_TRANSPORT_HEADER);
  if (th > data) minLen = th - data;
  if (flags || newLen > SKB_MAX_LEN || newLen < minLen) return -EINVAL;
  if (load<u32>(skb, SKB_ENCAP)) return -ENOTSUPP;
  if (newLen > len) {
    if (!skbExpand(skb, 0, newLen - len)) return -ENOMEM;
    memory.fill(load<u32>(skb, SKB_DATA_END), 0, newLen - len);
    if (load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_COMPLETE) store<u32>(skb, CHECKSUM_NONE, SKB_IP_SUMMED);
  } else if (newLen < len) {
    pullCsum(skb, data + newLen, len - newLen);
    if (load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_PARTIAL) store<u32>(skb, CHECKSUM_NONE, SKB_IP_SUMMED);
  }
  setEnd(skb, load<u32>(skb, SKB_DATA) + newLen);
  store<u32>(skb, 0, SKB_GSO_SIZE);
  store<u32>(skb, 0, SKB_GSO_SEGS);
  return 0;
}

const ROOM_FIXED_GSO: u64 = 1;
const ENCAP_L3_IPV4: u64 = 2;
const ENCAP_L3_IPV6: u64 = 4;
const ENCAP_L4_GRE: u64 = 8;
const ENCAP_L4_UDP: u64 = 16;
const NO_CSUM_RESET: u64 = 32;
const ENCAP_L2_ETH: u64 = 64;
const DECAP_L3_IPV4: u64 = 128;
const DECAP_L3_IPV6: u64 = 256;
const ENCAP_L2_LEN: u64 = 0xff00000000000000;
const ROOM_FLAGS: u64 =
  ROOM_FIXED_GSO | ENCAP_L3_IPV4 | ENCAP_L3_IPV6 | ENCAP_L4_GRE | ENCAP_L4_UDP | NO_CSUM_RESET | ENCAP_L2_ETH |
  DECAP_L3_IPV4 | DECAP_L3_IPV6 | ENCAP_L2_LEN;

export function skb_adjust_room(skb: u32, diff: i32, mode: u32, flags: u64): i32 {
  const shrink = diff < 0;
  const n = <u32>abs<i32>(diff);
  if (flags & ~ROOM_FLAGS) return -EINVAL;
  if (n > 0xfff) return -EFAULT;
  const proto = load<u32>(skb, SKB_PROTOCOL);
  if (proto != P_IP && proto != P_IPV6) return -ENOTSUPP;
  const base: u32 = proto == P_IP ? 20 : 40;
  let off = macHeaderLen(skb);
  if (mode == 0) off += base;
  else if (mode != 1) return -ENOTSUPP;
  let minLen = base;
  const decap = flags & (DECAP_L3_IPV4 | DECAP_L3_IPV6);
  if (decap) {
    if (!shrink || decap == (DECAP_L3_IPV4 | DECAP_L3_IPV6)) return -EINVAL;
    minLen = decap == DECAP_L3_IPV4 ? 20 : 40;
  }
  const len = headLen(skb);
  const cur = len - (load<u32>(skb, SKB_NETWORK_HEADER) - load<u32>(skb, SKB_DATA));
  if (shrink ? n >= cur || cur - n < minLen : len + n > SKB_MAX_LEN && !load<u32>(skb, SKB_GSO_SIZE)) return -ENOTSUPP;
  const err = shrink ? roomShrink(skb, off, n, flags) : roomGrow(skb, off, n, flags);
  if (!err && !(flags & NO_CSUM_RESET) && load<u32>(skb, SKB_IP_SUMMED) == CHECKSUM_UNNECESSARY) {
    store<u32>(skb, CHECKSUM_NONE, SKB_IP_SUMMED);
    store<u32>(skb, 0, SKB_CSUM_LEVEL);
  }
  return err;
}

function roomGrow(skb: u32, off: u32, n: u32, flags: u64): i32 {
  const encap = (flags & (ENCAP_L3_IPV4 | ENCAP_L3_IPV6)) != 0;
  const innerMac = <u32>(flags >> 56);
  if (encap) {
    if (flags & ENCAP_L3_IPV4 && flags & ENCAP_L3_IPV6) return -EINVAL;
    if (flags & ENCAP_L4_GRE && flags & ENCAP_L4_UDP) return -EINVAL;
    if (flags & ENCAP_L2_ETH && innerMac < ETH_HLEN) return -EINVAL;
    if (load<u32>(skb, SKB_ENCAP)) return -EALREADY;
    if (innerMac > n) return -EINVAL;
  }
  const err = openGap(skb, off, n);
  if (err) return err;
  if (encap) {
    store<u32>(skb, 1, SKB_ENCAP);
    if (flags & (ENCAP_L4_GRE | ENCAP_L4_UDP)) {
      const outer: u32 = flags & ENCAP_L3_IPV6 ? 40 : 20;
      store<u32>(skb, load<u32>(skb, SKB_NETWORK_HEADER) + outer, SKB_TRANSPORT_HEADER);
    }
    store<u32>(skb, flags & ENCAP_L3_IPV6 ? P_IPV6 : P_IP, SKB_PROTOCOL);
  }
  const gso = load<u32>(skb, SKB_GSO_SIZE);
  if (gso) {
    store<u32>(skb, 0, SKB_GSO_SEGS);
    if (!(flags & ROOM_FIXED_GSO)) store<u32>(skb, gso - n, SKB_GSO_SIZE);
  }
  return 0;
}

function roomShrink(skb: u32, off: u32, n: u32, flags: u64): i32 {
  if (flags & ~(ROOM_FIXED_GSO | DECAP_L3_IPV4 | DECAP_L3_IPV6 | NO_CSUM_RESET)) return -EINVAL;
  const err = closeGap(skb, off, n);
  if (err) return err;
  if (flags & DECAP_L3_IPV6) store<u32>(skb, P_IPV6, SKB_PROTOCOL);
  else if (flags & DECAP_L3_IPV4) store<u32>(skb, P_IP, SKB_PROTOCOL);
  const gso = load<u32>(skb, SKB_GSO_SIZE);
  if (gso) {
    if (!(flags & ROOM_FIXED_GSO)) store<u32>(skb, gso + n, SKB_GSO_SIZE);
    store<u32>(skb, 0, SKB_GSO_SEGS);
  }
  return 0;
}
