/** Pieces of creation checks that several map types share, and the numbers of Linux 6.18 on x86-64 they need. */
import { BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG } from "../abi/bpf.ts";
import type { MapAttr } from "./map_type.ts";

/** KMALLOC_MAX_SIZE. */
export const KMALLOC_MAX_SIZE = 1 << 22;
/** PCPU_MIN_UNIT_SIZE. */
export const PCPU_MIN_UNIT_SIZE = 32 << 10;

/** BPF_F_ACCESS_MASK. */
export const ACCESS_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
export const FILE_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY;
export const PROG_FLAGS = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

export function has(attr: MapAttr, flags: number): boolean {
  return ((attr.flags ?? 0) & flags) !== 0;
}

/** bpf_map_flags_access_ok(): programs must be left some access. */
export function accessOk(attr: MapAttr): boolean {
  return ((attr.flags ?? 0) & PROG_FLAGS) !== PROG_FLAGS;
}

export function hasNumaNode(attr: MapAttr): boolean {
  return has(attr, BPF_F_NUMA_NODE);
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

/** The next power of two, from 1 to 2^32. */
export function powerOfTwo(n: number): number {
  return n <= 1 ? 1 : 2 ** (32 - Math.clz32(n - 1));
}
