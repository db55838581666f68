/**
 * Output of BPF iterators.
 *
 * Source   kernel/trace/bpf_trace.c.
 */
import { BPF_FUNC_seq_printf, BPF_FUNC_seq_printf_btf, BPF_FUNC_seq_write } from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const seq_printf: Helper = {
  id: BPF_FUNC_seq_printf,
  name: "seq_printf",
  proto: {
    args: [
      ARG_PTR_TO_BTF_ID,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "ppppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "iterators are not modelled" },
};

export const seq_write: Helper = {
  id: BPF_FUNC_seq_write,
  name: "seq_write",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "iterators are not modelled" },
};

export const seq_printf_btf: Helper = {
  id: BPF_FUNC_seq_printf_btf,
  name: "seq_printf_btf",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "iterators are not modelled" },
};
