/**
 * The reference interpreter: loadInterp() makes an ExecImage runnable.
 *
 * interp.wasm executes instructions; it comes back for what only the kernel can do, and this driver serves it: helper and
 * kfunc calls, tail calls, legacy packet loads, faults. Each run and each callback is an activation with its own
 * registers and frames.
 *
 * Function pointers are FUNC_BASE + subprogram number. A tail call replaces the running program; in a subprogram it runs in the
 * place of that frame, as Linux's does. CPU_CTX.stackTop is moved below the running frame while a helper runs.
 */
import { BPF_FUNC_tail_call } from "../abi/bpf.ts";
import type { Helper } from "../helpers/helper.ts";
import { BPF_X, INSN_SIZE } from "../isa/opcodes.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { type Memory, STACK_BYTES, type VAddr } from "../memory/memory.ts";
import { type EngineEnv, MAX_BPF_STACK, MAX_CALL_FRAMES, MAX_TAIL_CALL_CNT } from "./env.ts";
import { type BoundHelper, bindHelper } from "./helper_call.ts";
import { type ExecImage, type ExecSubprog, type FuncPatch, RunFault, type Runnable } from "./image.ts";
import { type AccessHook, type Machine, machineOf } from "./machine.ts";
import { Session } from "./session.ts";
import { DEPTH_PATCHED, MAY_GOTO_MAX, ST, WHY, type Why } from "./state.ts";
import { FUNC_BASE, translate } from "./translate.ts";

/** @throws BpfError EINVAL for a jump or call that leaves the program, ENOMEM */
export function loadInterp(image: ExecImage, env: EngineEnv): Interp {
  return new Interp(image, env);
}

/** A run or callback in progress: which program executes on which state. */
export interface Activation {
  readonly state: VAddr;
  prog: Interp;
}

/** Of unbounded images: years of back edges. A number, since BigInts cost more than short programs. */
const FUEL_MAX = 2 ** 53;

const FAULTS: Readonly<Partial<Record<Why, string>>> = {
  [WHY.noFuel]: "out of fuel",
  [WHY.badInsn]: "reached an instruction that has no way on",
  [WHY.tooDeep]: `stack overflow: more than ${MAX_CALL_FRAMES} frames`,
  [WHY.noStack]: "stack overflow",
};

export class Interp implements Runnable {
  readonly engine = "interp";
  readonly entry = 0;
  readonly tailEntry = 0;
  readonly image: ExecImage;
  readonly env: EngineEnv;
  readonly machine: Machine;
  /** Address of the translated instructions. */
  readonly insnsAddr: VAddr;
  readonly #depthsAddr: VAddr;
  /** Bodies, made when first called. */
  readonly #bound = new Map<Helper, BoundHelper>();
  /** Byte per slot: 1 = breakpoint. 0 until there is one. */
  #breaksAddr = 0 as VAddr;
  /** u32 per slot. 0 until counting starts. */
  #hitsAddr = 0 as VAddr;
  #onAccess: AccessHook | undefined;
  /** By subprogram; a bit in the table of depths says that there is one. */
  readonly #patches = new Map<number, FuncPatch>();
  /** Of the run in progress; bounded images only. */
  #fuel = FUEL_MAX;
  #disposed = false;

  constructor(image: ExecImage, env: EngineEnv) {
    this.image = image;
    this.env = env;
    const { memory } = env.rt;
    this.machine = machineOf(memory);
    const bytes = translate(image);
    this.insnsAddr = memory.alloc(bytes.length);
    memory.writeBytes(this.insnsAddr, bytes);
    this.#depthsAddr = memory.alloc((image.insns.length + 1) * 2);
    for (const sub of image.subprogs) memory.writeU16(this.#depthsAddr + 2 * sub.start, sub.stackDepth);
    this.machine.addProgram();
  }

  run(ctx: number): number {
    return this.#fresh(0, [ctx]);
  }

  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number {
    const args = [a1, a2, a3, a4, a5];
    // a timer fires outside of any run
    return this.env.current === this ? this.#enter(fn - FUNC_BASE, args) : this.#fresh(fn - FUNC_BASE, args);
  }

  /** A run of its own: full fuel, no tail calls made yet. */
  #fresh(subprog: number, args: readonly number[]): number {
    const { env } = this;
    const { cpuCtx, memory } = env.rt;
    const outer = env.current;
    const outerFuel = this.#fuel;
    const tailCalls = memory.readU32(cpuCtx + CPU_CTX.tailCalls);
    env.current = this;
    this.#fuel = this.image.fuel ?? FUEL_MAX;
    memory.writeU32(cpuCtx + CPU_CTX.tailCalls, 0);
    try {
      return this.#enter(subprog, args);
    } finally {
      env.current = outer;
      this.#fuel = outerFuel;
      memory.writeU32(cpuCtx + CPU_CTX.tailCalls, tailCalls);
    }
  }

  /** A run that stops where the caller likes; see Session. */
  debug(ctx: number): Session {
    return new Session(this, ctx);
  }

  /** From now on counts how often each slot is executed. */
  countHits(): void {
    if (this.#hitsAddr === 0) this.#hitsAddr = this.env.rt.memory.alloc(4 * (this.image.insns.length + 1));
  }

  /** Executions by slot since countHits(); undefined before. A copy. */
  get hits(): Uint32Array | undefined {
    if (this.#hitsAddr === 0) return undefined;
    return new Uint32Array(this.env.rt.memory.readBytes(this.#hitsAddr, 4 * this.image.insns.length).buffer);
  }

  /** Told of every access of the program itself, before it happens; helpers' accesses are theirs. */
  set onAccess(hook: AccessHook | undefined) {
    this.#onAccess = hook;
  }

  /** Puts what a Session watches into its state: the slots before which it stops, hit counts, the access hook. */
  instrument(state: number, breakpoints: Iterable<number>): void {
    this.#setBreakpoints(breakpoints);
    this.#writeHooks(state);
  }

  #writeHooks(state: number): void {
    const { view } = this.env.rt.memory;
    view.setUint32(state + ST.breaks, this.#breaksAddr, true);
    view.setUint32(state + ST.hits, this.#hitsAddr, true);
    view.setUint32(state + ST.watch, this.#onAccess ? 1 : 0, true);
  }

  #setBreakpoints(slots: Iterable<number>): void {
    const { memory } = this.env.rt;
    const { length } = this.image.insns;
    if (this.#breaksAddr === 0) this.#breaksAddr = memory.alloc(length + 1);
    memory.fill(this.#breaksAddr, 0, length + 1);
    for (const slot of slots) if (slot >= 0 && slot < length) memory.writeU8(this.#breaksAddr + slot, 1);
  }

  get #instrumented(): boolean {
    return this.#hitsAddr !== 0 || this.#onAccess !== undefined;
  }

  /** Runs `body` with this program's access hook in place. */
  stepping(body: () => Why): Why {
    const outer = this.machine.onAccess;
    this.machine.onAccess = this.#onAccess;
    try {
      return body();
    } finally {
      this.machine.onAccess = outer;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { memory } = this.env.rt;
    memory.free(this.insnsAddr);
    memory.free(this.#depthsAddr);
    memory.free(this.#breaksAddr);
    memory.free(this.#hitsAddr);
    this.machine.removeProgram();
  }

  patch(subprog: number, patch: FuncPatch | undefined): void {
    if (patch) this.#patches.set(subprog, patch);
    else this.#patches.delete(subprog);
    const { start, stackDepth } = this.image.subprogs[subprog];
    this.env.rt.memory.writeU16(this.#depthsAddr + 2 * start, stackDepth | (patch ? DEPTH_PATCHED : 0));
  }

  /** What activate() does, on whatever is in place of the function. */
  #enter(subprog: number, args: readonly number[]): number {
    const patch = this.#patches.get(subprog);
    if (!patch) return this.#activate(subprog, args);
    const { cpuCtx, memory } = this.env.rt;
    const r0 = this.#callPatch(
      patch,
      subprog,
      args.map((a) => BigInt(a >>> 0)),
    );
    memory.writeU32(cpuCtx + CPU_CTX.retHi, Number(r0 >> 32n));
    return Number(r0 & 0xffffffffn);
  }

  /** Calls what is in place of a function, on the stack below CPU_CTX.stackTop. @returns r0 as u64 */
  #callPatch(patch: FuncPatch, subprog: number, args: readonly bigint[]): bigint {
    if ("hook" in patch) {
      return BigInt.asUintN(
        64,
        patch.hook(args, (changed) => this.#whole(subprog, changed)),
      );
    }
    const next = patch.prog as Interp;
    const over = next.#patches.get(0);
    return next.#asCurrent(() => (over ? next.#callPatch(over, 0, args) : next.#whole(0, args)));
  }

  /** Runs a function with 64-bit arguments and result. */
  #whole(subprog: number, args: readonly bigint[]): bigint {
    const { cpuCtx, memory } = this.env.rt;
    const lo = this.#activate(subprog, args);
    return (BigInt(memory.readU32(cpuCtx + CPU_CTX.retHi)) << 32n) | BigInt(lo >>> 0);
  }

  /** As the program that runs, with fuel of its own, within another's run. */
  #asCurrent<T>(body: () => T): T {
    const { env } = this;
    const outer = env.current;
    const outerFuel = this.#fuel;
    env.current = this;
    this.#fuel = this.image.fuel ?? FUEL_MAX;
    try {
      return body();
    } finally {
      env.current = outer;
      this.#fuel = outerFuel;
    }
  }

  /** The call before pc goes to a function that is patched. */
  #patched({ state }: Activation): boolean {
    const { cpuCtx, memory } = this.env.rt;
    const start = (memory.readU32(state + ST.faultAddr) - this.insnsAddr) / INSN_SIZE;
    const subprog = this.image.subprogs.findIndex((s) => s.start === start);
    const patch = this.#patches.get(subprog) as FuncPatch;
    const top = memory.readU32(cpuCtx + CPU_CTX.stackTop);
    memory.writeU32(cpuCtx + CPU_CTX.stackTop, memory.readU32(state + 80) - memory.readU32(state + ST.depth));
    this.#fuel = readFuel(memory, state);
    try {
      const args = [1, 2, 3, 4, 5].map((r) => memory.readU64(state + 8 * r));
      memory.writeU64(state, this.#callPatch(patch, subprog, args));
    } finally {
      memory.writeU32(cpuCtx + CPU_CTX.stackTop, top);
    }
    writeFuel(memory, state, this.#fuel);
    return false;
  }

  /** Runs a function to its end on the stack below CPU_CTX.stackTop: low half of r0, upper half in CPU_CTX.retHi. */
  #activate(subprog: number, args: readonly (number | bigint)[]): number {
    const { cpuCtx, memory } = this.env.rt;
    const top = memory.readU32(cpuCtx + CPU_CTX.stackTop);
    const act: Activation = { state: this.machine.takeState(), prog: this };
    try {
      this.begin(act.state, subprog, top, args);
      this.#drive(act);
      const { view } = memory;
      view.setUint32(cpuCtx + CPU_CTX.retHi, view.getUint32(act.state + 4, true), true);
      return view.getUint32(act.state, true);
    } finally {
      memory.writeU32(cpuCtx + CPU_CTX.stackTop, top);
      this.#fuel = readFuel(memory, act.state);
      this.machine.giveState(act.state);
    }
  }

  #drive(act: Activation): void {
    const { interp_run, interp_step } = this.machine.exports;
    const { memory } = this.env.rt;
    for (;;) {
      if (act.prog.#instrumented) {
        // a breakpoint cannot stop a run that nobody steps
        memory.writeU32(act.state + ST.pass, 1);
        memory.writeU32(act.state + ST.steps, 0xffffffff);
        if (
          this.serve(
            act,
            act.prog.stepping(() => interp_step(act.state)),
          )
        )
          return;
      } else if (this.serve(act, interp_run(act.state))) return;
    }
  }

  /** Puts a state at the start of a function: arguments that are numbers zero-extended, r10 = fp, nothing else in the registers. */
  begin(state: number, subprog: number, fp: number, args: readonly (number | bigint)[]): void {
    const { memory } = this.env.rt;
    const sub = this.image.subprogs[subprog];
    if (!sub)
      throw new RunFault(`${this.image.name}: callback to function ${subprog}, of ${this.image.subprogs.length}`);
    memory.fill(state, 0, ST.frame);
    const { view } = memory;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (typeof arg === "number") view.setUint32(state + 8 * (i + 1), arg, true);
      else view.setBigUint64(state + 8 * (i + 1), BigInt.asUintN(64, arg), true);
    }
    view.setUint32(state + 80, fp, true);
    this.#enterCode(state, sub);
    view.setUint32(state + ST.stackLimit, fp - MAX_CALL_FRAMES * MAX_BPF_STACK, true);
    writeFuel(memory, state, this.#fuel);
    const used = this.machine.stackBase - (fp - roundUp(sub.stackDepth));
    if (used > STACK_BYTES) throw new RunFault(`${this.image.name}: stack overflow: runs nested too deeply`, sub.start);
  }

  /** Makes this program the one that the state executes. */
  #enterCode(state: number, sub: ExecSubprog): void {
    const { view } = this.env.rt.memory;
    view.setUint32(state + ST.pc, this.insnsAddr + sub.start * INSN_SIZE, true);
    view.setUint32(state + ST.insns, this.insnsAddr, true);
    view.setUint32(state + ST.depths, this.#depthsAddr, true);
    view.setUint32(state + ST.depth, roundUp(sub.stackDepth), true);
    view.setUint32(state + ST.mayGoto, MAY_GOTO_MAX, true);
    this.#writeHooks(state);
  }

  /**
   * Does what interp.wasm came back for. True when the activation has ended.
   * @throws RunFault when the run cannot go on
   */
  serve(act: Activation, why: Why): boolean {
    switch (why) {
      case WHY.exit:
        return true;
      case WHY.helper:
        return act.prog.#helper(act);
      case WHY.packet:
        return act.prog.#packet(act);
      case WHY.patched:
        return act.prog.#patched(act);
      case WHY.step:
      case WHY.break:
        return false;
      default:
        throw act.prog.#fault(act, why);
    }
  }

  /** Slot that the state is at. */
  slotOf(state: number): number {
    return (this.env.rt.memory.readU32(state + ST.pc) - this.insnsAddr) / INSN_SIZE;
  }

  #fault({ state }: Activation, why: Why): RunFault {
    const at = this.slotOf(state);
    const what =
      why === WHY.badAccess
        ? `access to 0x${this.env.rt.memory.readU64(state + ST.faultAddr).toString(16)} outside the memory that programs may use`
        : (FAULTS[why] ?? `stopped for reason ${why}`);
    return new RunFault(`${this.image.name}: ${what} at insn ${at}`, at);
  }

  #helper(act: Activation): boolean {
    const { state } = act;
    const { cpuCtx, memory } = this.env.rt;
    const at = this.slotOf(state) - 1;
    const helper = this.image.calls.get(at)?.helper ?? this.#helperInReg(at, state);
    if (!helper) return this.#callPointer(act, at);
    if (helper.id === BPF_FUNC_tail_call) return this.#tailCall(act);
    if (helper.throws) return this.#throw(act);
    const body = this.#bodyOf(helper);
    const fp = memory.readU32(state + 80);
    memory.writeU32(cpuCtx + CPU_CTX.framePtr, fp);
    memory.writeU32(cpuCtx + CPU_CTX.stackTop, fp - memory.readU32(state + ST.depth));
    // callbacks draw from the same fuel
    this.#fuel = readFuel(memory, state);
    try {
      body(state);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new RunFault(`${this.image.name}: helper ${helper.name}: ${error.message} at insn ${at}`, at, error);
    }
    writeFuel(memory, state, this.#fuel);
    return false;
  }

  /** bpf_throw(cookie): ends the activation, or goes on in the exception callback as if it had been called first. */
  #throw({ state }: Activation): boolean {
    const { memory } = this.env.rt;
    const cookie = memory.readU64(state + 8);
    const callback = this.image.subprogs.findIndex((sub) => sub.isExceptionCb);
    if (callback < 0) {
      memory.writeU64(state, cookie);
      return true;
    }
    this.#fuel = readFuel(memory, state);
    this.begin(state, callback, memory.readU32(state + 80) - memory.readU32(state + ST.depth), []);
    memory.writeU64(state + 8, cookie);
    return false;
  }

  /** callx: the helper whose id is in the register, undefined when it holds a function pointer. */
  #helperInReg(at: number, state: number): Helper | undefined {
    const { callx, insns, name } = this.image;
    const byReg = (insns.code[at] & BPF_X) !== 0;
    const id = byReg ? this.env.rt.memory.readU64(state + 8 * insns.dst[at]) : BigInt(insns.imm[at]);
    const helper = byReg ? callx?.get(Number(id)) : undefined;
    if (helper || (byReg && id >= FUNC_BASE)) return helper;
    throw new RunFault(`${name}: call to unknown function ${id} at insn ${at}`, at);
  }

  /** callx to one of the program's own functions. */
  #callPointer(act: Activation, at: number): boolean {
    const pointer = this.env.rt.memory.readU64(act.state + 8 * this.image.insns.dst[at]);
    const sub = this.image.subprogs[Number(pointer) - FUNC_BASE];
    if (!sub) throw new RunFault(`${this.image.name}: call to unknown function ${pointer} at insn ${at}`, at);
    const why = this.machine.exports.interp_call(act.state, this.insnsAddr + sub.start * INSN_SIZE);
    if (why === WHY.patched) {
      this.env.rt.memory.writeU32(act.state + ST.faultAddr, this.insnsAddr + sub.start * INSN_SIZE);
      return this.#patched(act);
    }
    if (why !== WHY.exit) throw this.#fault(act, why);
    return false;
  }

  #bodyOf(helper: Helper): BoundHelper {
    let body = this.#bound.get(helper);
    if (!body) this.#bound.set(helper, (body = bindHelper(helper, this.env.rt)));
    return body;
  }

  /** bpf_tail_call(ctx, map, index): as bpf_tail_call in kernel/bpf/core.c, r0 is kept when it fails. */
  #tailCall(act: Activation): boolean {
    const { state } = act;
    const { env } = this;
    const { cpuCtx, memory } = env.rt;
    const count = memory.readU32(cpuCtx + CPU_CTX.tailCalls);
    if (count >= MAX_TAIL_CALL_CNT) return false;
    const next = env.resolveTailCall(memory.readU32(state + 16), memory.readU32(state + 24));
    if (!next) return false;
    memory.writeU32(cpuCtx + CPU_CTX.tailCalls, count + 1);
    const ctx = memory.readU32(state + 8);
    if (next instanceof Interp && memory.readU32(state + ST.frames) === 0) {
      const fuel = readFuel(memory, state);
      memory.fill(state, 0, 80);
      memory.writeU32(state + 8, ctx);
      next.#fuel = fuel;
      next.#enterCode(state, next.image.subprogs[0]);
      if (next.image.fuel === undefined) writeFuel(memory, state, FUEL_MAX);
      act.prog = next;
      env.current = next;
      return false;
    }
    // in a subprogram the callee takes the place of this frame: it starts at this r10, and its result is this frame's
    memory.writeU32(cpuCtx + CPU_CTX.stackTop, memory.readU32(state + 80));
    const lo = next instanceof Interp ? next.#inPlace(ctx) : runCompiled(env, next, ctx);
    const hi = memory.readU32(cpuCtx + CPU_CTX.retHi);
    memory.writeU64Parts(state, lo, hi);
    return this.machine.exports.interp_return(state) === 0;
  }

  /** Runs as the continuation of another program's run: same tail-call count, same stack top. */
  #inPlace(ctx: number): number {
    return this.#asCurrent(() => this.#activate(0, [ctx]));
  }

  /** BPF_LD_ABS, BPF_LD_IND: r6 is the context; outside the packet the function returns 0. */
  #packet({ state }: Activation): boolean {
    const { memory } = this.env.rt;
    const at = this.slotOf(state) - 1;
    const size = [4, 2, 1][(this.image.insns.code[at] >> 3) & 3];
    const { view } = memory;
    const load = this.env.packetLoad;
    if (!load) throw new RunFault(`${this.image.name}: packet load in a program without packet at insn ${at}`, at);
    const value = load(view.getUint32(state + 48, true), view.getInt32(state + ST.faultAddr, true), size);
    memory.writeU64Parts(state, Math.max(value, 0), 0);
    return value < 0 && this.machine.exports.interp_return(state) === 0;
  }
}

function readFuel({ view }: Memory, state: number): number {
  return view.getUint32(state + ST.fuel + 4, true) * 2 ** 32 + view.getUint32(state + ST.fuel, true);
}

function writeFuel({ view }: Memory, state: number, fuel: number): void {
  view.setUint32(state + ST.fuel, fuel % 2 ** 32, true);
  view.setUint32(state + ST.fuel + 4, Math.floor(fuel / 2 ** 32), true);
}

const roundUp = (bytes: number): number => (bytes + 15) & ~15;

/** A tail call from an interpreted program into a compiled one. */
function runCompiled(env: EngineEnv, next: Runnable, ctx: number): number {
  const { memory, cpuCtx } = env.rt;
  const fn = memory.table.get(next.tailEntry) as (fp: number, ...r1to5: bigint[]) => bigint;
  const r0 = fn(memory.readU32(cpuCtx + CPU_CTX.stackTop), BigInt(ctx), 0n, 0n, 0n, 0n);
  memory.writeU32(cpuCtx + CPU_CTX.retHi, Number(BigInt.asUintN(64, r0) >> 32n));
  return Number(BigInt.asUintN(32, r0));
}
