/**
 * System calls made by BPF_PROG_TYPE_SYSCALL programs.
 *
 * Source   kernel/bpf/syscall.c, kernel/bpf/btf.c.
 */
import {
  BPF_FUNC_btf_find_by_name_kind,
  BPF_FUNC_kallsyms_lookup_name,
  BPF_FUNC_sys_bpf,
  BPF_FUNC_sys_close,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  MEM_ALIGNED,
  MEM_RDONLY,
  MEM_UNINIT,
  MEM_WRITE,
  RET_INTEGER,
} from "./types.ts";

export const sys_bpf: Helper = {
  id: BPF_FUNC_sys_bpf,
  name: "sys_bpf",
  proto: { args: [ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER, mightSleep: true },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "light skeletons (bpf(2) from programs) are not supported yet" },
};

export const sys_close: Helper = {
  id: BPF_FUNC_sys_close,
  name: "sys_close",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER, mightSleep: true },
  abi: "p:i",
  unsupported: { errno: EOPNOTSUPP, reason: "light skeletons (bpf(2) from programs) are not supported yet" },
};

export const btf_find_by_name_kind: Helper = {
  id: BPF_FUNC_btf_find_by_name_kind,
  name: "btf_find_by_name_kind",
  proto: {
    args: [ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_INTEGER,
    mightSleep: true,
  },
  abi: "pppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "light skeletons (bpf(2) from programs) are not supported yet" },
};

export const kallsyms_lookup_name: Helper = {
  id: BPF_FUNC_kallsyms_lookup_name,
  name: "kallsyms_lookup_name",
  proto: {
    args: [
      ARG_PTR_TO_MEM,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, undefined, 8],
  },
  abi: "pppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "light skeletons (bpf(2) from programs) are not supported yet" },
};
