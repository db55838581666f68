/**
 * Finds rotations: eBPF has none, so a compiler writes (x << k) | (x >> (width - k)) over several instructions.
 *
 * Within a block, registers are followed by value number, in 64 bits and in their low 32. When the two halves of a
 * rotation meet, the first instruction that shifts x is told to keep x in a temporary, and the meeting instruction to
 * rotate that. The shifts stay: the engine drops them when nothing else wants them. (SipHash: 1.6 times faster.)
 */
import type { Insns } from "../isa/insns.ts";
import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CLASS,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LSH,
  BPF_MODE,
  BPF_MOV,
  BPF_OP,
  BPF_OR,
  BPF_RSH,
  BPF_SRC,
  BPF_STX,
  BPF_X,
  BPF_XOR,
  isLdImm64,
} from "../isa/opcodes.ts";
import { slotsOf } from "./cfg.ts";

export type Rotation =
  /** Before this shift, keep its operand in temporary number `temp`. */
  | { readonly kind: "keep"; readonly width: 32 | 64; readonly temp: number }
  /** Instead of this instruction: dst = temporary rotated left by `bits`. */
  | { readonly kind: "rotate"; readonly width: 32 | 64; readonly temp: number; readonly bits: number };

interface Shift {
  readonly value: number;
  readonly left: boolean;
  readonly bits: number;
  /** The instruction that shifts. */
  readonly insn: number;
}

/** Adds to `out`, by instruction, what to do for the block [start, end). */
export function findRotations(insns: Insns, start: number, end: number, out: Map<number, Rotation>): void {
  if (!hasBothShifts(insns, start, end)) return;
  const found: { width: 32 | 64; first: number; meet: number; bits: number }[] = [];
  let numbers = 0;
  // value numbers by register and width; shifts by the value they make
  const values = { 32: Array.from({ length: 11 }, () => numbers++), 64: Array.from({ length: 11 }, () => numbers++) };
  const shifts = new Map<number, Shift>();
  const forget = (reg: number): void => {
    values[32][reg] = numbers++;
    values[64][reg] = numbers++;
  };

  for (let i = start; i < end; i += slotsOf(insns, i)) {
    const code = insns.code[i];
    const dst = insns.dst[i];
    const src = insns.src[i];
    const cls = BPF_CLASS(code);
    if (cls === BPF_JMP && BPF_OP(code) === BPF_CALL) {
      for (let reg = 0; reg <= 5; reg++) forget(reg);
      continue;
    }
    if (cls === BPF_STX && BPF_MODE(code) === BPF_ATOMIC) {
      for (const reg of [dst, src, 0]) forget(reg);
      continue;
    }
    if (cls === BPF_LD && !isLdImm64(insns, i)) {
      for (let reg = 0; reg <= 5; reg++) forget(reg);
      continue;
    }
    if (cls === BPF_LD || cls === BPF_LDX) {
      forget(dst);
      continue;
    }
    if (cls !== BPF_ALU && cls !== BPF_ALU64) continue;
    const width = cls === BPF_ALU64 ? 64 : 32;
    const isReg = BPF_SRC(code) === BPF_X;
    const op = BPF_OP(code);
    if (op === BPF_MOV && isReg && insns.off[i] === 0) {
      values[32][dst] = values[32][src];
      values[64][dst] = width === 64 ? values[64][src] : numbers++;
      continue;
    }
    if ((op === BPF_LSH || op === BPF_RSH) && BPF_SRC(code) === BPF_K) {
      const value = values[width][dst];
      forget(dst);
      shifts.set(values[width][dst], { value, left: op === BPF_LSH, bits: insns.imm[i], insn: i });
      continue;
    }
    if ((op === BPF_OR || op === BPF_XOR || op === BPF_ADD) && isReg) {
      const a = shifts.get(values[width][dst]);
      const b = shifts.get(values[width][src]);
      if (a && b && a.value === b.value && a.left !== b.left && a.bits + b.bits === width && a.bits > 0 && b.bits > 0) {
        const bits = a.left ? a.bits : b.bits;
        found.push({ width, first: Math.min(a.insn, b.insn), meet: i, bits });
      }
    }
    forget(dst);
  }
  assignTemps(found, out);
}

/** Most blocks have no shifts, and need no value numbers. */
function hasBothShifts({ code }: Insns, start: number, end: number): boolean {
  let ops = 0;
  for (let i = start; i < end; i++) {
    const cls = BPF_CLASS(code[i]);
    if (cls !== BPF_ALU && cls !== BPF_ALU64) continue;
    if (BPF_OP(code[i]) === BPF_LSH) ops |= 1;
    else if (BPF_OP(code[i]) === BPF_RSH) ops |= 2;
  }
  return ops === 3;
}

/** A temporary is busy from the first shift to where the halves meet; free ones are used again. */
function assignTemps(
  found: readonly { width: 32 | 64; first: number; meet: number; bits: number }[],
  out: Map<number, Rotation>,
): void {
  const freeAfter = { 32: [] as number[], 64: [] as number[] };
  for (const { width, first, meet, bits } of [...found].sort((a, b) => a.first - b.first)) {
    // one shift may serve two rotations only if both rotate the same value: the temporary then lives on
    const kept = out.get(first);
    const busy = freeAfter[width];
    let temp = kept?.kind === "keep" && kept.width === width ? kept.temp : busy.findIndex((until) => until < first);
    if (temp < 0) temp = busy.length;
    busy[temp] = Math.max(busy[temp] ?? -1, meet);
    out.set(first, { kind: "keep", width, temp });
    out.set(meet, { kind: "rotate", width, temp, bits });
  }
}
