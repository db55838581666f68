/**
 * An XDP buffer in linear memory: the record whose start is struct xdp_md, and the packet's page.
 *
 * Layout   assembly/net/layout.ts. Bytes beyond the page's linear part are fragments, one block behind the record.
 * Owner    whoever makes it calls free().
 */
import { HEADROOM, TAILROOM, XDP, XDP_RECORD_SIZE } from "../helpers/packet_layout.ts";
import type { Memory, VAddr } from "../memory/memory.ts";

export const PAGE_SIZE = 4096;
/** MAX_SKB_FRAGS pages of fragments. */
export const MAX_FRAG_BYTES = 17 * PAGE_SIZE;

export interface XdpBuffOptions {
  /** Bytes of metadata in front of the packet, a multiple of 4. */
  readonly metaBytes?: number;
  /** Bytes of metadata and packet that are directly accessible; the rest are fragments. */
  readonly linearBytes?: number;
  readonly ingressIfindex?: number;
  readonly rxQueueIndex?: number;
  readonly egressIfindex?: number;
}

export class XdpBuff {
  readonly memory: Memory;
  /** The context of the program. */
  readonly addr: VAddr;
  readonly #page: VAddr;
  #frags: VAddr;

  /** @param bytes metadata, then the packet */
  constructor(memory: Memory, bytes: Uint8Array, options: XdpBuffOptions = {}) {
    this.memory = memory;
    const meta = options.metaBytes ?? 0;
    const linear = Math.min(options.linearBytes ?? bytes.length, bytes.length);
    const pageBytes = Math.max(PAGE_SIZE, HEADROOM + linear + TAILROOM);
    this.addr = memory.alloc(XDP_RECORD_SIZE);
    this.#page = memory.alloc(pageBytes);
    const start = this.#page + HEADROOM - meta;
    memory.writeBytes(start, bytes.subarray(0, linear));
    const put = (off: number, value: number) => memory.writeU32(this.addr + off, value);
    put(XDP.dataMeta, start);
    put(XDP.data, start + meta);
    put(XDP.dataEnd, start + linear);
    put(XDP.hardStart, this.#page);
    put(XDP.hardEnd, this.#page + pageBytes - TAILROOM);
    put(XDP.ingressIfindex, options.ingressIfindex ?? 0);
    put(XDP.rxQueueIndex, options.rxQueueIndex ?? 0);
    put(XDP.egressIfindex, options.egressIfindex ?? 0);
    const fragBytes = bytes.length - linear;
    const cap = Math.ceil(fragBytes / PAGE_SIZE) * PAGE_SIZE;
    this.#frags = fragBytes ? memory.alloc(cap) : (0 as VAddr);
    put(XDP.frags, this.#frags);
    put(XDP.fragsLen, fragBytes);
    put(XDP.fragsCap, cap);
    if (fragBytes) memory.writeBytes(this.#frags, bytes.subarray(linear));
  }

  #get(off: number): number {
    return this.memory.readU32(this.addr + off);
  }

  get metaBytes(): number {
    return this.#get(XDP.data) - this.#get(XDP.dataMeta);
  }

  /** Directly accessible bytes, with metadata. */
  get linearBytes(): number {
    return this.#get(XDP.dataEnd) - this.#get(XDP.dataMeta);
  }

  get fragBytes(): number {
    return this.#get(XDP.fragsLen);
  }

  /** Metadata and packet, as a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    const linear = this.linearBytes;
    const out = new Uint8Array(linear + this.fragBytes);
    out.set(this.memory.u8.subarray(this.#get(XDP.dataMeta), this.#get(XDP.dataEnd)));
    if (this.fragBytes) out.set(this.memory.u8.subarray(this.#frags, this.#frags + this.fragBytes), linear);
    return out;
  }

  free(): void {
    this.memory.free(this.#frags);
    this.memory.free(this.#page);
    this.memory.free(this.addr);
  }
}
