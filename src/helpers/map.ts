/**
 * Generic map operations.
 *
 * Source   kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_map_delete_elem,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_lookup_percpu_elem,
  BPF_FUNC_map_peek_elem,
  BPF_FUNC_map_pop_elem,
  BPF_FUNC_map_push_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_tail_call,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MAP_KEY,
  ARG_PTR_TO_MAP_VALUE,
  MEM_UNINIT,
  MEM_WRITE,
  RET_INTEGER,
  RET_PTR_TO_MAP_VALUE_OR_NULL,
  RET_VOID,
} from "./types.ts";

export const map_lookup_elem: Helper = {
  id: BPF_FUNC_map_lookup_elem,
  name: "map_lookup_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY], ret: RET_PTR_TO_MAP_VALUE_OR_NULL, pktAccess: true },
  abi: "pp:p",
  core: "map_lookup_elem",
};

export const map_update_elem: Helper = {
  id: BPF_FUNC_map_update_elem,
  name: "map_update_elem",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_PTR_TO_MAP_VALUE, ARG_ANYTHING],
    ret: RET_INTEGER,
    pktAccess: true,
  },
  abi: "pppq:i",
  core: "map_update_elem",
};

export const map_delete_elem: Helper = {
  id: BPF_FUNC_map_delete_elem,
  name: "map_delete_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY], ret: RET_INTEGER, pktAccess: true },
  abi: "pp:i",
  core: "map_delete_elem",
};

export const map_push_elem: Helper = {
  id: BPF_FUNC_map_push_elem,
  name: "map_push_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_VALUE, ARG_ANYTHING], ret: RET_INTEGER, pktAccess: true },
  abi: "ppq:i",
  core: "map_push_elem",
};

export const map_pop_elem: Helper = {
  id: BPF_FUNC_map_pop_elem,
  name: "map_pop_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_VALUE | MEM_UNINIT | MEM_WRITE], ret: RET_INTEGER },
  abi: "pp:i",
  core: "map_pop_elem",
};

export const map_peek_elem: Helper = {
  id: BPF_FUNC_map_peek_elem,
  name: "map_peek_elem",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_VALUE | MEM_UNINIT | MEM_WRITE], ret: RET_INTEGER },
  abi: "pp:i",
  core: "map_peek_elem",
};

export const map_lookup_percpu_elem: Helper = {
  id: BPF_FUNC_map_lookup_percpu_elem,
  name: "map_lookup_percpu_elem",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING],
    ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
    pktAccess: true,
  },
  abi: "ppp:p",
  core: "map_lookup_percpu_elem",
};

export const tail_call: Helper = {
  id: BPF_FUNC_tail_call,
  name: "tail_call",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_VOID, changesPktData: true },
  abi: "ppp:i",
};
