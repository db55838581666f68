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
import { EAFNOSUPPORT, EINVAL, ENODEV } from "../abi/errno.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { ETH_HLEN, REDIRECT, SKB, XDP } from "./packet_layout.ts";
import "./net_service.ts";
import type { Helper, Runtime } from "./helper.ts";
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
  call: cloneRedirect,
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
  call: redirectNeigh,
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
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_WRITE, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "pppp:i",
  call: skbFibLookup,
  variants: [{ progs: [BPF_PROG_TYPE_XDP], call: xdpFibLookup }],
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
  call: skbCheckMtu,
  variants: [{ progs: [BPF_PROG_TYPE_XDP], call: xdpCheckMtu }],
};

const TC_ACT_SHOT = 2;
const TC_ACT_REDIRECT = 7;
const BPF_F_INGRESS = 1;

function cloneRedirect(rt: Runtime, skb: number, ifindex: number, flagsLo: number, flagsHi: number): number {
  if (flagsHi || flagsLo & ~BPF_F_INGRESS) return -EINVAL;
  return rt.services.net.cloneRedirect(skb >>> 0, ifindex >>> 0, (flagsLo & BPF_F_INGRESS) !== 0);
}

/** sizeof(struct bpf_redir_neigh). */
const REDIR_NEIGH_SIZE = 20;

function redirectNeigh(
  rt: Runtime,
  ifindex: number,
  params: number,
  plen: number,
  flagsLo: number,
  flagsHi: number,
): number {
  const n = plen >>> 0;
  if (flagsLo | flagsHi || (n && n < REDIR_NEIGH_SIZE)) return TC_ACT_SHOT;
  const { memory, cpuCtx } = rt;
  rt.services.net.setNeighbour(memory.readBytes(params >>> 0, n));
  memory.writeU32(cpuCtx + CPU_CTX.redirectKind, REDIRECT.neigh);
  memory.writeU32(cpuCtx + CPU_CTX.redirectIfindex, ifindex);
  memory.writeU64(cpuCtx + CPU_CTX.redirectFlags, 0n);
  return TC_ACT_REDIRECT;
}

/** struct bpf_fib_lookup. */
const FIB = {
  family: 0,
  totLen: 6,
  ifindex: 8,
  metric: 12,
  src: 16,
  dst: 32,
  vlanProto: 48,
  tbid: 48,
  smac: 52,
  dmac: 58,
  size: 64,
};
const FIB_FLAGS = 63;
const FIB_OUTPUT = 2;
const FIB_SKIP_NEIGH = 4;
const FIB_TBID = 8;
const FIB_SRC = 16;
const FRAG_NEEDED = 8;
const NO_SRC_ADDR = 9;
const AF_INET = 2;
const AF_INET6 = 10;

function fibLookup(rt: Runtime, params: number, plen: number, flags: number): number {
  if (plen >>> 0 < FIB.size || flags & ~FIB_FLAGS) return -EINVAL;
  const { memory } = rt;
  const at = params >>> 0;
  const family = memory.readU8(at + FIB.family);
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  const addrBytes = family === AF_INET ? 4 : 16;
  const answer = rt.services.net.route({
    family,
    src: memory.readBytes(at + FIB.src, addrBytes),
    dst: memory.readBytes(at + FIB.dst, addrBytes),
    ifindex: memory.readU32(at + FIB.ifindex),
    output: (flags & FIB_OUTPUT) !== 0,
    skipNeigh: (flags & FIB_SKIP_NEIGH) !== 0,
    tableId: flags & FIB_TBID ? memory.readU32(at + FIB.tbid) : undefined,
  });
  if (!("nexthop" in answer)) {
    if (answer.ifindex !== undefined) memory.writeU32(at + FIB.ifindex, answer.ifindex);
    return answer.ret;
  }
  const totLen = memory.readU16(at + FIB.totLen);
  if (totLen && totLen > answer.mtu) {
    memory.writeU16(at + FIB.totLen, answer.mtu);
    return FRAG_NEEDED;
  }
  if (flags & FIB_SRC) {
    if (!answer.prefSrc) return NO_SRC_ADDR;
    memory.writeBytes(at + FIB.src, answer.prefSrc);
  }
  memory.writeBytes(at + FIB.dst, answer.nexthop);
  memory.writeU32(at + FIB.metric, answer.metric);
  memory.writeU32(at + FIB.ifindex, answer.ifindex);
  memory.writeU32(at + FIB.vlanProto, 0);
  if (totLen) memory.writeU16(at + FIB.totLen, answer.mtu);
  if (!(flags & FIB_SKIP_NEIGH)) {
    memory.writeBytes(at + FIB.smac, answer.smac);
    memory.writeBytes(at + FIB.dmac, answer.dmac);
  }
  return 0;
}

function xdpFibLookup(rt: Runtime, _xdp: number, params: number, plen: number, flags: number): number {
  return fibLookup(rt, params, plen, flags);
}

/** Without tot_len, the packet itself is checked against the way out. */
function skbFibLookup(rt: Runtime, skb: number, params: number, plen: number, flags: number): number {
  const { memory } = rt;
  const totLen = plen >>> 0 >= FIB.size ? memory.readU16((params >>> 0) + FIB.totLen) : 0;
  const ret = fibLookup(rt, params, plen, flags);
  if (ret !== 0 || totLen) return ret;
  const mtu = rt.services.net.mtu(memory.readU32((params >>> 0) + FIB.ifindex)) ?? 0;
  memory.writeU16((params >>> 0) + FIB.totLen, mtu);
  return memory.readU32((skb >>> 0) + SKB.len) > mtu + ETH_HLEN ? FRAG_NEEDED : 0;
}

const MTU_FRAG_NEEDED = 1;
const MTU_CHK_SEGS = 1;

/** mtuLen: in, an L3 length to check instead of the packet's; out, the MTU. */
function checkMtu(
  rt: Runtime,
  ownIfindex: number,
  ifindex: number,
  mtuLen: number,
  packetLen: number,
  diff: number,
): number {
  const mtu = rt.services.net.mtu(ifindex >>> 0 || ownIfindex);
  if (mtu === undefined) return -ENODEV;
  const asked = rt.memory.readU32(mtuLen >>> 0);
  const len = (asked ? asked + ETH_HLEN : packetLen) + (diff | 0);
  rt.memory.writeU32(mtuLen >>> 0, mtu);
  return len > mtu + ETH_HLEN ? MTU_FRAG_NEEDED : 0;
}

function xdpCheckMtu(
  rt: Runtime,
  xdp: number,
  ifindex: number,
  mtuLen: number,
  diff: number,
  flagsLo: number,
  flagsHi: number,
): number {
  if (flagsLo | flagsHi) return -EINVAL;
  const u32 = (off: number) => rt.memory.readU32((xdp >>> 0) + off);
  return checkMtu(rt, u32(XDP.ingressIfindex), ifindex, mtuLen, u32(XDP.dataEnd) - u32(XDP.data), diff);
}

function skbCheckMtu(
  rt: Runtime,
  skb: number,
  ifindex: number,
  mtuLen: number,
  diff: number,
  flagsLo: number,
  flagsHi: number,
): number {
  if (flagsHi || flagsLo & ~MTU_CHK_SEGS) return -EINVAL;
  if (flagsLo & MTU_CHK_SEGS && (diff | 0 || rt.memory.readU32(mtuLen >>> 0))) return -EINVAL;
  const u32 = (off: number) => rt.memory.readU32((skb >>> 0) + off);
  return checkMtu(rt, u32(SKB.ifindex), ifindex, mtuLen, u32(SKB.len), diff);
}
