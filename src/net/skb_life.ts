/**
 * The lives of socket buffers, as the kernel's functions and tracepoints tell of them:
 *
 *     __alloc_skb() -> netif_receive_skb -> the stack            -> consume_skb()
 *     __alloc_skb() -> net_dev_queue -> driver -> net_dev_xmit   -> consume_skb()
 *                      dropped on the way                        -> sk_skb_reason_drop(), kfree_skb
 *
 * A struct sk_buff with the layout of the kernel's BTF is in linear memory from its allocation to its end, but only while
 * a program is attached to one of these places: otherwise a packet costs one question.
 *
 * Leaks    a driver that forgets to free an skb leaves it, and its memory, until the device goes.
 * Source   net/core/skbuff.c, __netif_receive_skb_core() and dev_hard_start_xmit() in net/core/dev.c.
 * Differs  each device has an skb of its own, also behind a veth or a redirect; `location` of the tracepoints is 0: callers
 *          have no addresses. Batches and test runs have no such lives.
 */
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_ENUM, BTF_KIND_ENUM64 } from "../btf/kinds.ts";
import { ETH_HLEN } from "../helpers/packet_layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { StructScope } from "../kernel/structs/scope.ts";
import type { VAddr } from "../memory/memory.ts";
import type { NetDevice } from "./device.ts";

/** enum skb_drop_reason of Linux 6.18, by name: its numbers differ between kernels. */
export type DropReason =
  | "SKB_DROP_REASON_NOT_SPECIFIED"
  | "SKB_DROP_REASON_TC_INGRESS"
  | "SKB_DROP_REASON_TC_EGRESS"
  | "SKB_DROP_REASON_NETFILTER_DROP";

const FUNCS = ["__alloc_skb", "consume_skb", "sk_skb_reason_drop"] as const;
const TRACEPOINTS = ["kfree_skb", "consume_skb", "netif_receive_skb", "net_dev_queue", "net_dev_xmit"] as const;
/** GFP_ATOMIC and NUMA_NO_NODE. */
const GFP_ATOMIC = 0x820n;
const NUMA_NO_NODE = 0xffffffffn;
const SKB_PAD = 64;

export class SkbLives {
  readonly #kernel: Kernel;
  readonly #leaked = new Map<NetDevice, SkbLife[]>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** An skb for a frame that came in, or goes out; undefined while nobody looks. */
  alloc(device: NetDevice, frame: Uint8Array, way: "in" | "out"): SkbLife | undefined {
    const { traceHooks } = this.#kernel;
    if (traceHooks.idle) return undefined;
    const watched =
      FUNCS.some((f) => traceHooks.watched(f)) || TRACEPOINTS.some((t) => traceHooks.watchedTracepoint(t));
    return watched ? new SkbLife(this.#kernel, device, frame, way) : undefined;
  }

  /** Nobody will free it. */
  leak(device: NetDevice, life: SkbLife): void {
    this.#leaked.set(device, [...(this.#leaked.get(device) ?? []), life]);
  }

  /** The device is gone, and with it what its driver had: freed without a word. */
  forget(device: NetDevice): void {
    for (const life of this.#leaked.get(device) ?? []) life.lose();
    this.#leaked.delete(device);
  }
}

export class SkbLife {
  readonly #kernel: Kernel;
  readonly #scope: StructScope;
  readonly #skb: VAddr;
  readonly #dev: VAddr;

  constructor(kernel: Kernel, device: NetDevice, frame: Uint8Array, way: "in" | "out") {
    this.#kernel = kernel;
    const scope = new StructScope(kernel);
    this.#scope = scope;
    const { ifindex, name, mtu } = device;
    this.#dev = scope.alloc("net_device", { ifindex, name, mtu });
    this.#skb = scope.alloc("sk_buff");
    const room = SKB_PAD + frame.length;
    const args = [BigInt(room), GFP_ATOMIC, 0n, NUMA_NO_NODE];
    kernel.traceHooks.call("__alloc_skb", args, () => BigInt(this.#skb));
    const head = scope.bytes(Uint8Array.from({ length: room }, (_, i) => frame[i - SKB_PAD] ?? 0));
    // Reception moves past the Ethernet header (eth_type_trans).
    const pulled = way === "in" ? Math.min(ETH_HLEN, frame.length) : 0;
    kernel.structs.write("sk_buff", this.#skb, {
      len: frame.length - pulled,
      data_len: 0,
      mac_len: ETH_HLEN,
      dev: this.#dev,
      skb_iif: way === "in" ? ifindex : 0,
      // __be16, as it lies in the frame.
      protocol: (frame[12] ?? 0) | ((frame[13] ?? 0) << 8),
      head,
      data: head + SKB_PAD + pulled,
      tail: room,
      end: room,
      mac_header: SKB_PAD,
      network_header: SKB_PAD + ETH_HLEN,
      truesize: room + kernel.structs.size("sk_buff"),
      "users.refs.counter": 1,
    });
    kernel.traceHooks.tracepoint("net", way === "in" ? "netif_receive_skb" : "net_dev_queue", [BigInt(this.#skb)]);
  }

  /** The driver took it. @param lenBytes of the frame as it went out */
  transmitted(lenBytes: number): void {
    const args = [BigInt(this.#skb), 0n, BigInt(this.#dev), BigInt(lenBytes)];
    this.#kernel.traceHooks.tracepoint("net", "net_dev_xmit", args);
  }

  /** Freed when all was well with it. */
  consume(): void {
    const { traceHooks } = this.#kernel;
    const skb = BigInt(this.#skb);
    traceHooks.call("consume_skb", [skb], () => {
      traceHooks.tracepoint("skb", "consume_skb", [skb, 0n]);
      return 0n;
    });
    this.lose();
  }

  /** Freed because it goes no further. */
  drop(reason: DropReason): void {
    const { traceHooks, platform } = this.#kernel;
    const skb = BigInt(this.#skb);
    const number = dropReason(platform.btf, reason);
    traceHooks.call("sk_skb_reason_drop", [0n, skb, number], () => {
      traceHooks.tracepoint("skb", "kfree_skb", [skb, 0n, number, 0n]);
      return 0n;
    });
    this.lose();
  }

  /** Its memory goes without a word. */
  lose(): void {
    this.#scope[Symbol.dispose]();
  }
}

/** 0 where the kernel's BTF does not tell. */
function dropReason(btf: Btf | undefined, name: DropReason): bigint {
  for (const kind of [BTF_KIND_ENUM, BTF_KIND_ENUM64]) {
    const type = btf?.type(btf.byName("skb_drop_reason", kind));
    if (type?.kind !== BTF_KIND_ENUM && type?.kind !== BTF_KIND_ENUM64) continue;
    return BigInt(type.values.find((v) => v.name === name)?.value ?? 0);
  }
  return 0n;
}
