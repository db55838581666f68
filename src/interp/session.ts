/**
 * A run under control: step, stop at breakpoints, look at registers and memory, change registers.
 *
 *     using session = interp.debug(ctx);
 *     session.breakpoints.add(12);
 *     while (session.run() !== "exit") console.log(session.pc, session.regs);
 *
 * Callbacks that a helper makes run to their end inside the step that calls the helper.
 */

import { INSN_SIZE, MAX_BPF_REG } from "../isa/opcodes.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { VAddr } from "../memory/memory.ts";
import { RunFault } from "./image.ts";
import type { Activation, Interp } from "./interp.ts";
import { FRAME, ST, WHY, type Why } from "./state.ts";

export type Stop = "step" | "break" | "exit";

/** One frame, innermost first. */
export interface FrameInfo {
  readonly subprog: string;
  /** Slot that runs next; in a caller, the one after the call. */
  readonly pc: number;
  readonly fp: number;
}

export class Session implements Disposable {
  /** Slots to stop before. */
  readonly breakpoints = new Set<number>();
  readonly #act: Activation;
  readonly #state: VAddr;
  readonly #stackTop: number;
  readonly #outer: Interp["env"]["current"];
  #done = false;
  #closed = false;

  constructor(prog: Interp, ctx: number) {
    const { rt } = prog.env;
    this.#state = prog.machine.takeState();
    this.#act = { state: this.#state, prog };
    this.#outer = prog.env.current;
    this.#stackTop = rt.memory.readU32(rt.cpuCtx + CPU_CTX.stackTop);
    rt.memory.writeU32(rt.cpuCtx + CPU_CTX.tailCalls, 0);
    prog.env.current = prog;
    prog.begin(this.#state, 0, this.#stackTop, [ctx]);
  }

  /** The program that runs: another one after a tail call. */
  get prog(): Interp {
    return this.#act.prog;
  }

  /** Slot of the next instruction. */
  get pc(): number {
    return this.prog.slotOf(this.#state);
  }

  /** r0 .. r10. */
  get regs(): bigint[] {
    const { memory } = this.prog.env.rt;
    return Array.from({ length: MAX_BPF_REG }, (_, r) => memory.readU64(this.#state + 8 * r));
  }

  setReg(reg: number, value: bigint): void {
    if (!(reg >= 0 && reg < MAX_BPF_REG)) throw new RangeError(`register r${reg}, wanted r0..r10`);
    this.prog.env.rt.memory.writeU64(this.#state + 8 * reg, BigInt.asUintN(64, value));
  }

  get frames(): FrameInfo[] {
    const { memory } = this.prog.env.rt;
    const { insnsAddr, image } = this.prog;
    const info = (pc: number, fp: number): FrameInfo => {
      const slot = (pc - insnsAddr) / INSN_SIZE;
      return { subprog: image.subprogs.findLast((s) => s.start <= slot)?.name ?? image.name, pc: slot, fp };
    };
    const out = [info(memory.readU32(this.#state + ST.pc), memory.readU32(this.#state + 80))];
    for (let n = memory.readU32(this.#state + ST.frames) - 1; n >= 0; n--) {
      const frame = this.#state + ST.frame + n * FRAME.size;
      out.push(info(memory.readU32(frame + FRAME.pc), memory.readU32(frame + FRAME.regs + 72)));
    }
    return out;
  }

  /** Executes `count` instructions. @throws RunFault */
  step(count = 1): Stop {
    return this.#go(count);
  }

  /** Runs to the next breakpoint or the end. @throws RunFault */
  run(): Stop {
    for (;;) {
      const stop = this.#go(0xffffffff);
      if (stop !== "step") return stop;
    }
  }

  /** r0, once run() or step() said "exit". */
  get result(): bigint {
    return this.prog.env.rt.memory.readU64(this.#state);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { env, machine } = this.prog;
    env.current = this.#outer;
    env.rt.memory.writeU32(env.rt.cpuCtx + CPU_CTX.stackTop, this.#stackTop);
    machine.giveState(this.#state);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #go(steps: number): Stop {
    if (this.#closed || this.#done) throw new RunFault(`${this.prog.image.name}: the run has ended`);
    const { memory } = this.prog.env.rt;
    memory.writeU32(this.#state + ST.steps, steps);
    memory.writeU32(this.#state + ST.pass, 1);
    for (;;) {
      const act = this.#act;
      act.prog.instrument(this.#state, this.breakpoints);
      let why: Why;
      try {
        why = act.prog.stepping(() => act.prog.machine.exports.interp_step(this.#state));
        if (act.prog.serve(act, why)) {
          this.#done = true;
          return "exit";
        }
      } catch (error) {
        this.#done = true;
        throw error;
      }
      if (why === WHY.step) return "step";
      if (why === WHY.break) return "break";
      // what a helper call left of the steps; the next instruction may have a breakpoint
      memory.writeU32(this.#state + ST.pass, 0);
      if (memory.readU32(this.#state + ST.steps) === 0) return "step";
    }
  }
}
