/**
 * The kernel's view of a program's context: what a tracing program on that program gets as its first argument.
 *
 * Contexts here are laid out as the uapi has them (struct xdp_md, struct __sk_buff); a tracing program is verified against
 * struct xdp_buff and struct sk_buff of the kernel's BTF. Members that a packet has are filled; a context of another type is
 * a struct of zeros.
 */
import { SKB, XDP } from "../../helpers/packet_layout.ts";
import type { Memory, VAddr } from "../../memory/memory.ts";
import type { FieldValue } from "./kstruct.ts";
import type { StructScope } from "./scope.ts";

interface KernelCtx {
  /** Structs that the context points to, made once. */
  readonly around: (scope: StructScope, memory: Memory, ctx: number) => Record<string, FieldValue>;
  readonly fields: (memory: Memory, ctx: number) => Record<string, FieldValue>;
}

const device = (scope: StructScope, ifindex: number): VAddr => scope.alloc("net_device", { ifindex });

const KERNEL_CTX: Readonly<Record<string, KernelCtx>> = {
  xdp_buff: {
    around: (scope, memory, ctx) => ({
      rxq: scope.alloc("xdp_rxq_info", {
        dev: device(scope, memory.readU32(ctx + XDP.ingressIfindex)),
        queue_index: memory.readU32(ctx + XDP.rxQueueIndex),
      }),
    }),
    fields: (memory, ctx) => ({
      data: memory.readU32(ctx + XDP.data),
      data_end: memory.readU32(ctx + XDP.dataEnd),
      data_meta: memory.readU32(ctx + XDP.dataMeta),
      data_hard_start: memory.readU32(ctx + XDP.hardStart),
      frame_sz: memory.readU32(ctx + XDP.hardEnd) - memory.readU32(ctx + XDP.hardStart),
    }),
  },
  sk_buff: {
    around: (scope, memory, ctx) => ({ dev: device(scope, memory.readU32(ctx + SKB.ifindex)) }),
    fields: (memory, ctx) => {
      const head = memory.readU32(ctx + SKB.head);
      const data = memory.readU32(ctx + SKB.data);
      const len = memory.readU32(ctx + SKB.len);
      return {
        len,
        data_len: Math.max(0, len - (memory.readU32(ctx + SKB.dataEnd) - data)),
        mark: memory.readU32(ctx + SKB.mark),
        priority: memory.readU32(ctx + SKB.priority),
        queue_mapping: memory.readU32(ctx + SKB.queueMapping),
        protocol: memory.readU32(ctx + SKB.protocol) & 0xffff,
        hash: memory.readU32(ctx + SKB.hash),
        skb_iif: memory.readU32(ctx + SKB.ingressIfindex),
        vlan_tci: memory.readU32(ctx + SKB.vlanTci),
        vlan_proto: memory.readU32(ctx + SKB.vlanProto) & 0xffff,
        head,
        data,
        tail: memory.readU32(ctx + SKB.dataEnd) - head,
      };
    },
  },
};

/** A kernel struct that follows a context. */
export class CtxStruct {
  readonly addr: VAddr;
  readonly #scope: StructScope;
  readonly #struct: string;
  readonly #ctx: number;

  /** @param struct  ProgType.kernCtx */
  constructor(scope: StructScope, struct: string, ctx: number) {
    this.#scope = scope;
    this.#struct = struct;
    this.#ctx = ctx;
    const { memory } = scope.kernel;
    this.addr = scope.alloc(struct, KERNEL_CTX[struct]?.around(scope, memory, ctx) ?? {});
    this.refresh();
  }

  /** The program may have changed its context. */
  refresh(): void {
    const { structs, memory } = this.#scope.kernel;
    const fields = KERNEL_CTX[this.#struct]?.fields(memory, this.#ctx);
    if (fields) structs.write(this.#struct, this.addr, fields);
  }
}
