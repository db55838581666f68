/**
 * Reads of addresses that a program found somewhere: they may point anywhere, and a bad one is an errno, not a fault.
 *
 * An address is readable when all of [src, src+size) lies between 64 KiB and the end of the linear memory.
 */
import { HEAP_BASE } from "../memory/layout";

const EFAULT: i32 = 14;
const ERANGE: i32 = 34;
/** Lowest kernel address of x86-64 with four levels of pages. */
const KERNEL_START: u64 = 0xffff800000000000;

/** Bytes of linear memory from src on; 0 when src itself is unreadable. */
// @ts-ignore: decorator
@inline
function readable(src: u64): u64 {
  const end = <u64>memory.size() << 16;
  return src >= HEAP_BASE && src < end ? end - src : 0;
}

/** bpf_probe_read*: on a bad address dst becomes zeros. */
export function probe_read(dst: u32, size: u32, src: u64): i32 {
  if (size > readable(src)) {
    memory.fill(dst, 0, size);
    return -EFAULT;
  }
  memory.copy(dst, <u32>src, size);
  return 0;
}

/** bpf_probe_read*_str: bytes copied with the NUL, at most size, the last always NUL. */
export function probe_read_str(dst: u32, size: u32, src: u64): i32 {
  if (size == 0) return 0;
  const have = readable(src);
  const from = <u32>src;
  for (let i: u32 = 0; i < size; i++) {
    if (i >= have) {
      memory.fill(dst, 0, size);
      return -EFAULT;
    }
    const c = load<u8>(from + i);
    store<u8>(dst + i, c);
    if (!c) return <i32>(i + 1);
  }
  store<u8>(dst + size - 1, 0);
  return <i32>size;
}

/** Linux tells addresses that cannot be the kernel's (ERANGE) from kernel addresses that are not mapped (EFAULT). */
// @ts-ignore: decorator
@inline
function kernelError(err: i32, src: u64): i32 {
  return err == -EFAULT && src < KERNEL_START ? -ERANGE : err;
}

export function probe_read_kernel(dst: u32, size: u32, src: u64): i32 {
  return kernelError(probe_read(dst, size, src), src);
}

export function probe_read_kernel_str(dst: u32, size: u32, src: u64): i32 {
  return kernelError(probe_read_str(dst, size, src), src);
}

/** strncmp: -1, 0 or 1. */
export function bpf_strncmp(a: u32, n: u32, b: u32): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const x = load<u8>(a + i);
    const y = load<u8>(b + i);
    if (x != y) return x < y ? -1 : 1;
    if (!x) break;
  }
  return 0;
}
