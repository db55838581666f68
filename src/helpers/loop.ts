/**
 * Loops through a callback.
 *
 * Source   kernel/bpf/bpf_iter.c.
 */
import { BPF_FUNC_for_each_map_elem, BPF_FUNC_loop } from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
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
};

export const for_each_map_elem: Helper = {
  id: BPF_FUNC_for_each_map_elem,
  name: "for_each_map_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
  callsBack: true,
  abi: "pppq:i",
};
