/**
 * Basic blocks of one subprogram.
 *
 * A block ends at a jump or before the target of one. Instructions that the verifier never reached are not there: an
 * edge to one is dropped, as Linux hard-wires such branches (opt_hard_wire_dead_code_branches); a block all of whose ways
 * are gone traps.
 */
import type { ExecImage, ExecSubprog } from "../interp/image.ts";
import type { Insns } from "../isa/insns.ts";
import {
  BPF_CALL,
  BPF_CLASS,
  BPF_EXIT,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_OP,
  isLdImm64,
} from "../isa/opcodes.ts";
import type { Graph } from "./graph.ts";

export type Terminator =
  | { readonly kind: "exit" }
  /** Jump or fall-through; insn is the jump, if there is one. */
  | { readonly kind: "goto"; readonly target: number }
  /** `taken` when the condition of the last instruction holds (a may_goto: when its budget is used up). */
  | { readonly kind: "cond"; readonly insn: number; readonly taken: number; readonly fall: number }
  /** Nowhere to go. */
  | { readonly kind: "trap"; readonly insn: number };

export interface Block {
  /** Instruction indexes, end exclusive; a jump at the end is not counted, it is the terminator. */
  readonly start: number;
  readonly end: number;
  readonly term: Terminator;
}

export interface Cfg extends Graph {
  /** Block 0 is empty and leads to the first instruction, so that the entry is never part of a loop. */
  readonly blocks: readonly Block[];
}

/** Slots of the instruction at i: 2 for ld_imm64. */
export const slotsOf = (insns: Insns, i: number): 1 | 2 => (isLdImm64(insns, i) ? 2 : 1);

type Jump = "exit" | "goto" | "cond";

/** What the instruction does to the flow; undefined for one that goes on to the next. */
function jumpKind(code: number): Jump | undefined {
  const cls = BPF_CLASS(code);
  if (cls !== BPF_JMP && cls !== BPF_JMP32) return undefined;
  const op = BPF_OP(code);
  if (op === BPF_CALL) return undefined;
  if (op === BPF_EXIT) return "exit";
  return op === BPF_JA ? "goto" : "cond";
}

/** Index of the instruction that the jump at i goes to. gotol keeps its distance in imm. */
export function jumpTarget(insns: Insns, i: number): number {
  const isGotol = insns.code[i] === (BPF_JMP32 | BPF_JA);
  return i + 1 + (isGotol ? insns.imm[i] : insns.off[i]);
}

export const isMayGoto = (code: number): boolean => code === (BPF_JMP | BPF_JCOND);

export function buildCfg(image: ExecImage, sub: ExecSubprog): Cfg {
  const { insns, seen } = image;
  const { start, end } = sub;
  const isSeen = (i: number): boolean => i >= start && i < end && (seen === undefined || seen[i] !== 0);
  // 1 where an instruction starts, 2 where a block starts
  const mark = new Uint8Array(end - start + 1);
  for (let i = start; i < end; i += slotsOf(insns, i)) mark[i - start] = 1;
  mark[0] = 2;
  /** A jump into the middle of a ld_imm64 or out of the subprogram has no block to go to. */
  const lead = (i: number): void => {
    if (i >= start && i < end && mark[i - start]) mark[i - start] = 2;
  };
  for (let i = start; i < end; i += slotsOf(insns, i)) {
    // a call that never returns is followed by code that was not reached
    if (!isSeen(i)) lead(i);
    const kind = jumpKind(insns.code[i]);
    if (kind === undefined) continue;
    if (kind !== "exit") lead(jumpTarget(insns, i));
    lead(i + 1);
  }
  const blockAt = new Int32Array(end - start + 1).fill(-1);
  let count = 1;
  for (let i = start; i < end; i++) if (mark[i - start] === 2) blockAt[i - start] = count++;
  /** Block number of a way out, -1 when it leads nowhere. */
  const way = (i: number): number => (isSeen(i) ? blockAt[i - start] : -1);

  const entry: Terminator = isSeen(start) ? { kind: "goto", target: 1 } : { kind: "trap", insn: start };
  const blocks: Block[] = [{ start, end: start, term: entry }];
  for (let i = start; i < end; ) {
    const first = i;
    let last = i;
    do {
      last = i;
      i += slotsOf(insns, i);
    } while (i < end && mark[i - start] !== 2);
    const kind = jumpKind(insns.code[last]);
    blocks.push({ start: first, end: kind ? last : i, term: terminator(insns, last, kind, i, way) });
  }
  return { blocks, succs: blocks.map(({ term }) => succsOf(term)) };
}

function terminator(
  insns: Insns,
  last: number,
  kind: Jump | undefined,
  next: number,
  way: (i: number) => number,
): Terminator {
  if (kind === "exit") return { kind };
  const taken = kind ? way(jumpTarget(insns, last)) : -1;
  const fall = kind === "goto" ? -1 : way(next);
  if (taken < 0 && fall < 0) return { kind: "trap", insn: kind ? last : next };
  if (taken < 0 || fall < 0 || taken === fall) return { kind: "goto", target: Math.max(taken, fall) };
  return { kind: "cond", insn: last, taken, fall };
}

function succsOf(term: Terminator): number[] {
  if (term.kind === "goto") return [term.target];
  return term.kind === "cond" ? [term.taken, term.fall] : [];
}
