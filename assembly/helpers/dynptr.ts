/**
 * Dynptrs: a pointer with a size that is checked when it is used.
 *
 * Layout   16 bytes on the program's stack (struct bpf_dynptr_kern): u64 data | u32 size | u32 offset.
 *          size: bit 31 read-only, bits 28..30 type, bits 0..23 bytes. data 0 = null dynptr. For skb and xdp, data is the
 *          address of the packet's record.
 * Errors   EINVAL null or read-only or flags, E2BIG outside the dynptr.
 * Source   kernel/bpf/helpers.c.
 */
import { SKB_DATA, SKB_DATA_END, SKB_DATA_META } from "../net/layout";
import { skb_load_bytes, skb_store_bytes } from "../net/skb";
import { xdp_load_bytes, xdp_store_bytes, xdpPointer } from "../net/xdp";

const EINVAL: i32 = 22;
const E2BIG: i32 = 7;
const ERANGE: i32 = 34;

const SIZE: usize = 8;
const OFFSET: usize = 12;
const RDONLY: u32 = 0x80000000;
const SIZE_MASK: u32 = 0xffffff;
const TYPE_SHIFT: u32 = 28;

export const DYNPTR_LOCAL: u32 = 1;
export const DYNPTR_RINGBUF: u32 = 2;
const SKB: u32 = 3;
const XDP: u32 = 4;
const SKB_META: u32 = 5;

// @ts-ignore: decorator
@inline
function typeOf(ptr: u32): u32 {
  return (load<u32>(ptr, SIZE) >> TYPE_SHIFT) & 7;
}

// @ts-ignore: decorator
@inline
function sizeOf(ptr: u32): u32 {
  return load<u32>(ptr, SIZE) & SIZE_MASK;
}

/** Bytes to a dynptr; null for data 0. */
export function dynptr_init(ptr: u32, data: u32, type: u32, size: u32, rdonly: u32): void {
  store<u64>(ptr, data);
  store<u32>(ptr, data ? size | (type << TYPE_SHIFT) | (rdonly ? RDONLY : 0) : 0, SIZE);
  store<u32>(ptr, 0, OFFSET);
}

// @ts-ignore: decorator
@inline
function inside(ptr: u32, offset: u32, len: u32): bool {
  const size = sizeOf(ptr);
  return len <= size && offset <= size - len;
}

export function dynptr_from_mem(data: u32, size: u32, flags: u64, ptr: u32): i32 {
  const err: i32 = size > SIZE_MASK ? -E2BIG : flags ? -EINVAL : 0;
  dynptr_init(ptr, err ? 0 : data, DYNPTR_LOCAL, size, 0);
  return err;
}

export function dynptr_read(dst: u32, len: u32, ptr: u32, offset: u32, flags: u64): i32 {
  const data = load<u32>(ptr);
  if (!data || flags) return -EINVAL;
  if (!inside(ptr, offset, len)) return -E2BIG;
  const at = load<u32>(ptr, OFFSET) + offset;
  switch (typeOf(ptr)) {
    case SKB:
      return skb_load_bytes(data, at, dst, len);
    case XDP:
      return xdp_load_bytes(data, at, dst, len);
    case SKB_META:
      memory.copy(dst, load<u32>(data, SKB_DATA_META) + at, len);
      return 0;
    default:
      memory.copy(dst, data + at, len);
      return 0;
  }
}

export function dynptr_write(ptr: u32, offset: u32, src: u32, len: u32, flags: u64): i32 {
  const data = load<u32>(ptr);
  if (!data || load<u32>(ptr, SIZE) & RDONLY) return -EINVAL;
  if (!inside(ptr, offset, len)) return -E2BIG;
  const at = load<u32>(ptr, OFFSET) + offset;
  const type = typeOf(ptr);
  if (type == SKB) return skb_store_bytes(data, at, src, len, flags);
  if (flags) return -EINVAL;
  if (type == XDP) return xdp_store_bytes(data, at, src, len);
  memory.copy(type == SKB_META ? load<u32>(data, SKB_DATA_META) + at : data + at, src, len);
  return 0;
}

export function dynptr_data(ptr: u32, offset: u32, len: u32): u32 {
  const data = load<u32>(ptr);
  if (!data || !inside(ptr, offset, len) || load<u32>(ptr, SIZE) & RDONLY) return 0;
  const type = typeOf(ptr);
  return type == DYNPTR_LOCAL || type == DYNPTR_RINGBUF ? data + load<u32>(ptr, OFFSET) + offset : 0;
}

/** bpf_dynptr_slice: an address in the data, or buf with a copy when a packet holds the bytes in two pieces; 0 = neither. */
export function dynptr_slice(ptr: u32, offset: u32, buf: u32, len: u32): u32 {
  const data = load<u32>(ptr);
  if (!data || !inside(ptr, offset, len)) return 0;
  const at = load<u32>(ptr, OFFSET) + offset;
  switch (typeOf(ptr)) {
    case SKB: {
      const start = load<u32>(data, SKB_DATA);
      return at + len <= load<u32>(data, SKB_DATA_END) - start ? start + at : 0;
    }
    case XDP: {
      const p = xdpPointer(data, at, len);
      // Addresses fill the 32 bits; the highest page is never handed out, so it can stand for errors.
      if (p && <u32>p < 0xfffff000) return <u32>p;
      return p || !buf || xdp_load_bytes(data, at, buf, len) ? 0 : buf;
    }
    case SKB_META:
      return load<u32>(data, SKB_DATA_META) + at;
    default:
      return data + at;
  }
}

export function dynptr_slice_rdwr(ptr: u32, offset: u32, buf: u32, len: u32): u32 {
  if (!load<u32>(ptr) || load<u32>(ptr, SIZE) & RDONLY) return 0;
  return dynptr_slice(ptr, offset, buf, len);
}

export function dynptr_adjust(ptr: u32, start: u32, end: u32): i32 {
  if (!load<u32>(ptr) || start > end) return -EINVAL;
  const size = sizeOf(ptr);
  if (start > size || end > size) return -ERANGE;
  store<u32>(ptr, load<u32>(ptr, OFFSET) + start, OFFSET);
  store<u32>(ptr, (load<u32>(ptr, SIZE) & ~SIZE_MASK) | (end - start), SIZE);
  return 0;
}

export function dynptr_is_null(ptr: u32): i32 {
  return load<u32>(ptr) == 0 ? 1 : 0;
}

export function dynptr_is_rdonly(ptr: u32): i32 {
  return load<u32>(ptr) != 0 && (load<u32>(ptr, SIZE) & RDONLY) != 0 ? 1 : 0;
}

export function dynptr_size(ptr: u32): u32 {
  return load<u32>(ptr) ? sizeOf(ptr) : <u32>-EINVAL;
}

export function dynptr_clone(ptr: u32, clone: u32): i32 {
  if (!load<u32>(ptr)) {
    dynptr_init(clone, 0, 0, 0, 0);
    return -EINVAL;
  }
  store<u64>(clone, load<u64>(ptr));
  store<u64>(clone, load<u64>(ptr, 8), 8);
  return 0;
}
