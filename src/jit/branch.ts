/** Conditions of jumps: classes JMP and JMP32, and may_goto. */
import {
  BPF_CLASS,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_OP,
  BPF_SRC,
  BPF_X,
} from "../isa/opcodes.ts";
import { OP, type PlainOp } from "../wasm/opcodes.ts";
import { isMayGoto } from "./cfg.ts";
import type { FuncGen } from "./func.ts";

/** By operation: comparison for 64 and 32 bits, and the operation that says the opposite. */
const COMPARE: Record<number, readonly [wide: PlainOp, narrow: PlainOp, opposite: number]> = {
  [BPF_JEQ]: [OP.i64_eq, OP.i32_eq, BPF_JNE],
  [BPF_JNE]: [OP.i64_ne, OP.i32_ne, BPF_JEQ],
  [BPF_JGT]: [OP.i64_gt_u, OP.i32_gt_u, BPF_JLE],
  [BPF_JGE]: [OP.i64_ge_u, OP.i32_ge_u, BPF_JLT],
  [BPF_JLT]: [OP.i64_lt_u, OP.i32_lt_u, BPF_JGE],
  [BPF_JLE]: [OP.i64_le_u, OP.i32_le_u, BPF_JGT],
  [BPF_JSGT]: [OP.i64_gt_s, OP.i32_gt_s, BPF_JSLE],
  [BPF_JSGE]: [OP.i64_ge_s, OP.i32_ge_s, BPF_JSLT],
  [BPF_JSLT]: [OP.i64_lt_s, OP.i32_lt_s, BPF_JSGE],
  [BPF_JSLE]: [OP.i64_le_s, OP.i32_le_s, BPF_JSGT],
};

/** Linux's BPF_MAX_LOOPS: how often the may_gotos of one frame go on. */
export const MAY_GOTO_BUDGET = 8 << 20;

/** Leaves an i32 on the stack: whether the jump at i is taken; inverted, whether it is not. */
export function emitCondition(f: FuncGen, i: number, inverted: boolean): void {
  const { insns } = f.module.image;
  const code = insns.code[i];
  if (isMayGoto(code)) {
    emitMayGoto(f, inverted);
    return;
  }
  const wide = BPF_CLASS(code) === BPF_JMP;
  const op = BPF_OP(code);
  const isReg = BPF_SRC(code) === BPF_X;
  const isZero = !isReg && insns.imm[i] === 0;
  if (wide && isZero && insns.dst[i] === 0 && f.notNull !== undefined && (op === BPF_JEQ || op === BPF_JNE)) {
    f.code.get(f.notNull);
    if ((op === BPF_JEQ) !== inverted) f.code.op(OP.i32_eqz);
    return;
  }
  if (wide) f.get64(insns.dst[i]);
  else f.get32(insns.dst[i]);
  const equal = op === BPF_JEQ ? !inverted : inverted;
  if (isZero && (op === BPF_JEQ || op === BPF_JNE) && equal) {
    f.code.op(wide ? OP.i64_eqz : OP.i32_eqz);
    return;
  }
  if (wide) isReg ? f.get64(insns.src[i]) : f.code.i64(insns.imm[i]);
  else isReg ? f.get32(insns.src[i]) : f.code.i32(insns.imm[i]);
  if (op === BPF_JSET) {
    f.code.op(wide ? OP.i64_and : OP.i32_and);
    f.code.op(wide ? OP.i64_eqz : OP.i32_eqz);
    if (!inverted) f.code.op(OP.i32_eqz);
    return;
  }
  const [wideOp, narrowOp] = COMPARE[inverted ? COMPARE[op][2] : op];
  f.code.op(wide ? wideOp : narrowOp);
}

/** Taken once the frame's budget is used up; counts down otherwise. The local starts at 0 and counts up to the budget. */
function emitMayGoto(f: FuncGen, inverted: boolean): void {
  const { code } = f;
  const used = f.temp("may_goto_32");
  code.get(used);
  code.i32(1);
  code.op(OP.i32_add);
  code.tee(used);
  code.i32(MAY_GOTO_BUDGET);
  code.op(inverted ? OP.i32_le_u : OP.i32_gt_u);
}
