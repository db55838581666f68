/**
 * Reading and changing socket buffers.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_get_hash_recalc,
  BPF_FUNC_get_route_realm,
  BPF_FUNC_set_hash,
  BPF_FUNC_set_hash_invalid,
  BPF_FUNC_skb_adjust_room,
  BPF_FUNC_skb_change_head,
  BPF_FUNC_skb_change_proto,
  BPF_FUNC_skb_change_tail,
  BPF_FUNC_skb_change_type,
  BPF_FUNC_skb_ecn_set_ce,
  BPF_FUNC_skb_get_tunnel_key,
  BPF_FUNC_skb_get_tunnel_opt,
  BPF_FUNC_skb_get_xfrm_state,
  BPF_FUNC_skb_load_bytes,
  BPF_FUNC_skb_load_bytes_relative,
  BPF_FUNC_skb_pull_data,
  BPF_FUNC_skb_set_tstamp,
  BPF_FUNC_skb_set_tunnel_key,
  BPF_FUNC_skb_set_tunnel_opt,
  BPF_FUNC_skb_store_bytes,
  BPF_FUNC_skb_vlan_pop,
  BPF_FUNC_skb_vlan_push,
} from "../abi/bpf.ts";
import { EINVAL } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  RET_INTEGER,
} from "./types.ts";

export const skb_store_bytes: Helper = {
  id: BPF_FUNC_skb_store_bytes,
  name: "skb_store_bytes",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
    changesPktData: true,
  },
  abi: "ppppq:i",
  core: "skb_store_bytes",
};

export const skb_load_bytes: Helper = {
  id: BPF_FUNC_skb_load_bytes,
  name: "skb_load_bytes",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "pppp:i",
  core: "skb_load_bytes",
};

export const skb_load_bytes_relative: Helper = {
  id: BPF_FUNC_skb_load_bytes_relative,
  name: "skb_load_bytes_relative",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppppp:i",
  core: "skb_load_bytes_relative",
};

export const skb_pull_data: Helper = {
  id: BPF_FUNC_skb_pull_data,
  name: "skb_pull_data",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pp:i",
  core: "skb_pull_data",
};

export const skb_vlan_push: Helper = {
  id: BPF_FUNC_skb_vlan_push,
  name: "skb_vlan_push",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppp:i",
  core: "skb_vlan_push",
};

export const skb_vlan_pop: Helper = {
  id: BPF_FUNC_skb_vlan_pop,
  name: "skb_vlan_pop",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER, changesPktData: true },
  abi: "p:i",
  core: "skb_vlan_pop",
};

export const skb_change_proto: Helper = {
  id: BPF_FUNC_skb_change_proto,
  name: "skb_change_proto",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppq:i",
  core: "skb_change_proto",
};

export const skb_change_type: Helper = {
  id: BPF_FUNC_skb_change_type,
  name: "skb_change_type",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  core: "skb_change_type",
};

export const skb_change_tail: Helper = {
  id: BPF_FUNC_skb_change_tail,
  name: "skb_change_tail",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppq:i",
  core: "skb_change_tail",
};

export const skb_change_head: Helper = {
  id: BPF_FUNC_skb_change_head,
  name: "skb_change_head",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppq:i",
  core: "skb_change_head",
};

export const skb_adjust_room: Helper = {
  id: BPF_FUNC_skb_adjust_room,
  name: "skb_adjust_room",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "pppq:i",
  core: "skb_adjust_room",
};

export const skb_get_tunnel_key: Helper = {
  id: BPF_FUNC_skb_get_tunnel_key,
  name: "skb_get_tunnel_key",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EINVAL, reason: "tunnel metadata is not modelled" },
};

export const skb_set_tunnel_key: Helper = {
  id: BPF_FUNC_skb_set_tunnel_key,
  name: "skb_set_tunnel_key",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EINVAL, reason: "tunnel metadata is not modelled" },
};

export const skb_get_tunnel_opt: Helper = {
  id: BPF_FUNC_skb_get_tunnel_opt,
  name: "skb_get_tunnel_opt",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppp:i",
  unsupported: { errno: EINVAL, reason: "tunnel metadata is not modelled" },
};

export const skb_set_tunnel_opt: Helper = {
  id: BPF_FUNC_skb_set_tunnel_opt,
  name: "skb_set_tunnel_opt",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppp:i",
  unsupported: { errno: EINVAL, reason: "tunnel metadata is not modelled" },
};

export const get_route_realm: Helper = {
  id: BPF_FUNC_get_route_realm,
  name: "get_route_realm",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:p",
  call: () => 0,
};

export const get_hash_recalc: Helper = {
  id: BPF_FUNC_get_hash_recalc,
  name: "get_hash_recalc",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:p",
  core: "get_hash_recalc",
};

export const set_hash_invalid: Helper = {
  id: BPF_FUNC_set_hash_invalid,
  name: "set_hash_invalid",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:v",
  core: "set_hash_invalid",
};

export const set_hash: Helper = {
  id: BPF_FUNC_set_hash,
  name: "set_hash",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  core: "set_hash",
};

export const skb_get_xfrm_state: Helper = {
  id: BPF_FUNC_skb_get_xfrm_state,
  name: "skb_get_xfrm_state",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppppq:i",
  unsupported: { errno: EINVAL, reason: "IPsec state is not modelled" },
};

export const skb_ecn_set_ce: Helper = {
  id: BPF_FUNC_skb_ecn_set_ce,
  name: "skb_ecn_set_ce",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:i",
  core: "skb_ecn_set_ce",
};

export const skb_set_tstamp: Helper = {
  id: BPF_FUNC_skb_set_tstamp,
  name: "skb_set_tstamp",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pqp:i",
  core: "skb_set_tstamp",
};
