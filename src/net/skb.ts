/**
 * A socket buffer in linear memory: the record whose start is struct __sk_buff, and one linear buffer.
 *
 * Owner    whoever makes it calls free(); helpers may have exchanged the buffer meanwhile, the record knows the current one.
 */
import { ETH_HLEN, SKB, SKB_RECORD_SIZE } from "../helpers/packet_layout.ts";
import type { Memory, VAddr } from "../memory/memory.ts";

/** NET_SKB_PAD. */
export const SKB_PAD = 64;
/** SMP_CACHE_BYTES: buffers are rounded up to it (SKB_DATA_ALIGN). */
const ALIGN = 64;

interface SkbExports {
  skb_eth_type(skb: number, mac: bigint, untag: number): void;
  skbInsertTag(skb: number): number;
  csumPartial(p: number, n: number, seed: number): number;
}

export interface SkbOptions {
  readonly ifindex: number;
  readonly ingressIfindex?: number;
  /** Address of the receiving device; decides pkt_type. */
  readonly mac?: Uint8Array;
  /** Take an outer VLAN tag out of the packet, as reception does. */
  readonly untag?: boolean;
  /** Programs see the Ethernet header; else the packet begins at the network header. */
  readonly l2: boolean;
  readonly headroom?: number;
  /** Give the packet a wire_len, as a qdisc does. */
  readonly wireLen?: boolean;
  readonly mtu?: number;
  /** Metadata in front of the packet; fits the headroom. */
  readonly meta?: Uint8Array;
}

export class Skb {
  readonly memory: Memory;
  /** The context of the program. */
  readonly addr: VAddr;

  /** @param packet an Ethernet frame of at least 14 bytes */
  constructor(memory: Memory, packet: Uint8Array, options: SkbOptions) {
    this.memory = memory;
    const headroom = options.headroom ?? SKB_PAD;
    const room = headroom + Math.ceil(packet.length / ALIGN) * ALIGN;
    this.addr = memory.alloc(SKB_RECORD_SIZE);
    const head = memory.alloc(room);
    const data = head + headroom;
    memory.writeBytes(data, packet);
    this.set("head", head);
    this.set("headOwned", 1);
    this.set("end", head + room);
    this.set("data", data);
    this.set("dataEnd", data + packet.length);
    this.set("dataMeta", data);
    this.set("len", packet.length);
    this.set("ifindex", options.ifindex);
    this.set("ingressIfindex", options.ingressIfindex ?? 0);
    this.set("mtu", options.mtu ?? 0);
    memory.exports<SkbExports>().skb_eth_type(this.addr, macNumber(options.mac), options.untag ? 1 : 0);
    if (!options.l2) this.pull(ETH_HLEN);
    if (options.meta?.length) {
      const at = this.get("data") - options.meta.length;
      memory.writeBytes(at, options.meta);
      this.set("dataMeta", at);
    }
    this.set("wireLen", options.wireLen ? this.get("len") : 0);
  }

  get(field: keyof typeof SKB): number {
    return this.memory.readU32(this.addr + SKB[field]);
  }

  set(field: keyof typeof SKB, value: number): void {
    this.memory.writeU32(this.addr + SKB[field], value);
  }

  /** Moves the start of the data by n bytes; negative uncovers bytes in front. */
  pull(n: number): void {
    const data = this.get("data") + n;
    this.set("data", data);
    this.set("dataMeta", data);
    this.set("len", this.get("dataEnd") - data);
  }

  /** What programs see from data to data_end, as a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.memory.readBytes(this.get("data"), this.get("dataEnd") - this.get("data"));
  }

  /** The frame as it goes out: from the Ethernet header, with the VLAN tag that the record carried aside. */
  frame(): Uint8Array<ArrayBuffer> {
    const mac = this.get("macHeader");
    if (mac && mac < this.get("data")) this.pull(mac - this.get("data"));
    if (this.get("vlanPresent")) {
      this.memory.exports<SkbExports>().skbInsertTag(this.addr);
      this.set("vlanPresent", 0);
    }
    return this.bytes();
  }

  /** Sum over the packet from the network header, as CHECKSUM_COMPLETE has it. */
  networkCsum(): number {
    const from = this.get("networkHeader");
    return this.memory.exports<SkbExports>().csumPartial(from, this.get("dataEnd") - from, 0) >>> 0;
  }

  free(): void {
    if (this.get("headOwned")) this.memory.free(this.get("head") as VAddr);
    this.memory.free(this.addr);
  }
}

/** The six bytes as a little-endian number. */
export function macNumber(mac: Uint8Array | undefined): bigint {
  let n = 0n;
  for (let i = 5; i >= 0; i--) n = (n << 8n) | BigInt(mac?.[i] ?? 0);
  return n;
}
