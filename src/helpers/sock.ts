/**
 * Sockets: lookup, references, options, cookies.
 *
 * Source   net/core/filter.c.
 */
import {
  BPF_FUNC_bind,
  BPF_FUNC_get_listener_sock,
  BPF_FUNC_get_netns_cookie,
  BPF_FUNC_get_socket_cookie,
  BPF_FUNC_get_socket_uid,
  BPF_FUNC_getsockopt,
  BPF_FUNC_setsockopt,
  BPF_FUNC_sk_assign,
  BPF_FUNC_sk_fullsock,
  BPF_FUNC_sk_lookup_tcp,
  BPF_FUNC_sk_lookup_udp,
  BPF_FUNC_sk_release,
  BPF_FUNC_sk_select_reuseport,
  BPF_FUNC_skc_lookup_tcp,
  BPF_FUNC_skc_to_mptcp_sock,
  BPF_FUNC_skc_to_tcp_request_sock,
  BPF_FUNC_skc_to_tcp_sock,
  BPF_FUNC_skc_to_tcp_timewait_sock,
  BPF_FUNC_skc_to_tcp6_sock,
  BPF_FUNC_skc_to_udp6_sock,
  BPF_FUNC_skc_to_unix_sock,
  BPF_FUNC_sock_from_file,
  BPF_FUNC_tcp_sock,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  BPF_PROG_TYPE_CGROUP_SOCKOPT,
  BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE_SK_LOOKUP,
  BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_STRUCT_OPS,
  BPF_PROG_TYPE_SYSCALL,
  BPF_PROG_TYPE_TRACING,
} from "../abi/bpf.ts";
import { EAFNOSUPPORT, EEXIST, EINVAL, EOPNOTSUPP, EPROTOTYPE } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import "./net_service.ts";
import { SKB } from "./packet_layout.ts";
import { big, retBig } from "./runtime.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_CTX_OR_NULL,
  ARG_PTR_TO_MAP_KEY,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_SOCK_COMMON,
  ARG_PTR_TO_SOCKET_OR_NULL,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  OBJ_RELEASE,
  PTR_MAYBE_NULL,
  RET_INTEGER,
  RET_PTR_TO_BTF_ID_OR_NULL,
  RET_PTR_TO_SOCK_COMMON_OR_NULL,
  RET_PTR_TO_SOCKET_OR_NULL,
  RET_PTR_TO_TCP_SOCK_OR_NULL,
} from "./types.ts";

export const get_socket_cookie: Helper = {
  id: BPF_FUNC_get_socket_cookie,
  name: "get_socket_cookie",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  variants: [
    {
      progs: [BPF_PROG_TYPE_SK_REUSEPORT, BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_SYSCALL],
      proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON | PTR_MAYBE_NULL], ret: RET_INTEGER },
    },
  ],
  abi: "p:q",
  call: skbSocketCookie,
};

export const get_socket_uid: Helper = {
  id: BPF_FUNC_get_socket_uid,
  name: "get_socket_uid",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:p",
  call: () => OVERFLOW_UID,
};

export const get_netns_cookie: Helper = {
  id: BPF_FUNC_get_netns_cookie,
  name: "get_netns_cookie",
  proto: { args: [ARG_PTR_TO_CTX_OR_NULL], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt) => retBig(rt, rt.services.net.netnsCookie()),
};

export const setsockopt: Helper = {
  id: BPF_FUNC_setsockopt,
  name: "setsockopt",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE],
    ret: RET_INTEGER,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_STRUCT_OPS, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_PROG_TYPE_TRACING],
      proto: {
        args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE],
        ret: RET_INTEGER,
      },
    },
  ],
  abi: "ppppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "socket options are not modelled" },
};

export const getsockopt: Helper = {
  id: BPF_FUNC_getsockopt,
  name: "getsockopt",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE],
    ret: RET_INTEGER,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_STRUCT_OPS, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_PROG_TYPE_TRACING],
      proto: {
        args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE],
        ret: RET_INTEGER,
      },
    },
  ],
  abi: "ppppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "socket options are not modelled" },
};

export const bind: Helper = {
  id: BPF_FUNC_bind,
  name: "bind",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "socket options are not modelled" },
};

export const sk_lookup_tcp: Helper = {
  id: BPF_FUNC_sk_lookup_tcp,
  name: "sk_lookup_tcp",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_PTR_TO_SOCKET_OR_NULL,
    pktAccess: true,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
      proto: {
        args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
        ret: RET_PTR_TO_SOCKET_OR_NULL,
      },
    },
  ],
  abi: "pppqq:p",
  call: (rt, ...a) => lookup(rt, 6, true, a),
};

export const sk_lookup_udp: Helper = {
  id: BPF_FUNC_sk_lookup_udp,
  name: "sk_lookup_udp",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_PTR_TO_SOCKET_OR_NULL,
    pktAccess: true,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
      proto: {
        args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
        ret: RET_PTR_TO_SOCKET_OR_NULL,
      },
    },
  ],
  abi: "pppqq:p",
  call: (rt, ...a) => lookup(rt, 17, true, a),
};

export const skc_lookup_tcp: Helper = {
  id: BPF_FUNC_skc_lookup_tcp,
  name: "skc_lookup_tcp",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
    ret: RET_PTR_TO_SOCK_COMMON_OR_NULL,
    pktAccess: true,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
      proto: {
        args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_ANYTHING],
        ret: RET_PTR_TO_SOCK_COMMON_OR_NULL,
      },
    },
  ],
  abi: "pppqq:p",
  call: (rt, ...a) => lookup(rt, 6, false, a),
};

export const sk_release: Helper = {
  id: BPF_FUNC_sk_release,
  name: "sk_release",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON | OBJ_RELEASE], ret: RET_INTEGER },
  abi: "p:i",
  call: skRelease,
};

export const sk_fullsock: Helper = {
  id: BPF_FUNC_sk_fullsock,
  name: "sk_fullsock",
  proto: { args: [ARG_PTR_TO_SOCK_COMMON], ret: RET_PTR_TO_SOCKET_OR_NULL },
  abi: "p:p",
  call: (_rt, sk) => sk,
};

export const tcp_sock: Helper = {
  id: BPF_FUNC_tcp_sock,
  name: "tcp_sock",
  proto: { args: [ARG_PTR_TO_SOCK_COMMON], ret: RET_PTR_TO_TCP_SOCK_OR_NULL },
  abi: "p:p",
  call: () => 0,
};

export const get_listener_sock: Helper = {
  id: BPF_FUNC_get_listener_sock,
  name: "get_listener_sock",
  proto: { args: [ARG_PTR_TO_SOCK_COMMON], ret: RET_PTR_TO_SOCKET_OR_NULL },
  abi: "p:p",
  call: (rt, sk) => rt.services.net.listenerOf(sk >>> 0),
};

export const sk_assign: Helper = {
  id: BPF_FUNC_sk_assign,
  name: "sk_assign",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_ANYTHING], ret: RET_INTEGER },
  variants: [
    {
      progs: [BPF_PROG_TYPE_SK_LOOKUP],
      proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_SOCKET_OR_NULL, ARG_ANYTHING], ret: RET_INTEGER },
      call: skLookupAssign,
    },
  ],
  abi: "ppq:i",
  call: skAssign,
};

export const skc_to_tcp6_sock: Helper = {
  id: BPF_FUNC_skc_to_tcp6_sock,
  name: "skc_to_tcp6_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "tcp6_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_tcp_sock: Helper = {
  id: BPF_FUNC_skc_to_tcp_sock,
  name: "skc_to_tcp_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "tcp_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_tcp_timewait_sock: Helper = {
  id: BPF_FUNC_skc_to_tcp_timewait_sock,
  name: "skc_to_tcp_timewait_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "tcp_timewait_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_tcp_request_sock: Helper = {
  id: BPF_FUNC_skc_to_tcp_request_sock,
  name: "skc_to_tcp_request_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "tcp_request_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_udp6_sock: Helper = {
  id: BPF_FUNC_skc_to_udp6_sock,
  name: "skc_to_udp6_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "udp6_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_unix_sock: Helper = {
  id: BPF_FUNC_skc_to_unix_sock,
  name: "skc_to_unix_sock",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "unix_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const skc_to_mptcp_sock: Helper = {
  id: BPF_FUNC_skc_to_mptcp_sock,
  name: "skc_to_mptcp_sock",
  proto: { args: [ARG_PTR_TO_SOCK_COMMON], ret: RET_PTR_TO_BTF_ID_OR_NULL, retBtf: "mptcp_sock" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const sock_from_file: Helper = {
  id: BPF_FUNC_sock_from_file,
  name: "sock_from_file",
  proto: { args: [ARG_PTR_TO_BTF_ID], ret: RET_PTR_TO_BTF_ID_OR_NULL, argBtf: ["file"], retBtf: "socket" },
  abi: "p:p",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

export const sk_select_reuseport: Helper = {
  id: BPF_FUNC_sk_select_reuseport,
  name: "sk_select_reuseport",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_PTR_TO_MAP_KEY, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "kernel socket structs are not modelled" },
};

/** Of sockets whose owner is unknown. */
const OVERFLOW_UID = 65534;
const TUPLE4_BYTES = 12;
const TUPLE6_BYTES = 36;
const S32_MAX = 0x7fffffffn;
const CURRENT_NETNS = (1n << 64n) - 1n;

/** struct bpf_sock_tuple: saddr, daddr, sport, dport in network byte order. */
function lookup(rt: Runtime, proto: number, fullOnly: boolean, args: number[]): number {
  const [, tuple, size, netLo, netHi, flagsLo, flagsHi] = args as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const n = size >>> 0;
  const netns = big(netLo, netHi);
  if (flagsLo | flagsHi || (n !== TUPLE4_BYTES && n !== TUPLE6_BYTES)) return 0;
  if (netns > S32_MAX && netns !== CURRENT_NETNS && BigInt.asIntN(32, netns) !== -1n) return 0;
  const b = rt.memory.readBytes(tuple >>> 0, n);
  const addr = n === TUPLE4_BYTES ? 4 : 16;
  const port = (at: number) => (b[at]! << 8) | b[at + 1]!;
  return rt.services.net.findSocket({
    proto,
    family: addr === 4 ? 2 : 10,
    saddr: b.subarray(0, addr),
    daddr: b.subarray(addr, 2 * addr),
    sport: port(2 * addr),
    dport: port(2 * addr + 2),
    fullOnly,
  });
}

function skRelease(rt: Runtime, sk: number): number {
  return rt.services.net.releaseSocket(sk >>> 0) ? 0 : -EINVAL;
}

function skAssign(rt: Runtime, ctx: number, sk: number, flagsLo: number, flagsHi: number): number {
  return flagsHi ? -EINVAL : rt.services.net.assignSocket(ctx >>> 0, sk >>> 0, flagsLo >>> 0);
}

/** struct bpf_sk_lookup and struct bpf_sock, as far as an assignment looks at them. */
const LOOKUP = { sk: 0, family: 8, protocol: 12 };
const SOCK = { family: 4, protocol: 12, state: 72 };
const TCP_CLOSE = 7;
const TCP_LISTEN = 10;
const IPPROTO_TCP = 6;
/** No number of errno.ts: only this helper returns it. */
const ESOCKTNOSUPPORT = 94;
const F_REPLACE = 1;
const F_NO_REUSEPORT = 2;

function skLookupAssign(rt: Runtime, ctx: number, sk: number, flagsLo: number, flagsHi: number): number {
  if (flagsHi || flagsLo & ~(F_REPLACE | F_NO_REUSEPORT)) return -EINVAL;
  const { memory } = rt;
  const of = (at: number, off: number) => memory.readU32((at >>> 0) + off);
  if (sk) {
    const protocol = of(sk, SOCK.protocol);
    if (of(sk, SOCK.state) !== (protocol === IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE)) return -ESOCKTNOSUPPORT;
    if (protocol !== of(ctx, LOOKUP.protocol)) return -EPROTOTYPE;
    // An AF_INET6 socket takes IPv4 connections too.
    if (of(sk, SOCK.family) === 2 && of(ctx, LOOKUP.family) !== 2) return -EAFNOSUPPORT;
  }
  if (of(ctx, LOOKUP.sk) && !(flagsLo & F_REPLACE)) return -EEXIST;
  memory.writeU64((ctx >>> 0) + LOOKUP.sk, BigInt(sk >>> 0));
  return 0;
}

function skbSocketCookie(rt: Runtime, skb: number): number {
  const sk = rt.memory.readU32((skb >>> 0) + SKB.sk);
  return retBig(rt, sk ? rt.services.net.socketCookie(sk) : 0n);
}
