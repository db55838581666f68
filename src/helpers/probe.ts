/**
 * Reading and writing memory that may fault.
 *
 * Source   kernel/trace/bpf_trace.c.
 */
import {
  BPF_FUNC_probe_read,
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_probe_read_kernel_str,
  BPF_FUNC_probe_read_str,
  BPF_FUNC_probe_read_user,
  BPF_FUNC_probe_read_user_str,
  BPF_FUNC_probe_write_user,
} from "../abi/bpf.ts";
import { EPERM } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import { big } from "./runtime.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  RET_INTEGER,
} from "./types.ts";

export const probe_read: Helper = {
  id: BPF_FUNC_probe_read,
  name: "probe_read",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read",
};

export const probe_read_str: Helper = {
  id: BPF_FUNC_probe_read_str,
  name: "probe_read_str",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read_str",
};

export const probe_read_user: Helper = {
  id: BPF_FUNC_probe_read_user,
  name: "probe_read_user",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read",
};

export const probe_read_user_str: Helper = {
  id: BPF_FUNC_probe_read_user_str,
  name: "probe_read_user_str",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read_str",
};

export const probe_read_kernel: Helper = {
  id: BPF_FUNC_probe_read_kernel,
  name: "probe_read_kernel",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read_kernel",
};

export const probe_read_kernel_str: Helper = {
  id: BPF_FUNC_probe_read_kernel_str,
  name: "probe_read_kernel_str",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  core: "probe_read_kernel_str",
};

export const probe_write_user: Helper = {
  id: BPF_FUNC_probe_write_user,
  name: "probe_write_user",
  proto: { args: [ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER, gplOnly: true },
  abi: "qpp:i",
  call: probeWriteUser,
};

/** One address space holds everything, so only null, the reserved bytes and what lies outside are refused. */
function probeWriteUser(rt: Runtime, dstLo: number, dstHi: number, src: number, size: number): number {
  const dst = big(dstLo, dstHi);
  if (dst < 0x10000n || dst + BigInt(size >>> 0) > BigInt(rt.memory.u8.length)) return -EPERM;
  rt.memory.u8.copyWithin(Number(dst), src >>> 0, (src >>> 0) + (size >>> 0));
  return 0;
}
