/**
 * Records the path that is being walked: for each instruction, which registers and stack slots of which frame it
 * changed, with their new records. Paths are walked depth first, so the path that waits longest is a prefix of the
 * others, and resuming one cuts the record back to its length.
 */
import type { VerifierEnv } from "../env.ts";
import { F_REGS, F_STACK, R_PRECISE, REG_SIZE, SLOT_SIZE } from "../layout.ts";
import type { Probe } from "../probe.ts";

/** Registers are 0..10, stack slot i is SLOT0 + i. */
export const SLOT0 = 16;

export interface Change {
  readonly frameno: number;
  readonly loc: number;
  /** The record afterwards: a register, or a whole stack slot. */
  readonly bytes: Uint8Array;
}

export interface Step {
  readonly insnIdx: number;
  /** Where the path went on. */
  readonly next: number;
  /** Frame that ran the instruction. */
  readonly frameno: number;
  /** References held afterwards. */
  readonly refs: readonly number[];
  readonly changes: readonly Change[];
}

interface Mark {
  readonly length: number;
  readonly shadow: readonly Uint8Array[];
}

export class PathRecorder implements Probe {
  readonly steps: Step[] = [];
  /** Frames as they were before the running instruction. */
  shadow: Uint8Array[] = [];
  /** Where the running instruction's messages begin in the log. */
  logPos = 0;
  private marks: Mark[] = [];
  private curframe = 0;

  /** An instruction is being simulated, and is what was refused. */
  walking = false;

  ended(): void {
    this.walking = false;
    this.logPos = 0;
  }

  started(env: VerifierEnv): void {
    this.walking = true;
    this.logPos = env.log.pos;
    this.steps.length = 0;
    this.marks = [];
    this.shadow = [];
    this.curframe = env.cur.curframe;
    this.record(env, -1, env.insnIdx, 0);
  }

  before(env: VerifierEnv): void {
    this.logPos = env.log.pos;
    this.curframe = env.cur.curframe;
  }

  after(env: VerifierEnv, i: number): void {
    this.record(env, i, env.insnIdx, this.curframe);
  }

  pushed(_env: VerifierEnv): void {
    this.marks.push({ length: this.steps.length, shadow: this.shadow.map((s) => s.slice()) });
  }

  popped(env: VerifierEnv): void {
    const mark = this.marks.pop();
    if (!mark) return;
    this.steps.length = mark.length;
    this.shadow = mark.shadow.map((s) => s.slice());
    this.record(env, env.prevInsnIdx, env.insnIdx, this.shadow.length - 1);
  }

  private record(env: VerifierEnv, insnIdx: number, next: number, frameno: number): void {
    const changes: Change[] = [];
    const { cur } = env;
    for (let f = 0; f <= cur.curframe; f++) this.diffFrame(env, f, changes);
    this.shadow.length = cur.curframe + 1;
    this.steps.push({ insnIdx, next, frameno, refs: cur.refs.map((r) => r.id), changes });
  }

  private diffFrame(env: VerifierEnv, frameno: number, changes: Change[]): void {
    const { R } = env;
    const frame = env.cur.frames[frameno];
    const start = frame + F_REGS;
    const size = F_STACK - F_REGS + R.stackSlots(frame) * SLOT_SIZE;
    let shadow = this.shadow[frameno];
    if (!shadow || shadow.length < size) {
      const grown = new Uint8Array(size);
      if (shadow) grown.set(shadow);
      shadow = grown;
      this.shadow[frameno] = shadow;
    }
    const a = new Int32Array(shadow.buffer);
    const words = size >> 2;
    const base = start >> 2;
    const { i32, u8 } = R;
    let lastLoc = -1;
    for (let w = 0; w < words; w++) {
      if (a[w] === i32[base + w]) continue;
      a[w] = i32[base + w];
      const at = w << 2;
      const regs = F_STACK - F_REGS;
      const inRegs = at < regs;
      const loc = inRegs ? Math.floor(at / REG_SIZE) : SLOT0 + Math.floor((at - regs) / SLOT_SIZE);
      const within = inRegs ? at % REG_SIZE : (at - regs) % SLOT_SIZE;
      // Marks for pruning are no change of the value.
      if (within >= R_PRECISE && within < REG_SIZE) continue;
      if (loc === lastLoc) continue;
      lastLoc = loc;
      const from = inRegs ? start + loc * REG_SIZE : frame + F_STACK + (loc - SLOT0) * SLOT_SIZE;
      changes.push({ frameno, loc, bytes: u8.slice(from, from + (inRegs ? REG_SIZE : SLOT_SIZE)) });
    }
  }

  /** Record of a register or slot before the running instruction; undefined when there is none. */
  recordOf(frameno: number, loc: number): Uint8Array | undefined {
    const shadow = this.shadow[frameno];
    if (!shadow) return undefined;
    const at = loc < SLOT0 ? loc * REG_SIZE : F_STACK - F_REGS + (loc - SLOT0) * SLOT_SIZE;
    const size = loc < SLOT0 ? REG_SIZE : SLOT_SIZE;
    return at + size <= shadow.length ? shadow.subarray(at, at + size) : undefined;
  }
}
