/**
 * The JIT engine: compiles an image, puts its functions into the kernel's table, and runs it.
 *
 * Entries    a function that may be replaced is called through its slot of Memory.table, so a patch is one table store. The
 *            first patch of any other function compiles the program anew with that function behind a slot, in the slots it
 *            has; a run in progress then finishes in the old code.
 */
import { BpfError, E2BIG } from "../abi/errno.ts";
import type { EngineEnv } from "../interp/env.ts";
import type { ExecImage, FuncPatch, Runnable } from "../interp/image.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { type Compiled, compile, functionPrefix, type JitOptions, replaceableOf, subprogsWithSlot } from "./compile.ts";
import { runFault } from "./faults.ts";
import { callFunc, hookFunc, type ProgFunc } from "./hook.ts";

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
  const program = new Program(image, env, options);
  try {
    program.build(options.indirect ?? replaceableOf(image));
  } catch (error) {
    program.dispose();
    throw error;
  }
  return program;
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
  readonly slots: number[];
  readonly #image: ExecImage;
  readonly #env: EngineEnv;
  readonly #options: JitOptions;
  #indirect: ReadonlySet<number> = new Set();
  #compiled!: Compiled;
  #exports!: Exports;
  /** By subprogram with a slot: its own function, whatever the slot holds. */
  readonly #own = new Map<number, ProgFunc>();
  readonly #patches = new Map<number, FuncPatch>();
  /** Programs that call the main function of this one in place of one of theirs: told when it is patched itself. */
  readonly #followers = new Set<() => void>();
  readonly #unfollow = new Map<number, () => void>();
  #tailEntry = 0;
  #disposed = false;

  /** Nothing runs before build(). */
  constructor(image: ExecImage, env: EngineEnv, options: JitOptions) {
    this.#image = image;
    this.#env = env;
    this.#options = options;
    this.slots = image.subprogs.map(() => 0);
  }

  /** Compiles with these functions behind slots. Slots stay what they are; missing ones are taken. */
  build(indirect: ReadonlySet<number>): void {
    const { memory } = this.#env.rt;
    for (const n of subprogsWithSlot(this.#image, indirect)) this.slots[n] ||= memory.allocTableSlot();
    const compiled = compile(this.#image, this.#env, this.slots, { ...this.#options, indirect });
    this.#exports = instantiate(this.#image, compiled);
    this.#compiled = compiled;
    this.#indirect = indirect;
    // the new module has written its functions into the slots
    this.slots.forEach((slot, n) => {
      if (slot) this.#own.set(n, memory.table.get(slot) as ProgFunc);
    });
    if (this.#tailEntry) memory.table.set(this.#tailEntry, this.#own.get(0));
    for (const n of this.#patches.keys()) this.#store(n);
    for (const follow of this.#followers) follow();
  }

  get entry(): number {
    return this.slots[0];
  }

  get tailEntry(): number {
    if (this.#tailEntry === 0) {
      const { memory } = this.#env.rt;
      this.#tailEntry = memory.allocTableSlot();
      memory.table.set(this.#tailEntry, this.#own.get(0));
    }
    return this.#tailEntry;
  }

  get wasm(): Uint8Array<ArrayBuffer> {
    return this.#compiled.wasm;
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

  patch(subprog: number, patch: FuncPatch | undefined): void {
    if (patch && !this.#indirect.has(subprog)) this.build(new Set([...this.#indirect, subprog]));
    this.#unfollow.get(subprog)?.();
    this.#unfollow.delete(subprog);
    if (!patch) this.#patches.delete(subprog);
    else {
      this.#patches.set(subprog, patch);
      if ("prog" in patch) {
        const followers = (patch.prog as Program).#followers;
        const follow = () => this.#store(subprog);
        followers.add(follow);
        this.#unfollow.set(subprog, () => followers.delete(follow));
      }
    }
    this.#store(subprog);
  }

  /** Puts what a function's calls come to into its slot. */
  #store(subprog: number): void {
    const { memory } = this.#env.rt;
    memory.table.set(this.slots[subprog], this.#target(subprog));
    if (subprog === 0) for (const follow of this.#followers) follow();
  }

  #target(subprog: number): ProgFunc | undefined {
    const own = this.#own.get(subprog);
    const patch = this.#patches.get(subprog);
    if (!patch) return own;
    const { table } = this.#env.rt.memory;
    if ("prog" in patch) return table.get(patch.prog.entry) as ProgFunc;
    return hookFunc((fp, args) => patch.hook(args, (changed) => callFunc(own as ProgFunc, fp, changed)));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { memory } = this.#env.rt;
    for (const stop of this.#unfollow.values()) stop();
    for (const slot of [...this.slots, this.#tailEntry]) if (slot) memory.freeTableSlot(slot);
  }
}
