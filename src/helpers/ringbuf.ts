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
import { EAGAIN, EINVAL, ENODATA } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
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
  core: "ringbuf_output",
};

export const ringbuf_reserve: Helper = {
  id: BPF_FUNC_ringbuf_reserve,
  name: "ringbuf_reserve",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_CONST_ALLOC_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_PTR_TO_RINGBUF_MEM_OR_NULL },
  abi: "pqq:p",
  core: "ringbuf_reserve",
};

export const ringbuf_submit: Helper = {
  id: BPF_FUNC_ringbuf_submit,
  name: "ringbuf_submit",
  proto: { args: [ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
  core: "ringbuf_submit",
};

export const ringbuf_discard: Helper = {
  id: BPF_FUNC_ringbuf_discard,
  name: "ringbuf_discard",
  proto: { args: [ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
  core: "ringbuf_discard",
};

export const ringbuf_query: Helper = {
  id: BPF_FUNC_ringbuf_query,
  name: "ringbuf_query",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pq:q",
  core: "ringbuf_query",
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
  core: "ringbuf_reserve_dynptr",
};

export const ringbuf_submit_dynptr: Helper = {
  id: BPF_FUNC_ringbuf_submit_dynptr,
  name: "ringbuf_submit_dynptr",
  proto: { args: [ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_RINGBUF | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
  core: "ringbuf_submit_dynptr",
};

export const ringbuf_discard_dynptr: Helper = {
  id: BPF_FUNC_ringbuf_discard_dynptr,
  name: "ringbuf_discard_dynptr",
  proto: { args: [ARG_PTR_TO_DYNPTR | DYNPTR_TYPE_RINGBUF | OBJ_RELEASE, ARG_ANYTHING], ret: RET_VOID },
  abi: "pq:v",
  core: "ringbuf_discard_dynptr",
};

export const user_ringbuf_drain: Helper = {
  id: BPF_FUNC_user_ringbuf_drain,
  name: "user_ringbuf_drain",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
  callsBack: true,
  abi: "pppq:i",
  call: userRingbufDrain,
};

interface UserRingExports {
  user_ringbuf_peek(map: number, out: number): number;
  user_ringbuf_release(map: number, size: number): void;
  dynptr_init(ptr: number, data: number, type: number, size: number, rdonly: number): void;
}

/** BPF_MAX_USER_RINGBUF_SAMPLES. */
const MAX_SAMPLES = 128 * 1024;
const DYNPTR_LOCAL = 1;

/** Samples that the callback saw; it ends the walk with 1. */
function userRingbufDrain(rt: Runtime, map: number, fn: number, ctx: number, flagsLo: number, flagsHi: number): number {
  if (flagsHi || flagsLo & ~3) return -EINVAL;
  const { memory } = rt;
  const core = memory.exports<UserRingExports>();
  const dynptr = memory.alloc(32);
  let n = 0;
  try {
    for (let stop = 0; n < MAX_SAMPLES && !stop; ) {
      const size = core.user_ringbuf_peek(map, dynptr + 16);
      if (size === -EAGAIN) continue;
      if (size === -ENODATA) break;
      if (size < 0) return size;
      core.dynptr_init(dynptr, memory.readU32(dynptr + 16), DYNPTR_LOCAL, size, 1);
      stop = rt.callback(fn, dynptr, ctx, 0, 0, 0);
      core.user_ringbuf_release(map, size);
      n++;
    }
  } finally {
    memory.free(dynptr);
  }
  return n;
}
