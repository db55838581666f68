/**
 * Netfilter programs of one network: IPv4 and IPv6 packets meet them at the hooks of the stack, in the order of their
 * priorities, until one drops.
 *
 *     device -> tc ingress -> PRE_ROUTING -> LOCAL_IN -> socket -> LOCAL_OUT -> POST_ROUTING -> cgroup egress -> device
 *
 * A program sees struct nf_hook_state and the packet as struct sk_buff, from its network header on. A link keeps the
 * namespace in which it is.
 *
 * Errors   EINVAL flags of the link, EAFNOSUPPORT neither IPv4 nor IPv6, EPROTO no such hook, EOPNOTSUPP flags of
 *          netfilter, ERANGE the first and the last priority, EBUSY the priority is taken; an update is EOPNOTSUPP.
 * Source   net/netfilter/nf_bpf_link.c, nf_hook_entries_grow().
 * Differs  BPF_F_NETFILTER_IP_DEFRAG is EOPNOTSUPP: the stack has no fragments. It forwards nothing, so programs at FORWARD
 *          do not run. An skb that is dropped on its way out had no life of its own yet (skb_life.ts).
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EAFNOSUPPORT, EBUSY, EINVAL, EOPNOTSUPP, EPROTO, ERANGE, type Errno } from "../abi/errno.ts";
import { ETH_HLEN, SKB } from "../helpers/packet_layout.ts";
import type { LinkCreateAttr } from "../kernel/bpf.ts";
import type { Link, LinkType } from "../kernel/link.ts";
import type { Prog } from "../kernel/prog.ts";
import { CtxStruct } from "../kernel/structs/ctx_struct.ts";
import { StructScope } from "../kernel/structs/scope.ts";
import type { NetDevice } from "./device.ts";
import type { Net } from "./net.ts";
import type { Nets } from "./nets.ts";
import { Skb } from "./skb.ts";

/** enum nf_inet_hooks. */
export const NF_INET = { preRouting: 0, localIn: 1, forward: 2, localOut: 3, postRouting: 4 } as const;
const NUM_HOOKS = 5;
const NF_DROP = 0;
/** NF_IP_PRI_FIRST, LAST and CONNTRACK_DEFRAG. */
const PRIORITY = { first: -0x80000000, last: 0x7fffffff, defrag: -400 };
const IP_DEFRAG = 1;
/** NFPROTO_*, and what EtherType says so. */
const FAMILIES = [
  { pf: 2, etherType: 0x0800, name: "IPv4" },
  { pf: 10, etherType: 0x86dd, name: "IPv6" },
] as const;

type Where = NonNullable<LinkCreateAttr["netfilter"]>;

interface Entry extends Where {
  readonly prog: Prog;
  readonly link: Link;
}

/** Where a packet comes from and goes to. */
interface Passing {
  readonly in?: NetDevice;
  readonly out?: NetDevice;
}

export class Netfilter {
  readonly #net: Net;
  /** Lowest priority first. */
  readonly #entries: Entry[] = [];
  /** The records behind the packets that programs see now. */
  readonly #records = new Map<number, number>();

  constructor(net: Net) {
    this.#net = net;
  }

  get idle(): boolean {
    return this.#entries.length === 0;
  }

  /** @throws EBUSY the priority is taken */
  add(entry: Entry): void {
    const { pf, hooknum, priority } = entry;
    const before = this.#entries.findIndex((e) => e.priority > priority);
    const taken = this.#entries.find((e) => e.pf === pf && e.hooknum === hooknum && e.priority === priority);
    if (taken) {
      throw new BpfError(EBUSY, `netfilter: link ${taken.link.id} has priority ${priority}`, { pf, hooknum, priority });
    }
    this.#entries.splice(before < 0 ? this.#entries.length : before, 0, entry);
  }

  remove(link: Link): void {
    const at = this.#entries.findIndex((e) => e.link === link);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  /** May the packet go on? What is no IP passes. */
  passes(hooknum: number, frame: Uint8Array, passing: Passing): boolean {
    if (this.idle || frame.length <= ETH_HLEN) return true;
    const etherType = (frame[12]! << 8) | frame[13]!;
    const pf = FAMILIES.find((f) => f.etherType === etherType)?.pf;
    const entries = this.#entries.filter((e) => e.pf === pf && e.hooknum === hooknum);
    return pf === undefined || entries.length === 0 || this.#run(entries, { hook: hooknum, pf }, frame, passing);
  }

  #run(
    entries: readonly Entry[],
    at: { readonly hook: number; readonly pf: number },
    frame: Uint8Array,
    passing: Passing,
  ): boolean {
    const { kernel, nets } = this.#net;
    const { memory, structs } = kernel;
    const device = passing.in ?? passing.out;
    const record = new Skb(memory, frame, {
      ifindex: device?.ifindex ?? 0,
      ingressIfindex: passing.in?.ifindex ?? 0,
      l2: false,
    });
    using scope = new StructScope(kernel);
    const struct = (dev: NetDevice | undefined) =>
      dev ? scope.of(dev, "net_device", () => ({ ifindex: dev.ifindex, name: dev.name, mtu: dev.mtu })) : 0;
    const skb = new CtxStruct(scope, "sk_buff", record.addr).addr;
    const networkHeader = memory.readU32(record.addr + SKB.data) - memory.readU32(record.addr + SKB.head);
    structs.write("sk_buff", skb, { dev: struct(device), network_header: networkHeader });
    const state = scope.alloc("nf_hook_state", { ...at, in: struct(passing.in), out: struct(passing.out) });
    const ctx = scope.alloc("bpf_nf_ctx", { state, skb });
    this.#records.set(skb, record.addr);
    try {
      return nets.run(this.#net, () =>
        kernel.running(() => entries.every(({ prog }) => (prog.run(ctx) | 0) !== NF_DROP)),
      );
    } finally {
      this.#records.delete(skb);
      record.free();
    }
  }

  /** The record of a struct sk_buff that a program has; 0 = none. */
  recordOf(skb: number): number {
    return this.#records.get(skb) ?? 0;
  }
}

function checkWhere(netfilter: Where): void {
  const { pf, hooknum, priority, flags } = netfilter;
  const refuse = (errno: Errno, text: string) => {
    throw new BpfError(errno, `netfilter: ${text}`, { ...netfilter });
  };
  if (!FAMILIES.some((f) => f.pf === pf))
    refuse(EAFNOSUPPORT, `family ${pf}; ${FAMILIES.map((f) => f.name)} are known`);
  if (hooknum >= NUM_HOOKS) refuse(EPROTO, `hook ${hooknum}; there are ${NUM_HOOKS}`);
  if (flags & ~IP_DEFRAG) refuse(EOPNOTSUPP, `flags 0x${flags.toString(16)}`);
  if (priority === PRIORITY.first || priority === PRIORITY.last)
    refuse(ERANGE, `priority ${priority} is for the kernel`);
  if (!(flags & IP_DEFRAG)) return;
  if (priority <= PRIORITY.defrag) refuse(ERANGE, `priority ${priority} is before fragments are joined`);
  refuse(EOPNOTSUPP, "the stack has no fragments to join");
}

export function netfilterLinkType(nets: Nets): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_NETFILTER,
    progTypes: [abi.BPF_PROG_TYPE_NETFILTER],
    attachTypes: [abi.BPF_NETFILTER],
    keepsInfo: true,
    updateErrno: EOPNOTSUPP,
    attach(proc, prog, { netfilter, flags }, link) {
      if (flags) throw new BpfError(EINVAL, `netfilter: flags 0x${flags.toString(16)} of the link`, { flags });
      const where = { pf: 0, hooknum: 0, priority: 0, flags: 0, ...netfilter };
      checkWhere(where);
      const net = nets.of(proc.netns);
      net.netfilter.add({ ...where, prog, link });
      net.netns.get();
      return {
        forcedDetach: true,
        detach() {
          net.netfilter.remove(link);
          net.netns.put();
        },
        info: () => ({ netfilter: where }),
        holds: () => [net.netns],
      };
    },
  };
}
