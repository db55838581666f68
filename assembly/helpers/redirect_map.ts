/**
 * bpf_redirect_map(): where an XDP frame goes, remembered in the CPU's context record until the program returns.
 *
 * Result   XDP_REDIRECT, or the action in the low bits of flags when the key is empty, or XDP_ABORTED for wrong flags.
 * Source   __bpf_xdp_redirect_map() in include/linux/filter.h.
 */
import { htab_lookup_elem } from "../maps/hashtab";
import { MAP_MAX_ENTRIES, MAP_TYPE, MAP_VALUES, TYPE_DEVMAP, TYPE_DEVMAP_HASH } from "../maps/record";
import {
  CPU_CTX_ADDR,
  CTX_REDIRECT_FLAGS,
  CTX_REDIRECT_INDEX,
  CTX_REDIRECT_KIND,
  CTX_REDIRECT_MAP,
  CTX_REDIRECT_TARGET,
} from "../memory/cpu_ctx";

const REDIRECT_NONE: u32 = 0;
const REDIRECT_MAP: u32 = 2;
const XDP_ABORTED: i32 = 0;
const XDP_REDIRECT: i32 = 4;
const ACTION_MASK: u64 = 3;
const BPF_F_BROADCAST: u64 = 8;
const BPF_F_EXCLUDE_INGRESS: u64 = 16;

export function redirect_map(map: u32, key: u64, flags: u64): i32 {
  const type = load<u32>(map, MAP_TYPE);
  const dev = type == TYPE_DEVMAP || type == TYPE_DEVMAP_HASH;
  const allowed = dev ? ACTION_MASK | BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : ACTION_MASK;
  if (flags & ~allowed) return XDP_ABORTED;
  const target = flags & BPF_F_BROADCAST ? 0 : lookup(map, type, <u32>key);
  if (!target && !(flags & BPF_F_BROADCAST)) {
    store<u32>(CPU_CTX_ADDR, REDIRECT_NONE, CTX_REDIRECT_KIND);
    return <i32>(flags & ACTION_MASK);
  }
  store<u32>(CPU_CTX_ADDR, REDIRECT_MAP, CTX_REDIRECT_KIND);
  store<u32>(CPU_CTX_ADDR, map, CTX_REDIRECT_MAP);
  store<u64>(CPU_CTX_ADDR, flags & BPF_F_BROADCAST ? flags : 0, CTX_REDIRECT_FLAGS);
  store<u32>(CPU_CTX_ADDR, <u32>key, CTX_REDIRECT_INDEX);
  store<u32>(CPU_CTX_ADDR, target, CTX_REDIRECT_TARGET);
  return XDP_REDIRECT;
}

/** Address of the entry {u32 ifindex or queue size, u32 program}, or 0. */
function lookup(map: u32, type: u32, key: u32): u32 {
  if (type == TYPE_DEVMAP_HASH) {
    // The hash wants its key in memory; the target word of the record is about to be written anyway.
    store<u32>(CPU_CTX_ADDR, key, CTX_REDIRECT_TARGET);
    return htab_lookup_elem(map, CPU_CTX_ADDR + <u32>CTX_REDIRECT_TARGET);
  }
  if (key >= load<u32>(map, MAP_MAX_ENTRIES)) return 0;
  const slot = load<u32>(map, MAP_VALUES) + key * 8;
  return load<u32>(slot) ? slot : 0;
}
