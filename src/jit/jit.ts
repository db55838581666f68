/**
 * The JIT engine: compiles an image, puts its functions into the kernel's table, and runs it.
 */
import { BpfError, E2BIG } from "../abi/errno.ts";
import type { EngineEnv } from "../interp/env.ts";
import type { ExecImage, Runnable } from "../interp/image.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { type Compiled, compile, functionPrefix, type JitOptions, subprogsWithSlot } from "./compile.ts";
import { runFault } from "./faults.ts";

export type { JitOptions } from "./compile.ts";

interface Exports {
  run(ctx: number, repeat: number): number;
  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number;
}

/** A compiled program. Its functions stay in the table until dispose(). */
export interface JitProgram extends Runnable {
  readonly engine: "jit";
  /** The module, for golden tests and for people who look. */
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** By subprogram: its index in Memory.table; 0 = it is only called directly. */
  readonly slots: readonly number[];
  /** Runs `repeat` times inside WebAssembly; the low half of the last r0. */
  runRepeat(ctx: number, repeat: number): number;
  faultOf(error: unknown): unknown;
}

/** @throws BpfError E2BIG when the engine refuses the module for its size */
export function jit(image: ExecImage, env: EngineEnv, options: JitOptions = {}): JitProgram {
  const { memory } = env.rt;
  const wanted = subprogsWithSlot(image, options.indirect ?? new Set());
  const slots = image.subprogs.map((_, n) => (wanted.has(n) ? memory.allocTableSlot() : 0));
  try {
    const compiled = compile(image, env, slots, options);
    return new Program(image, env, slots, compiled, instantiate(image, compiled));
  } catch (error) {
    for (const slot of slots) if (slot) memory.freeTableSlot(slot);
    throw error;
  }
}

function instantiate(image: ExecImage, { wasm, imports }: Compiled): Exports {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(wasm);
  } catch (error) {
    // what we emit is valid; V8 and others refuse functions above about 7 MB
    if (wasm.length < 1 << 20) throw error;
    throw new BpfError(
      E2BIG,
      `${image.name}: ${wasm.length} bytes of WebAssembly are too much for this engine`,
      {},
      error,
    );
  }
  return new WebAssembly.Instance(module, { env: imports }).exports as unknown as Exports;
}

class Program implements JitProgram {
  readonly engine = "jit";
  readonly entry: number;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly slots: readonly number[];
  readonly #image: ExecImage;
  readonly #env: EngineEnv;
  readonly #compiled: Compiled;
  readonly #exports: Exports;
  #disposed = false;

  constructor(image: ExecImage, env: EngineEnv, slots: readonly number[], compiled: Compiled, exports: Exports) {
    this.#image = image;
    this.#env = env;
    this.#compiled = compiled;
    this.#exports = exports;
    this.slots = slots;
    this.wasm = compiled.wasm;
    this.entry = slots[0];
  }

  run(ctx: number): number {
    return this.runRepeat(ctx, 1);
  }

  runRepeat(ctx: number, repeat: number): number {
    const env = this.#env;
    const outer = env.current;
    const { i32 } = env.rt.memory;
    const record = env.rt.cpuCtx >> 2;
    const stackTop = i32[record + CPU_CTX.stackTop / 4];
    const tailCalls = i32[record + CPU_CTX.tailCalls / 4];
    env.current = this;
    try {
      return this.#exports.run(ctx, repeat) >>> 0;
    } catch (error) {
      throw this.#stopped(error, stackTop, tailCalls);
    } finally {
      env.current = outer;
    }
  }

  /** A trap left the CPU's record as it was in the middle of the run. */
  #stopped(error: unknown, stackTop: number, tailCalls: number): unknown {
    const { memory, cpuCtx } = this.#env.rt;
    const fault = this.faultOf(error);
    memory.writeU32(cpuCtx + CPU_CTX.stackTop, stackTop);
    memory.writeU32(cpuCtx + CPU_CTX.tailCalls, tailCalls);
    memory.writeU32(cpuCtx + CPU_CTX.fault, 0);
    return fault;
  }

  faultOf(error: unknown): unknown {
    const { memory, cpuCtx } = this.#env.rt;
    const fault = memory.readU32(cpuCtx + CPU_CTX.fault);
    return runFault(error, fault, this.#image.name, functionPrefix(this.#image), this.#compiled.sourceMap);
  }

  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number {
    return this.#exports.callback(fn, a1, a2, a3, a4, a5) >>> 0;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const slot of this.slots) if (slot) this.#env.rt.memory.freeTableSlot(slot);
  }
}
