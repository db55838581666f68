/**
 * sk_lookup programs of a network namespace: may a packet have a socket that is not connected to its sender?
 *
 * All of them run, in the order of their links; the packet has none when one of them says SK_DROP.
 *
 * Source   bpf_sk_lookup_run_v4() and BPF_PROG_SK_LOOKUP_RUN_ARRAY in include/linux/filter.h.
 * Differs  programs choose no socket: they would find one in a sockmap or sockhash, and those hold none here. They are not
 *          asked who sent what nobody took: there is no ICMP that would tell them.
 */
import { BPF_SK_LOOKUP } from "../../abi/bpf.ts";
import type { Net } from "../net.ts";
import type { Endpoint } from "./inet.ts";

/** struct bpf_sk_lookup, uapi. */
export const SK_LOOKUP = {
  sk: 0,
  family: 8,
  protocol: 12,
  remoteIp4: 16,
  remotePort: 36,
  localIp4: 40,
  localPort: 60,
  ingressIfindex: 64,
} as const;
export const SK_LOOKUP_BYTES = 72;
export const SK_PASS = 1;
const AF_INET = 2;

export interface LookupPacket {
  readonly protocol: number;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly ingressIfindex: number;
}

export function hasSkLookup({ kernel, netns }: Net): boolean {
  return kernel.netnsProgs.of(netns, BPF_SK_LOOKUP).length > 0;
}

export function skLookupPasses(net: Net, packet: LookupPacket): boolean {
  const { kernel } = net;
  const progs = kernel.netnsProgs.of(net.netns, BPF_SK_LOOKUP);
  if (progs.length === 0) return true;
  const { memory } = kernel;
  const ctx = memory.alloc(SK_LOOKUP_BYTES);
  try {
    const { from, to } = packet;
    memory.writeU32(ctx + SK_LOOKUP.family, AF_INET);
    memory.writeU32(ctx + SK_LOOKUP.protocol, packet.protocol);
    memory.writeBytes(ctx + SK_LOOKUP.remoteIp4, from.addr);
    memory.view.setUint16(ctx + SK_LOOKUP.remotePort, from.port);
    memory.writeBytes(ctx + SK_LOOKUP.localIp4, to.addr);
    memory.writeU32(ctx + SK_LOOKUP.localPort, to.port);
    memory.writeU32(ctx + SK_LOOKUP.ingressIfindex, packet.ingressIfindex);
    let passes = true;
    net.nets.run(net, () =>
      kernel.running(() => {
        for (const { prog } of [...progs]) if (prog.run(ctx) !== SK_PASS) passes = false;
      }),
    );
    return passes;
  } finally {
    memory.free(ctx);
  }
}
