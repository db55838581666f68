/**
 * Socket maps, messages and streams.
 *
 * Source   net/core/sock_map.c, net/core/filter.c.
 */
import {
  BPF_FUNC_msg_apply_bytes,
  BPF_FUNC_msg_cork_bytes,
  BPF_FUNC_msg_pop_data,
  BPF_FUNC_msg_pull_data,
  BPF_FUNC_msg_push_data,
  BPF_FUNC_msg_redirect_hash,
  BPF_FUNC_msg_redirect_map,
  BPF_FUNC_sk_redirect_hash,
  BPF_FUNC_sk_redirect_map,
  BPF_FUNC_sock_hash_update,
  BPF_FUNC_sock_map_update,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import { ARG_ANYTHING, ARG_CONST_MAP_PTR, ARG_PTR_TO_CTX, ARG_PTR_TO_MAP_KEY, RET_INTEGER } from "./types.ts";

export const sock_map_update: Helper = {
  id: BPF_FUNC_sock_map_update,
  name: "sock_map_update",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING],
    ret: RET_INTEGER,
    pktAccess: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const sock_hash_update: Helper = {
  id: BPF_FUNC_sock_hash_update,
  name: "sock_hash_update",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING],
    ret: RET_INTEGER,
    pktAccess: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const sk_redirect_map: Helper = {
  id: BPF_FUNC_sk_redirect_map,
  name: "sk_redirect_map",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const sk_redirect_hash: Helper = {
  id: BPF_FUNC_sk_redirect_hash,
  name: "sk_redirect_hash",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_redirect_map: Helper = {
  id: BPF_FUNC_msg_redirect_map,
  name: "msg_redirect_map",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_redirect_hash: Helper = {
  id: BPF_FUNC_msg_redirect_hash,
  name: "msg_redirect_hash",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_apply_bytes: Helper = {
  id: BPF_FUNC_msg_apply_bytes,
  name: "msg_apply_bytes",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_cork_bytes: Helper = {
  id: BPF_FUNC_msg_cork_bytes,
  name: "msg_cork_bytes",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_pull_data: Helper = {
  id: BPF_FUNC_msg_pull_data,
  name: "msg_pull_data",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_push_data: Helper = {
  id: BPF_FUNC_msg_push_data,
  name: "msg_push_data",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};

export const msg_pop_data: Helper = {
  id: BPF_FUNC_msg_pop_data,
  name: "msg_pop_data",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "sockets of sockmaps are not modelled" },
};
