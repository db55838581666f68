/**
 * One program function in the making: its locals, and how registers are read and written.
 *
 * Registers are i64 locals, r10 is the i32 parameter `fp`. `base` is the lower end of the frame, so that stack accesses
 * have offsets that are never negative (WebAssembly's memory offsets do not wrap).
 *
 *     local   0   1..5    6   7..10    11
 *             fp  r1..r5  r0  r6..r9   base
 */
import { type EngineEnv, MAX_BPF_STACK } from "../interp/env.ts";
import type { ExecImage, ExecSubprog } from "../interp/image.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { Code } from "../wasm/code.ts";
import { OP, type ValType } from "../wasm/opcodes.ts";
import { RUN_STACK } from "./entries.ts";
import { FAULT, type FaultCode } from "./faults.ts";
import type { Rotation } from "./rotate.ts";

/** Parameters of a program function: fp, r1..r5. */
export const PROG_PARAMS: readonly ValType[] = ["i32", "i64", "i64", "i64", "i64", "i64"];
export const PROG_RESULTS: readonly ValType[] = ["i64"];

export const FP_LOCAL = 0;
const REG_LOCAL = [6, 1, 2, 3, 4, 5, 7, 8, 9, 10] as const;
const FP = 10;

/** What all functions of a module share. */
export interface ModuleContext {
  readonly image: ExecImage;
  readonly env: EngineEnv;
  /** Address of the CPU's context record: a constant of the module. */
  readonly cpuCtx: number;
  /** Function index of each subprogram. */
  readonly funcs: readonly number[];
  /** Subprogram by first instruction. */
  readonly subprogAt: ReadonlyMap<number, number>;
  /** Function index of the way into the program: the main function, or what catches exceptions around it. */
  readonly entry: number;
  /** Tag of bpf_throw(), when the program has one. */
  readonly throwTag: number | undefined;
  /** Table slot of each subprogram; 0 = has none. */
  readonly slots: readonly number[];
  /** Subprograms that are always called through their slot. */
  readonly indirect: ReadonlySet<number>;
  /** Type index of program functions. */
  readonly progType: number;
  /** Function index of an import that `importsOf` found. */
  imported(key: string): number;
  /** Other CPUs see the memory: atomics must be real. */
  readonly shared: boolean;
  /** Nobody proved this program: check addresses and call depth. */
  readonly unverified: boolean;
}

const NOT_FRAME = 0x7fffffff;

export class FuncGen {
  readonly code = new Code(PROG_PARAMS.length);
  readonly module: ModuleContext;
  readonly sub: ExecSubprog;
  /** Stack bytes of the frame, rounded as callees see it. */
  readonly frameBytes: number;
  readonly base: number;
  /** Bit r: the upper half of register r is zero. Within a block. */
  zeroExtended = 0;
  /** Subprogram number + 1 of the function address in each register, 0 = not known. Within a block. */
  readonly funcInReg = new Uint16Array(11);
  /** What each register points to, relative to r10; NOT_FRAME when that is not known. Within a block. */
  readonly frameOff = new Int32Array(11).fill(NOT_FRAME);
  /** The last 4 bytes stored in the frame, while nothing can have changed them: where, and the i32 local that has them. */
  stackWord: { readonly off: number; readonly local: number } | undefined;
  /** i32 local that says whether r0 is not NULL, after a lookup that was inlined. Within a block. */
  notNull: number | undefined;
  /** End of the block, exclusive. */
  blockEnd = 0;
  /** By instruction: what the rotation pass found. */
  rotations: ReadonlyMap<number, Rotation> = new Map();
  /** Pairs: offset in the body, instruction index. */
  readonly insnOffsets: number[] = [];
  readonly #temps = new Map<string, number>();

  constructor(module: ModuleContext, sub: ExecSubprog) {
    this.module = module;
    this.sub = sub;
    this.frameBytes = (sub.stackDepth + 15) & ~15;
    for (const _ of [0, 6, 7, 8, 9]) this.code.local("i64");
    this.base = this.frameBytes ? this.code.local("i32") : FP_LOCAL;
  }

  /** Computes `base`; in an unverified program also checks that the frame lies in the stack area. */
  prologue(): void {
    const { code, module } = this;
    if (module.unverified) this.#checkDepth();
    if (this.base === FP_LOCAL) return;
    code.get(FP_LOCAL);
    code.i32(this.frameBytes);
    code.op(OP.i32_sub);
    code.set(this.base);
  }

  /** Linux allows 8 frames of 512 bytes. While a program runs, the CPU's stack top lies RUN_STACK below its first frame. */
  #checkDepth(): void {
    const { code } = this;
    code.get(FP_LOCAL);
    this.cpuField(CPU_CTX.stackTop);
    code.op(OP.i32_sub);
    code.i32(RUN_STACK - 7 * MAX_BPF_STACK);
    code.op(OP.i32_lt_u);
    code.if();
    this.fault(FAULT.stack);
    code.end();
  }

  /** Forgets what is known of registers: a block begins. */
  startBlock(end: number): void {
    this.zeroExtended = 0;
    this.funcInReg.fill(0);
    this.frameOff.fill(NOT_FRAME);
    this.frameOff[FP] = 0;
    this.stackWord = undefined;
    this.notNull = undefined;
    this.blockEnd = end;
  }

  startInsn(insn: number): void {
    this.insnOffsets.push(this.code.length, insn);
  }

  /** A local for what code needs for a moment, made when first asked for: an i32 when its name ends in 32, else an i64. */
  temp(name: string): number {
    let local = this.#temps.get(name);
    if (local === undefined) {
      local = this.code.local(name.endsWith("32") ? "i32" : "i64");
      this.#temps.set(name, local);
    }
    return local;
  }

  /** Pushes a register as i64. */
  get64(reg: number): void {
    if (reg === FP) {
      this.code.get(FP_LOCAL);
      this.code.op(OP.i64_extend_i32_u);
    } else this.code.get(REG_LOCAL[reg]);
  }

  /** Pushes the low half of a register as i32. */
  get32(reg: number): void {
    if (reg === FP) this.code.get(FP_LOCAL);
    else {
      this.code.get(REG_LOCAL[reg]);
      this.code.op(OP.i32_wrap_i64);
    }
  }

  /** Pops an i64 into a register. r10 cannot be written: that ends the run. */
  set64(reg: number, zeroExtended = false): void {
    if (reg >= FP) {
      this.code.op(OP.drop);
      this.fault(FAULT.insn);
      return;
    }
    this.code.set(REG_LOCAL[reg]);
    if (zeroExtended) this.zeroExtended |= 1 << reg;
    else this.zeroExtended &= ~(1 << reg);
    this.#overwritten(reg);
  }

  #overwritten(reg: number): void {
    this.funcInReg[reg] = 0;
    this.frameOff[reg] = NOT_FRAME;
    if (reg === 0) this.notNull = undefined;
  }

  /** Pops an i32 and zero-extends it into a register. */
  set32(reg: number): void {
    this.code.op(OP.i64_extend_i32_u);
    this.set64(reg, true);
  }

  /** Nothing is known of a register any more: code that may or may not run wrote it. */
  forget(reg: number): void {
    this.zeroExtended &= ~(1 << reg);
    this.#overwritten(reg);
  }

  pointsToFrame(reg: number): boolean {
    return this.frameOff[reg] !== NOT_FRAME;
  }

  isZeroExtended(reg: number): boolean {
    return reg === FP || (this.zeroExtended & (1 << reg)) !== 0;
  }

  /** Pushes a field of the CPU context record. */
  cpuField(field: number): void {
    this.code.i32(0);
    this.code.mem(OP.i32_load, this.module.cpuCtx + field, true);
  }

  /** Ends the run: the code tells run() why. */
  fault(code: FaultCode): void {
    this.code.i32(0);
    this.code.i32(code);
    this.code.mem(OP.i32_store, this.module.cpuCtx + CPU_CTX.fault, true);
    this.code.op(OP.unreachable);
  }

  /** Takes steps from the CPU's fuel, when the image is bounded. */
  charge(steps: number): void {
    if (this.module.image.fuel === undefined) return;
    const { code } = this;
    const left = this.temp("t32");
    this.cpuField(CPU_CTX.fuel);
    code.tee(left);
    code.i32(steps);
    code.op(OP.i32_lt_u);
    code.if();
    this.fault(FAULT.fuel);
    code.end();
    code.i32(0);
    code.get(left);
    code.i32(steps);
    code.op(OP.i32_sub);
    code.mem(OP.i32_store, this.module.cpuCtx + CPU_CTX.fuel, true);
  }
}
