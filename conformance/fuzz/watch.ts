/**
 * Runs an accepted program one instruction at a time and holds it to what the verifier claimed: before each instruction some
 * claimed state must cover the registers, and each access (of the program, and of a helper to the memory it was given)
 * must fall into the object that the verifier believed in.
 *
 * Not checked: callbacks (they run inside the step of their helper) but for "in some object", and kernel objects that are
 * reached by BTF.
 */

import { protoFor } from "../../src/helpers/table.ts";
import * as types from "../../src/helpers/types.ts";
import type { Interp } from "../../src/interp/interp.ts";
import { ST, WHY } from "../../src/interp/state.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { type ClaimedState, type Claims, REG_WORDS } from "../../src/verifier/claims.ts";
import {
  R_FRAMENO,
  R_MASK,
  R_OFF,
  R_S32_MAX,
  R_S32_MIN,
  R_SMAX,
  R_SMIN,
  R_U0,
  R_U32_MAX,
  R_U32_MIN,
  R_UMAX,
  R_UMIN,
  R_VALUE,
} from "../../src/verifier/layout.ts";
import type { VerifierMap } from "../../src/verifier/platform.ts";
import * as rt from "../../src/verifier/reg_type.ts";

/** A program did what the verifier said it cannot do. */
export class Breach extends Error {
  override readonly name = "Breach";
  readonly insnIdx: number;

  constructor(insnIdx: number, message: string) {
    super(`insn ${insnIdx}: ${message}`);
    this.insnIdx = insnIdx;
  }
}

/** What the program may touch beside its stack. */
export interface Surroundings {
  readonly progType: number;
  readonly ctx: number;
  readonly ctxBytes: number;
  /** Offsets in the context of the addresses data, data_end, data_meta. */
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number;
  /** Memory of maps that programs point into directly: [address, bytes]. */
  readonly mapValues: readonly (readonly [number, number])[];
}

export interface WatchResult {
  readonly r0: bigint;
  readonly steps: number;
  /** False: the run was cut off. */
  readonly ended: boolean;
  /** Instructions for which there were claims to check. */
  readonly checked: number;
}

const LDX = 1;
const ST_IMM = 2;
const STX = 3;
const CALL = 0x85;
const BASE = 0xff;
const W_OFF = R_OFF / 4;
const W_U0 = R_U0 / 4;
const W_VALUE = R_VALUE / 4;
const W_MASK = R_MASK / 4;
const W_SMIN = R_SMIN / 4;
const W_SMAX = R_SMAX / 4;
const W_UMIN = R_UMIN / 4;
const W_UMAX = R_UMAX / 4;
const W_S32MIN = R_S32_MIN / 4;
const W_S32MAX = R_S32_MAX / 4;
const W_U32MIN = R_U32_MIN / 4;
const W_U32MAX = R_U32_MAX / 4;
const W_FRAMENO = R_FRAMENO / 4;

/** Sizes by the size bits of an opcode. */
const SIZES: Readonly<Record<number, number>> = { 0: 4, 8: 2, 16: 1, 24: 8 };

function below(aHi: number, aLo: number, bHi: number, bLo: number): boolean {
  return aHi < bHi || (aHi === bHi && aLo >>> 0 < bLo >>> 0);
}

/** Does the value (hi, lo) lie in the claimed ranges of the register record at word `at`? */
function inRanges(r: Int32Array, at: number, hi: number, lo: number): boolean {
  const known = ~r[at + W_MASK];
  const knownHi = ~r[at + W_MASK + 1];
  if ((lo & known) !== r[at + W_VALUE] || (hi & knownHi) !== r[at + W_VALUE + 1]) return false;
  if (lo < r[at + W_S32MIN] || lo > r[at + W_S32MAX]) return false;
  if (lo >>> 0 < r[at + W_U32MIN] >>> 0 || lo >>> 0 > r[at + W_U32MAX] >>> 0) return false;
  if (below(hi, lo, r[at + W_SMIN + 1], r[at + W_SMIN]) || below(r[at + W_SMAX + 1], r[at + W_SMAX], hi, lo))
    return false;
  const uhi = hi >>> 0;
  return (
    !below(uhi, lo, r[at + W_UMIN + 1] >>> 0, r[at + W_UMIN]) &&
    !below(r[at + W_UMAX + 1] >>> 0, r[at + W_UMAX], uhi, lo)
  );
}

export class Watch {
  readonly #prog: Interp;
  readonly #claims: Claims | undefined;
  readonly #env: Surroundings;
  readonly #memory: Memory;
  #state = 0;
  #pc = 0;
  /** Before the instruction: hi and lo of r0..r10. */
  readonly #regs = new Int32Array(22);
  /** r10 by depth. */
  readonly #fps: number[] = [];
  readonly #depths: number[] = [];
  #frameno = 0;
  /** Objects that helpers returned. */
  #objects: [number, number][] = [];
  /** Index of the claimed state that matched last, by instruction. */
  readonly #last: number[] = [];

  constructor(prog: Interp, claims: Claims | undefined, env: Surroundings) {
    this.#prog = prog;
    this.#claims = claims;
    this.#env = env;
    this.#memory = prog.env.rt.memory;
  }

  /** @throws Breach; RunFault for what the interpreter itself refuses */
  run(maxSteps: number): WatchResult {
    const prog = this.#prog;
    const memory = this.#memory;
    const { cpuCtx, env } = { cpuCtx: prog.env.rt.cpuCtx, env: prog.env };
    const outer = env.current;
    const top = memory.readU32(cpuCtx + CPU_CTX.stackTop);
    const state = prog.machine.takeState();
    this.#state = state;
    this.#objects = [...this.#env.mapValues.map(([a, n]): [number, number] => [a, n])];
    env.current = prog;
    memory.writeU32(cpuCtx + CPU_CTX.tailCalls, 0);
    let steps = 0;
    let checked = 0;
    try {
      prog.begin(state, 0, top, [this.#env.ctx]);
      prog.onAccess = this.#claims ? undefined : (addr, size) => this.#anyObject(addr, size);
      prog.instrument(state, []);
      const act = { state, prog };
      for (;;) {
        this.#look();
        const matched = this.#match();
        if (matched) {
          checked++;
          this.#checkInsn(matched);
        }
        if (steps++ >= maxSteps) return { r0: 0n, steps, ended: false, checked };
        const called = this.#helperAt(this.#pc);
        memory.writeU32(state + ST.steps, 1);
        memory.writeU32(state + ST.pass, 1);
        const why = prog.stepping(() => prog.machine.exports.interp_step(state));
        const done = prog.serve(act, why);
        if (act.prog !== prog) return { r0: 0n, steps, ended: false, checked };
        if (done) return { r0: memory.readU64(state), steps, ended: true, checked };
        if (called && why === WHY.helper) this.#noteResult();
      }
    } finally {
      prog.onAccess = undefined;
      env.current = outer;
      memory.writeU32(cpuCtx + CPU_CTX.stackTop, top);
      prog.machine.giveState(state as never);
    }
  }

  #helperAt(pc: number): boolean {
    const { insns } = this.#prog.image;
    return insns.code[pc] === CALL && insns.src[pc] !== 1;
  }

  /** Reads the registers and keeps the frames. */
  #look(): void {
    const { view } = this.#memory;
    const s = this.#state;
    this.#pc = this.#prog.slotOf(s);
    for (let r = 0; r <= 10; r++) {
      this.#regs[2 * r] = view.getInt32(s + 8 * r + 4, true);
      this.#regs[2 * r + 1] = view.getInt32(s + 8 * r, true);
    }
    this.#frameno = view.getUint32(s + ST.frames, true);
    this.#fps[this.#frameno] = this.#regs[21] >>> 0;
    this.#depths[this.#frameno] = this.#prog.image.subprogs.findLast((p) => p.start <= this.#pc)?.stackDepth ?? 0;
  }

  /** A claimed state that covers what is; undefined when nothing was claimed. @throws Breach */
  #match(): ClaimedState | undefined {
    const claims = this.#claims;
    const states = claims?.at(this.#pc);
    if (!claims || !states) return undefined;
    if (states.length === 0) throw new Breach(this.#pc, "is executed, and the verifier never came here");
    const live = claims.liveRegs(this.#pc);
    const first = this.#last[this.#pc] ?? 0;
    if (this.#uncovered(states[first], live) < 0) return states[first];
    for (let i = 0; i < states.length; i++) {
      if (i !== first && this.#uncovered(states[i], live) < 0) {
        this.#last[this.#pc] = i;
        return states[i];
      }
    }
    const r = Math.max(...states.map((st) => this.#uncovered(st, live)));
    throw new Breach(
      this.#pc,
      `r${r} = 0x${this.#reg(r).toString(16)} lies outside of what was claimed in ${states.length} states: ${states
        .slice(0, 4)
        .map((st) => this.#describe(st.regs, r * REG_WORDS))
        .join("; ")}`,
    );
  }

  #reg(r: number): bigint {
    return (BigInt(this.#regs[2 * r] >>> 0) << 32n) | BigInt(this.#regs[2 * r + 1] >>> 0);
  }

  #describe(regs: Int32Array, at: number): string {
    const u = (w: number) => (BigInt(regs[at + w + 1] >>> 0) << 32n) | BigInt(regs[at + w] >>> 0);
    const x = (v: bigint) => `0x${v.toString(16)}`;
    return `${rt.regTypeStr(regs[at])}(off=${regs[at + W_OFF]},u=${x(u(W_UMIN))}..${x(u(W_UMAX))},s=${BigInt.asIntN(64, u(W_SMIN))}..${BigInt.asIntN(64, u(W_SMAX))},u32=${regs[at + W_U32MIN] >>> 0}..${regs[at + W_U32MAX] >>> 0},s32=${regs[at + W_S32MIN]}..${regs[at + W_S32MAX]},var=${x(u(W_VALUE))};${x(u(W_MASK))})`;
  }

  /** First live register that the state does not cover; -1 when it covers all. */
  #uncovered(st: ClaimedState, live: number): number {
    if (st.frameno !== this.#frameno) return 10;
    for (let r = 0; r < 10; r++) {
      if ((live >> r) & 1 && !this.#covered(st.regs, r)) return r;
    }
    return -1;
  }

  #covered(regs: Int32Array, r: number): boolean {
    const at = r * REG_WORDS;
    const type = regs[at];
    const hi = this.#regs[2 * r];
    const lo = this.#regs[2 * r + 1];
    if (type === rt.NOT_INIT) return true;
    if (type === rt.SCALAR_VALUE) return inRanges(regs, at, hi, lo);
    if (type & types.PTR_MAYBE_NULL) return true;
    const base = type & BASE;
    if (base === rt.PTR_TO_MAP_VALUE || base === rt.PTR_TO_MEM) {
      const plain = !(type & (types.MEM_RDONLY | types.PTR_UNTRUSTED));
      return !plain || this.#objects.some(([start]) => this.#pointsFrom(regs, at, r, start));
    }
    const from = this.#baseOf(regs, at, type);
    if (from === undefined) return type === rt.PTR_TO_FUNC || hi !== 0 || lo !== 0 || base === rt.PTR_TO_BTF_ID;
    return this.#pointsFrom(regs, at, r, from);
  }

  /** Is register r the address `from`, the claimed fixed offset, and a variable part that lies in the claimed ranges? */
  #pointsFrom(regs: Int32Array, at: number, r: number, from: number): boolean {
    const rest = BigInt.asIntN(64, this.#reg(r) - BigInt(from) - BigInt(regs[at + W_OFF]));
    const restHi = Number(rest >> 32n) | 0;
    const restLo = Number(BigInt.asIntN(32, rest));
    return inRanges(regs, at, restHi, restLo);
  }

  /** Where a pointer of this type begins to count; undefined when that is not one known address. */
  #baseOf(regs: Int32Array, at: number, type: number): number | undefined {
    const { ctx, data, dataMeta, dataEnd } = this.#env;
    switch (type) {
      case rt.PTR_TO_CTX:
        return ctx;
      case rt.PTR_TO_STACK:
        return this.#fps[regs[at + W_FRAMENO]];
      case rt.PTR_TO_PACKET:
        return this.#memory.readU32(ctx + data);
      case rt.PTR_TO_PACKET_META:
        return this.#memory.readU32(ctx + dataMeta);
      case rt.PTR_TO_PACKET_END:
        return this.#memory.readU32(ctx + dataEnd);
      default:
        return undefined;
    }
  }

  /** Accesses of this instruction, by the types that the matching state gives its registers. */
  #checkInsn(st: ClaimedState): void {
    const pc = this.#pc;
    const { insns, probeMem } = this.#prog.image;
    const code = insns.code[pc];
    const kind = code & 7;
    if (kind === LDX) {
      if (!probeMem?.[pc]) this.#access(st, insns.src[pc], insns.off[pc], SIZES[code & 0x18], "load");
    } else if (kind === ST_IMM || kind === STX) {
      const loads = kind === STX && (code & 0xe0) === 0xc0 && insns.imm[pc] === 0x100;
      this.#access(st, loads ? insns.src[pc] : insns.dst[pc], insns.off[pc], SIZES[code & 0x18], "store");
    } else if (code === CALL && insns.src[pc] === 0) {
      this.#checkHelper(st);
    }
  }

  #checkHelper(st: ClaimedState): void {
    const helper = this.#prog.image.calls.get(this.#pc)?.helper;
    if (!helper) return;
    const proto = protoFor(helper, this.#env.progType);
    proto.args.forEach((arg, i) => {
      const r = i + 1;
      const base = arg & types.BASE_TYPE_MASK;
      let size: number;
      if (base === types.ARG_PTR_TO_MAP_KEY) size = this.#mapOf(st, 1)?.keySize ?? 0;
      else if (base === types.ARG_PTR_TO_MAP_VALUE) size = this.#mapOf(st, 1)?.valueSize ?? 0;
      else if (base !== types.ARG_PTR_TO_MEM) return;
      else if (arg & types.MEM_FIXED_SIZE) size = proto.sizes?.[i] ?? 0;
      else {
        const next = (proto.args[i + 1] ?? 0) & types.BASE_TYPE_MASK;
        if (next !== types.ARG_CONST_SIZE && next !== types.ARG_CONST_SIZE_OR_ZERO) return;
        if (this.#regs[2 * (r + 1)] !== 0)
          throw new Breach(this.#pc, `size 0x${this.#reg(r + 1).toString(16)} given to ${helper.name}`);
        size = this.#regs[2 * (r + 1) + 1] >>> 0;
      }
      if (arg & types.PTR_MAYBE_NULL && this.#reg(r) === 0n) return;
      if (size > 0) this.#access(st, r, 0, size, helper.name);
    });
  }

  #mapOf(st: ClaimedState, r: number): VerifierMap | undefined {
    return this.#claims?.mapAt(st.regs[r * REG_WORDS + W_U0]);
  }

  /** @throws Breach when [rN + off, size) is not inside the kind of object that the state says rN points to */
  #access(st: ClaimedState, r: number, off: number, size: number, what: string): void {
    const type = st.regs[r * REG_WORDS];
    const base = type & BASE;
    const addr = Number(BigInt.asUintN(64, this.#reg(r) + BigInt(off)));
    const { ctx, ctxBytes, data, dataEnd, dataMeta } = this.#env;
    const fits = (from: number, to: number): void => {
      if (addr >= from && addr + size <= to) return;
      throw new Breach(
        this.#pc,
        `${what} of ${size} bytes at 0x${addr.toString(16)} through r${r} (${rt.regTypeStr(type)}) is outside of 0x${from.toString(16)}..0x${to.toString(16)}`,
      );
    };
    switch (base) {
      case rt.PTR_TO_STACK: {
        const n = st.regs[r * REG_WORDS + W_FRAMENO];
        fits(this.#fps[n] - this.#depths[n], this.#fps[n]);
        return;
      }
      case rt.PTR_TO_CTX:
        fits(ctx, ctx + ctxBytes);
        return;
      case rt.PTR_TO_PACKET:
        fits(this.#memory.readU32(ctx + data), this.#memory.readU32(ctx + dataEnd));
        return;
      case rt.PTR_TO_PACKET_META:
        fits(this.#memory.readU32(ctx + dataMeta), this.#memory.readU32(ctx + data));
        return;
      case rt.PTR_TO_MAP_VALUE:
      case rt.PTR_TO_MEM:
        if (type & (types.MEM_RDONLY | types.PTR_UNTRUSTED) && base === rt.PTR_TO_MEM) return;
        this.#known(addr, size, what);
        return;
      case rt.SCALAR_VALUE:
      case rt.NOT_INIT:
        throw new Breach(this.#pc, `${what} through r${r}, which is claimed to be ${rt.regTypeStr(type)}`);
      default:
        return;
    }
  }

  /** An object that a helper returned or that the program names. */
  #known(addr: number, size: number, what: string): void {
    if (this.#objects.some(([a, n]) => addr >= a && addr + size <= a + n)) return;
    throw new Breach(
      this.#pc,
      `${what} of ${size} bytes at 0x${addr.toString(16)} is in no object: ${this.#objects.map(([a, n]) => `0x${a.toString(16)}+${n}`).join(" ")}`,
    );
  }

  /** Without claims: the access must be in some object. */
  #anyObject(addr: number, size: number): void {
    const { ctx, ctxBytes, data, dataEnd, dataMeta } = this.#env;
    const inside = (from: number, to: number) => addr >= from && addr + size <= to;
    if (inside(ctx, ctx + ctxBytes)) return;
    if (inside(this.#memory.readU32(ctx + data), this.#memory.readU32(ctx + dataEnd))) return;
    if (dataMeta >= 0 && inside(this.#memory.readU32(ctx + dataMeta), this.#memory.readU32(ctx + data))) return;
    if (this.#fps.some((fp, n) => n <= this.#frameno && inside(fp - 512, fp))) return;
    if (this.#claims) this.#known(addr, size, "access");
  }

  /** What a helper returned becomes an object. */
  #noteResult(): void {
    const pc = this.#prog.slotOf(this.#state);
    const addr = this.#memory.readU32(this.#state);
    if (addr === 0) return;
    for (const st of this.#claims?.at(pc) ?? []) {
      const type = st.regs[0];
      const base = type & BASE;
      const size =
        base === rt.PTR_TO_MAP_VALUE
          ? this.#mapOf(st, 0)?.valueSize
          : base === rt.PTR_TO_MEM
            ? st.regs[W_U0]
            : undefined;
      if (size === undefined) continue;
      if (!this.#objects.some(([a, n]) => a === addr && n === size)) this.#objects.push([addr, size]);
      return;
    }
  }
}
