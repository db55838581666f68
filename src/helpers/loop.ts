/**
 * Loops through a callback.
 *
 * Source   kernel/bpf/bpf_iter.c.
 */
import { BPF_FUNC_for_each_map_elem, BPF_FUNC_loop } from "../abi/bpf.ts";
import { E2BIG, EINVAL } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_PTR_TO_FUNC,
  ARG_PTR_TO_STACK_OR_NULL,
  ARG_SCALAR,
  RET_INTEGER,
} from "./types.ts";

export const loop: Helper = {
  id: BPF_FUNC_loop,
  name: "loop",
  proto: { args: [ARG_SCALAR, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
  callsBack: true,
  abi: "pppq:i",
  call: bpfLoop,
};

export const for_each_map_elem: Helper = {
  id: BPF_FUNC_for_each_map_elem,
  name: "for_each_map_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
  callsBack: true,
  abi: "pppq:i",
  call: forEachMapElem,
};

/** BPF_MAX_LOOPS. */
const MAX_LOOPS = 1 << 23;

function bpfLoop(rt: Runtime, nr: number, fn: number, ctx: number, flagsLo: number, flagsHi: number): number {
  if (flagsLo | flagsHi) return -EINVAL;
  nr >>>= 0;
  if (nr > MAX_LOOPS) return -E2BIG;
  for (let i = 0; i < nr; i++) if (rt.callback(fn, i, ctx, 0, 0, 0)) return i + 1;
  return nr;
}

interface ForEachExports {
  map_for_each_step(map: number, cursor: number): number;
}

/** Elements visited; the callback ends the walk with 1. */
function forEachMapElem(rt: Runtime, map: number, fn: number, ctx: number, flagsLo: number, flagsHi: number): number {
  if (flagsLo | flagsHi) return -EINVAL;
  const { memory } = rt;
  const { map_for_each_step: step } = memory.exports<ForEachExports>();
  const cursor = memory.alloc(16);
  let n = 0;
  try {
    for (let value = step(map, cursor); value; value = step(map, cursor)) {
      n++;
      if (rt.callback(fn, map, memory.readU32(cursor + 8), value, ctx, 0)) break;
    }
  } finally {
    memory.free(cursor);
  }
  return n;
}
