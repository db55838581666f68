/**
 * Lightweight tunnels.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_lwt_push_encap,
  BPF_FUNC_lwt_seg6_action,
  BPF_FUNC_lwt_seg6_adjust_srh,
  BPF_FUNC_lwt_seg6_store_bytes,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import { ARG_ANYTHING, ARG_CONST_SIZE, ARG_PTR_TO_CTX, ARG_PTR_TO_MEM, MEM_RDONLY, RET_INTEGER } from "./types.ts";

export const lwt_push_encap: Helper = {
  id: BPF_FUNC_lwt_push_encap,
  name: "lwt_push_encap",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "pppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "lightweight tunnels have no routes here" },
};

export const lwt_seg6_store_bytes: Helper = {
  id: BPF_FUNC_lwt_seg6_store_bytes,
  name: "lwt_seg6_store_bytes",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "pppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "lightweight tunnels have no routes here" },
};

export const lwt_seg6_adjust_srh: Helper = {
  id: BPF_FUNC_lwt_seg6_adjust_srh,
  name: "lwt_seg6_adjust_srh",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "lightweight tunnels have no routes here" },
};

export const lwt_seg6_action: Helper = {
  id: BPF_FUNC_lwt_seg6_action,
  name: "lwt_seg6_action",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "pppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "lightweight tunnels have no routes here" },
};
