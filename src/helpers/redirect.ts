/**
 * Sending a packet elsewhere, routes and MTU.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_check_mtu,
  BPF_FUNC_clone_redirect,
  BPF_FUNC_fib_lookup,
  BPF_FUNC_redirect,
  BPF_FUNC_redirect_map,
  BPF_FUNC_redirect_neigh,
  BPF_FUNC_redirect_peer,
  BPF_PROG_TYPE_XDP,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  MEM_ALIGNED,
  MEM_RDONLY,
  MEM_WRITE,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const clone_redirect: Helper = {
  id: BPF_FUNC_clone_redirect,
  name: "clone_redirect",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, changesPktData: true },
  abi: "ppq:i",
};

export const redirect: Helper = {
  id: BPF_FUNC_redirect,
  name: "redirect",
  proto: { args: [ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pq:i",
  core: "skb_redirect",
  variants: [{ progs: [BPF_PROG_TYPE_XDP], core: "xdp_redirect" }],
};

export const redirect_map: Helper = {
  id: BPF_FUNC_redirect_map,
  name: "redirect_map",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pqq:i",
  core: "redirect_map",
};

export const redirect_neigh: Helper = {
  id: BPF_FUNC_redirect_neigh,
  name: "redirect_neigh",
  proto: {
    args: [ARG_ANYTHING, ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "pppq:i",
};

export const redirect_peer: Helper = {
  id: BPF_FUNC_redirect_peer,
  name: "redirect_peer",
  proto: { args: [ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pq:i",
  core: "redirect_peer",
};

export const fib_lookup: Helper = {
  id: BPF_FUNC_fib_lookup,
  name: "fib_lookup",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM, ARG_CONST_SIZE, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "pppp:i",
};

export const check_mtu: Helper = {
  id: BPF_FUNC_check_mtu,
  name: "check_mtu",
  proto: {
    args: [
      ARG_PTR_TO_CTX,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_WRITE | MEM_ALIGNED,
      ARG_ANYTHING,
      ARG_ANYTHING,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, 4],
    gplOnly: true,
  },
  abi: "ppppq:i",
};
