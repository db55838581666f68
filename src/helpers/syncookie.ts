/**
 * TCP SYN cookies.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_tcp_check_syncookie,
  BPF_FUNC_tcp_gen_syncookie,
  BPF_FUNC_tcp_raw_check_syncookie_ipv4,
  BPF_FUNC_tcp_raw_check_syncookie_ipv6,
  BPF_FUNC_tcp_raw_gen_syncookie_ipv4,
  BPF_FUNC_tcp_raw_gen_syncookie_ipv6,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  RET_INTEGER,
} from "./types.ts";

export const tcp_check_syncookie: Helper = {
  id: BPF_FUNC_tcp_check_syncookie,
  name: "tcp_check_syncookie",
  proto: {
    args: [
      ARG_PTR_TO_BTF_ID_SOCK_COMMON,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
    pktAccess: true,
  },
  abi: "ppppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};

export const tcp_gen_syncookie: Helper = {
  id: BPF_FUNC_tcp_gen_syncookie,
  name: "tcp_gen_syncookie",
  proto: {
    args: [
      ARG_PTR_TO_BTF_ID_SOCK_COMMON,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
    pktAccess: true,
  },
  abi: "ppppp:q",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};

export const tcp_raw_gen_syncookie_ipv4: Helper = {
  id: BPF_FUNC_tcp_raw_gen_syncookie_ipv4,
  name: "tcp_raw_gen_syncookie_ipv4",
  proto: {
    args: [ARG_PTR_TO_FIXED_SIZE_MEM, ARG_PTR_TO_MEM, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    sizes: [20],
    gplOnly: true,
    pktAccess: true,
  },
  abi: "ppp:q",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};

export const tcp_raw_gen_syncookie_ipv6: Helper = {
  id: BPF_FUNC_tcp_raw_gen_syncookie_ipv6,
  name: "tcp_raw_gen_syncookie_ipv6",
  proto: {
    args: [ARG_PTR_TO_FIXED_SIZE_MEM, ARG_PTR_TO_MEM, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    sizes: [40],
    gplOnly: true,
    pktAccess: true,
  },
  abi: "ppp:q",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};

export const tcp_raw_check_syncookie_ipv4: Helper = {
  id: BPF_FUNC_tcp_raw_check_syncookie_ipv4,
  name: "tcp_raw_check_syncookie_ipv4",
  proto: {
    args: [ARG_PTR_TO_FIXED_SIZE_MEM, ARG_PTR_TO_FIXED_SIZE_MEM],
    ret: RET_INTEGER,
    sizes: [20, 20],
    gplOnly: true,
    pktAccess: true,
  },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};

export const tcp_raw_check_syncookie_ipv6: Helper = {
  id: BPF_FUNC_tcp_raw_check_syncookie_ipv6,
  name: "tcp_raw_check_syncookie_ipv6",
  proto: {
    args: [ARG_PTR_TO_FIXED_SIZE_MEM, ARG_PTR_TO_FIXED_SIZE_MEM],
    ret: RET_INTEGER,
    sizes: [40, 20],
    gplOnly: true,
    pktAccess: true,
  },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "SYN cookies are not modelled" },
};
