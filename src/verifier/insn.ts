/**
 * One instruction on the running state (do_check_insn): dispatch by class, fields that must be zero, loads, stores,
 * atomics, legacy packet loads, calls and exits.
 *
 * Each handler leaves env.insnIdx at the instruction to go on with.
 */
import { BPF_PROG_TYPE_SCHED_ACT, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER } from "../abi/bpf.ts";
import { EACCES, EINVAL } from "../abi/errno.ts";
import { BASE_TYPE_MASK, MEM_ALLOC, MEM_RDONLY, PTR_TRUSTED, PTR_UNTRUSTED } from "../helpers/types.ts";
import { checkAluOp } from "./alu.ts";
import { pushStack } from "./branch.ts";
import { callFacts } from "./call_facts.ts";
import type { VerifierEnv } from "./env.ts";
import { checkHelperCall } from "./helper_call.ts";
import { checkCondJmp } from "./jmp.ts";
import { checkKfuncCall } from "./kfunc_call.ts";
import { checkLdImm } from "./ldimm64.ts";
import { checkMemAccess, checkPtrOffReg } from "./mem.ts";
import { checkResourceLeak } from "./refs.ts";
import {
  BPF_READ,
  BPF_WRITE,
  baseType,
  isPktPointer,
  isSkPointer,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_MEM,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  regTypeStr,
} from "./reg_type.ts";
import {
  boundsSanityCheck,
  CALLER_SAVED,
  checkRegArg,
  DST_OP,
  DST_OP_NO_MARK,
  isPointerValue,
  markRegConstZero,
  markRegNotInit,
  markRegUnknown,
  SRC_OP,
} from "./regs.ts";
import { checkReturnCode } from "./return_range.ts";
import { checkFuncCall, prepareFuncExit } from "./subprog_call.ts";

/** How an instruction ends. */
export const GO_ON = 0;
/** The path is finished. */
export const PATH_END = 1;
/** Back in a caller: the log shows the whole state. */
export const RETURNED = 2;

const MODE_MEM = 0x60;
const MODE_MEMSX = 0x80;
const MODE_ATOMIC = 0xc0;
const BPF_CMPXCHG = 0xf1;
const BPF_FETCH = 1;
const BPF_LOAD_ACQ = 0x100;
const BPF_STORE_REL = 0x110;
/** add, and, or, xor, each with and without fetch; xchg. */
const RMW_OPS = new Set([0x00, 0x01, 0x50, 0x51, 0x40, 0x41, 0xa0, 0xa1, 0xe1, BPF_CMPXCHG]);

export function checkInsn(env: VerifierEnv, i: number): number {
  const { code } = env.insns;
  const c = code[i];
  switch (c & 7) {
    case 4:
    case 7:
      checkAluOp(env, i);
      env.insnIdx = i + 1;
      return GO_ON;
    case 1:
      checkLoad(env, i, false, (c & 0xe0) === MODE_MEMSX, true, "ldx");
      env.insnIdx = i + 1;
      return GO_ON;
    case 3:
      if ((c & 0xe0) === MODE_ATOMIC) checkAtomic(env, i);
      else {
        if ((c & 0xe0) !== MODE_MEM || env.insns.imm[i] !== 0) env.reject(EINVAL, "BPF_STX uses reserved fields");
        checkStore(env, i, false);
      }
      env.insnIdx = i + 1;
      return GO_ON;
    case 2:
      checkStoreImm(env, i);
      env.insnIdx = i + 1;
      return GO_ON;
    case 5:
    case 6:
      return checkJump(env, i);
    default:
      return checkLd(env, i);
  }
}

/** These are compiled differently for each kind of pointer, so an instruction keeps to one. */
const EXCLUSIVE = new Set([
  PTR_TO_CTX,
  PTR_TO_SOCKET,
  PTR_TO_SOCK_COMMON,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  PTR_TO_BTF_ID,
  PTR_TO_ARENA,
]);

function memOrBtf(type: number): boolean {
  const base = type & BASE_TYPE_MASK;
  return base === PTR_TO_MEM || base === PTR_TO_BTF_ID;
}

/** save_aux_ptr_type(). */
function savePtrType(env: VerifierEnv, type: number, allowTrustMismatch: boolean): void {
  const i = env.insnIdx;
  const prev = env.ptrType[i];
  if (prev === 0) {
    env.ptrType[i] = type;
  } else if (type !== prev && (EXCLUSIVE.has(baseType(type)) || EXCLUSIVE.has(baseType(prev)))) {
    if (!allowTrustMismatch || !memOrBtf(type) || !memOrBtf(prev)) {
      env.reject(EINVAL, "same insn cannot be used with different pointers");
    }
    // One path trusts the pointer, another does not: the load must survive both.
    const base = baseType(type) === PTR_TO_MEM || baseType(prev) === PTR_TO_MEM ? PTR_TO_MEM : PTR_TO_BTF_ID;
    env.ptrType[i] = base | ((type | prev) & (PTR_UNTRUSTED | MEM_RDONLY));
  }
}

/** May a load through this type meet a bad address? */
export function needsProbe(type: number): boolean {
  return (
    type === PTR_TO_BTF_ID ||
    type === (PTR_TO_BTF_ID | PTR_UNTRUSTED) ||
    type === (PTR_TO_BTF_ID | MEM_ALLOC | PTR_UNTRUSTED) ||
    type === (PTR_TO_BTF_ID | PTR_TRUSTED) ||
    type === (PTR_TO_MEM | MEM_RDONLY | PTR_UNTRUSTED) ||
    type === (PTR_TO_MEM | PTR_UNTRUSTED)
  );
}

function checkLoad(
  env: VerifierEnv,
  i: number,
  strictOnce: boolean,
  isLdsx: boolean,
  trustMismatch: boolean,
  what: string,
): void {
  const { code, dst, src, off } = env.insns;
  checkRegArg(env, src[i], SRC_OP);
  checkRegArg(env, dst[i], DST_OP_NO_MARK);
  const type = env.R.type(env.reg(src[i]));
  checkMemAccess(env, i, src[i], off[i], code[i] & 0x18, BPF_READ, dst[i], strictOnce, isLdsx);
  savePtrType(env, type, trustMismatch);
  boundsSanityCheck(env, env.reg(dst[i]), what);
}

function checkStore(env: VerifierEnv, i: number, strictOnce: boolean): void {
  const { code, dst, src, off } = env.insns;
  checkRegArg(env, src[i], SRC_OP);
  checkRegArg(env, dst[i], SRC_OP);
  const type = env.R.type(env.reg(dst[i]));
  checkMemAccess(env, i, dst[i], off[i], code[i] & 0x18, BPF_WRITE, src[i], strictOnce, false);
  savePtrType(env, type, false);
}

function checkStoreImm(env: VerifierEnv, i: number): void {
  const { code, dst, src, off } = env.insns;
  if ((code[i] & 0xe0) !== MODE_MEM || src[i] !== 0) env.reject(EINVAL, "BPF_ST uses reserved fields");
  checkRegArg(env, dst[i], SRC_OP);
  const type = env.R.type(env.reg(dst[i]));
  checkMemAccess(env, i, dst[i], off[i], code[i] & 0x18, BPF_WRITE, -1, false, false);
  savePtrType(env, type, false);
}

/** Memory that is not plain memory knows no atomics. */
function atomicPtrOk(type: number): boolean {
  return type !== PTR_TO_CTX && !isPktPointer(type) && type !== PTR_TO_FLOW_KEYS && !isSkPointer(type);
}

function checkAtomic(env: VerifierEnv, i: number): void {
  const { dst, src, imm } = env.insns;
  const R = env.R;
  if (imm[i] === BPF_LOAD_ACQ) {
    checkLoad(env, i, true, false, false, "atomic_load");
    const type = R.type(env.reg(src[i]));
    if (src[i] !== dst[i] && !atomicPtrOk(type)) {
      env.reject(EACCES, `BPF_ATOMIC loads from R${src[i]} ${regTypeStr(type)} is not allowed`);
    }
  } else if (imm[i] === BPF_STORE_REL) {
    checkStore(env, i, true);
    const type = R.type(env.reg(dst[i]));
    if (!atomicPtrOk(type)) {
      env.reject(EACCES, `BPF_ATOMIC stores into R${dst[i]} ${regTypeStr(type)} is not allowed`);
    }
  } else if (RMW_OPS.has(imm[i])) {
    checkAtomicRmw(env, i);
  } else {
    env.reject(EINVAL, `BPF_ATOMIC uses invalid atomic opcode ${(imm[i] >>> 0).toString(16).padStart(2, "0")}`);
  }
}

function checkAtomicRmw(env: VerifierEnv, i: number): void {
  const { code, dst, src, off, imm } = env.insns;
  const size = code[i] & 0x18;
  if (size !== 0x00 && size !== 0x18) env.reject(EINVAL, "invalid atomic operand size");
  checkRegArg(env, src[i], SRC_OP);
  checkRegArg(env, dst[i], SRC_OP);
  if (imm[i] === BPF_CMPXCHG) {
    checkRegArg(env, 0, SRC_OP);
    if (isPointerValue(env, 0)) env.reject(EACCES, "R0 leaks addr into mem");
  }
  if (isPointerValue(env, src[i])) env.reject(EACCES, `R${src[i]} leaks addr into mem`);
  const type = env.R.type(env.reg(dst[i]));
  if (!atomicPtrOk(type)) {
    env.reject(EACCES, `BPF_ATOMIC stores into R${dst[i]} ${regTypeStr(type)} is not allowed`);
  }
  let loadReg = -1;
  if (imm[i] & BPF_FETCH) {
    loadReg = imm[i] === BPF_CMPXCHG ? 0 : src[i];
    checkRegArg(env, loadReg, DST_OP);
  }
  // Readable at all, then as the value the register gets, then writable.
  checkMemAccess(env, i, dst[i], off[i], size, BPF_READ, -1, true, false);
  if (loadReg >= 0) checkMemAccess(env, i, dst[i], off[i], size, BPF_READ, loadReg, true, false);
  savePtrType(env, env.R.type(env.reg(dst[i])), false);
  checkMemAccess(env, i, dst[i], off[i], size, BPF_WRITE, -1, true, false);
}

function checkJump(env: VerifierEnv, i: number): number {
  const { code, dst, src, off, imm } = env.insns;
  const c = code[i];
  const op = c & 0xf0;
  const jmp32 = (c & 7) === 6;
  env.jmpsProcessed++;
  if (op === 0x80) {
    const kfunc = src[i] === 2;
    if (c & 8 || (!kfunc && off[i] !== 0) || src[i] > 2 || dst[i] !== 0 || jmp32) {
      env.reject(EINVAL, "BPF_CALL uses reserved fields");
    }
    return checkCall(env, i);
  }
  if (op === 0x00) {
    if (c & 8 || src[i] || dst[i] || (jmp32 ? off[i] : imm[i]) !== 0) {
      env.reject(EINVAL, "BPF_JA uses reserved fields");
    }
    env.insnIdx = i + 1 + (jmp32 ? imm[i] : off[i]);
    return GO_ON;
  }
  if (op === 0x90) {
    if (c & 8 || imm[i] !== 0 || src[i] || dst[i] || jmp32) env.reject(EINVAL, "BPF_EXIT uses reserved fields");
    return checkExit(env, false);
  }
  checkCondJmp(env, i);
  return GO_ON;
}

function checkCall(env: VerifierEnv, i: number): number {
  const { src } = env.insns;
  if (src[i] === 1) {
    checkFuncCall(env, i);
  } else if (src[i] === 2) {
    env.insnIdx = i;
    checkKfuncCall(env, i);
    if (callFacts(env, i)?.throws) return checkExit(env, true);
    if (env.insnIdx === i) env.insnIdx = i + 1;
  } else {
    env.insnIdx = i;
    checkHelperCall(env, i);
    if (env.insnIdx === i) env.insnIdx = i + 1;
  }
  env.scratchedRegs |= 1;
  return GO_ON;
}

/** BPF_EXIT, or bpf_throw() which leaves all functions at once. */
function checkExit(env: VerifierEnv, exception: boolean): number {
  checkResourceLeak(
    env,
    exception,
    exception || env.cur.curframe === 0,
    exception ? "bpf_throw" : "BPF_EXIT instruction in main prog",
  );
  if (exception) return PATH_END;
  if (env.cur.curframe) {
    // What the callee read and wrote becomes the call's, while the call chain is known.
    env.stackLive.update(env);
    prepareFuncExit(env);
    return RETURNED;
  }
  checkReturnCode(env, 0, "R0");
  return PATH_END;
}

function checkLd(env: VerifierEnv, i: number): number {
  const mode = env.insns.code[i] & 0xe0;
  if (mode === 0) {
    checkLdImm(env, i);
    if (!env.cur.speculative) env.seen[i + 1] = 1;
    env.insnIdx = i + 2;
    return GO_ON;
  }
  if (mode !== 0x20 && mode !== 0x40) env.reject(EINVAL, "invalid BPF_LD mode");
  return checkLdAbs(env, i, mode);
}

const MAY_ACCESS_SKB = new Set([BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SCHED_ACT]);
const BPF_IND = 0x40;
const CTX_REG = 6;

/** Legacy packet loads: r6 is the skb, r0 the value; a short packet ends the function with 0. check_ld_abs(). */
function checkLdAbs(env: VerifierEnv, i: number, mode: number): number {
  const { code, dst, src, off } = env.insns;
  const R = env.R;
  if (!MAY_ACCESS_SKB.has(env.facts.type)) {
    env.reject(EINVAL, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
  }
  if (dst[i] !== 0 || off[i] !== 0 || (code[i] & 0x18) === 0x18 || (mode !== BPF_IND && src[i] !== 0)) {
    env.reject(EINVAL, "BPF_LD_[ABS|IND] uses reserved fields");
  }
  checkRegArg(env, CTX_REG, SRC_OP);
  checkResourceLeak(env, false, true, "BPF_LD_[ABS|IND]");
  if (R.type(env.reg(CTX_REG)) !== PTR_TO_CTX) {
    env.reject(EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
  }
  if (mode === BPF_IND) checkRegArg(env, src[i], SRC_OP);
  checkPtrOffReg(env, env.reg(CTX_REG), CTX_REG);
  for (const regno of CALLER_SAVED) {
    markRegNotInit(env, env.reg(regno));
    checkRegArg(env, regno, DST_OP_NO_MARK);
  }
  markRegUnknown(env, env.reg(0));
  env.insnIdx = i + 1;
  if (env.cur.curframe) {
    pushStack(env, i + 1, i, false);
    markRegConstZero(env, env.reg(0));
    env.insnIdx = i;
    env.stackLive.update(env);
    prepareFuncExit(env);
  }
  return GO_ON;
}
