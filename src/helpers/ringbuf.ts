/**
 * Ring buffers, kernel and user.
 *
 * Source   kernel/bpf/ringbuf.c.
 */
import {
  BPF_FUNC_ringbuf_discard,
  BPF_FUNC_ringbuf_discard_dynptr,
  BPF_FUNC_ringbuf_output,
  BPF_FUNC_ringbuf_query,
  BPF_FUNC_ringbuf_reserve,
  BPF_FUNC_ringbuf_reserve_dynptr,
  BPF_FUNC_ringbuf_submit,
  BPF_FUNC_ringbuf_submit_dynptr,
  BPF_FUNC_user_ringbuf_drain,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_ALLOC_SIZE_OR_ZERO,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_DYNPTR,
  ARG_PTR_TO_FUNC,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_RINGBUF_MEM,
  ARG_PTR_TO_STACK_OR_NULL,
  DYNPTR_TYPE_RINGBUF,
  MEM_RDONLY,
  MEM_UNINIT,
  MEM_WRITE,
  OBJ_RELEASE,
  RET_INTEGER,
  RET_PTR_TO_RINGBUF_MEM_OR_NULL,
  RET_VOID,
} from "./types.ts";

export const ringbuf_output: Helper = {
  id: BPF_FUNC_ringbuf_output,
  name: "ringbuf_output",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppqq:i",
};

export const ringbuf_reserve: Helper = {
  id: BPF_FUNC_ringbuf_reserve,
  name: "ringbuf_reserve",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_CONST_ALLOC_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_PTR_TO_RINGBUF_MEM_OR_NULL },
  abi: "pqq:p",
};

export const ringbuf_submit: Helper = {
  id: BPF_FUNC_ringbuf_submit,
  name: "ringbuf_submit",
  proto: { args: [ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
};

export const ringbuf_discard: Helper = {
  id: BPF_FUNC_ringbuf_discard,
  name: "ringbuf_discard",
  proto: { args: [ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
};

export const ringbuf_query: Helper = {
  id: BPF_FUNC_ringbuf_query,
  name: "ringbuf_query",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pq:q",
};

export const ringbuf_reserve_dynptr: Helper = {
  id: BPF_FUNC_ringbuf_reserve_dynptr,
  name: "ringbuf_reserve_dynptr",
  proto: {
    args: [
      ARG_CONST_MAP_PTR,
      ARG_ANYTHING,
      ARG_ANYTHING,
      ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_RINGBUF | MEM_UNINIT | MEM_WRITE,
    ],
    ret: RET_INTEGER,
  },
  abi: "ppqp:i",
};

export const ringbuf_submit_dynptr: Helper = {
  id: BPF_FUNC_ringbuf_submit_dynptr,
  name: "ringbuf_submit_dynptr",
  proto: { args: [ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_RINGBUF | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
};

export const ringbuf_discard_dynptr: Helper = {
  id: BPF_FUNC_ringbuf_discard_dynptr,
  name: "ringbuf_discard_dynptr",
  proto: { args: [ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_RINGBUF | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
};

export const user_ringbuf_drain: Helper = {
  id: BPF_FUNC_user_ringbuf_drain,
  name: "user_ringbuf_drain",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
  callsBack: true,
  abi: "pppq:i",
};
