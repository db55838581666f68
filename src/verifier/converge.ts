/**
 * Helping loops through iterators and callbacks to converge: scalars that are not known to matter are forgotten before
 * another round, so that the state there soon equals an explored one.
 *
 * Source   find_prev_entry(), widen_imprecise_scalars() in kernel/bpf/verifier.c.
 */
import type { VerifierEnv } from "./env.ts";
import { MAX_BPF_REG, R_ID } from "./layout.ts";
import { exploredAt, sameCallsites } from "./prune.ts";
import { SCALAR_VALUE, STACK_SPILL } from "./reg_type.ts";
import { markRegUnknown } from "./regs.ts";
import type { Reg, VState } from "./state.ts";

/** The explored state of an earlier visit that led here: the newest that is still open and came before `cur`. */
export function findPrevEntry(env: VerifierEnv, cur: VState, insnIdx: number): VState | undefined {
  const states = exploredAt(env, insnIdx);
  for (let i = states.length - 1; i >= 0; i--) {
    const st = states[i];
    if (st.insnIdx !== insnIdx || !st.branches || st.dfsDepth >= cur.dfsDepth) continue;
    if (sameCallsites(env, st, cur)) return st;
  }
  return undefined;
}

/** Forgets scalars of `cur` that differ from `old`'s and were not needed precisely so far. */
export function widenImpreciseScalars(env: VerifierEnv, old: VState, cur: VState): void {
  const R = env.R;
  const ids = new Map<number, number>();
  for (let f = old.curframe; f >= 0; f--) {
    const fold = old.frames[f];
    const fcur = cur.frames[f];
    for (let i = 0; i < MAX_BPF_REG; i++) widen(env, R.regAt(fold, i), R.regAt(fcur, i), ids);
    const slots = Math.min(R.stackSlots(fold), R.stackSlots(fcur));
    for (let spi = 0; spi < slots; spi++) {
      if (R.slotType(fold, spi, 7) !== STACK_SPILL || R.slotType(fcur, spi, 7) !== STACK_SPILL) continue;
      widen(env, R.slotAt(fold, spi), R.slotAt(fcur, spi), ids);
    }
  }
}

function widen(env: VerifierEnv, old: Reg, cur: Reg, ids: Map<number, number>): void {
  const R = env.R;
  if (R.type(old) !== SCALAR_VALUE || R.type(cur) !== SCALAR_VALUE) return;
  if (R.precise(old) || R.precise(cur) || sameScalar(env, old, cur, ids)) return;
  markRegUnknown(env, cur);
}

/** Same bounds, and ids that stand for the same links. */
function sameScalar(env: VerifierEnv, old: Reg, cur: Reg, ids: Map<number, number>): boolean {
  const { i32 } = env.R;
  for (let at = 0; at < R_ID; at += 4) if (i32[(old + at) >> 2] !== i32[(cur + at) >> 2]) return false;
  const a = env.R.id(old);
  const b = env.R.id(cur);
  if (a === 0 || b === 0) return a === b;
  const known = ids.get(a);
  if (known !== undefined) return known === b;
  for (const used of ids.values()) if (used === b) return false;
  ids.set(a, b);
  return true;
}
