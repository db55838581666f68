/** JavaScript in the place of a program function: a function of the table that hands r1..r5 out and takes r0 back. */
import { ModuleBuilder } from "../wasm/module.ts";
import { PROG_PARAMS, PROG_RESULTS } from "./func.ts";

/** A program function as JavaScript calls it. */
export type ProgFunc = (fp: number, r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint) => bigint;

/** What only a WebAssembly function can be, in a table: an import that is exported again. */
export function hookFunc(body: (fp: number, args: readonly bigint[]) => bigint): ProgFunc {
  const m = new ModuleBuilder();
  m.export("hook", "func", m.importFunc("env", "hook", m.type(PROG_PARAMS, PROG_RESULTS)));
  const hook = (fp: number, ...args: bigint[]): bigint =>
    BigInt.asIntN(
      64,
      body(
        fp,
        args.map((a) => BigInt.asUintN(64, a)),
      ),
    );
  const module = new WebAssembly.Module(m.finish().bytes);
  return new WebAssembly.Instance(module, { env: { hook } }).exports["hook"] as unknown as ProgFunc;
}

/** Calls a program function on a frame that starts at fp. */
export function callFunc(func: ProgFunc, fp: number, args: readonly bigint[]): bigint {
  const [r1 = 0n, r2 = 0n, r3 = 0n, r4 = 0n, r5 = 0n] = args.map((a) => BigInt.asIntN(64, a));
  return BigInt.asUintN(64, func(fp, r1, r2, r3, r4, r5));
}
