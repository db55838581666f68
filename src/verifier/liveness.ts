/**
 * Liveness: which registers (before anything is simulated) and which stack slots (while simulating) may still be read.
 * Dead ones are forgotten when states are compared.
 *
 * Stack slots cannot be known from the code alone (`*(r1 + 0)` may point anywhere), so each simulated instruction
 * reports what it read and what it surely wrote, per call chain; when a path ends the reports are spread backwards over
 * the control flow of each function on the chain. Masks are two 32-bit words (slot i is bit i).
 *
 * Source   compute_live_registers() in kernel/bpf/verifier.c; kernel/bpf/liveness.c of Linux 6.18.
 */
import { callFacts } from "./call_facts.ts";
import { isLdImm64At } from "./cfg.ts";
import { CALLS_CALLBACK, type VerifierEnv } from "./env.ts";
import { F_CALLSITE, F_SUBPROGNO, MAX_CALL_FRAMES } from "./layout.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";
import type { VState } from "./state.ts";
import { verboseInsn } from "./trace.ts";

const BPF_CMPXCHG = 0xf1;
const BPF_LOAD_ACQ = 0x100;
const BPF_STORE_REL = 0x110;
const BPF_FETCH = 1;
const ALL_CALLER_SAVED = 0x3f;

/** Registers read and written by instruction i: use | def << 16. */
function useDef(env: VerifierEnv, i: number): number {
  const { code, dst, src, imm } = env.insns;
  const c = code[i];
  const d = 1 << dst[i];
  const s = 1 << src[i];
  const mode = c & 0xe0;
  const of = (use: number, def: number) => use | (def << 16);
  switch (c & 7) {
    case 0: // LD: immediates; legacy packet loads read everything
      return mode === 0 && (c & 0x18) === 0x18 ? of(0, d) : of(0xffff, 0);
    case 1: // LDX
      return of(s, d);
    case 2: // ST
      return of(d, 0);
    case 3: // STX
      if (mode !== 0xc0) return of(d | s, 0);
      if (imm[i] === BPF_CMPXCHG) return of(1 | d | s, 1);
      if (imm[i] === BPF_LOAD_ACQ) return of(s, d);
      if (imm[i] === BPF_STORE_REL) return of(d | s, 0);
      return of(d | s, imm[i] & BPF_FETCH ? s : 0);
    case 4:
    case 7: {
      const op = c & 0xf0;
      if (op === 0xd0) return of(d, d);
      if (op === 0xb0) return of(c & 8 ? s : 0, d);
      return of(c & 8 ? d | s : d, d);
    }
    default: {
      const op = c & 0xf0;
      if (op === 0x00 || op === 0xe0) return of(0, 0);
      if (op === 0x90) return of(1, 0);
      if (op === 0x80) {
        const facts = callFacts(env, i);
        return of(facts ? ((1 << (facts.numParams + 1)) - 1) & ~1 : ALL_CALLER_SAVED & ~1, ALL_CALLER_SAVED);
      }
      return of(c & 8 ? d | s : d, 0);
    }
  }
}

/** compute_live_registers(): fills env.liveRegs and prints them at level 2. */
export function computeLiveRegisters(env: VerifierEnv): void {
  const n = env.insns.length;
  const { liveRegs, postorder } = env;
  const ud = new Int32Array(n);
  for (let i = 0; i < n; i++) ud[i] = useDef(env, i);
  const { succ } = env;
  let changed = true;
  while (changed) {
    changed = false;
    for (let k = 0; k < postorder.length; k++) {
      const i = postorder[k];
      let out = 0;
      if (succ[2 * i] >= 0) out |= liveRegs[succ[2 * i]];
      if (succ[2 * i + 1] >= 0) out |= liveRegs[succ[2 * i + 1]];
      const before = ((out & ~(ud[i] >>> 16)) | (ud[i] & 0xffff)) & 0xffff;
      if (before !== liveRegs[i]) {
        liveRegs[i] = before;
        changed = true;
      }
    }
  }
  if (env.log.level & BPF_LOG_LEVEL2) printLiveRegs(env);
}

function printLiveRegs(env: VerifierEnv): void {
  env.verbose("Live regs before insn:\n");
  for (let i = 0; i < env.insns.length; i++) {
    let text = env.scc[i] ? `${String(env.scc[i]).padStart(3)} ` : "    ";
    text += `${String(i).padStart(3)}: `;
    for (let r = 0; r < 10; r++) text += env.liveRegs[i] & (1 << r) ? r : ".";
    env.verbose(`${text} `);
    verboseInsn(env, i);
    if (isLdImm64At(env, i)) i++;
  }
}

/** Masks of one frame, for each instruction of one function. Two words each. */
interface FrameMasks {
  readonly mayRead: Int32Array;
  readonly mustWrite: Int32Array;
  readonly mustWriteAcc: Int32Array;
  readonly liveBefore: Int32Array;
}

/** A function called through one chain of call sites. */
interface Instance {
  /** What called it; undefined for a function that is walked on its own. */
  readonly parent: Instance | undefined;
  /** By call site and subprogram, see childKey(). */
  readonly children: Map<number, Instance>;
  readonly callsites: readonly number[];
  readonly curframe: number;
  readonly subprog: number;
  readonly start: number;
  readonly count: number;
  mustWriteDropped: boolean;
  /** Instructions, relative to start, whose reports changed since the last update; each once. */
  readonly dirty: number[];
  readonly isDirty: Uint8Array;
  readonly frames: (FrameMasks | undefined)[];
  readonly mustWriteSet: Uint8Array;
}

function childKey(callsite: number, subprog: number): number {
  return callsite * 256 + subprog;
}

function create(env: VerifierEnv, parent: Instance | undefined, callsite: number, subprog: number): Instance {
  const { start, end } = env.subprogs[subprog];
  const curframe = parent ? parent.curframe + 1 : 0;
  return {
    parent,
    children: new Map(),
    callsites: parent ? [...parent.callsites, callsite] : [],
    curframe,
    subprog,
    start,
    count: end - start,
    mustWriteDropped: false,
    dirty: [],
    isDirty: new Uint8Array(end - start),
    frames: new Array(curframe + 1).fill(undefined),
    mustWriteSet: new Uint8Array(end - start),
  };
}

function markDirty(inst: Instance, rel: number): void {
  if (inst.isDirty[rel]) return;
  inst.isDirty[rel] = 1;
  inst.dirty.push(rel);
}

export class StackLiveness {
  /** By subprogram: functions that are walked on their own. */
  private readonly roots: Instance[] = [];
  private cur: Instance | undefined = undefined;
  private pinned: Instance | undefined = undefined;
  private readonly accLo = new Int32Array(MAX_CALL_FRAMES);
  private readonly accHi = new Int32Array(MAX_CALL_FRAMES);
  private accDirty = false;
  private writeInsn = 0;
  private query: (Instance | undefined)[] = [];
  private queryFrame = 0;
  private queryInsn = 0;

  /** The call chain of the current state changed. bpf_reset_live_stack_callchain(). */
  resetCallchain(): void {
    this.cur = undefined;
  }

  private lookup(env: VerifierEnv, state: VState, frameno: number): Instance {
    const R = env.R;
    const root = R.get(state.frames[0], F_SUBPROGNO);
    let inst = this.roots[root];
    if (!inst) {
      inst = create(env, undefined, -1, root);
      this.roots[root] = inst;
    }
    for (let f = 1; f <= frameno; f++) {
      const callsite = R.get(state.frames[f], F_CALLSITE);
      const subprog = R.get(state.frames[f], F_SUBPROGNO);
      let child = inst.children.get(childKey(callsite, subprog));
      if (!child) {
        child = create(env, inst, callsite, subprog);
        inst.children.set(childKey(callsite, subprog), child);
      }
      inst = child;
    }
    return inst;
  }

  private masks(inst: Instance, frame: number): FrameMasks {
    let m = inst.frames[frame];
    if (!m) {
      const n = 2 * inst.count;
      m = {
        mayRead: new Int32Array(n),
        mustWrite: new Int32Array(n),
        mustWriteAcc: new Int32Array(n),
        liveBefore: new Int32Array(n),
      };
      inst.frames[frame] = m;
    }
    return m;
  }

  /** Starts collecting what an instruction surely writes. */
  resetWriteMarks(insnIdx: number): void {
    this.writeInsn = insnIdx;
    if (this.accDirty) {
      this.accLo.fill(0);
      this.accHi.fill(0);
      this.accDirty = false;
    }
  }

  /** The current instruction overwrites slots of a frame. */
  markWrite(frame: number, lo: number, hi: number): void {
    this.accLo[frame] |= lo;
    this.accHi[frame] |= hi;
    this.accDirty = true;
  }

  markWriteSlot(frame: number, spi: number): void {
    if (spi < 32) this.markWrite(frame, 1 << spi, 0);
    else this.markWrite(frame, 0, 1 << (spi - 32));
  }

  /** An instruction may read slots of a frame of the current chain. */
  markRead(env: VerifierEnv, frame: number, insnIdx: number, lo: number, hi: number): void {
    this.cur ??= this.lookup(env, env.cur, env.cur.curframe);
    this.markReadIn(this.cur, frame, insnIdx, lo, hi);
  }

  markReadSlot(env: VerifierEnv, frame: number, insnIdx: number, spi: number): void {
    if (spi < 32) this.markRead(env, frame, insnIdx, 1 << spi, 0);
    else this.markRead(env, frame, insnIdx, 0, 1 << (spi - 32));
  }

  private markReadIn(inst: Instance, frame: number, insnIdx: number, lo: number, hi: number): void {
    const m = this.masks(inst, frame);
    const at = 2 * (insnIdx - inst.start);
    const nlo = m.mayRead[at] | lo;
    const nhi = m.mayRead[at + 1] | hi;
    if (nlo === m.mayRead[at] && nhi === m.mayRead[at + 1]) return;
    if ((nlo & ~m.liveBefore[at]) !== 0 || (nhi & ~m.liveBefore[at + 1]) !== 0) markDirty(inst, at >> 1);
    m.mayRead[at] = nlo;
    m.mayRead[at + 1] = nhi;
  }

  /** The instruction about to run belongs to this chain, even if it calls or returns. */
  pinInstance(env: VerifierEnv): void {
    this.cur ??= this.lookup(env, env.cur, env.cur.curframe);
    this.pinned = this.cur;
  }

  /** Ends the collection begun by resetWriteMarks(). */
  commitWriteMarks(): void {
    if (this.pinned) this.commitIn(this.pinned);
  }

  private commitIn(inst: Instance): void {
    const idx = this.writeInsn - inst.start;
    if (idx < 0 || idx >= inst.count) return;
    const set = inst.mustWriteSet[idx] !== 0;
    for (let frame = 0; frame <= inst.curframe; frame++) {
      let lo = this.accLo[frame];
      let hi = this.accHi[frame];
      if (lo === 0 && hi === 0 && (!set || !inst.frames[frame])) continue;
      const m = this.masks(inst, frame);
      const at = 2 * idx;
      const oldLo = m.mustWrite[at];
      const oldHi = m.mustWrite[at + 1];
      if (set) {
        // Paths that come here with different pointers agree on the slots in both sets only.
        lo &= oldLo;
        hi &= oldHi;
      }
      if (lo !== oldLo || hi !== oldHi) {
        m.mustWrite[at] = lo;
        m.mustWrite[at + 1] = hi;
        markDirty(inst, idx);
      }
      if ((oldLo & ~lo) !== 0 || (oldHi & ~hi) !== 0) inst.mustWriteDropped = true;
    }
    inst.mustWriteSet[idx] = 1;
  }

  /** A path ends: spreads the reports of every function on its chain. bpf_update_live_stack(). */
  update(env: VerifierEnv): void {
    this.resetCallchain();
    for (let frame = env.cur.curframe; frame >= 0; frame--) this.updateInstance(env, this.lookup(env, env.cur, frame));
  }

  private updateInstance(env: VerifierEnv, inst: Instance): void {
    if (inst.dirty.length === 0) return;
    const { postorder, postorderStart, preds, predStart } = env;
    if (inst.mustWriteDropped) {
      // What follows from the larger sets must go, so everything is computed anew.
      for (const m of inst.frames) m?.mustWriteAcc.fill(0);
      for (let k = postorderStart[inst.subprog + 1] - 1; k >= postorderStart[inst.subprog]; k--) {
        markDirty(inst, postorder[k] - inst.start);
      }
    }
    const { dirty, isDirty, start } = inst;
    // Newest first: backwards along straight code.
    while (dirty.length) {
      const rel = dirty.pop()!;
      isDirty[rel] = 0;
      const insnIdx = start + rel;
      let changed = false;
      for (let frame = 0; frame <= inst.curframe; frame++) {
        const m = inst.frames[frame];
        if (m && this.updateInsn(env, inst, m, insnIdx)) changed = true;
      }
      if (!changed) continue;
      for (let k = predStart[insnIdx]; k < predStart[insnIdx + 1]; k++) markDirty(inst, preds[k] - start);
    }
    this.propagateOut(inst);
    inst.mustWriteDropped = false;
  }

  private updateInsn(env: VerifierEnv, inst: Instance, m: FrameMasks, insnIdx: number): boolean {
    const s1 = env.succ[2 * insnIdx];
    const s2 = env.succ[2 * insnIdx + 1];
    if (s1 < 0) return false;
    const at = 2 * (insnIdx - inst.start);
    const a1 = 2 * (s1 - inst.start);
    let afterLo = m.liveBefore[a1];
    let afterHi = m.liveBefore[a1 + 1];
    let accLo = m.mustWriteAcc[a1];
    let accHi = m.mustWriteAcc[a1 + 1];
    if (s2 >= 0) {
      const a2 = 2 * (s2 - inst.start);
      afterLo |= m.liveBefore[a2];
      afterHi |= m.liveBefore[a2 + 1];
      accLo &= m.mustWriteAcc[a2];
      accHi &= m.mustWriteAcc[a2 + 1];
    }
    accLo |= m.mustWrite[at];
    accHi |= m.mustWrite[at + 1];
    const lo = (afterLo & ~m.mustWrite[at]) | m.mayRead[at];
    const hi = (afterHi & ~m.mustWrite[at + 1]) | m.mayRead[at + 1];
    if (
      lo === m.liveBefore[at] &&
      hi === m.liveBefore[at + 1] &&
      accLo === m.mustWriteAcc[at] &&
      accHi === m.mustWriteAcc[at + 1]
    ) {
      return false;
    }
    m.liveBefore[at] = lo;
    m.liveBefore[at + 1] = hi;
    m.mustWriteAcc[at] = accLo;
    m.mustWriteAcc[at + 1] = accHi;
    return true;
  }

  /** For the caller the whole call is one instruction that reads and writes what the callee does. */
  private propagateOut(inst: Instance): void {
    const outer = inst.parent;
    if (!outer) return;
    const callsite = inst.callsites[inst.curframe - 1];
    this.resetWriteMarks(callsite);
    for (let frame = 0; frame < inst.curframe; frame++) {
      const m = inst.frames[frame];
      if (!m) continue;
      this.markWrite(frame, m.mustWriteAcc[0], m.mustWriteAcc[1]);
      this.markReadIn(outer, frame, callsite, m.liveBefore[0], m.liveBefore[1]);
    }
    this.commitIn(outer);
  }

  /** Prepares slotMask() for a stored state. */
  queryInit(env: VerifierEnv, state: VState): void {
    this.query = [];
    for (let f = 0; f <= state.curframe; f++) this.query.push(this.lookup(env, state, f));
    this.queryFrame = state.curframe;
    this.queryInsn = state.insnIdx;
  }

  /** Live slots of a frame of the state given to queryInit(), low and high word. */
  liveSlots(env: VerifierEnv, frameno: number): readonly [number, number] {
    let lo = 0;
    let hi = 0;
    const add = (inst: Instance, insnIdx: number) => {
      const m = inst.frames[frameno];
      if (!m) return;
      const at = 2 * (insnIdx - inst.start);
      lo |= m.liveBefore[at];
      hi |= m.liveBefore[at + 1];
    };
    const inner = this.query[this.queryFrame]!;
    add(inner, this.queryInsn);
    for (let i = frameno; i < this.queryFrame; i++) {
      const callsite = inner.callsites[i];
      // A callback may be called again, so the call itself still reads.
      add(this.query[i]!, env.has(callsite, CALLS_CALLBACK) ? callsite : callsite + 1);
    }
    return [lo, hi];
  }
}
