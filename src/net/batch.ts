/**
 * Many packets through one program, fast: the loop over a chunk of packets runs inside WebAssembly (assembly/net/batch.ts),
 * and one area of linear memory is used again for every chunk, so memory stays flat however long the capture is.
 *
 *     const batch = openBatch(kernel, prog, { onResult });
 *     for (const packet of packets) batch.add(packet);
 *     batch.close();
 *
 * Results   come in the order of the packets, at the latest in flush(). `packet` is a view that is valid during the call.
 * Engines   the interpreter has no function table: it runs packet by packet, with the same results.
 * Faults    a run that traps throws RunFault with the packet's index in its message; the packets before it were reported.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import { HEADROOM, SKB, SKB_RECORD_SIZE, TAILROOM, XDP, XDP_RECORD_SIZE } from "../helpers/packet_layout.ts";
import { type EngineName, RunFault } from "../interp/image.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Prog } from "../kernel/prog.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { VAddr } from "../memory/memory.ts";
import { type Redirect, readRedirect } from "./redirect.ts";
import { macNumber, Skb } from "./skb.ts";

export interface BatchOptions {
  readonly engine?: EngineName;
  /** Device that the packets arrive on; default 1. */
  readonly ifindex?: number;
  readonly mac?: Uint8Array;
  readonly onResult?: (result: BatchPacket) => void;
  /** Packets per chunk; default 512. */
  readonly chunkPackets?: number;
  /** Called after each chunk, for events of the programs. */
  readonly onChunk?: () => void;
}

export interface BatchPacket {
  /** Counts from 0 over the whole batch. */
  readonly index: number;
  /** r0 as a u32. */
  readonly verdict: number;
  /** The packet now; valid during the call. */
  readonly packet: Uint8Array;
  readonly redirect: Omit<Redirect, "index">;
}

interface BatchExports {
  xdp_batch(
    entry: number,
    ctx: number,
    packets: number,
    n: number,
    results: number,
    counts: number,
    progress: number,
  ): void;
  skb_batch(
    entries: number,
    nEntries: number,
    skb: number,
    template: number,
    mac: bigint,
    l2: number,
    packets: number,
    n: number,
    results: number,
    counts: number,
    progress: number,
  ): void;
}

const PACKET_SIZE = 16;
const RESULT_SIZE = 32;
/** Verdicts 0 .. 7, and one slot for all others. */
const COUNTS = 9;
const CHUNK_PACKETS = 512;
/** Packet bytes of a chunk; a longer packet gets a chunk of its own. */
const CHUNK_BYTES = 1 << 20;
const MIN_PACKET = 14;

const SKB_TYPES: ReadonlyMap<number, { l2: boolean }> = new Map([
  [abi.BPF_PROG_TYPE_SCHED_CLS, { l2: true }],
  [abi.BPF_PROG_TYPE_SCHED_ACT, { l2: true }],
  [abi.BPF_PROG_TYPE_SOCKET_FILTER, { l2: true }],
  [abi.BPF_PROG_TYPE_CGROUP_SKB, { l2: false }],
  [abi.BPF_PROG_TYPE_LWT_IN, { l2: false }],
  [abi.BPF_PROG_TYPE_LWT_OUT, { l2: false }],
  [abi.BPF_PROG_TYPE_LWT_XMIT, { l2: false }],
]);

/** @throws EINVAL a program type that sees no packets */
export function openBatch(kernel: Kernel, progs: Prog | readonly Prog[], options: BatchOptions = {}): Batch {
  return new Batch(kernel, Array.isArray(progs) ? progs : [progs as Prog], options);
}

export class Batch {
  readonly #kernel: Kernel;
  readonly #progs: readonly Prog[];
  readonly #options: BatchOptions;
  readonly #engine: EngineName;
  readonly #xdp: boolean;
  readonly #l2: boolean;
  readonly #chunk: number;
  /** One allocation: [packet entries | results | counts, progress, program entries | context | template]. */
  readonly #tables: VAddr;
  readonly #results: number;
  readonly #counts: number;
  readonly #progress: number;
  readonly #entries: number;
  readonly #ctx: number;
  readonly #template: number;
  #area: VAddr;
  #areaBytes: number;
  #used = 0;
  #queued = 0;
  #done = 0;
  #closed = false;

  constructor(kernel: Kernel, progs: readonly Prog[], options: BatchOptions) {
    const [first] = progs;
    if (!first) throw new BpfError(EINVAL, "a batch without a program", {});
    this.#xdp = first.type === abi.BPF_PROG_TYPE_XDP;
    const skbType = SKB_TYPES.get(first.type);
    if (!this.#xdp && !skbType) {
      throw new BpfError(EINVAL, `program '${first.name}' of type ${first.type} sees no packets`, { type: first.type });
    }
    if (this.#xdp && progs.length > 1) throw new BpfError(EINVAL, "one XDP program at a time", {});
    this.#l2 = skbType?.l2 ?? true;
    this.#kernel = kernel;
    this.#progs = progs.map((p) => p.get());
    this.#options = options;
    this.#engine = options.engine ?? kernel.engine;
    this.#chunk = options.chunkPackets ?? CHUNK_PACKETS;
    const { memory } = kernel;
    const tableBytes = this.#chunk * (PACKET_SIZE + RESULT_SIZE) + (COUNTS + 1 + progs.length) * 4;
    this.#tables = memory.alloc(tableBytes + 16 + XDP_RECORD_SIZE + 2 * SKB_RECORD_SIZE);
    this.#results = this.#tables + this.#chunk * PACKET_SIZE;
    this.#counts = this.#results + this.#chunk * RESULT_SIZE;
    this.#progress = this.#counts + COUNTS * 4;
    this.#entries = this.#progress + 4;
    this.#ctx = (this.#entries + progs.length * 4 + 15) & ~15;
    this.#template = this.#ctx + Math.max(XDP_RECORD_SIZE, SKB_RECORD_SIZE);
    this.#areaBytes = CHUNK_BYTES;
    this.#area = memory.alloc(this.#areaBytes);
    const ifindex = options.ifindex ?? 1;
    if (this.#xdp) memory.writeU32(this.#ctx + XDP.ingressIfindex, ifindex);
    else {
      memory.writeU32(this.#template + SKB.ifindex, ifindex);
      memory.writeU32(this.#template + SKB.ingressIfindex, ifindex);
    }
    if (this.#engine === "jit") {
      this.#progs.forEach((p, i) => {
        memory.writeU32(this.#entries + 4 * i, p.runnable("jit").entry);
      });
    }
  }

  /** Runs so far, by verdict: 0 .. 7, then all others. */
  get counts(): readonly number[] {
    const { memory } = this.#kernel;
    return Array.from({ length: COUNTS }, (_, i) => memory.readU32(this.#counts + 4 * i));
  }

  /** The packet that runs now, or ran last: its index among those added since the last flush. */
  get running(): number {
    return this.#kernel.memory.readU32(this.#progress);
  }

  /** Copies the packet in. @throws EINVAL shorter than an Ethernet header */
  add(packet: Uint8Array): void {
    const { memory } = this.#kernel;
    const n = packet.length;
    if (n < MIN_PACKET) {
      throw new BpfError(
        EINVAL,
        `packet ${this.#done + this.#queued} has ${n} bytes; wanted at least ${MIN_PACKET}`,
        {},
      );
    }
    const slot = (HEADROOM + n + TAILROOM + 15) & ~15;
    if (this.#queued === this.#chunk || this.#used + slot > this.#areaBytes) this.flush();
    if (slot > this.#areaBytes) this.#growArea(slot);
    const at = this.#area + this.#used + HEADROOM;
    memory.u8.set(packet, at);
    const words = memory.i32;
    const entry = (this.#tables + this.#queued * PACKET_SIZE) >> 2;
    words[entry] = at;
    words[entry + 1] = n;
    words[entry + 2] = this.#area + this.#used + slot;
    words[entry + 3] = 0;
    this.#used += slot;
    this.#queued++;
  }

  #growArea(bytes: number): void {
    const { memory } = this.#kernel;
    memory.free(this.#area);
    this.#area = memory.alloc(bytes);
    this.#areaBytes = bytes;
  }

  /** Runs what is queued and reports it. */
  flush(): void {
    const n = this.#queued;
    if (n === 0) return;
    this.#queued = 0;
    this.#used = 0;
    const start = performance.now();
    let ran = n;
    let fault: unknown;
    try {
      this.#kernel.running(() => (this.#engine === "jit" ? this.#runJit(n) : this.#runInterp(n)));
    } catch (error) {
      ran = this.#kernel.memory.readU32(this.#progress);
      fault = this.#named(error);
    }
    for (const prog of this.#progs) prog.countRuns(ran, (performance.now() - start) / this.#progs.length);
    this.#report(ran);
    this.#done += ran;
    this.#options.onChunk?.();
    if (fault !== undefined) {
      throw new RunFault(`packet ${this.#done}: ${(fault as Error).message}`, (fault as RunFault).insnIdx, fault);
    }
  }

  /** The error with the instruction that trapped, when one of the programs knows it. */
  #named(error: unknown): unknown {
    for (const prog of this.#progs) {
      const fault = prog.runnable(this.#engine).faultOf?.(error);
      if (fault instanceof RunFault && fault.insnIdx !== undefined) return fault;
    }
    return error;
  }

  #runJit(n: number): void {
    const { memory } = this.#kernel;
    const core = memory.exports<BatchExports>();
    const stackTop = memory.readU32(memory.cpuCtx + CPU_CTX.stackTop);
    try {
      if (this.#xdp) {
        const entry = memory.readU32(this.#entries);
        core.xdp_batch(entry, this.#ctx, this.#tables, n, this.#results, this.#counts, this.#progress);
      } else {
        core.skb_batch(
          this.#entries,
          this.#progs.length,
          this.#ctx,
          this.#template,
          macNumber(this.#options.mac),
          this.#l2 ? 1 : 0,
          this.#tables,
          n,
          this.#results,
          this.#counts,
          this.#progress,
        );
      }
    } finally {
      // A trap leaves the batch in the middle.
      memory.writeU32(memory.cpuCtx + CPU_CTX.stackTop, stackTop);
    }
  }

  #runInterp(n: number): void {
    const { memory } = this.#kernel;
    for (let i = 0; i < n; i++) {
      memory.writeU32(this.#progress, i);
      const entry = this.#tables + i * PACKET_SIZE;
      const at = memory.readU32(entry);
      const len = memory.readU32(entry + 4);
      memory.writeU32(memory.cpuCtx + CPU_CTX.redirectKind, 0);
      if (this.#xdp) this.#interpXdp(i, at, len, memory.readU32(entry + 8));
      else this.#interpSkb(i, at, len);
    }
  }

  #interpXdp(i: number, at: number, len: number, end: number): void {
    const { memory } = this.#kernel;
    const put = (off: number, value: number) => memory.writeU32(this.#ctx + off, value);
    memory.fill(at - HEADROOM, 0, HEADROOM);
    put(XDP.data, at);
    put(XDP.dataEnd, at + len);
    put(XDP.dataMeta, at);
    put(XDP.hardStart, at - HEADROOM);
    put(XDP.hardEnd, end);
    put(XDP.fragsLen, 0);
    const verdict = this.#progs[0]!.run(this.#ctx, this.#engine);
    const now = memory.readU32(this.#ctx + XDP.data);
    this.#putResult(i, verdict, now, memory.readU32(this.#ctx + XDP.dataEnd) - now, readRedirect(memory).flags);
  }

  #interpSkb(i: number, at: number, len: number): void {
    const { memory } = this.#kernel;
    const ifindex = memory.readU32(this.#template + SKB.ifindex);
    const skb = new Skb(memory, memory.readBytes(at, len), {
      ifindex,
      ingressIfindex: ifindex,
      ...(this.#options.mac ? { mac: this.#options.mac } : {}),
      untag: true,
      l2: this.#l2,
      headroom: HEADROOM,
      wireLen: true,
    });
    try {
      let verdict = 0xffffffff;
      for (const prog of this.#progs) {
        verdict = prog.run(skb.addr, this.#engine);
        if (verdict !== 0xffffffff) break;
      }
      // The result is the caller's to free, as with the JIT.
      const frame = skb.frame();
      const copy = memory.alloc(frame.length);
      memory.writeBytes(copy, frame);
      this.#putResult(i, verdict, copy, frame.length, copy);
    } finally {
      skb.free();
    }
  }

  #putResult(i: number, verdict: number, data: number, len: number, last: number): void {
    const { memory } = this.#kernel;
    const at = this.#results + i * RESULT_SIZE;
    const { kind, ifindex, map, target } = readRedirect(memory);
    [verdict, data, len, kind, ifindex, map, target, last].forEach((word, n) => {
      memory.writeU32(at + 4 * n, word);
    });
    const count = this.#counts + 4 * Math.min(verdict, COUNTS - 1);
    memory.writeU32(count, memory.readU32(count) + 1);
  }

  #report(n: number): void {
    const { memory } = this.#kernel;
    const { onResult } = this.#options;
    if (!onResult && this.#xdp) return;
    for (let i = 0; i < n; i++) {
      const at = (this.#results + i * RESULT_SIZE) >> 2;
      const words = memory.i32;
      const last = words[at + 7]! >>> 0;
      if (onResult) {
        const data = words[at + 1]! >>> 0;
        onResult({
          index: this.#done + i,
          verdict: words[at]! >>> 0,
          packet: memory.u8.subarray(data, data + words[at + 2]!),
          redirect: {
            kind: words[at + 3]!,
            ifindex: words[at + 4]!,
            map: words[at + 5]! >>> 0,
            target: words[at + 6]! >>> 0,
            flags: this.#xdp ? last : 0,
          },
        });
      }
      if (!this.#xdp && last) memory.free(last as VAddr);
    }
  }

  /** Runs what is queued and gives the memory back. */
  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
    } finally {
      this.#closed = true;
      this.#kernel.memory.free(this.#tables);
      this.#kernel.memory.free(this.#area);
      for (const prog of this.#progs) prog.put();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
