/**
 * The environment of one verification: program, current state, per-instruction facts, log, counters (struct
 * bpf_verifier_env).
 *
 * How a check is written: a function takes `env`, reads registers through `env.R` at addresses from `env.reg(n)`, and
 * refuses with `env.reject(ERRNO, "message\n"-less text)`, which writes the log line and throws. Checks that only try
 * (Linux's "return -EINVAL without a message") use `env.rejectSilently(errno)`.
 *
 * Who calls whom inside this folder (core -> families):
 *   helper_call.ts   checkHelperCall(env, insnIdx)
 *   kfunc_call.ts    checkKfuncCall(env, insnIdx), addKfuncCalls(env) before cfg checks
 *   subprog_call.ts  checkFuncCall(env, insnIdx) (sets env.insnIdx), prepareFuncExit(env) (sets env.insnIdx)
 *   ctx_access.ts    checkCtxAccess(env, insnIdx, off, size, t) -> CtxAccess
 *   btf_access.ts    checkPtrToBtfAccess(env, regno, off, size, t, valueRegno), checkPtrToMapAccess(same)
 *   return_range.ts  checkReturnCode(env, regno, regName)
 *   refs.ts          checkResourceLeak(env, exceptionExit, checkLock, prefix), invalidation of references
 *   attach.ts        checkAttachBtfId(env)
 *   map_compat.ts    checkMapProgCompatibility(env, map)
 *   global_func.ts   prepareGlobalFuncArgs(env, subprog) (btf_prepare_func_args, do_check_common's set-up)
 *   dynptr.ts        destroyIfDynptrStackSlot(env, frame, spi)
 *   btf_record.ts    checkMapRecordAccess(env, regno, map, off, size, src, isVarOff) (kptrs, locks, timers in values)
 *
 * What the families use of the core (families -> core):
 *   regs.ts       making registers unknown, known, uninitialised; checkRegArg(); forEachReg(); clearAllPktPointers()
 *   branch.ts     enterFrame() and leaveFrame() for callees; pushStack() and pushAsyncCb(), which return a stored state
 *                 whose frames may be edited through env.R
 *   mem.ts        checkMemAccess() for instructions, checkHelperMemAccess() and checkMemSizeReg() for arguments
 *   stack.ts      checkStackRangeInitialized(); env.stackLive.markReadSlot() and markWriteSlot() for slots touched by hand
 *   precision.ts  markChainPrecision() for a number that a decision rests on
 *   jmp.ts        markPtrOrNullRegs()
 */
import type { Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Insns } from "../isa/insns.ts";
import type { CallFacts } from "./call_facts.ts";
import { Reject } from "./error.ts";
import type { JmpHistory } from "./jmp_history.ts";
import { F_SUBPROGNO, MAX_STACK_SLOTS } from "./layout.ts";
import type { KsymVar } from "./ldimm64.ts";
import { lineInfoText } from "./line_info.ts";
import { StackLiveness } from "./liveness.ts";
import type { VerifierLog } from "./log.ts";
import type { Limits, MapRef, Platform, VerifierMap, VerifyInput } from "./platform.ts";
import { Backtrack } from "./precision.ts";
import type { Probe } from "./probe.ts";
import { ProgFacts } from "./prog_facts.ts";
import type { SccVisit } from "./scc.ts";
import { type Reg, StateMem, VState } from "./state.ts";
import type { Workspace } from "./workspace.ts";

/** Facts about one function of the program (bpf_subprog_info). */
export interface Subprog {
  /** Name from BTF, or "" when there is none. */
  name: string;
  start: number;
  /** Exclusive. */
  end: number;
  /** Bytes of stack, found while verifying. */
  stackDepth: number;
  /** FUNC in the program's BTF, 0 without func_info. */
  funcTypeId: number;
  global: boolean;
  /** Global functions: a call to it was seen, so it must be verified. */
  called: boolean;
  isCb: boolean;
  isAsyncCb: boolean;
  isExceptionCb: boolean;
  hasTailCall: boolean;
  tailCallReachable: boolean;
  hasLdAbs: boolean;
  changesPktData: boolean;
  mightSleep: boolean;
  mightThrow: boolean;
  keepFastcallStack: boolean;
  /** Lowest offset that a fastcall spill uses; such spills do not count as stack. */
  fastcallStackOff: number;
  argsCached: boolean;
  args: unknown;
}

/** A subprogram before anything is known about it. */
export function newSubprog(start: number): Subprog {
  return {
    name: "",
    start,
    end: 0,
    stackDepth: 0,
    funcTypeId: 0,
    global: false,
    called: false,
    isCb: false,
    isAsyncCb: false,
    isExceptionCb: false,
    hasTailCall: false,
    tailCallReachable: false,
    hasLdAbs: false,
    changesPktData: false,
    mightSleep: false,
    mightThrow: false,
    keepFastcallStack: false,
    fastcallStackOff: 0,
    argsCached: false,
    args: undefined,
  };
}

// Bits of VerifierEnv.insnFlags.
export const PRUNE_POINT = 1;
export const JMP_POINT = 2;
export const FORCE_CHECKPOINT = 4;
export const CALLS_CALLBACK = 8;
export const JUMP_TARGET = 16;
export const FASTCALL_PATTERN = 32;
/** A barrier stands before the instruction: speculative paths end here. */
export const NOSPEC = 64;
export const NOSPEC_RESULT = 128;

export class VerifierEnv {
  readonly input: VerifyInput;
  readonly platform: Platform;
  readonly limits: Limits;
  readonly insns: Insns;
  readonly R: StateMem;
  readonly log: VerifierLog;
  /** The state being explored. */
  cur: VState = new VState();
  insnIdx = 0;
  prevInsnIdx = 0;
  /** Observer; most runs have none. */
  probe: Probe | undefined = undefined;

  readonly subprogs: Subprog[] = [];
  /** Index of the exception callback, 0 = none. */
  exceptionCallbackSubprog = 0;
  /** Subprogram of each instruction. */
  subprogOf: Int32Array;

  // Capabilities.
  readonly allowPtrLeaks: boolean;
  readonly allowUninitStack: boolean;
  readonly bpfCapable: boolean;
  readonly bypassSpecV1: boolean;
  readonly bypassSpecV4: boolean;
  strictAlignment: boolean;

  // Interned objects; registers hold the indexes. Index 0 is "none".
  private readonly maps: (VerifierMap | undefined)[] = [undefined];
  private readonly mapIds = new Map<VerifierMap, number>();
  private readonly btfs: (Btf | undefined)[] = [undefined];
  private readonly btfIds = new Map<Btf, number>();
  readonly usedMaps: VerifierMap[] = [];
  readonly mapRefs = new Map<number, MapRef>();

  // Per instruction.
  readonly seen: Uint8Array;
  readonly probeMem: Uint8Array;
  /** insn_aux.ptr_type of memory instructions: the base types seen must be compatible. */
  readonly ptrType: Int32Array;
  /** By helper call: map index, 0 = none yet, -1 = several (poisoned). */
  readonly callMap: Int32Array;
  /** By helper call: 1 when a map given to it was created without CAP_PERFMON (bpf_map_ptr_unpriv). */
  readonly callMapMasked: Uint8Array;

  /** PRUNE_POINT, JMP_POINT, ... by instruction. */
  readonly insnFlags: Uint8Array;
  /** Strongly connected component, 0 = not in a loop. */
  readonly scc: Int32Array;
  /** Bit n: register n may be read before it is written. */
  readonly liveRegs: Uint16Array;
  /** Instructions of each subprogram in post-order, one after the other; postorderStart[s] is where s begins. */
  postorder: Int32Array = new Int32Array(0);
  postorderStart: Int32Array = new Int32Array(0);
  /** Successors, two per instruction, -1 = none; predecessors of i are preds[predStart[i] .. predStart[i + 1] - 1]. */
  succ: Int32Array = new Int32Array(0);
  preds: Int32Array = new Int32Array(0);
  predStart: Int32Array = new Int32Array(0);
  readonly stackLive: StackLiveness;
  /** insn_aux.alu_state and alu_limit, for sanitation. */
  readonly aluState: Uint8Array;
  readonly aluLimit: Int32Array;

  readonly facts: ProgFacts;
  readonly bt = new Backtrack();
  /** Memory of precision.ts. */
  backMasks: Uint16Array | undefined = undefined;
  /** ld_imm64 of kernel symbols. */
  readonly ksyms = new Map<number, KsymVar>();
  /** The program's arena. */
  arena: VerifierMap | undefined = undefined;
  /** By fastcall call: how many spills around it can go. */
  readonly fastcallSpills: Uint8Array;
  /** Memory of callFacts(); null = not asked yet. */
  readonly callFacts: (CallFacts | undefined | null)[];
  /** Stored states by hash of instruction and call site; newest last. */
  readonly explored: (VState[] | undefined)[];
  /** Evicted states without open paths, while back-edges may still walk through them. */
  private readonly retired: VState[] = [];
  readonly sccVisits = new Map<string, SccVisit>();
  readonly history: JmpHistory;
  /** Objects of states that were resumed or freed, for the next clones. */
  readonly statePool: VState[];
  /** States that wait to be explored (bpf_verifier_stack_elem), newest last. */
  readonly pending: VState[] = [];
  /** Index of the jump history entry of the current instruction; -1 = none yet. */
  curHistEnt = -1;
  /** The path being walked is Linux's do_check_common() of this subprogram. */
  exploreAluLimits = false;
  testStateFreq = false;
  testRegInvariants = false;
  /** Function that is being walked on its own: the program (0), or a global one. */
  curCheckedSubprog = 0;
  /** Changed since the last print. */
  scratchedRegs = 0;
  private scratchedLo = 0;
  private scratchedHi = 0;
  /** Records for intermediate values: constants of instructions, the other side of a branch. */
  readonly fakeReg: readonly [Reg, Reg, Reg, Reg];
  private lastLine = "";

  /** Source of ids for registers, references, dynptrs: ++env.idGen. */
  idGen = 0;

  // Counters.
  insnProcessed = 0;
  /** End of the context that the program accesses. */
  maxCtxOffset = 0;
  /**
   * How far the program reads buffers, uses those that it may write, and a tracepoint's (aux->max_rdonly_access,
   * max_rdwr_access, max_tp_access).
   */
  readonly bufAccess = { rdonly: 0, rdwr: 0, tracepoint: 0 };
  jmpsProcessed = 0;
  totalStates = 0;
  peakStates = 0;
  prevJmpsProcessed = 0;
  prevInsnProcessed = 0;
  exploredStatesSize = 0;
  freeListSize = 0;
  numBackedges = 0;
  maxStatesPerInsn = 0;

  constructor(input: VerifyInput, workspace: Workspace, log: VerifierLog) {
    const n = input.insns.length;
    this.input = input;
    this.platform = input.platform;
    this.limits = input.platform.limits;
    this.insns = input.insns;
    this.R = new StateMem(workspace.wasm);
    this.history = workspace.history;
    this.statePool = workspace.states;
    this.log = log;
    this.subprogOf = new Int32Array(n);
    this.allowPtrLeaks = input.caps.perfmon;
    this.allowUninitStack = input.caps.perfmon;
    this.bypassSpecV1 = input.caps.perfmon;
    this.bypassSpecV4 = input.caps.perfmon;
    this.bpfCapable = input.caps.bpf;
    // BPF_F_STRICT_ALIGNMENT; BPF_F_ANY_ALIGNMENT undoes it.
    this.strictAlignment = (input.progFlags & 3) === 1;
    this.testStateFreq = (input.progFlags & 8) !== 0;
    this.testRegInvariants = (input.progFlags & 128) !== 0;
    this.seen = new Uint8Array(n);
    this.probeMem = new Uint8Array(n);
    this.ptrType = new Int32Array(n);
    this.callMap = new Int32Array(n);
    this.callMapMasked = new Uint8Array(n);
    this.callFacts = new Array(n).fill(null);
    this.explored = new Array(n).fill(undefined);
    this.insnFlags = new Uint8Array(n);
    this.fastcallSpills = new Uint8Array(n);
    this.scc = new Int32Array(n);
    this.liveRegs = new Uint16Array(n);
    this.aluState = new Uint8Array(n);
    this.aluLimit = new Int32Array(n);
    this.stackLive = new StackLiveness();
    this.facts = new ProgFacts(input);
    const scratch = this.R.allocFrame(MAX_STACK_SLOTS);
    this.fakeReg = [0, 1, 2, 3].map((i) => this.R.regAt(scratch, i)) as [Reg, Reg, Reg, Reg];
  }

  /** Is bit `flag` of insnFlags set? */
  has(insnIdx: number, flag: number): boolean {
    return (this.insnFlags[insnIdx] & flag) !== 0;
  }

  /** A barrier must follow the store. */
  markNospecResult(insnIdx: number): void {
    this.insnFlags[insnIdx] |= NOSPEC_RESULT;
  }

  // What the next print shows.

  scratchSlot(spi: number): void {
    if (spi < 32) this.scratchedLo |= 1 << spi;
    else this.scratchedHi |= 1 << (spi - 32);
  }
  slotScratched(spi: number): boolean {
    return ((spi < 32 ? this.scratchedLo >>> spi : this.scratchedHi >>> (spi - 32)) & 1) !== 0;
  }
  get anyScratched(): boolean {
    return this.scratchedRegs !== 0 || this.scratchedLo !== 0 || this.scratchedHi !== 0;
  }
  markStateClean(): void {
    this.scratchedRegs = 0;
    this.scratchedLo = 0;
    this.scratchedHi = 0;
  }
  markStateScratched(): void {
    this.scratchedRegs = 0x7ff;
    this.scratchedLo = -1;
    this.scratchedHi = -1;
  }

  /** verbose_linfo(): the source line of an instruction, unless it was the last one printed. */
  verboseLine(insnIdx: number, prefix: string): void {
    const line = lineInfoText(this.input, insnIdx);
    if (!line || line.key === this.lastLine) return;
    this.lastLine = line.key;
    this.verbose(`${prefix}${line.text}\n`);
  }

  /** Address of a register of the running frame. */
  reg(regno: number): Reg {
    return this.R.regAt(this.cur.frames[this.cur.curframe], regno);
  }

  /** Subprogram number of the running frame. */
  get curSubprog(): number {
    return this.R.get(this.cur.frame, F_SUBPROGNO);
  }

  updatePeakStates(): void {
    this.peakStates = Math.max(this.peakStates, this.exploredStatesSize + this.freeListSize + this.numBackedges);
  }

  /** A state left its list; its memory goes when no path and no pending back-edge descends from it. */
  retire(state: VState): void {
    this.freeListSize++;
    if (state.branches === 0) this.freeRetired(state);
  }

  freeRetired(state: VState): void {
    this.freeListSize--;
    this.retired.push(state);
    if (this.numBackedges === 0) this.sweepRetired();
  }

  sweepRetired(): void {
    for (const state of this.retired) this.freeState(state);
    this.retired.length = 0;
  }

  /** Gives the frames back, and the object to the next clone. */
  freeState(state: VState): void {
    for (const frame of state.frames) this.R.freeFrame(frame);
    state.forget();
    this.statePool.push(state);
  }

  /** Appends to the log (no newline is added). */
  verbose(text: string): void {
    this.log.write(text);
  }

  /** Writes the message and ends this path (the program is refused, unless the path is speculative). */
  reject(errno: Errno, message: string): never {
    this.log.write(`${message}\n`);
    throw new Reject(errno, message);
  }

  /** Ends this path; the message was written before. */
  rejectSilently(errno: Errno): never {
    throw new Reject(errno, "");
  }

  mapIndex(map: VerifierMap): number {
    let idx = this.mapIds.get(map);
    if (idx === undefined) {
      idx = this.maps.length;
      this.maps.push(map);
      this.mapIds.set(map, idx);
    }
    return idx;
  }

  mapAt(idx: number): VerifierMap {
    return this.maps[idx]!;
  }

  /** Map of a CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE or PTR_TO_MAP_KEY. */
  mapOf(reg: Reg): VerifierMap {
    return this.maps[this.R.mapIdx(reg)]!;
  }

  btfIndex(btf: Btf): number {
    let idx = this.btfIds.get(btf);
    if (idx === undefined) {
      idx = this.btfs.length;
      this.btfs.push(btf);
      this.btfIds.set(btf, idx);
    }
    return idx;
  }

  btfAt(idx: number): Btf {
    return this.btfs[idx]!;
  }

  btfOf(reg: Reg): Btf {
    return this.btfs[this.R.btfIdx(reg)]!;
  }
}
