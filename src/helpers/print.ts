/**
 * Text output and string parsing.
 *
 * Source   kernel/trace/bpf_trace.c, kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_snprintf,
  BPF_FUNC_snprintf_btf,
  BPF_FUNC_strncmp,
  BPF_FUNC_strtol,
  BPF_FUNC_strtoul,
  BPF_FUNC_trace_printk,
  BPF_FUNC_trace_vprintk,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_CONST_STR,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_MEM_OR_NULL,
  MEM_ALIGNED,
  MEM_RDONLY,
  MEM_UNINIT,
  MEM_WRITE,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const trace_printk: Helper = {
  id: BPF_FUNC_trace_printk,
  name: "trace_printk",
  proto: { args: [ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER, gplOnly: true },
  abi: "ppqqq:i",
};

export const trace_vprintk: Helper = {
  id: BPF_FUNC_trace_vprintk,
  name: "trace_vprintk",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "pppp:i",
};

export const snprintf: Helper = {
  id: BPF_FUNC_snprintf,
  name: "snprintf",
  proto: {
    args: [
      ARG_PTR_TO_MEM_OR_NULL,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_PTR_TO_CONST_STR,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "ppppp:i",
};

export const strtol: Helper = {
  id: BPF_FUNC_strtol,
  name: "strtol",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, undefined, 8],
  },
  abi: "pqqp:i",
};

export const strtoul: Helper = {
  id: BPF_FUNC_strtoul,
  name: "strtoul",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, undefined, 8],
  },
  abi: "pqqp:i",
};

export const strncmp: Helper = {
  id: BPF_FUNC_strncmp,
  name: "strncmp",
  proto: { args: [ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_PTR_TO_CONST_STR], ret: RET_INTEGER },
  abi: "ppp:i",
};

export const snprintf_btf: Helper = {
  id: BPF_FUNC_snprintf_btf,
  name: "snprintf_btf",
  proto: {
    args: [ARG_PTR_TO_MEM, ARG_CONST_SIZE, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppppq:i",
};
