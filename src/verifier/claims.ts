/**
 * What a verification claims: for each instruction, the registers of every state in which it was walked.
 *
 * Whatever the program does, before each instruction one of the claimed states of that instruction holds: every live
 * register lies within the ranges it has there. Fuzzers run the program and check.
 *
 * To make that true, a verification that collects claims takes every scalar for precise: Linux's pruning lets a register
 * that no check depends on hold anything. Speculative states are not claims.
 */
import type { VerifierEnv } from "./env.ts";
import { F_REGS, MAX_BPF_REG, R_PRECISE, REG_SIZE } from "./layout.ts";
import type { VerifierMap } from "./platform.ts";
import { SCALAR_VALUE, STACK_SPILL } from "./reg_type.ts";
import type { VState } from "./state.ts";

/** u32 words of one register record (layout.ts). */
export const REG_WORDS = REG_SIZE / 4;

/** States kept by instruction; one that was walked more often has no claims. */
const MAX_STATES = 64;

/** Registers of the running frame. */
export interface ClaimedState {
  /** Depth of the running frame. */
  readonly frameno: number;
  /** r0..r10, REG_WORDS each. */
  readonly regs: Int32Array;
}

export class Claims {
  readonly #states: (ClaimedState[] | undefined)[] = [];
  #env: VerifierEnv | undefined;

  /** States before the instruction; undefined when there were too many. Empty: it is never reached. */
  at(insnIdx: number): readonly ClaimedState[] | undefined {
    const list = this.#states[insnIdx] ?? [];
    return list.length > MAX_STATES ? undefined : list;
  }

  /** Bit n: register n may be read from here on; others claim nothing. */
  liveRegs(insnIdx: number): number {
    return this.#env?.liveRegs[insnIdx] ?? 0;
  }

  /** Map of a claimed pointer: word 2 of its record. */
  mapAt(index: number): VerifierMap | undefined {
    return this.#env?.mapAt(index);
  }

  record(env: VerifierEnv, insnIdx: number): void {
    this.#env = env;
    const { cur, R } = env;
    if (cur.speculative) return;
    const list = (this.#states[insnIdx] ??= []);
    if (list.length > MAX_STATES) return;
    const at = (cur.frame + F_REGS) >> 2;
    list.push({ frameno: cur.curframe, regs: R.i32.slice(at, at + MAX_BPF_REG * REG_WORDS) });
  }
}

/** Every scalar of a stored state counts when states are compared. */
export function holdPrecise(env: VerifierEnv, state: VState): void {
  const { R } = env;
  const hold = (reg: number): void => {
    if (R.type(reg) === SCALAR_VALUE) R.i32[(reg + R_PRECISE) >> 2] = 1;
  };
  for (let f = 0; f <= state.curframe; f++) {
    const frame = state.frames[f];
    for (let r = 0; r < MAX_BPF_REG; r++) hold(R.regAt(frame, r));
    const slots = R.stackSlots(frame);
    for (let spi = 0; spi < slots; spi++) {
      if (R.slotType(frame, spi, 7) === STACK_SPILL) hold(R.slotAt(frame, spi));
    }
  }
}
