/**
 * TCP callbacks: flags and header options.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_load_hdr_opt,
  BPF_FUNC_reserve_hdr_opt,
  BPF_FUNC_sock_ops_cb_flags_set,
  BPF_FUNC_store_hdr_opt,
  BPF_FUNC_tcp_send_ack,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  MEM_WRITE,
  RET_INTEGER,
} from "./types.ts";

export const sock_ops_cb_flags_set: Helper = {
  id: BPF_FUNC_sock_ops_cb_flags_set,
  name: "sock_ops_cb_flags_set",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sock_ops hooks are not modelled" },
};

export const load_hdr_opt: Helper = {
  id: BPF_FUNC_load_hdr_opt,
  name: "load_hdr_opt",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_WRITE, ARG_CONST_SIZE, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sock_ops hooks are not modelled" },
};

export const store_hdr_opt: Helper = {
  id: BPF_FUNC_store_hdr_opt,
  name: "store_hdr_opt",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sock_ops hooks are not modelled" },
};

export const reserve_hdr_opt: Helper = {
  id: BPF_FUNC_reserve_hdr_opt,
  name: "reserve_hdr_opt",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sock_ops hooks are not modelled" },
};

export const tcp_send_ack: Helper = {
  id: BPF_FUNC_tcp_send_ack,
  name: "tcp_send_ack",
  proto: { args: [ARG_PTR_TO_BTF_ID, ARG_ANYTHING], ret: RET_INTEGER, argBtf: ["tcp_sock"] },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sock_ops hooks are not modelled" },
};
