/**
 * The ring behind one slot of a PERF_EVENT_ARRAY: what perf_event_open() and mmap() give on Linux. Its address is the
 * slot's first word. Layout in assembly/maps/perf_event_array.ts.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Memory, VAddr } from "../memory/memory.ts";
import { PERF_RING, RING_PAGE } from "./record.ts";

const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;

export interface PerfSample {
  /** The raw bytes, with perf's padding to 8 that counts the 4 bytes of size. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Samples dropped just before this one for want of room. */
  readonly lost: number;
}

export class PerfRing {
  readonly memory: Memory;
  readonly cpu: number;
  readonly addr: VAddr;

  /** @param pages Data pages, a power of two. */
  constructor(memory: Memory, cpu: number, pages: number) {
    if (pages < 1 || (pages & (pages - 1)) !== 0) {
      throw new BpfError(EINVAL, `perf ring of ${pages} pages, wanted a power of two`, { pages });
    }
    this.memory = memory;
    this.cpu = cpu;
    this.addr = memory.alloc(PERF_RING.data + pages * RING_PAGE);
    memory.writeU32(this.addr + PERF_RING.cpu, cpu);
    memory.writeU32(this.addr + PERF_RING.mask, pages * RING_PAGE - 1);
  }

  /** Samples dropped since the ring was made. */
  get lostTotal(): number {
    return Number(this.memory.readU64(this.addr + PERF_RING.lostTotal));
  }

  /** Takes up to max samples, oldest first. */
  read(max = Number.POSITIVE_INFINITY): PerfSample[] {
    const { memory, addr } = this;
    const out: PerfSample[] = [];
    let lost = 0;
    let tail = memory.readU64(addr + PERF_RING.tail);
    while (out.length < max && tail < memory.readU64(addr + PERF_RING.head)) {
      const header = this.#bytes(tail, 8);
      const type = header.getUint32(0, true);
      const size = header.getUint16(6, true);
      if (type === PERF_RECORD_LOST) {
        lost += Number(this.#bytes(tail, size).getBigUint64(16, true));
      } else if (type === PERF_RECORD_SAMPLE) {
        const record = this.#bytes(tail, size);
        const data = new Uint8Array(record.buffer as ArrayBuffer, 12, record.getUint32(8, true));
        out.push({ data, lost });
        lost = 0;
      }
      tail += BigInt(size);
    }
    memory.writeU64(addr + PERF_RING.tail, tail);
    return out;
  }

  free(): void {
    this.memory.free(this.addr);
  }

  #bytes(at: bigint, size: number): DataView {
    const { memory, addr } = this;
    const mask = memory.readU32(addr + PERF_RING.mask);
    const off = Number(at & 0xffffffffn) & mask;
    const first = Math.min(size, mask + 1 - off);
    const out = new Uint8Array(size);
    out.set(memory.u8.subarray(addr + PERF_RING.data + off, addr + PERF_RING.data + off + first));
    out.set(memory.u8.subarray(addr + PERF_RING.data, addr + PERF_RING.data + size - first), first);
    return new DataView(out.buffer);
  }
}
