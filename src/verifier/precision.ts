/**
 * Precision: which scalars a decision rested on. When an instruction needs an exact value (a pointer offset, a branch
 * that was decided), the registers and slots it came from are marked precise back through the jump history of this
 * state and its parents, so that pruning compares them; all others may differ.
 *
 * Source    kernel/bpf/verifier.c: __mark_chain_precision, backtrack_insn, propagate_precision.
 */
import { BPF_FUNC_tail_call } from "../abi/bpf.ts";
import { EFAULT } from "../abi/errno.ts";
import { callFacts, isKfuncCall, isPseudoCall } from "./call_facts.ts";
import type { VerifierEnv } from "./env.ts";
import {
  F_LINKED_SHIFT,
  F_SPI_SHIFT,
  H_BEFORE,
  H_FLAGS,
  H_LINK0,
  H_LINK1,
  H_PREV,
  HIST,
  INSN_F_DST_REG_STACK,
  INSN_F_SRC_REG_STACK,
  INSN_F_STACK_ACCESS,
} from "./jmp_history.ts";
import { F_CALLSITE, F_SUBPROGNO, MAX_CALL_FRAMES } from "./layout.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";
import { printState } from "./print_state.ts";
import { SCALAR_VALUE, STACK_SPILL } from "./reg_type.ts";
import type { Frame, Reg, VState } from "./state.ts";
import { verboseInsn } from "./trace.ts";

/** callsite of a function nobody called. */
export const BPF_MAIN_FUNC = -1;

/** Registers and slots that are wanted, per frame, while walking back. */
export class Backtrack {
  frame = 0;
  readonly regs = new Int32Array(MAX_CALL_FRAMES);
  readonly lo = new Int32Array(MAX_CALL_FRAMES);
  readonly hi = new Int32Array(MAX_CALL_FRAMES);

  init(frame: number): void {
    this.frame = frame;
  }
  reset(): void {
    this.frame = 0;
    this.regs.fill(0);
    this.lo.fill(0);
    this.hi.fill(0);
  }
  get empty(): boolean {
    for (let i = this.frame; i >= 0; i--) if (this.regs[i] || this.lo[i] || this.hi[i]) return false;
    return true;
  }
  get regMask(): number {
    return this.regs[this.frame];
  }
  get hasSlots(): boolean {
    return (this.lo[this.frame] | this.hi[this.frame]) !== 0;
  }
  hasReg(regno: number): boolean {
    return (this.regs[this.frame] & (1 << regno)) !== 0;
  }
  setReg(regno: number, frame = this.frame): void {
    this.regs[frame] |= 1 << regno;
  }
  clearReg(regno: number, frame = this.frame): void {
    this.regs[frame] &= ~(1 << regno);
  }
  hasSlot(frame: number, spi: number): boolean {
    return ((spi < 32 ? this.lo[frame] >>> spi : this.hi[frame] >>> (spi - 32)) & 1) !== 0;
  }
  setSlot(frame: number, spi: number): void {
    if (spi < 32) this.lo[frame] |= 1 << spi;
    else this.hi[frame] |= 1 << (spi - 32);
  }
  clearSlot(frame: number, spi: number): void {
    if (spi < 32) this.lo[frame] &= ~(1 << spi);
    else this.hi[frame] &= ~(1 << (spi - 32));
  }
}

const ARG_REGS = 0x3e;

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function regMaskStr(mask: number): string {
  const out: string[] = [];
  for (let i = 0; i < 32; i++) if (mask & (1 << i)) out.push(`r${i}`);
  return out.join(",");
}

function slotMaskStr(lo: number, hi: number): string {
  const out: string[] = [];
  for (let i = 0; i < 64; i++) if ((i < 32 ? lo >>> i : hi >>> (i - 32)) & 1) out.push(`${-(i + 1) * 8}`);
  return out.join(",");
}

function bug(env: VerifierEnv, text: string): never {
  return env.reject(EFAULT, `verifier bug: ${text}`);
}

/** If one of the linked registers is wanted, all are. bt_sync_linked_regs(). */
function syncLinked(bt: Backtrack, hist: Int32Array, at: number): void {
  const count = (hist[at + H_FLAGS] >>> F_LINKED_SHIFT) & 15;
  if (count === 0) return;
  const entry = (i: number) =>
    (i < 3 ? hist[at + H_LINK0] >>> (10 * i) : hist[at + H_LINK1] >>> (10 * (i - 3))) & 0x3ff;
  let wanted = false;
  for (let i = 0; i < count && !wanted; i++) {
    const e = entry(i);
    const frame = e & 7;
    const n = (e >>> 3) & 63;
    wanted = e & (1 << 9) ? (bt.regs[frame] & (1 << n)) !== 0 : bt.hasSlot(frame, n);
  }
  if (!wanted) return;
  for (let i = 0; i < count; i++) {
    const e = entry(i);
    if (e & (1 << 9)) bt.setReg((e >>> 3) & 63, e & 7);
    else bt.setSlot(e & 7, (e >>> 3) & 63);
  }
}

function isAtomicFetch(code: number, imm: number): boolean {
  return (code & 7) === 3 && (code & 0xe0) === 0xc0 && imm !== 0x100 && imm !== 0x110 && (imm & 1) !== 0;
}

function isAtomicLoad(code: number, imm: number): boolean {
  return (code & 7) === 3 && (code & 0xe0) === 0xc0 && imm === 0x100;
}

/** backMasks(): the step over the instruction always matters; it matters when a note says that it wrote to the stack. */
const ALWAYS = 1 << 15;
const STORES = 1 << 14;

/**
 * By instruction: registers that have to be wanted for the step over it to change anything. Most steps change nothing, and
 * finding that out takes a fifth of the time that backtrackInsn() takes.
 */
function backMasks(env: VerifierEnv): Uint16Array {
  const { code, dst, src, imm, length } = env.insns;
  const masks = new Uint16Array(length);
  for (let i = 0; i < length; i++) {
    const c = code[i];
    const op = c & 0xf0;
    switch (c & 7) {
      case 2:
      case 3:
        if (isAtomicLoad(c, imm[i])) masks[i] = 1 << dst[i];
        else if (isAtomicFetch(c, imm[i])) masks[i] = 1 << (imm[i] === 0xf1 ? 0 : src[i]);
        else masks[i] = (1 << dst[i]) | STORES;
        break;
      case 5:
      case 6:
        if (op === 0x80 || op === 0x90) masks[i] = ALWAYS;
        else if (op !== 0x00 && op !== 0xe0 && c & 8) masks[i] = (1 << dst[i]) | (1 << src[i]);
        break;
      case 0:
        // the second half of a ld_imm64 has code 0; legacy packet loads may end the function
        if (c !== 0) masks[i] = (c & 0xe0) === 0 ? 1 << dst[i] : ALWAYS;
        break;
      default:
        masks[i] = 1 << dst[i];
    }
  }
  return masks;
}

/** Can the step over an instruction change what is wanted? @param flags of its history entry, 0 without one */
function mayMatter(mask: number, wanted: number, flags: number): boolean {
  return (
    (mask & (wanted | ALWAYS)) !== 0 ||
    flags >>> F_LINKED_SHIFT !== 0 ||
    ((mask & STORES) !== 0 && (flags & INSN_F_STACK_ACCESS) !== 0)
  );
}

function subprogExit(env: VerifierEnv, bt: Backtrack): void {
  if (bt.frame === 0) bug(env, "subprog exit from frame 0");
  bt.frame--;
}

function subprogEnter(env: VerifierEnv, bt: Backtrack): void {
  if (bt.frame === MAX_CALL_FRAMES - 1) bug(env, "subprog enter from frame 7");
  bt.frame++;
}

/**
 * Steps back over instruction idx: what was wanted after it, turned into what is wanted before it.
 * @param at offset of its history entry in hist, -1 without one
 * @returns false when the walk must give up
 */
function backtrackInsn(env: VerifierEnv, idx: number, subseqIdx: number, hist: Int32Array, at: number): boolean {
  const bt = env.bt;
  const { code, dst, src, imm } = env.insns;
  const c = code[idx];
  if (c === 0) return true;
  if (env.log.level & BPF_LOG_LEVEL2) {
    env.verbose(
      `mark_precise: frame${bt.frame}: regs=${regMaskStr(bt.regMask)} stack=${slotMaskStr(bt.lo[bt.frame], bt.hi[bt.frame])} before ${idx}: `,
    );
    verboseInsn(env, idx);
  }
  // Links that this instruction's sync used: before the masks change, and after.
  if (at >= 0) syncLinked(bt, hist, at);
  const flags = at >= 0 ? hist[at + H_FLAGS] : 0;
  const d = dst[idx];
  const s = src[idx];
  const cls = c & 7;
  const op = c & 0xf0;
  if (cls === 4 || cls === 7) {
    if (!bt.hasReg(d)) return true;
    if (op === 0xd0 || op === 0x80) return true;
    if (op === 0xb0) {
      bt.clearReg(d);
      if (c & 8 && s !== 10) bt.setReg(s);
    } else if (c & 8 && s !== 10) {
      bt.setReg(s);
    }
  } else if (cls === 1 || isAtomicLoad(c, imm[idx]) || isAtomicFetch(c, imm[idx])) {
    const loaded = isAtomicFetch(c, imm[idx]) ? (imm[idx] === 0xf1 ? 0 : s) : d;
    if (!bt.hasReg(loaded)) return true;
    bt.clearReg(loaded);
    // A value from anywhere but the stack was unknown; nothing before it matters.
    if (!(flags & INSN_F_STACK_ACCESS)) return true;
    bt.setSlot(flags & 7, (flags >>> F_SPI_SHIFT) & 63);
  } else if (cls === 2 || cls === 3) {
    if (bt.hasReg(d)) return false;
    if (!(flags & INSN_F_STACK_ACCESS)) return true;
    const frame = flags & 7;
    const spi = (flags >>> F_SPI_SHIFT) & 63;
    if (!bt.hasSlot(frame, spi)) return true;
    bt.clearSlot(frame, spi);
    if (cls === 3) bt.setReg(s);
  } else if (cls === 5 || cls === 6) {
    const jump = backtrackJump(env, idx, subseqIdx, flags);
    if (jump !== undefined) return jump;
  } else if (cls === 0) {
    const mode = c & 0xe0;
    if (mode === 0) {
      bt.clearReg(d);
      return true;
    }
    // Legacy packet loads: r0 is unknown, and a short packet ends the function.
    if (bt.hasReg(d)) return false;
    if (subseqIdx !== idx + 1) subprogEnter(env, bt);
    return true;
  }
  if (at >= 0) syncLinked(bt, hist, at);
  return true;
}

/** Calls, exits and jumps of backtrackInsn(); undefined = go on to its end. */
function backtrackJump(env: VerifierEnv, idx: number, subseqIdx: number, flags: number): boolean | undefined {
  const bt = env.bt;
  const { code, dst, src, imm } = env.insns;
  const c = code[idx];
  const op = c & 0xf0;
  if (isPseudoCall(env, idx)) {
    const callee = env.subprogOf[idx + imm[idx] + 1];
    if (env.subprogs[callee].global && idx + 1 === subseqIdx) {
      if (bt.regMask & ARG_REGS) bug(env, `global subprog unexpected regs ${bt.regMask.toString(16)}`);
      bt.clearReg(0);
      return true;
    }
    // A static function: its arguments were the caller's registers.
    if (bt.regMask & ~ARG_REGS) bug(env, `static subprog unexpected regs ${bt.regMask.toString(16)}`);
    if (bt.hasSlots) bug(env, "static subprog leftover stack slots");
    for (let i = 1; i <= 5; i++) {
      if (!bt.hasReg(i)) continue;
      bt.clearReg(i);
      bt.setReg(i, bt.frame - 1);
    }
    subprogExit(env, bt);
    return true;
  }
  if (op === 0x80 && c === 0x85) {
    const facts = callFacts(env, idx);
    if (facts?.syncCallback && idx !== subseqIdx - 1) {
      // The instruction after the call (in walking order) was the callback's first.
      if (bt.regMask & ~ARG_REGS) bug(env, `callback unexpected regs ${bt.regMask.toString(16)}`);
      if (bt.hasSlots) bug(env, "callback leftover stack slots");
      for (let i = 1; i <= 5; i++) bt.clearReg(i);
      subprogExit(env, bt);
      return true;
    }
    if (isKfuncCall(env, idx) && imm[idx] === 0) return false;
    bt.clearReg(0);
    if (bt.regMask & ARG_REGS) bug(env, `backtracking call unexpected regs ${bt.regMask.toString(16)}`);
    // A tail call that left its function: what ran next was the caller.
    if (src[idx] === 0 && imm[idx] === BPF_FUNC_tail_call && subseqIdx !== idx + 1) subprogEnter(env, bt);
    return undefined;
  }
  if (op === 0x90) {
    const fromCall = subseqIdx - 1 >= 0 && isPseudoCall(env, subseqIdx - 1);
    const r0 = fromCall && bt.hasReg(0);
    if (fromCall && bt.regMask & ARG_REGS) bug(env, `backtracking exit unexpected regs ${bt.regMask.toString(16)}`);
    bt.clearReg(0);
    subprogEnter(env, bt);
    if (r0) bt.setReg(0);
    return true;
  }
  if (op !== 0x00 && op !== 0xe0 && c & 8) {
    const d = dst[idx];
    const s = src[idx];
    if (!bt.hasReg(d) && !bt.hasReg(s)) return true;
    // Both sides decided the branch; pointers to the stack carry no number.
    if (!(flags & INSN_F_SRC_REG_STACK)) bt.setReg(s);
    if (!(flags & INSN_F_DST_REG_STACK)) bt.setReg(d);
  }
  return undefined;
}

/** The walk lost track: everything in all parents counts as precise. */
function markAllScalarsPrecise(env: VerifierEnv, state: VState): void {
  const R = env.R;
  const trace = (env.log.level & BPF_LOG_LEVEL2) !== 0;
  if (trace) env.verbose(`mark_precise: frame${state.curframe}: falling back to forcing all scalars precise\n`);
  for (let st = state.parent; st; st = st.parent) {
    for (let f = 0; f <= st.curframe; f++) {
      if (trace) traceForced(env, f, st.frames[f]);
      R.wasm.frame_precise(st.frames[f]);
    }
  }
}

/** What frame_precise() is about to change. */
function traceForced(env: VerifierEnv, f: number, frame: Frame): void {
  const R = env.R;
  const force = (reg: Reg, name: string) => {
    if (R.type(reg) !== SCALAR_VALUE || R.precise(reg)) return;
    env.verbose(`force_precise: frame${f}: forcing ${name} to be precise\n`);
  };
  for (let i = 0; i < 10; i++) force(R.regAt(frame, i), `r${i}`);
  const slots = R.stackSlots(frame);
  for (let spi = 0; spi < slots; spi++) {
    if (R.slotType(frame, spi, 7) === STACK_SPILL) force(R.slotAt(frame, spi), `fp${-(spi + 1) * 8}`);
  }
}

/** Outcome of a walk: did a register become precise that was not? */
export interface Changed {
  any: boolean;
}

/** Marks in the parents what env.bt asks for, beginning behind the last instruction of `start`. */
function walkBack(env: VerifierEnv, start: VState, changed?: Changed): void {
  const R = env.R;
  const bt = env.bt;
  const trace = (env.log.level & BPF_LOG_LEVEL2) !== 0;
  let st: VState = start;
  let firstIdx = st.firstInsnIdx;
  let lastIdx = st.insnIdx;
  let subseqIdx = -1;
  let skipFirst = true;
  if (bt.empty) return;
  const hist = env.history.words;
  const matters = (env.backMasks ??= backMasks(env));
  for (;;) {
    let left = st.histLen;
    let at = st.hist * HIST;
    if (trace) {
      env.verbose(
        `mark_precise: frame${bt.frame}: last_idx ${lastIdx} first_idx ${firstIdx} subseq_idx ${subseqIdx} \n`,
      );
    }
    if (lastIdx < 0) {
      // The first instruction of a function that is verified on its own: r1..r5 are its arguments.
      const frame = st.frames[0];
      const entry = st.curframe === 0 && R.get(frame, F_SUBPROGNO) > 0 && R.get(frame, F_CALLSITE) === BPF_MAIN_FUNC;
      if (!entry || bt.hasSlots || bt.regMask & ~ARG_REGS) {
        bug(env, `backtracking func entry subprog ${R.get(frame, F_SUBPROGNO)} reg_mask ${bt.regMask.toString(16)}`);
      }
      for (let i = 1; i <= 5; i++) {
        if (!bt.hasReg(i)) continue;
        bt.clearReg(i);
        const reg = R.regAt(frame, i);
        if (R.type(reg) === SCALAR_VALUE) {
          R.setPrecise(reg, true);
          if (changed) changed.any = true;
        }
      }
      bt.reset();
      return;
    }
    for (let i = lastIdx; ; ) {
      const noted = left > 0 && hist[at] === i;
      if (skipFirst) {
        skipFirst = false;
      } else if (trace || mayMatter(matters[i], bt.regMask, noted ? hist[at + H_FLAGS] : 0)) {
        if (!backtrackInsn(env, i, subseqIdx, hist, noted ? at : -1)) {
          markAllScalarsPrecise(env, start);
          bt.reset();
          return;
        }
        if (bt.empty) {
          bt.frame = 0;
          return;
        }
      }
      subseqIdx = i;
      // get_prev_insn_idx()
      if (i === st.firstInsnIdx && (left === 0 || (left === 1 && noted))) break;
      if (noted) {
        i = hist[at + H_PREV];
        at = hist[at + H_BEFORE] * HIST;
        left--;
      } else {
        i--;
      }
      if (i < 0) break;
      if (i >= env.insns.length) bug(env, `backtracking idx ${i}`);
    }
    if (!st.parent) break;
    st = st.parent;
    for (let f = bt.frame; f >= 0; f--) markParent(env, st, f, trace, changed);
    if (bt.empty) {
      bt.frame = 0;
      return;
    }
    subseqIdx = firstIdx;
    lastIdx = st.lastInsnIdx;
    firstIdx = st.firstInsnIdx;
  }
  if (!bt.empty) markAllScalarsPrecise(env, start);
  bt.reset();
}

/** What is wanted and a scalar becomes precise in a stored state; what was precise there needs no further walk. */
function markParent(env: VerifierEnv, st: VState, f: number, trace: boolean, changed?: Changed): void {
  const R = env.R;
  const bt = env.bt;
  const frame = st.frames[f];
  for (let rest = bt.regs[f]; rest; rest &= rest - 1) {
    const i = lowestBit(rest);
    const reg = R.regAt(frame, i);
    if (R.type(reg) !== SCALAR_VALUE || R.precise(reg)) {
      bt.clearReg(i, f);
    } else {
      R.setPrecise(reg, true);
      if (changed) changed.any = true;
    }
  }
  if (bt.lo[f] | bt.hi[f]) {
    const slots = R.stackSlots(frame);
    const mark = (spi: number) => {
      if (spi >= slots) bug(env, `stack slot ${spi} out of bounds, total ${slots}`);
      const reg = R.slotAt(frame, spi);
      if (R.slotType(frame, spi, 7) !== STACK_SPILL || R.type(reg) !== SCALAR_VALUE || R.precise(reg)) {
        bt.clearSlot(f, spi);
      } else {
        R.setPrecise(reg, true);
        if (changed) changed.any = true;
      }
    };
    for (let rest = bt.lo[f]; rest; rest &= rest - 1) mark(lowestBit(rest));
    for (let rest = bt.hi[f]; rest; rest &= rest - 1) mark(32 + lowestBit(rest));
  }
  if (trace) {
    env.verbose(
      `mark_precise: frame${f}: parent state regs=${regMaskStr(bt.regs[f])} stack=${slotMaskStr(bt.lo[f], bt.hi[f])}: `,
    );
    printState(env, st, f, true);
  }
}

/** The value of a scalar register of the running frame matters from here on. */
export function markChainPrecision(env: VerifierEnv, regno: number): void {
  if (!env.bpfCapable) return;
  env.bt.init(env.cur.curframe);
  if (regno >= 0) {
    if (env.R.type(env.reg(regno)) !== SCALAR_VALUE) bug(env, `backtracking misuse: R${regno}`);
    env.bt.setReg(regno);
  }
  walkBack(env, env.cur);
}

/** Several registers at once; they were set in env.bt. mark_chain_precision_batch(). */
export function markChainPrecisionBatch(env: VerifierEnv, start: VState, changed?: Changed): void {
  if (!env.bpfCapable) {
    env.bt.reset();
    return;
  }
  env.bt.init(start.curframe);
  walkBack(env, start, changed);
}

/** `cur` continues as the explored `old` did: what mattered there matters on the way here. */
export function propagatePrecision(env: VerifierEnv, old: VState, cur: VState, changed?: Changed): void {
  const R = env.R;
  const bt = env.bt;
  const trace = (env.log.level & BPF_LOG_LEVEL2) !== 0;
  for (let f = old.curframe; f >= 0; f--) {
    const at = R.wasm.precise_scalars(old.frames[f]) >> 2;
    bt.regs[f] |= R.i32[at];
    bt.lo[f] |= R.i32[at + 1];
    bt.hi[f] |= R.i32[at + 2];
    if (trace) tracePropagated(env, f, R.i32[at], R.i32[at + 1], R.i32[at + 2]);
  }
  markChainPrecisionBatch(env, cur, changed);
}

function tracePropagated(env: VerifierEnv, f: number, regs: number, lo: number, hi: number): void {
  const names: string[] = [];
  for (let i = 0; i < 10; i++) if (regs & (1 << i)) names.push(`r${i}`);
  for (let spi = 0; spi < 64; spi++) {
    if ((spi < 32 ? lo >>> spi : hi >>> (spi - 32)) & 1) names.push(`fp${(-spi - 1) * 8}`);
  }
  if (names.length) env.verbose(`frame ${f}: propagating ${names.join(",")}\n`);
}

/** All scalars of one state; for loops whose marks do not settle. */
export function forceScalarsPrecise(env: VerifierEnv, state: VState): void {
  markAllScalarsPrecise(env, state);
}

/** The value spilled in a slot of a frame matters: bt_set_frame_slot() and walk. */
export function markSlotPrecise(env: VerifierEnv, frameno: number, spi: number): void {
  if (!env.bpfCapable) return;
  env.bt.init(env.cur.curframe);
  env.bt.setSlot(frameno, spi);
  walkBack(env, env.cur);
}
