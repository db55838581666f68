/**
 * XDP frames.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_xdp_adjust_head,
  BPF_FUNC_xdp_adjust_meta,
  BPF_FUNC_xdp_adjust_tail,
  BPF_FUNC_xdp_get_buff_len,
  BPF_FUNC_xdp_load_bytes,
  BPF_FUNC_xdp_store_bytes,
  BPF_PROG_TYPE_SYSCALL,
  BPF_PROG_TYPE_TRACING,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  RET_INTEGER,
} from "./types.ts";

export const xdp_adjust_head: Helper = {
  id: BPF_FUNC_xdp_adjust_head,
  name: "xdp_adjust_head",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pp:i",
  core: "xdp_adjust_head",
};

export const xdp_adjust_meta: Helper = {
  id: BPF_FUNC_xdp_adjust_meta,
  name: "xdp_adjust_meta",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pp:i",
  core: "xdp_adjust_meta",
};

export const xdp_adjust_tail: Helper = {
  id: BPF_FUNC_xdp_adjust_tail,
  name: "xdp_adjust_tail",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pp:i",
  core: "xdp_adjust_tail",
};

export const xdp_get_buff_len: Helper = {
  id: BPF_FUNC_xdp_get_buff_len,
  name: "xdp_get_buff_len",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  variants: [
    {
      progs: [BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_SYSCALL],
      proto: { args: [ARG_PTR_TO_BTF_ID], ret: RET_INTEGER, argBtf: ["xdp_buff"] },
    },
  ],
  abi: "p:q",
  core: "xdp_get_buff_len",
};

export const xdp_load_bytes: Helper = {
  id: BPF_FUNC_xdp_load_bytes,
  name: "xdp_load_bytes",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "pppp:i",
  core: "xdp_load_bytes",
};

export const xdp_store_bytes: Helper = {
  id: BPF_FUNC_xdp_store_bytes,
  name: "xdp_store_bytes",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "pppp:i",
  core: "xdp_store_bytes",
};
