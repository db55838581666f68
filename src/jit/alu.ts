/**
 * Arithmetic: every instruction of classes ALU and ALU64.
 *
 * WebAssembly agrees with eBPF on wrapping and on masked shifts. It differs in division: eBPF's x / 0 is 0, x % 0 is x,
 * INT_MIN / -1 is INT_MIN, INT_MIN % -1 is 0, where WebAssembly traps (but for the last).
 */
import {
  BPF_ADD,
  BPF_ADDR_SPACE_CAST,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_CLASS,
  BPF_DIV,
  BPF_END,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OP,
  BPF_OR,
  BPF_RSH,
  BPF_SRC,
  BPF_SUB,
  BPF_TO_BE,
  BPF_X,
  BPF_XOR,
} from "../isa/opcodes.ts";
import { OP, type PlainOp } from "../wasm/opcodes.ts";
import type { FuncGen } from "./func.ts";

/** By operation: the instruction for 64 and for 32 bits. */
const BINARY: Record<number, readonly [wide: PlainOp, narrow: PlainOp]> = {
  [BPF_ADD]: [OP.i64_add, OP.i32_add],
  [BPF_SUB]: [OP.i64_sub, OP.i32_sub],
  [BPF_MUL]: [OP.i64_mul, OP.i32_mul],
  [BPF_OR]: [OP.i64_or, OP.i32_or],
  [BPF_AND]: [OP.i64_and, OP.i32_and],
  [BPF_XOR]: [OP.i64_xor, OP.i32_xor],
  [BPF_LSH]: [OP.i64_shl, OP.i32_shl],
  [BPF_RSH]: [OP.i64_shr_u, OP.i32_shr_u],
  [BPF_ARSH]: [OP.i64_shr_s, OP.i32_shr_s],
};

/** The instruction at i, of class ALU or ALU64. */
export function emitAlu(f: FuncGen, i: number): void {
  const { insns } = f.module.image;
  const rotation = f.rotations.get(i);
  const dst = insns.dst[i];
  if (rotation) {
    const name = `rotate${rotation.temp}_${rotation.width}`;
    if (rotation.kind === "keep") {
      if (rotation.width === 64) f.get64(dst);
      else f.get32(dst);
      f.code.set(f.temp(name));
    } else {
      f.code.get(f.temp(name));
      if (rotation.width === 64) f.code.i64(rotation.bits);
      else f.code.i32(rotation.bits);
      f.code.op(rotation.width === 64 ? OP.i64_rotl : OP.i32_rotl);
      if (rotation.width === 64) f.set64(dst);
      else f.set32(dst);
      return;
    }
  }
  const code = insns.code[i];
  const wide = BPF_CLASS(code) === BPF_ALU64;
  const op = BPF_OP(code);
  if (op === BPF_MOV) emitMov(f, i, wide);
  else if (op === BPF_NEG) emitNeg(f, dst, wide);
  else if (op === BPF_END) emitEnd(f, dst, insns.imm[i], wide || BPF_SRC(code) === BPF_TO_BE);
  else if (op === BPF_DIV || op === BPF_MOD) emitDivision(f, i, wide);
  else emitBinary(f, i, wide);
}

/** Pushes the second operand in the instruction's width. */
function pushSource(f: FuncGen, i: number, wide: boolean): void {
  const { code, src, imm } = f.module.image.insns;
  const isReg = BPF_SRC(code[i]) === BPF_X;
  if (wide) isReg ? f.get64(src[i]) : f.code.i64(imm[i]);
  else isReg ? f.get32(src[i]) : f.code.i32(imm[i]);
}

function emitBinary(f: FuncGen, i: number, wide: boolean): void {
  const { code, dst, src, imm } = f.module.image.insns;
  const op = BPF_OP(code[i]);
  const [wideOp, narrowOp] = BINARY[op];
  const d = dst[i];
  const isReg = BPF_SRC(code[i]) === BPF_X;
  if (wide) {
    // which results are zero-extended because an operand is
    const keeps =
      (op === BPF_AND && ((isReg ? f.isZeroExtended(src[i]) : imm[i] >= 0) || f.isZeroExtended(d))) ||
      (op === BPF_RSH && (f.isZeroExtended(d) || (!isReg && imm[i] >= 32))) ||
      ((op === BPF_OR || op === BPF_XOR) && f.isZeroExtended(d) && (isReg ? f.isZeroExtended(src[i]) : imm[i] >= 0));
    const frameOff = op === BPF_ADD && !isReg && f.pointsToFrame(d) ? f.frameOff[d] + imm[i] : undefined;
    f.get64(d);
    pushSource(f, i, true);
    f.code.op(wideOp);
    f.set64(d, keeps);
    if (frameOff !== undefined) f.frameOff[d] = frameOff;
    return;
  }
  f.get32(d);
  pushSource(f, i, false);
  f.code.op(narrowOp);
  f.set32(d);
}

function emitMov(f: FuncGen, i: number, wide: boolean): void {
  const { code, dst, src, off, imm } = f.module.image.insns;
  const d = dst[i];
  const s = src[i];
  if (BPF_SRC(code[i]) !== BPF_X) {
    if (wide) f.code.i64(imm[i]);
    else f.code.i64Halves(imm[i], 0);
    f.set64(d, !wide || imm[i] >= 0);
  } else if (wide && off[i] === BPF_ADDR_SPACE_CAST) {
    // an arena lies in the same linear memory: both views of it are the low 32 bits
    f.get32(s);
    f.set32(d);
  } else if (off[i] !== 0) emitMovsx(f, d, s, off[i], wide);
  else if (wide) {
    const [func, frameOff] = [f.funcInReg[s], f.frameOff[s]];
    f.get64(s);
    f.set64(d, f.isZeroExtended(s));
    f.funcInReg[d] = func;
    f.frameOff[d] = frameOff;
  } else if (f.isZeroExtended(s)) {
    if (s === d) return;
    f.get64(s);
    f.set64(d, true);
  } else {
    f.get32(s);
    f.set32(d);
  }
}

function emitMovsx(f: FuncGen, d: number, s: number, bits: number, wide: boolean): void {
  if (wide) {
    f.get64(s);
    f.code.op(bits === 8 ? OP.i64_extend8_s : bits === 16 ? OP.i64_extend16_s : OP.i64_extend32_s);
    f.set64(d);
  } else {
    f.get32(s);
    f.code.op(bits === 8 ? OP.i32_extend8_s : OP.i32_extend16_s);
    f.set32(d);
  }
}

function emitNeg(f: FuncGen, d: number, wide: boolean): void {
  if (wide) {
    f.code.i64(0);
    f.get64(d);
    f.code.op(OP.i64_sub);
    f.set64(d);
  } else {
    f.code.i32(0);
    f.get32(d);
    f.code.op(OP.i32_sub);
    f.set32(d);
  }
}

function emitDivision(f: FuncGen, i: number, wide: boolean): void {
  const { code, dst, src, off, imm } = f.module.image.insns;
  const d = dst[i];
  const isReg = BPF_SRC(code[i]) === BPF_X;
  const signed = off[i] === 1;
  const mod = BPF_OP(code[i]) === BPF_MOD;
  const [div, rem, sub, eqz, eq] = wide
    ? [signed ? OP.i64_div_s : OP.i64_div_u, signed ? OP.i64_rem_s : OP.i64_rem_u, OP.i64_sub, OP.i64_eqz, OP.i64_eq]
    : [signed ? OP.i32_div_s : OP.i32_div_u, signed ? OP.i32_rem_s : OP.i32_rem_u, OP.i32_sub, OP.i32_eqz, OP.i32_eq];
  const type = wide ? "i64" : "i32";
  const pushDst = (): void => (wide ? f.get64(d) : f.get32(d));
  const pushConst = (v: number): void => (wide ? f.code.i64(v) : f.code.i32(v));
  const pushNegated = (): void => {
    pushConst(0);
    pushDst();
    f.code.op(sub);
  };
  const finish = (): void => (wide ? f.set64(d) : f.set32(d));

  if (!isReg) {
    if (imm[i] === 0) mod ? pushDst() : pushConst(0);
    else if (signed && imm[i] === -1) mod ? pushConst(0) : pushNegated();
    else {
      pushDst();
      pushConst(imm[i]);
      f.code.op(mod ? rem : div);
    }
    finish();
    return;
  }
  const pushSrc = (): void => (wide ? f.get64(src[i]) : f.get32(src[i]));
  pushSrc();
  f.code.op(eqz);
  f.code.if(type);
  mod ? pushDst() : pushConst(0);
  f.code.else();
  if (signed && !mod) {
    pushSrc();
    pushConst(-1);
    f.code.op(eq);
    f.code.if(type);
    pushNegated();
    f.code.else();
  }
  pushDst();
  pushSrc();
  f.code.op(mod ? rem : div);
  if (signed && !mod) f.code.end();
  f.code.end();
  finish();
}

/** Truncation to `bits`, or reversal of their bytes. */
function emitEnd(f: FuncGen, d: number, bits: number, swap: boolean): void {
  const { code } = f;
  if (bits === 64) {
    if (swap) emitSwap64(f, d);
  } else if (bits === 32) {
    if (swap) emitSwap32(f, d);
    else f.get32(d);
    f.set32(d);
  } else {
    f.get32(d);
    if (swap) {
      code.i32(8);
      code.op(OP.i32_shr_u);
      code.i32(0xff);
      code.op(OP.i32_and);
      f.get32(d);
      code.i32(8);
      code.op(OP.i32_shl);
      code.op(OP.i32_or);
    }
    code.i32(0xffff);
    code.op(OP.i32_and);
    f.set32(d);
  }
}

/** Leaves the byte-swapped low half on the stack: two rotations, each right for every other byte. */
function emitSwap32(f: FuncGen, d: number): void {
  const { code } = f;
  f.get32(d);
  code.i32(8);
  code.op(OP.i32_rotl);
  code.i32(0x00ff00ff);
  code.op(OP.i32_and);
  f.get32(d);
  code.i32(8);
  code.op(OP.i32_rotr);
  code.i32(0xff00ff00);
  code.op(OP.i32_and);
  code.op(OP.i32_or);
}

/** Swaps bytes, then 16-bit words, then halves. */
function emitSwap64(f: FuncGen, d: number): void {
  const { code } = f;
  for (const [shift, maskLo] of [
    [8, 0x00ff00ff],
    [16, 0x0000ffff],
  ]) {
    f.get64(d);
    code.i64(shift);
    code.op(OP.i64_shr_u);
    code.i64Halves(maskLo, maskLo);
    code.op(OP.i64_and);
    f.get64(d);
    code.i64Halves(maskLo, maskLo);
    code.op(OP.i64_and);
    code.i64(shift);
    code.op(OP.i64_shl);
    code.op(OP.i64_or);
    f.set64(d);
  }
  f.get64(d);
  code.i64(32);
  code.op(OP.i64_rotl);
  f.set64(d);
}
