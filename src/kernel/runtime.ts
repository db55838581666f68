/**
 * The Runtime that helper bodies get: one CPU of one kernel, and the services that subsystems register.
 */
import type { Runtime, RuntimeServices } from "../helpers/helper.ts";
import { SKB } from "../helpers/packet_layout.ts";
import type { EngineEnv } from "../interp/env.ts";
import type { Runnable } from "../interp/image.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { Memory, VAddr } from "../memory/memory.ts";

interface RuntimeSources {
  /** Nanoseconds since boot. */
  readonly monotonicNs: () => bigint;
  /** A u32. */
  readonly random: () => number;
  readonly printk: (line: string) => void;
  readonly services: RuntimeServices;
  /** The program behind a prog array's slot. */
  readonly resolveTailCall: (mapAddr: number, index: number) => Runnable | undefined;
}

export class CpuRuntime implements Runtime {
  readonly memory: Memory;
  readonly cpuCtx: VAddr;
  readonly nCpus: number;
  readonly services: RuntimeServices;
  readonly env: EngineEnv;
  readonly #sources: RuntimeSources;

  constructor(memory: Memory, sources: RuntimeSources) {
    this.memory = memory;
    this.cpuCtx = memory.cpuCtx;
    this.nCpus = memory.cpus;
    this.services = sources.services;
    this.#sources = sources;
    this.env = {
      rt: this,
      resolveTailCall: sources.resolveTailCall,
      packetLoad: (ctx, off, size) => packetLoad(memory, ctx, off, size),
      current: undefined,
    };
  }

  ktimeNs(): { lo: number; hi: number } {
    const ns = this.#sources.monotonicNs();
    return { lo: Number(ns & 0xffffffffn), hi: Number((ns >> 32n) & 0xffffffffn) };
  }

  random32(): number {
    return this.#sources.random() | 0;
  }

  printk(line: string): void {
    this.#sources.printk(line);
  }

  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number {
    const current = this.env.current;
    if (current) return current.callback(fn, a1, a2, a3, a4, a5);
    return this.#callTable(fn, a1, a2, a3, a4, a5);
  }

  /** A batch runs inside WebAssembly and no Runnable knows: fn is an index of the function table. */
  #callTable(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number {
    const f = this.memory.table.get(fn) as (fp: number, ...args: bigint[]) => bigint;
    const fp = this.memory.readU32(this.cpuCtx + CPU_CTX.framePtr) - CALLER_FRAME;
    const u64 = (n: number) => BigInt(n >>> 0);
    return Number(BigInt.asIntN(32, f(fp, u64(a1), u64(a2), u64(a3), u64(a4), u64(a5))));
  }
}

/** The caller's frame is at most this long. */
const CALLER_FRAME = 512;

const SKF_NET_OFF = -0x100000;
const SKF_LL_OFF = -0x200000;

/** BPF_LD_ABS and BPF_LD_IND: negative offsets count from the network or the mac header (SKF_NET_OFF, SKF_LL_OFF). */
function packetLoad(mem: Memory, ctx: number, off: number, size: number): number {
  let at: number;
  if (off >= 0) at = mem.readU32(ctx + SKB.data) + off;
  else if (off >= SKF_NET_OFF) at = mem.readU32(ctx + SKB.networkHeader) + off - SKF_NET_OFF;
  else if (off >= SKF_LL_OFF) at = mem.readU32(ctx + SKB.macHeader) + off - SKF_LL_OFF;
  else return -1;
  const low = off >= 0 ? mem.readU32(ctx + SKB.data) : mem.readU32(ctx + SKB.head);
  if (at < low || at + size > mem.readU32(ctx + SKB.dataEnd)) return -1;
  if (size === 1) return mem.readU8(at);
  return size === 2 ? mem.view.getUint16(at) : mem.view.getUint32(at);
}
