/**
 * Checksums.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_csum_diff,
  BPF_FUNC_csum_level,
  BPF_FUNC_csum_update,
  BPF_FUNC_l3_csum_replace,
  BPF_FUNC_l4_csum_replace,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const l3_csum_replace: Helper = {
  id: BPF_FUNC_l3_csum_replace,
  name: "l3_csum_replace",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "ppqqq:i",
  core: "l3_csum_replace",
};

export const l4_csum_replace: Helper = {
  id: BPF_FUNC_l4_csum_replace,
  name: "l4_csum_replace",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "ppqqq:i",
  core: "l4_csum_replace",
};

export const csum_diff: Helper = {
  id: BPF_FUNC_csum_diff,
  name: "csum_diff",
  proto: {
    args: [
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_ANYTHING,
    ],
    ret: RET_INTEGER,
    pktAccess: true,
  },
  abi: "ppppp:q",
  core: "csum_diff",
};

export const csum_update: Helper = {
  id: BPF_FUNC_csum_update,
  name: "csum_update",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:q",
  core: "csum_update",
};

export const csum_level: Helper = {
  id: BPF_FUNC_csum_level,
  name: "csum_level",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pq:i",
  core: "csum_level",
};
