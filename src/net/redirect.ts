/** Where bpf_redirect() and bpf_redirect_map() of the program that just ran send the packet. */
import { BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, BPF_MAP_TYPE_CPUMAP } from "../abi/bpf.ts";
import { REDIRECT } from "../helpers/packet_layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { readSlotWords } from "../maps/slots.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { Memory } from "../memory/memory.ts";

export interface Redirect {
  /** REDIRECT.*. */
  readonly kind: number;
  readonly ifindex: number;
  /** Address of the map. */
  readonly map: number;
  readonly flags: number;
  /** Address of the map's entry; 0 for a broadcast. */
  readonly target: number;
  /** Key of the entry: for cpumaps the CPU. */
  readonly index: number;
}

export function readRedirect(memory: Memory): Redirect {
  const at = memory.cpuCtx;
  return {
    kind: memory.readU32(at + CPU_CTX.redirectKind),
    ifindex: memory.readU32(at + CPU_CTX.redirectIfindex),
    map: memory.readU32(at + CPU_CTX.redirectMap),
    flags: memory.readU32(at + CPU_CTX.redirectFlags),
    target: memory.readU32(at + CPU_CTX.redirectTarget),
    index: memory.readU32(at + CPU_CTX.redirectIndex),
  };
}

const REDIRECT_BYTES = 64;

/** Clears the redirect info for a new run; call the result to put the outer run's back. */
export function saveRedirect(memory: Memory): () => void {
  const at = memory.cpuCtx + CPU_CTX.redirectKind;
  const outer = memory.readBytes(at, REDIRECT_BYTES);
  memory.fill(at, 0, REDIRECT_BYTES);
  return () => memory.writeBytes(at, outer);
}

export type XdpTarget =
  | { readonly kind: "device"; readonly ifindex: number; readonly progId: number }
  | { readonly kind: "cpu"; readonly cpu: number; readonly progId: number };

/** None when the program called no redirect helper. */
export function xdpTargets(kernel: Kernel, redirect: Redirect, ingress: number): XdpTarget[] {
  if (redirect.kind === REDIRECT.ifindex) return [{ kind: "device", ifindex: redirect.ifindex, progId: 0 }];
  if (redirect.kind !== REDIRECT.map) return [];
  const map = kernel.mapAt(redirect.map);
  if (!map) return [];
  const { memory } = kernel;
  if (map.type === BPF_MAP_TYPE_CPUMAP) {
    return [{ kind: "cpu", cpu: redirect.index, progId: memory.readU32(redirect.target + 4) }];
  }
  if (!(redirect.flags & BPF_F_BROADCAST)) {
    return [{ kind: "device", ifindex: memory.readU32(redirect.target), progId: memory.readU32(redirect.target + 4) }];
  }
  const out: XdpTarget[] = [];
  for (let key = map.map.getNextKey(); key; key = map.map.getNextKey(key)) {
    const slot = readSlotWords(map.map, key);
    if (!slot || (redirect.flags & BPF_F_EXCLUDE_INGRESS && slot.lo === ingress)) continue;
    out.push({ kind: "device", ifindex: slot.lo, progId: slot.hi });
  }
  return out;
}
