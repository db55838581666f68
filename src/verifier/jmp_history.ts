/**
 * Jump history: how a path came to where it is, as far as "the instruction before" does not say it. Jumps and accesses to
 * the stack leave an entry; precision.ts walks back over them.
 *
 * An entry names the one before it, so states that part ways share what they have in common and nothing is copied. Entries
 * lie in one array that lasts for the verification:
 *
 *     instruction | previous instruction | flags | linked registers, two words | entry before
 *
 * Source   kernel/bpf/verifier.c: push_jmp_history, linked_regs_pack.
 */
import type { VerifierEnv } from "./env.ts";
import type { VState } from "./state.ts";

/** Words per entry. */
export const HIST = 6;
export const H_IDX = 0;
export const H_PREV = 1;
export const H_FLAGS = 2;
export const H_LINK0 = 3;
export const H_LINK1 = 4;
export const H_BEFORE = 5;
/** Of a state: nothing is noted. */
export const NO_ENTRY = -1;

// Flags of an entry: frame (3 bits), slot (6 bits), what the instruction did; number of linked registers.
export const F_SPI_SHIFT = 3;
export const INSN_F_STACK_ACCESS = 1 << 9;
export const INSN_F_DST_REG_STACK = 1 << 10;
export const INSN_F_SRC_REG_STACK = 1 << 11;
export const F_LINKED_SHIFT = 16;

export const MAX_LINKED = 6;

export function stackAccessFlags(frameno: number, spi: number): number {
  return INSN_F_STACK_ACCESS | (spi << F_SPI_SHIFT) | frameno;
}

/** Up to six registers or slots that hold linked scalars, packed: 10 bits each, three per word. */
export interface LinkedRegs {
  count: number;
  word0: number;
  word1: number;
}

/** Packs frame, register or slot. */
export function addLinked(linked: LinkedRegs, frameno: number, regOrSlot: number, isReg: boolean): void {
  const bits = frameno | (regOrSlot << 3) | (isReg ? 1 << 9 : 0);
  if (linked.count < 3) linked.word0 |= bits << (10 * linked.count);
  else linked.word1 |= bits << (10 * (linked.count - 3));
  linked.count++;
}

const FIRST_ENTRIES = 1024;

export class JmpHistory {
  /** Entry n is words [n * HIST, (n + 1) * HIST). */
  words = new Int32Array(FIRST_ENTRIES * HIST);
  #used = 0;

  /** Forgets all entries; for the next verification. @param keepWords a larger array is given back */
  reset(keepWords: number): void {
    this.#used = 0;
    if (this.words.length > keepWords) this.words = new Int32Array(FIRST_ENTRIES * HIST);
  }

  /** @returns the number of the new entry */
  add(idx: number, prev: number, flags: number, link0: number, link1: number, before: number): number {
    const at = this.#used * HIST;
    if (at + HIST > this.words.length) this.#grow();
    const { words } = this;
    words[at] = idx;
    words[at + H_PREV] = prev;
    words[at + H_FLAGS] = flags;
    words[at + H_LINK0] = link0;
    words[at + H_LINK1] = link1;
    words[at + H_BEFORE] = before;
    return this.#used++;
  }

  #grow(): void {
    const more = new Int32Array(2 * this.words.length);
    more.set(this.words);
    this.words = more;
  }
}

/** Notes the current instruction in the history of a state, or adds to its note. push_jmp_history(). */
export function pushJmpHistory(env: VerifierEnv, state: VState, flags: number, linked?: LinkedRegs): void {
  const withLinked = flags | (linked ? linked.count << F_LINKED_SHIFT : 0);
  const { history } = env;
  if (env.curHistEnt >= 0) {
    const at = env.curHistEnt * HIST;
    history.words[at + H_FLAGS] |= withLinked;
    if (linked) {
      history.words[at + H_LINK0] = linked.word0;
      history.words[at + H_LINK1] = linked.word1;
    }
    return;
  }
  const link0 = linked ? linked.word0 : 0;
  const link1 = linked ? linked.word1 : 0;
  state.hist = history.add(env.insnIdx, env.prevInsnIdx, withLinked, link0, link1, state.hist);
  state.histLen++;
  env.curHistEnt = state.hist;
}
