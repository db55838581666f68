/**
 * interp.wasm over one kernel's memory, and the pool of its activation states. Shared by all programs of a Memory and
 * emptied when the last of them is disposed of.
 */
import { INTERP_WASM } from "../generated/interp_wasm.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { Memory, VAddr } from "../memory/memory.ts";
import { type InterpExports, STATE_BYTES } from "./state.ts";

/** The program is about to access memory. */
export type AccessHook = (addr: number, size: number, write: boolean) => void;

let compiled: WebAssembly.Module | undefined;

/** interp.wasm is the same for every kernel, so it is compiled once. */
function interpModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(INTERP_WASM), (c) => c.charCodeAt(0)));
  return compiled;
}

export class Machine {
  readonly memory: Memory;
  readonly exports: InterpExports;
  /** CPU_CTX.stackTop of this CPU while nothing runs. */
  readonly stackBase: number;
  /** Asked by stepping runs whose state has `watch` set. */
  onAccess: AccessHook | undefined;
  readonly #free: VAddr[] = [];
  #programs = 0;

  constructor(memory: Memory) {
    this.memory = memory;
    const on_access = (addr: number, size: number, write: number) => this.onAccess?.(addr >>> 0, size, write !== 0);
    const instance = new WebAssembly.Instance(interpModule(), { env: { ...memory.env, on_access } });
    this.stackBase = memory.readU32(memory.cpuCtx + CPU_CTX.stackTop);
    this.exports = instance.exports as unknown as InterpExports;
  }

  addProgram(): void {
    this.#programs++;
  }

  removeProgram(): void {
    if (--this.#programs > 0) return;
    for (const state of this.#free.splice(0)) this.memory.free(state);
  }

  takeState(): VAddr {
    return this.#free.pop() ?? this.memory.alloc(STATE_BYTES);
  }

  giveState(state: VAddr): void {
    if (this.#programs > 0) this.#free.push(state);
    else this.memory.free(state);
  }
}

const machines = new WeakMap<Memory, Machine>();

export function machineOf(memory: Memory): Machine {
  let m = machines.get(memory);
  if (!m) machines.set(memory, (m = new Machine(memory)));
  return m;
}
