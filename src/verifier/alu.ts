/**
 * ALU instructions: scalars (ranges by the module's alu()), moves and sign extensions, pointers plus scalars.
 *
 * Source   kernel/bpf/verifier.c: check_alu_op, adjust_reg_min_max_vals, adjust_ptr_min_max_vals.
 */
import { EACCES, EINVAL } from "../abi/errno.ts";
import { PTR_MAYBE_NULL, PTR_UNTRUSTED } from "../helpers/types.ts";
import { pushStack } from "./branch.ts";
import type { VerifierEnv } from "./env.ts";
import { BPF_ADD_CONST, BPF_ADD_CONST32, BPF_ADD_CONST64, R_U0, R_U1, R_U2, R_U3 } from "./layout.ts";
import { markChainPrecision } from "./precision.ts";
import {
  baseType,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  isPktPointer,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  PTR_TO_TP_BUFFER,
  regTypeStr,
  SCALAR_VALUE,
} from "./reg_type.ts";
import {
  assignScalarIdBeforeMov,
  boundsSanityCheck,
  checkRegArg,
  clearScalarId,
  DST_OP,
  DST_OP_NO_MARK,
  isPointerValue,
  markRegConst,
  markRegKnown,
  markRegUnknown,
  SRC_OP,
} from "./regs.ts";
import { sanitizeCheckBounds, sanitizePtrAlu, sanitizeValAlu } from "./sanitize.ts";
import type { Reg } from "./state.ts";

const ALU = 4;
const ALU64 = 7;
const X = 8;

const OP_ADD = 0x00;
const OP_SUB = 0x10;
const OP_MUL = 0x20;
const OP_DIV = 0x30;
const OP_OR = 0x40;
const OP_AND = 0x50;
const OP_LSH = 0x60;
const OP_RSH = 0x70;
const OP_NEG = 0x80;
const OP_MOD = 0x90;
const OP_XOR = 0xa0;
const OP_MOV = 0xb0;
const OP_ARSH = 0xc0;
const OP_END = 0xd0;

/** bpf_alu_string[]. */
const ALU_NAMES: Record<number, string> = {
  [OP_ADD]: "+=",
  [OP_SUB]: "-=",
  [OP_MUL]: "*=",
  [OP_DIV]: "/=",
  [OP_OR]: "|=",
  [OP_AND]: "&=",
  [OP_LSH]: "<<=",
  [OP_RSH]: ">>=",
  [OP_NEG]: "neg",
  [OP_MOD]: "%=",
  [OP_XOR]: "^=",
  [OP_MOV]: "=",
  [OP_ARSH]: "s>>=",
  [OP_END]: "endian",
};

/** Pointers may not be moved further than this. */
export const BPF_MAX_VAR_OFF = 1 << 29;
const TWO32 = 4294967296;

/** Bits that an unsigned 64-bit number up to umax needs. get_reg_width(). */
export function regWidth(env: VerifierEnv, reg: Reg): number {
  const { u32 } = env.R;
  const hi = u32[(reg + 68) >> 2];
  return hi ? 64 - Math.clz32(hi) : 32 - Math.clz32(u32[(reg + 64) >> 2]);
}

/** check_alu_op(). */
export function checkAluOp(env: VerifierEnv, i: number): void {
  const { code, dst, src, off, imm } = env.insns;
  const c = code[i];
  const op = c & 0xf0;
  const d = dst[i];
  if (op === OP_END || op === OP_NEG) {
    checkUnary(env, i, op);
  } else if (op === OP_MOV) {
    checkMov(env, i);
  } else if (op > OP_END) {
    env.reject(EINVAL, `invalid BPF_ALU opcode ${op.toString(16)}`);
  } else {
    const divOff = off[i] === 1 && (op === OP_MOD || op === OP_DIV);
    const badOff = off[i] !== 0 && !divOff;
    if (c & X) {
      if (imm[i] !== 0 || badOff) env.reject(EINVAL, "BPF_ALU uses reserved fields");
      checkRegArg(env, src[i], SRC_OP);
    } else if (src[i] !== 0 || badOff) {
      env.reject(EINVAL, "BPF_ALU uses reserved fields");
    }
    checkRegArg(env, d, SRC_OP);
    if ((op === OP_MOD || op === OP_DIV) && !(c & X) && imm[i] === 0) env.reject(EINVAL, "div by zero");
    if ((op === OP_LSH || op === OP_RSH || op === OP_ARSH) && !(c & X)) {
      const size = (c & 7) === ALU64 ? 64 : 32;
      if (imm[i] < 0 || imm[i] >= size) env.reject(EINVAL, `invalid shift ${imm[i]}`);
    }
    checkRegArg(env, d, DST_OP_NO_MARK);
    adjustReg(env, i);
  }
  boundsSanityCheck(env, env.reg(d), "alu");
}

function checkUnary(env: VerifierEnv, i: number, op: number): void {
  const { code, dst, src, off, imm } = env.insns;
  const c = code[i];
  const d = dst[i];
  if (op === OP_NEG) {
    if (c & X || src[i] !== 0 || off[i] !== 0 || imm[i] !== 0) env.reject(EINVAL, "BPF_NEG uses reserved fields");
  } else {
    const width = imm[i] === 16 || imm[i] === 32 || imm[i] === 64;
    if (src[i] !== 0 || off[i] !== 0 || !width || ((c & 7) === ALU64 && c & X)) {
      env.reject(EINVAL, "BPF_END uses reserved fields");
    }
  }
  checkRegArg(env, d, SRC_OP);
  if (isPointerValue(env, d)) env.reject(EACCES, `R${d} pointer arithmetic prohibited`);
  const reg = env.reg(d);
  if (env.R.type(reg) === SCALAR_VALUE) {
    checkRegArg(env, d, DST_OP_NO_MARK);
    if (op === OP_NEG) {
      clearScalarId(env, reg);
      env.R.wasm.alu(OP_NEG, (c & 7) === ALU, reg, reg);
    } else {
      // Little-endian machine: bswap and "to big endian" swap, "to little endian" only cuts.
      const swap = (c & 7) === ALU64 || (c & X) !== 0;
      if (swap || imm[i] < 64) clearScalarId(env, reg);
      env.R.wasm.byte_swap(reg, imm[i], swap);
    }
  } else {
    checkRegArg(env, d, DST_OP);
  }
}

/** addr_space_cast. */
const BPF_ADDR_SPACE_CAST = 1;

function checkMovFields(env: VerifierEnv, i: number): void {
  const { code, src, off, imm } = env.insns;
  const c = code[i];
  const o = off[i];
  if (!(c & X)) {
    if (src[i] !== 0 || o !== 0) env.reject(EINVAL, "BPF_MOV uses reserved fields");
    return;
  }
  if ((c & 7) === ALU) {
    if ((o !== 0 && o !== 8 && o !== 16) || imm[i]) env.reject(EINVAL, "BPF_MOV uses reserved fields");
  } else if (o === BPF_ADDR_SPACE_CAST) {
    if (imm[i] !== 1 && imm[i] !== 0x10000) {
      env.reject(EINVAL, "addr_space_cast insn can only convert between address space 1 and 0");
    }
    if (!env.arena) {
      env.reject(EINVAL, "addr_space_cast insn can only be used in a program that has an associated arena");
    }
  } else if ((o !== 0 && o !== 8 && o !== 16 && o !== 32) || imm[i]) {
    env.reject(EINVAL, "BPF_MOV uses reserved fields");
  }
  checkRegArg(env, src[i], SRC_OP);
}

function checkMov(env: VerifierEnv, i: number): void {
  checkMovFields(env, i);
  const { code, dst, src, off, imm } = env.insns;
  const R = env.R;
  const c = code[i];
  const d = dst[i];
  checkRegArg(env, d, DST_OP_NO_MARK);
  const dreg = env.reg(d);
  if (!(c & X)) {
    // A constant. Its record is fresh: nothing of the old value stays.
    markRegUnknown(env, dreg);
    if ((c & 7) === ALU64) R.setConst(dreg, imm[i]);
    else R.setConst64(dreg, imm[i], 0);
    return;
  }
  const sreg = env.reg(src[i]);
  if ((c & 7) === ALU64) {
    if (imm[i]) {
      markRegUnknown(env, dreg);
      if (imm[i] === 1) R.setType(dreg, PTR_TO_ARENA);
    } else if (off[i] === 0) {
      assignScalarIdBeforeMov(env, sreg);
      R.copyReg(dreg, sreg);
    } else if (isPointerValue(env, src[i])) {
      env.reject(EACCES, `R${src[i]} sign-extension part of pointer`);
    } else if (R.type(sreg) === SCALAR_VALUE) {
      copyIfSame(env, dreg, sreg, regWidth(env, sreg) < off[i]);
      R.wasm.coerce_sx(dreg, off[i] >> 3);
    } else {
      markRegUnknown(env, dreg);
    }
    return;
  }
  if (isPointerValue(env, src[i])) env.reject(EACCES, `R${src[i]} partial copy of pointer`);
  if (R.type(sreg) === SCALAR_VALUE) {
    if (off[i] === 0) {
      copyIfSame(env, dreg, sreg, regWidth(env, sreg) <= 32);
    } else {
      copyIfSame(env, dreg, sreg, regWidth(env, sreg) < off[i]);
      R.wasm.coerce_sx32(dreg, off[i] >> 3);
    }
  } else {
    markRegUnknown(env, dreg);
  }
  R.wasm.zext(dreg);
}

/** Copies; the two stay linked when the move does not change the number. */
function copyIfSame(env: VerifierEnv, dreg: Reg, sreg: Reg, same: boolean): void {
  if (same) assignScalarIdBeforeMov(env, sreg);
  env.R.copyReg(dreg, sreg);
  if (!same) clearScalarId(env, dreg);
}

/** Can the range of the result be computed? Shifts need a known amount below the width. */
function computable(env: VerifierEnv, op: number, is32: boolean, sreg: Reg): boolean {
  switch (op) {
    case OP_ADD:
    case OP_SUB:
    case OP_NEG:
    case OP_AND:
    case OP_XOR:
    case OP_OR:
    case OP_MUL:
      return true;
    case OP_LSH:
    case OP_RSH:
    case OP_ARSH: {
      const R = env.R;
      const bits = is32 ? 32 : 64;
      const known = is32 ? R.isConst32(sreg) && R.s32min(sreg) === R.s32max(sreg) : R.isConst(sreg);
      return known && R.umax(sreg) < bits;
    }
    default:
      return false;
  }
}

/**
 * `x s>>= 63; x &= c` is how compilers write a choice: 0 or -1. The two are followed separately, each exact.
 * maybe_fork_scalars().
 */
function maybeForkScalars(env: VerifierEnv, dreg: Reg, regno: number): void {
  const R = env.R;
  const is64 = R.smin(dreg) === -1 && R.smax(dreg) === 0;
  if (!is64 && !(R.s32min(dreg) === -1 && R.s32max(dreg) === 0)) return;
  const other = pushStack(env, env.insnIdx, env.insnIdx, false);
  const oreg = R.regAt(other.frames[other.curframe], regno);
  if (is64) {
    markRegKnown(env, oreg, 0);
    markRegKnown(env, dreg, -1);
  } else {
    R.wasm.reg_const32(oreg, 0);
    R.wasm.reg_const32(dreg, -1);
  }
}

/** adjust_scalar_min_max_vals(): dreg = dreg op sreg. */
function adjustScalar(env: VerifierEnv, i: number, dreg: Reg, sreg: Reg): void {
  const c = env.insns.code[i];
  const op = c & 0xf0;
  const is32 = (c & 7) === ALU;
  if (!computable(env, op, is32, sreg)) {
    markRegUnknown(env, dreg);
    return;
  }
  if (op === OP_ADD || op === OP_SUB) sanitizeValAlu(env, i);
  if ((op === OP_AND || op === OP_OR) && env.R.isConst(sreg)) maybeForkScalars(env, dreg, env.insns.dst[i]);
  env.R.wasm.alu(op, is32, dreg, sreg);
}

/** adjust_reg_min_max_vals(). */
function adjustReg(env: VerifierEnv, i: number): void {
  const { code, dst, src, imm } = env.insns;
  const R = env.R;
  const c = code[i];
  const op = c & 0xf0;
  const d = dst[i];
  const dreg = env.reg(d);
  const byReg = (c & X) !== 0;
  let sreg = byReg ? env.reg(src[i]) : 0;

  if (R.type(dreg) === PTR_TO_ARENA || (byReg && R.type(sreg) === PTR_TO_ARENA)) {
    if (R.type(dreg) !== PTR_TO_ARENA) R.copyReg(dreg, sreg);
    return;
  }
  const dptr = R.type(dreg) !== SCALAR_VALUE;
  if (byReg) {
    if (R.type(sreg) !== SCALAR_VALUE) {
      if (dptr) {
        if (op === OP_SUB && env.allowPtrLeaks) {
          markRegUnknown(env, dreg);
          return;
        }
        env.reject(EACCES, `R${d} pointer ${ALU_NAMES[op]} pointer prohibited`);
      }
      // scalar += pointer: the same with the operands exchanged.
      markChainPrecision(env, d);
      R.copyReg(env.fakeReg[0], dreg);
      adjustPtr(env, i, sreg, env.fakeReg[0]);
      return;
    }
    if (dptr) {
      markChainPrecision(env, src[i]);
      adjustPtr(env, i, dreg, sreg);
      return;
    }
    if (R.precise(dreg)) markChainPrecision(env, src[i]);
  } else {
    sreg = env.fakeReg[0];
    R.zeroReg(sreg);
    markRegConst(env, sreg, imm[i]);
    if (dptr) {
      adjustPtr(env, i, dreg, sreg);
      return;
    }
  }
  const is32 = (c & 7) === ALU;
  // r1 = r2; r1 += K: r1 stays linked to r2 with a distance. In 32 bits only if nothing above is cut off.
  const addConst =
    env.bpfCapable &&
    (op === OP_ADD || op === OP_SUB) &&
    R.id(dreg) !== 0 &&
    (is32 ? R.isConst32(sreg) : R.isConst(sreg)) &&
    (!is32 || regWidth(env, dreg) <= 32) &&
    !(byReg && src[i] === d);
  const delta = (is32 ? R.valueLo(sreg) : R.value(sreg)) * (op === OP_SUB ? -1 : 1);
  adjustScalar(env, i, dreg, sreg);
  const id = R.id(dreg);
  if (addConst && id && !(id & BPF_ADD_CONST) && delta >= -2147483648 && delta <= 2147483647) {
    R.setId(dreg, (id | (is32 ? BPF_ADD_CONST32 : BPF_ADD_CONST64)) >>> 0);
    R.setOff(dreg, delta);
  } else {
    clearScalarId(env, dreg);
  }
}

/** Bases that pointer arithmetic is defined for. */
const ARITH_OK = new Set([
  PTR_TO_CTX,
  PTR_TO_MAP_VALUE,
  PTR_TO_MAP_KEY,
  PTR_TO_STACK,
  PTR_TO_PACKET_META,
  PTR_TO_PACKET,
  PTR_TO_TP_BUFFER,
  PTR_TO_BTF_ID,
  PTR_TO_MEM,
  PTR_TO_BUF,
  PTR_TO_FUNC,
  CONST_PTR_TO_DYNPTR,
]);

/** check_reg_sane_offset(): offsets stay small enough never to wrap. */
function checkSaneOffset(env: VerifierEnv, reg: Reg, type: number): void {
  const R = env.R;
  const smin = R.smin(reg);
  if (R.isConst(reg) && Math.abs(R.value(reg)) >= BPF_MAX_VAR_OFF) {
    env.reject(EINVAL, `math between ${regTypeStr(type)} pointer and ${R.big(reg + 24, true)} is not allowed`);
  }
  if (Math.abs(R.off(reg)) >= BPF_MAX_VAR_OFF) {
    env.reject(EINVAL, `${regTypeStr(type)} pointer offset ${R.off(reg)} is not allowed`);
  }
  // smin is rounded: numbers near it look the same
  if (smin === -TWO32 * 2147483648 && R.big(reg + 40, true) === -(1n << 63n)) {
    env.reject(EINVAL, `math between ${regTypeStr(type)} pointer and register with unbounded min value is not allowed`);
  }
  if (Math.abs(smin) >= BPF_MAX_VAR_OFF) {
    env.reject(EINVAL, `value ${R.big(reg + 40, true)} makes ${regTypeStr(type)} pointer be out of bounds`);
  }
}

/** Copies off and the type's words, not ranges, not ids. */
function copyPtrWords(env: VerifierEnv, dreg: Reg, preg: Reg): void {
  const { i32 } = env.R;
  for (const w of [R_U0, R_U1, R_U2, R_U3]) i32[(dreg + w) >> 2] = i32[(preg + w) >> 2];
}

/** adjust_ptr_min_max_vals(): pointer preg op scalar oreg into the instruction's dst. */
function adjustPtr(env: VerifierEnv, i: number, preg: Reg, oreg: Reg): void {
  const R = env.R;
  const c = env.insns.code[i];
  const op = c & 0xf0;
  const d = env.insns.dst[i];
  const dreg = env.reg(d);
  const known = R.isConst(oreg);
  const type = R.type(preg);
  const smin = R.smin(oreg);
  if (
    (known && (smin !== R.smax(oreg) || R.umin(oreg) !== R.umax(oreg))) ||
    smin > R.smax(oreg) ||
    R.umin(oreg) > R.umax(oreg)
  ) {
    // Contradicting ranges: a branch that cannot be.
    markRegUnknown(env, dreg);
    return;
  }
  if ((c & 7) !== ALU64) {
    if (op === OP_SUB && env.allowPtrLeaks) {
      markRegUnknown(env, dreg);
      return;
    }
    env.reject(EACCES, `R${d} 32-bit pointer arithmetic prohibited`);
  }
  if (type & PTR_MAYBE_NULL) {
    env.reject(EACCES, `R${d} pointer arithmetic on ${regTypeStr(type)} prohibited, null-check it first`);
  }
  // Loads through these are checked when they run; offsets need no tracking.
  if (baseType(type) === PTR_TO_MEM && type & PTR_UNTRUSTED) return;
  const base = baseType(type);
  const allowed =
    ARITH_OK.has(base) ||
    (base === PTR_TO_FLOW_KEYS && known) ||
    ((base === CONST_PTR_TO_MAP || base === PTR_TO_FLOW_KEYS) && known && smin === 0 && op === OP_ADD);
  if (!allowed) env.reject(EACCES, `R${d} pointer arithmetic on ${regTypeStr(type)} prohibited`);

  if (dreg !== preg) R.copyReg(dreg, preg);
  checkSaneOffset(env, oreg, type);
  checkSaneOffset(env, preg, type);
  const sanitize = op === OP_ADD || op === OP_SUB;
  const info = sanitize ? sanitizePtrAlu(env, i, preg, oreg, dreg, undefined) : undefined;

  const off = R.off(preg);
  const exact = op === OP_ADD ? off + smin : off - smin;
  const fits = known && exact >= -2147483648 && exact <= 2147483647;
  if (op === OP_ADD) {
    if (fits) {
      R.wasm.ptr_keep(dreg, preg);
      R.setOff(dreg, exact);
      copyPtrWords(env, dreg, preg);
    } else {
      R.wasm.ptr_add(dreg, preg, oreg);
      R.setOff(dreg, off);
      copyPtrWords(env, dreg, preg);
      // How far the packet reaches behind the new pointer is not known.
      if (isPktPointer(type)) {
        R.setId(dreg, ++env.idGen);
        R.setRange(dreg, 0);
      }
    }
  } else if (op === OP_SUB) {
    if (dreg !== preg) env.reject(EACCES, `R${d} tried to subtract pointer from scalar`);
    if (type === PTR_TO_STACK) env.reject(EACCES, `R${d} subtraction from stack pointer prohibited`);
    if (fits) {
      R.wasm.ptr_keep(dreg, preg);
      R.setOff(dreg, exact);
    } else {
      R.wasm.ptr_sub(dreg, preg, oreg);
      if (isPktPointer(type)) {
        R.setId(dreg, ++env.idGen);
        if (smin < 0) R.setRange(dreg, 0);
      }
    }
  } else if (op === OP_AND || op === OP_OR || op === OP_XOR) {
    env.reject(EACCES, `R${d} bitwise operator ${ALU_NAMES[op]} on pointer prohibited`);
  } else {
    env.reject(EACCES, `R${d} pointer arithmetic with ${ALU_NAMES[op]} operator prohibited`);
  }
  checkSaneOffset(env, dreg, type);
  R.wasm.bounds_sync(dreg);
  sanitizeCheckBounds(env, d, dreg);
  if (info) sanitizePtrAlu(env, i, dreg, oreg, dreg, info);
}
