import type { Helper } from "../helpers/helper.ts";
import type { Insns } from "../isa/insns.ts";

/**
 * What an engine runs: a program whose maps and calls are resolved to addresses of one kernel's memory.
 *
 * Insns    ld_imm64 hold final 64-bit values with src 0 (map address, map value address, ksym address), except
 *          BPF_PSEUDO_FUNC, whose imm stays relative to the next instruction. Calls keep imm: helper id, or the
 *          relative target of a bpf-to-bpf call.
 */
export interface ExecImage {
  readonly name: string;
  readonly insns: Insns;
  /** In order of start; [0] is the main program. */
  readonly subprogs: readonly ExecSubprog[];
  /** By instruction index: each helper and kfunc call. */
  readonly calls: ReadonlyMap<number, CallTarget>;
  /** Unverified programs: helpers that `callx` may name by id; without them a callx is a fault. */
  readonly callx?: ReadonlyMap<number, Helper>;
  /** 1 where the verifier found the instruction reachable; absent = all reachable. Others become traps. */
  readonly seen?: Uint8Array;
  /** 1 where a load may fault and then yields 0 (Linux's PROBE_MEM). */
  readonly probeMem?: Uint8Array;
  /** Steps after which a run stops with a fault; absent = unbounded (verified programs terminate). Charged on back edges and calls. */
  readonly fuel?: number;
}

export interface ExecSubprog {
  readonly name: string;
  /** Instruction indexes, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Bytes of stack the function itself uses, at most 512. */
  readonly stackDepth: number;
  /** Gets the cookie of a bpf_throw(); its result is the program's. Without one the cookie is. */
  readonly isExceptionCb?: boolean;
  /** Always called through its entry, so that Runnable.patch() counts at once, also for a run in progress. */
  readonly replaceable?: boolean;
}

/**
 * What is called in place of a function of a program: the main function of another program on the same engine; or
 * `hook`, which gets r1..r5 and may call `original`.
 */
export type FuncPatch = { readonly prog: Runnable } | { readonly hook: FuncHook };

/** Arguments and results are u64. */
export type FuncHook = (args: readonly bigint[], original: (args: readonly bigint[]) => bigint) => bigint;

export interface CallTarget {
  readonly helper: Helper;
  /** Address and facts of the map argument, when the verifier saw one and the same map on every path. */
  readonly map?: ConstMap;
}

/** What the JIT may inline for a map known at compile time. */
export interface ConstMap {
  /** Address of the map record, as programs hold it. */
  readonly addr: number;
  readonly type: number;
  readonly maxEntries: number;
  readonly valueSize: number;
  /** Array maps: address of element 0 of CPU 0, and the distances between elements and between CPUs, in bytes. */
  readonly values?: { readonly base: number; readonly stride: number; readonly cpuStride: number };
}

export type EngineName = "jit" | "interp";

/** A program ready to run on one engine. */
export interface Runnable {
  readonly engine: EngineName;
  /** Index in Memory.table of the main function (JIT); 0 for the interpreter. */
  readonly entry: number;
  /** The same for tail calls, stored in prog arrays: they pass by what patch() put at the entry, as Linux's do. */
  readonly tailEntry: number;
  /** Runs to exit. r0 is left split: returns the low 32 bits (as u32), upper half in CPU_CTX.retHi. Throws RunFault. */
  run(ctx: number): number;
  /** Runs a function that the program handed to a helper (BPF_PSEUDO_FUNC), on the stack below CPU_CTX.framePtr; r0's low half. */
  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number;
  /**
   * From now on calls of a function (0: the main one) come to the patch; undefined: to the function itself again. A call in
   * progress goes on where it is.
   */
  patch(subprog: number, patch: FuncPatch | undefined): void;
  /** The RunFault for what a call of `entry` through the table threw, the program's instruction in it when it was there. */
  faultOf?(error: unknown): unknown;
  /** Frees table slots and memory. */
  dispose(): void;
}

/** A run that was stopped: bad address, trap, out of fuel, stack overflow. */
export class RunFault extends Error {
  override readonly name = "RunFault";
  readonly insnIdx: number | undefined;

  constructor(message: string, insnIdx?: number, cause?: unknown) {
    super(message, { cause });
    this.insnIdx = insnIdx;
  }
}
