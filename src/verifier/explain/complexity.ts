/**
 * Why a verification is long: how often each instruction is simulated, how many states are kept where, and in what the
 * states that should have ended a path differ from the kept ones.
 */
import type { VerifierEnv } from "../env.ts";
import { F_REGS, F_STACK, F_STACK_SLOTS, REG_SIZE, SLOT_SIZE } from "../layout.ts";
import { regStr } from "../print_state.ts";
import type { Probe } from "../probe.ts";
import { baseType, isPktPointer, NOT_INIT, SCALAR_VALUE } from "../reg_type.ts";
import { frameInsnIdx } from "../scc.ts";
import type { Frame, Reg, VState } from "../state.ts";
import { NOT_EXACT, RANGE_WITHIN } from "../wasm.ts";
import type { ComplexityReport, HotInsn, HotLine, PruneMiss } from "./explanation.ts";
import { rangeWords, recordWords, regWords } from "./plain.ts";
import { SLOT0 } from "./recorder.ts";
import { disasmOf, sourceOf } from "./source.ts";

/** Comparisons looked into at each instruction: the first ones, then one of so many. */
const SAMPLE_FIRST = 200;
const SAMPLE_EVERY = 32;
const TOP = 10;
const MISSES = 3;

interface Miss {
  place: string;
  how: string;
  count: number;
  kept: string;
  seen: string;
}

export class ComplexityProbe implements Probe {
  private visits = new Uint32Array(0);
  private kept = new Uint32Array(0);
  private covered = new Uint32Array(0);
  private compared = new Uint32Array(0);
  private readonly misses = new Map<number, Map<string, Miss>>();
  private scratch: readonly [Frame, Frame] | undefined;

  started(env: VerifierEnv): void {
    if (this.visits.length) return;
    const n = env.insns.length;
    this.visits = new Uint32Array(n);
    this.kept = new Uint32Array(n);
    this.covered = new Uint32Array(n);
    this.compared = new Uint32Array(n);
    this.scratch = [env.R.allocFrame(1), env.R.allocFrame(1)];
  }

  before(_env: VerifierEnv, i: number): void {
    this.visits[i]++;
  }

  stored(_env: VerifierEnv, i: number): void {
    this.kept[i]++;
  }

  pruned(_env: VerifierEnv, i: number): void {
    this.covered[i]++;
  }

  missed(env: VerifierEnv, i: number, old: VState, cur: VState): void {
    const n = this.compared[i]++;
    if (n >= SAMPLE_FIRST && n % SAMPLE_EVERY) return;
    const miss = this.difference(env, old, cur);
    let at = this.misses.get(i);
    if (!at) this.misses.set(i, (at = new Map()));
    const key = `${miss.place} ${miss.how}`;
    const known = at.get(key);
    if (known) known.count++;
    else at.set(key, { ...miss, count: 1 });
  }

  /** The first thing in which the running state is not covered by a kept one. */
  private difference(env: VerifierEnv, old: VState, cur: VState): Omit<Miss, "count"> {
    const { R } = env;
    const say = (place: string, how: string, kept: string, seen: string) => ({ place, how, kept, seen });
    if (old.curframe !== cur.curframe) {
      return say("the call stack", "another depth of calls", `${old.curframe + 1}`, `${cur.curframe + 1}`);
    }
    const refs = (s: VState) => s.refs.map((r) => `acquired at ${r.insnIdx}`).join(", ") || "none";
    if (old.refs.length !== cur.refs.length)
      return say("references", "other references are held", refs(old), refs(cur));
    if (old.activeLocks !== cur.activeLocks) {
      return say("locks", "other locks are held", `${old.activeLocks}`, `${cur.activeLocks}`);
    }
    const open = old.branches > 0;
    R.wasm.idmap_reset(env.idGen);
    for (let f = 0; f <= old.curframe; f++) {
      const a = old.frames[f];
      const b = cur.frames[f];
      const live = env.liveRegs[frameInsnIdx(env, old, f)] & 0x7ff;
      for (let r = 0; r < 11; r++) {
        if (!(live & (1 << r))) continue;
        const x = R.regAt(a, r);
        const y = R.regAt(b, r);
        if (!this.covers(env, x, y, false, open))
          return this.tell(env, f === old.curframe ? `r${r}` : `r${r} of frame ${f}`, x, y, a, open);
      }
      const slots = R.stackSlots(a);
      for (let s = 0; s < slots; s++) {
        const x = R.slotAt(a, s);
        const place = `fp${-8 * (s + 1)}${f === old.curframe ? "" : ` of frame ${f}`}`;
        if (s >= R.stackSlots(b)) {
          if (R.slotType(a, s, 7) === 0) continue;
          return say(place, "the stack slot is not written now", this.slotWords(env, x), "unwritten");
        }
        const y = R.slotAt(b, s);
        if (this.covers(env, x, y, true, open)) continue;
        const spills = R.slotType(a, s, 7) === 1 && R.slotType(b, s, 7) === 1;
        if (spills) return this.tell(env, place, x, y, a, open);
        return say(place, "the stack slot holds something else", this.slotWords(env, x), this.slotWords(env, y));
      }
    }
    if (open) return say("nothing", "the kept state belongs to a loop that is still being walked", "", "");
    return say("several values", "they are linked (equal ids) in one state and not in the other", "", "");
  }

  private covers(env: VerifierEnv, x: Reg, y: Reg, slot: boolean, open: boolean): boolean {
    const { R } = env;
    const [p, q] = this.scratch!;
    for (const [frame, from] of [
      [p, x],
      [q, y],
    ] as const) {
      R.set(frame, F_STACK_SLOTS, slot ? 1 : 0);
      if (slot) R.u8.copyWithin(frame + F_STACK, from, from + SLOT_SIZE);
      else R.u8.copyWithin(frame + F_REGS, from, from + REG_SIZE);
    }
    const exact = open ? RANGE_WITHIN : NOT_EXACT;
    return R.wasm.frames_equal(p, q, slot ? 0 : 1, exact, env.allowUninitStack, env.exploreAluLimits) !== 0;
  }

  private slotWords(env: VerifierEnv, slot: Reg): string {
    return recordWords(env, SLOT0, env.R.u8.slice(slot, slot + SLOT_SIZE)).state;
  }

  private tell(env: VerifierEnv, place: string, x: Reg, y: Reg, frame: Frame, open: boolean): Omit<Miss, "count"> {
    const { R } = env;
    // Whether a number matters is known only when the paths of the kept state are walked to their ends.
    const why = open ? ", in a loop that is still being walked" : ", and the value matters later";
    const kept = regWords(env, x);
    const seen = regWords(env, y);
    return {
      place,
      how: how(env, x, y),
      kept: kept === seen ? regStr(env, frame, x) : kept,
      seen: kept === seen ? regStr(env, frame, y) : seen,
    };

    function how(e: VerifierEnv, a: Reg, b: Reg): string {
      const ta = R.type(a);
      const tb = R.type(b);
      if (ta !== tb) {
        if (tb === NOT_INIT) return "has no value now";
        return baseType(ta) === baseType(tb) ? "another kind of pointer (NULL, trust)" : "another kind of value";
      }
      if (ta === SCALAR_VALUE) {
        if (R.isConst(a) && R.isConst(b) && rangeWords(e, a) !== rangeWords(e, b)) return `another constant${why}`;
        if (rangeWords(e, a) !== rangeWords(e, b)) return `a wider or shifted range${why}`;
        return "the same range, but other known bits or another link to a register";
      }
      if (isPktPointer(ta) && R.range(a) !== R.range(b)) return "fewer packet bytes are known to exist";
      if (R.off(a) !== R.off(b)) return "another offset";
      if (R.mapIdx(a) !== R.mapIdx(b)) return "another map or object";
      return "another variable offset or identity";
    }
  }

  report(env: VerifierEnv): ComplexityReport {
    const order = [...this.visits.keys()].filter((i) => this.visits[i] > 0);
    order.sort((a, b) => this.visits[b] - this.visits[a] || a - b);
    return {
      insnsProcessed: env.insnProcessed,
      limit: env.limits.insns,
      totalStates: env.totalStates,
      peakStates: env.peakStates,
      lines: this.lines(env, order),
      insns: order.slice(0, TOP).map((i) => this.hot(env, i)),
      joins: this.joins(env),
    };
  }

  /** By source line: the copies of an unrolled loop are one place. */
  private joins(env: VerifierEnv): HotInsn[] {
    const places = new Map<
      string,
      { first: HotInsn; visits: number; states: number; pruned: number; misses: Miss[] }
    >();
    for (const i of [...this.misses.keys()].sort((a, b) => a - b)) {
      const one = this.hot(env, i);
      const key = one.source ? `${one.source.file}:${one.source.line}` : `${i}`;
      const place = places.get(key) ?? { first: one, visits: 0, states: 0, pruned: 0, misses: [] };
      places.set(key, place);
      place.visits += one.visits;
      place.states += one.states;
      place.pruned += one.pruned;
      for (const miss of this.misses.get(i)?.values() ?? []) {
        const same = place.misses.find((m) => m.place === miss.place && m.how === miss.how);
        if (same) same.count += miss.count;
        else place.misses.push({ ...miss });
      }
    }
    return [...places.values()]
      .sort((a, b) => b.states - a.states || b.visits - a.visits)
      .slice(0, TOP)
      .map(({ first, misses, ...sums }) => ({
        ...first,
        ...sums,
        misses: misses.sort((a, b) => b.count - a.count).slice(0, MISSES),
      }));
  }

  private lines(env: VerifierEnv, order: readonly number[]): HotLine[] {
    const lines = new Map<string, { source: HotLine["source"]; visits: number; insns: number[] }>();
    for (const i of order) {
      const source = sourceOf(env.input, i);
      if (!source) continue;
      const key = `${source.file}:${source.line}`;
      const line = lines.get(key);
      if (line) {
        line.visits += this.visits[i];
        line.insns.push(i);
      } else lines.set(key, { source, visits: this.visits[i], insns: [i] });
    }
    return [...lines.values()].sort((a, b) => b.visits - a.visits).slice(0, TOP);
  }

  private hot(env: VerifierEnv, i: number): HotInsn {
    const misses: PruneMiss[] = [...(this.misses.get(i)?.values() ?? [])]
      .sort((a, b) => b.count - a.count)
      .slice(0, MISSES);
    return {
      insnIdx: i,
      source: sourceOf(env.input, i),
      disasm: disasmOf(env, i),
      visits: this.visits[i],
      states: this.kept[i],
      pruned: this.covered[i],
      misses,
    };
  }
}
