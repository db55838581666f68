/**
 * Calls a helper body with the registers of an activation, by the letters of Helper.abi (docs/ARCHITECTURE.md).
 */
import type { Helper, Runtime } from "../helpers/helper.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";

/** @param state address of the registers: reads r1 .. r5, writes r0 */
export type BoundHelper = (state: number) => void;

type CoreFunction = (...args: (number | bigint)[]) => number | bigint | undefined;

/** A body as a function of the registers. What has no body at all says so when it is called. */
export function bindHelper(helper: Helper, rt: Runtime): BoundHelper {
  const { memory } = rt;
  const [args, result] = helper.abi.split(":");
  if (helper.unsupported) {
    // NULL where a pointer is promised: programs must check for it, never for an errno.
    const value = result === "p" ? 0n : BigInt(-helper.unsupported.errno);
    return (state) => memory.view.setBigInt64(state, value, true);
  }
  if (helper.core !== undefined) {
    const body = memory.exports<Record<string, CoreFunction | undefined>>()[helper.core];
    if (!body) throw new Error(`helper ${helper.name}: core.wasm exports no ${helper.core}`);
    return (state) => {
      const { view } = memory;
      const list: (number | bigint)[] = [];
      for (let i = 0; i < args.length; i++) {
        const at = state + 8 * (i + 1);
        list.push(args[i] === "q" ? view.getBigInt64(at, true) : view.getInt32(at, true));
      }
      const r = body(...list);
      // the body may have grown the memory
      if (typeof r === "bigint") memory.view.setBigInt64(state, r, true);
      else putResult(memory.view, state, result, r ?? 0, 0);
    };
  }
  const { call } = helper;
  if (!call) {
    return () => {
      throw new Error(`helper ${helper.name} has no body`);
    };
  }
  return (state) => {
    const { view } = memory;
    const list: number[] = [];
    for (let i = 0; i < args.length; i++) {
      const at = state + 8 * (i + 1);
      list.push(view.getUint32(at, true));
      if (args[i] === "q") list.push(view.getUint32(at + 4, true));
    }
    const r = call(rt, ...list);
    const hi = result === "q" ? memory.view.getUint32(rt.cpuCtx + CPU_CTX.retHi, true) : 0;
    putResult(memory.view, state, result, r, hi);
  };
}

function putResult(view: DataView, state: number, letter: string, lo: number, hi: number): void {
  view.setInt32(state, letter === "v" ? 0 : lo, true);
  view.setInt32(state + 4, letter === "q" ? hi : letter === "i" ? lo >> 31 : 0, true);
}
