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
 * What the families may use of the core (families -> core); r is a Reg, regno 0..10:
 *   regs.ts       markRegUnknown(env, r), markRegNotInit(env, r), markRegKnownZero(env, r), markRegConst(env, r, n),
 *                 markPtrNotNull(env, r), checkRegArg(env, regno, SRC_OP | DST_OP | DST_OP_NO_MARK), boundsSync(env, r),
 *                 forEachReg(env, state, (r, frame) => ...) (registers and spilled pointers of every frame),
 *                 clearAllPktPointers(env), setReturnRange: setS64Range(env, r, min, max) etc. as RegOps
 *   branch.ts     pushStack(env, insnIdx, prevInsnIdx, speculative): VState, pushAsyncCb(env, insnIdx, prevInsnIdx, subprog,
 *                 isSleepable): VState; both return the pushed state, whose frames may be edited with env.R
 *   mem.ts        checkMemAccess(env, insnIdx, regno, off, bpfSize, BPF_READ | BPF_WRITE, valueRegno, strictAlignmentOnce,
 *                 isLdsx), checkMemRegionAccess(env, regno, off, size, memSize, zeroSizeAllowed), checkMapAccess(env, regno,
 *                 off, size, zeroSizeAllowed, src: ACCESS_DIRECT | ACCESS_HELPER), checkPacketAccess(env, regno, off, size,
 *                 zeroSizeAllowed), checkPtrOffReg(env, r, regno, fixedOffOk = false),
 *                 checkHelperMemAccess(env, regno, size, t, zeroSizeAllowed, meta?), checkMemSizeReg(env, r, regno, t,
 *                 zeroSizeAllowed, meta?), checkMemReg(env, r, regno, memSize), mayAccessDirectPktData(env, meta, t)
 *   stack.ts      checkStackRangeInitialized(env, regno, off, size, zeroSizeAllowed, t, meta?), markStackSlotScratched
 *   precision.ts  markChainPrecision(env, regno)
 *   jmp.ts        markPtrOrNullRegs(env, state, id, isNull)
 *   regtypes      regTypeStr(type) in reg_type.ts
 * meta is RawMode { rawMode, regno, accessSize } of mem.ts: set rawMode for a buffer that the helper fills.
 */
import type { Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Insns } from "../isa/insns.ts";
import { Reject } from "./error.ts";
import { F_SUBPROGNO } from "./layout.ts";
import type { VerifierLog } from "./log.ts";
import type { Limits, MapRef, Platform, VerifierMap, VerifyInput } from "./platform.ts";
import { type Reg, StateMem, VState } from "./state.ts";
import type { VerifierWasm } from "./wasm.ts";

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

/** alu_state bits of an instruction (sanitation, for the unprivileged). */
export interface InsnAux {
  /** Map index + 1 given to a helper call; -1 = different ones (poisoned). */
  mapPtr: Int32Array;
}

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

  /** Source of ids for registers, references, dynptrs: ++env.idGen. */
  idGen = 0;

  // Counters.
  insnProcessed = 0;
  jmpsProcessed = 0;
  totalStates = 0;
  peakStates = 0;
  exploredStates = 0;
  maxStatesPerInsn = 0;

  constructor(input: VerifyInput, wasm: VerifierWasm, log: VerifierLog) {
    const n = input.insns.length;
    this.input = input;
    this.platform = input.platform;
    this.limits = input.platform.limits;
    this.insns = input.insns;
    this.R = new StateMem(wasm);
    this.log = log;
    this.subprogOf = new Int32Array(n);
    this.allowPtrLeaks = input.caps.perfmon;
    this.allowUninitStack = input.caps.perfmon;
    this.bypassSpecV1 = input.caps.perfmon;
    this.bypassSpecV4 = input.caps.perfmon;
    this.bpfCapable = input.caps.bpf;
    this.strictAlignment = (input.progFlags & 1) !== 0;
    this.seen = new Uint8Array(n);
    this.probeMem = new Uint8Array(n);
    this.ptrType = new Int32Array(n);
    this.callMap = new Int32Array(n);
  }

  /** Address of a register of the running frame. */
  reg(regno: number): Reg {
    return this.R.regAt(this.cur.frames[this.cur.curframe], regno);
  }

  /** Subprogram number of the running frame. */
  get curSubprog(): number {
    return this.R.get(this.cur.frame, F_SUBPROGNO);
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
