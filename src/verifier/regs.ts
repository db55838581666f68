/**
 * Registers: making them unknown, known, uninitialised; reading them in instructions; walking over all of them.
 *
 * Source   kernel/bpf/verifier.c: __mark_reg_unknown, check_reg_arg, bpf_for_each_reg_in_vstate, clear_all_pkt_pointers.
 */
import { BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_SOCKMAP, BPF_MAP_TYPE_XSKMAP } from "../abi/bpf.ts";
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import {
  BASE_TYPE_MASK,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_SKB_META,
  DYNPTR_TYPE_XDP,
  MEM_ALLOC,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";
import { hasField } from "./btf_record.ts";
import type { VerifierEnv } from "./env.ts";
import {
  BPF_ADD_CONST,
  MAX_BPF_REG,
  R_FRAMENO,
  R_ID,
  R_OFF,
  R_PRECISE,
  R_S32_MAX,
  R_S32_MIN,
  R_SMAX,
  R_SMIN,
  R_U0,
  R_U1,
  R_U2,
  R_U3,
  R_U32_MAX,
  R_U32_MIN,
  R_UMAX,
  R_UMIN,
} from "./layout.ts";
import {
  baseType,
  CONST_PTR_TO_MAP,
  isPktPointer,
  NOT_INIT,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET_END,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  SCALAR_VALUE,
  STACK_SPILL,
} from "./reg_type.ts";
import type { Frame, Reg, VState } from "./state.ts";

export const SRC_OP = 0;
export const DST_OP = 1;
/** Checks, but leaves the register as it is. */
export const DST_OP_NO_MARK = 2;

/** An unknown scalar; precise at once when the program's loader may not use imprecise ones. */
export function markRegUnknown(env: VerifierEnv, reg: Reg): void {
  const subreg = env.R.subregDef(reg);
  env.R.wasm.reg_unknown(reg, env.bpfCapable ? 0 : 1);
  env.R.setSubregDef(reg, subreg);
}

export function markRegNotInit(env: VerifierEnv, reg: Reg): void {
  markRegUnknown(env, reg);
  env.R.setType(reg, NOT_INIT);
}

/** Constant: tnum and ranges known, no id; type and offset stay. __mark_reg_known(). */
export function markRegKnown(env: VerifierEnv, reg: Reg, value: number): void {
  env.R.setId(reg, 0);
  env.R.setRefObjId(reg, 0);
  clearTypeWords(env, reg);
  env.R.setConst(reg, value);
}

/** off, u0..u3 = 0. */
function clearTypeWords(env: VerifierEnv, reg: Reg): void {
  const i32 = env.R.i32;
  i32[(reg + R_OFF) >> 2] = 0;
  i32[(reg + R_U0) >> 2] = 0;
  i32[(reg + R_U1) >> 2] = 0;
  i32[(reg + R_U2) >> 2] = 0;
  i32[(reg + R_U3) >> 2] = 0;
}

/** Variable part 0, as for a fresh pointer; the caller sets the type. __mark_reg_known_zero(). */
export function markRegKnownZero(env: VerifierEnv, reg: Reg): void {
  markRegKnown(env, reg, 0);
}

/** The scalar `value` (a safe integer). */
export function markRegConst(env: VerifierEnv, reg: Reg, value: number): void {
  markRegKnown(env, reg, value);
  env.R.setType(reg, SCALAR_VALUE);
  env.R.setPrecise(reg, !env.bpfCapable);
}

/** The scalar 0; __mark_reg_const_zero(). */
export function markRegConstZero(env: VerifierEnv, reg: Reg): void {
  markRegConst(env, reg, 0);
}

export function boundsSync(env: VerifierEnv, reg: Reg): void {
  env.R.wasm.bounds_sync(reg);
}

function hex(v: bigint): string {
  return `0x${BigInt.asUintN(64, v).toString(16)}`;
}

const VIOLATIONS = [
  "",
  "range bounds violation",
  "const tnum out of sync with range bounds",
  "const subreg tnum out of sync with range bounds",
];

/** Contradicting ranges come from dead branches; they are forgotten. reg_bounds_sanity_check(). */
export function boundsSanityCheck(env: VerifierEnv, reg: Reg, ctx: string): void {
  const R = env.R;
  const bad = R.wasm.bounds_violation(reg);
  if (bad === 0) return;
  const h32 = (v: number) => `0x${(v >>> 0).toString(16)}`;
  env.verbose(
    `verifier bug: REG INVARIANTS VIOLATION (${ctx}): ${VIOLATIONS[bad]} u64=[${hex(R.big(reg + R_UMIN, false))}, ${hex(R.big(reg + R_UMAX, false))}] ` +
      `s64=[${hex(R.big(reg + R_SMIN, false))}, ${hex(R.big(reg + R_SMAX, false))}] u32=[${h32(R.u32min(reg))}, ${h32(R.u32max(reg))}] ` +
      `s32=[${h32(R.s32min(reg))}, ${h32(R.s32max(reg))}] var_off=(${hex(R.big(reg + 24, false))}, ${hex(R.big(reg + 32, false))})\n`,
  );
  if (env.testRegInvariants) env.rejectSilently(EFAULT);
  forgetRanges(env, reg);
}

/** __mark_reg_unbounded(): ranges go, the tnum stays. */
function forgetRanges(env: VerifierEnv, reg: Reg): void {
  const { i32 } = env.R;
  i32[(reg + R_SMIN) >> 2] = 0;
  i32[(reg + R_SMIN + 4) >> 2] = -2147483648;
  i32[(reg + R_SMAX) >> 2] = -1;
  i32[(reg + R_SMAX + 4) >> 2] = 0x7fffffff;
  i32[(reg + R_UMIN) >> 2] = 0;
  i32[(reg + R_UMIN + 4) >> 2] = 0;
  i32[(reg + R_UMAX) >> 2] = -1;
  i32[(reg + R_UMAX + 4) >> 2] = -1;
  i32[(reg + R_S32_MIN) >> 2] = -2147483648;
  i32[(reg + R_S32_MAX) >> 2] = 0x7fffffff;
  i32[(reg + R_U32_MIN) >> 2] = 0;
  i32[(reg + R_U32_MAX) >> 2] = -1;
}

function store64(env: VerifierEnv, addr: number, value: number): void {
  env.R.i32[addr >> 2] = value | 0;
  env.R.i32[(addr + 4) >> 2] = Math.floor(value / 4294967296);
}

/** Narrows the signed 64-bit range to min..max (safe integers) and deduces the rest. */
export function narrowS64(env: VerifierEnv, reg: Reg, min: number, max: number): void {
  const R = env.R;
  if (R.smin(reg) < min) store64(env, reg + R_SMIN, min);
  if (R.smax(reg) > max) store64(env, reg + R_SMAX, max);
  R.wasm.bounds_sync(reg);
}

/** Sets the 64-bit ranges (signed and unsigned alike) to min..max, 0 <= min, and deduces the rest. */
export function setRange64(env: VerifierEnv, reg: Reg, min: number, max: number): void {
  store64(env, reg + R_SMIN, min);
  store64(env, reg + R_SMAX, max);
  store64(env, reg + R_UMIN, min);
  store64(env, reg + R_UMAX, max);
}

/** __mark_reg_s32_range(): the register is within min..max in both widths. */
export function narrowS32(env: VerifierEnv, reg: Reg, min: number, max: number, what: string): void {
  const R = env.R;
  if (R.s32min(reg) < min) R.i32[(reg + R_S32_MIN) >> 2] = min;
  if (R.s32max(reg) > max) R.i32[(reg + R_S32_MAX) >> 2] = max;
  narrowS64(env, reg, min, max);
  boundsSanityCheck(env, reg, what);
}

/** A scalar's link to others goes. */
export function clearScalarId(env: VerifierEnv, reg: Reg): void {
  env.R.i32[(reg + R_ID) >> 2] = 0;
  env.R.i32[(reg + R_OFF) >> 2] = 0;
}

/** Before a copy: the source gets an id, so that both are known to be the same number. assign_scalar_id_before_mov(). */
export function assignScalarIdBeforeMov(env: VerifierEnv, src: Reg): void {
  const R = env.R;
  if (R.type(src) !== SCALAR_VALUE) return;
  if (R.id(src) & BPF_ADD_CONST) clearScalarId(env, src);
  if (R.id(src) === 0 && !R.isConst(src)) R.setId(src, ++env.idGen);
}

/** Copies everything but the destination's subreg_def. */
export function copyRegisterState(env: VerifierEnv, dst: Reg, src: Reg): void {
  env.R.copyReg(dst, src);
}

/** Pointers leak unless the loader may leak them. */
export function isPointerValue(env: VerifierEnv, regno: number): boolean {
  return !env.allowPtrLeaks && env.R.type(env.reg(regno)) !== SCALAR_VALUE;
}

/** @throws Reject when a source was never written, or the frame pointer would be */
export function checkRegArg(env: VerifierEnv, regno: number, op: number): void {
  if (regno >= MAX_BPF_REG) env.reject(EINVAL, `R${regno} is invalid`);
  const reg = env.reg(regno);
  env.scratchedRegs |= 1 << regno;
  if (op === SRC_OP) {
    if (env.R.type(reg) === NOT_INIT) env.reject(EACCES, `R${regno} !read_ok`);
    return;
  }
  if (regno === 10) env.reject(EACCES, "frame pointer is read only");
  if (op === DST_OP) markRegUnknown(env, reg);
}

/** r1..r5 after a call. */
export const CALLER_SAVED = [0, 1, 2, 3, 4, 5];

/** A fresh frame: no registers but r10. init_reg_state(). */
export function initRegs(env: VerifierEnv, frame: Frame, frameno: number): void {
  const R = env.R;
  for (let i = 0; i < MAX_BPF_REG; i++) markRegNotInit(env, R.regAt(frame, i));
  const fp = R.regAt(frame, 10);
  markRegKnownZero(env, fp);
  R.setType(fp, PTR_TO_STACK);
  R.i32[(fp + R_FRAMENO) >> 2] = frameno;
  R.i32[(fp + R_PRECISE) >> 2] = 0;
}

/** Every register and every spilled register of every frame. bpf_for_each_reg_in_vstate(). */
export function forEachReg(env: VerifierEnv, state: VState, visit: (reg: Reg, frame: Frame) => void): void {
  const R = env.R;
  for (let f = 0; f <= state.curframe; f++) {
    const frame = state.frames[f];
    for (let i = 0; i < MAX_BPF_REG; i++) visit(R.regAt(frame, i), frame);
    const slots = R.stackSlots(frame);
    for (let spi = 0; spi < slots; spi++) {
      if (R.slotType(frame, spi, 7) === STACK_SPILL) visit(R.slotAt(frame, spi), frame);
    }
  }
}

/** Slices of packet dynptrs. */
const PKT_SLICE = DYNPTR_TYPE_SKB | DYNPTR_TYPE_XDP | DYNPTR_TYPE_SKB_META;

/** The call may have moved the packet: pointers into it are void. */
export function clearAllPktPointers(env: VerifierEnv): void {
  const R = env.R;
  forEachReg(env, env.cur, (reg) => {
    const type = R.type(reg);
    const slice = baseType(type) === PTR_TO_MEM && (type & PKT_SLICE) !== 0;
    if (isPktPointer(type) || baseType(type) === PTR_TO_PACKET_END || slice) markRegInvalid(env, reg);
  });
}

/** mark_reg_invalid(): with leaks allowed a void pointer is a number, else it cannot be used at all. */
export function markRegInvalid(env: VerifierEnv, reg: Reg): void {
  if (env.allowPtrLeaks) markRegUnknown(env, reg);
  else markRegNotInit(env, reg);
}

/** Maps whose lookup gives no value but a socket. */
const LOOKUP_TYPES: Readonly<Record<number, number>> = {
  [BPF_MAP_TYPE_XSKMAP]: PTR_TO_XDP_SOCK,
  [BPF_MAP_TYPE_SOCKMAP]: PTR_TO_SOCKET,
  [BPF_MAP_TYPE_SOCKHASH]: PTR_TO_SOCKET,
};

/** The pointer was found not to be NULL. mark_ptr_not_null_reg(). */
export function markPtrNotNull(env: VerifierEnv, reg: Reg): void {
  const R = env.R;
  const type = R.type(reg);
  if (baseType(type) !== PTR_TO_MAP_VALUE) {
    R.setType(reg, type & ~PTR_MAYBE_NULL);
    return;
  }
  const map = env.mapOf(reg);
  if (map.inner) {
    // A lookup in a map of maps gives a map. Its timers belong to this one inner map, which the id tells apart.
    R.setType(reg, CONST_PTR_TO_MAP);
    const timed = hasField(env.facts.mapRecord(map.inner), "timer", "wq", "task_work");
    R.setMap(reg, env.mapIndex(map.inner), timed ? R.id(reg) : R.mapUid(reg));
  } else {
    R.setType(reg, LOOKUP_TYPES[map.type] ?? PTR_TO_MAP_VALUE);
  }
}

/** reg_not_null(): a pointer that cannot be NULL. */
export function regNotNull(env: VerifierEnv, reg: Reg): boolean {
  const R = env.R;
  const type = R.type(reg);
  if (type & PTR_MAYBE_NULL) return false;
  switch (baseType(type)) {
    case PTR_TO_SOCKET:
    case PTR_TO_XDP_SOCK:
    case PTR_TO_TCP_SOCK:
    case PTR_TO_MAP_VALUE:
    case PTR_TO_MAP_KEY:
    case PTR_TO_SOCK_COMMON:
    case CONST_PTR_TO_MAP:
      return true;
    case PTR_TO_BTF_ID:
      return isTrustedReg(env, reg);
    case PTR_TO_MEM:
      return (type & PTR_UNTRUSTED) === 0;
    default:
      return false;
  }
}

const TRUSTED = PTR_TRUSTED | MEM_ALLOC | NON_OWN_REF;

/** is_trusted_reg(): a reference, or a pointer whose flags say that the object is alive. */
export function isTrustedReg(env: VerifierEnv, reg: Reg): boolean {
  const type = env.R.type(reg);
  if (env.R.refObjId(reg)) return true;
  return (type & TRUSTED) !== 0 && (type & ~(BASE_TYPE_MASK | TRUSTED)) === 0;
}
