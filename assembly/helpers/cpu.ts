/** Helpers about the CPU that runs, and where a packet goes next (bpf_redirect). */
import {
  CPU_CTX_ADDR,
  CTX_REDIRECT_FLAGS,
  CTX_REDIRECT_IFINDEX,
  CTX_REDIRECT_KIND,
  currentCpu,
} from "../memory/cpu_ctx";

/** Values of the record's redirect kind; mirrored by src/helpers/redirect_info.ts. */
const REDIRECT_IFINDEX: u32 = 1;
const REDIRECT_PEER: u32 = 4;

const XDP_ABORTED: i32 = 0;
const XDP_REDIRECT: i32 = 4;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;
const BPF_F_INGRESS: u64 = 1;

export function get_smp_processor_id(): u32 {
  return currentCpu();
}

// @ts-ignore: decorator
@inline
function setTarget(kind: u32, ifindex: u32, flags: u64): void {
  store<u32>(CPU_CTX_ADDR, kind, CTX_REDIRECT_KIND);
  store<u32>(CPU_CTX_ADDR, ifindex, CTX_REDIRECT_IFINDEX);
  store<u64>(CPU_CTX_ADDR, flags, CTX_REDIRECT_FLAGS);
}

export function xdp_redirect(ifindex: u32, flags: u64): i32 {
  if (flags) return XDP_ABORTED;
  setTarget(REDIRECT_IFINDEX, ifindex, 0);
  return XDP_REDIRECT;
}

export function skb_redirect(ifindex: u32, flags: u64): i32 {
  if (flags & ~BPF_F_INGRESS) return TC_ACT_SHOT;
  setTarget(REDIRECT_IFINDEX, ifindex, flags);
  return TC_ACT_REDIRECT;
}

export function redirect_peer(ifindex: u32, flags: u64): i32 {
  if (flags) return TC_ACT_SHOT;
  setTarget(REDIRECT_PEER, ifindex, 0);
  return TC_ACT_REDIRECT;
}
