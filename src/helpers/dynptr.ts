/**
 * Dynamic pointers.
 *
 * Source   kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_dynptr_data,
  BPF_FUNC_dynptr_from_mem,
  BPF_FUNC_dynptr_read,
  BPF_FUNC_dynptr_write,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_ALLOC_SIZE_OR_ZERO,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_DYNPTR,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  DYNPTR_TYPE_LOCAL,
  MEM_RDONLY,
  MEM_UNINIT,
  MEM_WRITE,
  RET_INTEGER,
  RET_PTR_TO_DYNPTR_MEM_OR_NULL,
} from "./types.ts";

export const dynptr_from_mem: Helper = {
  id: BPF_FUNC_dynptr_from_mem,
  name: "dynptr_from_mem",
  proto: {
    args: [
      ARG_PTR_TO_UNINIT_MEM,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_ANYTHING,
      ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_LOCAL | MEM_UNINIT | MEM_WRITE,
    ],
    ret: RET_INTEGER,
  },
  abi: "ppqp:i",
  core: "dynptr_from_mem",
};

export const dynptr_read: Helper = {
  id: BPF_FUNC_dynptr_read,
  name: "dynptr_read",
  proto: {
    args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_PTR_TO_DYNPTR | MEM_RDONLY, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppppq:i",
  core: "dynptr_read",
};

export const dynptr_write: Helper = {
  id: BPF_FUNC_dynptr_write,
  name: "dynptr_write",
  proto: {
    args: [
      ARG_PTR_TO_DYNPTR | MEM_RDONLY,
      ARG_ANYTHING,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_ANYTHING,
    ],
    ret: RET_INTEGER,
  },
  abi: "ppppq:i",
  core: "dynptr_write",
};

export const dynptr_data: Helper = {
  id: BPF_FUNC_dynptr_data,
  name: "dynptr_data",
  proto: {
    args: [ARG_PTR_TO_DYNPTR | MEM_RDONLY, ARG_ANYTHING, ARG_CONST_ALLOC_SIZE_OR_ZERO],
    ret: RET_PTR_TO_DYNPTR_MEM_OR_NULL,
  },
  abi: "ppp:p",
  core: "dynptr_data",
};
