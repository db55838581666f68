/**
 * Pointer arithmetic of programs whose loader may not leak addresses: the CPU may guess a branch wrong and run an
 * addition with another path's operands, so limits are noted per instruction and a speculative path is explored in
 * which the addition did not happen.
 *
 * Source   kernel/bpf/verifier.c: sanitize_ptr_alu, sanitize_val_alu, sanitize_check_bounds.
 */
import { EACCES, ENOMEM } from "../abi/errno.ts";
import { pushStack } from "./branch.ts";
import { NOSPEC, type VerifierEnv } from "./env.ts";
import { Reject } from "./error.ts";
import { MAX_BPF_STACK } from "./layout.ts";
import { ACCESS_HELPER, checkMapAccess } from "./mem.ts";
import { tnumStr } from "./print_state.ts";
import { PTR_TO_MAP_VALUE, PTR_TO_STACK } from "./reg_type.ts";
import { markRegUnknown } from "./regs.ts";
import type { Reg } from "./state.ts";

const ALU_SANITIZE_SRC = 1;
const ALU_SANITIZE_DST = 2;
const ALU_NEG_VALUE = 4;
const ALU_NON_POINTER = 8;
const ALU_IMMEDIATE = 16;

/** What the first half of a check leaves for the second. */
export interface SanitizeInfo {
  readonly maskToLeft: boolean;
  readonly state: number;
  readonly limit: number;
}

function canSkip(env: VerifierEnv, i: number): boolean {
  return env.bypassSpecV1 || !(env.insns.code[i] & 8) || env.has(i, NOSPEC);
}

const WHY = "pointer arithmetic with it prohibited for !root";

/** sanitize_err(): why no mask can be found for the operation. */
function refuse(env: VerifierEnv, i: number, reason: "bounds" | "type" | "paths" | "limit", offIsDst: boolean): never {
  const { code, dst, src } = env.insns;
  const op = (code[i] & 0xf0) === 0 ? "add" : "sub";
  const d = dst[i];
  const s = src[i];
  const text = {
    bounds: `R${offIsDst ? d : s} has unknown scalar with mixed signed bounds, ${WHY}`,
    type: `R${offIsDst ? s : d} has pointer with unsupported alu operation, ${WHY}`,
    paths: `R${d} tried to ${op} from different maps, paths or scalars, ${WHY}`,
    limit: `R${d} tried to ${op} beyond pointer bounds, ${WHY}`,
  };
  return env.reject(EACCES, text[reason]);
}

/** The same limit on every path; else false. */
function noteLimit(env: VerifierEnv, i: number, state: number, limit: number): boolean {
  if (env.aluState[i] && (env.aluState[i] !== state || env.aluLimit[i] !== limit)) return false;
  env.aluState[i] = state;
  env.aluLimit[i] = limit;
  return true;
}

/** Addition of two scalars. */
export function sanitizeValAlu(env: VerifierEnv, i: number): void {
  if (canSkip(env, i)) return;
  if (!noteLimit(env, i, ALU_NON_POINTER, 0)) refuse(env, i, "paths", false);
}

/** How far the pointer may move in the direction of the operation, or why that cannot be told. */
function ptrLimit(env: VerifierEnv, preg: Reg, toLeft: boolean): number | "type" | "limit" {
  const R = env.R;
  let max: number;
  let limit: number;
  if (R.type(preg) === PTR_TO_STACK) {
    max = MAX_BPF_STACK + (toLeft ? 1 : 0);
    limit = -(R.value(preg) + R.off(preg));
  } else if (R.type(preg) === PTR_TO_MAP_VALUE) {
    max = env.mapOf(preg).valueSize;
    limit = (toLeft ? R.smin(preg) : R.umax(preg)) + R.off(preg);
  } else {
    return "type";
  }
  // u32 arithmetic: a negative limit is a huge one.
  limit >>>= 0;
  return limit >= max ? "limit" : limit;
}

/**
 * Before the operation (info undefined) and after it.
 * @returns what the second call needs; undefined when there is nothing more to do
 */
export function sanitizePtrAlu(
  env: VerifierEnv,
  i: number,
  preg: Reg,
  oreg: Reg,
  dreg: Reg,
  info: SanitizeInfo | undefined,
): SanitizeInfo | undefined {
  if (canSkip(env, i)) return undefined;
  const R = env.R;
  const commit = info !== undefined;
  const offIsImm = R.isConst(oreg);
  const offIsNeg = R.smin(oreg) < 0;
  const ptrIsDst = preg === dreg;
  let out = info;
  if (!env.cur.speculative) {
    // scalar += pointer: the scalar was the destination, and waits in a record of its own.
    const offIsDst = oreg === env.fakeReg[0] && (env.insns.code[i] & 8) !== 0;
    if (!commit && !offIsImm && R.smin(oreg) < 0 !== R.smax(oreg) < 0) refuse(env, i, "bounds", offIsDst);
    const isAdd = (env.insns.code[i] & 0xf0) === 0;
    const maskToLeft = info?.maskToLeft ?? (isAdd ? offIsNeg : !offIsNeg);
    const limit = ptrLimit(env, preg, maskToLeft);
    if (typeof limit === "string") refuse(env, i, limit, offIsDst);
    if (info) {
      if (!noteLimit(env, i, info.state, Math.abs(info.limit - limit))) refuse(env, i, "paths", offIsDst);
      return undefined;
    }
    let state = offIsNeg ? ALU_NEG_VALUE : 0;
    if (offIsImm) state |= ALU_IMMEDIATE;
    state |= ptrIsDst ? ALU_SANITIZE_SRC : ALU_SANITIZE_DST;
    if (!offIsImm) env.exploreAluLimits = true;
    out = { maskToLeft, state, limit };
  } else {
    if (commit) return undefined;
    out = { maskToLeft: false, state: 0, limit: 0 };
  }
  if (offIsImm) return out;
  // The mask may turn the scalar to 0: a path on which the pointer stays where it is.
  if (!ptrIsDst) {
    const tmp = env.fakeReg[1];
    R.copyReg(tmp, dreg);
    R.copyReg(dreg, preg);
    pushGuess(env, i);
    R.copyReg(dreg, tmp);
  } else {
    pushGuess(env, i);
  }
  return out;
}

/** The path on which the mask applies; when there are too many paths already, it is the arithmetic that is refused. */
function pushGuess(env: VerifierEnv, i: number): void {
  try {
    pushStack(env, env.insnIdx + 1, env.insnIdx, true);
  } catch (e) {
    if (!(e instanceof Reject)) throw e;
    env.reject(ENOMEM, `R${env.insns.dst[i]} could not be pushed for speculative verification, ${WHY}`);
  }
}

/** A path that a wrong guess takes past a decided branch; its operands may be anything. */
export function sanitizeSpeculativePath(env: VerifierEnv, i: number, nextIdx: number, currIdx: number): void {
  const state = pushStack(env, nextIdx, currIdx, true);
  const frame = state.frames[state.curframe];
  markRegUnknown(env, env.R.regAt(frame, env.insns.dst[i]));
  if (env.insns.code[i] & 8) markRegUnknown(env, env.R.regAt(frame, env.insns.src[i]));
}

/** sanitize_check_bounds(): the pointer itself may not leave its object. */
export function sanitizeCheckBounds(env: VerifierEnv, regno: number, reg: Reg): void {
  if (env.bypassSpecV1) return;
  const R = env.R;
  if (R.type(reg) === PTR_TO_STACK) {
    const off = R.off(reg) + R.value(reg);
    if (!R.isConst(reg)) {
      env.reject(
        EACCES,
        `R${regno} variable stack access prohibited for !root, var_off=${tnumStr(env, reg)} off=${off}`,
      );
    }
    if (off >= 0 || off < -MAX_BPF_STACK) {
      env.reject(EACCES, `R${regno} stack pointer arithmetic goes out of range, prohibited for !root; off=${off}`);
    }
  } else if (R.type(reg) === PTR_TO_MAP_VALUE) {
    try {
      checkMapAccess(env, regno, R.off(reg), 1, false, ACCESS_HELPER);
    } catch (e) {
      env.verbose(`R${regno} pointer arithmetic of map value goes out of range, prohibited for !root\n`);
      throw e;
    }
  }
}
