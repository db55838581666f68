/**
 * Bodies of the helpers that move the ends of an XDP buffer or copy bytes in and out of it.
 *
 * Errors   EINVAL outside the buffer, EFAULT offset or length above 0xffff, EACCES metadata size, as net/core/filter.c.
 */
import {
  EACCES,
  EFAULT,
  EINVAL,
  ETH_HLEN,
  XDP_DATA,
  XDP_DATA_END,
  XDP_DATA_META,
  XDP_FRAGS,
  XDP_FRAGS_CAP,
  XDP_FRAGS_LEN,
  XDP_FRAME_SIZE,
  XDP_HARD_END,
  XDP_HARD_START,
} from "./layout";

/** Largest metadata area: a multiple of 4 that fits skb_shared_info's u8. */
const META_MAX: u32 = 252;

export function xdp_adjust_head(xdp: u32, offset: i32): i32 {
  const data = load<u32>(xdp, XDP_DATA);
  const meta = load<u32>(xdp, XDP_DATA_META);
  const metaLen = data - meta;
  const moved = <i64>data + <i64>offset;
  const lowest = <i64>load<u32>(xdp, XDP_HARD_START) + XDP_FRAME_SIZE + metaLen;
  if (moved < lowest || moved > <i64>load<u32>(xdp, XDP_DATA_END) - ETH_HLEN) return -EINVAL;
  if (metaLen) memory.copy(meta + offset, meta, metaLen);
  store<u32>(xdp, meta + offset, XDP_DATA_META);
  store<u32>(xdp, data + offset, XDP_DATA);
  return 0;
}

export function xdp_adjust_meta(xdp: u32, offset: i32): i32 {
  const data = load<u32>(xdp, XDP_DATA);
  const meta = <i64>load<u32>(xdp, XDP_DATA_META) + <i64>offset;
  if (meta < <i64>load<u32>(xdp, XDP_HARD_START) + XDP_FRAME_SIZE || meta > <i64>data) return -EINVAL;
  const metaLen = data - <u32>meta;
  if (metaLen & 3 || metaLen > META_MAX) return -EACCES;
  store<u32>(xdp, <u32>meta, XDP_DATA_META);
  return 0;
}

export function xdp_adjust_tail(xdp: u32, offset: i32): i32 {
  const fragsLen = load<u32>(xdp, XDP_FRAGS_LEN);
  const data = load<u32>(xdp, XDP_DATA);
  const dataEnd = load<u32>(xdp, XDP_DATA_END);
  if (fragsLen) return offset < 0 ? shrinkFrags(xdp, -offset) : growFrags(xdp, offset);
  const moved = <i64>dataEnd + <i64>offset;
  if (moved > <i64>load<u32>(xdp, XDP_HARD_END)) return -EINVAL;
  if (moved < <i64>data + ETH_HLEN) return -EINVAL;
  if (offset > 0) memory.fill(dataEnd, 0, offset);
  store<u32>(xdp, <u32>moved, XDP_DATA_END);
  return 0;
}

/** Fragments are pages: only the rest of the last page can be grown into. */
function growFrags(xdp: u32, offset: i32): i32 {
  const len = load<u32>(xdp, XDP_FRAGS_LEN);
  const room: u32 = (4096 - (len & 4095)) & 4095;
  const by = <u32>offset;
  if (by > room || len + by > load<u32>(xdp, XDP_FRAGS_CAP)) return -EINVAL;
  memory.fill(load<u32>(xdp, XDP_FRAGS) + len, 0, offset);
  store<u32>(xdp, len + offset, XDP_FRAGS_LEN);
  return 0;
}

function shrinkFrags(xdp: u32, by: u32): i32 {
  const total = <u32>xdp_get_buff_len(xdp);
  if (by > total - ETH_HLEN) return -EINVAL;
  const len = load<u32>(xdp, XDP_FRAGS_LEN);
  if (by < len) {
    store<u32>(xdp, len - by, XDP_FRAGS_LEN);
  } else {
    store<u32>(xdp, 0, XDP_FRAGS_LEN);
    store<u32>(xdp, load<u32>(xdp, XDP_DATA_END) - (by - len), XDP_DATA_END);
  }
  return 0;
}

export function xdp_get_buff_len(xdp: u32): i64 {
  return <i64>(load<u32>(xdp, XDP_DATA_END) - load<u32>(xdp, XDP_DATA) + load<u32>(xdp, XDP_FRAGS_LEN));
}

/** Copies between the packet (linear part, then fragments) and buf. */
export function xdpCopy(xdp: u32, offset: u32, buf: u32, len: u32, toPacket: bool): i32 {
  if (offset > 0xffff || len > 0xffff) return -EFAULT;
  if (offset + len > <u32>xdp_get_buff_len(xdp)) return -EINVAL;
  const data = load<u32>(xdp, XDP_DATA);
  const linear = load<u32>(xdp, XDP_DATA_END) - data;
  if (offset < linear) {
    const n = min(len, linear - offset);
    const at = data + offset;
    memory.copy(toPacket ? at : buf, toPacket ? buf : at, n);
    offset += n;
    buf += n;
    len -= n;
  }
  if (len) {
    const at = load<u32>(xdp, XDP_FRAGS) + (offset - linear);
    memory.copy(toPacket ? at : buf, toPacket ? buf : at, len);
  }
  return 0;
}

export function xdp_load_bytes(xdp: u32, offset: u32, buf: u32, len: u32): i32 {
  return xdpCopy(xdp, offset, buf, len, false);
}

export function xdp_store_bytes(xdp: u32, offset: u32, buf: u32, len: u32): i32 {
  return xdpCopy(xdp, offset, buf, len, true);
}

/**
 * Address of [offset, offset+len) when it lies in one piece, 0 when it straddles, negative errno as bpf_xdp_pointer
 * (used by dynptr slices).
 */
export function xdpPointer(xdp: u32, offset: u32, len: u32): i32 {
  if (offset > 0xffff || len > 0xffff) return -EFAULT;
  if (offset + len > <u32>xdp_get_buff_len(xdp)) return -EINVAL;
  const data = load<u32>(xdp, XDP_DATA);
  const linear = load<u32>(xdp, XDP_DATA_END) - data;
  if (offset < linear) return offset + len <= linear ? data + offset : 0;
  return load<u32>(xdp, XDP_FRAGS) + (offset - linear);
}
