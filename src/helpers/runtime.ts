/** Small things that many helper bodies need of their Runtime. */
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { Runtime } from "./helper.ts";

/** The value of a "q" result: the low half returned, the high half in the CPU's context record. */
export function ret64(rt: Runtime, lo: number, hi: number): number {
  rt.memory.writeU32(rt.cpuCtx + CPU_CTX.retHi, hi);
  return lo;
}

export function retBig(rt: Runtime, value: bigint): number {
  return ret64(rt, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
}

export function big(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
